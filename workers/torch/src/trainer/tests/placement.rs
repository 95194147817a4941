//! Inputs on the device and inputs that stay in their file.

use sweep_proto::v1::{Axes, MinMaxScaling, Normalization};
use tch::{Kind, Tensor};

use super::*;
use crate::device::{self, DeviceChoice};

/// A network that begins by scaling; batches are of a length that leaves rows
/// at odd addresses.
fn scaling(folder: &Path, epochs: u32) -> Execution {
    let mut execution = execution(folder, epochs);
    let rows = Some(Axes { axes: vec![1] });
    let mut gru = gru_options(5);
    gru.dropout = 0.1;
    execution.specification.model = Some(model([
        LayerKind::MinMaxScaling(MinMaxScaling { axes: rows.clone(), low: -1.0, high: 1.0 }),
        LayerKind::Normalization(Normalization { axes: rows }),
        conv2d(3, Activation::Elu),
        batch_norm(),
        to_sequence(),
        LayerKind::Gru(gru),
        dense(CLASSES, Activation::Softmax),
    ]));
    training(&mut execution).batch_size = 7;
    execution.keep_checkpoint = true;
    execution
}

/// All that is measured, and what training leaves.
fn train_from(placement: Placement, execution: &Execution) -> (Vec<Vec<v1::Metric>>, Trained) {
    let _guard = testing::seed(0);
    let mut trainer = trainer();
    trainer.placement = Some(placement);
    let mut recorder = Recorder::default();
    let trained = finished(trainer.train(execution, &mut recorder).expect("it trains"));
    let kept = &trainer.dataset.as_ref().expect("it was opened").dataset;
    assert_eq!(kept.train.placement(), placement);
    let measured = recorder.measurements.into_iter().map(|measured| measured.metrics);
    (measured.collect(), trained)
}

#[test]
fn training_is_the_same_to_the_bit_wherever_the_inputs_lie() {
    let folder = dataset();
    for make in [execution, scaling] {
        let execution = make(folder.path(), 3);
        let on_device = train_from(Placement::OnDevice, &execution);
        assert_eq!(on_device.0.len(), 3);
        assert!(train_from(Placement::InFile, &execution) == on_device, "other bits");
    }
}

#[test]
fn bytes_train_as_the_same_floats_do() {
    let folder = dataset();
    let path = folder.path().join("x.npy");
    let inputs = Tensor::read_npy(&path).expect("just written");
    let bytes = ((inputs + 1.0) * 80.0).to_kind(Kind::Uint8);
    bytes.to_kind(Kind::Float).write_npy(&path).expect("the folder is writable");
    let execution = scaling(folder.path(), 2);
    let floats = train_from(Placement::OnDevice, &execution);
    bytes.write_npy(&path).expect("the folder is writable");
    for placement in [Placement::OnDevice, Placement::InFile] {
        assert!(train_from(placement, &execution) == floats, "{placement:?}: other bits");
    }
}

#[test]
fn what_a_device_has_room_for_lies_there() {
    let folder = dataset();
    let _guard = testing::seed(0);
    let mut trainer = trainer();
    let execution = execution(folder.path(), 1);
    let v1::Specification { model, training, dataset, .. } = execution.specification.clone();
    let (model, training) = (model.expect("set above"), training.expect("set above"));
    let needed = sweep_proto::memory::estimate(&model, &training, &dataset.expect("set above"));
    let input_bytes = 90 * 12 * 10 * 4;
    let enough = (needed.expect("it works").training_bytes() + input_bytes) * 3 / 2 + 3;
    let mut placement = |memory_bytes| {
        trainer.device.memory_bytes = Some(memory_bytes);
        trainer.train(&execution, &mut Recorder::default()).expect("it fits");
        trainer.dataset.as_ref().expect("it was opened").dataset.train.placement()
    };
    assert_eq!(placement(enough), Placement::OnDevice);
    assert_eq!(placement(enough - 6), Placement::InFile);
    assert_eq!(placement(enough), Placement::OnDevice);
}

#[test]
fn numbers_of_the_examples_are_kept_with_the_model() {
    let folder = dataset();
    let rows = Tensor::read_npy(folder.path().join("train.npy")).expect("just written");
    let inputs = Tensor::read_npy(folder.path().join("x.npy")).expect("just written");
    // Of the examples to train on only, for each of twelve rows.
    let inputs = inputs.index_select(0, &rows).permute([1, 0, 2, 3]).reshape([12, -1]);
    let (minimum, maximum) = (inputs.amin([1], false), inputs.amax([1], false));
    let scaled = (&inputs - minimum.unsqueeze(1)) / (&maximum - &minimum).unsqueeze(1) * 2.0 - 1.0;
    let mean = scaled.mean_dim([1].as_slice(), false, Kind::Float);
    let variance = scaled.var_dim([1].as_slice(), false, false);

    let (_, trained) = train_from(Placement::InFile, &scaling(folder.path(), 1));
    let weights = trained.weights.expect("an epoch is the best");
    let checkpoint = trained.checkpoint.expect("it is to be kept");
    for (file, prefix) in [(&weights, ""), (&checkpoint.bytes, "network/")] {
        let file = SafeTensors::deserialize(file).expect("a safetensors file");
        for (name, expected, tolerance) in [
            ("min_max_scaling/minimum", &minimum, 0.0),
            ("min_max_scaling/maximum", &maximum, 0.0),
            ("normalization/mean", &mean, 1e-5),
            ("normalization/variance", &variance, 1e-5),
        ] {
            let found = file.tensor(&format!("{prefix}{name}")).expect(name);
            assert_eq!((found.dtype(), found.shape()), (Dtype::F32, [12].as_slice()), "{name}");
            let found = Tensor::from_data_size(found.data(), &[12], Kind::Float);
            let off = (found - expected).abs().max().double_value(&[]);
            assert!(off <= tolerance, "{name} is off by {off}");
        }
    }
}

/// Only where there is a GPU. Sums are taken in another order there each time,
/// so that numbers agree roughly.
#[test]
fn a_gpu_gets_the_same_examples_from_the_file() {
    let Ok(device) = device::open(DeviceChoice::Cuda(0), Some(1)) else { return };
    let (free, all) = (device.free_bytes(), device.memory_bytes);
    assert!(free.is_some() && free <= all, "{free:?} of {all:?}");
    let folder = dataset();
    let path = folder.path().join("x.npy");
    let inputs = Tensor::read_npy(&path).expect("just written");
    let _guard = testing::seed(0);
    for kind in [Kind::Float, Kind::Uint8] {
        let inputs = ((&inputs + 1.0) * 80.0).to_kind(Kind::Uint8).to_kind(kind);
        inputs.write_npy(&path).expect("the folder is writable");
        let losses = [Placement::OnDevice, Placement::InFile].map(|placement| {
            let mut trainer = TorchTrainer::new(device.clone());
            trainer.placement = Some(placement);
            let mut recorder = Recorder::default();
            trainer.train(&scaling(folder.path(), 3), &mut recorder).expect("it trains");
            recorder.values("val_loss")
        });
        for (on_device, in_file) in losses[0].iter().zip(&losses[1]) {
            assert!((on_device - in_file).abs() < 1e-2, "{kind:?}: {losses:?}");
        }
    }
}
