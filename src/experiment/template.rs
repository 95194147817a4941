//! `$name` in `train` and `model`: which hyperparameters are used, and where.

use std::collections::HashSet;

use serde_yaml::{Mapping, Value};

use super::conditions::{self, Among};
use super::error::Fault;
use super::layers::{PARALLEL, REPEAT, RESIDUAL, WHEN};
use super::node::{Node, Values, reference};
use super::repeat::{INDEX, MAX_REPETITIONS, numbered};
use super::values::extremes;
use crate::space::{self, Condition, Space};

/// What a section makes of the space.
#[derive(Debug, Clone, Default)]
pub(super) struct Used {
    /// Names that stand in it.
    pub(super) names: HashSet<String>,
    /// Conditions of its layers.
    pub(super) conditions: Vec<Condition>,
}

impl Used {
    /// Adds what those that are used depend on.
    pub(super) fn with_parents(mut self, space: &Space) -> Self {
        // Parents are declared before their children.
        for hyperparameter in space.hyperparameters.iter().rev() {
            if self.names.contains(&hyperparameter.name) {
                let parents = hyperparameter.when.iter().map(|condition| condition.parent.clone());
                self.names.extend(parents);
            }
        }
        self
    }
}

/// What stands in `train`.
///
/// # Errors
///
/// The first `$name` that is not in the space.
pub(super) fn used_in_training(section: &Node<'_>) -> Result<Used, Fault> {
    let mut used = Used::default();
    if let Some(values) = section.values() {
        walk(section, values, &mut used)?;
    }
    Ok(used)
}

/// What stands in `model`, in all repetitions that may be made.
///
/// # Errors
///
/// The first `$name`, or the first condition, that is not of the space.
pub(super) fn used_in_model(section: &Node<'_>) -> Result<Used, Fault> {
    let mut used = Used::default();
    if let Some(values) = section.values() {
        walk_layers(section, values, &mut used)?;
    }
    Ok(used)
}

/// A value with every `$name` replaced.
pub(super) fn filled_in(node: &Node<'_>) -> Value {
    let Some(values) = node.values() else { return node.value().clone() };
    match node.value() {
        Value::Null | Value::Bool(_) | Value::Number(_) => node.value().clone(),
        Value::String(text) => {
            let text = numbered(text, values.repetition);
            match text.strip_prefix('$').and_then(|name| values.assignment.get(name)) {
                Some(value) => yaml(value),
                None => Value::String(text.into_owned()),
            }
        }
        Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => match children(node) {
            Children::Items(items) => items.iter().map(filled_in).collect::<Vec<_>>().into(),
            Children::Entries(entries) => entries
                .iter()
                .map(|(key, node)| ((*key).clone(), filled_in(node)))
                .collect::<Mapping>()
                .into(),
        },
    }
}

/// A hyperparameter's value as it is written in a file.
pub(super) fn yaml(value: &space::Value) -> Value {
    match value {
        space::Value::Bool(value) => (*value).into(),
        space::Value::Int(value) => (*value).into(),
        space::Value::Float(value) => (*value).into(),
        space::Value::Text(value) => value.as_str().into(),
    }
}

/// What a value consists of.
enum Children<'a> {
    Items(Vec<Node<'a>>),
    Entries(Vec<(&'a Value, Node<'a>)>),
}

fn children<'a>(node: &Node<'a>) -> Children<'a> {
    match node.value() {
        Value::Sequence(_) => Children::Items(node.items().unwrap_or_default()),
        Value::Mapping(mapping) => Children::Entries(
            mapping
                .iter()
                .map(|(key, value)| (key, node.child(key.as_str().unwrap_or_default(), value)))
                .collect(),
        ),
        Value::Tagged(tagged) => children(&node.with_value(&tagged.value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Children::Items(Vec::new())
        }
    }
}

fn walk(node: &Node<'_>, values: Values<'_>, used: &mut Used) -> Result<(), Fault> {
    if let Some(name) = reference(node.value()) {
        let full = numbered(name, values.repetition);
        if values.space.named(&full).next().is_none() {
            return Err(unknown(node, name, values));
        }
        used.names.insert(full.into_owned());
    }
    match children(node) {
        Children::Items(items) => items.iter().try_for_each(|item| walk(item, values, used)),
        Children::Entries(entries) => {
            entries.iter().try_for_each(|(_, node)| walk(node, values, used))
        }
    }
}

fn walk_layers(list: &Node<'_>, values: Values<'_>, used: &mut Used) -> Result<(), Fault> {
    let Value::Sequence(_) = list.value() else { return walk(list, values, used) };
    for layer in list.items()? {
        let Children::Entries(entries) = children(&layer) else {
            walk(&layer, values, used)?;
            continue;
        };
        for (key, node) in entries {
            match key.as_str() {
                Some(WHEN) => walk_conditions(&node, values, used)?,
                Some(REPEAT) if values.repetition.is_none() => walk_repeat(&node, values, used)?,
                Some(PARALLEL | RESIDUAL) => walk_branches(&node, values, used)?,
                Some(_) | None => walk(&node, values, used)?,
            }
        }
    }
    Ok(())
}

/// The lists of layers in a `parallel` or a `residual`.
fn walk_branches(node: &Node<'_>, values: Values<'_>, used: &mut Used) -> Result<(), Fault> {
    match children(node) {
        Children::Items(items) => items.iter().try_for_each(|list| walk_layers(list, values, used)),
        Children::Entries(entries) => {
            entries.iter().try_for_each(|(_, list)| walk_layers(list, values, used))
        }
    }
}

fn walk_conditions(when: &Node<'_>, values: Values<'_>, used: &mut Used) -> Result<(), Fault> {
    let among = Among { space: values.space, child: None };
    let conditions = conditions::read(when, &among, values.repetition)?;
    used.names.extend(conditions.iter().map(|condition| condition.parent.clone()));
    used.conditions.extend(conditions);
    Ok(())
}

fn walk_repeat(repeat: &Node<'_>, values: Values<'_>, used: &mut Used) -> Result<(), Fault> {
    let (Some(times), Some(layers)) = (repeat.value().get("times"), repeat.value().get("layers"))
    else {
        // It is read as wrong where it exists.
        return Ok(());
    };
    walk(&repeat.child("times", times), values, used)?;
    let layers = repeat.child("layers", layers);
    for number in 1..=most(times, values.space) {
        let values = Values { repetition: Some(number), ..values };
        walk_layers(&layers.clone().repeated(number), values, used)?;
    }
    Ok(())
}

/// The largest number that `times` can stand for; 0 if it is too large to be read.
fn most(times: &Value, space: &Space) -> u32 {
    let number = match reference(times) {
        None => times.as_u64(),
        Some(name) => space
            .named(name)
            .flat_map(|hyperparameter| extremes(&hyperparameter.kind))
            .filter_map(|value| match value {
                space::Value::Int(number) => u64::try_from(number).ok(),
                space::Value::Bool(_) | space::Value::Float(_) | space::Value::Text(_) => None,
            })
            .max(),
    };
    let number = number.and_then(|number| u32::try_from(number).ok());
    number.filter(|number| *number <= MAX_REPETITIONS).unwrap_or(0)
}

fn unknown(node: &Node<'_>, name: &str, values: Values<'_>) -> Fault {
    match values.repetition {
        Some(number) if number > 1 && name.contains(INDEX) => {
            let full = numbered(name, Some(number));
            let fault = node.fault(format!(
                "repetition {number} needs `{full}`, which is not in the search space"
            ));
            let hint = format!("declare `{name}` with the `repeat` that `times` has");
            fault.self_contained().hint(hint)
        }
        Some(_) | None => node.not_in_space(&numbered(name, values.repetition), values.space),
    }
}
