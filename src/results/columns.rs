//! Columns of the tables: their names, and the types of hyperparameters.

use std::collections::HashSet;

use polars::prelude::Column;

use crate::space::{Kind, Space, Value};
use crate::study::{Study, Trial};

/// Type of a column of hyperparameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellType {
    Bool,
    Int,
    Float,
    Text,
}

impl CellType {
    fn of(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Bool,
            Value::Int(_) => Self::Int,
            Value::Float(_) => Self::Float,
            Value::Text(_) => Self::Text,
        }
    }

    /// The narrowest type that holds values of both.
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (same, other) if same == other => same,
            (Self::Int | Self::Float, Self::Int | Self::Float) => Self::Float,
            (Self::Bool | Self::Text, _) | (_, Self::Bool | Self::Text) => Self::Text,
        }
    }

    fn of_kind(kind: &Kind) -> Self {
        match kind {
            Kind::Int(_) => Self::Int,
            Kind::Float(_) => Self::Float,
            Kind::Choice { values, .. } => {
                values.iter().map(Self::of).reduce(Self::join).unwrap_or(Self::Text)
            }
            Kind::Boolean { .. } => Self::Bool,
            Kind::Fixed(value) => Self::of(value),
        }
    }
}

/// One column a hyperparameter, in the order of the space; then those that
/// only the trials know, in the order of their first appearance.
///
/// A type is the space's. Where a trial's value does not fit in it, the column
/// becomes one of real numbers or of text, so that no value is lost. `rows`
/// may be fewer than the study's trials; types do not depend on them.
pub(super) fn hyperparameter_columns(
    study: &Study,
    space: &Space,
    rows: &[&Trial],
    taken: &mut Names,
) -> Vec<Column> {
    let declared = space.hyperparameters.iter().map(|hyperparameter| {
        (hyperparameter.name.as_str(), CellType::of_kind(&hyperparameter.kind))
    });
    let values = study.trials.iter().flat_map(|trial| trial.hyperparameters.iter());
    let mut types: Vec<(&str, CellType)> = Vec::new();
    for (name, cells) in declared.chain(values.map(|(name, value)| (name, CellType::of(value)))) {
        match types.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = known.join(cells),
            None => types.push((name, cells)),
        }
    }
    let names: Vec<&str> = types.iter().map(|(name, _)| *name).collect();
    let headers = taken.assign(&names, "hyperparameter_");
    types
        .iter()
        .zip(headers)
        .map(|((name, cells), header)| {
            let values = rows.iter().map(|trial| trial.hyperparameters.get(name));
            column(&header, *cells, values)
        })
        .collect()
}

fn column<'a>(
    name: &str,
    cells: CellType,
    values: impl Iterator<Item = Option<&'a Value>>,
) -> Column {
    let name = name.into();
    match cells {
        CellType::Bool => {
            let cell = |value: &Value| match value {
                Value::Bool(value) => Some(*value),
                Value::Int(_) | Value::Float(_) | Value::Text(_) => None,
            };
            Column::new(name, values.map(|value| value.and_then(cell)).collect::<Vec<_>>())
        }
        CellType::Int => {
            let cell = |value: &Value| match value {
                Value::Int(value) => Some(*value),
                Value::Bool(_) | Value::Float(_) | Value::Text(_) => None,
            };
            Column::new(name, values.map(|value| value.and_then(cell)).collect::<Vec<_>>())
        }
        CellType::Float => {
            let cell = |value: &Value| match value {
                Value::Float(value) => Some(*value),
                Value::Int(value) => Some(*value as f64),
                Value::Bool(_) | Value::Text(_) => None,
            };
            Column::new(name, values.map(|value| value.and_then(cell)).collect::<Vec<_>>())
        }
        CellType::Text => {
            let cell = |value: &Value| value.to_string();
            Column::new(name, values.map(|value| value.map(cell)).collect::<Vec<_>>())
        }
    }
}

/// Names of columns that are taken, because they mean something else.
pub(super) struct Names(HashSet<String>);

impl Names {
    /// Starts with the columns that every table of a kind has.
    pub(super) fn new(fixed: &[&str]) -> Self {
        Self(fixed.iter().map(|name| (*name).to_owned()).collect())
    }

    /// A column that a table has besides its fixed ones.
    pub(super) fn own(&mut self, name: &'static str) -> &'static str {
        self.0.insert(name.to_owned());
        name
    }

    /// Gives every name a column: its own, or with the prefix, as often as it
    /// takes, where that column is taken.
    pub(super) fn assign(&mut self, names: &[&str], prefix: &str) -> Vec<String> {
        // Those that can keep their names do, whatever the order.
        let free: Vec<bool> = names.iter().map(|name| self.0.insert((*name).to_owned())).collect();
        names
            .iter()
            .zip(free)
            .map(|(name, free)| {
                let mut header = (*name).to_owned();
                if !free {
                    while !self.0.insert(header.clone()) {
                        header.insert_str(0, prefix);
                    }
                }
                header
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{space, study, trial};

    #[test]
    fn only_colliding_names_are_prefixed() {
        let mut names = Names::new(&["trial", "state"]);
        let headers = names.assign(&["state", "units", "p_state", "p_p_state"], "p_");
        assert_eq!(headers, ["p_p_p_state", "units", "p_state", "p_p_state"]);
    }

    #[test]
    fn columns_have_the_types_of_the_space() {
        let study = study();
        let columns = hyperparameter_columns(&study, &space(), &[], &mut Names::new(&[]));
        let types: Vec<String> =
            columns.iter().map(|column| format!("{} {}", column.name(), column.dtype())).collect();
        assert_eq!(types, ["units i64", "lr f64", "activation str", "normalize bool", "depth i64"]);
    }

    #[test]
    fn a_name_that_is_declared_twice_is_one_column() {
        let mut space = space();
        let mut twice = space.hyperparameters[0].clone();
        twice.kind = Kind::Fixed(Value::Float(0.5));
        space.hyperparameters.push(twice);
        let columns = hyperparameter_columns(&study(), &space, &[], &mut Names::new(&[]));
        assert_eq!(columns.len(), 5);
        assert_eq!(columns[0].dtype().to_string(), "f64");
    }

    #[test]
    fn values_that_do_not_fit_widen_their_column() {
        let mut study = study();
        study.trials = vec![
            trial(0, &[("units", Value::Float(0.5)), ("normalize", Value::Int(1))]),
            trial(1, &[("units", Value::Int(3)), ("extra", Value::Bool(true))]),
        ];
        let rows: Vec<&Trial> = study.trials.iter().collect();
        let columns = hyperparameter_columns(&study, &space(), &rows, &mut Names::new(&[]));
        let find = |name: &str| {
            let column = columns.iter().find(|column| column.name() == name).expect("there");
            let cells: Vec<String> =
                (0..2).map(|row| column.get(row).expect("two rows").to_string()).collect();
            format!("{} {}", column.dtype(), cells.join(" "))
        };
        assert_eq!(find("units"), "f64 0.5 3.0");
        assert_eq!(find("normalize"), "str \"1\" null");
        assert_eq!(find("extra"), "bool null true");
        assert_eq!(find("lr"), "f64 null null");
    }
}
