//! Settings of training, in whole executions.

use sweep_proto::v1::class_weights::Kind as WeightsKind;
use sweep_proto::v1::optimizer::Clipping;
use sweep_proto::v1::schedule::Kind as ScheduleKind;
use sweep_proto::v1::{
    AdamW, Balanced, BinaryCrossentropy, ClassWeights, Cosine, Dense, Exponential, GaussianNoise,
    Gru, MeanSquaredError, Normalization, Plateau, Regularizer, RmsProp, Schedule, Sgd,
    SpecAugment, Step, Weights,
};
use tch::Tensor;

use super::*;

/// A change of an execution, by name.
type Change = (&'static str, fn(&mut Execution));

fn optimizer(execution: &mut Execution, kind: OptimizerKind, clipping: Option<Clipping>) {
    training(execution).optimizer = Some(Optimizer { kind: Some(kind), clipping });
}

fn schedule(execution: &mut Execution, kind: ScheduleKind) {
    training(execution).schedule = Some(Schedule { kind: Some(kind) });
}

fn loss(execution: &mut Execution, kind: loss::Kind) {
    training(execution).loss = Some(Loss { kind: Some(kind) });
}

const SGD: Sgd = Sgd { learning_rate: 0.02, momentum: 0.9, nesterov: true };

/// Reduces in every second epoch: no loss rises.
fn plateau() -> ScheduleKind {
    ScheduleKind::Plateau(Plateau {
        monitor: "loss".into(),
        direction: Direction::Max.into(),
        factor: 0.5,
        patience: 1,
        min_delta: 10.0,
        cooldown: 1,
        minimum: 1e-4,
    })
}

/// Together, all that has a memory or draws from a generator.
const CHANGES: [Change; 4] = [
    ("momentum and cosine", |execution| {
        optimizer(execution, OptimizerKind::Sgd(SGD), Some(Clipping::Clipnorm(0.5)));
        schedule(execution, ScheduleKind::Cosine(Cosine { epochs: 5, warmup: 2, minimum: 0.1 }));
        training(execution).class_weights =
            Some(ClassWeights { kind: Some(WeightsKind::Balanced(Balanced {})) });
        let smoothed = CategoricalCrossentropy { label_smoothing: 0.1 };
        loss(execution, loss::Kind::CategoricalCrossentropy(smoothed));
    }),
    ("centered rmsprop and plateau", |execution| {
        let rmsprop =
            RmsProp { learning_rate: 0.01, rho: 0.9, momentum: 0.5, epsilon: 1e-3, centered: true };
        optimizer(execution, OptimizerKind::Rmsprop(rmsprop), Some(Clipping::Clipvalue(0.5)));
        schedule(execution, plateau());
        let dropped = Gru { dropout: 0.2, recurrent_dropout: 0.2, ..gru_options(6) };
        execution.specification.model = Some(model([
            conv2d(4, Activation::Relu),
            batch_norm(),
            to_sequence(),
            LayerKind::Gru(dropped),
            dense(CLASSES, Activation::Softmax),
        ]));
    }),
    ("weight decay and steps", |execution| {
        let adamw = AdamW {
            learning_rate: 0.01,
            beta_1: 0.9,
            beta_2: 0.99,
            epsilon: 1e-7,
            weight_decay: 0.1,
        };
        optimizer(execution, OptimizerKind::Adamw(adamw), Some(Clipping::GlobalClipnorm(1.0)));
        schedule(execution, ScheduleKind::Step(Step { every: 2, factor: 0.5 }));
        loss(
            execution,
            loss::Kind::BinaryCrossentropy(BinaryCrossentropy { label_smoothing: 0.1 }),
        );
        execution.specification.model = Some(model([
            LayerKind::Normalization(Normalization::default()),
            LayerKind::SpecAugment(SpecAugment {
                frequency_masks: 1,
                frequency_width: 3,
                time_masks: 1,
                time_width: 2,
            }),
            LayerKind::GaussianNoise(GaussianNoise { stddev: 0.1 }),
            conv2d(4, Activation::Relu),
            flatten(),
            LayerKind::Dense(Dense {
                kernel_regularizer: Some(Regularizer { l1: 0.0, l2: 0.01 }),
                ..dense_options(Activation::Sigmoid)
            }),
        ]));
    }),
    ("squared errors, falling", |execution| {
        optimizer(execution, OptimizerKind::Sgd(Sgd { momentum: 0.0, ..SGD }), None);
        schedule(execution, ScheduleKind::Exponential(Exponential { hold: 1, factor: 0.8 }));
        loss(execution, loss::Kind::MeanSquaredError(MeanSquaredError {}));
    }),
];

fn dense_options(activation: Activation) -> Dense {
    Dense {
        units: CLASSES,
        activation: Some(testing::of(activation)),
        use_bias: true,
        kernel_regularizer: None,
    }
}

#[test]
fn whatever_has_a_memory_goes_on_from_a_checkpoint_to_the_bit() {
    let folder = dataset();
    for (name, change) in CHANGES {
        let make = |epochs| {
            let mut execution = execution(folder.path(), epochs);
            change(&mut execution);
            execution
        };
        let whole = checkpoints::train_in_parts(make, &[5]);
        assert_eq!(whole.0.len(), 5, "{name}");
        assert!(whole.1.weights.is_some() && whole.1.checkpoint.is_some(), "{name}");
        assert!(checkpoints::train_in_parts(make, &[1, 2, 5]) == whole, "{name}: other bits");
    }
}

#[test]
fn the_learning_rate_of_an_epoch_is_reported() {
    let folder = dataset();
    let rates = |change: fn(&mut Execution)| {
        let mut execution = execution(folder.path(), 4);
        change(&mut execution);
        let mut recorder = Recorder::default();
        train(&execution, &mut recorder).expect("it trains");
        recorder.values("learning_rate")
    };
    assert!(rates(|_| {}).is_empty());
    assert_eq!(rates(|execution| schedule(execution, plateau())), [0.01, 0.01, 0.005, 0.0025]);
    let step = |execution: &mut Execution| {
        schedule(execution, ScheduleKind::Step(Step { every: 2, factor: 0.5 }));
    };
    assert_eq!(rates(step), [0.01, 0.01, 0.005, 0.005]);
    let cosine = rates(|execution| {
        schedule(execution, ScheduleKind::Cosine(Cosine { epochs: 3, warmup: 1, minimum: 0.2 }));
    });
    // Of the step that would come next.
    let expected = [0.01, 0.006, 0.002, 0.002];
    assert!(cosine.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-12), "{cosine:?}");
}

/// Nothing moves, so that losses can be compared.
fn still(folder: &Path) -> Execution {
    let mut execution = execution(folder, 1);
    optimizer(&mut execution, OptimizerKind::Sgd(Sgd { learning_rate: 0.0, ..SGD }), None);
    let end = LayerKind::Dense(dense_options(Activation::Softmax));
    execution.specification.model = Some(model([flatten(), end]));
    execution
}

#[test]
fn classes_weigh_in_the_training_loss_alone() {
    let folder = dataset();
    let losses = |weights: Option<[f64; 3]>| {
        let mut execution = still(folder.path());
        let values = weights.map(|values| Weights { values: values.to_vec() });
        training(&mut execution).class_weights =
            values.map(|values| ClassWeights { kind: Some(WeightsKind::Given(values)) });
        let mut recorder = Recorder::default();
        train(&execution, &mut recorder).expect("it trains");
        (recorder.values("loss")[0], recorder.values("val_loss")[0])
    };
    let (loss, validation) = losses(None);
    let (doubled, same) = losses(Some([2.0; 3]));
    assert!((doubled / loss - 2.0).abs() < 1e-5, "{doubled} {loss}");
    assert_eq!(same, validation);
    let parts = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|of| losses(Some(of)).0);
    assert!((parts.iter().sum::<f64>() / loss - 1.0).abs() < 1e-5, "{parts:?} {loss}");
}

#[test]
fn regularizers_add_to_both_losses() {
    let folder = dataset();
    let mut execution = still(folder.path());
    let mut losses = |l2| {
        let regularizer = Regularizer { l1: 0.0, l2 };
        let options =
            Dense { kernel_regularizer: Some(regularizer), ..dense_options(Activation::Softmax) };
        execution.specification.model = Some(model([flatten(), LayerKind::Dense(options)]));
        let mut recorder = Recorder::default();
        let trained = train(&execution, &mut recorder).expect("it trains");
        (recorder.values("loss")[0], recorder.values("val_loss")[0], trained.weights)
    };
    let (loss, validation, weights) = losses(0.0);
    let weights = weights.expect("an epoch is the best");
    let file = SafeTensors::deserialize(&weights).expect("a safetensors file");
    let kernel = file.tensor("dense/kernel").expect("its kernel").data().chunks_exact(4);
    let kernel = kernel.map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")));
    let penalty = 0.5 * kernel.map(|value| f64::from(value).powi(2)).sum::<f64>();
    let (more, more_validation, _) = losses(0.5);
    assert!((more - loss - penalty).abs() < 1e-5 * more, "{more} {loss} {penalty}");
    assert!((more_validation - validation - penalty).abs() < 1e-5 * more, "{more_validation}");
}

#[test]
fn tracks_with_several_examples_are_measured() {
    let folder = dataset();
    // Every track has two examples of its class; of those to validate on, some.
    let groups: Vec<i64> = (0..100).map(|row| row / 6 * 3 + row % 3).collect();
    Tensor::from_slice(&groups).write_npy(folder.path().join("groups.npy")).expect("writable");
    let mut execution = execution(folder.path(), 8);
    execution.specification.objective = Some(Objective {
        metric: "track_mean_accuracy".into(),
        direction: Direction::Max.into(),
        terms: Vec::new(),
    });
    let mut recorder = Recorder::default();
    let trained = train(&execution, &mut recorder).expect("it trains");
    assert!(trained.weights.is_some());
    for name in ["track_accuracy", "track_mean_accuracy"] {
        let values = recorder.values(name);
        assert!(values.len() == 8 && values[7] > 0.8, "{name}: {values:?}");
    }
}

#[test]
fn one_output_tells_two_classes_apart() {
    let folder = testing::write_dataset(100, &SHAPE.map(i64::from), 2);
    let mut execution = execution(folder.path(), 12);
    loss(&mut execution, loss::Kind::BinaryCrossentropy(BinaryCrossentropy::default()));
    execution.specification.dataset.as_mut().expect("set above").classes = 2;
    let layers = [conv2d(4, Activation::Relu), flatten(), dense(1, Activation::Sigmoid)];
    execution.specification.model = Some(model(layers));
    let mut recorder = Recorder::default();
    train(&execution, &mut recorder).expect("it trains");
    for name in ["val_accuracy", "val_recall_0", "val_recall_1", "val_f1"] {
        let values = recorder.values(name);
        assert!(values[11] > 0.8, "{name}: {values:?}");
    }
}

#[test]
fn bf16_learns_with_weights_in_f32() {
    let folder = dataset();
    let mut execution = execution(folder.path(), 10);
    let exact = {
        let mut recorder = Recorder::default();
        train(&execution, &mut recorder).expect("it trains");
        recorder.values("loss")
    };
    training(&mut execution).precision = Precision::Bf16.into();
    let mut trainer = trainer();
    trainer.device.has_bf16 = true;
    let mut recorder = Recorder::default();
    let guard = testing::seed(0);
    let trained = finished(trainer.train(&execution, &mut recorder).expect("it trains"));
    drop(guard);
    let losses = recorder.values("loss");
    assert!(losses[9] < losses[0] / 2.0, "{losses:?}");
    assert!(losses[0] != exact[0] && (losses[0] / exact[0] - 1.0).abs() < 0.05, "{losses:?}");
    let weights = trained.weights.expect("an epoch is the best");
    let file = SafeTensors::deserialize(&weights).expect("a safetensors file");
    assert_eq!(file.tensor("gru/kernel").expect("its kernel").dtype(), Dtype::F32);

    // Without bf16 the numbers are those of f32.
    trainer.device.has_bf16 = false;
    let mut recorder = Recorder::default();
    let _guard = testing::seed(0);
    trainer.train(&execution, &mut recorder).expect("it trains");
    assert_eq!(recorder.values("loss"), exact);
}

#[test]
fn the_device_decides_on_the_precision() {
    let mut trainer = trainer();
    for (device, has_bf16, [f32, auto, bf16]) in [
        (Device::Cpu, true, [Kind::Float, Kind::Float, Kind::BFloat16]),
        (Device::Cuda(0), true, [Kind::Float, Kind::BFloat16, Kind::BFloat16]),
        (Device::Cuda(0), false, [Kind::Float; 3]),
    ] {
        trainer.device.device = device;
        trainer.device.has_bf16 = has_bf16;
        assert_eq!(trainer.precision(Precision::F32), f32);
        assert_eq!(trainer.precision(Precision::Auto), auto);
        assert!(!trainer.told_of_precision);
        assert_eq!(trainer.precision(Precision::Bf16), bf16);
    }
    assert!(trainer.told_of_precision);
}
