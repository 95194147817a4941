//! What whoever starts a worker says of it: `--label gpu=a100`.
//!
//! Both sides apply the same bounds: a worker before it starts, a coordinator to
//! whatever it is sent.

use std::collections::BTreeMap;

/// Most labels of a worker.
pub const MAX_LABELS: usize = 16;

/// Longest name of a label, in bytes.
pub const MAX_KEY_BYTES: usize = 63;

/// Longest value of a label, in bytes.
pub const MAX_VALUE_BYTES: usize = 255;

/// Labels that are not accepted. Says nothing of what may be too long to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// Not `KEY=VALUE`.
    #[error("expected KEY=VALUE, such as gpu=a100")]
    NoValue,
    /// Too many.
    #[error("a worker has at most {MAX_LABELS} labels")]
    Count,
    /// The name is not one.
    #[error(
        "the name of a label has 1 to {MAX_KEY_BYTES} letters a-z, A-Z, digits, `.`, `_`, `-` or `/`"
    )]
    Key,
    /// The value is none.
    #[error("the value of a label has at most {MAX_VALUE_BYTES} bytes and no control characters")]
    Value,
    /// Two labels of one name.
    #[error("a label is given twice")]
    Twice,
}

/// Reads `KEY=VALUE`.
///
/// # Errors
///
/// [`LabelError`], but for the number of labels.
pub fn parse(text: &str) -> Result<(String, String), LabelError> {
    let (key, value) = text.split_once('=').ok_or(LabelError::NoValue)?;
    check_one(key, value)?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Puts labels together.
///
/// # Errors
///
/// When there are too many, or two of one name.
pub fn collect(labels: &[(String, String)]) -> Result<BTreeMap<String, String>, LabelError> {
    let all: BTreeMap<_, _> = labels.iter().cloned().collect();
    if all.len() < labels.len() {
        return Err(LabelError::Twice);
    }
    check(&all)?;
    Ok(all)
}

/// Checks labels that came from elsewhere.
///
/// # Errors
///
/// [`LabelError`] of the first that is not accepted.
pub fn check(labels: &BTreeMap<String, String>) -> Result<(), LabelError> {
    if labels.len() > MAX_LABELS {
        return Err(LabelError::Count);
    }
    labels.iter().try_for_each(|(key, value)| check_one(key, value))
}

fn check_one(key: &str, value: &str) -> Result<(), LabelError> {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
    if key.is_empty() || key.len() > MAX_KEY_BYTES || !key.bytes().all(is_plain) {
        return Err(LabelError::Key);
    }
    if value.len() > MAX_VALUE_BYTES || value.chars().any(char::is_control) {
        return Err(LabelError::Value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_and_bounded() {
        let label = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        for (text, expected) in [
            ("gpu=a100", label("gpu", "a100")),
            ("gpu=", label("gpu", "")),
            ("k8s.io/node=größer=7", label("k8s.io/node", "größer=7")),
            ("gpu", Err(LabelError::NoValue)),
            ("=a100", Err(LabelError::Key)),
            ("g pu=a100", Err(LabelError::Key)),
            ("gpu=a\u{1b}[2J", Err(LabelError::Value)),
            (&format!("{}=1", "k".repeat(63)), label(&"k".repeat(63), "1")),
            (&format!("{}=1", "k".repeat(64)), Err(LabelError::Key)),
            (&format!("k={}", "v".repeat(256)), Err(LabelError::Value)),
            (&format!("k={}", "v".repeat(1 << 20)), Err(LabelError::Value)),
        ] {
            assert_eq!(parse(text), expected, "{}", &text[..text.len().min(80)]);
        }
    }

    #[test]
    fn there_are_only_so_many() {
        let labels = |count: usize| -> Vec<(String, String)> {
            (0..count).map(|index| (format!("k{index}"), String::new())).collect()
        };
        assert_eq!(collect(&labels(16)).map(|labels| labels.len()), Ok(16));
        assert_eq!(collect(&labels(17)), Err(LabelError::Count));
        let twice = [labels(1), labels(1)].concat();
        assert_eq!(collect(&twice), Err(LabelError::Twice));
    }
}
