//! Names of metrics, and whether less or more of them is better.

use super::error::Fault;
use super::names::{is_identifier, nearest};
use super::node::{Node, shorten};
use crate::study::Direction;

/// What `sweep-worker` reports of the examples to train on and, with `val_`
/// before it, of those to validate on.
const REPORTED: [&str; 19] = [
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "top_k_accuracy",
    "val_top_k_accuracy",
    "precision",
    "val_precision",
    "recall",
    "val_recall",
    "f1",
    "val_f1",
    "recall_variance",
    "val_recall_variance",
    "track_accuracy",
    "val_track_accuracy",
    "track_mean_accuracy",
    "val_track_mean_accuracy",
    "learning_rate",
];

/// Whether `sweep-worker` may report it; of `recall_NAME` only it knows.
pub(super) fn is_reported(metric: &str) -> bool {
    let measured = metric.strip_prefix("val_").unwrap_or(metric);
    REPORTED.contains(&metric) || measured.starts_with("recall_")
}

/// Name of a metric.
pub(super) fn metric(node: &Node<'_>) -> Result<String, Fault> {
    let name = node.text()?;
    if is_identifier(&name) {
        return Ok(name.into_owned());
    }
    let fault = node.fault(format!("`{}` cannot be the name of a metric", shorten(&name)));
    Err(fault.hint("write, for example, `val_accuracy`"))
}

/// `min` or `max`.
pub(super) fn direction(node: &Node<'_>) -> Result<Direction, Fault> {
    node.word("direction", &[("min", Direction::Min), ("max", Direction::Max)], &[])
}

/// Whether less or more is better, where the name says it.
pub(super) fn inferred(metric: &str) -> Option<Direction> {
    let metric = metric.to_lowercase();
    let measured = metric.strip_prefix("val_").unwrap_or(&metric);
    if measured == "recall_variance" {
        return Some(Direction::Min);
    }
    if measured.starts_with("recall_") {
        return Some(Direction::Max);
    }
    match metric.rsplit('_').next()? {
        "loss" | "error" | "mse" | "mae" | "crossentropy" => Some(Direction::Min),
        "accuracy" | "acc" | "auc" | "f1" | "precision" | "recall" => Some(Direction::Max),
        "score" if metric.ends_with("f1_score") => Some(Direction::Max),
        _ => None,
    }
}

/// The fault that a metric's name does not tell its direction.
///
/// - `key`: where the name stands: `objective`, `objectives` in a list, else
///   beside a `direction`
pub(super) fn unclear(node: &Node<'_>, metric: &str, key: &str) -> Fault {
    let fault = node.fault(format!("whether less or more `{metric}` is better is not known"));
    match nearest(metric, REPORTED.iter().copied()) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None if key == "objective" => {
            fault.hint(format!("write `objective: {{metric: {metric}, direction: max}}`, or `min`"))
        }
        None if key == "objectives" => {
            fault.hint(format!("write `{{metric: {metric}, direction: max}}`, or `min`"))
        }
        None => fault.hint("add `direction: max`, or `min`"),
    }
}
