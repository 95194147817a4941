//! One hyperparameter of `space:`: Keras Tuner's types and their rules.
//!
//! Where Keras Tuner lets a mistake pass (a default outside the range, a linear
//! step of 0, booleans that become numbers), this reader does not.

use super::error::Fault;
use super::node::{Fields, Node};
use super::values::text_of_range;
use crate::space::{Kind, Numerical, Rules, Sampling, Value};

/// Most values of a choice.
const MAX_VALUES: usize = 10_000;

const TYPES: [&str; 5] = ["int", "float", "choice", "boolean", "fixed"];

/// All keys of any type, so that a misspelt one finds its nearest.
const KEYS: [&str; 10] =
    ["int", "float", "choice", "boolean", "fixed", "step", "sampling", "default", "when", "repeat"];

/// A hyperparameter without its name.
pub(super) struct Draft<'a> {
    pub(super) kind: Kind,
    pub(super) when: Option<Node<'a>>,
    pub(super) repeat: Option<Node<'a>>,
}

pub(super) fn read<'a>(node: &Node<'a>, rules: Rules) -> Result<Draft<'a>, Fault> {
    const WHAT: &str = "a hyperparameter";
    match node.value() {
        serde_yaml::Value::Mapping(_) => {}
        serde_yaml::Value::Sequence(_) => {
            return Err(node
                .fault("expected a type, found a list")
                .hint("write `{choice: [...]}`, `{int: [min, max]}` or `{float: [min, max]}`"));
        }
        _ => {
            return Err(node
                .fault("expected a type, found a single value")
                .hint("write `{fixed: ...}` for a value that is always the same"));
        }
    }
    let fields = node.fields(WHAT, &KEYS, &[])?;
    let given: Vec<&str> =
        TYPES.into_iter().filter(|name| fields.optional(name).is_some()).collect();
    let [name] = *given.as_slice() else {
        return Err(match given.as_slice() {
            [] => node
                .fault("the type is missing")
                .hint("give it one of `int`, `float`, `choice`, `boolean` and `fixed`"),
            several => node
                .fault(format!("a hyperparameter has one type, found {}", several.join(" and "))),
        });
    };
    let allowed: &[&str] = match name {
        "int" | "float" => &["step", "sampling", "default"],
        "choice" => &["default"],
        _ => &[],
    };
    for option in ["step", "sampling", "default"] {
        if let Some(node) = fields.optional(option)
            && !allowed.contains(&option)
        {
            let fault = node.fault(format!("`{name}` has no `{option}`")).self_contained();
            return Err(match name {
                "boolean" => fault.hint("the value of `boolean` is the default"),
                _ => fault.hint("leave it out"),
            });
        }
    }
    let value = fields.required(name)?;
    let kind = match name {
        "int" => Kind::Int(int(&fields, &value)?),
        "float" => Kind::Float(float(&fields, &value)?),
        "choice" => choice(&fields, &value)?,
        "boolean" => Kind::Boolean { default: value.boolean()? },
        _ => Kind::Fixed(value.scalar()?),
    };
    check_rules(&fields, &kind, rules)?;
    Ok(Draft { kind, when: fields.optional("when"), repeat: fields.optional("repeat") })
}

/// Refuses what the version that is followed had not.
fn check_rules(fields: &Fields<'_>, kind: &Kind, rules: Rules) -> Result<(), Fault> {
    let sampling = match (rules, kind) {
        (Rules::KerasTuner10, Kind::Int(range)) => range.sampling,
        (Rules::KerasTuner10, Kind::Float(range)) => range.sampling,
        (Rules::KerasTuner10, Kind::Choice { .. } | Kind::Boolean { .. } | Kind::Fixed(_))
        | (Rules::Mended | Rules::KerasTuner14, _) => return Ok(()),
    };
    match (sampling, fields.optional("step")) {
        (Sampling::Log | Sampling::ReverseLog, Some(node)) => Err(node
            .fault("Keras Tuner 1.0 has no steps in logarithmic sampling")
            .hint("leave out `step`, or `search.compat`")),
        (Sampling::Linear, _) | (_, None) => Ok(()),
    }
}

fn int(fields: &Fields<'_>, range: &Node<'_>) -> Result<Numerical<i64>, Fault> {
    let [low, high] = bounds(range)?;
    let (min, max) = (low.integer()?, high.integer()?);
    ordered(range, min <= max, &min.to_string(), &max.to_string())?;
    let sampling = sampling(fields, range, min > 0, &min.to_string())?;
    let step = match (fields.optional("step"), sampling) {
        (None, Sampling::Linear) => Some(1),
        (None, Sampling::Log | Sampling::ReverseLog) => None,
        (Some(node), _) => {
            let step = node.integer()?;
            check_step(&node, sampling, step > 0, step > 1, &step.to_string())?;
            Some(step)
        }
    };
    let default = match fields.optional("default") {
        None => None,
        Some(node) => {
            let default = node.integer()?;
            inside(&node, (min..=max).contains(&default), default, min, max)?;
            Some(default)
        }
    };
    Ok(Numerical { min, max, step, sampling, default })
}

fn float(fields: &Fields<'_>, range: &Node<'_>) -> Result<Numerical<f64>, Fault> {
    let number = |node: &Node<'_>| node.real("a finite number", |_| true);
    let [low, high] = bounds(range)?;
    let (min, max) = (number(&low)?, number(&high)?);
    ordered(range, min <= max, &min.to_string(), &max.to_string())?;
    if !(max - min).is_finite() {
        return Err(range.fault("the range is too wide for a float"));
    }
    let sampling = sampling(fields, range, min > 0.0, &min.to_string())?;
    let step = match fields.optional("step") {
        None => None,
        Some(node) => {
            let step = number(&node)?;
            check_step(&node, sampling, step > 0.0, step > 1.0, &step.to_string())?;
            Some(step)
        }
    };
    let default = match fields.optional("default") {
        None => None,
        Some(node) => {
            let default = number(&node)?;
            inside(&node, (min..=max).contains(&default), default, min, max)?;
            Some(default)
        }
    };
    Ok(Numerical { min, max, step, sampling, default })
}

fn bounds<'a>(range: &Node<'a>) -> Result<[Node<'a>; 2], Fault> {
    let wrong = || range.fault("expected a range").hint("write `[min, max]`");
    let items = range.items().map_err(|_| wrong())?;
    <[Node<'a>; 2]>::try_from(items).map_err(|_| wrong())
}

fn ordered(range: &Node<'_>, right: bool, min: &str, max: &str) -> Result<(), Fault> {
    if right {
        return Ok(());
    }
    Err(range
        .fault(format!("the minimum {min} is greater than the maximum {max}"))
        .hint(format!("write `[{max}, {min}]`")))
}

fn sampling(
    fields: &Fields<'_>,
    range: &Node<'_>,
    positive: bool,
    min: &str,
) -> Result<Sampling, Fault> {
    let words = [
        ("linear", Sampling::Linear),
        ("log", Sampling::Log),
        ("reverse_log", Sampling::ReverseLog),
    ];
    let Some(node) = fields.optional("sampling") else {
        return Ok(Sampling::Linear);
    };
    let sampling = node.word("sampling", &words, &[])?;
    match sampling {
        Sampling::Log | Sampling::ReverseLog if !positive => Err(range
            .fault(format!("logarithmic sampling needs a minimum above 0, found {min}"))
            .hint("raise the minimum, or use `sampling: linear`")),
        Sampling::Linear | Sampling::Log | Sampling::ReverseLog => Ok(sampling),
    }
}

fn check_step(
    node: &Node<'_>,
    sampling: Sampling,
    above_0: bool,
    above_1: bool,
    step: &str,
) -> Result<(), Fault> {
    match sampling {
        Sampling::Linear if above_0 => Ok(()),
        Sampling::Linear => Err(node.fault(format!("a step must be above 0, found {step}"))),
        Sampling::Log | Sampling::ReverseLog if above_1 => Ok(()),
        Sampling::Log | Sampling::ReverseLog => Err(node
            .fault(format!("a logarithmic step is a factor and must be above 1, found {step}"))
            .hint("`step: 10` gives min, 10 × min, 100 × min, ...")),
    }
}

fn inside<T: std::fmt::Display>(
    node: &Node<'_>,
    right: bool,
    default: T,
    min: T,
    max: T,
) -> Result<(), Fault> {
    if right {
        return Ok(());
    }
    Err(node
        .fault(format!("the default {default} is outside [{min}, {max}]"))
        .hint("move the default, or widen the range"))
}

fn choice(fields: &Fields<'_>, list: &Node<'_>) -> Result<Kind, Fault> {
    let items = list.items()?;
    if items.len() > MAX_VALUES {
        return Err(list.fault(format!("there are more than {MAX_VALUES} values")));
    }
    let mut values: Vec<Value> = Vec::with_capacity(items.len());
    for item in &items {
        let value = item.scalar()?;
        if let Some(first) = values.first()
            && type_names(first) != type_names(&value)
        {
            let fault = item.fault(format!(
                "the values of a choice have one type, found {} among {}",
                type_names(&value).0,
                type_names(first).1
            ));
            return Err(match (first, &value) {
                (Value::Float(_), Value::Int(value)) => fault.hint(format!("write `{value}.0`")),
                (Value::Int(_), Value::Float(_)) => {
                    fault.hint(format!("write `{first}.0` for `{first}`, and so on"))
                }
                (Value::Text(_), _) => {
                    fault.hint(format!("write it in quotation marks: \"{value}\""))
                }
                _ => fault,
            });
        }
        values.push(value);
    }
    if values.is_empty() {
        return Err(list
            .fault("a choice needs at least one value")
            .hint("list its values, for example `{choice: [relu, tanh]}`"));
    }
    let default = match fields.optional("default") {
        None => None,
        Some(node) => {
            let default = node.scalar()?;
            if !values.contains(&default) {
                let choice = Kind::Choice { values, default: None };
                return Err(node
                    .fault(format!("the default `{default}` is not among the values"))
                    .hint(format!("it can be {}", text_of_range(&choice))));
            }
            Some(default)
        }
    };
    Ok(Kind::Choice { values, default })
}

/// One and several.
fn type_names(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Bool(_) => ("a boolean", "booleans"),
        Value::Int(_) => ("a whole number", "whole numbers"),
        Value::Float(_) => ("a float", "floats"),
        Value::Text(_) => ("text", "texts"),
    }
}
