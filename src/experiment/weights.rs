//! Which weights files a network may name.

use serde_yaml::Value;

use super::node::reference;
use super::path::Segment;
use super::values::extremes;
use crate::space::{self, Space};

/// The layer that may name one, and its option.
const LAYER: &str = "mobilenet_v2";
const OPTION: &str = "weights";

/// A weights file, and where it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) file: String,
    pub(super) path: Vec<Segment>,
}

/// All files that the section may name, whatever the assignment.
pub(super) fn named(section: &Value, space: &Space) -> Vec<Named> {
    let mut found = Vec::new();
    walk(section, &mut vec![Segment::key("model")], space, &mut found);
    found
}

fn walk(value: &Value, path: &mut Vec<Segment>, space: &Space, found: &mut Vec<Named>) {
    match value {
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Segment::Index(index));
                walk(item, path, space, found);
                path.pop();
            }
        }
        Value::Mapping(entries) => {
            for (key, value) in entries {
                let Some(key) = key.as_str() else { continue };
                path.push(Segment::key(key));
                if key == LAYER
                    && let Some(file) = value.get(OPTION)
                {
                    path.push(Segment::key(OPTION));
                    let files = files(file, space).into_iter();
                    found.extend(files.map(|file| Named { file, path: path.clone() }));
                    path.pop();
                }
                walk(value, path, space, found);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => {}
    }
}

/// What the option may be: itself, or the values of a hyperparameter.
fn files(value: &Value, space: &Space) -> Vec<String> {
    match reference(value) {
        None => value.as_str().map(str::to_owned).into_iter().collect(),
        Some(name) => space
            .named(name)
            .flat_map(|hyperparameter| extremes(&hyperparameter.kind))
            .filter_map(|value| match value {
                space::Value::Text(text) => Some(text),
                space::Value::Bool(_) | space::Value::Int(_) | space::Value::Float(_) => None,
            })
            .collect(),
    }
}
