//! `when:`: where a hyperparameter or a layer exists.
//!
//! A condition names another hyperparameter and one or several of its values.
//! What can never hold, and what only chance would make hold, is refused.

use std::collections::HashSet;

use serde_yaml::Value;

use super::compare::flow;
use super::error::Fault;
use super::names::{all_of, nearest};
use super::node::{Node, describe, shorten};
use super::repeat::numbered;
use super::template::yaml;
use super::values::{taken, text_of_range, typed};
use crate::space::{self, Condition, HyperParameter, HyperParameters, Kind, Space};

/// What conditions may be about.
pub(super) struct Among<'a> {
    /// For those of a hyperparameter, what is declared before it.
    pub(super) space: &'a Space,
    /// The hyperparameter that has the conditions; absent for a layer.
    pub(super) child: Option<Child<'a>>,
}

/// A hyperparameter that is being read.
#[derive(Clone, Copy)]
pub(super) struct Child<'a> {
    /// As the file has it, with `{i}`.
    pub(super) key: &'a str,
    /// The whole section.
    pub(super) section: &'a Value,
}

/// Reads a `when:`.
///
/// - `repetition`: what `{i}` stands for in names
pub(super) fn read(
    node: &Node<'_>,
    among: &Among<'_>,
    repetition: Option<u32>,
) -> Result<Vec<Condition>, Fault> {
    const FORM: &str = "write `when: {NAME: VALUE}`, or a list of values";
    let node = node.clone().literal("a condition compares with values, not with `$name`");
    let entries = node.entries().map_err(|fault| fault.hint(FORM))?;
    if entries.is_empty() {
        return Err(node.fault("a condition is missing").hint(FORM));
    }
    entries
        .into_iter()
        .map(|(key, node)| {
            let parent = numbered(key, repetition).into_owned();
            let parents = among.parents(&node, &parent)?;
            let values = values(&node, &parent, &parents, among.space)?;
            Ok(Condition { parent, values })
        })
        .collect()
}

/// The values for which a condition holds.
fn values(
    node: &Node<'_>,
    name: &str,
    parents: &[&HyperParameter],
    space: &Space,
) -> Result<Vec<space::Value>, Fault> {
    let is_continuous = |parent: &&HyperParameter| match &parent.kind {
        Kind::Float(range) => range.step.is_none() && range.min < range.max,
        Kind::Int(_) | Kind::Choice { .. } | Kind::Boolean { .. } | Kind::Fixed(_) => false,
    };
    if parents.iter().all(is_continuous) {
        let message = format!("`{name}` has no steps, so only chance gives it a certain value");
        let hint = format!("give `{name}` a `step`, or make it a `choice`");
        return Err(node.fault(message).hint(hint));
    }
    let nodes = match node.value() {
        Value::Sequence(_) => node.items()?,
        _ => vec![node.clone()],
    };
    if nodes.is_empty() {
        let hint = format!("list values of `{name}`: {}", possible(parents));
        return Err(node.fault("a condition needs at least one value").hint(hint));
    }
    nodes.iter().map(|node| value(node, name, parents, space)).collect()
}

/// One value of a parent, to the last bit as the search gives it.
fn value(
    node: &Node<'_>,
    name: &str,
    parents: &[&HyperParameter],
    space: &Space,
) -> Result<space::Value, Fault> {
    let mut wrong_type = None;
    let mut given = None;
    for parent in parents {
        match typed(&parent.kind, node) {
            Ok(value) => {
                if let Some(value) = taken(&parent.kind, space.rules, &value) {
                    return Ok(value);
                }
                // Held at another value, it had this one in reach before.
                if let Kind::Fixed(_) = parent.kind {
                    return Ok(value);
                }
                given = Some(value);
            }
            Err(fault) => wrong_type = Some(fault),
        }
    }
    let (None, Some(fault)) = (&given, wrong_type) else {
        let fault = node.fault(format!("`{name}` can never be {}", describe(node.value())));
        let texts: Vec<&str> = parents.iter().flat_map(|parent| texts(&parent.kind)).collect();
        return Err(match node.value().as_str().and_then(|text| nearest(text, texts)) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault.hint(format!("it can be {}", possible(parents))),
        });
    };
    Err(fault)
}

/// What a hyperparameter of several declarations can be, for people.
fn possible(parents: &[&HyperParameter]) -> String {
    let ranges: Vec<String> = parents.iter().map(|parent| text_of_range(&parent.kind)).collect();
    ranges.join(", or ")
}

fn texts(kind: &Kind) -> Vec<&str> {
    match kind {
        Kind::Choice { values, .. } => values
            .iter()
            .filter_map(|value| match value {
                space::Value::Text(text) => Some(text.as_str()),
                space::Value::Bool(_) | space::Value::Int(_) | space::Value::Float(_) => None,
            })
            .collect(),
        Kind::Int(_) | Kind::Float(_) | Kind::Boolean { .. } | Kind::Fixed(_) => Vec::new(),
    }
}

impl<'a> Among<'a> {
    /// The declarations of a name.
    ///
    /// - `node`: where it is named
    pub(super) fn parents(
        &self,
        node: &Node<'_>,
        name: &str,
    ) -> Result<Vec<&'a HyperParameter>, Fault> {
        if let Some(bare) = name.strip_prefix('$') {
            let fault = node.fault(format!("`{}` is not a name", shorten(name))).self_contained();
            return Err(fault.hint(format!("write `{}`, without `$`", shorten(bare))));
        }
        let own_name = self.child.is_some_and(|child| stands_for(child.key, name));
        let declared = self.space.hyperparameters.iter();
        let found: Vec<&HyperParameter> = declared.filter(|known| known.name == name).collect();
        match self.child {
            Some(child) if own_name => Err(cycle(node, &[child.key])),
            Some(child) if found.is_empty() => Err(child.not_yet(node, name, self.space)),
            None if found.is_empty() => Err(node.not_in_space(name, self.space)),
            Some(_) | None => Ok(found),
        }
    }
}

impl Child<'_> {
    /// The fault that `name` is not declared before.
    fn not_yet(&self, node: &Node<'_>, name: &str, before: &Space) -> Fault {
        let Value::Mapping(section) = self.section else {
            return node.not_in_space(name, before);
        };
        let keys: Vec<&str> = section.keys().filter_map(Value::as_str).collect();
        let Some(key) = keys.iter().find(|key| stands_for(key, name)) else {
            let fault = node.fault(format!("`{}` is not in the search space", shorten(name)));
            let known = before.hyperparameters.iter().map(|known| known.name.as_str());
            let fault = fault.self_contained();
            return match nearest(name, known.chain(keys.iter().copied())) {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None => fault.hint(format!("declare it before `{}`", self.key)),
            };
        };
        let mut way = vec![*key];
        if self.leads_back(key, &keys, &mut HashSet::new(), &mut way) {
            return cycle(node, &way);
        }
        let fault = node.fault(format!("`{key}` is declared after `{}`", self.key));
        let hint = format!("move `{key}` up: values are drawn in the order of the file");
        fault.self_contained().hint(hint)
    }

    /// Whether what `key` depends on leads to this hyperparameter; `way` is how.
    fn leads_back<'k>(
        &self,
        key: &'k str,
        keys: &[&'k str],
        seen: &mut HashSet<&'k str>,
        way: &mut Vec<&'k str>,
    ) -> bool {
        // A chain of thousands would exhaust the stack, and no reader's patience.
        const LONGEST: usize = 100;
        if key == self.key {
            return true;
        }
        if way.len() > LONGEST || !seen.insert(key) {
            return false;
        }
        for parent in named_in(&self.section[key]) {
            let Some(parent) = keys.iter().find(|key| stands_for(key, parent)) else { continue };
            way.push(parent);
            if self.leads_back(parent, keys, seen, way) {
                return true;
            }
            way.pop();
        }
        false
    }
}

/// Names in `when` and `repeat` of a declaration, or of each of several.
fn named_in(declaration: &Value) -> Vec<&str> {
    match declaration {
        Value::Sequence(several) => several.iter().flat_map(named_in).collect(),
        _ => {
            let when = declaration.get("when").and_then(Value::as_mapping);
            let parents = when.into_iter().flat_map(|when| when.keys().filter_map(Value::as_str));
            parents.chain(declaration.get("repeat").and_then(Value::as_str)).collect()
        }
    }
}

/// Whether a key of the section declares `name`, by itself or with a number for `{i}`.
pub(super) fn stands_for(key: &str, name: &str) -> bool {
    if key == name {
        return true;
    }
    let Some((before, _)) = key.split_once(super::repeat::INDEX) else { return false };
    let rest = name.strip_prefix(before).unwrap_or_default();
    let digits = rest.len() - rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    rest[..digits].parse().is_ok_and(|number: u32| numbered(key, Some(number)) == name)
}

fn cycle(node: &Node<'_>, way: &[&str]) -> Fault {
    let fault = match way {
        [itself] => node.fault(format!("`{itself}` depends on itself")),
        several => node.fault(format!("{} depend on each other", all_of(several))),
    };
    fault.self_contained().hint("leave out one of the conditions")
}

/// Whether two hyperparameters are never active at once.
pub(super) fn exclude_each_other(a: &HyperParameter, b: &HyperParameter) -> bool {
    a.when.iter().any(|one| b.when.iter().any(|other| one.excludes(other)))
}

/// Why a hyperparameter has no value.
pub(super) struct Inactive<'a> {
    /// The condition that does not hold.
    pub(super) condition: &'a Condition,
    /// The value that its parent has instead.
    pub(super) value: &'a space::Value,
}

/// Why `name` has no value; `None` if it is not in the space.
pub(super) fn inactive_because<'a>(
    space: &'a Space,
    name: &str,
    assignment: &'a HyperParameters,
) -> Option<Inactive<'a>> {
    let hyperparameter = space.hyperparameters.iter().find(|known| known.name == name)?;
    let condition = hyperparameter.when.iter().find(|condition| !condition.holds(assignment))?;
    match assignment.get(&condition.parent) {
        Some(value) => Some(Inactive { condition, value }),
        // Its parent has no value either; parents are declared earlier, so this ends.
        None => inactive_because(space, &condition.parent, assignment),
    }
}

/// A condition as the file has it: `{optimizer: [sgd, rmsprop]}`.
pub(super) fn text_of_when(condition: &Condition) -> String {
    let values: Vec<String> = condition.values.iter().map(|value| flow(&yaml(value))).collect();
    match values.as_slice() {
        [one] => format!("{{{}: {one}}}", condition.parent),
        several => format!("{{{}: [{}]}}", condition.parent, several.join(", ")),
    }
}
