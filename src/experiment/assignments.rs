//! `search.first` and `search.trials`: assignments that the file gives.
//!
//! Either a list, or a mapping that gives each a name. An assignment says the
//! values of the hyperparameters that exist in it, and of no others.

use std::collections::HashMap;

use serde_yaml::Value;

use super::compare::flow;
use super::conditions::{Inactive, inactive_because};
use super::error::Fault;
use super::names::MAX_NAME_BYTES;
use super::node::{Node, describe, shorten};
use super::template::yaml;
use super::values::{allowed, text_of_range, typed};
use crate::oracle::Assignment;
use crate::space::{HyperParameter, HyperParameters, Kind, Space};

/// Most assignments of a list.
const MAX_ASSIGNMENTS: usize = 10_000;

/// What the file leaves out of an assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// Is at its default.
    Default,
    /// Is missing.
    Missing,
}

/// Reads the assignments; what is fixed may always be left out.
pub(super) fn read(
    node: &Node<'_>,
    space: &Space,
    left_out: LeftOut,
) -> Result<Vec<Assignment>, Fault> {
    let key = match left_out {
        LeftOut::Default => "first",
        LeftOut::Missing => "trials",
    };
    let form = || {
        format!(
            "write `{key}: [{{units: 32, act: relu}}]`, or with names `{key}: {{large: {{units: 128}}}}`"
        )
    };
    let given: Vec<(Option<&str>, Node<'_>)> = match node.value() {
        Value::Sequence(_) => node.items()?.into_iter().map(|item| (None, item)).collect(),
        Value::Mapping(_) => {
            node.entries()?.into_iter().map(|(name, item)| (Some(name), item)).collect()
        }
        other => {
            let fault = node.fault(format!("expected assignments, found {}", describe(other)));
            return Err(fault.hint(form()));
        }
    };
    if given.is_empty() {
        return Err(node.fault("there is no assignment").hint(form()));
    }
    if given.len() > MAX_ASSIGNMENTS {
        return Err(node.fault(format!("there are more than {MAX_ASSIGNMENTS} assignments")));
    }
    let mut labels: HashMap<[u8; 16], String> = HashMap::new();
    let mut assignments = Vec::with_capacity(given.len());
    for (number, (name, item)) in (1..).zip(given) {
        if let Some(name) = name {
            check_name(&item, name)?;
        }
        let label = name.map_or_else(|| format!("assignment {number}"), |name| format!("`{name}`"));
        let hyperparameters = assignment(&item, space, left_out, &label)?;
        if let Some(earlier) = labels.insert(hyperparameters.digest(), label.clone()) {
            let fault = item.fault(format!("{earlier} and {label} are the same"));
            return Err(fault.hint("leave out one of them"));
        }
        assignments.push(Assignment { name: name.map(str::to_owned), hyperparameters });
    }
    Ok(assignments)
}

fn check_name(item: &Node<'_>, name: &str) -> Result<(), Fault> {
    let good =
        !name.trim().is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains(char::is_control);
    if good {
        return Ok(());
    }
    let fault = item.fault(format!("`{}` cannot be the name of a trial", shorten(name)));
    let hint = format!("use at most {MAX_NAME_BYTES} letters, on one line");
    Err(fault.self_contained().hint(hint))
}

/// One assignment, in the order of the space.
///
/// - `label`: what it is called, for people
fn assignment(
    item: &Node<'_>,
    space: &Space,
    left_out: LeftOut,
    label: &str,
) -> Result<HyperParameters, Fault> {
    let given = item.entries().map_err(|fault| fault.hint("write `{NAME: VALUE, ...}`"))?;
    for (name, node) in &given {
        if space.named(name).next().is_none() {
            return Err(node.not_in_space(name, space));
        }
    }
    let mut assignment = HyperParameters::default();
    for hyperparameter in &space.hyperparameters {
        if !hyperparameter.is_active(&assignment) {
            continue;
        }
        let node = given.iter().find(|(name, _)| *name == hyperparameter.name);
        let value = match (node, left_out, &hyperparameter.kind) {
            (Some((_, node)), ..) => value(node, hyperparameter, space)?,
            (None, LeftOut::Default, kind) | (None, LeftOut::Missing, kind @ Kind::Fixed(_)) => {
                kind.default()
            }
            (
                None,
                LeftOut::Missing,
                kind @ (Kind::Int(_) | Kind::Float(_) | Kind::Choice { .. } | Kind::Boolean { .. }),
            ) => {
                let message = format!("`{}` is missing in {label}", hyperparameter.name);
                let hint = format!("it can be {}", text_of_range(kind));
                return Err(item.fault(message).hint(hint));
            }
        };
        assignment.set(&hyperparameter.name, value);
    }
    for (name, node) in &given {
        if assignment.get(name).is_none() {
            return Err(inactive(node, name, space, &assignment));
        }
    }
    Ok(assignment)
}

fn value(
    node: &Node<'_>,
    hyperparameter: &HyperParameter,
    space: &Space,
) -> Result<crate::space::Value, Fault> {
    let kind = &hyperparameter.kind;
    let value = typed(kind, node)?;
    allowed(kind, space.rules, &value).ok_or_else(|| {
        let found = describe(node.value());
        let fault = node.fault(format!("`{}` cannot be {found}", hyperparameter.name));
        fault.hint(format!("it can be {}", text_of_range(kind)))
    })
}

fn inactive(node: &Node<'_>, name: &str, space: &Space, assignment: &HyperParameters) -> Fault {
    let message = match inactive_because(space, name, assignment) {
        Some(Inactive { condition, value }) => {
            let value = flow(&yaml(value));
            format!("`{name}` has no value where `{}` is `{value}`", condition.parent)
        }
        None => format!("`{name}` has no value here"),
    };
    node.fault(message).self_contained().hint("leave it out")
}
