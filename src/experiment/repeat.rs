//! `repeat`: `{i}` in names, and hyperparameters that stand for several.
//!
//! `units_{i}: {..., repeat: depth}` declares `units_1`, `units_2`, ... up to the
//! largest value of `depth`; `units_k` exists where `depth` is at least `k`.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::conditions::Among;
use super::error::Fault;
use super::node::{Node, describe, shorten};
use super::values::{extremes, text_of_range};
use crate::space::{Condition, HyperParameter, Kind, Rules, Value};

/// What stands for the number of a repetition, from 1.
pub(super) const INDEX: &str = "{i}";

/// Most repetitions of a layer or a hyperparameter.
pub(super) const MAX_REPETITIONS: u32 = 100;

/// `text` with the number of the repetition for each `{i}`.
pub(super) fn numbered<'a>(text: &'a str, repetition: Option<u32>) -> Cow<'a, str> {
    match repetition {
        Some(number) if text.contains(INDEX) => {
            Cow::Owned(text.replace(INDEX, &number.to_string()))
        }
        Some(_) | None => Cow::Borrowed(text),
    }
}

/// How often something is repeated.
pub(super) struct Repeat {
    parent: String,
    /// What the parent can be, in order.
    counts: Vec<u32>,
    /// Whether the parent always has a value.
    always: bool,
}

impl Repeat {
    /// Reads the name in `repeat: NAME`.
    pub(super) fn read(node: &Node<'_>, among: &Among<'_>) -> Result<Self, Fault> {
        const EXPECTED: &str = "expected the name of a hyperparameter";
        let Some(text) = node.value().as_str() else {
            let fault = node.fault(format!("{EXPECTED}, found {}", describe(node.value())));
            return Err(fault.hint("declare one, for example `depth: {fixed: 3}`"));
        };
        if let Some(bare) = text.strip_prefix('$') {
            let fault = node.fault(format!("{EXPECTED}, found `{}`", shorten(text)));
            return Err(fault.hint(format!("write `repeat: {}`", shorten(bare))));
        }
        let parent = node.text()?.into_owned();
        let parents = among.parents(node, &parent)?;
        let mut counts = BTreeSet::new();
        for hyperparameter in &parents {
            counts.extend(counts_of(node, hyperparameter, among.space.rules)?);
        }
        let always = parents.iter().any(|parent| parent.when.is_empty());
        Ok(Self { parent, counts: counts.into_iter().collect(), always })
    }

    /// The largest number of repetitions.
    pub(super) fn most(&self) -> u32 {
        self.counts.last().copied().unwrap_or(0)
    }

    /// Where repetition number `number` exists; `None` if it always does.
    pub(super) fn condition(&self, number: u32) -> Option<Condition> {
        if self.always && self.counts.first().is_some_and(|fewest| *fewest >= number) {
            return None;
        }
        let enough = self.counts.iter().filter(|count| **count >= number);
        let values = enough.map(|count| Value::Int(i64::from(*count))).collect();
        Some(Condition { parent: self.parent.clone(), values })
    }
}

/// The values of a hyperparameter that says how often something is repeated.
fn counts_of(
    node: &Node<'_>,
    hyperparameter: &HyperParameter,
    rules: Rules,
) -> Result<Vec<u32>, Fault> {
    let (name, kind) = (&hyperparameter.name, &hyperparameter.kind);
    let mut edges = extremes(kind);
    edges.push(kind.default());
    for edge in &edges {
        let Value::Int(number) = edge else {
            let message = format!("`{name}` is no whole number: it can be {}", text_of_range(kind));
            return Err(node.fault(message).hint("name an `int`, or a `choice` of whole numbers"));
        };
        if !(0..=i64::from(MAX_REPETITIONS)).contains(number) {
            let message = format!(
                "`{name}` can be {number}, but there are from 0 to {MAX_REPETITIONS} repetitions"
            );
            return Err(node.fault(message));
        }
    }
    let counted = match kind {
        Kind::Int(_) => kind.count(rules).unwrap_or(0),
        Kind::Float(_) | Kind::Choice { .. } | Kind::Boolean { .. } | Kind::Fixed(_) => 0,
    };
    // The end of a range is an extreme, but may not be a value.
    if let Kind::Int(_) = kind {
        edges = vec![kind.default()];
    }
    let values = edges.into_iter().chain((0..counted).map(|index| kind.nth(rules, index)));
    Ok(values
        .filter_map(|value| match value {
            Value::Int(number) => u32::try_from(number).ok(),
            Value::Bool(_) | Value::Float(_) | Value::Text(_) => None,
        })
        .collect())
}
