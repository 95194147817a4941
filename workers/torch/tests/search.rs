//! A real search: the `sweep` command, worker processes, and libtorch.

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;

/// Two trials of a small CRNN on recordings that are made in a moment.
const EXPERIMENT: &str = "\
study: small
objective: val_accuracy
search: {algorithm: random, max_trials: 2, executions_per_trial: 2, seed: 1}
space:
  filters: {int: [4, 8], step: 4}
  units: {int: [8, 16], step: 8}
  activation: {choice: [relu, elu]}
data:
  synthetic: {classes: 3, clips: 16, seconds: 2}
  features: {mel: {n_fft: 1024, hop_length: 1024, n_mels: 32, frames: 43}}
  split: {test: 0.1, validation: 0.25, seed: 1}
train:
  epochs: 15
  batch_size: 8
  loss: categorical_crossentropy
  optimizer: {adam: {learning_rate: 5.0e-3}}
model:
  - conv2d: {filters: $filters, kernel: 3, activation: $activation}
  - batch_norm: {momentum: 0.9}
  - max_pool2d: [3, 2]
  - dropout: 0.1
  - to_sequence
  - gru: {units: $units, activation: $activation}
  - dense: {units: classes, activation: softmax}
";

fn study(folder: &Path) -> Command {
    fs::write(folder.join("small.yaml"), EXPERIMENT).expect("written");
    let mut command = support::sweep(folder);
    command.args(["small.yaml", "--local-workers", "2", "--progress", "lines"]);
    command
}

/// Columns of `measurements.csv` by name, a row an epoch.
fn measurements(folder: &Path, columns: &[&str]) -> Vec<Vec<String>> {
    let text = fs::read_to_string(folder.join("runs/small/measurements.csv")).expect("written");
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let index = |name: &&str| header.iter().position(|known| known == name).expect("a column");
    let indices: Vec<usize> = columns.iter().map(index).collect();
    lines.map(|row| indices.iter().map(|index| row[*index].to_owned()).collect()).collect()
}

const NUMBERS: [&str; 7] =
    ["trial", "execution", "epoch", "loss", "accuracy", "val_loss", "val_accuracy"];

#[test]
fn a_crnn_is_searched_and_a_killed_worker_changes_no_number() {
    let undisturbed = tempfile::tempdir().expect("a temporary folder");
    let output = study(undisturbed.path()).output().expect("sweep starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let numbers = measurements(undisturbed.path(), &NUMBERS);
    assert_eq!(numbers.len(), 2 * 2 * 15);
    let best =
        numbers.iter().map(|row| row[6].parse::<f64>().expect("a number")).fold(0.0, f64::max);
    assert!(best >= 0.75, "three classes, and the best accuracy is {best}\n{stderr}");
    assert_weights(&undisturbed.path().join("runs/small/best/weights.safetensors"));

    let disturbed = tempfile::tempdir().expect("a temporary folder");
    let mut child = study(disturbed.path()).spawn().expect("sweep starts");
    let stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut epochs = 0;
    for line in stderr.lines() {
        let line = line.expect("text");
        epochs += u32::from(line.contains(" epoch "));
        if epochs == 3 {
            kill_a_worker(child.id());
            epochs += 1;
        }
    }
    assert!(child.wait().expect("sweep ends").success());
    assert_eq!(measurements(disturbed.path(), &NUMBERS), numbers);
}

fn kill_a_worker(parent: u32) {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let of_threads = || {
        fs::read_dir(format!("/proc/{parent}/task"))
            .expect("sweep runs")
            .flatten()
            .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
            .collect::<String>()
    };
    let children = children.ok().filter(|list| !list.trim().is_empty()).unwrap_or_else(of_threads);
    let worker = children.split_whitespace().next().expect("a worker");
    let status = Command::new("kill").args(["-KILL", worker]).status().expect("kill starts");
    assert!(status.success());
}

/// The tensors of the network, under its layers' names.
fn assert_weights(path: &Path) {
    let bytes = fs::read(path).expect("the best network's weights");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let mut names: Vec<String> = tensors.names().into_iter().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "batch_norm/beta",
            "batch_norm/gamma",
            "batch_norm/moving_mean",
            "batch_norm/moving_variance",
            "conv2d/bias",
            "conv2d/kernel",
            "dense/bias",
            "dense/kernel",
            "gru/bias",
            "gru/kernel",
            "gru/recurrent_kernel",
        ]
    );
}
