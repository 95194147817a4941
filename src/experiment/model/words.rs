//! The words for layers, and those layers that fit a few lines.

use serde_yaml::Value;
use sweep_proto::v1;
use sweep_proto::v1::layer::Kind;

use super::activation::{ACTIVATIONS, activation};
use super::options::{Given, MAX_UNITS, Options, share};
use super::{ADD, CONCATENATE, convolution, pooling, recurrent, scaling};
use crate::experiment::error::Fault;
use crate::experiment::layers::{PARALLEL, REPEAT, RESIDUAL};
use crate::experiment::names::nearest;
use crate::experiment::node::{Node, shorten, synonym};

pub(super) type Read<'a> = Result<(Given<'a>, Kind), Fault>;

/// Reads the options of one kind of layer.
pub(super) type Reader = for<'a, 'b> fn(&Options<'a, 'b>) -> Read<'a>;

/// What joins the branches of a `parallel`.
pub(in crate::experiment) const MERGES: [&str; 2] = [CONCATENATE, ADD];

const LAYERS: [(&str, Reader); 33] = [
    ("dense", dense),
    ("conv1d", convolution::conv1d),
    ("conv2d", convolution::conv2d),
    ("depthwise_conv2d", convolution::depthwise_conv2d),
    ("separable_conv2d", convolution::separable_conv2d),
    ("max_pool1d", pooling::max_pool1d),
    ("max_pool2d", pooling::max_pool2d),
    ("avg_pool1d", pooling::avg_pool1d),
    ("avg_pool2d", pooling::avg_pool2d),
    ("global_max_pool1d", pooling::global_max_pool1d),
    ("global_max_pool2d", pooling::global_max_pool2d),
    ("global_avg_pool1d", pooling::global_avg_pool1d),
    ("global_avg_pool2d", pooling::global_avg_pool2d),
    ("batch_norm", batch_norm),
    ("layer_norm", layer_norm),
    ("dropout", dropout),
    ("spatial_dropout1d", spatial_dropout1d),
    ("spatial_dropout2d", spatial_dropout2d),
    ("gaussian_noise", gaussian_noise),
    ("flatten", flatten),
    ("reshape", reshape),
    ("permute", permute),
    ("to_sequence", to_sequence),
    ("gru", recurrent::gru),
    ("lstm", recurrent::lstm),
    ("simple_rnn", recurrent::simple_rnn),
    ("bidirectional", recurrent::bidirectional),
    ("activation", activation_layer),
    ("rescaling", scaling::rescaling),
    ("normalization", scaling::normalization),
    ("min_max_scaling", scaling::min_max_scaling),
    ("spec_augment", spec_augment),
    ("mobilenet_v2", mobilenet_v2),
];

/// What is read elsewhere, for messages.
const STRUCTURE: [&str; 5] = [PARALLEL, RESIDUAL, CONCATENATE, ADD, REPEAT];

const LAYERS_LATER: [&str; 8] = [
    "conv3d",
    "conv1d_transpose",
    "conv2d_transpose",
    "embedding",
    "group_norm",
    "attention",
    "multi_head_attention",
    "prelu",
];

/// The word as this program writes it, and what reads its options.
pub(super) fn find(place: &Node<'_>, name: &str) -> Result<(&'static str, Reader), Fault> {
    LAYERS.into_iter().find(|(word, _)| *word == name).ok_or_else(|| unknown(place, name))
}

fn unknown(place: &Node<'_>, name: &str) -> Fault {
    if ACTIVATIONS.iter().any(|(word, _)| *word == name) {
        let fault = place.fault(format!("unknown layer `{name}`")).self_contained();
        return fault.hint(format!("write `activation: {name}`"));
    }
    let words = LAYERS.map(|(word, _)| word);
    if LAYERS_LATER.contains(&name) {
        let fault = place.fault(format!("layer `{name}` is not built yet")).self_contained();
        return fault.hint("all layers are listed in experiments/README.md");
    }
    let fault = place.fault(format!("unknown layer `{}`", shorten(name))).self_contained();
    let meant = synonym(name).filter(|word| words.contains(word));
    fault.hint(match meant.or_else(|| nearest(name, words.into_iter().chain(STRUCTURE))) {
        Some(word) => format!("did you mean `{word}`?"),
        None => "all layers are listed in experiments/README.md".to_owned(),
    })
}

fn dense<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let keys = ["units", "activation", "use_bias", "kernel_regularizer"];
    let given = options.fields(&keys, Some("units"))?;
    let node = given.required("units")?;
    let units = match node.value() {
        Value::String(word) if word == "classes" => options.classes,
        _ => node.whole_u32(1..=MAX_UNITS).map_err(|fault| match node.value() {
            Value::String(word) if !word.starts_with('$') => {
                fault.hint("write a number, or `classes` for as many as there are classes")
            }
            _ => fault,
        })?,
    };
    let kind = Kind::Dense(v1::Dense {
        units,
        activation: given.activation()?,
        use_bias: given.boolean("use_bias", true)?,
        kernel_regularizer: given.regularizer()?,
    });
    Ok((given, kind))
}

fn batch_norm<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = options.fields(&["momentum", "epsilon"], None)?;
    let momentum = given
        .real_or("momentum", 0.99, "a number in [0, 1)", |share| (0.0..1.0).contains(&share))?;
    let epsilon = given.real_or("epsilon", 1e-3, "a number above 0", |epsilon| epsilon > 0.0)?;
    Ok((given, Kind::BatchNorm(v1::BatchNorm { momentum, epsilon })))
}

fn layer_norm<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = options.fields(&["epsilon"], None)?;
    let epsilon = given.real_or("epsilon", 1e-3, "a number above 0", |epsilon| epsilon > 0.0)?;
    Ok((given, Kind::LayerNorm(v1::LayerNorm { epsilon })))
}

fn dropout<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = options.fields(&["rate"], Some("rate"))?;
    let rate = share(&given.required("rate")?)?;
    Ok((given, Kind::Dropout(v1::Dropout { rate })))
}

fn spatial_dropout1d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = options.fields(&["rate"], Some("rate"))?;
    let rate = share(&given.required("rate")?)?;
    Ok((given, Kind::SpatialDropout1d(v1::SpatialDropout { rate })))
}

fn spatial_dropout2d<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = options.fields(&["rate"], Some("rate"))?;
    let rate = share(&given.required("rate")?)?;
    Ok((given, Kind::SpatialDropout2d(v1::SpatialDropout { rate })))
}

fn gaussian_noise<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = options.fields(&["stddev"], Some("stddev"))?;
    let node = given.required("stddev")?;
    let stddev = node.real("a number of at least 0", |stddev| stddev >= 0.0)?;
    Ok((given, Kind::GaussianNoise(v1::GaussianNoise { stddev })))
}

fn flatten<'a>(options: &Options<'a, '_>) -> Read<'a> {
    Ok((options.fields(&[], None)?, Kind::Flatten(v1::Flatten {})))
}

fn to_sequence<'a>(options: &Options<'a, '_>) -> Read<'a> {
    Ok((options.fields(&[], None)?, Kind::ToSequence(v1::ToSequence {})))
}

fn reshape<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = options.fields(&["shape"], Some("shape"))?;
    let node = given.required("shape")?;
    let items =
        node.items().map_err(|fault| fault.hint("write, for example, `reshape: [10, -1]`"))?;
    let sizes = items.iter().map(|item| {
        let size = item.integer()?;
        i32::try_from(size).ok().filter(|&size| size == -1 || size > 0).ok_or_else(|| {
            item.fault(format!("expected a size above 0, or -1 for whatever is left, found {size}"))
        })
    });
    let shape = sizes.collect::<Result<Vec<_>, _>>()?;
    if shape.is_empty() {
        return Err(node.fault("the shape has no sizes"));
    }
    if shape.iter().filter(|&&size| size == -1).count() > 1 {
        return Err(node.fault("only one size may be -1"));
    }
    Ok((given, Kind::Reshape(v1::Reshape { shape })))
}

fn permute<'a>(options: &Options<'a, '_>) -> Read<'a> {
    const MAX_RANK: u32 = 8;
    let given = options.fields(&["dims"], Some("dims"))?;
    let node = given.required("dims")?;
    let items =
        node.items().map_err(|fault| fault.hint("write, for example, `permute: [2, 1]`"))?;
    let dims = items.iter().map(|item| item.whole_u32(1..=MAX_RANK));
    let dims = dims.collect::<Result<Vec<_>, _>>()?;
    Ok((given, Kind::Permute(v1::Permute { dims })))
}

fn activation_layer<'a>(options: &Options<'a, '_>) -> Read<'a> {
    // `activation: {leaky_relu: 0.3}` is the main option, not options by name.
    if let Some(node) = options.value
        && let Value::Mapping(mapping) = node.value()
        && !mapping.contains_key("activation")
    {
        let kind = Kind::Activation(activation(node)?);
        return Ok((Given::Nothing(node.clone(), options.word), kind));
    }
    let given = options.fields(&["activation"], Some("activation"))?;
    let activation = activation(&given.required("activation")?)?;
    Ok((given, Kind::Activation(activation)))
}

fn spec_augment<'a>(options: &Options<'a, '_>) -> Read<'a> {
    const MAX_MASKS: u32 = 100;
    let keys = ["frequency_masks", "frequency_width", "time_masks", "time_width"];
    let given = options.fields(&keys, None)?;
    let masks = |key: &str, width: u32| match given.optional(key) {
        Some(node) => node.whole_u32(0..=MAX_MASKS),
        None => Ok(u32::from(width > 0)),
    };
    let width = |key: &str| match given.optional(key) {
        Some(node) => node.whole_u32(0..=MAX_UNITS),
        None => Ok(0),
    };
    let (frequency_width, time_width) = (width("frequency_width")?, width("time_width")?);
    if frequency_width == 0
        && time_width == 0
        && given.optional("frequency_width").or(given.optional("time_width")).is_none()
    {
        let fault = options.place.fault("`spec_augment` masks nothing").self_contained();
        return Err(fault.hint("write `spec_augment: {frequency_width: 16, time_width: 40}`"));
    }
    let kind = Kind::SpecAugment(v1::SpecAugment {
        frequency_masks: masks("frequency_masks", frequency_width)?,
        frequency_width,
        time_masks: masks("time_masks", time_width)?,
        time_width,
    });
    Ok((given, kind))
}

fn mobilenet_v2<'a>(options: &Options<'a, '_>) -> Read<'a> {
    let given = options.fields(&["alpha", "trainable", "weights"], Some("alpha"))?;
    let accepted = |alpha: f64| sweep_proto::mobilenet_v2::Architecture::new(alpha).is_some();
    let alpha = given.real_or("alpha", 1.0, "a number from 0.1 to 4", accepted)?;
    let weights = match given.optional("weights") {
        Some(node) => {
            let path = node.text()?;
            if path.is_empty() {
                return Err(node.fault("the name of the file is empty"));
            }
            // The digest is that of the file, which is looked at later.
            Some(v1::WeightsFile { path: path.into_owned(), digest: String::new() })
        }
        None => None,
    };
    let trainable = given.boolean("trainable", weights.is_none())?;
    Ok((given, Kind::MobilenetV2(v1::MobileNetV2 { alpha, trainable, weights })))
}
