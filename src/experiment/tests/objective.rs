//! Several objectives, and the limit on epochs.

use super::{FILE, Overrides, good, parse, set};
use crate::study::{Direction, Objective, Term};

fn with_objective(text: &str) -> String {
    FILE.replacen("objective: val_accuracy", &format!("objective: {text}"), 1)
}

#[test]
fn several_objectives_have_directions_and_weights() {
    let text = "[val_accuracy, {metric: val_loss, weight: 0.5}, {metric: bleu, direction: max}]";
    let experiment = good(&with_objective(text));
    let term =
        |metric: &str, direction, weight| Term { metric: metric.to_owned(), direction, weight };
    assert_eq!(
        experiment.settings.objective,
        Objective::several(vec![
            term("val_accuracy", Direction::Max, 1.0),
            term("val_loss", Direction::Min, 0.5),
            term("bleu", Direction::Max, 1.0),
        ])
    );
    assert_eq!(experiment.warnings.len(), 1, "only `bleu` is not reported");
}

#[test]
fn the_usual_names_tell_their_direction() {
    use Direction::{Max, Min};
    for (metric, direction) in [
        ("val_weighted_accuracy", Max),
        ("f1_score", Max),
        ("val_auc", Max),
        ("precision", Max),
        ("top_k_categorical_accuracy", Max),
        ("val_categorical_crossentropy", Min),
        ("mean_absolute_error", Min),
    ] {
        let experiment = good(&with_objective(metric));
        assert_eq!(experiment.settings.objective.direction, direction, "{metric}");
    }
}

#[test]
fn mistakes_in_objectives_are_named() {
    let cases = [
        (
            "[val_accuracy]",
            "x.yaml:2: objective: expected 2 to 16 objectives, found 1",
            "for one objective, write `objective: val_accuracy`",
        ),
        (
            "[]",
            "x.yaml:2: objective: expected 2 to 16 objectives, found 0",
            "for one objective, write `objective: val_accuracy`",
        ),
        (
            "[val_loss, {metric: val_loss, weight: 2}]",
            "x.yaml:2: `val_loss` is an objective already",
            "give it once, with a `weight`",
        ),
        (
            "[val_loss, bleu]",
            "x.yaml:2: objective[1]: whether less or more `bleu` is better is not known",
            "write `{metric: bleu, direction: max}`, or `min`",
        ),
        (
            "[val_loss, {metric: bleu}]",
            "x.yaml:2: objective[1].metric: whether less or more `bleu` is better is not known",
            "add `direction: max`, or `min`",
        ),
        (
            "[val_loss, {metric: accuracy, weight: 0}]",
            "x.yaml:2: objective[1].weight: expected a number above 0, found the number 0",
            "",
        ),
        (
            "[val_loss, {metric: accuracy, weigth: 1}]",
            "x.yaml:2: unknown key `weigth` in an objective",
            "did you mean `weight`?",
        ),
        (
            "[val_loss, 3]",
            "x.yaml:2: objective[1]: expected text, found the number 3",
            "write it in quotation marks: \"3\"",
        ),
        (
            "{metric: val_loss, weight: 2}",
            "x.yaml:2: unknown key `weight` in `objective`",
            "use `metric` or `direction`",
        ),
    ];
    for (text, message, hint) in cases {
        let error = parse(&with_objective(text), &Overrides::default()).expect_err(text);
        let said = (error.to_string(), error.hint.unwrap_or_default());
        assert_eq!(said, (message.to_owned(), hint.to_owned()));
    }
}

#[test]
fn epochs_in_all_are_limited() {
    let experiment = parse(FILE, &set("limits.epochs", "1200")).expect("a good file");
    assert_eq!(experiment.settings.epochs, Some(1200));
    let error = parse(FILE, &set("limits.epochs", "0")).expect_err("no epochs at all");
    assert_eq!(
        error.to_string(),
        "--set limits.epochs: expected a whole number from 1 to 1000000000000, found the number 0"
    );
}
