//! `$name` in `train` and `model`: which hyperparameters are used, and where.

use serde_yaml::{Mapping, Value};

use super::error::Fault;
use super::names::is_identifier;
use super::node::{Node, Scope, reference};
use super::path::Segment;
use crate::space::{self, HyperParameters, Space};

/// Names that stand in a section, in order.
///
/// # Errors
///
/// The first `$name` that is not in the space.
pub(super) fn used(section: &Node<'_>, space: &Space) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    walk(section.value(), section.path().to_vec(), space, &mut names)?;
    Ok(names)
}

/// A section with every `$name` replaced by its value.
pub(super) fn filled_in(value: &Value, hyperparameters: &HyperParameters) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(_) => reference(value)
            .and_then(|name| hyperparameters.get(name))
            .map_or_else(|| value.clone(), yaml),
        Value::Sequence(items) => {
            items.iter().map(|item| filled_in(item, hyperparameters)).collect::<Vec<_>>().into()
        }
        Value::Mapping(mapping) => mapping
            .iter()
            .map(|(key, value)| (key.clone(), filled_in(value, hyperparameters)))
            .collect::<Mapping>()
            .into(),
        Value::Tagged(tagged) => filled_in(&tagged.value, hyperparameters),
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

fn walk(
    value: &Value,
    path: Vec<Segment>,
    space: &Space,
    names: &mut Vec<String>,
) -> Result<(), Fault> {
    let below = |segment| {
        let mut path = path.clone();
        path.push(segment);
        path
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(_) => {
            if let Some(name) = reference(value) {
                if !is_identifier(name) || space.named(name).next().is_none() {
                    return Err(unknown(value, path, name, space));
                }
                names.push(name.to_owned());
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, below(Segment::Index(index)), space, names)?;
            }
        }
        Value::Mapping(mapping) => {
            for (key, value) in mapping {
                if let Some(key) = key.as_str() {
                    walk(value, below(Segment::key(key)), space, names)?;
                }
            }
        }
        Value::Tagged(tagged) => walk(&tagged.value, path, space, names)?,
    }
    Ok(())
}

fn unknown(value: &Value, path: Vec<Segment>, name: &str, space: &Space) -> Fault {
    let nothing = HyperParameters::default();
    let known: Vec<&str> = space.hyperparameters.iter().map(|known| known.name.as_str()).collect();
    Node::new(value, path, Scope::Assignment(&nothing)).not_in_space(name, &known)
}
