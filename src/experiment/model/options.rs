//! What stands behind a layer's word: nothing, its main option, or options by name.

use serde_yaml::Value;
use sweep_proto::v1::{self, Padding, Size};

use super::activation::activation;
use crate::experiment::error::Fault;
use crate::experiment::layers::WHEN;
use crate::experiment::node::{Fields, Node, missing};

/// Most filters or units of a layer, and largest kernel, pool or stride.
pub(super) const MAX_UNITS: u32 = 1 << 16;

const OPTIONS_LATER: [&str; 8] = [
    "kernel_initializer",
    "bias_initializer",
    "recurrent_initializer",
    "bias_regularizer",
    "recurrent_regularizer",
    "go_backwards",
    "groups",
    "seed",
];

const ONE: Size = Size { height: 1, width: 1 };

/// A layer's word, and what stands behind it.
pub(super) struct Options<'a, 'b> {
    pub(super) place: &'b Node<'a>,
    pub(super) value: Option<&'b Node<'a>>,
    pub(super) word: &'static str,
    /// What `units: classes` stands for.
    pub(super) classes: u32,
}

/// Options by name, however they were written.
pub(super) enum Given<'a> {
    Nothing(Node<'a>, &'static str),
    /// The main option alone.
    Main(&'static str, Node<'a>, &'static str),
    Named(Fields<'a>),
}

impl<'a> Options<'a, '_> {
    /// - `known`: names of the options, apart from `name`
    /// - `main`: the one that may stand alone
    pub(super) fn fields(
        &self,
        known: &[&str],
        main: Option<&'static str>,
    ) -> Result<Given<'a>, Fault> {
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
                Ok(Given::Named(node.fields(&what, &all, &OPTIONS_LATER)?))
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
    pub(super) fn optional(&self, key: &str) -> Option<Node<'a>> {
        match self {
            Self::Nothing(..) => None,
            Self::Main(main, node, _) => (*main == key).then(|| node.clone()),
            Self::Named(fields) => fields.optional(key),
        }
    }

    pub(super) fn required(&self, key: &str) -> Result<Node<'a>, Fault> {
        self.optional(key).ok_or_else(|| match self {
            Self::Nothing(node, word) | Self::Main(_, node, word) => {
                missing(node, key, &format!("`{word}`"))
            }
            Self::Named(fields) => fields.missing(key),
        })
    }

    pub(super) fn boolean(&self, key: &str, default: bool) -> Result<bool, Fault> {
        self.optional(key).map_or(Ok(default), |node| node.boolean())
    }

    /// A number of units, filters, or the length of a window.
    pub(super) fn count(&self, key: &str) -> Result<u32, Fault> {
        self.required(key)?.whole_u32(1..=MAX_UNITS)
    }

    pub(super) fn count_or(&self, key: &str, default: u32) -> Result<u32, Fault> {
        self.optional(key).map_or(Ok(default), |node| node.whole_u32(1..=MAX_UNITS))
    }

    pub(super) fn size(&self, key: &str) -> Result<Option<Size>, Fault> {
        size(&self.required(key)?).map(Some)
    }

    pub(super) fn size_or(&self, key: &str, default: Size) -> Result<Option<Size>, Fault> {
        self.optional(key).map_or(Ok(default), |node| size(&node)).map(Some)
    }

    pub(super) fn size_or_one(&self, key: &str) -> Result<Option<Size>, Fault> {
        self.size_or(key, ONE)
    }

    /// A finite number; `expected` says which ones `accepts` takes.
    pub(super) fn real_or(
        &self,
        key: &str,
        default: f64,
        expected: &str,
        accepts: impl Fn(f64) -> bool,
    ) -> Result<f64, Fault> {
        self.optional(key).map_or(Ok(default), |node| node.real(expected, accepts))
    }

    /// A share of values to drop, none unless given.
    pub(super) fn share_or_none(&self, key: &str) -> Result<f64, Fault> {
        self.optional(key).map_or(Ok(0.0), |node| share(&node))
    }

    /// The activation under `key`, linear unless given.
    pub(super) fn activation(&self) -> Result<Option<v1::Activation>, Fault> {
        self.activation_or("activation", v1::Function::Linear)
    }

    pub(super) fn activation_or(
        &self,
        key: &str,
        default: v1::Function,
    ) -> Result<Option<v1::Activation>, Fault> {
        let default = v1::Activation { function: default.into(), slope: 0.0 };
        self.optional(key).map_or(Ok(default), |node| activation(&node)).map(Some)
    }

    pub(super) fn padding(&self) -> Result<i32, Fault> {
        let words = [("valid", Padding::Valid), ("same", Padding::Same)];
        match self.optional("padding") {
            Some(node) => {
                let padding = node.word("padding", &words, &[]).map_err(|fault| {
                    match node.value().as_str() {
                        Some("causal") => fault.hint("`causal` is for `conv1d`; use `same`"),
                        _ => fault,
                    }
                });
                Ok(padding?.into())
            }
            None => Ok(Padding::Valid.into()),
        }
    }

    pub(super) fn padding_along_time(&self) -> Result<i32, Fault> {
        let words =
            [("valid", Padding::Valid), ("same", Padding::Same), ("causal", Padding::Causal)];
        match self.optional("padding") {
            Some(node) => Ok(node.word("padding", &words, &[])?.into()),
            None => Ok(Padding::Valid.into()),
        }
    }

    /// `kernel_regularizer: {l1: ..., l2: ...}`
    pub(super) fn regularizer(&self) -> Result<Option<v1::Regularizer>, Fault> {
        let Some(node) = self.optional("kernel_regularizer") else { return Ok(None) };
        if !node.value().is_mapping() {
            let fault = node.fault("`kernel_regularizer` needs `l1`, `l2` or both");
            return Err(fault.self_contained().hint("write `kernel_regularizer: {l2: 1.0e-3}`"));
        }
        let fields = node.fields("`kernel_regularizer`", &["l1", "l2"], &[])?;
        let factor = |key| {
            let node = fields.optional(key);
            node.map_or(Ok(0.0), |node| node.real("a number of at least 0", |factor| factor >= 0.0))
        };
        Ok(Some(v1::Regularizer { l1: factor("l1")?, l2: factor("l2")? }))
    }
}

/// A share of values to drop.
pub(super) fn share(node: &Node<'_>) -> Result<f64, Fault> {
    node.real("a share in [0, 1)", |share| (0.0..1.0).contains(&share))
}

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
