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

/// A network that no study had, with ten searched values: normalization, a
/// residual, branches, layers in both directions, and repeated ones.
const MIXED: &str = "\
study: mixed
objective: val_f1
search: {algorithm: random, max_trials: 3, seed: 1}
space:
  filters: {int: [4, 8], step: 4}
  slope: {float: [0.1, 0.3]}
  depth: {int: [1, 2]}
  units_{i}: {int: [8, 16], step: 8, repeat: depth}
  cell: {choice: [lstm, gru]}
  rate: {float: [0.0, 0.2]}
  batch: {choice: [8, 16]}
  momentum: {choice: [0.8, 0.9]}
  l2: {float: [1.0e-5, 1.0e-3], sampling: log}
data:
  synthetic: {classes: 3, clips: 16, seconds: 2}
  slices: 2
  features: {mel: {n_fft: 1024, hop_length: 1024, n_mels: 32, frames: 21}}
  split: {test: 0.1, validation: 0.25, seed: 1}
train:
  epochs: 3
  batch_size: $batch
  loss: {categorical_crossentropy: {label_smoothing: 0.05}}
  optimizer: {sgd: {learning_rate: 0.02, momentum: $momentum, nesterov: true, global_clipnorm: 1.0}}
  schedule: {cosine: {warmup: 1}}
  class_weight: balanced
model:
  - normalization
  - conv2d: {filters: $filters, kernel: 3, padding: same, activation: {leaky_relu: $slope}}
  - residual:
      layers: [{depthwise_conv2d: {kernel: 3, padding: same}}, batch_norm, {activation: gelu}]
  - parallel:
      - - max_pool2d: 2
        - to_sequence
        - {bidirectional: {lstm: {units: 8}}, when: {cell: lstm}}
        - {bidirectional: {gru: {units: 8}}, when: {cell: gru}}
      - [global_avg_pool2d]
  - concatenate
  - repeat:
      times: $depth
      layers:
        - dense: {units: \"$units_{i}\", activation: relu, kernel_regularizer: {l2: $l2}}
        - dropout: $rate
  - dense: {units: classes, activation: softmax}
";

/// The command that runs an experiment of this name.
fn study(folder: &Path, name: &str, experiment: &str) -> Command {
    let file = format!("{name}.yaml");
    fs::write(folder.join(&file), experiment).expect("written");
    let mut command = support::sweep(folder);
    command.args([&file, "--local-workers", "2", "--progress", "lines"]);
    command
}

/// Columns of `measurements.csv` by name, a row an epoch.
fn measurements(folder: &Path, study: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let file = folder.join("runs").join(study).join("measurements.csv");
    let text = fs::read_to_string(file).expect("written");
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
    let output = study(undisturbed.path(), "small", EXPERIMENT).output().expect("sweep starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let numbers = measurements(undisturbed.path(), "small", &NUMBERS);
    assert_eq!(numbers.len(), 2 * 2 * 15);
    let best =
        numbers.iter().map(|row| row[6].parse::<f64>().expect("a number")).fold(0.0, f64::max);
    assert!(best >= 0.75, "three classes, and the best accuracy is {best}\n{stderr}");
    assert_weights(&undisturbed.path().join("runs/small/best/weights.safetensors"));

    let disturbed = tempfile::tempdir().expect("a temporary folder");
    let mut child = study(disturbed.path(), "small", EXPERIMENT).spawn().expect("sweep starts");
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
    assert_eq!(measurements(disturbed.path(), "small", &NUMBERS), numbers);
}

#[test]
fn a_network_that_nobody_planned_for_is_searched_and_gives_the_same_numbers_twice() {
    const NUMBERS: [&str; 7] =
        ["trial", "epoch", "loss", "val_loss", "val_f1", "val_track_accuracy", "learning_rate"];
    let numbers = || {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = study(folder.path(), "mixed", MIXED).output().expect("sweep starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        measurements(folder.path(), "mixed", &NUMBERS)
    };
    let first = numbers();
    assert_eq!(first.len(), 3 * 3);
    for row in &first {
        assert!(row[2..].iter().all(|value| value.parse().is_ok_and(f64::is_finite)), "{row:?}");
    }
    assert_eq!(numbers(), first);
}

#[test]
fn each_execution_of_a_trial_validates_on_another_fold() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let experiment = EXPERIMENT
        .replace("max_trials: 2, executions_per_trial: 2", "max_trials: 1")
        .replace("validation: 0.25", "folds: 3")
        .replace("epochs: 15", "epochs: 2");
    let output = study(folder.path(), "small", &experiment).output().expect("sweep starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let numbers = measurements(folder.path(), "small", &NUMBERS);
    let executions: Vec<&str> = numbers.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(executions, ["0", "0", "1", "1", "2", "2"]);

    let splits = fs::read_to_string(folder.path().join("runs/small/splits.csv")).expect("written");
    let of = |part: &str| splits.lines().filter(|line| line.ends_with(part)).count();
    let sizes = [",fold-1", ",fold-2", ",fold-3", ",test"].map(of);
    // Of 16 recordings a class, two are kept for the end.
    assert_eq!(sizes, [14, 14, 14, 6]);
    for row in &numbers {
        let correct = row[6].parse::<f64>().expect("a number") * 14.0;
        assert!((correct - correct.round()).abs() < 1e-4, "{row:?}: not of 14 examples");
    }
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
