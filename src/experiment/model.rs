//! The `model:` section for one assignment: a list of layers.
//!
//! A layer is a word (`flatten`), a word with its main option
//! (`max_pool2d: 2`), or a word with options (`conv2d: {filters: 32, ...}`).
//! Which layers there are is in [`layers`].

use std::collections::HashSet;

use serde_yaml::Value;
use sweep_proto::v1;
use sweep_proto::v1::layer::Kind;
use sweep_proto::v1::{Activation, Padding, Size};

use super::error::Fault;
use super::layers::{self, Item, REPEAT, WHEN};
use super::names::{alternatives, is_identifier, nearest};
use super::node::{Fields, Node, shorten, synonym};

/// Most filters or units of a layer, and largest kernel, pool or stride.
const MAX_UNITS: u32 = 1 << 16;

const LAYERS: [&str; 9] = [
    "conv2d",
    "batch_norm",
    "max_pool2d",
    "dropout",
    "flatten",
    "to_sequence",
    "gru",
    "dense",
    "activation",
];

const LAYERS_LATER: [&str; 25] = [
    "conv1d",
    "conv3d",
    "depthwise_conv2d",
    "separable_conv2d",
    "max_pool1d",
    "avg_pool1d",
    "avg_pool2d",
    "global_avg_pool1d",
    "global_avg_pool2d",
    "global_max_pool1d",
    "global_max_pool2d",
    "lstm",
    "simple_rnn",
    "bidirectional",
    "embedding",
    "layer_norm",
    "group_norm",
    "gaussian_noise",
    "spatial_dropout2d",
    "attention",
    "reshape",
    "residual",
    "parallel",
    "concatenate",
    "mobilenet_v2",
];

const ACTIVATIONS: [(&str, Activation); 6] = [
    ("linear", Activation::Linear),
    ("relu", Activation::Relu),
    ("tanh", Activation::Tanh),
    ("elu", Activation::Elu),
    ("sigmoid", Activation::Sigmoid),
    ("softmax", Activation::Softmax),
];

const ACTIVATIONS_LATER: [&str; 13] = [
    "leaky_relu",
    "relu6",
    "selu",
    "gelu",
    "silu",
    "swish",
    "mish",
    "softplus",
    "softsign",
    "hard_sigmoid",
    "hard_tanh",
    "exponential",
    "log_softmax",
];

const OPTIONS_LATER: [&str; 8] = [
    "kernel_regularizer",
    "kernel_initializer",
    "bias_initializer",
    "recurrent_dropout",
    "dropout",
    "go_backwards",
    "groups",
    "seed",
];

/// Reads the section; `$name` stands for the node's assignment.
///
/// - `classes`: what `units: classes` stands for
pub(super) fn read(node: &Node<'_>, classes: u32) -> Result<v1::Model, Fault> {
    let items = layers::existing(node)?;
    let drafts: Vec<Draft> =
        items.iter().map(|item| read_layer(item, classes)).collect::<Result<_, Fault>>()?;
    let mut taken = HashSet::new();
    for (draft, item) in drafts.iter().zip(&items) {
        if let Some(name) = &draft.name
            && !taken.insert(name.clone())
        {
            let fault = item.node.fault(format!("two layers have the name `{name}`"));
            let fault = fault.self_contained();
            return Err(match item.node.values().and_then(|values| values.repetition) {
                Some(_) => fault.hint(format!("number them: `name: \"{name}_{{i}}\"`")),
                None => fault,
            });
        }
    }
    let layers = drafts
        .into_iter()
        .map(|draft| {
            let name = draft.name.unwrap_or_else(|| free_name(draft.word, &mut taken));
            v1::Layer { name, kind: Some(draft.kind) }
        })
        .collect();
    Ok(v1::Model { layers })
}

/// Whether the network ends in probabilities.
pub(super) fn ends_in_softmax(model: &v1::Model) -> bool {
    let activation = match model.layers.last().and_then(|layer| layer.kind.as_ref()) {
        Some(Kind::Dense(dense)) => dense.activation,
        Some(Kind::Activation(layer)) => layer.activation,
        _ => return false,
    };
    activation == i32::from(Activation::Softmax)
}

/// A layer that may still need a name.
struct Draft {
    word: &'static str,
    name: Option<String>,
    kind: Kind,
}

/// Keras's way: `conv2d`, `conv2d_1`, `conv2d_2`.
fn free_name(word: &str, taken: &mut HashSet<String>) -> String {
    let mut name = word.to_owned();
    let mut number = 0;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{word}_{number}");
    }
    name
}

fn read_layer(item: &Item<'_>, classes: u32) -> Result<Draft, Fault> {
    let value = item.value.as_ref();
    let place = value.unwrap_or(&item.node);
    let word = LAYERS.into_iter().find(|word| *word == item.word);
    let word = word.ok_or_else(|| unknown_layer(place, &item.word))?;
    let options = Options { place, value, word };
    let (fields, kind) = match word {
        "conv2d" => conv2d(&options)?,
        "batch_norm" => batch_norm(&options)?,
        "max_pool2d" => max_pool2d(&options)?,
        "dropout" => dropout(&options)?,
        "flatten" => (options.fields(&[], None)?, Kind::Flatten(v1::Flatten {})),
        "to_sequence" => (options.fields(&[], None)?, Kind::ToSequence(v1::ToSequence {})),
        "gru" => gru(&options)?,
        "dense" => dense(&options, classes)?,
        _ => activation_layer(&options)?,
    };
    let name = match fields.optional("name") {
        Some(node) => {
            let name = node.text()?.into_owned();
            if !is_identifier(&name) {
                let message = format!("`{}` cannot be the name of a layer", shorten(&name));
                return Err(node.fault(message));
            }
            Some(name)
        }
        None => None,
    };
    Ok(Draft { word, name, kind })
}

fn unknown_layer(place: &Node<'_>, name: &str) -> Fault {
    let is_activation = ACTIVATIONS.iter().any(|(word, _)| *word == name);
    if is_activation {
        let fault = place.fault(format!("unknown layer `{name}`")).self_contained();
        return fault.hint(format!("write `activation: {name}`"));
    }
    if LAYERS_LATER.contains(&name) {
        let fault = place.fault(format!("layer `{name}` is not built yet")).self_contained();
        return fault.hint(format!("use {}", alternatives(&LAYERS)));
    }
    if nearest(name, LAYERS.into_iter().chain([REPEAT])) == Some(REPEAT) {
        let fault = place.fault(format!("unknown layer `{}`", shorten(name))).self_contained();
        return fault.hint(format!("did you mean `{REPEAT}`?"));
    }
    let fault = place.unknown("layer", name, &LAYERS, &[]);
    match synonym(name).filter(|word| LAYERS.contains(word)) {
        Some(word) => fault.hint(format!("did you mean `{word}`?")),
        None => fault,
    }
}

/// What stands behind a layer's word.
struct Options<'a, 'b> {
    place: &'b Node<'a>,
    value: Option<&'b Node<'a>>,
    word: &'static str,
}

/// Options by name, however they were written.
enum Given<'a> {
    Nothing(Node<'a>, &'static str),
    /// The main option alone.
    Main(&'static str, Node<'a>, &'static str),
    Named(Fields<'a>),
}

impl<'a> Options<'a, '_> {
    /// - `known`: names of the options, apart from `name`
    /// - `main`: the one that may stand alone
    fn fields(&self, known: &[&str], main: Option<&'static str>) -> Result<Given<'a>, Fault> {
        let Some(node) = self.value.filter(|node| !node.value().is_null()) else {
            return Ok(Given::Nothing(self.place.clone(), self.word));
        };
        match (node.value(), main) {
            (Value::Mapping(_), _) => {
                let mut all = known.to_vec();
                all.push("name");
                let what = format!("`{}`", self.word);
                if let Some(when) = node.value().get(WHEN) {
                    let message = format!("`{WHEN}` stands among the options of {what}");
                    let fault = node.child(WHEN, when).fault(message).self_contained();
                    return Err(fault.hint(format!(
                        "write it beside them: `{{{}: {{...}}, when: {{...}}}}`",
                        self.word
                    )));
                }
                let later: Vec<&str> =
                    OPTIONS_LATER.into_iter().filter(|name| !known.contains(name)).collect();
                Ok(Given::Named(node.fields(&what, &all, &later)?))
            }
            (_, Some(main)) => Ok(Given::Main(main, node.clone(), self.word)),
            (_, None) if known.is_empty() => {
                let fault = node.fault(format!("`{}` has no options", self.word));
                Err(fault.hint(format!("write `- {}`", self.word)).self_contained())
            }
            (_, None) => {
                let fault = node.fault(format!("`{}` needs its options by name", self.word));
                let hint = format!("write `{}: {{{}: ...}}`", self.word, known[0]);
                Err(fault.hint(hint).self_contained())
            }
        }
    }
}

impl<'a> Given<'a> {
    fn optional(&self, key: &str) -> Option<Node<'a>> {
        match self {
            Self::Nothing(..) => None,
            Self::Main(main, node, _) => (*main == key).then(|| node.clone()),
            Self::Named(fields) => fields.optional(key),
        }
    }

    fn required(&self, key: &str) -> Result<Node<'a>, Fault> {
        self.optional(key).ok_or_else(|| match self {
            Self::Nothing(node, word) | Self::Main(_, node, word) => {
                super::node::missing(node, key, &format!("`{word}`"))
            }
            Self::Named(fields) => fields.missing(key),
        })
    }

    fn boolean(&self, key: &str, default: bool) -> Result<bool, Fault> {
        self.optional(key).map_or(Ok(default), |node| node.boolean())
    }

    fn size(&self, key: &str, default: Size) -> Result<Size, Fault> {
        self.optional(key).map_or(Ok(default), |node| size(&node))
    }

    fn activation(&self, key: &str, default: Activation) -> Result<i32, Fault> {
        self.optional(key).map_or(Ok(default.into()), |node| activation(&node))
    }

    fn padding(&self) -> Result<i32, Fault> {
        let words = [("valid", Padding::Valid), ("same", Padding::Same)];
        match self.optional("padding") {
            Some(node) => Ok(node.word("padding", &words, &["causal"])?.into()),
            None => Ok(Padding::Valid.into()),
        }
    }
}

fn conv2d<'a>(options: &Options<'a, '_>) -> Result<(Given<'a>, Kind), Fault> {
    let keys = ["filters", "kernel", "strides", "padding", "dilation", "use_bias", "activation"];
    let given = options.fields(&keys, None)?;
    let kind = Kind::Conv2d(v1::Conv2d {
        filters: given.required("filters")?.whole_u32(1..=MAX_UNITS)?,
        kernel: Some(size(&given.required("kernel")?)?),
        strides: Some(given.size("strides", ONE)?),
        padding: given.padding()?,
        dilation: Some(given.size("dilation", ONE)?),
        use_bias: given.boolean("use_bias", true)?,
        activation: given.activation("activation", Activation::Linear)?,
    });
    Ok((given, kind))
}

fn batch_norm<'a>(options: &Options<'a, '_>) -> Result<(Given<'a>, Kind), Fault> {
    let given = options.fields(&["momentum", "epsilon"], None)?;
    let momentum = match given.optional("momentum") {
        Some(node) => node.real("a number in [0, 1)", |share| (0.0..1.0).contains(&share))?,
        None => 0.99,
    };
    let epsilon = match given.optional("epsilon") {
        Some(node) => node.real("a number above 0", |epsilon| epsilon > 0.0)?,
        None => 1e-3,
    };
    Ok((given, Kind::BatchNorm(v1::BatchNorm { momentum, epsilon })))
}

fn max_pool2d<'a>(options: &Options<'a, '_>) -> Result<(Given<'a>, Kind), Fault> {
    let given = options.fields(&["pool", "strides", "padding"], Some("pool"))?;
    let pool = given.size("pool", Size { height: 2, width: 2 })?;
    let kind = Kind::MaxPool2d(v1::MaxPool2d {
        pool: Some(pool),
        strides: Some(given.size("strides", pool)?),
        padding: given.padding()?,
    });
    Ok((given, kind))
}

fn dropout<'a>(options: &Options<'a, '_>) -> Result<(Given<'a>, Kind), Fault> {
    let given = options.fields(&["rate"], Some("rate"))?;
    let rate =
        given.required("rate")?.real("a share in [0, 1)", |rate| (0.0..1.0).contains(&rate))?;
    Ok((given, Kind::Dropout(v1::Dropout { rate })))
}

fn gru<'a>(options: &Options<'a, '_>) -> Result<(Given<'a>, Kind), Fault> {
    let keys = [
        "units",
        "activation",
        "recurrent_activation",
        "return_sequences",
        "reset_after",
        "use_bias",
    ];
    let given = options.fields(&keys, Some("units"))?;
    let kind = Kind::Gru(v1::Gru {
        units: given.required("units")?.whole_u32(1..=MAX_UNITS)?,
        activation: given.activation("activation", Activation::Tanh)?,
        recurrent_activation: given.activation("recurrent_activation", Activation::Sigmoid)?,
        return_sequences: given.boolean("return_sequences", false)?,
        reset_after: given.boolean("reset_after", true)?,
        use_bias: given.boolean("use_bias", true)?,
    });
    Ok((given, kind))
}

fn dense<'a>(options: &Options<'a, '_>, classes: u32) -> Result<(Given<'a>, Kind), Fault> {
    let given = options.fields(&["units", "activation", "use_bias"], Some("units"))?;
    let node = given.required("units")?;
    let units = match node.value() {
        Value::String(word) if word == "classes" => classes,
        _ => node.whole_u32(1..=MAX_UNITS).map_err(|fault| match node.value() {
            Value::String(word) if !word.starts_with('$') => {
                fault.hint("write a number, or `classes` for as many as there are classes")
            }
            _ => fault,
        })?,
    };
    let kind = Kind::Dense(v1::Dense {
        units,
        activation: given.activation("activation", Activation::Linear)?,
        use_bias: given.boolean("use_bias", true)?,
    });
    Ok((given, kind))
}

fn activation_layer<'a>(options: &Options<'a, '_>) -> Result<(Given<'a>, Kind), Fault> {
    let given = options.fields(&["activation"], Some("activation"))?;
    let activation = activation(&given.required("activation")?)?;
    Ok((given, Kind::Activation(v1::ActivationLayer { activation })))
}

const ONE: Size = Size { height: 1, width: 1 };

/// One number for both directions, or `[height, width]`.
fn size(node: &Node<'_>) -> Result<Size, Fault> {
    let Value::Sequence(_) = node.value() else {
        let both = node.whole_u32(1..=MAX_UNITS)?;
        return Ok(Size { height: both, width: both });
    };
    match node.items()?.as_slice() {
        [height, width] => Ok(Size {
            height: height.whole_u32(1..=MAX_UNITS)?,
            width: width.whole_u32(1..=MAX_UNITS)?,
        }),
        items => Err(node
            .fault(format!("expected one number or two, found {}", items.len()))
            .hint("write `3` or `[3, 3]`: height, width")),
    }
}

fn activation(node: &Node<'_>) -> Result<i32, Fault> {
    Ok(node.word("activation", &ACTIVATIONS, &ACTIVATIONS_LATER)?.into())
}
