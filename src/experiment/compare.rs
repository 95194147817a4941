//! Values of the file as one line of text, and what differs between two files.

use serde_yaml::{Mapping, Value};

use super::path::{Segment, display_path};

/// Longest text of a value in a difference, in characters.
const SHOWN: usize = 80;

/// A value in YAML's flow style: `{int: [16, 128], step: 16}`.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => crate::space::value::python_float(float),
            _ => number.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Sequence(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Mapping(mapping) => {
            let entries: Vec<String> = mapping
                .iter()
                .map(|(key, value)| format!("{}: {}", flow(key), flow(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Tagged(tagged) => format!("{} {}", tagged.tag, flow(&tagged.value)),
    }
}

/// A field that differs.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) path: Vec<Segment>,
    /// Absent: not in the file of the run.
    pub(super) earlier: Option<Value>,
    /// Absent: not in the file any more.
    pub(super) now: Option<Value>,
    /// `search.seed: 2 in the run, 3 now`.
    pub(super) line: String,
}

impl Changed {
    fn new(path: &[Segment], earlier: Option<&Value>, now: Option<&Value>) -> Self {
        let line = line(path, earlier, now);
        Self { path: path.to_vec(), earlier: earlier.cloned(), now: now.cloned(), line }
    }

    #[cfg(test)]
    pub(super) fn field(&self) -> String {
        display_path(&self.path)
    }
}

/// The fields that differ.
///
/// - `ignored`: paths of fields that may differ
pub(super) fn differences(earlier: &Value, now: &Value, ignored: &[&str]) -> Vec<Changed> {
    let mut changes = Vec::new();
    compare(earlier, now, &mut Vec::new(), ignored, &mut changes);
    changes
}

fn compare(
    earlier: &Value,
    now: &Value,
    path: &mut Vec<Segment>,
    ignored: &[&str],
    changes: &mut Vec<Changed>,
) {
    if earlier == now && key_order(earlier) == key_order(now)
        || ignored.contains(&display_path(path).as_str())
    {
        return;
    }
    match (earlier, now) {
        (Value::Mapping(a), Value::Mapping(b)) => compare_mappings(a, b, path, ignored, changes),
        (Value::Sequence(a), Value::Sequence(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                path.push(Segment::Index(index));
                compare(a, b, path, ignored, changes);
                path.pop();
            }
        }
        (a, b) => changes.push(Changed::new(path, Some(a), Some(b))),
    }
}

fn compare_mappings(
    a: &Mapping,
    b: &Mapping,
    path: &mut Vec<Segment>,
    ignored: &[&str],
    changes: &mut Vec<Changed>,
) {
    let count = changes.len();
    let added = b.iter().filter(|(key, _)| !a.contains_key(*key));
    for (key, _) in a.iter().chain(added) {
        path.push(Segment::Key(flow(key)));
        match (a.get(key), b.get(key)) {
            (Some(a), Some(b)) => compare(a, b, path, ignored, changes),
            (a, b) if !ignored.contains(&display_path(path).as_str()) => {
                changes.push(Changed::new(path, a, b));
            }
            _ => {}
        }
        path.pop();
    }
    // Hyperparameters are sampled in the order of the file; elsewhere order means nothing.
    let in_space = *path == [Segment::key("space")];
    if in_space && changes.len() == count && !a.keys().eq(b.keys()) {
        let order = |mapping: &Mapping| mapping.keys().map(flow).collect::<Vec<_>>().join(", ");
        let line =
            format!("space: in the order {} in the run, {} now", cut(&order(a)), cut(&order(b)));
        changes.push(Changed { path: path.clone(), earlier: None, now: None, line });
    }
}

/// Keys of `space` in their order, so that equal mappings in another order are looked into.
fn key_order(value: &Value) -> Vec<&Value> {
    let Value::Mapping(mapping) = value else {
        return Vec::new();
    };
    match mapping.get("space") {
        Some(Value::Mapping(space)) => space.keys().collect(),
        _ => mapping.keys().collect(),
    }
}

fn line(path: &[Segment], earlier: Option<&Value>, now: Option<&Value>) -> String {
    let text = |value: Option<&Value>| match value {
        Some(value) => cut(&flow(value)),
        None => "absent".to_owned(),
    };
    format!("{}: {} in the run, {} now", display_path(path), text(earlier), text(now))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    let short: String = text.chars().take(SHOWN).collect();
    format!("{short}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(earlier: &str, now: &str) -> Vec<String> {
        let read = |text| serde_yaml::from_str(text).expect("YAML");
        let ignored = ["search.max_trials", "limits"];
        let changes = differences(&read(earlier), &read(now), &ignored);
        changes.into_iter().map(|changed| changed.line).collect()
    }

    #[test]
    fn each_difference_is_one_line() {
        let earlier = "search: {seed: 2, max_trials: 5}\nmodel: [flatten, {dense: 10}]\nlimits: {}";
        assert_eq!(between(earlier, earlier), Vec::<String>::new());
        assert_eq!(
            between(earlier, "search: {seed: 3, max_trials: 6}\nmodel: [flatten, {dense: 12}]"),
            ["search.seed: 2 in the run, 3 now", "model[1].dense: 10 in the run, 12 now"]
        );
        assert_eq!(
            between(earlier, "search: {max_trials: 6, x: {a: [1.0]}}\nmodel: [flatten]"),
            [
                "search.seed: 2 in the run, absent now",
                "search.x: absent in the run, {a: [1.0]} now",
                "model: [flatten, {dense: 10}] in the run, [flatten] now",
            ]
        );
    }

    #[test]
    fn only_the_order_of_the_space_matters() {
        assert_eq!(
            between("space: {a: 1, b: 2}\nstudy: x", "study: x\nspace: {b: 2, a: 1}"),
            ["space: in the order a, b in the run, b, a now"]
        );
        assert_eq!(between("data: {a: 1, b: 2}", "data: {b: 2, a: 1}"), Vec::<String>::new());
    }
}
