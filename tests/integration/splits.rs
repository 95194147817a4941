//! How examples are divided, from the file to the tables: cross-validation, and
//! the warnings of splits that tell too much or too little.

use std::collections::BTreeMap;

use crate::support::{EXPERIMENT, Workplace};

const SEARCH: &str = "search: {algorithm: random, max_trials: 8, executions_per_trial: 2, seed: 3}";
const SPLIT: &str = "split: {test: 0.2, validation: 0.2, seed: 1}";

/// The usual experiment with another `search:` and another `split:`.
fn experiment(search: &str, split: &str) -> String {
    assert!(EXPERIMENT.contains(SEARCH) && EXPERIMENT.contains(SPLIT));
    EXPERIMENT.replace(SEARCH, search).replace(SPLIT, split)
}

/// Cells of some columns of a table of the run, row by row.
fn columns(workplace: &Workplace, table: &str, names: &[&str]) -> Vec<Vec<String>> {
    let text = workplace.read(&format!("runs/toy/{table}"));
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let index = |name: &&str| {
        let index = header.iter().position(|known| known == name);
        index.unwrap_or_else(|| panic!("no column {name} in {header:?}"))
    };
    let indices: Vec<usize> = names.iter().map(index).collect();
    lines.map(|row| indices.iter().map(|index| row[*index].to_owned()).collect()).collect()
}

/// Every trial has been trained once on each of three folds, and its score is
/// the mean over them.
fn assert_cross_validated(search: &str, trials: usize) {
    let workplace = Workplace::new(&experiment(search, "split: {test: 0.2, folds: 3, seed: 1}"));
    workplace.finish();
    let mut folds: BTreeMap<String, Vec<(String, f64)>> = BTreeMap::new();
    for row in columns(&workplace, "executions.csv", &["trial", "fold", "best_val_accuracy"]) {
        let best = row[2].parse().unwrap_or_else(|_| panic!("{search}: {row:?}"));
        folds.entry(row[0].clone()).or_default().push((row[1].clone(), best));
    }
    assert_eq!(folds.len(), trials, "{search}");
    for row in columns(&workplace, "trials.csv", &["trial", "score"]) {
        let (names, bests): (Vec<&str>, Vec<f64>) =
            folds[&row[0]].iter().map(|(name, best)| (name.as_str(), *best)).unzip();
        assert_eq!(names, ["fold-1", "fold-2", "fold-3"], "{search}");
        let score: f64 = row[1].parse().expect("a score");
        assert!((score - bests.iter().sum::<f64>() / 3.0).abs() < 1e-12, "{search}: {row:?}");
    }
    let summary = workplace.read("runs/toy/summary.txt");
    assert!(summary.contains(", cross-validated on 3 folds\n"), "{summary}");
}

#[test]
fn every_algorithm_validates_on_every_fold() {
    assert_cross_validated("search: {algorithm: random, max_trials: 3, seed: 3}", 3);
    assert_cross_validated(
        "search:
  algorithm: list
  trials:
    - {units: 8, activation: relu, learning_rate: 1.0e-3}
    - {units: 16, activation: tanh, learning_rate: 1.0e-3}",
        2,
    );
    // A promoted execution goes on from a checkpoint that is of its fold, or it fails.
    assert_cross_validated("search: {algorithm: hyperband, factor: 2, max_trials: 7, seed: 3}", 7);
}

#[test]
fn the_run_has_the_table_of_who_is_in_which_part() {
    let split = "split: {test: 0.2, folds: 5, seed: 1}";
    let workplace =
        Workplace::new(&experiment("search: {algorithm: random, max_trials: 1}", split));
    workplace.finish();
    let rows = columns(&workplace, "splits.csv", &["row", "class", "part"]);
    // Six recordings of either class: one to test on, and one in each fold.
    assert_eq!(rows.len(), 12);
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(row[0], number.to_string());
        *counts.entry((&row[1], &row[2])).or_default() += 1;
    }
    assert_eq!(counts.len(), 2 * 6, "{counts:?}");
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert_eq!(columns(&workplace, "executions.csv", &["execution"]).len(), 5);

    let check = workplace.sweep(&["check", "toy.yaml"]).output().expect("sweep starts");
    let check = String::from_utf8(check.stdout).expect("text");
    let line = "\nEach trial: 5 executions, of which each validates on another fold\n";
    assert!(check.contains(line), "{check}");
}

/// What `sweep FILE`, `sweep prepare` and `sweep check` warn of.
fn warnings(workplace: &Workplace) -> [Vec<String>; 3] {
    let of = |output: std::process::Output| -> Vec<String> {
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.success(), "{stderr}");
        let warnings = stderr.lines().filter(|line| line.starts_with("warning: "));
        warnings.map(str::to_owned).collect()
    };
    let command = |name| workplace.sweep(&[name, "toy.yaml"]).output().expect("sweep starts");
    [of(workplace.finish()), of(command("prepare")), of(command("check"))]
}

#[test]
fn a_leaky_split_is_warned_of_once_by_every_command() {
    let leaky = SPLIT.replace("seed: 1", "seed: 1, group: none");
    let slices = format!("slices: 2\n  {leaky}");
    let workplace = Workplace::new(&experiment(SEARCH, &slices));
    for warnings in warnings(&workplace) {
        let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
        let start = "warning: toy.yaml:12: slices of one recording come to lie on both sides";
        assert!(warning.starts_with(start), "{warning}");
    }
}

#[test]
fn a_tail_without_one_of_the_classes_is_warned_of() {
    // Of ten recordings that are not to test on, one validates.
    let tail = SPLIT.replace("validation: 0.2", "validation_split: 0.1");
    let workplace = Workplace::new(&experiment(SEARCH, &tail));
    let [run, prepare, check] = warnings(&workplace);
    let [warning] = run.as_slice() else { panic!("{run:?}") };
    let start = "warning: `validation` has no example of class `";
    let end = "`: `validation_split` does not look at classes, while `validation` takes a share \
               of each";
    assert!(warning.starts_with(start) && warning.ends_with(end), "{warning}");
    assert_eq!(prepare, run);
    assert!(check.is_empty(), "it knows no data: {check:?}");
}
