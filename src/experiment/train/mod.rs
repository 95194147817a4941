//! The `train:` section for one assignment.

mod loss;
mod optimizer;
mod schedule;

use sweep_proto::v1;

use super::error::Fault;
use super::metrics::{direction, inferred, metric, unclear};
use super::model::Classes;
use super::node::{Fields, Node};
use crate::study::Direction;

use sweep_proto::MAX_EPOCHS;
const MAX_BATCH: u32 = 1 << 20;

/// Keras's `TopKCategoricalAccuracy` has 5, which is half of ten genres.
const TOP_K: u32 = 3;

/// A checkpoint takes seconds, and losing ten minutes is bearable.
const CHECKPOINT_MINUTES: f64 = 10.0;

/// A year, in which there is no difference from never.
const MAX_CHECKPOINT_MINUTES: f64 = 366.0 * 24.0 * 60.0;

/// Reads the section; `$name` stands for the node's assignment.
pub(super) fn read(node: &Node<'_>, classes: Classes<'_>) -> Result<v1::Training, Fault> {
    let keys = [
        "epochs",
        "batch_size",
        "loss",
        "optimizer",
        "schedule",
        "class_weight",
        "early_stopping",
        "precision",
        "top_k",
        "checkpoint_minutes",
    ];
    let later = ["callbacks", "metrics"];
    let fields = node.fields("`train`", &keys, &later)?;
    let batch_size = match fields.optional("batch_size") {
        Some(node) => node.whole_u32(1..=MAX_BATCH)?,
        None => 32,
    };
    let loss = match fields.optional("loss") {
        Some(node) => loss::read(&node)?,
        None => loss::categorical_crossentropy(),
    };
    let optimizer = fields.optional("optimizer");
    let optimizer =
        optimizer.ok_or_else(|| fields.missing("optimizer").hint("write `optimizer: adam`"))?;
    let epochs = fields.optional("epochs");
    let epochs = epochs.ok_or_else(|| fields.missing("epochs").hint("write `epochs: 25`"))?;
    let epochs = epochs.whole_u32(1..=MAX_EPOCHS)?;
    let early_stopping = match fields.optional("early_stopping") {
        Some(node) => Some(early_stopping(&node)?),
        None => None,
    };
    let schedule = match fields.optional("schedule") {
        Some(node) => Some(schedule::read(&node, epochs)?),
        None => None,
    };
    let class_weights = match fields.optional("class_weight") {
        Some(node) => Some(loss::class_weights(&node, classes)?),
        None => None,
    };
    let precision = match fields.optional("precision") {
        Some(node) => {
            let words = [
                ("f32", v1::Precision::F32),
                ("bf16", v1::Precision::Bf16),
                ("auto", v1::Precision::Auto),
            ];
            node.word("precision", &words, &["f16"])?
        }
        None => v1::Precision::F32,
    };
    let top_k = match fields.optional("top_k") {
        Some(node) => node.whole_u32(1..=MAX_BATCH)?,
        None => TOP_K,
    };
    let checkpoint_minutes = match fields.optional("checkpoint_minutes") {
        Some(node) => {
            let expected = format!("a number of minutes from 0 to {MAX_CHECKPOINT_MINUTES}");
            let is_fit = |minutes| (0.0..=MAX_CHECKPOINT_MINUTES).contains(&minutes);
            node.real(&expected, is_fit)?
        }
        None => CHECKPOINT_MINUTES,
    };
    Ok(v1::Training {
        epochs,
        batch_size,
        loss: Some(loss),
        optimizer: Some(optimizer::read(&optimizer)?),
        early_stopping,
        class_weights,
        schedule,
        precision: precision.into(),
        top_k,
        // What is not zero stays so.
        checkpoint_ms: (checkpoint_minutes * 60_000.0).ceil() as u64,
    })
}

fn early_stopping(node: &Node<'_>) -> Result<v1::EarlyStopping, Fault> {
    let keys = ["monitor", "direction", "patience", "min_delta", "restore_best"];
    let later = ["start_from_epoch", "baseline", "mode"];
    let fields = node.fields("`early_stopping`", &keys, &later)?;
    let (monitor, direction) = monitor(&fields, "early_stopping")?;
    let min_delta = match fields.optional("min_delta") {
        Some(node) => node.real("a number of at least 0", |delta| delta >= 0.0)?,
        None => 0.0,
    };
    let restore_best = match fields.optional("restore_best") {
        Some(node) => node.boolean()?,
        None => false,
    };
    let patience = fields.required("patience")?.whole_u32(1..=MAX_EPOCHS)?;
    Ok(v1::EarlyStopping { monitor, direction, patience, min_delta, restore_best })
}

/// `monitor` and `direction`, which has the number of a [`v1::Direction`].
fn monitor(fields: &Fields<'_>, key: &str) -> Result<(String, i32), Fault> {
    let (monitor, place) = match fields.optional("monitor") {
        Some(node) => (metric(&node)?, node),
        None => ("val_loss".to_owned(), fields.node().clone()),
    };
    let better = match fields.optional("direction") {
        Some(node) => direction(&node)?,
        None => inferred(&monitor).ok_or_else(|| unclear(&place, &monitor, key))?,
    };
    let direction = match better {
        Direction::Min => v1::Direction::Min,
        Direction::Max => v1::Direction::Max,
    };
    Ok((monitor, direction.into()))
}

/// A name, or a name with options: `adam`, `{adam: {learning_rate: 0.001}}`.
///
/// Returns the name, and its options if there are any.
fn choice<'a>(
    node: &Node<'a>,
    what: &str,
    names: &[&'static str],
    later: &[&str],
) -> Result<(&'static str, Option<Node<'a>>), Fault> {
    if let serde_yaml::Value::String(_) = node.value() {
        let words: Vec<_> = names.iter().map(|name| (*name, *name)).collect();
        return Ok((node.word(what, &words, later)?, None));
    }
    match node.entries()?.as_slice() {
        [(name, options)] => match names.iter().find(|known| *known == name) {
            Some(known) => {
                let options = Some(options.clone()).filter(|node| !node.value().is_null());
                Ok((known, options))
            }
            None => Err(node.unknown(what, name, names, later)),
        },
        entries => {
            let names: Vec<_> = entries.iter().map(|(name, _)| format!("`{name}`")).collect();
            let found = if names.is_empty() { "nothing".to_owned() } else { names.join(" and ") };
            Err(node.fault(format!("expected one {what}, found {found}")))
        }
    }
}

fn positive(node: &Node<'_>) -> Result<f64, Fault> {
    node.real("a number above 0", |number| number > 0.0)
}

fn from_0_to_1(node: &Node<'_>) -> Result<f64, Fault> {
    node.real("a number in [0, 1)", |number| (0.0..1.0).contains(&number))
}
