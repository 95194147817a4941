//! What a hyperparameter can be: enough of it to check a file before any trial.
//!
//! How values are drawn in a search is the business of [`crate::space`].

use super::error::Fault;
use super::names::alternatives;
use super::node::Node;
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

/// The value that `text` stands for, if `kind` [may have](allowed) it.
pub(super) fn can_be(kind: &Kind, rules: Rules, text: &str) -> Option<Value> {
    let value = match kind {
        Kind::Int(_) => Value::Int(text.parse().ok()?),
        Kind::Float(_) => Value::Float(text.parse().ok()?),
        Kind::Boolean { .. } => Value::Bool(text.parse().ok()?),
        Kind::Choice { values, .. } => parsed_like(values.first()?, text)?,
        Kind::Fixed(value) => parsed_like(value, text)?,
    };
    allowed(kind, rules, &value)
}

/// A value of the type of another one.
fn parsed_like(like: &Value, text: &str) -> Option<Value> {
    Some(match like {
        Value::Bool(_) => Value::Bool(text.parse().ok()?),
        Value::Int(_) => Value::Int(text.parse().ok()?),
        Value::Float(_) => Value::Float(text.parse().ok()?),
        Value::Text(_) => Value::Text(text.to_owned()),
    })
}

/// The value at `node`, of the type that `kind` has.
pub(super) fn typed(kind: &Kind, node: &Node<'_>) -> Result<Value, Fault> {
    let float = || node.real("a finite number", |_| true).map(Value::Float);
    match kind {
        Kind::Int(_) => node.integer().map(Value::Int),
        Kind::Float(_) => float(),
        Kind::Boolean { .. } => node.boolean().map(Value::Bool),
        Kind::Choice { .. } | Kind::Fixed(_) => match kind.default() {
            Value::Bool(_) => node.boolean().map(Value::Bool),
            Value::Int(_) => node.integer().map(Value::Int),
            Value::Float(_) => float(),
            Value::Text(_) => node.text().map(|text| Value::Text(text.into_owned())),
        },
    }
}

/// `value`, if a person may give it to `kind`: one that it [takes](taken), or
/// the end of the range.
pub(super) fn allowed(kind: &Kind, rules: Rules, value: &Value) -> Option<Value> {
    let is_end = match (kind, value) {
        (Kind::Int(range), Value::Int(value)) => *value == range.max,
        (Kind::Float(range), Value::Float(value)) => *value == range.max,
        (
            Kind::Int(_)
            | Kind::Float(_)
            | Kind::Choice { .. }
            | Kind::Boolean { .. }
            | Kind::Fixed(_),
            _,
        ) => false,
    };
    if is_end { Some(value.clone()) } else { taken(kind, rules, value) }
}

/// `value` to the last bit, if `kind` takes it: the default, or one that the
/// search could propose.
pub(super) fn taken(kind: &Kind, rules: Rules, value: &Value) -> Option<Value> {
    let in_range = match (kind, value) {
        (Kind::Int(range), Value::Int(value)) => (range.min..=range.max).contains(value),
        (Kind::Float(range), Value::Float(value)) => (range.min..=range.max).contains(value),
        (Kind::Int(_) | Kind::Float(_), _) => false,
        (Kind::Choice { .. } | Kind::Boolean { .. } | Kind::Fixed(_), _) => true,
    };
    if !in_range {
        return None;
    }
    if kind.default() == *value || kind.can_be(rules, value) {
        return Some(value.clone());
    }
    proposable(kind, rules, value)
}

/// The value of a stepped range that `value` is, up to rounding.
fn proposable(kind: &Kind, rules: Rules, value: &Value) -> Option<Value> {
    let probability = kind.probability_of(rules, value)?;
    // Floor division may put a float one step too low.
    let width = kind.count(rules).map_or(0.0, |count| 1.0 / count as f64);
    [probability, probability + width].into_iter().map(|at| kind.value_at(rules, at)).find(|near| {
        match (near, value) {
            (Value::Float(near), Value::Float(value)) => {
                (near - value).abs() <= 1e-9 * near.abs().max(value.abs())
            }
            (near, value) => near == value,
        }
    })
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

    const RULES: Rules = Rules::Mended;

    fn int(min: i64, max: i64, step: Option<i64>, sampling: Sampling) -> Kind {
        Kind::Int(Numerical { min, max, step, sampling, default: None })
    }

    fn float(min: f64, max: f64, step: Option<f64>, sampling: Sampling) -> Kind {
        Kind::Float(Numerical { min, max, step, sampling, default: None })
    }

    #[test]
    fn only_what_can_be_proposed_can_be_fixed() {
        let units = int(16, 128, Some(16), Sampling::Linear);
        assert_eq!(can_be(&units, RULES, "48"), Some(Value::Int(48)));
        for wrong in ["50", "144", "0", "48.0", "many", ""] {
            assert_eq!(can_be(&units, RULES, wrong), None, "{wrong}");
        }
        let rate = float(0.0, 0.9, Some(0.1), Sampling::Linear);
        assert_eq!(can_be(&rate, RULES, "0.3"), Some(Value::Float(0.1 * 3.0)));
        assert_eq!(can_be(&rate, RULES, "0.9"), Some(Value::Float(0.9)));
        assert_eq!(can_be(&rate, RULES, "0.35"), None);
        assert_eq!(can_be(&rate, RULES, "NaN"), None);
        let rate = float(1e-4, 1e-2, Some(10.0), Sampling::Log);
        assert!(can_be(&rate, RULES, "0.001").is_some() && can_be(&rate, RULES, "0.002").is_none());
        let rate = float(1e-4, 1e-2, None, Sampling::Log);
        assert_eq!(can_be(&rate, RULES, "3e-3"), Some(Value::Float(3e-3)));
        let choice = Kind::Choice { values: vec![Value::Bool(true)], default: None };
        assert_eq!(can_be(&choice, RULES, "true"), Some(Value::Bool(true)));
        assert_eq!(can_be(&Kind::Boolean { default: true }, RULES, "yes"), None);
        assert_eq!(can_be(&Kind::Fixed(Value::Int(4)), RULES, "5"), None);
    }
}
