//! Shapes and parameter counts of a [`Model`], layer by layer, without libtorch.
//!
//! Shapes are those of one example, channels last. The rules are Keras 3's; the
//! worker builds what is inferred here. A model comes off the wire or out of a
//! file that someone wrote, so every number in it may be absurd: arithmetic is
//! checked, and what no machine could hold is refused.

use crate::v1::layer::Kind;
use crate::v1::{Conv2d, Dense, Gru, Layer, Model, Padding, Pool2d, Size};

/// Most weights of one network. At four bytes each this is 4 TiB, more than any
/// device holds; sums below it cannot overflow.
pub const MAX_PARAMETERS: u64 = 1 << 40;

/// Most values that one layer makes of one example, for the same reason.
pub const MAX_VALUES: u64 = 1 << 40;

/// What a layer makes of its input.
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
}

/// A layer that cannot work on what it is given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("layer {} `{layer}`: {message}", index + 1)]
pub struct ShapeError {
    /// Position in the model, from 0.
    pub index: usize,
    /// Name of the layer.
    pub layer: String,
    /// What is wrong, with the shapes.
    pub message: String,
    /// The usual way to mend it.
    pub hint: Option<String>,
}

/// Infers the output shape and the number of parameters of every layer.
///
/// - `input`: shape of one example, channels last
/// - `classes`: how many classes the last layer has to tell apart
///
/// # Errors
///
/// The first layer whose input has the wrong rank or is too small, or a last
/// layer that does not give `classes` values.
pub fn infer(model: &Model, input: &[u32], classes: u32) -> Result<Vec<LayerSummary>, ShapeError> {
    let mut summaries: Vec<LayerSummary> = Vec::with_capacity(model.layers.len());
    let mut total = 0;
    for (index, layer) in model.layers.iter().enumerate() {
        let shape = summaries.last().map_or(input, |before| &before.output_shape);
        let at = |fault: Fault| ShapeError {
            index,
            layer: layer.name.clone(),
            message: fault.message,
            hint: fault.hint,
        };
        let made = infer_layer(layer, shape).map_err(at)?;
        total += made.parameters;
        if total > MAX_PARAMETERS {
            return Err(at(Fault::new(format!(
                "the network would have more than {MAX_PARAMETERS} parameters"
            ))
            .hint("use fewer units or filters, or pool more before it")));
        }
        summaries.push(LayerSummary {
            name: layer.name.clone(),
            kind: made.kind,
            output_shape: made.shape,
            parameters: made.parameters,
            trainable: made.trainable,
        });
    }
    check_output(&summaries, classes)?;
    Ok(summaries)
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

/// What is wrong, before it is known where.
struct Fault {
    message: String,
    hint: Option<String>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What a layer makes of its input, before it has a name.
struct Made {
    kind: &'static str,
    shape: Vec<u32>,
    parameters: u64,
    trainable: u64,
}

impl Made {
    fn new(kind: &'static str, shape: Vec<u32>) -> Self {
        Self { kind, shape, parameters: 0, trainable: 0 }
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
}

fn infer_layer(layer: &Layer, input: &[u32]) -> Result<Made, Fault> {
    if input.is_empty() || input.contains(&0) {
        return Err(Fault::new(format!("its input {} is empty", display_shape(input))));
    }
    let kind = layer
        .kind
        .as_ref()
        .ok_or_else(|| Fault::new("this version of sweep does not know its kind"))?;
    let made = match kind {
        Kind::Conv2d(conv) => conv2d(conv, input)?,
        Kind::BatchNorm(_) => batch_norm(input)?,
        Kind::Pool2d(pool) => max_pool2d(pool, input)?,
        Kind::Dropout(_) => Made::new("Dropout", input.to_vec()),
        Kind::Flatten(_) => Made::new("Flatten", vec![product(input)?]),
        Kind::ToSequence(_) => to_sequence(input)?,
        Kind::Gru(gru) => recurrent(gru, input)?,
        Kind::Dense(layer) => dense(layer, input)?,
        Kind::Activation(_) => Made::new("Activation", input.to_vec()),
        _ => return Err(Fault::new("not inferred yet")),
    };
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

/// (h, w, c) -> (h', w', filters)
fn conv2d(conv: &Conv2d, input: &[u32]) -> Result<Made, Fault> {
    let [height, width, channels] = image("conv2d", input)?;
    let kernel = size("kernel", conv.kernel)?;
    let strides = size("strides", conv.strides)?;
    let dilation = size("dilation", conv.dilation)?;
    positive("filters", conv.filters)?;
    if strides != [1, 1] && dilation != [1, 1] {
        return Err(Fault::new(format!(
            "strides {} and dilation {} cannot both be larger than 1",
            display_shape(&strides),
            display_shape(&dilation)
        ))
        .hint("leave one of them at 1"));
    }
    let spans = [span(kernel[0], dilation[0]), span(kernel[1], dilation[1])];
    let padding = padding(conv.padding)?;
    let [height, width] =
        slide(Window { spans, strides, padding }, [height, width]).ok_or_else(|| {
            let kernel = display_shape(&kernel);
            let dilated = if dilation == [1, 1] {
                String::new()
            } else {
                format!(" with dilation {}", display_shape(&dilation))
            };
            too_small(&format!("kernel {kernel}{dilated}"), input)
        })?;
    let weights = u64::from(kernel[0])
        .checked_mul(u64::from(kernel[1]))
        .and_then(|product| product.checked_mul(u64::from(channels)))
        .and_then(|product| product.checked_mul(u64::from(conv.filters)));
    let parameters = weights.and_then(|weights| {
        weights.checked_add(if conv.use_bias { u64::from(conv.filters) } else { 0 })
    });
    Made::new("Conv2D", vec![height, width, conv.filters]).with(parameters)
}

/// Scale and offset are trained; the moving mean and variance are not.
fn batch_norm(input: &[u32]) -> Result<Made, Fault> {
    let features = u64::from(last(input));
    let mut made = Made::new("BatchNormalization", input.to_vec()).with(Some(4 * features))?;
    made.trainable = 2 * features;
    Ok(made)
}

/// (h, w, c) -> (h', w', c)
fn max_pool2d(layer: &Pool2d, input: &[u32]) -> Result<Made, Fault> {
    let [height, width, channels] = image("max_pool2d", input)?;
    let pool = size("pool", layer.pool)?;
    let strides = size("strides", layer.strides)?;
    let spans = pool.map(u64::from);
    let padding = padding(layer.padding)?;
    let [height, width] = slide(Window { spans, strides, padding }, [height, width])
        .ok_or_else(|| too_small(&format!("pool {}", display_shape(&pool)), input))?;
    Ok(Made::new("MaxPooling2D", vec![height, width, channels]))
}

/// (h, w, c) -> (h, w * c)
fn to_sequence(input: &[u32]) -> Result<Made, Fault> {
    let [height, width, channels] = image("to_sequence", input)?;
    Ok(Made::new("Reshape", vec![height, product(&[width, channels])?]))
}

/// (time, features) -> (time, units) or (units)
fn recurrent(gru: &Gru, input: &[u32]) -> Result<Made, Fault> {
    let [time, features] = *input else {
        let hint = match input.len() {
            1 => {
                "set `return_sequences: true` on the recurrent layer before it, and put no \
                 `flatten` before it"
            }
            _ => "add `to_sequence` before it",
        };
        return Err(Fault::new(format!(
            "`gru` needs an input (time, features), but its input is {}",
            display_shape(input)
        ))
        .hint(hint));
    };
    positive("units", gru.units)?;
    let units = u64::from(gru.units);
    let biases = match (gru.use_bias, gru.reset_after) {
        (false, _) => 0,
        (true, false) => 3,
        // The recurrent kernel has biases of its own.
        (true, true) => 6,
    };
    let parameters = units
        .checked_add(u64::from(features))
        .and_then(|rows| rows.checked_mul(3))
        .and_then(|rows| rows.checked_add(biases))
        .and_then(|rows| rows.checked_mul(units));
    let shape = if gru.return_sequences { vec![time, gru.units] } else { vec![gru.units] };
    Made::new("GRU", shape).with(parameters)
}

/// (..., features) -> (..., units)
fn dense(layer: &Dense, input: &[u32]) -> Result<Made, Fault> {
    positive("units", layer.units)?;
    let rows = u64::from(last(input)) + u64::from(layer.use_bias);
    let mut shape = input.to_vec();
    if let Some(features) = shape.last_mut() {
        *features = layer.units;
    }
    Made::new("Dense", shape).with(rows.checked_mul(u64::from(layer.units)))
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
        [width] if width == classes => Ok(()),
        [width] => error(
            format!("gives {width} values, but there are {classes} classes"),
            "end the network with `dense: {units: classes, activation: softmax}`",
        ),
        _ => error(
            format!(
                "gives {}, but the last layer must give one value for each of {classes} classes",
                display_shape(&last.output_shape)
            ),
            "add `flatten`, or a `gru` without `return_sequences`, before the last `dense`",
        ),
    }
}

/// A window that slides over height and width.
struct Window {
    /// What it covers, holes of a dilated kernel included.
    spans: [u64; 2],
    strides: [u32; 2],
    padding: Padding,
}

/// How many places the window has in each direction; `None` if it does not fit.
fn slide(window: Window, input: [u32; 2]) -> Option<[u32; 2]> {
    let places = |axis: usize| match window.padding {
        Padding::Same | Padding::Causal => Some(input[axis].div_ceil(window.strides[axis])),
        Padding::Valid => {
            let rest = u64::from(input[axis]).checked_sub(window.spans[axis])?;
            u32::try_from(rest / u64::from(window.strides[axis]) + 1).ok()
        }
    };
    Some([places(0)?, places(1)?])
}

/// Height or width that a dilated kernel covers.
fn span(kernel: u32, dilation: u32) -> u64 {
    // At most (2^32 - 1)^2 + 1, which fits.
    u64::from(dilation) * (u64::from(kernel) - 1) + 1
}

fn too_small(window: &str, input: &[u32]) -> Fault {
    Fault::new(format!("{window} is larger than its input {}", display_shape(input)))
        .hint("use `padding: same`, or pool less before it")
}

fn image(kind: &str, input: &[u32]) -> Result<[u32; 3], Fault> {
    <[u32; 3]>::try_from(input).map_err(|_| {
        Fault::new(format!(
            "`{kind}` needs an input (height, width, channels), but its input is {}",
            display_shape(input)
        ))
        .hint("put it before `flatten`, `to_sequence`, `gru` and `dense`")
    })
}

fn size(option: &str, size: Option<Size>) -> Result<[u32; 2], Fault> {
    let Some(Size { height, width }) = size else {
        return Err(Fault::new(format!("`{option}` is missing")));
    };
    positive(option, height)?;
    positive(option, width)?;
    Ok([height, width])
}

fn positive(option: &str, value: u32) -> Result<(), Fault> {
    if value == 0 {
        return Err(Fault::new(format!("`{option}` must be at least 1")));
    }
    Ok(())
}

fn padding(value: i32) -> Result<Padding, Fault> {
    Padding::try_from(value)
        .map_err(|_| Fault::new(format!("this version of sweep does not know padding {value}")))
}

/// Product of sizes that must be one size itself.
fn product(sizes: &[u32]) -> Result<u32, Fault> {
    sizes.iter().try_fold(1_u32, |product, &size| product.checked_mul(size)).ok_or_else(|| {
        Fault::new(format!(
            "its output would have the size of {}, which is more than {}",
            display_shape(sizes),
            u32::MAX
        ))
        .hint("pool more before it")
    })
}

fn last(shape: &[u32]) -> u32 {
    shape.last().copied().expect("an empty shape is refused before any layer")
}

#[cfg(test)]
mod tests;
