//! A trainer that trains nothing: for tests, and for load.
//!
//! Its numbers look like those of a network that learns, and depend on nothing
//! but the specification's model and training settings and on the seed. Only
//! exact arithmetic is used, so they are the same bits on every machine. As the
//! numbers of an epoch need none before them, a checkpoint says no more than
//! whose it is and where it was made. An epoch's steps are the time slices in
//! which it passes. It trains all epochs: early stopping is not pretended.

use std::time::{Duration, Instant};

use prost::Message as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sweep_proto::v1::{FailureKind, Measurement, Metric, Specification};

use crate::trainer::{Checkpoint, Course, Ending, Epochs, Execution, Failure, Trained, Trainer};

/// How long a step of a pretended epoch takes; the last one may be shorter.
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

    fn train(&mut self, execution: &Execution, epochs: &mut dyn Epochs) -> Result<Ending, Failure> {
        let Some(training) = &execution.specification.training else {
            let message = "the specification has no training settings".to_owned();
            return Err(Failure { kind: FailureKind::Infeasible, message });
        };
        let curve = Curve::new(&execution.specification, execution.seed);
        let from = execution.checkpoint.as_ref().map(|from| Progress::read(from, execution));
        let (trained, mut step) =
            from.transpose()?.map_or((0, 0), |progress| (progress.epoch, progress.step));
        for epoch in trained + 1..=training.epochs {
            let start = Instant::now();
            match self.pass_an_epoch(&mut step, start, epochs) {
                Course::GoOn => {}
                Course::Leave => return Ok(left(epoch - 1, step, execution)),
                Course::Stop => return Ok(Ending::Stopped),
            }
            step = 0;
            let metrics = curve.metrics(epoch);
            let seconds = start.elapsed().as_secs_f64();
            let course = epochs.report(Measurement { epoch, metrics, seconds });
            let is_last = epoch == training.epochs;
            match course {
                Course::GoOn if !is_last && epochs.wants_checkpoint() => {
                    epochs.keep(Progress::write(epoch, 0, execution));
                }
                Course::Leave if !is_last => return Ok(left(epoch, 0, execution)),
                Course::GoOn | Course::Leave => {}
                Course::Stop => return Ok(Ending::Stopped),
            }
            self.epochs += 1;
            if self.crash_after_epochs.is_some_and(|limit| self.epochs >= limit) {
                std::process::abort();
            }
        }
        let epoch = trained.max(training.epochs);
        let checkpoint = execution.keep_checkpoint.then(|| Progress::write(epoch, 0, execution));
        Ok(Ending::Finished(Trained { weights: Some(curve.weights()), checkpoint }))
    }
}

/// Leaves off so many steps after an epoch.
fn left(epoch: u32, step: u32, execution: &Execution) -> Ending {
    let has_begun = epoch > 0 || step > 0;
    Ending::Left(has_begun.then(|| Progress::write(epoch, step, execution)))
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

    /// Lets the rest of an epoch pass, `step` of whose steps have passed. Returns
    /// [`Course::GoOn`] when all have.
    fn pass_an_epoch(&self, step: &mut u32, start: Instant, epochs: &dyn Epochs) -> Course {
        let before = STEP * *step;
        loop {
            let course = epochs.course();
            let passed = STEP * *step;
            if course != Course::GoOn || passed >= self.epoch {
                return course;
            }
            let end = STEP.min(self.epoch - passed) + passed;
            std::thread::sleep((end - before).saturating_sub(start.elapsed()));
            *step += 1;
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
    /// The last whole epoch.
    epoch: u32,
    /// Steps of the epoch after it.
    step: u32,
}

impl Progress {
    const FORMAT: &str = "sweep toy checkpoint 2";

    fn write(epoch: u32, step: u32, execution: &Execution) -> Checkpoint {
        let format = Self::FORMAT.to_owned();
        let progress = Self { format, execution: execution.identity(), epoch, step };
        let bytes = serde_json::to_vec(&progress).expect("text and numbers are JSON");
        Checkpoint { epoch, step, bytes }
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
            Ok(progress) if progress.step != checkpoint.step => {
                format!("is of step {}, not {}", progress.step, checkpoint.step)
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
    /// not either: a longer training goes through a shorter one's numbers. Nor do
    /// checkpoints.
    fn new(specification: &Specification, seed: u64) -> Self {
        let mut digest = Sha256::new();
        if let Some(model) = &specification.model {
            digest.update(model.encode_to_vec());
        }
        if let Some(training) = &specification.training {
            let mut training = training.clone();
            training.epochs = 0;
            training.checkpoint_ms = 0;
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
        .map(|(name, value)| Metric::measured(name, value))
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
    use std::cell::Cell;
    use std::path::PathBuf;
    use sweep_proto::v1::{Dataset, Layer, Model, Training};

    /// Keeps measurements and checkpoints; wants `limit` measurements.
    #[derive(Default)]
    struct Kept {
        measurements: Vec<Measurement>,
        checkpoints: Vec<Checkpoint>,
        limit: usize,
        /// Says to leave when it was asked so often.
        leave_after: Option<u32>,
        asked: Cell<u32>,
    }

    impl Epochs for Kept {
        fn report(&mut self, measurement: Measurement) -> Course {
            self.measurements.push(Measurement { seconds: 0.0, ..measurement });
            self.course()
        }

        fn course(&self) -> Course {
            self.asked.update(|asked| asked + 1);
            if self.measurements.len() >= self.limit {
                Course::Stop
            } else if self.leave_after.is_some_and(|asked| self.asked.get() > asked) {
                Course::Leave
            } else {
                Course::GoOn
            }
        }

        fn wants_checkpoint(&self) -> bool {
            self.measurements.len().is_multiple_of(2)
        }

        fn keep(&mut self, checkpoint: Checkpoint) {
            self.checkpoints.push(checkpoint);
        }
    }

    fn all() -> Kept {
        Kept { limit: usize::MAX, ..Kept::default() }
    }

    fn finish(execution: &Execution, kept: &mut Kept) -> Trained {
        match ToyTrainer::default().train(execution, kept) {
            Ok(Ending::Finished(trained)) => trained,
            ending => panic!("not finished: {ending:?}"),
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
        let mut kept = Kept { limit, ..Kept::default() };
        match ToyTrainer::default().train(execution, &mut kept).expect("never fails") {
            Ending::Finished(trained) => (kept.measurements, trained.weights),
            Ending::Left(_) | Ending::Stopped => (kept.measurements, None),
        }
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
            assert!((0.0..=1.0).contains(&measurement.metrics[3].number()));
        }
        assert!(measurements[19].metrics[0].number() < measurements[0].metrics[0].number());
        assert!(measurements[19].metrics[3].number() > measurements[0].metrics[3].number());
    }

    #[test]
    fn it_goes_on_from_a_checkpoint_as_if_it_had_never_paused() {
        let whole = train(&execution(9, "dense", "/a", 1), usize::MAX);
        let mut kept = all();
        let mut checkpoint = None;
        for epochs in [3, 7, 9] {
            let mut part = execution(epochs, "dense", "/elsewhere", 1);
            part.checkpoint = checkpoint;
            part.keep_checkpoint = true;
            let trained = finish(&part, &mut kept);
            assert_eq!(trained.weights, whole.1);
            checkpoint = trained.checkpoint;
            assert_eq!(checkpoint.as_ref().map(|checkpoint| checkpoint.epoch), Some(epochs));
        }
        assert_eq!(kept.measurements, whole.0);

        // Further on than there is to train: nothing is left to do.
        let mut shorter = execution(5, "dense", "/a", 1);
        shorter.checkpoint = checkpoint.clone();
        shorter.keep_checkpoint = true;
        let mut none = all();
        let trained = finish(&shorter, &mut none);
        assert_eq!((none.measurements.len(), trained.checkpoint), (0, checkpoint));
    }

    #[test]
    fn it_leaves_wherever_it_is_and_goes_on_there() {
        let whole = train(&execution(3, "dense", "/a", 1), usize::MAX);
        let mut toy = ToyTrainer::new(STEP * 2 + STEP / 2, None);
        let mut places = Vec::new();
        // Three steps an epoch, with a question before each, after the last, and
        // after the report.
        for leave_after in 0..=14 {
            let mut kept = Kept { leave_after: Some(leave_after), ..all() };
            let mut part = execution(3, "dense", "/a", 1);
            let ending = toy.train(&part, &mut kept).expect("never fails");
            let Ending::Left(checkpoint) = ending else {
                assert_eq!(leave_after, 14, "only what is finished is not left");
                continue;
            };
            places.push(checkpoint.as_ref().map(|left| (left.epoch, left.step)));
            let mut rest = all();
            part.checkpoint = checkpoint;
            let ending = toy.train(&part, &mut rest).expect("its own");
            assert!(matches!(ending, Ending::Finished(_)));
            kept.measurements.extend(rest.measurements);
            assert_eq!(kept.measurements, whole.0, "left after {leave_after} questions");
        }
        assert_eq!(
            places[..6],
            [None, Some((0, 1)), Some((0, 2)), Some((0, 3)), Some((1, 0)), Some((1, 0))]
        );
        assert_eq!(places[11..], [Some((2, 1)), Some((2, 2)), Some((2, 3))]);
    }

    #[test]
    fn checkpoints_are_made_when_they_are_wanted() {
        let mut kept = all();
        finish(&execution(6, "dense", "/a", 1), &mut kept);
        let epochs: Vec<u32> = kept.checkpoints.iter().map(|made| made.epoch).collect();
        assert_eq!(epochs, [2, 4], "not after the last epoch");
        let mut rest = execution(6, "dense", "/a", 1);
        rest.checkpoint = kept.checkpoints.pop();
        // How often they are made changes nothing.
        rest.specification.training.as_mut().expect("set above").checkpoint_ms = 7;
        assert_eq!(train(&rest, usize::MAX).0, kept.measurements[4..]);
    }

    #[test]
    fn checkpoints_of_others_are_refused() {
        let mut source = execution(3, "dense", "/a", 1);
        source.keep_checkpoint = true;
        let trained = finish(&source, &mut all());
        let made = trained.checkpoint.expect("asked for");
        let refusal = |seed: u64, checkpoint: Checkpoint| {
            let mut execution = execution(5, "dense", "/a", seed);
            execution.checkpoint = Some(checkpoint);
            let mut kept = all();
            let failure = ToyTrainer::default().train(&execution, &mut kept).expect_err("refused");
            assert_eq!((failure.kind, kept.measurements.len()), (FailureKind::Error, 0));
            failure.message
        };
        assert_eq!(refusal(2, made.clone()), "the checkpoint is of another specification or seed");
        let wrong_epoch = Checkpoint { epoch: 4, ..made.clone() };
        assert_eq!(refusal(1, wrong_epoch), "the checkpoint is of epoch 3, not 4");
        let wrong_step = Checkpoint { step: 1, ..made.clone() };
        assert_eq!(refusal(1, wrong_step), "the checkpoint is of step 0, not 1");
        let other = String::from_utf8(made.bytes.clone()).expect("JSON");
        let other = other.replace("checkpoint 2", "checkpoint 9").into_bytes();
        assert_eq!(
            refusal(1, Checkpoint { bytes: other, ..made.clone() }),
            "the checkpoint is a `sweep toy checkpoint 9`, not a `sweep toy checkpoint 2`"
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
