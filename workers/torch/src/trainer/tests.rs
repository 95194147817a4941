//! Whole executions on small datasets.

use std::cell::Cell;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use sweep_proto::v1::layer::Kind as LayerKind;
use sweep_proto::v1::optimizer::Kind as OptimizerKind;
use sweep_proto::v1::{
    Adam, CategoricalCrossentropy, Direction, EarlyStopping, FailureKind, Function as Activation,
    Loss, Measurement, Objective, Optimizer, Specification, Training, loss,
};
use sweep_session::{Checkpoint, Course};
use tch::Device;

mod checkpoints;
mod memory;
mod placement;
mod settings;

use super::*;
use crate::testing::{
    self, batch_norm, conv2d, dense, dropout, flatten, gru_options, max_pool2d, model, to_sequence,
};

/// Keeps measurements and checkpoints, and loses interest when told to.
#[derive(Default)]
struct Recorder {
    measurements: Vec<Measurement>,
    checkpoints: Vec<Checkpoint>,
    /// How many reports are answered with "go on"; all if absent.
    wanted_reports: Option<usize>,
    unwanted: bool,
    /// Says to leave when it was asked so often; never if absent.
    leave_after: Option<u32>,
    asked: Cell<u32>,
    wants_checkpoints: bool,
}

impl Epochs for Recorder {
    fn report(&mut self, measurement: Measurement) -> Course {
        self.measurements.push(measurement);
        match self.wanted_reports {
            Some(wanted) if self.measurements.len() > wanted => Course::Stop,
            Some(_) | None => self.course(),
        }
    }

    fn course(&self) -> Course {
        self.asked.update(|asked| asked + 1);
        if self.unwanted {
            Course::Stop
        } else if self.leave_after.is_some_and(|asked| self.asked.get() > asked) {
            Course::Leave
        } else {
            Course::GoOn
        }
    }

    fn wants_checkpoint(&self) -> bool {
        self.wants_checkpoints
    }

    fn keep(&mut self, checkpoint: Checkpoint) {
        self.checkpoints.push(checkpoint);
    }
}

impl Recorder {
    /// The values of a metric, epoch by epoch.
    fn values(&self, name: &str) -> Vec<f64> {
        let metrics = self.measurements.iter().flat_map(|measurement| &measurement.metrics);
        metrics.filter(|metric| metric.name == name).map(|metric| metric.number()).collect()
    }
}

const SHAPE: [u32; 3] = [12, 10, 1];
const CLASSES: u32 = 3;

fn crnn() -> v1::Model {
    let mut first = gru_options(8);
    first.return_sequences = true;
    let mut second = gru_options(8);
    second.reset_after = false;
    second.activation = Some(testing::of(Activation::Relu));
    model([
        conv2d(8, Activation::Elu),
        batch_norm(),
        max_pool2d(2, 2),
        dropout(0.1),
        to_sequence(),
        LayerKind::Gru(first),
        LayerKind::Gru(second),
        dense(CLASSES, Activation::Softmax),
    ])
}

fn execution(folder: &Path, epochs: u32) -> Execution {
    let adam = Adam { learning_rate: 0.01, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 };
    Execution {
        specification: Specification {
            model: Some(crnn()),
            training: Some(Training {
                epochs,
                batch_size: 8,
                loss: Some(Loss {
                    kind: Some(loss::Kind::CategoricalCrossentropy(
                        CategoricalCrossentropy::default(),
                    )),
                }),
                optimizer: Some(Optimizer {
                    kind: Some(OptimizerKind::Adam(adam)),
                    clipping: None,
                }),
                ..Training::default()
            }),
            dataset: Some(v1::Dataset {
                digest: "d1".into(),
                path: folder.display().to_string(),
                input_shape: SHAPE.to_vec(),
                classes: CLASSES,
                class_names: Vec::new(),
                examples: 0,
                ..v1::Dataset::default()
            }),
            objective: Some(Objective {
                metric: "val_accuracy".into(),
                direction: Direction::Max.into(),
                terms: Vec::new(),
            }),
        },
        seed: u64::MAX - 2,
        dataset: folder.to_owned(),
        checkpoint: None,
        keep_checkpoint: false,
    }
}

fn training(execution: &mut Execution) -> &mut Training {
    execution.specification.training.as_mut().expect("set above")
}

fn dataset() -> tempfile::TempDir {
    testing::write_dataset(100, &SHAPE.map(i64::from), i64::from(CLASSES))
}

fn trainer() -> TorchTrainer {
    TorchTrainer::new(OpenDevice {
        device: Device::Cpu,
        name: "cpu".into(),
        description: "cpu, 2 threads".into(),
        memory_bytes: None,
        free_at_first_bytes: None,
        has_bf16: false,
    })
}

/// Trains with a new trainer, alone with torch's generator.
fn run(execution: &Execution, recorder: &mut Recorder) -> Result<Ending, Failure> {
    let _guard = testing::seed(0);
    trainer().train(execution, recorder)
}

/// The same to the end.
fn train(execution: &Execution, recorder: &mut Recorder) -> Result<Trained, Failure> {
    run(execution, recorder).map(finished)
}

fn finished(ending: Ending) -> Trained {
    match ending {
        Ending::Finished(trained) => trained,
        ending @ (Ending::Left(_) | Ending::Stopped) => panic!("not finished: {ending:?}"),
    }
}

#[test]
fn a_small_recurrent_network_learns() {
    let folder = dataset();
    let mut recorder = Recorder::default();
    train(&execution(folder.path(), 12), &mut recorder).expect("it trains");
    let epochs: Vec<_> = recorder.measurements.iter().map(|measured| measured.epoch).collect();
    assert_eq!(epochs, (1..=12).collect::<Vec<_>>());
    assert!(recorder.measurements.iter().all(|measured| measured.seconds > 0.0));
    let losses = recorder.values("loss");
    assert!(losses[11] < losses[0] / 2.0, "{losses:?}");
    let accuracies = recorder.values("val_accuracy");
    assert!(accuracies[11] > 0.8, "{accuracies:?}");
}

#[test]
fn a_seed_means_the_same_numbers() {
    let folder = dataset();
    let mut execution = execution(folder.path(), 2);
    let metrics = |execution: &Execution, trainer: &mut TorchTrainer| {
        let mut recorder = Recorder::default();
        let trained = finished(trainer.train(execution, &mut recorder).expect("it trains"));
        let metrics: Vec<_> =
            recorder.measurements.into_iter().map(|measured| measured.metrics).collect();
        (metrics, trained.weights.expect("an epoch is the best"))
    };
    let _guard = testing::seed(0);
    let mut used = trainer();
    let first = metrics(&execution, &mut used);
    assert_eq!(metrics(&execution, &mut used), first);
    assert_eq!(metrics(&execution, &mut trainer()), first);
    execution.seed = 1;
    assert_ne!(metrics(&execution, &mut used).0, first.0);
}

#[test]
fn weights_are_those_of_the_best_epoch() {
    let folder = dataset();
    let mut execution = execution(folder.path(), 3);
    // The loss falls, so that the highest is that of the first epoch.
    let objective = execution.specification.objective.as_mut().expect("set above");
    objective.metric = "loss".into();
    let worst_of_three = train(&execution, &mut Recorder::default()).expect("it trains");
    training(&mut execution).epochs = 1;
    let first_of_one = train(&execution, &mut Recorder::default()).expect("it trains");
    let bytes = worst_of_three.weights.expect("an epoch is the best");
    assert_eq!(Some(&bytes), first_of_one.weights.as_ref());

    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let shape = |name: &str| file.tensor(name).expect(name).shape().to_vec();
    assert_eq!(shape("conv2d/kernel"), [3, 3, 1, 8]);
    assert_eq!(shape("batch_norm/moving_variance"), [8]);
    assert_eq!(shape("gru/kernel"), [32, 24]);
    assert_eq!(shape("gru/bias"), [2, 24]);
    assert_eq!(shape("gru_1/recurrent_kernel"), [8, 24]);
    assert_eq!(shape("dense/kernel"), [8, 3]);
    assert_eq!(file.len(), 14);
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
    let version = header.metadata().as_ref().and_then(|metadata| metadata.get("sweep_version"));
    assert_eq!(version.map(String::as_str), Some(sweep_proto::VERSION));
}

#[test]
fn restored_weights_are_those_of_the_best_epoch_by_the_monitor() {
    let folder = dataset();
    let weights = |execution: &Execution| {
        let mut recorder = Recorder::default();
        let trained = train(execution, &mut recorder).expect("it trains");
        (trained.weights.expect("an epoch is the best"), recorder.measurements.len())
    };
    let first = weights(&execution(folder.path(), 1)).0;
    // The loss falls, so that its best epoch is a later one.
    let later = |epochs| {
        let mut execution = execution(folder.path(), epochs);
        execution.specification.objective = Some(Objective {
            metric: "loss".into(),
            direction: Direction::Min.into(),
            terms: Vec::new(),
        });
        execution
    };
    let by_loss = weights(&later(3)).0;
    assert_ne!(by_loss, first);
    let stopping = |epochs, min_delta, patience, restore_best| {
        let mut execution = later(epochs);
        training(&mut execution).early_stopping = Some(EarlyStopping {
            monitor: "loss".into(),
            direction: Direction::Min.into(),
            patience,
            min_delta,
            restore_best,
        });
        execution
    };
    // No improvement is large enough: the first epoch stays the best.
    assert_eq!(weights(&stopping(9, 100.0, 2, true)), (first.clone(), 3), "stopped");
    assert_eq!(weights(&stopping(3, 100.0, 9, true)), (first.clone(), 3), "not stopped");
    assert_eq!(weights(&stopping(3, 100.0, 9, false)), (by_loss.clone(), 3));
    // The objective is best at the first epoch, the monitor later.
    let mut opposite = stopping(3, 0.0, 9, true);
    opposite.specification.objective = Some(Objective {
        metric: "loss".into(),
        direction: Direction::Max.into(),
        terms: Vec::new(),
    });
    assert_eq!(weights(&opposite), (by_loss, 3));
    training(&mut opposite).early_stopping.as_mut().expect("set above").restore_best = false;
    assert_eq!(weights(&opposite), (first, 3));
}

#[test]
fn divergence_is_reported_and_told() {
    let folder = dataset();
    let mut execution = execution(folder.path(), 9);
    let adam = Adam { learning_rate: 1e30, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 };
    training(&mut execution).optimizer =
        Some(Optimizer { kind: Some(OptimizerKind::Adam(adam)), clipping: None });
    let mut recorder = Recorder::default();
    let failure = train(&execution, &mut recorder).expect_err("nothing can be learned");
    assert_eq!(failure.kind, FailureKind::Diverged);
    let epoch = recorder.measurements.len();
    assert!(failure.message.ends_with(&format!(" at epoch {epoch}")), "{}", failure.message);
    assert!(
        recorder
            .values("loss")
            .iter()
            .chain(&recorder.values("val_loss"))
            .any(|loss| !loss.is_finite())
    );
}

#[test]
fn training_ends_when_nobody_waits() {
    let folder = dataset();
    let mut recorder = Recorder { wanted_reports: Some(1), ..Recorder::default() };
    let ending = run(&execution(folder.path(), 5), &mut recorder).expect("ended, not failed");
    assert_eq!((recorder.measurements.len(), ending), (2, Ending::Stopped));

    let mut recorder = Recorder { unwanted: true, ..Recorder::default() };
    let ending = run(&execution(folder.path(), 5), &mut recorder).expect("ended, not failed");
    assert_eq!((recorder.measurements.len(), ending), (0, Ending::Stopped));
}

#[test]
fn early_stopping_ends_training() {
    let folder = dataset();
    let mut execution = execution(folder.path(), 9);
    training(&mut execution).early_stopping = Some(EarlyStopping {
        monitor: "loss".into(),
        direction: Direction::Max.into(),
        patience: 2,
        min_delta: 0.0,
        restore_best: false,
    });
    let mut recorder = Recorder::default();
    let trained = train(&execution, &mut recorder).expect("it trains");
    assert_eq!(recorder.measurements.len(), 3);
    assert!(trained.weights.is_some());
}

#[test]
fn what_cannot_be_trained_says_why() {
    let folder = dataset();
    let failure = |change: fn(&mut Execution)| {
        let mut execution = execution(folder.path(), 1);
        change(&mut execution);
        let failure =
            train(&execution, &mut Recorder::default()).expect_err("it cannot be trained");
        (failure.kind, failure.message)
    };
    let (kind, message) = failure(|execution| {
        execution.specification.objective.as_mut().expect("set above").metric = "val_roc".into();
    });
    assert_eq!(kind, FailureKind::Infeasible);
    assert!(message.starts_with("the objective `val_roc` is not measured; measured are loss"));

    let (kind, message) = failure(|execution| {
        execution.specification.model =
            Some(model([max_pool2d(2, 99), flatten(), dense(CLASSES, Activation::Softmax)]));
    });
    assert_eq!(kind, FailureKind::Infeasible);
    assert!(message.contains("`max_pool2d`"), "{message}");

    let (kind, message) = failure(|execution| execution.specification.training = None);
    assert_eq!(kind, FailureKind::Infeasible);
    assert_eq!(message, "the specification's training is missing");

    let (kind, message) = failure(|execution| execution.dataset.push("elsewhere"));
    assert_eq!(kind, FailureKind::Error);
    assert!(message.contains("y.npy: No such file"), "{message}");
}

#[test]
fn another_dataset_replaces_the_one_before() {
    let (first, second) = (dataset(), testing::write_dataset(40, &[12, 10, 1], 3));
    let _guard = testing::seed(0);
    let mut trainer = trainer();
    for (folder, examples) in [(&first, 70), (&second, 28), (&first, 70)] {
        let execution = execution(folder.path(), 1);
        trainer.train(&execution, &mut Recorder::default()).expect("it trains");
        let kept = trainer.dataset.as_ref().expect("it was read");
        assert_eq!(kept.dataset.train.len(), examples);
    }
}
