//! `--set search.max_trials=5` and `--fix Conv1_activation=elu`.

/// What the command line changes in an experiment file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// Dotted paths and YAML values; each replaces what is there, or adds it.
    pub set: Vec<(String, String)>,
    /// Names of hyperparameters and the values at which they are held.
    pub fix: Vec<(String, String)>,
}

/// An override without its `=`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected NAME=VALUE, found `{0}`")]
pub struct ParseOverrideError(String);

/// Splits `NAME=VALUE` at its first `=`.
///
/// # Errors
///
/// If a side is empty, or there is no `=`.
pub fn parse_override(text: &str) -> Result<(String, String), ParseOverrideError> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(ParseOverrideError(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_equals_sign_separates() {
        assert_eq!(
            parse_override(" space.x = {fixed: a=b}"),
            Ok(("space.x".to_owned(), "{fixed: a=b}".to_owned()))
        );
        for text in ["", "a", "=b", "a=", " = "] {
            assert_eq!(
                parse_override(text).expect_err(text).to_string(),
                format!("expected NAME=VALUE, found `{text}`")
            );
        }
    }
}
