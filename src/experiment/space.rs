//! The `space:` section: what each of its keys declares.
//!
//! A key declares one hyperparameter; with a list, several of one name, of which
//! one at most is active; with `repeat`, one for each repetition.

use std::collections::HashMap;

use serde_yaml::Value as Yaml;

use super::conditions::{self, Among, Child, exclude_each_other, stands_for};
use super::error::Fault;
use super::kind;
use super::names::{MAX_NAME_BYTES, instead_of, is_identifier};
use super::node::{Node, shorten};
use super::path::Segment;
use super::repeat::{INDEX, Repeat, numbered};
use super::values::{can_be, text_of_range};
use crate::space::{HyperParameter, Kind, Rules, Space, Value};

/// Most hyperparameters of a space.
const MAX_ENTRIES: usize = 10_000;

/// The section as it was written.
#[derive(Debug, Clone, Default)]
pub(super) struct Declared {
    pub(super) space: Space,
    pub(super) entries: Vec<Entry>,
}

/// A key of the section.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Names of the hyperparameters that it declares, each once.
    pub(super) names: Vec<String>,
}

/// Reads the section; an empty one is a space of one assignment.
pub(super) fn read(node: &Node<'_>, rules: Rules) -> Result<Declared, Fault> {
    let mut declared = Declared::default();
    declared.space.rules = rules;
    if node.value().is_null() {
        return Ok(declared);
    }
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (key, entry) in node.entries()? {
        check_key(key, &entry)?;
        let among =
            Among { space: &declared.space, child: Some(Child { key, section: node.value() }) };
        let mut names: Vec<String> = Vec::new();
        for (place, hyperparameter) in hyperparameters(key, &entry, &among)? {
            let known = &mut declared.space.hyperparameters;
            let same_name = places.entry(hyperparameter.name.clone()).or_default();
            if same_name.iter().any(|index| !exclude_each_other(&known[*index], &hyperparameter)) {
                return Err(twice(&place, &hyperparameter.name));
            }
            same_name.push(known.len());
            if !names.contains(&hyperparameter.name) {
                names.push(hyperparameter.name.clone());
            }
            known.push(hyperparameter);
            if known.len() > MAX_ENTRIES {
                let message = format!("there are more than {MAX_ENTRIES} hyperparameters");
                return Err(node.fault(message));
            }
        }
        declared.entries.push(Entry { key: key.to_owned(), names });
    }
    Ok(declared)
}

fn check_key(key: &str, entry: &Node<'_>) -> Result<(), Fault> {
    if is_identifier(&numbered(key, Some(1))) {
        return Ok(());
    }
    let fault = entry.fault(format!("`{}` cannot be the name of a hyperparameter", shorten(key)));
    if key.contains('{') {
        let hint = format!("write `{INDEX}` where the number of a repetition stands");
        return Err(fault.self_contained().hint(hint));
    }
    Err(fault.self_contained().hint(format!(
        "use letters, digits, `_`, `.`, `/` and `-`, a letter or `_` first, at most \
         {MAX_NAME_BYTES}"
    )))
}

fn twice(place: &Node<'_>, name: &str) -> Fault {
    let fault = place.fault(format!("`{name}` is declared twice, and both can be active at once"));
    fault.self_contained().hint(
        "give both conditions that exclude each other, for example `when: {optimizer: sgd}` and \
         `when: {optimizer: adam}`",
    )
}

/// All that one key declares, in sampling order, and where each is written.
fn hyperparameters<'a>(
    key: &str,
    entry: &Node<'a>,
    among: &Among<'_>,
) -> Result<Vec<(Node<'a>, HyperParameter)>, Fault> {
    let mut declarations = Vec::new();
    for node in alternatives(entry)? {
        let draft = kind::read(&node, among.space.rules)?;
        let repeat = match &draft.repeat {
            Some(node) => Some(Repeat::read(node, among)?),
            None => None,
        };
        check_index(key, &node, draft.repeat.as_ref())?;
        declarations.push((node, draft, repeat));
    }
    let most = |repeat: &Option<Repeat>| repeat.as_ref().map_or(1, Repeat::most);
    let largest = declarations.iter().map(|(.., repeat)| most(repeat)).max().unwrap_or(0);
    let mut hyperparameters = Vec::new();
    for number in 1..=largest {
        for (node, draft, repeat) in &declarations {
            if number > most(repeat) {
                continue;
            }
            let repetition = repeat.as_ref().map(|_| number);
            let repeated = repeat.as_ref().and_then(|repeat| repeat.condition(number));
            let mut when: Vec<_> = repeated.into_iter().collect();
            if let Some(node) = &draft.when {
                when.extend(conditions::read(node, among, repetition)?);
            }
            let name = numbered(key, repetition).into_owned();
            let hyperparameter = HyperParameter { name, kind: draft.kind.clone(), when };
            hyperparameters.push((node.clone(), hyperparameter));
        }
    }
    Ok(hyperparameters)
}

/// The declarations under one key: itself, or each of a list of mappings.
fn alternatives<'a>(entry: &Node<'a>) -> Result<Vec<Node<'a>>, Fault> {
    match entry.value() {
        Yaml::Sequence(items) if !items.is_empty() && items.iter().all(Yaml::is_mapping) => {
            entry.items()
        }
        _ => Ok(vec![entry.clone()]),
    }
}

/// `{i}` and `repeat` go together.
fn check_index(key: &str, node: &Node<'_>, repeat: Option<&Node<'_>>) -> Result<(), Fault> {
    match (key.contains(INDEX), repeat) {
        (true, Some(_)) | (false, None) => Ok(()),
        (true, None) => {
            let fault = node.fault(format!("`{key}` needs to know how often it is repeated"));
            let hint = "add `repeat: NAME` with the hyperparameter that says it";
            Err(fault.self_contained().hint(hint))
        }
        (false, Some(repeat)) => {
            let fault = repeat.fault(format!("the name of what is repeated needs `{INDEX}`"));
            Err(fault.hint(format!("write `{key}_{INDEX}` for `{key}_1`, `{key}_2`, ...")))
        }
    }
}

/// What takes a hyperparameter out of the search: values, and where in the file
/// each is to be fixed.
///
/// - `text`: stands for the value
pub(super) fn fixed(
    node: Option<&Node<'_>>,
    declared: &Declared,
    name: &str,
    text: &str,
) -> Result<Vec<(Vec<Segment>, Value)>, Fault> {
    let fault = |message: String| Fault::new(&[], message);
    let entries = match node {
        Some(node) if !node.value().is_null() => node.entries()?,
        Some(_) | None => Vec::new(),
    };
    let Some((_, entry)) = entries.iter().find(|(key, _)| *key == name) else {
        if let Some((key, _)) = entries.iter().find(|(key, _)| stands_for(key, name)) {
            let fault = fault(format!("`{name}` is one of `{key}`"));
            return Err(fault.hint(format!("fix all of them: --fix '{key}={}'", shorten(text))));
        }
        let known: Vec<&str> = declared.entries.iter().map(|entry| entry.key.as_str()).collect();
        let fault = fault(format!("`{name}` is not in the search space"));
        return Err(fault.hint(instead_of(name, &known)));
    };
    let rules = declared.space.rules;
    alternatives(entry)?
        .into_iter()
        .map(|node| {
            let kind: Kind = kind::read(&node, rules)?.kind;
            let value = can_be(&kind, rules, text).ok_or_else(|| {
                let fault = fault(format!("`{name}` cannot be `{}`", shorten(text)));
                fault.hint(format!("it can be {}", text_of_range(&kind)))
            })?;
            Ok((node.path().to_vec(), value))
        })
        .collect()
}
