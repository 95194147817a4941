//! Shapes and parameter counts of a [`Model`], layer by layer, without libtorch.
//!
//! Shapes are those of one example, channels last. The rules are Keras 3's; the
//! worker builds what is inferred here. A model comes off the wire or out of a
//! file that someone wrote, so every number in it may be absurd: arithmetic is
//! checked, and what no machine could hold is refused.
//!
//! This file walks through the layers; the rules are in the files beside it.

mod arrange;
mod convolution;
mod fault;
mod join;
mod recurrent;
mod scaling;
mod window;

use crate::mobilenet_v2;
use crate::v1::layer::Kind;
use crate::v1::{
    Dense, Layer, MobileNetV2, Model, Parallel, SpatialDropout, SpecAugment, parallel,
};
use fault::{Fault, image, last, positive, sequence, share};
pub use scaling::scaled_axes;

/// Most weights of one network. At four bytes each this is 4 TiB, more than any
/// device holds; sums below it cannot overflow.
pub const MAX_PARAMETERS: u64 = 1 << 40;

/// Most values that one layer makes of one example, for the same reason.
pub const MAX_VALUES: u64 = 1 << 40;

/// What a layer makes of its input: a row of Keras's `model.summary()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSummary {
    /// The layer's name in the model.
    pub name: String,
    /// Keras's class name, for tables: `Conv2D`, `GRU`.
    pub kind: &'static str,
    /// Shape of one example, channels last.
    pub output_shape: Vec<u32>,
    /// Number of weights, trainable or not.
    pub parameters: u64,
    /// Number of weights that training changes.
    pub trainable: u64,
    /// About how many values of one example training keeps for the gradient.
    pub(crate) kept: u64,
}

/// A layer that cannot work on what it is given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("layer {} `{layer}`: {message}", index + 1)]
pub struct ShapeError {
    /// Row of the layer in the summary, from 0.
    pub index: usize,
    /// Name of the layer.
    pub layer: String,
    /// What is wrong, with the shapes.
    pub message: String,
    /// The usual way to mend it.
    pub hint: Option<String>,
}

/// Infers the output shape and the number of parameters of every layer, and
/// checks that the last one gives a value for each class.
///
/// - `input`: shape of one example, channels last
/// - `classes`: how many classes the last layer has to tell apart
///
/// Returns a row a layer, branches before the layer that joins them.
///
/// # Errors
///
/// The first layer whose input has the wrong rank or is too small, or a last
/// layer that does not give `classes` values. One value is enough for two classes.
pub fn infer(model: &Model, input: &[u32], classes: u32) -> Result<Vec<LayerSummary>, ShapeError> {
    let summaries = infer_layers(&model.layers, input)?;
    check_output(&summaries, classes)?;
    Ok(summaries)
}

/// As [`infer`], for layers that need not end in classes.
///
/// # Errors
///
/// The first layer whose input has the wrong rank or is too small.
pub fn infer_layers(layers: &[Layer], input: &[u32]) -> Result<Vec<LayerSummary>, ShapeError> {
    let mut walk =
        Walk { summaries: Vec::with_capacity(layers.len()), parameters: 0, of_examples: 0 };
    walk.layers(layers, input, false)?;
    Ok(walk.summaries)
}

/// A shape as people write it: `(128, 660, 1)`.
#[must_use]
pub fn display_shape(shape: &[u32]) -> String {
    let sizes: Vec<String> = shape.iter().map(u32::to_string).collect();
    match sizes.as_slice() {
        [one] => format!("({one},)"),
        sizes => format!("({})", sizes.join(", ")),
    }
}

/// What a layer makes of its input, before it has a name.
struct Made {
    kind: &'static str,
    shape: Vec<u32>,
    parameters: u64,
    trainable: u64,
    /// See [`LayerSummary::kept`]; as many as the output has, unless set.
    kept: Option<u64>,
}

impl Made {
    fn new(kind: &'static str, shape: &[u32]) -> Self {
        Self { kind, shape: shape.to_vec(), parameters: 0, trainable: 0, kept: None }
    }

    /// All of them trainable. `None` stands for a number beyond 64 bits.
    fn with(mut self, parameters: Option<u64>) -> Result<Self, Fault> {
        self.parameters = parameters.filter(|&count| count <= MAX_PARAMETERS).ok_or_else(|| {
            Fault::new(format!("it would have more than {MAX_PARAMETERS} parameters"))
                .hint("use fewer units or filters, or pool more before it")
        })?;
        self.trainable = self.parameters;
        Ok(self)
    }

    fn keeping(mut self, kept: u64) -> Self {
        self.kept = Some(kept);
        self
    }

    /// Keeps `times` as many values as its output has.
    fn keeping_times(self, times: u64) -> Self {
        let values = values(&self.shape);
        self.keeping(values.saturating_mul(times))
    }
}

/// The rows so far.
struct Walk {
    summaries: Vec<LayerSummary>,
    parameters: u64,
    /// How many of them are numbers taken of the examples.
    of_examples: u64,
}

impl Walk {
    /// Adds the rows of layers that follow one another; returns the last output's shape.
    fn layers(
        &mut self,
        layers: &[Layer],
        input: &[u32],
        in_branch: bool,
    ) -> Result<Vec<u32>, ShapeError> {
        let mut shape = input.to_vec();
        for layer in layers {
            let made = match &layer.kind {
                Some(Kind::Parallel(parallel)) => {
                    let branches = self.branches(layer, parallel, &shape)?;
                    self.joined(parallel, &branches)
                }
                Some(Kind::Normalization(options)) => self
                    .first_of_all("normalization", &shape, in_branch)
                    .and_then(|()| self.scaled(scaling::normalization(options, &shape))),
                Some(Kind::MinMaxScaling(options)) => self
                    .first_of_all("min_max_scaling", &shape, in_branch)
                    .and_then(|()| self.scaled(scaling::min_max(options, &shape))),
                _ => one_layer(layer, &shape),
            };
            shape = self.add(layer, made)?;
        }
        Ok(shape)
    }

    /// Output shapes of the branches.
    fn branches(
        &mut self,
        layer: &Layer,
        parallel: &Parallel,
        input: &[u32],
    ) -> Result<Vec<Vec<u32>>, ShapeError> {
        if parallel.branches.is_empty() {
            return Err(self.error(layer, Fault::new("it has no branches")));
        }
        if input.is_empty() || input.contains(&0) {
            return Err(self.error(layer, Fault::empty(input)));
        }
        let branches = parallel.branches.iter();
        branches.map(|branch| self.layers(&branch.layers, input, true)).collect()
    }

    fn joined(&self, parallel: &Parallel, branches: &[Vec<u32>]) -> Result<Made, Fault> {
        match &parallel.merge {
            Some(parallel::Merge::Concatenate(options)) => join::concatenate(options, branches),
            Some(parallel::Merge::Add(_)) => {
                let has_shortcut = parallel.branches.iter().all(|branch| !branch.layers.is_empty());
                join::add(branches, has_shortcut)
            }
            None => Err(Fault::unknown("way to join branches")),
        }
    }

    /// The numbers that a layer takes of the examples are those of the data, which
    /// no training may change: only its like may stand before it.
    fn first_of_all(&self, layer: &str, input: &[u32], in_branch: bool) -> Result<(), Fault> {
        if in_branch || self.parameters > self.of_examples {
            let message = format!("`{layer}` must stand before all layers with weights");
            return Err(Fault::new(message).hint("put it first, and not into a branch"));
        }
        if input.is_empty() || input.contains(&0) {
            return Err(Fault::empty(input));
        }
        Ok(())
    }

    fn scaled(&mut self, made: Result<Made, Fault>) -> Result<Made, Fault> {
        let made = made?;
        self.of_examples = self.of_examples.saturating_add(made.parameters);
        Ok(made)
    }

    /// Adds a row; returns its shape.
    fn add(&mut self, layer: &Layer, made: Result<Made, Fault>) -> Result<Vec<u32>, ShapeError> {
        let made = made.and_then(bounded).map_err(|fault| self.error(layer, fault))?;
        self.parameters += made.parameters;
        if self.parameters > MAX_PARAMETERS {
            let message = format!("the network would have more than {MAX_PARAMETERS} parameters");
            let fault =
                Fault::new(message).hint("use fewer units or filters, or pool more before it");
            return Err(self.error(layer, fault));
        }
        let kept = made.kept.unwrap_or_else(|| values(&made.shape));
        self.summaries.push(LayerSummary {
            name: layer.name.clone(),
            kind: made.kind,
            output_shape: made.shape.clone(),
            parameters: made.parameters,
            trainable: made.trainable,
            kept,
        });
        Ok(made.shape)
    }

    fn error(&self, layer: &Layer, fault: Fault) -> ShapeError {
        ShapeError {
            index: self.summaries.len(),
            layer: layer.name.clone(),
            message: fault.message,
            hint: fault.hint,
        }
    }
}

/// Refuses an output that nothing could hold.
fn bounded(made: Made) -> Result<Made, Fault> {
    if made.shape.contains(&0) {
        return Err(Fault::new(format!("its output {} is empty", display_shape(&made.shape))));
    }
    let values = made.shape.iter().try_fold(1, |product: u64, &size| {
        product.checked_mul(u64::from(size)).filter(|&product| product <= MAX_VALUES)
    });
    match values {
        Some(_) => Ok(made),
        None => Err(Fault::new(format!(
            "its output {} would have more than {MAX_VALUES} values an example",
            display_shape(&made.shape)
        ))),
    }
}

/// How many values a shape has, at most 2^64 - 1.
fn values(shape: &[u32]) -> u64 {
    shape.iter().fold(1, |product: u64, &size| product.saturating_mul(u64::from(size)))
}

fn one_layer(layer: &Layer, input: &[u32]) -> Result<Made, Fault> {
    if input.is_empty() || input.contains(&0) {
        return Err(Fault::empty(input));
    }
    let kind = layer.kind.as_ref().ok_or_else(|| Fault::unknown("kind"))?;
    let features = u64::from(last(input));
    match kind {
        Kind::Conv1d(options) => convolution::conv1d(options, input),
        Kind::Conv2d(options) => convolution::conv2d(options, input),
        Kind::DepthwiseConv2d(options) => convolution::depthwise(options, input),
        Kind::SeparableConv2d(options) => convolution::separable(options, input),
        Kind::Pool1d(options) => window::pool1d(options, input),
        Kind::Pool2d(options) => window::pool2d(options, input),
        Kind::GlobalPool1d(options) => {
            let [_, channels] = sequence("a global pool over time", input)?;
            window::global_pool(options, "1D", channels)
        }
        Kind::GlobalPool2d(options) => {
            let [_, _, channels] = image("a global pool over an image", input)?;
            window::global_pool(options, "2D", channels)
        }
        Kind::BatchNorm(_) => {
            // Scale and offset are trained; the moving mean and variance are not.
            let mut made = Made::new("BatchNormalization", input).with(Some(4 * features))?;
            made.trainable = 2 * features;
            Ok(made)
        }
        Kind::LayerNorm(_) => Made::new("LayerNormalization", input).with(Some(2 * features)),
        Kind::Dropout(options) => {
            share("rate", options.rate)?;
            Ok(Made::new("Dropout", input).keeping_times(2))
        }
        Kind::SpatialDropout1d(options) => {
            sequence("spatial_dropout1d", input)?;
            spatial_dropout(options, "SpatialDropout1D", input)
        }
        Kind::SpatialDropout2d(options) => {
            image("spatial_dropout2d", input)?;
            spatial_dropout(options, "SpatialDropout2D", input)
        }
        Kind::GaussianNoise(options) => {
            if !(options.stddev.is_finite() && options.stddev >= 0.0) {
                return Err(Fault::new(format!(
                    "`stddev` is {}, but must be at least 0",
                    options.stddev
                )));
            }
            Ok(Made::new("GaussianNoise", input))
        }
        Kind::Flatten(_) => arrange::flatten(input),
        Kind::Reshape(options) => arrange::reshape(options, input),
        Kind::Permute(options) => arrange::permute(options, input),
        Kind::ToSequence(_) => arrange::to_sequence(input),
        Kind::Gru(options) => recurrent::gru(options, input),
        Kind::Lstm(options) => recurrent::lstm(options, input),
        Kind::SimpleRnn(options) => recurrent::simple_rnn(options, input),
        Kind::Bidirectional(options) => recurrent::bidirectional(options, input),
        Kind::Dense(options) => dense(options, input),
        Kind::Activation(_) => Ok(Made::new("Activation", input)),
        Kind::Rescaling(_) => Ok(Made::new("Rescaling", input)),
        Kind::SpecAugment(options) => spec_augment(options, input),
        Kind::MobilenetV2(options) => mobilenet(options, input),
        Kind::Normalization(_) | Kind::MinMaxScaling(_) | Kind::Parallel(_) => {
            unreachable!("these depend on more than their input, and are told apart before")
        }
    }
}

fn spatial_dropout(
    options: &SpatialDropout,
    kind: &'static str,
    input: &[u32],
) -> Result<Made, Fault> {
    share("rate", options.rate)?;
    Ok(Made::new(kind, input))
}

/// (..., features) -> (..., units)
fn dense(options: &Dense, input: &[u32]) -> Result<Made, Fault> {
    positive("units", options.units)?;
    let rows = u64::from(last(input)) + u64::from(options.use_bias);
    let mut shape = input.to_vec();
    if let Some(features) = shape.last_mut() {
        *features = options.units;
    }
    Made::new("Dense", &shape).with(rows.checked_mul(u64::from(options.units)))
}

/// (frequency, time, c), unchanged
fn spec_augment(options: &SpecAugment, input: &[u32]) -> Result<Made, Fault> {
    let [height, width, _] = image("spec_augment", input)?;
    for (option, masks, most, size) in [
        ("frequency_width", options.frequency_masks, options.frequency_width, height),
        ("time_width", options.time_masks, options.time_width, width),
    ] {
        if masks > 0 && most > size {
            let message = format!(
                "`{option}` is {most}, which is more than its input {} has",
                display_shape(input)
            );
            return Err(Fault::new(message).hint(format!("use at most {size}")));
        }
    }
    Ok(Made::new("SpecAugment", input).keeping_times(2))
}

/// (h, w, 3) -> (h / 32, w / 32, c)
fn mobilenet(options: &MobileNetV2, input: &[u32]) -> Result<Made, Fault> {
    let [height, width, channels] = image("mobilenet_v2", input)?;
    if channels != 3 {
        let message = format!(
            "`mobilenet_v2` needs an input (height, width, 3), but its input is {}",
            display_shape(input)
        );
        return Err(Fault::new(message).hint("use `images` with `channels: 3`"));
    }
    let Some(network) = mobilenet_v2::Architecture::new(options.alpha) else {
        return Err(Fault::new(format!("`alpha` is {}, but must be from 0.1 to 4", options.alpha)));
    };
    let output = network.output_channels();
    let shape = [height, width].map(|size| size.div_ceil(mobilenet_v2::REDUCTION));
    let mut made =
        Made::new("MobileNetV2", &[shape[0], shape[1], output]).with(Some(network.parameters()))?;
    made.trainable = if options.trainable { network.trainable() } else { 0 };
    let pixels = u64::from(height) * u64::from(width);
    // What is frozen keeps nothing for a gradient, but works on two layers at a time.
    Ok(made.keeping(if options.trainable {
        pixels.saturating_mul(network.kept_per_pixel())
    } else {
        pixels.saturating_mul(network.widest_per_pixel())
    }))
}

/// The last layer must give one value for each class.
fn check_output(summaries: &[LayerSummary], classes: u32) -> Result<(), ShapeError> {
    let index = summaries.len().saturating_sub(1);
    let Some(last) = summaries.last() else {
        return Err(ShapeError {
            index,
            layer: String::new(),
            message: "the network has no layers".to_owned(),
            hint: None,
        });
    };
    let error = |message, hint: &str| {
        Err(ShapeError { index, layer: last.name.clone(), message, hint: Some(hint.to_owned()) })
    };
    match *last.output_shape {
        [width] if width == classes || (width == 1 && classes == 2) => Ok(()),
        [width] => error(
            format!("gives {width} values, but there are {classes} classes"),
            "end the network with `dense: {units: classes, activation: softmax}`",
        ),
        _ => error(
            format!(
                "gives {}, but the last layer must give one value for each of {classes} classes",
                display_shape(&last.output_shape)
            ),
            "add `flatten`, a global pool, or a recurrent layer without `return_sequences`, \
             before the last `dense`",
        ),
    }
}

#[cfg(test)]
mod tests;
