//! What tests share: seeds, layers in few words, and a small dataset.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sweep_proto::v1::layer::Kind as LayerKind;
use sweep_proto::v1::parallel::Merge;
use sweep_proto::v1::{
    Activation, Add, BatchNorm, Branch, Concatenate, Conv1d, Conv2d, Dataset, Dense, Dropout,
    Flatten, Function, Gru, Layer, Lstm, Model, Padding, Parallel, Pool2d, Reduction, SimpleRnn,
    Size, ToSequence,
};
use tch::Tensor;
use tempfile::TempDir;

use crate::metrics::{Reported, Schema};
use crate::network::Network;

/// Seeds torch's generator and keeps it from other tests until the guard is dropped.
///
/// There is one generator a process, and tests run side by side.
pub(crate) fn seed(seed: i64) -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let guard = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(seed);
    // Small tensors gain nothing from threads, which wait for each other busily.
    tch::set_num_threads(1);
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

/// Adapts a network to examples, so many at a time.
pub(crate) fn adapt(network: &mut Network, inputs: &Tensor, batch_size: i64) {
    let batches = || Ok(inputs.split(batch_size, 0).into_iter().map(Ok));
    network.adapt(batches).expect("shapes fit");
}

/// What such a dataset is, without folds.
pub(crate) fn specification(input_shape: &[u32], classes: u32) -> Dataset {
    Dataset { input_shape: input_shape.to_vec(), classes, ..Dataset::default() }
}

/// All values of a tensor, in order.
pub(crate) fn floats(values: &Tensor) -> Vec<f32> {
    let flat = values.detach().to_kind(tch::Kind::Float).reshape([-1]);
    Vec::try_from(flat).expect("it is one row of f32")
}

/// Names layers as Keras does: `conv2d`, `conv2d_1`; those in branches too.
pub(crate) fn model(kinds: impl IntoIterator<Item = LayerKind>) -> Model {
    let mut layers: Vec<Layer> =
        kinds.into_iter().map(|kind| Layer { name: String::new(), kind: Some(kind) }).collect();
    name_layers(&mut layers, &mut HashMap::new());
    Model { layers }
}

fn name_layers(layers: &mut [Layer], before: &mut HashMap<&'static str, u32>) {
    for layer in layers {
        let Some(kind) = &mut layer.kind else { continue };
        if let LayerKind::Parallel(parallel) = kind {
            for branch in &mut parallel.branches {
                name_layers(&mut branch.layers, before);
            }
        }
        let word = word(kind);
        let count = before.entry(word).or_default();
        layer.name = if *count == 0 { word.to_owned() } else { format!("{word}_{count}") };
        *count += 1;
    }
}

/// A layer's word in an experiment file.
fn word(kind: &LayerKind) -> &'static str {
    let is_max = |reduction: i32| reduction == i32::from(Reduction::Max);
    match kind {
        LayerKind::Conv1d(_) => "conv1d",
        LayerKind::Conv2d(_) => "conv2d",
        LayerKind::DepthwiseConv2d(_) => "depthwise_conv2d",
        LayerKind::SeparableConv2d(_) => "separable_conv2d",
        LayerKind::Pool1d(pool) if is_max(pool.reduction) => "max_pool1d",
        LayerKind::Pool1d(_) => "avg_pool1d",
        LayerKind::Pool2d(pool) if is_max(pool.reduction) => "max_pool2d",
        LayerKind::Pool2d(_) => "avg_pool2d",
        LayerKind::GlobalPool1d(pool) if is_max(pool.reduction) => "global_max_pool1d",
        LayerKind::GlobalPool1d(_) => "global_avg_pool1d",
        LayerKind::GlobalPool2d(pool) if is_max(pool.reduction) => "global_max_pool2d",
        LayerKind::GlobalPool2d(_) => "global_avg_pool2d",
        LayerKind::BatchNorm(_) => "batch_norm",
        LayerKind::LayerNorm(_) => "layer_norm",
        LayerKind::Dropout(_) => "dropout",
        LayerKind::SpatialDropout1d(_) => "spatial_dropout1d",
        LayerKind::SpatialDropout2d(_) => "spatial_dropout2d",
        LayerKind::GaussianNoise(_) => "gaussian_noise",
        LayerKind::Flatten(_) => "flatten",
        LayerKind::Reshape(_) => "reshape",
        LayerKind::Permute(_) => "permute",
        LayerKind::ToSequence(_) => "to_sequence",
        LayerKind::Gru(_) => "gru",
        LayerKind::Lstm(_) => "lstm",
        LayerKind::SimpleRnn(_) => "simple_rnn",
        LayerKind::Bidirectional(_) => "bidirectional",
        LayerKind::Dense(_) => "dense",
        LayerKind::Activation(_) => "activation",
        LayerKind::Rescaling(_) => "rescaling",
        LayerKind::Normalization(_) => "normalization",
        LayerKind::MinMaxScaling(_) => "min_max_scaling",
        LayerKind::SpecAugment(_) => "spec_augment",
        LayerKind::Parallel(_) => "parallel",
        LayerKind::MobilenetV2(_) => "mobilenet_v2",
    }
}

pub(crate) fn size(height: u32, width: u32) -> Option<Size> {
    Some(Size { height, width })
}

/// All activations.
pub(crate) const FUNCTIONS: [Function; 12] = [
    Function::Linear,
    Function::Relu,
    Function::Tanh,
    Function::Elu,
    Function::Sigmoid,
    Function::Softmax,
    Function::LeakyRelu,
    Function::Selu,
    Function::Gelu,
    Function::Silu,
    Function::Softplus,
    Function::Relu6,
];

/// Metrics of losses and accuracies, and of nothing else but perhaps the learning rate.
pub(crate) fn schema(learning_rate: bool) -> Schema {
    Schema::new(&Reported {
        classes: 0,
        class_names: &[],
        top_k: 1,
        train_tracks: false,
        validation_tracks: false,
        learning_rate,
    })
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

/// A convolution over time with Keras's defaults.
pub(crate) fn conv1d_options(filters: u32, kernel: u32) -> Conv1d {
    Conv1d {
        filters,
        kernel,
        strides: 1,
        padding: Padding::Valid.into(),
        dilation: 1,
        use_bias: true,
        activation: None,
        kernel_regularizer: None,
    }
}

/// An LSTM with Keras's defaults.
pub(crate) fn lstm_options(units: u32) -> Lstm {
    Lstm {
        units,
        activation: Some(of(Function::Tanh)),
        recurrent_activation: Some(of(Function::Sigmoid)),
        unit_forget_bias: true,
        use_bias: true,
        ..Lstm::default()
    }
}

/// A plain recurrent layer with Keras's defaults.
pub(crate) fn simple_rnn_options(units: u32) -> SimpleRnn {
    let activation = Some(of(Function::Tanh));
    SimpleRnn { units, activation, use_bias: true, ..SimpleRnn::default() }
}

/// Branches, joined along the last axis or added up.
pub(crate) fn parallel(
    branches: impl IntoIterator<Item = Vec<LayerKind>>,
    merge: Merge,
) -> LayerKind {
    let layer = |kind| Layer { name: String::new(), kind: Some(kind) };
    let branch = |kinds: Vec<LayerKind>| Branch { layers: kinds.into_iter().map(layer).collect() };
    let branches = branches.into_iter().map(branch).collect();
    LayerKind::Parallel(Parallel { branches, merge: Some(merge) })
}

pub(crate) fn concatenate() -> Merge {
    Merge::Concatenate(Concatenate { axis: -1 })
}

pub(crate) fn add() -> Merge {
    Merge::Add(Add {})
}
