//! Which differences from the file of a run are an extension of its search:
//! trials go on in another space, and those of the earlier one are kept.
//!
//! Scores stay comparable only while everything but the searched values stays
//! the same. So the space may change in any way, and `train` and `model` where
//! they name a hyperparameter that only one of the two spaces has.

use std::collections::HashSet;

use serde_yaml::Value;

use super::compare::{Changed, flow};
use super::path::Segment;

/// Hyperparameters, as the files name them, that only one of two spaces has.
pub(super) fn only_in_one(earlier: &Value, now: &Value) -> HashSet<String> {
    let names = |file: &Value| -> HashSet<String> {
        let space = file.get("space").and_then(Value::as_mapping);
        space.into_iter().flat_map(|space| space.keys().map(flow)).collect()
    };
    names(earlier).symmetric_difference(&names(now)).cloned().collect()
}

/// Whether `changed` is part of an extension.
///
/// - `names`: hyperparameters that only one of the spaces has
pub(super) fn extends(changed: &Changed, names: &HashSet<String>) -> bool {
    let Some(Segment::Key(section)) = changed.path.first() else { return false };
    match section.as_str() {
        "space" => true,
        "train" | "model" => {
            let is_condition = changed.path.contains(&Segment::key("when"));
            let is_parent = |segment: &Segment| match segment {
                Segment::Key(key) => is_condition && names.contains(key),
                Segment::Index(_) => false,
            };
            changed.path.iter().any(is_parent)
                || [&changed.earlier, &changed.now]
                    .into_iter()
                    .flatten()
                    .any(|value| mentions(value, names, is_condition))
        }
        _ => false,
    }
}

/// Whether a `$name`, or a key of a `when`, is among `names`.
fn mentions(value: &Value, names: &HashSet<String>, is_condition: bool) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.strip_prefix('$').is_some_and(|name| names.contains(name)),
        Value::Sequence(items) => items.iter().any(|item| mentions(item, names, is_condition)),
        Value::Mapping(mapping) => mapping.iter().any(|(key, value)| {
            let key = flow(key);
            (is_condition && names.contains(&key)) || mentions(value, names, key == "when")
        }),
        Value::Tagged(tagged) => mentions(&tagged.value, names, is_condition),
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::differences;
    use super::*;

    const FILE: &str = "
search: {seed: 2}
space: {units: {int: [4, 64]}}
train: {epochs: 4, optimizer: adam}
model: [flatten, {dense: {units: $units}}, {dense: classes}]
";

    /// The fields that differ, and whether an extension takes them.
    fn between(changes: &[(&str, &str)]) -> Vec<(String, bool)> {
        let text = changes.iter().fold(FILE.to_owned(), |text, (old, new)| {
            assert!(text.contains(old), "{old}");
            text.replacen(old, new, 1)
        });
        let read = |text: &str| -> Value { serde_yaml::from_str(text).expect("YAML") };
        let (earlier, now) = (read(FILE), read(&text));
        let names = only_in_one(&earlier, &now);
        differences(&earlier, &now, &[])
            .iter()
            .map(|changed| (changed.field(), extends(changed, &names)))
            .collect()
    }

    fn fields(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
        expected.iter().map(|(field, extends)| ((*field).to_owned(), *extends)).collect()
    }

    #[test]
    fn any_change_of_the_space_is_an_extension() {
        assert_eq!(between(&[("64", "128")]), fields(&[("space.units.int[1]", true)]));
        assert_eq!(
            between(&[(
                "{units: {int: [4, 64]}}",
                "{act: {choice: [relu]}, units: {int: [4, 64]}}"
            )]),
            fields(&[("space.act", true)])
        );
    }

    #[test]
    fn the_network_may_change_where_it_names_what_is_new_or_gone() {
        let rate = ("64]}}", "64]}, rate: {float: [0.0, 0.5]}, drop: {boolean: true}}");
        let space = [("space.rate", true), ("space.drop", true)];
        for (old, new, field, extends) in [
            ("dense: classes", "dropout: $rate", "model[2].dropout", true),
            ("flatten, ", "flatten, {dropout: $rate}, ", "model", true),
            ("flatten, ", "flatten, {dropout: 0.1, when: {drop: true}}, ", "model", true),
            ("{dense: {", "{when: {drop: true}, dense: {", "model[1].when", true),
            (
                "optimizer: adam",
                "optimizer: {adam: {learning_rate: $rate}}",
                "train.optimizer",
                true,
            ),
            (
                "optimizer: adam",
                "optimizer: {adam: {learning_rate: $units}}",
                "train.optimizer",
                false,
            ),
            ("epochs: 4", "epochs: 8", "train.epochs", false),
            ("flatten, ", "flatten, {dropout: 0.1}, ", "model", false),
        ] {
            let expected = [&space[..], &[(field, extends)]].concat();
            let mut found = between(&[rate, (old, new)]);
            found.retain(|(field, _)| field != "model[2].dense");
            assert_eq!(found, fields(&expected), "{new}");
        }
        assert_eq!(
            between(&[("space: {units: {int: [4, 64]}}", "space: {}"), ("$units", "32")]),
            fields(&[("space.units", true), ("model[1].dense.units", true)])
        );
    }

    #[test]
    fn nothing_else_is_an_extension() {
        assert_eq!(
            between(&[("seed: 2", "seed: 3"), ("64", "128")]),
            fields(&[("search.seed", false), ("space.units.int[1]", true)])
        );
    }
}
