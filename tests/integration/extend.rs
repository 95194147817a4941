//! Studies that go on after their end: in another space, or past a limit.

use crate::commands::{error, outcome};
use crate::support::{EXPERIMENT, Running, Workplace};

/// A new hyperparameter, whose default is what the network had before.
const BETA: [&str; 4] = [
    "--set",
    "space.beta={float: [0.8, 0.95], default: 0.9}",
    "--set",
    "train.optimizer.adam.beta_1=$beta",
];

/// A table without one of its columns.
fn without(column: &str, table: &str) -> String {
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    let index = rows[0].iter().position(|name| *name == column).expect("the column");
    rows.iter()
        .map(|row| {
            let mut row = row.clone();
            row.remove(index);
            row.join(",") + "\n"
        })
        .collect()
}

fn lines(text: &str, count: usize) -> String {
    text.lines().take(count).map(|line| format!("{line}\n")).collect()
}

#[test]
fn another_space_is_taken_only_when_asked_for() {
    let workplace = Workplace::new(EXPERIMENT);
    workplace.finish();
    let earlier = workplace.settled("trials.csv");
    let (code, stderr) = outcome(&workplace, &BETA);
    assert_eq!(code, Some(2));
    assert_eq!(
        error(&stderr),
        "error: runs/toy was made by a different experiment:\n\
         space.beta: absent in the run, {float: [0.8, 0.95], default: 0.9} now\n\
         train.optimizer.adam.beta_1: absent in the run, $beta now\n\n\
         hint: `--extend` goes on with the changed space and keeps the trials; else give this \
         one another `study:` name, or `--overwrite` to delete the earlier run\n"
    );

    let more = ["--set", "search.max_trials=12"];
    let extend = [&BETA[..], &more, &["--extend"]].concat();
    let (code, stderr) = outcome(&workplace, &extend);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("extended: space.beta: absent in the run"), "{stderr}");
    let trials = workplace.settled("trials.csv");
    assert_eq!(trials.lines().count(), 13, "{trials}");
    assert_eq!(lines(&without("beta", &trials), 9), earlier, "earlier trials are kept");
    assert!(workplace.read("runs/toy/experiment.yaml").contains("beta_1: $beta"));

    let (code, stderr) = outcome(&workplace, &[&BETA[..], &more].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("nothing is left to do"), "{stderr}");
}

#[test]
fn what_was_under_way_is_finished_with_the_defaults_of_what_is_new() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut running = Running::start(workplace.study(30));
    // One worker may be well ahead of the other, with both executions of trial 0.
    running.wait_for("epoch", 16);
    running.signal("KILL");
    running.end();
    let (code, stderr) = outcome(&workplace, &[&BETA[..], &["--extend"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    let undisturbed = Workplace::new(EXPERIMENT);
    undisturbed.finish();
    let expected = undisturbed.settled("trials.csv");
    let found = workplace.settled("trials.csv");
    let beta =
        found.lines().next().and_then(|line| line.split(',').position(|name| name == "beta"));
    let column = beta.expect("the new column");
    let before =
        found.lines().skip(1).take_while(|line| line.split(',').nth(column) == Some("")).count();
    assert!((1..8).contains(&before), "{found}");
    assert_eq!(lines(&without("beta", &found), before + 1), lines(&expected, before + 1));
    assert_eq!(found.matches(",completed,").count(), 8, "{found}");
}

#[test]
fn an_extension_does_not_excuse_other_changes() {
    let workplace = Workplace::new(EXPERIMENT);
    workplace.finish();
    let changes = [
        "--set",
        "search.seed=4",
        "--set",
        "train.epochs=5",
        "--set",
        "space.units={int: [4, 32]}",
        "--extend",
    ];
    let (code, stderr) = outcome(&workplace, &changes);
    assert_eq!(code, Some(2));
    assert_eq!(
        error(&stderr),
        "error: runs/toy was made by a different experiment:\n\
         search.seed: 3 in the run, 4 now\n\
         train.epochs: 4 in the run, 5 now\n\n\
         hint: give this one another `study:` name, or `--overwrite` to delete the earlier run\n"
    );
}

#[test]
fn a_space_that_was_exhausted_goes_on_when_extended() {
    let small = EXPERIMENT
        .replace("  units: {int: [4, 64]}\n", "")
        .replace("  learning_rate: {float: [1.0e-4, 1.0e-2], sampling: log}\n", "")
        .replace("$units", "8")
        .replace("$learning_rate", "0.001");
    let workplace = Workplace::new(&small);
    workplace.finish();
    assert_eq!(workplace.settled("trials.csv").lines().count(), 3);
    let wider = ["--set", "space.activation={choice: [relu, tanh, elu]}", "--extend"];
    let (code, stderr) = outcome(&workplace, &wider);
    assert_eq!(code, Some(0), "{stderr}");
    let trials = workplace.settled("trials.csv");
    assert_eq!(trials.lines().count(), 4, "{trials}");
    assert!(trials.lines().nth(3).is_some_and(|line| line.contains(",elu,")), "{trials}");
}

#[test]
fn a_limit_of_epochs_ends_the_study_and_may_be_lifted() {
    let workplace = Workplace::new(EXPERIMENT);
    let limit = ["--set", "limits.epochs=10"];
    let (code, stderr) = outcome(&workplace, &limit);
    assert_eq!(code, Some(0), "{stderr}");
    let summary = workplace.read("runs/toy/summary.txt");
    assert!(summary.contains("Ended: the limit of 10 epochs was reached"), "{summary}");
    let measurements = workplace.read("runs/toy/measurements.csv");
    assert_eq!(measurements.lines().count(), 11, "{measurements}");

    let (code, stderr) = outcome(&workplace, &limit);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("to go on, raise `limits.epochs`"), "{stderr}");

    workplace.finish();
    let undisturbed = Workplace::new(EXPERIMENT);
    undisturbed.finish();
    assert_eq!(workplace.settled("trials.csv"), undisturbed.settled("trials.csv"));
}

#[test]
fn several_objectives_are_told_apart_in_all_results() {
    let several = EXPERIMENT.replace(
        "objective: val_accuracy",
        "objective: [val_accuracy, {metric: val_loss, weight: 0.5}]",
    );
    let workplace = Workplace::new(&several);
    workplace.finish();
    let trials = workplace.settled("trials.csv");
    let mut rows = trials.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = rows.next().expect("a header");
    assert_eq!(header[..6], ["trial", "state", "score", "val_accuracy", "val_loss", "units"]);
    for row in rows {
        let [score, accuracy, loss] =
            [2, 3, 4].map(|column| row[column].parse::<f64>().expect("a number"));
        assert!((score - (0.5 * loss - accuracy)).abs() < 1e-12, "{row:?}");
    }
    let summary = workplace.read("runs/toy/summary.txt");
    for part in [
        "\nMultiObjective(name=\"multi_objective\", direction=\"min\"): [Objective(",
        "\nPareto front: ",
        "\ntrial  val_accuracy (max)  val_loss (min, weight 0.5)\n",
    ] {
        assert!(summary.contains(part), "{part}\n{summary}");
    }
    let best = workplace.read("runs/toy/best/hyperparameters.json");
    assert!(best.contains("\"weight\": 0.5"), "{best}");
}
