//! What the algorithms ask of the rest of the file.

use super::*;

const SEARCH: &str = "{algorithm: random, max_trials: 5}";

/// The file with another search, and a finite space.
fn finite(search: &str) -> String {
    let file = FILE.replace(SEARCH, search);
    file.replace("lr: {float: [0.001, 0.1], sampling: log}", "lr: {choice: [0.001, 0.01, 0.1]}")
}

fn total(search: &str) -> (u32, Vec<String>) {
    let experiment = good(&finite(search));
    let warnings = experiment.warnings.iter().map(Warning::to_string).collect();
    (experiment.settings.max_trials, warnings)
}

fn refused(text: &str) -> (String, String) {
    let error = parse(text, &Overrides::default()).expect_err(text);
    (error.to_string(), error.hint.unwrap_or_default())
}

#[test]
fn what_ends_by_itself_needs_no_max_trials() {
    let none = Vec::<String>::new();
    assert_eq!(total("{algorithm: grid}"), (48, none.clone()));
    assert_eq!(total("{algorithm: grid, max_trials: 7}"), (7, none.clone()));
    let warning = "x.yaml:3: `max_trials` is 50, but the space has only 48 assignments: all of \
                   them are tried";
    assert_eq!(total("{algorithm: grid, max_trials: 50}"), (50, vec![warning.to_owned()]));
    let trials = "{units: 16, act: elu, lr: 0.1}, {units: 32, act: elu, lr: 0.1}";
    assert_eq!(total(&format!("{{algorithm: list, trials: [{trials}]}}")), (2, none.clone()));
    let warning = "x.yaml:3: `max_trials` is 9, but the file lists only 3";
    let list = format!("{{algorithm: list, max_trials: 9, first: [{{}}], trials: [{trials}]}}");
    assert_eq!(total(&list), (9, vec![warning.to_owned()]));
    // Three epochs at a factor of 3: three trials of one, one of which goes on, and two of three.
    assert_eq!(total("{algorithm: hyperband}"), (6, none));
    let warning = "x.yaml:3: `max_trials` is 100, but the schedule has only 6";
    assert_eq!(total("{algorithm: hyperband, max_trials: 100}"), (100, vec![warning.to_owned()]));
}

#[test]
fn trials_of_a_list_are_whole_and_named() {
    let list = "{algorithm: list, trials: {big: {lr: 0.01, units: 128, act: elu}, small: {units: \
                16, act: elu, lr: 0.01}}}";
    let trials = good(&finite(list)).search.trials;
    let names: Vec<Option<&str>> = trials.iter().map(|trial| trial.name.as_deref()).collect();
    assert_eq!(names, [Some("big"), Some("small")]);
    let big = serde_json::to_string(&trials[0].hyperparameters).expect("JSON");
    assert_eq!(big, "{\"units\":128,\"act\":\"elu\",\"lr\":0.01}");
    let fixed = "{algorithm: list, trials: [{units: 16}, {units: 32, act: elu}]}";
    let overrides = Overrides {
        fix: vec![("act".to_owned(), "elu".to_owned()), ("lr".to_owned(), "0.1".to_owned())],
        ..Overrides::default()
    };
    assert!(parse(&finite(fixed), &overrides).is_ok(), "what is fixed may be left out");
}

#[test]
fn what_an_algorithm_cannot_do_is_said() {
    let listed = |trials: &str| finite(&format!("{{algorithm: list, trials: {trials}}}"));
    for (text, message, hint) in [
        (
            FILE.replace(SEARCH, "{algorithm: grid}"),
            "x.yaml:7: a grid needs steps, but `lr` has none",
            "give it steps, for example `step: 10`, a factor, or list values: `{choice: [...]}`",
        ),
        (
            FILE.replace(SEARCH, "{algorithm: grid}").replace(", sampling: log", ""),
            "x.yaml:7: a grid needs steps, but `lr` has none",
            "give it steps, for example `step: 0.01`, or list values: `{choice: [...]}`",
        ),
        (
            finite("{algorithm: grid}").replace("step: 16", "sampling: log"),
            "x.yaml:5: a grid needs steps, but `units` has none",
            "give it steps, for example `step: 10`, a factor, or list values: `{choice: [...]}`",
        ),
        (
            finite("{algorithm: grid}")
                .replace("{int: [16, 128], step: 16}", "{int: [1, 9999999]}"),
            "x.yaml:3: search: `grid` would make too many trials",
            "write `max_trials`, at most 1000000",
        ),
        (
            finite("{algorithm: grid, seed: 1, compat: keras-tuner-1.0}"),
            "x.yaml:3: search.compat: this version of Keras Tuner has no `grid`",
            "use `compat: keras-tuner-1.4`, or leave it out",
        ),
        (
            finite("{algorithm: tpe, max_trials: 5, compat: keras-tuner-1.4}"),
            "x.yaml:3: search.compat: `tpe` follows no version of Keras Tuner",
            "leave out `compat`",
        ),
        (
            finite("{algorithm: tpe}"),
            "x.yaml:3: `max_trials` is missing in `search`",
            "write `max_trials: 20`",
        ),
        (
            finite("{algorithm: random, max_trials: 5, factor: 3}"),
            "x.yaml:3: `random` has no `factor`",
            "leave it out: it is an option of `hyperband`",
        ),
        (
            finite("{algorithm: hyperband, factor: 1}"),
            "x.yaml:3: search.factor: expected a whole number from 2 to 100, found the number 1",
            "",
        ),
        (
            finite("{algorithm: hyperband}").replace("epochs: 3", "epochs: $units"),
            "x.yaml:14: train.epochs: `hyperband` decides how long each trial is trained, at \
             most so long",
            "write the most epochs as a number: `epochs: 81`",
        ),
        (
            finite("{algorithm: hyperband, stopping: asha}"),
            "x.yaml:3: search.stopping: `hyperband` ends trials itself",
            "leave out `stopping`",
        ),
        (
            finite("{algorithm: list}"),
            "x.yaml:3: `trials` is missing in `search`",
            "list the assignments: `trials: [{units: 32, act: relu}, ...]`",
        ),
        (
            listed("[]"),
            "x.yaml:3: search.trials: there is no assignment",
            "write `trials: [{units: 32, act: relu}]`, or with names `trials: {large: {units: \
             128}}`",
        ),
        (
            listed("[{units: 16, lr: 0.1}]"),
            "x.yaml:3: search.trials[0]: `act` is missing in assignment 1",
            "it can be `relu` or `elu`",
        ),
        (
            listed("{big: {units: 16, lr: 0.1}}"),
            "x.yaml:3: search.trials.big: `act` is missing in `big`",
            "it can be `relu` or `elu`",
        ),
        (
            listed("[{units: 16, act: elu, lr: 0.1, acts: elu}]"),
            "x.yaml:3: `acts` is not in the search space",
            "did you mean `act`?",
        ),
        (
            listed("[{units: 17, act: elu, lr: 0.1}]"),
            "x.yaml:3: search.trials[0].units: `units` cannot be the number 17",
            "it can be a whole number from 16 to 128 in steps of 16",
        ),
        (
            listed("{a: {units: 16, act: elu, lr: 0.1}, b: {act: elu, units: 16, lr: 0.1}}"),
            "x.yaml:3: search.trials.b: `a` and `b` are the same",
            "leave out one of them",
        ),
    ] {
        assert_eq!(refused(&text), (message.to_owned(), hint.to_owned()));
    }
}

#[test]
fn steps_are_needed_where_a_repetition_is_written() {
    let text = finite("{algorithm: grid}").replace(
        "  lr:",
        "  depth: {int: [1, 2]}\n  drop_{i}: {float: [0.0, 0.5], repeat: depth}\n  lr:",
    );
    let (message, hint) = refused(&text);
    assert_eq!(message, "x.yaml:8: a grid needs steps, but `drop_1` has none");
    assert_eq!(hint, "give it steps, for example `step: 0.1`, or list values: `{choice: [...]}`");
}
