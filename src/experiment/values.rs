//! What a hyperparameter can be: enough of it to check a file before any trial.
//!
//! How values are drawn in a search is the business of [`crate::space`].

use super::names::alternatives;
use crate::space::{Kind, Rules, Sampling, Value};

/// Values at the edges of what `kind` can be; all of them for a choice.
pub(super) fn extremes(kind: &Kind) -> Vec<Value> {
    match kind {
        Kind::Int(range) => vec![Value::Int(range.min), Value::Int(range.max)],
        Kind::Float(range) => vec![Value::Float(range.min), Value::Float(range.max)],
        Kind::Choice { values, .. } => values.clone(),
        Kind::Boolean { .. } => vec![Value::Bool(false), Value::Bool(true)],
        Kind::Fixed(value) => vec![value.clone()],
    }
}

/// The value that `text` stands for, if `kind` can have it: one that the search
/// could propose, the default, or the end of the range.
pub(super) fn can_be(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Int(range) => {
            let value: i64 = text.parse().ok()?;
            let allowed = (range.min..=range.max).contains(&value)
                && (proposable(kind, &Value::Int(value)).is_some()
                    || value == range.max
                    || Some(value) == range.default);
            allowed.then_some(Value::Int(value))
        }
        Kind::Float(range) => {
            let value: f64 = text.parse().ok()?;
            if !(range.min..=range.max).contains(&value) {
                return None;
            }
            if range.step.is_none() || value == range.max || Some(value) == range.default {
                return Some(Value::Float(value));
            }
            proposable(kind, &Value::Float(value))
        }
        Kind::Choice { values, .. } => {
            let is_meant = |value: &&Value| match value {
                Value::Bool(value) => value.to_string() == text,
                Value::Int(value) => text.parse() == Ok(*value),
                Value::Float(value) => text.parse() == Ok(*value),
                Value::Text(value) => value == text,
            };
            values.iter().find(is_meant).cloned()
        }
        Kind::Boolean { .. } => text.parse().ok().map(Value::Bool),
        Kind::Fixed(value) => {
            can_be(&Kind::Choice { values: vec![value.clone()], default: None }, text)
        }
    }
}

/// The value of a stepped range that `value` is, up to rounding.
fn proposable(kind: &Kind, value: &Value) -> Option<Value> {
    let probability = kind.probability_of(Rules::Mended, value)?;
    // Floor division may put a float one step too low.
    let width = kind.count(Rules::Mended).map_or(0.0, |count| 1.0 / count as f64);
    [probability, probability + width].into_iter().map(|at| kind.value_at(Rules::Mended, at)).find(
        |near| match (near, value) {
            (Value::Float(near), Value::Float(value)) => {
                (near - value).abs() <= 1e-9 * near.abs().max(value.abs())
            }
            (near, value) => near == value,
        },
    )
}

/// What `kind` can be, for people.
pub(super) fn text_of_range(kind: &Kind) -> String {
    let stepped = |step: Option<String>, sampling| match (step, sampling) {
        (Some(step), Sampling::Linear) if step != "1" => format!(" in steps of {step}"),
        (Some(step), Sampling::Log | Sampling::ReverseLog) => format!(" in factors of {step}"),
        _ => String::new(),
    };
    match kind {
        Kind::Int(range) => {
            let steps = stepped(range.step.map(|step| step.to_string()), range.sampling);
            format!("a whole number from {} to {}{steps}", range.min, range.max)
        }
        Kind::Float(range) => {
            let steps = stepped(range.step.map(|step| step.to_string()), range.sampling);
            format!("a number from {} to {}{steps}", range.min, range.max)
        }
        Kind::Choice { values, .. } => {
            let texts: Vec<String> = values.iter().map(text_in_file).collect();
            alternatives(&texts.iter().map(String::as_str).collect::<Vec<_>>())
        }
        Kind::Boolean { .. } => "`true` or `false`".to_owned(),
        Kind::Fixed(value) => format!("`{}` only, as the file says", text_in_file(value)),
    }
}

/// A value as it is written in a file, `true` for Python's `True`.
fn text_in_file(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(_) | Value::Float(_) | Value::Text(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Numerical;

    fn int(min: i64, max: i64, step: Option<i64>, sampling: Sampling) -> Kind {
        Kind::Int(Numerical { min, max, step, sampling, default: None })
    }

    fn float(min: f64, max: f64, step: Option<f64>, sampling: Sampling) -> Kind {
        Kind::Float(Numerical { min, max, step, sampling, default: None })
    }

    #[test]
    fn only_what_can_be_proposed_can_be_fixed() {
        let units = int(16, 128, Some(16), Sampling::Linear);
        assert_eq!(can_be(&units, "48"), Some(Value::Int(48)));
        for wrong in ["50", "144", "0", "48.0", "many", ""] {
            assert_eq!(can_be(&units, wrong), None, "{wrong}");
        }
        let rate = float(0.0, 0.9, Some(0.1), Sampling::Linear);
        assert_eq!(can_be(&rate, "0.3"), Some(Value::Float(0.1 * 3.0)));
        assert_eq!(can_be(&rate, "0.9"), Some(Value::Float(0.9)));
        assert_eq!(can_be(&rate, "0.35"), None);
        assert_eq!(can_be(&rate, "NaN"), None);
        let rate = float(1e-4, 1e-2, Some(10.0), Sampling::Log);
        assert!(can_be(&rate, "0.001").is_some() && can_be(&rate, "0.002").is_none());
        let rate = float(1e-4, 1e-2, None, Sampling::Log);
        assert_eq!(can_be(&rate, "3e-3"), Some(Value::Float(3e-3)));
        let choice = Kind::Choice { values: vec![Value::Bool(true)], default: None };
        assert_eq!(can_be(&choice, "true"), Some(Value::Bool(true)));
        assert_eq!(can_be(&Kind::Boolean { default: true }, "yes"), None);
        assert_eq!(can_be(&Kind::Fixed(Value::Int(4)), "5"), None);
    }
}
