//! A trainer that trains nothing: for tests, and for load.
//!
//! Its numbers look like those of a network that learns, and depend on nothing
//! but the specification's model and training settings and on the seed. Only
//! exact arithmetic is used, so they are the same bits on every machine. As the
//! numbers of an epoch need none before them, a checkpoint says no more than
//! whose it is and where it was made. It trains all epochs: early stopping is
//! not pretended.

use std::time::{Duration, Instant};

use prost::Message as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sweep_proto::v1::{FailureKind, Measurement, Metric, Specification};

use crate::trainer::{Checkpoint, Epochs, Execution, Failure, Trained, Trainer};

/// How often a pretended epoch asks whether it is still wanted.
const STEP: Duration = Duration::from_millis(10);

/// Number of pretended weights.
const WEIGHTS: usize = 8;

/// Pretends to train.
#[derive(Debug, Clone, Default)]
pub struct ToyTrainer {
    epoch: Duration,
    crash_after_epochs: Option<u64>,
    /// Epochs so far, of all executions.
    epochs: u64,
}

impl Trainer for ToyTrainer {
    fn device(&self) -> String {
        "toy".to_owned()
    }

    fn train(
        &mut self,
        execution: &Execution,
        epochs: &mut dyn Epochs,
    ) -> Result<Trained, Failure> {
        let Some(training) = &execution.specification.training else {
            let message = "the specification has no training settings".to_owned();
            return Err(Failure { kind: FailureKind::Infeasible, message });
        };
        let curve = Curve::new(&execution.specification, execution.seed);
        let trained = execution.checkpoint.as_ref().map(|from| Progress::read(from, execution));
        let trained = trained.transpose()?.map_or(0, |progress| progress.epoch);
        for epoch in trained + 1..=training.epochs {
            let start = Instant::now();
            if !self.pass_an_epoch(start, epochs) {
                return Ok(Trained::default());
            }
            let metrics = curve.metrics(epoch);
            let seconds = start.elapsed().as_secs_f64();
            if !epochs.report(Measurement { epoch, metrics, seconds }) {
                return Ok(Trained::default());
            }
            self.epochs += 1;
            if self.crash_after_epochs.is_some_and(|limit| self.epochs >= limit) {
                std::process::abort();
            }
        }
        let epoch = trained.max(training.epochs);
        let checkpoint = execution.keep_checkpoint.then(|| Progress::write(epoch, execution));
        Ok(Trained { weights: Some(curve.weights()), checkpoint })
    }
}

impl ToyTrainer {
    /// A trainer that pretends.
    ///
    /// - `epoch`: how long an epoch takes
    /// - `crash_after_epochs`: aborts the process after so many epochs of all
    ///   executions together, for tests of what happens then
    #[must_use]
    pub fn new(epoch: Duration, crash_after_epochs: Option<u64>) -> Self {
        Self { epoch, crash_after_epochs, epochs: 0 }
    }

    /// Lets the time of an epoch pass. Returns whether the execution is still wanted.
    fn pass_an_epoch(&self, start: Instant, epochs: &dyn Epochs) -> bool {
        loop {
            if !epochs.wanted() {
                return false;
            }
            let left = self.epoch.saturating_sub(start.elapsed());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(STEP));
        }
    }
}

/// What a checkpoint holds, as JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    /// Tells the format and its version.
    format: String,
    /// Whose it is.
    execution: String,
    /// The last epoch.
    epoch: u32,
}

impl Progress {
    const FORMAT: &str = "sweep toy checkpoint 1";

    fn write(epoch: u32, execution: &Execution) -> Checkpoint {
        let format = Self::FORMAT.to_owned();
        let progress = Self { format, execution: execution.identity(), epoch };
        let bytes = serde_json::to_vec(&progress).expect("text and numbers are JSON");
        Checkpoint { epoch, bytes }
    }

    fn read(checkpoint: &Checkpoint, execution: &Execution) -> Result<Self, Failure> {
        let problem = match serde_json::from_slice::<Self>(&checkpoint.bytes) {
            Err(error) => format!("cannot be read: {error}"),
            Ok(progress) if progress.format != Self::FORMAT => {
                format!("is a `{}`, not a `{}`", progress.format, Self::FORMAT)
            }
            Ok(progress) if progress.execution != execution.identity() => {
                "is of another specification or seed".to_owned()
            }
            Ok(progress) if progress.epoch != checkpoint.epoch => {
                format!("is of epoch {}, not {}", progress.epoch, checkpoint.epoch)
            }
            Ok(progress) => return Ok(progress),
        };
        let message = format!("the checkpoint {problem}");
        Err(Failure { kind: FailureKind::Error, message })
    }
}

/// A saturating learning curve.
struct Curve {
    /// Of the specification alone, shared by a trial's executions.
    trial: [u8; 32],
    /// Of the specification and the seed.
    execution: [u8; 32],
}

impl Curve {
    /// The dataset does not matter, nor where it lies. The number of epochs does
    /// not either: a longer training goes through a shorter one's numbers.
    fn new(specification: &Specification, seed: u64) -> Self {
        let mut digest = Sha256::new();
        if let Some(model) = &specification.model {
            digest.update(model.encode_to_vec());
        }
        if let Some(training) = &specification.training {
            let mut training = training.clone();
            training.epochs = 0;
            digest.update(training.encode_to_vec());
        }
        let trial: [u8; 32] = digest.finalize().into();
        let execution = Sha256::new().chain_update(trial).chain_update(seed.to_le_bytes());
        Self { trial, execution: execution.finalize().into() }
    }

    /// `loss`, `accuracy`, `val_loss` and `val_accuracy` after an epoch, from 1.
    fn metrics(&self, epoch: u32) -> Vec<Metric> {
        let noise = Sha256::new().chain_update(self.execution).chain_update(epoch.to_le_bytes());
        let noise: [u8; 32] = noise.finalize().into();
        // What an assignment is worth, how fast it learns, how much it overfits.
        let ceiling = 0.5 + 0.45 * share(&self.trial, 0) + 0.04 * share(&self.execution, 0);
        let half_epoch = 0.5 + 4.0 * share(&self.trial, 1);
        let gap = 0.02 + 0.1 * share(&self.trial, 2);
        let learnt = f64::from(epoch) / (f64::from(epoch) + half_epoch);
        let accuracy = ceiling * learnt;
        let val_accuracy = accuracy * (1.0 - gap) + 0.01 * (share(&noise, 0) - 0.5);
        let loss = 2.3 * (1.0 - accuracy);
        let val_loss = 2.3 * (1.0 - val_accuracy) + 0.02 * share(&noise, 1);
        [
            ("loss", loss),
            ("accuracy", accuracy),
            ("val_loss", val_loss),
            ("val_accuracy", val_accuracy.clamp(0.0, 1.0)),
        ]
        .map(|(name, value)| Metric { name: name.to_owned(), value })
        .into()
    }

    /// A safetensors file with one tensor of [`WEIGHTS`] floats.
    fn weights(&self) -> Vec<u8> {
        let header = format!(
            r#"{{"toy.weight":{{"dtype":"F32","shape":[{WEIGHTS}],"data_offsets":[0,{}]}}}}"#,
            4 * WEIGHTS
        );
        // The data is aligned, as the format's own writer aligns it.
        let padding = header.len().next_multiple_of(8) - header.len();
        let mut file = ((header.len() + padding) as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.resize(file.len() + padding, b' ');
        for byte in &self.execution[..WEIGHTS] {
            file.extend_from_slice(&(f32::from(*byte) / 256.0).to_le_bytes());
        }
        file
    }
}

/// The `index`-th of a digest's four numbers in [0, 1).
fn share(digest: &[u8; 32], index: usize) -> f64 {
    let high = u32::from_le_bytes([0, 1, 2, 3].map(|byte| digest[8 * index + byte]));
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use sweep_proto::v1::{Dataset, Layer, Model, Training};

    /// Keeps measurements; wants `limit` of them.
    struct Kept {
        measurements: Vec<Measurement>,
        limit: usize,
    }

    impl Epochs for Kept {
        fn report(&mut self, measurement: Measurement) -> bool {
            self.measurements.push(Measurement { seconds: 0.0, ..measurement });
            self.wanted()
        }

        fn wanted(&self) -> bool {
            self.measurements.len() < self.limit
        }
    }

    fn execution(epochs: u32, layer: &str, path: &str, seed: u64) -> Execution {
        let layers = vec![Layer { name: layer.to_owned(), kind: None }];
        let specification = Specification {
            model: Some(Model { layers }),
            training: Some(Training { epochs, ..Training::default() }),
            dataset: Some(Dataset { path: path.to_owned(), ..Dataset::default() }),
            objective: None,
        };
        Execution {
            specification,
            seed,
            dataset: PathBuf::from(path),
            checkpoint: None,
            keep_checkpoint: false,
        }
    }

    fn train(execution: &Execution, limit: usize) -> (Vec<Measurement>, Option<Vec<u8>>) {
        let mut kept = Kept { measurements: Vec::new(), limit };
        let trained = ToyTrainer::default().train(execution, &mut kept).expect("never fails");
        (kept.measurements, trained.weights)
    }

    #[test]
    fn numbers_depend_on_specification_and_seed_alone() {
        let first = train(&execution(5, "dense", "/a", 1), usize::MAX);
        assert_eq!(first, train(&execution(5, "dense", "/b", 1), usize::MAX));
        assert_ne!(first.0, train(&execution(5, "gru", "/a", 1), usize::MAX).0);
        assert_ne!(first.0, train(&execution(5, "dense", "/a", 2), usize::MAX).0);
        assert_eq!(first.0[..3], train(&execution(3, "dense", "/a", 1), usize::MAX).0);
    }

    #[test]
    fn it_learns_and_ends_on_time() {
        let (measurements, _) = train(&execution(20, "dense", "/a", 1), usize::MAX);
        let epochs: Vec<u32> = measurements.iter().map(|measurement| measurement.epoch).collect();
        assert_eq!(epochs, (1..=20).collect::<Vec<_>>());
        for measurement in &measurements {
            let names: Vec<&str> =
                measurement.metrics.iter().map(|metric| metric.name.as_str()).collect();
            assert_eq!(names, ["loss", "accuracy", "val_loss", "val_accuracy"]);
            assert!((0.0..=1.0).contains(&measurement.metrics[3].value));
        }
        assert!(measurements[19].metrics[0].value < measurements[0].metrics[0].value);
        assert!(measurements[19].metrics[3].value > measurements[0].metrics[3].value);
    }

    #[test]
    fn it_goes_on_from_a_checkpoint_as_if_it_had_never_paused() {
        let whole = train(&execution(9, "dense", "/a", 1), usize::MAX);
        let mut kept = Kept { measurements: Vec::new(), limit: usize::MAX };
        let mut checkpoint = None;
        for epochs in [3, 7, 9] {
            let mut part = execution(epochs, "dense", "/elsewhere", 1);
            part.checkpoint = checkpoint;
            part.keep_checkpoint = true;
            let trained = ToyTrainer::default().train(&part, &mut kept).expect("its own");
            assert_eq!(trained.weights, whole.1);
            checkpoint = trained.checkpoint;
            assert_eq!(checkpoint.as_ref().map(|checkpoint| checkpoint.epoch), Some(epochs));
        }
        assert_eq!(kept.measurements, whole.0);

        // Further on than there is to train: nothing is left to do.
        let mut shorter = execution(5, "dense", "/a", 1);
        shorter.checkpoint = checkpoint.clone();
        shorter.keep_checkpoint = true;
        let mut none = Kept { measurements: Vec::new(), limit: usize::MAX };
        let trained = ToyTrainer::default().train(&shorter, &mut none).expect("its own");
        assert_eq!((none.measurements.len(), trained.checkpoint), (0, checkpoint));
    }

    #[test]
    fn checkpoints_of_others_are_refused() {
        let mut source = execution(3, "dense", "/a", 1);
        source.keep_checkpoint = true;
        let mut kept = Kept { measurements: Vec::new(), limit: usize::MAX };
        let trained = ToyTrainer::default().train(&source, &mut kept).expect("never fails");
        let made = trained.checkpoint.expect("asked for");
        let refusal = |seed: u64, checkpoint: Checkpoint| {
            let mut execution = execution(5, "dense", "/a", seed);
            execution.checkpoint = Some(checkpoint);
            let mut kept = Kept { measurements: Vec::new(), limit: usize::MAX };
            let failure = ToyTrainer::default().train(&execution, &mut kept).expect_err("refused");
            assert_eq!((failure.kind, kept.measurements.len()), (FailureKind::Error, 0));
            failure.message
        };
        assert_eq!(refusal(2, made.clone()), "the checkpoint is of another specification or seed");
        let wrong_epoch = Checkpoint { epoch: 4, ..made.clone() };
        assert_eq!(refusal(1, wrong_epoch), "the checkpoint is of epoch 3, not 4");
        let other = String::from_utf8(made.bytes.clone()).expect("JSON");
        let other = other.replace("checkpoint 1", "checkpoint 9").into_bytes();
        assert_eq!(
            refusal(1, Checkpoint { bytes: other, ..made.clone() }),
            "the checkpoint is a `sweep toy checkpoint 9`, not a `sweep toy checkpoint 1`"
        );
        for end in 0..made.bytes.len() {
            let cut = Checkpoint { bytes: made.bytes[..end].to_vec(), ..made.clone() };
            assert!(refusal(1, cut).starts_with("the checkpoint cannot be read: "));
        }
    }

    #[test]
    fn it_stops_when_nobody_waits() {
        let (measurements, weights) = train(&execution(20, "dense", "/a", 1), 3);
        assert_eq!(measurements.len(), 3);
        assert_eq!(weights, None);
    }

    #[test]
    fn weights_are_a_safetensors_file() {
        let (_, weights) = train(&execution(1, "dense", "/a", 1), usize::MAX);
        let weights = weights.expect("trained to the end");
        let (length, rest) = weights.split_at(8);
        let length = u64::from_le_bytes(length.try_into().expect("eight bytes")) as usize;
        let (header, data) = rest.split_at(length);
        assert_eq!((8 + length) % 8, 0, "the data is aligned");
        let header: serde_json::Value = serde_json::from_slice(header).expect("JSON");
        let tensor = &header["toy.weight"];
        assert_eq!(tensor["dtype"], "F32");
        assert_eq!(tensor["shape"], serde_json::json!([8]));
        assert_eq!(tensor["data_offsets"], serde_json::json!([0, data.len()]));
        assert_eq!(data.len(), 32);
    }
}
