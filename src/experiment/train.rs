//! The `train:` section for one assignment.

use sweep_proto::v1;

use super::error::Fault;
use super::node::Node;
use super::search::{direction, inferred, metric, unclear};
use crate::study::Direction;

const MAX_EPOCHS: u32 = 100_000;
const MAX_BATCH: u32 = 1 << 20;

const OPTIMIZERS_LATER: [&str; 7] =
    ["sgd", "rmsprop", "adamw", "nadam", "adamax", "adagrad", "adadelta"];

/// Reads the section; `$name` stands for the node's assignment.
pub(super) fn read(node: &Node<'_>) -> Result<v1::Training, Fault> {
    let keys = ["epochs", "batch_size", "loss", "optimizer", "early_stopping"];
    let later = ["callbacks", "learning_rate_schedule", "metrics", "class_weight"];
    let fields = node.fields("`train`", &keys, &later)?;
    let batch_size = match fields.optional("batch_size") {
        Some(node) => node.whole_u32(1..=MAX_BATCH)?,
        None => 32,
    };
    if let Some(node) = fields.optional("loss") {
        let later = ["sparse_categorical_crossentropy", "binary_crossentropy", "mse", "mae"];
        node.word("loss", &[("categorical_crossentropy", ())], &later)?;
    }
    let optimizer_node = fields.optional("optimizer");
    let optimizer_node = optimizer_node
        .ok_or_else(|| fields.missing("optimizer").hint("write `optimizer: adam`"))?;
    let epochs = fields.optional("epochs");
    let epochs = epochs.ok_or_else(|| fields.missing("epochs").hint("write `epochs: 25`"))?;
    let early_stopping = match fields.optional("early_stopping") {
        Some(node) => Some(early_stopping(&node)?),
        None => None,
    };
    Ok(v1::Training {
        epochs: epochs.whole_u32(1..=MAX_EPOCHS)?,
        batch_size,
        loss: v1::Loss::CategoricalCrossentropy.into(),
        optimizer: Some(v1::Optimizer {
            kind: Some(v1::optimizer::Kind::Adam(adam(&optimizer_node)?)),
        }),
        early_stopping,
    })
}

fn adam(node: &Node<'_>) -> Result<v1::Adam, Fault> {
    let mut adam = v1::Adam { learning_rate: 1e-3, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 };
    if let serde_yaml::Value::String(_) = node.value() {
        node.word("optimizer", &[("adam", ())], &OPTIMIZERS_LATER)?;
        return Ok(adam);
    }
    if let [(name, _)] = node.entries()?.as_slice()
        && *name != "adam"
    {
        return Err(node.unknown("optimizer", name, &["adam"], &OPTIMIZERS_LATER));
    }
    let fields = node.fields("`optimizer`", &["adam"], &[])?;
    let node = fields.required("adam")?;
    if node.value().is_null() {
        return Ok(adam);
    }
    let keys = ["learning_rate", "beta_1", "beta_2", "epsilon"];
    let later = ["amsgrad", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm"];
    let fields = node.fields("`adam`", &keys, &later)?;
    let positive = |node: Node<'_>| node.real("a number above 0", |number| number > 0.0);
    let decay = |node: Node<'_>| node.real("a number in [0, 1)", |beta| (0.0..1.0).contains(&beta));
    if let Some(node) = fields.optional("learning_rate") {
        adam.learning_rate = positive(node)?;
    }
    if let Some(node) = fields.optional("beta_1") {
        adam.beta_1 = decay(node)?;
    }
    if let Some(node) = fields.optional("beta_2") {
        adam.beta_2 = decay(node)?;
    }
    if let Some(node) = fields.optional("epsilon") {
        adam.epsilon = positive(node)?;
    }
    Ok(adam)
}

fn early_stopping(node: &Node<'_>) -> Result<v1::EarlyStopping, Fault> {
    let keys = ["monitor", "direction", "patience", "min_delta", "restore_best"];
    let later = ["start_from_epoch", "baseline", "mode"];
    let fields = node.fields("`early_stopping`", &keys, &later)?;
    let (monitor, place) = match fields.optional("monitor") {
        Some(node) => (metric(&node)?, node),
        None => ("val_loss".to_owned(), fields.node().clone()),
    };
    let better = match fields.optional("direction") {
        Some(node) => direction(&node)?,
        None => inferred(&monitor).ok_or_else(|| unclear(&place, &monitor, "early_stopping"))?,
    };
    let min_delta = match fields.optional("min_delta") {
        Some(node) => node.real("a number of at least 0", |delta| delta >= 0.0)?,
        None => 0.0,
    };
    let restore_best = match fields.optional("restore_best") {
        Some(node) => node.boolean()?,
        None => false,
    };
    let patience = fields.required("patience")?.whole_u32(1..=MAX_EPOCHS)?;
    let direction = match better {
        Direction::Min => v1::Direction::Min,
        Direction::Max => v1::Direction::Max,
    };
    Ok(v1::EarlyStopping {
        monitor,
        direction: direction.into(),
        patience,
        min_delta,
        restore_best,
    })
}
