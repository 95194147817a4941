//! Names: which are allowed, and which one was probably meant.

use strsim::{jaro_winkler, normalized_damerau_levenshtein};

/// Longest name of a study, hyperparameter, layer or metric, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 100;

/// How alike two names must be, in [0, 1], for one to be a slip of the other.
/// At 0.6, two letters in five may be wrong; below that, suggestions mislead.
const SLIP: f64 = 0.6;

/// Most names that a message lists.
const LISTED: usize = 24;

/// The known name that is most like `name`, if it is like it at all.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let other = candidate.to_lowercase();
            let distance = normalized_damerau_levenshtein(&name, &other);
            (candidate, distance, jaro_winkler(&name, &other))
        })
        .filter(|(_, distance, _)| *distance >= SLIP)
        .max_by(|a, b| a.1.total_cmp(&b.1).then(a.2.total_cmp(&b.2)))
        .map(|(candidate, ..)| candidate)
}

/// What to write instead of an unknown name: the nearest, else any of the known.
pub(super) fn instead_of(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("use {}", alternatives(known)),
    }
}

/// `a`, `b` or `c`, for as many as can be read at a glance.
pub(super) fn alternatives(known: &[&str]) -> String {
    listed(known, "or")
}

/// `a`, `b` and `c`, for as many as can be read at a glance.
pub(super) fn all_of(known: &[&str]) -> String {
    listed(known, "and")
}

fn listed(names: &[&str], conjunction: &str) -> String {
    let quoted: Vec<String> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((one, [])) => one.clone(),
        Some((last, others)) if names.len() <= LISTED => {
            format!("{} {conjunction} {last}", others.join(", "))
        }
        Some(_) => format!("{}, ...", quoted.join(", ")),
    }
}

/// Whether a hyperparameter, layer or metric may be called so:
/// `[A-Za-z_][A-Za-z0-9_./-]*`.
pub(super) fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    name.len() <= MAX_NAME_BYTES
        && letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || "_./-".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognized_and_other_words_are_not() {
        let known = ["max_trials", "executions_per_trial", "algorithm", "seed"];
        for (name, expected) in [
            ("max_trails", Some("max_trials")),
            ("Max_Trials", Some("max_trials")),
            ("sead", Some("seed")),
            ("algoritm", Some("algorithm")),
            ("executions_per_trail", Some("executions_per_trial")),
            ("budget", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }

    #[test]
    fn alternatives_read_as_a_sentence() {
        assert_eq!(alternatives(&["a"]), "`a`");
        assert_eq!(alternatives(&["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
