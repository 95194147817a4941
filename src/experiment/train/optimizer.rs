//! `optimizer`: a rule with its options, and how gradients are clipped.

use sweep_proto::v1;
use sweep_proto::v1::optimizer::{Clipping, Kind};

use super::{choice, from_0_to_1, positive};
use crate::experiment::error::Fault;
use crate::experiment::node::{Fields, Node};

const OPTIMIZERS: [&str; 4] = ["adam", "sgd", "adamw", "rmsprop"];

const OPTIMIZERS_LATER: [&str; 7] =
    ["nadam", "adamax", "adagrad", "adadelta", "adafactor", "lion", "ftrl"];

const CLIPPINGS: [&str; 3] = ["clipnorm", "clipvalue", "global_clipnorm"];

pub(super) fn read(node: &Node<'_>) -> Result<v1::Optimizer, Fault> {
    let (name, options) = choice(node, "optimizer", &OPTIMIZERS, &OPTIMIZERS_LATER)?;
    let own: &[&str] = match name {
        "adam" => &["learning_rate", "beta_1", "beta_2", "epsilon"],
        "sgd" => &["learning_rate", "momentum", "nesterov"],
        "adamw" => &["learning_rate", "beta_1", "beta_2", "epsilon", "weight_decay"],
        _ => &["learning_rate", "rho", "momentum", "epsilon", "centered"],
    };
    let later: &[&str] = match name {
        "adam" => &["amsgrad", "weight_decay", "use_ema"],
        _ => &["amsgrad", "use_ema"],
    };
    let given = Given { fields: fields(name, options.as_ref(), own, later)? };
    let kind = match name {
        "adam" => Kind::Adam(v1::Adam {
            learning_rate: given.positive("learning_rate", 1e-3)?,
            beta_1: given.share("beta_1", 0.9)?,
            beta_2: given.share("beta_2", 0.999)?,
            epsilon: given.positive("epsilon", 1e-7)?,
        }),
        "sgd" => Kind::Sgd(v1::Sgd {
            learning_rate: given.positive("learning_rate", 0.01)?,
            momentum: given.share("momentum", 0.0)?,
            nesterov: given.boolean("nesterov", false)?,
        }),
        "adamw" => Kind::Adamw(v1::AdamW {
            learning_rate: given.positive("learning_rate", 1e-3)?,
            beta_1: given.share("beta_1", 0.9)?,
            beta_2: given.share("beta_2", 0.999)?,
            epsilon: given.positive("epsilon", 1e-7)?,
            weight_decay: given.not_negative("weight_decay", 0.004)?,
        }),
        _ => Kind::Rmsprop(v1::RmsProp {
            learning_rate: given.positive("learning_rate", 1e-3)?,
            rho: given.share("rho", 0.9)?,
            momentum: given.share("momentum", 0.0)?,
            epsilon: given.positive("epsilon", 1e-7)?,
            centered: given.boolean("centered", false)?,
        }),
    };
    Ok(v1::Optimizer { kind: Some(kind), clipping: given.clipping()? })
}

fn fields<'a>(
    name: &str,
    options: Option<&Node<'a>>,
    own: &[&str],
    later: &[&str],
) -> Result<Option<Fields<'a>>, Fault> {
    let known = [own, &CLIPPINGS].concat();
    options.map(|node| node.fields(&format!("`{name}`"), &known, later)).transpose()
}

/// The options, if there are any.
struct Given<'a> {
    fields: Option<Fields<'a>>,
}

impl<'a> Given<'a> {
    fn optional(&self, key: &str) -> Option<Node<'a>> {
        self.fields.as_ref()?.optional(key)
    }

    fn positive(&self, key: &str, default: f64) -> Result<f64, Fault> {
        self.optional(key).map_or(Ok(default), |node| positive(&node))
    }

    fn share(&self, key: &str, default: f64) -> Result<f64, Fault> {
        self.optional(key).map_or(Ok(default), |node| from_0_to_1(&node))
    }

    fn not_negative(&self, key: &str, default: f64) -> Result<f64, Fault> {
        let read = |node: Node<'_>| node.real("a number of at least 0", |number| number >= 0.0);
        self.optional(key).map_or(Ok(default), read)
    }

    fn boolean(&self, key: &str, default: bool) -> Result<bool, Fault> {
        self.optional(key).map_or(Ok(default), |node| node.boolean())
    }

    fn clipping(&self) -> Result<Option<Clipping>, Fault> {
        let kinds = [Clipping::Clipnorm, Clipping::Clipvalue, Clipping::GlobalClipnorm];
        let mut found: Option<(&str, Clipping)> = None;
        for (key, kind) in CLIPPINGS.into_iter().zip(kinds) {
            let Some(node) = self.optional(key) else { continue };
            let limit = positive(&node)?;
            if let Some((other, _)) = found {
                let fault = node.fault(format!("gradients are clipped by `{other}` or by `{key}`"));
                return Err(fault.self_contained().hint("keep one of them"));
            }
            found = Some((key, kind(limit)));
        }
        Ok(found.map(|(_, clipping)| clipping))
    }
}
