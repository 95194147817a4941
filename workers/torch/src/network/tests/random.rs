//! Random networks: what shape inference accepts, libtorch builds and runs, with
//! the shapes and the numbers of weights that were inferred.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sweep_proto::v1::bidirectional::Layer as Inner;
use sweep_proto::v1::layer::Kind as LayerKind;
use sweep_proto::v1::parallel::Merge;
use sweep_proto::v1::{
    Activation, Axes, BatchNorm, Bidirectional, Concatenate, Conv1d, Conv2d, Dense,
    DepthwiseConv2d, Dropout, Flatten, GaussianNoise, GlobalPool, Gru, Join, Layer, LayerNorm,
    Lstm, MinMaxScaling, MobileNetV2, Normalization, Padding, Permute, Pool1d, Pool2d, Reduction,
    Regularizer, Rescaling, Reshape, SeparableConv2d, SimpleRnn, Size, SpatialDropout, SpecAugment,
    ToSequence,
};
use tch::{Device, Kind, Tensor};

use super::{Mode, Model, layers, shape};
use crate::testing;

const NETWORKS: u64 = 500;
const BATCH: i64 = 2;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 1 to `most`.
    fn size(&mut self, most: u32) -> u32 {
        1 + (self.roll() % u64::from(most)) as u32
    }

    fn one_in(&mut self, sides: u32) -> bool {
        self.size(sides) == 1
    }

    fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.roll() as usize % values.len()]
    }

    fn pair(&mut self, most: u32) -> Option<Size> {
        Some(Size { height: self.size(most), width: self.size(most) })
    }

    /// Mostly 1.
    fn mostly_one(&mut self, most: u32) -> u32 {
        if self.one_in(3) { self.size(most) } else { 1 }
    }

    fn mostly_ones(&mut self, most: u32) -> Option<Size> {
        Some(Size { height: self.mostly_one(most), width: self.mostly_one(most) })
    }

    fn padding(&mut self) -> i32 {
        self.pick(&[Padding::Valid, Padding::Same]).into()
    }

    fn reduction(&mut self) -> i32 {
        self.pick(&[Reduction::Max, Reduction::Average]).into()
    }

    fn rate(&mut self) -> f64 {
        self.pick(&[0.0, 0.0, 0.3])
    }

    fn activation(&mut self) -> Option<Activation> {
        let function = self.pick(&testing::FUNCTIONS);
        let slope = self.pick(&[0.2, 0.0, -0.1]);
        (!self.one_in(6)).then_some(Activation { function: function.into(), slope })
    }

    fn axes(&mut self, rank: usize) -> Option<Axes> {
        let last = rank as i32;
        let axes = match self.size(4) {
            1 => return None,
            2 => vec![],
            3 => vec![-last],
            _ => (1..=last).rev().collect(),
        };
        Some(Axes { axes })
    }

    fn regularizer(&mut self) -> Option<Regularizer> {
        self.one_in(3).then_some(Regularizer { l1: 0.01, l2: 0.02 })
    }

    /// A layer, most likely one that goes with an input of this shape.
    fn layer(&mut self, shape: &[u32], depth: u32) -> LayerKind {
        let rank = if self.one_in(12) { self.size(3) as usize } else { shape.len() };
        if self.one_in(3) {
            return self.for_any(rank, shape, depth);
        }
        match rank {
            2 => self.for_sequences(),
            3 => self.for_images(shape),
            _ => self.for_any(rank, shape, depth),
        }
    }

    fn for_any(&mut self, rank: usize, shape: &[u32], depth: u32) -> LayerKind {
        match self.size(if depth == 0 { 11 } else { 13 }) {
            1 => LayerKind::Dense(Dense {
                units: self.size(5),
                activation: self.activation(),
                use_bias: self.one_in(2),
                kernel_regularizer: self.regularizer(),
            }),
            2 => LayerKind::Activation(self.activation().unwrap_or_default()),
            3 => LayerKind::BatchNorm(BatchNorm { momentum: 0.9, epsilon: 1e-3 }),
            4 => LayerKind::LayerNorm(LayerNorm { epsilon: 1e-3 }),
            5 => LayerKind::Dropout(Dropout { rate: self.rate() }),
            6 => LayerKind::GaussianNoise(GaussianNoise { stddev: self.rate() }),
            7 if self.one_in(4) => LayerKind::Flatten(Flatten {}),
            7 | 8 => {
                let all = shape.iter().product::<u32>();
                let first = self.size(6).cast_signed();
                let shape = match self.size(3) {
                    1 => vec![first, -1],
                    2 => vec![-1, first, self.size(3).cast_signed()],
                    _ => vec![all.cast_signed()],
                };
                LayerKind::Reshape(Reshape { shape })
            }
            9 => {
                let mut dims: Vec<u32> = (1..=rank as u32).collect();
                let (one, other) = (self.roll() as usize % rank, self.roll() as usize % rank);
                dims.swap(one, other);
                LayerKind::Permute(Permute { dims })
            }
            10 => LayerKind::Rescaling(Rescaling { scale: 0.5, offset: self.rate() }),
            11 if self.one_in(2) => LayerKind::MinMaxScaling(MinMaxScaling {
                axes: self.axes(rank),
                low: 0.0,
                high: 1.0,
            }),
            11 => LayerKind::Normalization(Normalization { axes: self.axes(rank) }),
            _ => self.parallel(shape, depth - 1),
        }
    }

    fn for_sequences(&mut self) -> LayerKind {
        match self.size(8) {
            1 | 2 => LayerKind::Conv1d(Conv1d {
                filters: self.size(4),
                kernel: self.size(4),
                strides: self.mostly_one(3),
                padding: self.pick(&[Padding::Valid, Padding::Same, Padding::Causal]).into(),
                dilation: self.mostly_one(3),
                use_bias: self.one_in(2),
                activation: self.activation(),
                kernel_regularizer: self.regularizer(),
            }),
            3 | 4 => LayerKind::Pool1d(Pool1d {
                pool: self.size(4),
                strides: self.size(3),
                padding: self.padding(),
                reduction: self.reduction(),
            }),
            5 if self.one_in(2) => {
                LayerKind::GlobalPool1d(GlobalPool { reduction: self.reduction() })
            }
            5 => LayerKind::SpatialDropout1d(SpatialDropout { rate: self.rate() }),
            6 => {
                let layer = Some(match self.size(3) {
                    1 => Inner::Gru(self.gru()),
                    2 => Inner::Lstm(self.lstm()),
                    _ => Inner::SimpleRnn(self.simple_rnn()),
                });
                let joins = [Join::Concatenate, Join::Sum, Join::Multiply, Join::Average];
                let merge = self.pick(&joins).into();
                LayerKind::Bidirectional(Bidirectional { layer, merge })
            }
            _ => match self.size(3) {
                1 => LayerKind::Gru(self.gru()),
                2 => LayerKind::Lstm(self.lstm()),
                _ => LayerKind::SimpleRnn(self.simple_rnn()),
            },
        }
    }

    fn for_images(&mut self, shape: &[u32]) -> LayerKind {
        if shape.last() == Some(&3) && self.one_in(8) {
            let trainable = self.one_in(2);
            return LayerKind::MobilenetV2(MobileNetV2 { alpha: 0.1, trainable, weights: None });
        }
        match self.size(9) {
            1 | 2 => LayerKind::Conv2d(Conv2d {
                filters: self.size(4),
                kernel: self.pair(3),
                strides: self.mostly_ones(3),
                padding: self.padding(),
                dilation: self.mostly_ones(2),
                use_bias: self.one_in(2),
                activation: self.activation(),
                kernel_regularizer: self.regularizer(),
            }),
            3 => LayerKind::DepthwiseConv2d(DepthwiseConv2d {
                kernel: self.pair(3),
                strides: self.mostly_ones(3),
                padding: self.padding(),
                dilation: self.mostly_ones(2),
                depth_multiplier: self.size(3),
                use_bias: self.one_in(2),
                activation: self.activation(),
                kernel_regularizer: self.regularizer(),
            }),
            4 => LayerKind::SeparableConv2d(SeparableConv2d {
                filters: self.size(4),
                kernel: self.pair(3),
                strides: self.mostly_ones(3),
                padding: self.padding(),
                dilation: self.mostly_ones(2),
                depth_multiplier: self.size(3),
                use_bias: self.one_in(2),
                activation: self.activation(),
                kernel_regularizer: self.regularizer(),
            }),
            5 | 6 => LayerKind::Pool2d(Pool2d {
                pool: self.pair(3),
                strides: self.pair(3),
                padding: self.padding(),
                reduction: self.reduction(),
            }),
            7 if self.one_in(2) => {
                LayerKind::GlobalPool2d(GlobalPool { reduction: self.reduction() })
            }
            7 => LayerKind::SpatialDropout2d(SpatialDropout { rate: self.rate() }),
            8 => LayerKind::ToSequence(ToSequence {}),
            _ => LayerKind::SpecAugment(SpecAugment {
                frequency_masks: self.size(3) - 1,
                frequency_width: self.size(4) - 1,
                time_masks: self.size(3) - 1,
                time_width: self.size(4) - 1,
            }),
        }
    }

    fn gru(&mut self) -> Gru {
        Gru {
            units: self.size(4),
            activation: self.activation(),
            recurrent_activation: self.activation(),
            return_sequences: self.one_in(2),
            reset_after: self.one_in(2),
            use_bias: self.one_in(2),
            dropout: self.rate(),
            recurrent_dropout: self.rate(),
            kernel_regularizer: self.regularizer(),
        }
    }

    fn lstm(&mut self) -> Lstm {
        Lstm {
            units: self.size(4),
            activation: self.activation(),
            recurrent_activation: self.activation(),
            return_sequences: self.one_in(2),
            unit_forget_bias: self.one_in(2),
            use_bias: self.one_in(2),
            dropout: self.rate(),
            recurrent_dropout: self.rate(),
            kernel_regularizer: self.regularizer(),
        }
    }

    fn simple_rnn(&mut self) -> SimpleRnn {
        SimpleRnn {
            units: self.size(4),
            activation: self.activation(),
            return_sequences: self.one_in(2),
            use_bias: self.one_in(2),
            dropout: self.rate(),
            recurrent_dropout: self.rate(),
            kernel_regularizer: self.regularizer(),
        }
    }

    /// Branches that may not end in the same shape.
    fn parallel(&mut self, shape: &[u32], depth: u32) -> LayerKind {
        let merge = if self.one_in(2) {
            testing::add()
        } else {
            let rank = shape.len() as i32;
            let axes = [-1, -1, 1, rank];
            Merge::Concatenate(Concatenate { axis: self.pick(&axes) })
        };
        let branches: Vec<Vec<LayerKind>> = (0..self.size(3))
            .map(|_| {
                let count = self.size(3) - 1;
                self.stack(shape, count, depth)
            })
            .collect();
        testing::parallel(branches, merge)
    }

    /// Layers that follow one another, most of which fit.
    fn stack(&mut self, shape: &[u32], count: u32, depth: u32) -> Vec<LayerKind> {
        let mut kinds: Vec<LayerKind> = Vec::new();
        let mut input = shape.to_vec();
        for _ in 0..count {
            let kind = self.layer(&input, depth);
            kinds.push(kind);
            let model = testing::model(kinds.clone());
            match shape::infer_layers(&model.layers, shape) {
                Ok(rows) => input.clone_from(&rows.last().expect("one a layer").output_shape),
                Err(_) if self.one_in(20) => {}
                Err(_) => drop(kinds.pop()),
            }
        }
        kinds
    }

    fn input_shape(&mut self) -> Vec<u32> {
        match self.size(8) {
            1 => vec![self.size(6)],
            2..=4 => vec![self.size(7), self.size(4)],
            5..=7 => vec![self.size(8), self.size(8), self.size(3)],
            _ => vec![20 + self.size(20), 20 + self.size(20), 3],
        }
    }
}

/// Number of weights, and of trainable ones.
fn count(weights: &[(String, &Tensor)]) -> (u64, u64) {
    let numel = |values: &Tensor| values.numel() as u64;
    let all = weights.iter().map(|(_, values)| numel(values)).sum();
    let trained = weights.iter().filter(|(_, values)| values.requires_grad());
    (all, trained.map(|(_, values)| numel(values)).sum())
}

/// Compares each layer with its inferred row, those in branches on their own.
///
/// Returns how many layers there were; none if the network was refused.
fn check(model: &[Layer], input_shape: &[u32]) -> usize {
    let Ok(rows) = shape::infer_layers(model, input_shape) else { return 0 };
    let mut network = layers(&Model { layers: model.to_vec() }, input_shape);
    let weights: Vec<_> = network.weights().collect();
    let inferred = rows.iter().map(|row| (row.parameters, row.trainable));
    let inferred = inferred.fold((0, 0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
    assert_eq!(count(&weights), inferred);
    let names: HashSet<&String> = weights.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), weights.len(), "names are unique");

    let sizes = |shape: &[u32]| -> Vec<i64> {
        [BATCH].into_iter().chain(shape.iter().copied().map(i64::from)).collect()
    };
    let input = Tensor::randn(sizes(input_shape), (Kind::Float, Device::Cpu));
    for mode in [Mode::Training, Mode::Inference] {
        let mut values = input.shallow_clone();
        for (stage, layer) in network.stages.iter_mut().zip(model) {
            let row = rows.iter().find(|row| row.name == layer.name).expect("one a layer");
            let output = stage.layer.forward(&values, mode).expect("inference has accepted it");
            assert_eq!(output.size(), sizes(&row.output_shape), "`{}`", row.name);
            assert_eq!(output.kind(), Kind::Float, "`{}`", row.name);
            if let Some(LayerKind::Parallel(parallel)) = &layer.kind {
                let shape: Vec<u32> = values.size()[1..].iter().map(|&size| size as u32).collect();
                for branch in &parallel.branches {
                    check(&branch.layers, &shape);
                }
            } else {
                assert_eq!(count(&stage.weights()), (row.parameters, row.trainable));
            }
            values = output;
        }
    }
    // Nothing that a gradient needs was overwritten.
    let mut loss = network.forward(&input, Mode::Training).expect("as before").sum(Kind::Float);
    if let Some(penalty) = network.penalty().expect("small") {
        loss += penalty;
    }
    if loss.requires_grad() {
        loss.backward();
    }
    for (name, values) in network.weights() {
        assert_eq!(values.grad().defined(), values.requires_grad(), "`{name}`");
    }
    rows.len()
}

#[test]
fn random_networks_are_what_was_inferred() {
    let mut kinds = HashSet::new();
    let mut accepted = 0;
    for seed in 0..NETWORKS {
        let mut dice = Dice(seed);
        let _guard = testing::seed(seed.cast_signed());
        let shape = dice.input_shape();
        let count = dice.size(8);
        let model = testing::model(dice.stack(&shape, count, 2));
        let checked = catch_unwind(AssertUnwindSafe(|| check(&model.layers, &shape)));
        let checked = checked.unwrap_or_else(|_| panic!("network {seed}: {shape:?} {model:#?}"));
        accepted += u64::from(checked > 0);
        if checked > 0 {
            let kind = |layer: &Layer| layer.kind.as_ref().map(std::mem::discriminant);
            kinds.extend(model.layers.iter().filter_map(kind));
        }
    }
    assert!(accepted > NETWORKS / 2, "{accepted} were accepted");
    assert_eq!(kinds.len(), 30, "every kind is among them");
}
