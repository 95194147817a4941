//! Paths into an experiment file: `model[3].conv2d.filters`.

use std::fmt::Write as _;

use serde_yaml::Value;

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// The value under a key.
    Key(String),
    /// An item of a list, from 0.
    Index(usize),
}

impl Segment {
    pub(super) fn key(name: &str) -> Self {
        Self::Key(name.to_owned())
    }
}

/// A path as people write it.
pub(super) fn display_path(path: &[Segment]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Key(name) if text.is_empty() => text.push_str(name),
            Segment::Key(name) => {
                text.push('.');
                text.push_str(name);
            }
            Segment::Index(index) => {
                write!(text, "[{index}]").expect("writing to a String cannot fail");
            }
        }
    }
    text
}

/// Reads a path; `None` if it is not one.
///
/// A name may contain dots. Where the document has a key with a dot that
/// matches, that key is meant; else every dot separates.
pub(super) fn parse_path(text: &str, document: &Value) -> Option<Vec<Segment>> {
    let mut path = Vec::new();
    let mut here = Some(document);
    let mut rest = text;
    loop {
        if let Some(after) = rest.strip_prefix('[') {
            let (number, after) = after.split_once(']')?;
            let index: usize = number.parse().ok()?;
            path.push(Segment::Index(index));
            here = here.and_then(|value| value.get(index));
            rest = after;
        } else {
            let name = longest_key(rest, here);
            if name.is_empty() {
                return None;
            }
            path.push(Segment::key(name));
            here = here.and_then(|value| value.get(name));
            rest = &rest[name.len()..];
        }
        rest = match rest.strip_prefix('.') {
            Some("") => return None,
            Some(after) => after,
            None if rest.is_empty() => return Some(path),
            None if rest.starts_with('[') => rest,
            None => return None,
        };
    }
}

/// The key that `text` starts with.
fn longest_key<'a>(text: &'a str, here: Option<&Value>) -> &'a str {
    let ends = || {
        text.char_indices()
            .filter(|(_, letter)| matches!(letter, '.' | '['))
            .map(|(end, _)| end)
            .chain([text.len()])
    };
    let known =
        ends().filter(|&end| here.is_some_and(|value| value.get(&text[..end]).is_some())).max();
    &text[..known.or(ends().next()).unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_back_as_they_are_written() {
        let document: Value =
            serde_yaml::from_str("space: {a.b: {int: [1, 2]}}\nmodel: [flatten]").expect("YAML");
        for (text, length) in [
            ("search.max_trials", 2),
            ("model[3].conv2d.filters", 4),
            ("model[0]", 2),
            ("space.a.b.int[1]", 4),
            ("space.c.d", 3),
            ("a[0][1].b", 4),
        ] {
            let path = parse_path(text, &document).expect(text);
            assert_eq!(path.len(), length, "{text}");
            assert_eq!(display_path(&path), text);
        }
        for text in ["", ".", "a.", ".a", "a..b", "a[x]", "a[1", "a[1]b", "a[-1]"] {
            assert_eq!(parse_path(text, &document), None, "{text}");
        }
    }
}
