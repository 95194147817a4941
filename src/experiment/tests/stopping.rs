//! `search.stopping`: what it can say, and what is said about its mistakes.

use super::{FILE, Overrides, good, parse};
use crate::oracle::StoppingRule;

fn file(stopping: &str) -> String {
    let search = format!("max_trials: 5, stopping: {stopping}");
    FILE.replacen("  epochs: 3", "  epochs: 30", 1).replacen("max_trials: 5", &search, 1)
}

#[test]
fn a_rule_is_a_word_or_a_word_with_options() {
    for (text, rule, name, value) in [
        ("asha", StoppingRule::Asha, "factor", 3),
        ("{asha: }", StoppingRule::Asha, "min_epochs", 1),
        ("{asha: {factor: 4}}", StoppingRule::Asha, "factor", 4),
        ("{asha: {factor: 4}}", StoppingRule::Asha, "min_epochs", 1),
        ("median", StoppingRule::Median, "min_epochs", 5),
        ("{median: {startup_trials: 8}}", StoppingRule::Median, "startup_trials", 8),
    ] {
        let experiment = good(&file(text));
        let (known, knobs) = experiment.search.stopping.as_ref().expect("a rule");
        assert_eq!((*known, knobs.whole(name)), (rule, value), "{text}");
        assert_eq!(experiment.search.epochs, 30);
        assert_eq!(experiment.warnings, []);
    }
}

#[test]
fn mistakes_are_told() {
    for (text, message, hint) in [
        ("ahsa", "x.yaml:3: unknown stopping rule `ahsa`", "did you mean `asha`?"),
        ("{ahsa: {}}", "x.yaml:3: unknown key `ahsa` in `stopping`", "did you mean `asha`?"),
        ("{}", "x.yaml:3: search.stopping: expected one stopping rule", "write `asha` or `median`"),
        (
            "{asha: {}, median: {}}",
            "x.yaml:3: search.stopping: expected one stopping rule",
            "write `asha` or `median`",
        ),
        (
            "{asha: {factor: 1}}",
            "x.yaml:3: search.stopping.asha.factor: expected a whole number from 2 to 1000, \
             found the number 1",
            "",
        ),
        (
            "{median: {startup_trails: 5}}",
            "x.yaml:3: unknown key `startup_trails` in `median`",
            "did you mean `startup_trials`?",
        ),
    ] {
        let error = parse(&file(text), &Overrides::default()).expect_err(text);
        assert_eq!(
            (error.to_string().as_str(), error.hint.as_deref().unwrap_or("")),
            (message, hint)
        );
    }
}

#[test]
fn a_rule_that_comes_too_late_is_warned_about() {
    let experiment = good(&file("{asha: {min_epochs: 30}}"));
    assert_eq!(
        experiment.warnings[0].to_string(),
        "x.yaml:3: `asha` stops nothing: its `min_epochs` is not below the 30 epochs"
    );
}
