//! Every layer in bf16: it runs both ways, keeps the kind, and gives about the
//! same as in f32.

use std::collections::HashSet;

use sweep_proto::v1::bidirectional::Layer as Inner;
use sweep_proto::v1::layer::Kind as LayerKind;
use sweep_proto::v1::{
    Bidirectional, Conv1d, DepthwiseConv2d, Function, GaussianNoise, GlobalPool, Gru, Join,
    LayerNorm, Lstm, MinMaxScaling, MobileNetV2, Normalization, Padding, Permute, Pool1d, Pool2d,
    Reduction, Rescaling, Reshape, SeparableConv2d, SimpleRnn, SpatialDropout, SpecAugment,
};
use tch::{Device, Kind, Tensor};

use super::{Mode, layers};
use crate::testing::{
    self, activation, add, batch_norm, concatenate, conv1d_options, conv2d, dense, dropout,
    flatten, gru_options, lstm_options, model, parallel, simple_rnn_options, size, to_sequence,
};

const SEQUENCE: &[u32] = &[5, 4];
const IMAGE: &[u32] = &[6, 5, 3];

/// All kinds of layers, some of them in several forms.
fn every_layer() -> Vec<(&'static [u32], LayerKind)> {
    let same = Padding::Same.into();
    let [max, average] = [Reduction::Max, Reduction::Average].map(i32::from);
    let conv1d = Conv1d { padding: Padding::Causal.into(), ..conv1d_options(3, 2) };
    let depthwise = DepthwiseConv2d {
        kernel: size(3, 2),
        strides: size(1, 1),
        padding: same,
        dilation: size(1, 1),
        depth_multiplier: 2,
        use_bias: true,
        ..DepthwiseConv2d::default()
    };
    let separable = SeparableConv2d {
        filters: 4,
        kernel: size(3, 2),
        strides: size(1, 1),
        padding: same,
        dilation: size(1, 1),
        depth_multiplier: 2,
        use_bias: true,
        ..SeparableConv2d::default()
    };
    let pool1d = |reduction| Pool1d { pool: 2, strides: 2, padding: same, reduction };
    let pool2d =
        |reduction| Pool2d { pool: size(2, 3), strides: size(2, 2), padding: same, reduction };
    let gru = Gru { return_sequences: true, dropout: 0.2, ..gru_options(3) };
    let before = Gru { reset_after: false, recurrent_dropout: 0.2, ..gru };
    let lstm = Lstm { dropout: 0.2, recurrent_dropout: 0.2, ..lstm_options(3) };
    let simple = SimpleRnn { recurrent_dropout: 0.2, ..simple_rnn_options(3) };
    let both = Bidirectional {
        layer: Some(Inner::Lstm(Lstm { return_sequences: true, ..lstm_options(3) })),
        merge: Join::Concatenate.into(),
    };
    let mut found = vec![
        (SEQUENCE, dense(3, Function::Softmax)),
        (SEQUENCE, LayerKind::Conv1d(conv1d)),
        (SEQUENCE, LayerKind::Pool1d(pool1d(max))),
        (SEQUENCE, LayerKind::Pool1d(pool1d(average))),
        (SEQUENCE, LayerKind::GlobalPool1d(GlobalPool { reduction: max })),
        (SEQUENCE, LayerKind::GlobalPool1d(GlobalPool { reduction: average })),
        (SEQUENCE, LayerKind::SpatialDropout1d(SpatialDropout { rate: 0.3 })),
        (SEQUENCE, batch_norm()),
        (SEQUENCE, LayerKind::LayerNorm(LayerNorm { epsilon: 1e-3 })),
        (SEQUENCE, dropout(0.3)),
        (SEQUENCE, LayerKind::GaussianNoise(GaussianNoise { stddev: 0.3 })),
        (SEQUENCE, LayerKind::Gru(gru)),
        (SEQUENCE, LayerKind::Gru(before)),
        (SEQUENCE, LayerKind::Lstm(lstm)),
        (SEQUENCE, LayerKind::SimpleRnn(simple)),
        (SEQUENCE, LayerKind::Bidirectional(both)),
        (SEQUENCE, LayerKind::Rescaling(Rescaling { scale: 0.5, offset: 1.0 })),
        (SEQUENCE, LayerKind::Normalization(Normalization::default())),
        (SEQUENCE, LayerKind::MinMaxScaling(MinMaxScaling { axes: None, low: -1.0, high: 1.0 })),
        (SEQUENCE, LayerKind::Reshape(Reshape { shape: vec![-1, 2] })),
        (SEQUENCE, LayerKind::Permute(Permute { dims: vec![2, 1] })),
        (IMAGE, conv2d(4, Function::Softmax)),
        (IMAGE, LayerKind::DepthwiseConv2d(depthwise)),
        (IMAGE, LayerKind::SeparableConv2d(separable)),
        (IMAGE, LayerKind::Pool2d(pool2d(max))),
        (IMAGE, LayerKind::Pool2d(pool2d(average))),
        (IMAGE, LayerKind::GlobalPool2d(GlobalPool { reduction: max })),
        (IMAGE, LayerKind::GlobalPool2d(GlobalPool { reduction: average })),
        (IMAGE, LayerKind::SpatialDropout2d(SpatialDropout { rate: 0.3 })),
        (IMAGE, batch_norm()),
        (IMAGE, flatten()),
        (IMAGE, to_sequence()),
        (
            IMAGE,
            LayerKind::SpecAugment(SpecAugment {
                frequency_masks: 1,
                frequency_width: 2,
                time_masks: 1,
                time_width: 2,
            }),
        ),
        (
            IMAGE,
            parallel(
                [vec![conv2d(2, Function::Relu)], vec![conv2d(3, Function::Tanh)]],
                concatenate(),
            ),
        ),
        (IMAGE, parallel([vec![], vec![dense(3, Function::Elu)]], add())),
    ];
    for trainable in [true, false] {
        let network = MobileNetV2 { alpha: 0.1, trainable, weights: None };
        found.push((&[40, 33, 3], LayerKind::MobilenetV2(network)));
    }
    for function in testing::FUNCTIONS {
        found.push((SEQUENCE, activation(function)));
        found.push((SEQUENCE, dense(3, function)));
    }
    found
}

/// The output, and the gradients of its sum, weighted, by the input and all
/// weights; all as f32.
fn run(network: &mut super::Network, input: &Tensor, mode: Mode, kind: Kind) -> Vec<Tensor> {
    let input = input.detach_copy().to_kind(kind).set_requires_grad(true);
    let output = network.forward(&input, mode).expect("shapes fit");
    assert_eq!(output.kind(), kind);
    let count = output.numel() as i64;
    let coefficients = Tensor::arange(count, (Kind::Float, Device::Cpu)).sin();
    let loss = output.to_kind(Kind::Float) * coefficients.view_as(&output);
    let weights = network.trainable();
    let by: Vec<&Tensor> = [&input].into_iter().chain(&weights).collect();
    let gradients = Tensor::run_backward(&[loss.sum(Kind::Float)], &by, false, false);
    let mut found = vec![output.detach().to_kind(Kind::Float)];
    for (weight, gradient) in by.iter().zip(gradients) {
        assert_eq!(gradient.kind(), weight.kind());
        found.push(gradient.to_kind(Kind::Float));
    }
    found
}

#[test]
fn every_layer_runs_in_bf16() {
    let mut kinds = HashSet::new();
    for (shape, kind) in every_layer() {
        kinds.insert(std::mem::discriminant(&kind));
        let _guard = testing::seed(3);
        let model = model([kind]);
        let name = &model.layers[0].name;
        let mut network = layers(&model, shape);
        let size: Vec<i64> = [4].into_iter().chain(shape.iter().copied().map(i64::from)).collect();
        // What is no different in bf16.
        let input = Tensor::randn(size, (Kind::BFloat16, Device::Cpu)).to_kind(Kind::Float);
        let expected = run(&mut network, &input, Mode::Inference, Kind::Float);
        let found = run(&mut network, &input, Mode::Inference, Kind::BFloat16);
        // Rounding adds up over fifty layers.
        let most = if name == "mobilenet_v2" { 0.6 } else { 0.04 };
        for (expected, found) in expected.iter().zip(&found) {
            let length = expected.norm().double_value(&[]).max(1e-3);
            let off = (expected - found).norm().double_value(&[]) / length;
            assert!(off < most, "`{name}` is off by {off}:\n{expected}\n{found}");
        }
        let trained = run(&mut network, &input, Mode::Training, Kind::BFloat16);
        for values in &trained {
            assert!(values.isfinite().all().int64_value(&[]) == 1, "`{name}`");
        }
    }
    assert_eq!(kinds.len(), 30, "every kind is among them");
}
