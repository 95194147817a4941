//! A search space as Keras Tuner 1.4.8 prints it.
//!
//! Byte for byte `tuner.search_space_summary()`, so that what people compare
//! against it, by eye or by script, goes on working: one line with the name and
//! the type, one with the Python dictionary of its arguments. Where Keras Tuner
//! turns true and false of a choice into 1 and 0, they stay what they are.

use std::fmt::Write;

use crate::space::value::python_float;
use crate::space::{Condition, HyperParameter, Kind, Numerical, Sampling, Space, Value};

/// The search-space summary; ends with a line break.
#[must_use]
pub fn search_space_summary(space: &Space) -> String {
    let mut text = format!(
        "Search space summary\nDefault search space size: {}\n",
        space.hyperparameters.len()
    );
    for hyperparameter in &space.hyperparameters {
        let (class, arguments) = describe(hyperparameter);
        writeln!(text, "{} ({class})\n{{{arguments}}}", hyperparameter.name)
            .expect("a string takes everything");
    }
    text
}

/// Keras Tuner's name of the type, and its arguments without the name.
fn describe(hyperparameter: &HyperParameter) -> (&'static str, String) {
    let kind = &hyperparameter.kind;
    let conditions = conditions(&hyperparameter.when);
    match kind {
        Kind::Int(range) => {
            // Keras Tuner keeps the default of an Int as it was given, and gives
            // a linear range its step.
            let step = match range.sampling {
                Sampling::Linear => Some(range.step.unwrap_or(1)),
                Sampling::Log | Sampling::ReverseLog => range.step,
            };
            let default = optional(range.default, |value| value.to_string());
            let range = Numerical { step, ..*range };
            ("Int", numerical(&range, &default, &conditions, |value| value.to_string()))
        }
        Kind::Float(range) => {
            let default = python_float(range.default.unwrap_or(range.min));
            ("Float", numerical(range, &default, &conditions, python_float))
        }
        Kind::Choice { values, .. } => {
            let ordered =
                values.iter().all(|value| matches!(value, Value::Int(_) | Value::Float(_)));
            let values: Vec<String> = values.iter().map(python_repr).collect();
            let arguments = format!(
                "'default': {}, 'conditions': {conditions}, 'values': [{}], 'ordered': {}",
                python_repr(&kind.default()),
                values.join(", "),
                Value::Bool(ordered),
            );
            ("Choice", arguments)
        }
        Kind::Boolean { default } => {
            let default = Value::Bool(*default);
            ("Boolean", format!("'default': {default}, 'conditions': {conditions}"))
        }
        Kind::Fixed(value) => {
            ("Fixed", format!("'conditions': {conditions}, 'value': {}", python_repr(value)))
        }
    }
}

/// Conditions as a Python list of Keras Tuner's configurations.
fn conditions(when: &[Condition]) -> String {
    let texts: Vec<String> = when
        .iter()
        .map(|condition| {
            let name = python_repr(&Value::Text(condition.parent.clone()));
            let values: Vec<String> = condition.values.iter().map(python_repr).collect();
            let values = values.join(", ");
            format!(
                "{{'class_name': 'Parent', 'config': {{'name': {name}, 'values': [{values}]}}}}"
            )
        })
        .collect();
    format!("[{}]", texts.join(", "))
}

fn numerical<T: Copy>(
    range: &Numerical<T>,
    default: &str,
    conditions: &str,
    text: impl Fn(T) -> String,
) -> String {
    let sampling = match range.sampling {
        Sampling::Linear => "linear",
        Sampling::Log => "log",
        Sampling::ReverseLog => "reverse_log",
    };
    format!(
        "'default': {default}, 'conditions': {conditions}, 'min_value': {}, 'max_value': {}, \
         'step': {}, 'sampling': '{sampling}'",
        text(range.min),
        text(range.max),
        optional(range.step, &text),
    )
}

fn optional<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "None".to_owned(), text)
}

/// Python's `repr`: a value's text, with quotes and escapes around strings.
fn python_repr(value: &Value) -> String {
    match value {
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => value.to_string(),
        Value::Text(text) => {
            let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
            let mut literal = String::from(quote);
            for character in text.chars() {
                match character {
                    '\\' => literal.push_str("\\\\"),
                    '\n' => literal.push_str("\\n"),
                    '\r' => literal.push_str("\\r"),
                    '\t' => literal.push_str("\\t"),
                    _ if character == quote => literal.extend(['\\', quote]),
                    _ if character.is_control() => {
                        write!(literal, "\\x{:02x}", u32::from(character))
                            .expect("a string takes everything");
                    }
                    _ => literal.push(character),
                }
            }
            literal.push(quote);
            literal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Rules;

    fn range<T>(min: T, max: T, step: Option<T>, sampling: Sampling) -> Numerical<T> {
        Numerical { min, max, step, sampling, default: None }
    }

    #[test]
    fn every_type_as_keras_tuner_prints_it() {
        let texts = ["adam", "sgd", "rmsprop"].map(|text| Value::Text(text.to_owned())).to_vec();
        let numbers = [3, 5, 7].map(Value::Int).to_vec();
        let hyperparameters = [
            ("lr", Kind::Float(range(0.0001, 0.1, None, Sampling::Log))),
            ("units", Kind::Int(range(32, 512, Some(32), Sampling::Linear))),
            ("opt", Kind::Choice { values: texts, default: None }),
            ("bn", Kind::Boolean { default: false }),
            ("seed_fixed", Kind::Fixed(Value::Int(7))),
            ("layers", Kind::Int(range(1, 64, None, Sampling::Log))),
            ("k", Kind::Choice { values: numbers, default: Some(Value::Int(5)) }),
            ("rl", Kind::Float(range(0.5, 0.99, None, Sampling::ReverseLog))),
            (
                "plain",
                Kind::Int(Numerical { default: Some(3), ..range(1, 4, None, Sampling::Linear) }),
            ),
            ("momentum", Kind::Float(range(0.0, 0.9, Some(0.1), Sampling::Linear))),
        ];
        let space = Space {
            rules: Rules::default(),
            hyperparameters: hyperparameters
                .map(|(name, kind)| HyperParameter {
                    name: name.to_owned(),
                    kind,
                    when: Vec::new(),
                })
                .to_vec(),
        };
        assert_eq!(
            search_space_summary(&space),
            "\
Search space summary
Default search space size: 10
lr (Float)
{'default': 0.0001, 'conditions': [], 'min_value': 0.0001, 'max_value': 0.1, 'step': None, 'sampling': 'log'}
units (Int)
{'default': None, 'conditions': [], 'min_value': 32, 'max_value': 512, 'step': 32, 'sampling': 'linear'}
opt (Choice)
{'default': 'adam', 'conditions': [], 'values': ['adam', 'sgd', 'rmsprop'], 'ordered': False}
bn (Boolean)
{'default': False, 'conditions': []}
seed_fixed (Fixed)
{'conditions': [], 'value': 7}
layers (Int)
{'default': None, 'conditions': [], 'min_value': 1, 'max_value': 64, 'step': None, 'sampling': 'log'}
k (Choice)
{'default': 5, 'conditions': [], 'values': [3, 5, 7], 'ordered': True}
rl (Float)
{'default': 0.5, 'conditions': [], 'min_value': 0.5, 'max_value': 0.99, 'step': None, 'sampling': 'reverse_log'}
plain (Int)
{'default': 3, 'conditions': [], 'min_value': 1, 'max_value': 4, 'step': 1, 'sampling': 'linear'}
momentum (Float)
{'default': 0.0, 'conditions': [], 'min_value': 0.0, 'max_value': 0.9, 'step': 0.1, 'sampling': 'linear'}
"
        );
    }

    #[test]
    fn conditions_are_keras_tuners_configurations() {
        let condition = |parent: &str, values: &[Value]| Condition {
            parent: parent.to_owned(),
            values: values.to_vec(),
        };
        let hyperparameter = HyperParameter {
            name: "momentum".to_owned(),
            kind: Kind::Boolean { default: false },
            when: vec![
                condition("opt", &[Value::Text("sgd".to_owned())]),
                condition("depth", &[Value::Int(2), Value::Int(3)]),
                condition("bn", &[Value::Bool(true)]),
            ],
        };
        let space = Space { hyperparameters: vec![hyperparameter], ..Space::default() };
        assert_eq!(
            search_space_summary(&space),
            "\
Search space summary
Default search space size: 1
momentum (Boolean)
{'default': False, 'conditions': [{'class_name': 'Parent', 'config': {'name': 'opt', 'values': ['sgd']}}, {'class_name': 'Parent', 'config': {'name': 'depth', 'values': [2, 3]}}, {'class_name': 'Parent', 'config': {'name': 'bn', 'values': [True]}}]}
"
        );
    }

    #[test]
    fn an_empty_space_has_a_summary() {
        assert_eq!(
            search_space_summary(&Space::default()),
            "Search space summary\nDefault search space size: 0\n"
        );
    }

    #[test]
    fn strings_are_quoted_as_python_quotes_them() {
        for (text, literal) in [
            ("relu", "'relu'"),
            ("it's", "\"it's\""),
            ("it's \"so\"", "'it\\'s \"so\"'"),
            ("a\\b\tc\n\u{1}", "'a\\\\b\\tc\\n\\x01'"),
            ("größer", "'größer'"),
        ] {
            assert_eq!(python_repr(&Value::Text(text.to_owned())), literal);
        }
    }
}
