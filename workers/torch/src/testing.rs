//! What tests share: seeds, layers in few words, and a small dataset.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sweep_proto::v1::layer::Kind as LayerKind;
use sweep_proto::v1::{
    Activation, BatchNorm, Conv2d, Dense, Dropout, Flatten, Function, Gru, Layer, Model, Padding,
    Pool2d, Size, ToSequence,
};
use tch::Tensor;
use tempfile::TempDir;

/// Seeds torch's generator and keeps it from other tests until the guard is dropped.
///
/// There is one generator a process, and tests run side by side.
pub(crate) fn seed(seed: i64) -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let guard = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(seed);
    guard
}

/// Writes a dataset whose classes are bright bands at different heights.
///
/// Of ten examples seven are to train on, two to validate on, and one is kept.
pub(crate) fn write_dataset(examples: i64, shape: &[i64], classes: i64) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |file: &str, values: &Tensor| {
        values.write_npy(folder.path().join(file)).expect("the folder is writable");
    };
    let values = shape.iter().product::<i64>();
    let mut inputs = Vec::new();
    for example in 0..examples {
        for value in 0..values {
            let noise = ((example * 7919 + value * 104_729) % 1009) as f32 / 1009.0 - 0.5;
            let band = value * classes / values;
            inputs.push(if band == example % classes { noise + 1.0 } else { noise });
        }
    }
    let size = [&[examples], shape].concat();
    write("x.npy", &Tensor::from_slice(&inputs).view(size.as_slice()));
    let rows = |wanted: fn(i64) -> bool| (0..examples).filter(|row| wanted(row % 10)).collect();
    let labels: Vec<i64> = (0..examples).map(|example| example % classes).collect();
    write("y.npy", &Tensor::from_slice(&labels));
    let train: Vec<i64> = rows(|row| row < 7);
    write("train.npy", &Tensor::from_slice(&train));
    let validation: Vec<i64> = rows(|row| row == 7 || row == 8);
    write("validation.npy", &Tensor::from_slice(&validation));
    folder
}

/// A safetensors file as tensors by name.
pub(crate) fn read_safetensors(path: &Path) -> Vec<(String, Tensor)> {
    Tensor::read_safetensors(path).expect("a safetensors file")
}

/// Names layers as Keras does: `conv2d`, `conv2d_1`.
pub(crate) fn model(kinds: impl IntoIterator<Item = LayerKind>) -> Model {
    let mut names: Vec<&str> = Vec::new();
    let mut layers = Vec::new();
    for kind in kinds {
        let name = match kind {
            LayerKind::Conv2d(_) => "conv2d",
            LayerKind::BatchNorm(_) => "batch_norm",
            LayerKind::Pool2d(_) => "max_pool2d",
            LayerKind::Dropout(_) => "dropout",
            LayerKind::Flatten(_) => "flatten",
            LayerKind::ToSequence(_) => "to_sequence",
            LayerKind::Gru(_) => "gru",
            LayerKind::Dense(_) => "dense",
            LayerKind::Activation(_) => "activation",
            _ => "layer",
        };
        let before = names.iter().filter(|&&other| other == name).count();
        names.push(name);
        let name = if before == 0 { name.to_owned() } else { format!("{name}_{before}") };
        layers.push(Layer { name, kind: Some(kind) });
    }
    Model { layers }
}

pub(crate) fn size(height: u32, width: u32) -> Option<Size> {
    Some(Size { height, width })
}

/// An activation without options.
pub(crate) fn of(function: Function) -> Activation {
    Activation { function: function.into(), slope: 0.0 }
}

/// A convolution with Keras's defaults.
pub(crate) fn conv2d_options(filters: u32, kernel: (u32, u32), activation: Function) -> Conv2d {
    Conv2d {
        filters,
        kernel: size(kernel.0, kernel.1),
        strides: size(1, 1),
        padding: Padding::Valid.into(),
        dilation: size(1, 1),
        use_bias: true,
        activation: Some(of(activation)),
        kernel_regularizer: None,
    }
}

pub(crate) fn conv2d(filters: u32, activation: Function) -> LayerKind {
    LayerKind::Conv2d(conv2d_options(filters, (3, 3), activation))
}

pub(crate) fn batch_norm() -> LayerKind {
    LayerKind::BatchNorm(BatchNorm { momentum: 0.99, epsilon: 1e-3 })
}

pub(crate) fn max_pool2d(height: u32, width: u32) -> LayerKind {
    let pool = size(height, width);
    LayerKind::Pool2d(Pool2d { pool, strides: pool, ..Pool2d::default() })
}

pub(crate) fn dropout(rate: f64) -> LayerKind {
    LayerKind::Dropout(Dropout { rate })
}

pub(crate) fn flatten() -> LayerKind {
    LayerKind::Flatten(Flatten {})
}

pub(crate) fn to_sequence() -> LayerKind {
    LayerKind::ToSequence(ToSequence {})
}

/// A GRU with Keras's defaults.
pub(crate) fn gru_options(units: u32) -> Gru {
    Gru {
        units,
        activation: Some(of(Function::Tanh)),
        recurrent_activation: Some(of(Function::Sigmoid)),
        return_sequences: false,
        reset_after: true,
        use_bias: true,
        ..Gru::default()
    }
}

pub(crate) fn dense(units: u32, activation: Function) -> LayerKind {
    LayerKind::Dense(Dense {
        units,
        activation: Some(of(activation)),
        use_bias: true,
        kernel_regularizer: None,
    })
}

pub(crate) fn activation(activation: Function) -> LayerKind {
    LayerKind::Activation(of(activation))
}
