//! Trials that are stopped early, on any number of workers.

use std::collections::BTreeMap;
use std::process::Command;

use crate::support::{Running, Workplace, toy_worker};

/// Rungs at 1, 3 and 9 epochs of 10; toy trials differ enough for most to be stopped.
const EXPERIMENT: &str = "\
study: toy
objective: val_accuracy
search: {algorithm: random, max_trials: 16, executions_per_trial: 2, seed: 3, stopping: asha}
space:
  units: {int: [4, 64]}
  activation: {choice: [relu, tanh]}
data:
  synthetic: {classes: 2, clips: 6, seconds: 0.5}
  features: {mel: {n_fft: 512, hop_length: 512, n_mels: 8, frames: 16}}
  split: {test: 0.2, validation: 0.2, seed: 1}
train: {epochs: 10, batch_size: 4, optimizer: adam}
model:
  - flatten
  - dense: {units: $units, activation: $activation}
  - dense: {units: classes, activation: softmax}
";

fn study(workplace: &Workplace, workers: u32, epoch_ms: u32) -> Command {
    let mut command = workplace.sweep(&["toy.yaml", "--local-workers", &workers.to_string()]);
    command
        .arg("--worker-program")
        .arg(toy_worker())
        .env("SWEEP_TOY_EPOCH_MS", epoch_ms.to_string());
    command
}

fn rows(workplace: &Workplace, table: &str) -> Vec<BTreeMap<String, String>> {
    let text = workplace.read(&format!("runs/toy/{table}"));
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let header: Vec<String> = lines.next().expect("a header").collect();
    lines.map(|row| header.iter().cloned().zip(row).collect()).collect()
}

fn score(trial: &BTreeMap<String, String>) -> f64 {
    trial["score"].parse().expect("completed and stopped trials have a score")
}

/// What has to hold of a finished study, whoever did the work.
fn assert_sound(workplace: &Workplace) {
    let mut lasts: BTreeMap<(String, String), u32> = BTreeMap::new();
    for row in rows(workplace, "measurements.csv") {
        let epoch: u32 = row["epoch"].parse().expect("a number");
        let last = lasts.entry((row["trial"].clone(), row["execution"].clone())).or_default();
        *last = epoch.max(*last);
    }
    let trials = rows(workplace, "trials.csv");
    assert_eq!(trials.len(), 16);
    let of = |state: &str| trials.iter().filter(|trial| trial["state"] == state).count();
    let (completed, stopped) = (of("completed"), of("stopped"));
    assert_eq!(completed + stopped, 16, "{trials:?}");
    assert!(completed >= 1, "the best so far is never stopped");
    assert!(stopped >= 4, "{stopped} of 16");
    for trial in &trials {
        let epochs = lasts.iter().filter(|((id, _), _)| *id == trial["trial"]);
        let epochs: Vec<u32> = epochs.map(|(_, last)| *last).collect();
        assert!((0.0..=1.0).contains(&score(trial)));
        match trial["state"].as_str() {
            "completed" => assert!(epochs.iter().all(|last| *last == 10), "{trial:?}: {epochs:?}"),
            // Its other execution may have been quicker, and done.
            _ => assert!(epochs.iter().any(|last| *last < 10), "{trial:?}: {epochs:?}"),
        }
    }
    let best = workplace.read("runs/toy/best/hyperparameters.json");
    let best: serde_json::Value = serde_json::from_str(&best).expect("JSON");
    let top = trials.iter().map(score).fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(best["score"].as_f64(), Some(top));
}

#[test]
fn trials_are_stopped_on_any_number_of_workers() {
    for workers in [1, 2, 8] {
        let workplace = Workplace::new(EXPERIMENT);
        let output = study(&workplace, workers, 2).output().expect("sweep starts");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.success(), "{stderr}");
        assert_sound(&workplace);
        let stdout = String::from_utf8(output.stdout).expect("text");
        assert!(stdout.contains(" stopped"), "the summary counts them: {stdout}");
    }
}

#[test]
fn a_killed_coordinator_goes_on_stopping() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut running = Running::start(study(&workplace, 2, 20));
    running.wait_for("Trial", 12);
    running.signal("KILL");
    running.end();
    let before = workplace.path("runs/toy/study.db").metadata().expect("a store").len();
    assert!(before > 0);
    let output = study(&workplace, 2, 2).output().expect("sweep starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_sound(&workplace);
}
