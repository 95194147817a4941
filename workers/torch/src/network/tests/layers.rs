//! Single layers, by hand: what other tests cannot show.

use sweep_proto::v1::bidirectional::Layer as Inner;
use sweep_proto::v1::layer::Kind as LayerKind;
use sweep_proto::v1::{
    Activation as ActivationOptions, Bidirectional, Conv1d, Conv2d, Dense, DepthwiseConv2d,
    Function, GaussianNoise, GlobalPool, Gru, Join, Lstm, Normalization, Padding, Pool1d, Pool2d,
    Reduction, Regularizer, Rescaling, SeparableConv2d, SimpleRnn, SpatialDropout,
};
use tch::{Device, Kind, TchError, Tensor};

use super::{Mode, Network, assert_close, layers};
use crate::testing::{
    self, activation, add, concatenate, conv1d_options, conv2d, dense, dropout, flatten, floats,
    gru_options, lstm_options, max_pool2d, model, of, parallel, simple_rnn_options, size,
};

/// A network of these layers, with weights from a fixed seed.
fn build(kinds: impl IntoIterator<Item = LayerKind>, input_shape: &[u32]) -> Network {
    let _guard = testing::seed(1);
    layers(&model(kinds), input_shape)
}

fn infer(network: &mut Network, input: &Tensor) -> Tensor {
    tch::no_grad(|| network.forward(input, Mode::Inference)).expect("shapes fit")
}

fn row(values: &[f32]) -> Tensor {
    Tensor::from_slice(values)
}

fn weight(network: &Network, name: &str) -> Tensor {
    let found = network.weights().find(|(found, _)| found == name);
    found.unwrap_or_else(|| panic!("no weight `{name}`")).1.shallow_clone()
}

fn set(network: &Network, name: &str, values: &[f32]) {
    let mut weight = weight(network, name);
    let size = weight.size();
    tch::no_grad(|| weight.copy_(&row(values).view(size.as_slice())));
}

fn names(network: &Network) -> Vec<String> {
    network.weights().map(|(name, _)| name).collect()
}

#[test]
fn causal_convolutions_see_no_later_step() {
    let options = Conv1d { padding: Padding::Causal.into(), dilation: 2, ..conv1d_options(1, 2) };
    let mut network = build([LayerKind::Conv1d(options)], &[5, 1]);
    set(&network, "conv1d/kernel", &[10.0, 1.0]);
    let output = infer(&mut network, &row(&[1.0, 2.0, 3.0, 4.0, 5.0]).view([1, 5, 1]));
    assert_eq!(floats(&output), [1.0, 2.0, 13.0, 24.0, 35.0]);
}

#[test]
fn depthwise_outputs_of_one_channel_stand_side_by_side() {
    let options = DepthwiseConv2d {
        kernel: size(1, 1),
        strides: size(1, 1),
        dilation: size(1, 1),
        depth_multiplier: 2,
        ..DepthwiseConv2d::default()
    };
    let mut network = build([LayerKind::DepthwiseConv2d(options)], &[1, 1, 2]);
    assert_eq!(names(&network), ["depthwise_conv2d/kernel"]);
    set(&network, "depthwise_conv2d/kernel", &[1.0, 10.0, 2.0, 20.0]);
    let output = infer(&mut network, &row(&[3.0, 5.0]).view([1, 1, 1, 2]));
    assert_eq!(floats(&output), [3.0, 30.0, 10.0, 100.0]);
}

#[test]
fn averages_leave_padding_out() {
    let average = Reduction::Average.into();
    let same = Padding::Same.into();
    for (pool, strides, expected) in [
        // Even padding, uneven padding, and a window larger than what there is.
        (3, 1, vec![1.5, 2.0, 3.0, 3.5]),
        (2, 1, vec![1.5, 2.5, 3.5, 4.0]),
        (7, 4, vec![2.5]),
    ] {
        let options = Pool1d { pool, strides, padding: same, reduction: average };
        let mut network = build([LayerKind::Pool1d(options)], &[4, 1]);
        let output = infer(&mut network, &row(&[1.0, 2.0, 3.0, 4.0]).view([1, 4, 1]));
        assert_close("average", &output.view(-1), &row(&expected));
    }
    let options =
        Pool2d { pool: size(2, 2), strides: size(2, 2), padding: same, reduction: average };
    let mut network = build([LayerKind::Pool2d(options)], &[3, 3, 1]);
    let input = Tensor::arange(9, (Kind::Float, Device::Cpu)).view([1, 3, 3, 1]);
    let output = infer(&mut network, &input);
    assert_eq!(floats(&output), [2.0, 3.5, 6.5, 8.0]);
}

#[test]
fn activations_move_behind_pools_only_if_they_are_monotonic() {
    let max = Reduction::Max.into();
    let leaky = |slope| ActivationOptions { function: Function::LeakyRelu.into(), slope };
    let input = Tensor::randn([2, 6, 6, 2], (Kind::Float, Device::Cpu)) * 3.0;
    for activation in [
        of(Function::Relu),
        of(Function::Selu),
        of(Function::Softplus),
        of(Function::Relu6),
        of(Function::Gelu),
        of(Function::Silu),
        of(Function::Softmax),
        leaky(0.3),
        leaky(0.0),
        leaky(-0.5),
    ] {
        let options = Conv2d {
            activation: Some(activation),
            ..testing::conv2d_options(3, (2, 2), Function::Linear)
        };
        for pool in [max_pool2d(2, 3), LayerKind::GlobalPool2d(GlobalPool { reduction: max })] {
            // A layer between them keeps them apart.
            let apart = LayerKind::Rescaling(Rescaling { scale: 1.0, offset: 0.0 });
            let mut expected = build([LayerKind::Conv2d(options), apart, pool.clone()], &[6, 6, 2]);
            let mut network = build([LayerKind::Conv2d(options), pool], &[6, 6, 2]);
            let output = infer(&mut network, &input);
            assert_close(&format!("{activation:?}"), &output, &infer(&mut expected, &input));
        }
    }
}

#[test]
fn slopes_of_leaky_relu() {
    for slope in [0.2, 0.0, -0.5] {
        let options = ActivationOptions { function: Function::LeakyRelu.into(), slope };
        let mut dense = Dense { units: 2, activation: Some(options), ..Dense::default() };
        let mut network = build([LayerKind::Dense(dense)], &[2]);
        set(&network, "dense/kernel", &[1.0, 0.0, 0.0, 1.0]);
        let output = infer(&mut network, &row(&[-4.0, 3.0]).view([1, 2]));
        assert_close("leaky_relu", &output.view(-1), &row(&[-4.0 * slope as f32, 3.0]));
        dense.activation = None;
        let mut alone = build([LayerKind::Dense(dense), LayerKind::Activation(options)], &[2]);
        set(&alone, "dense/kernel", &[1.0, 0.0, 0.0, 1.0]);
        let input = row(&[-4.0, 3.0]).view([1, 2]).set_requires_grad(true);
        let sum = alone.forward(&input, Mode::Training).expect("shapes fit").sum(Kind::Float);
        sum.backward();
        assert_close("gradient", &input.grad().view(-1), &row(&[slope as f32, 1.0]));
    }
}

#[test]
fn spatial_dropout_drops_whole_channels() {
    for (kind, shape) in [
        (LayerKind::SpatialDropout1d(SpatialDropout { rate: 0.25 }), vec![6, 50]),
        (LayerKind::SpatialDropout2d(SpatialDropout { rate: 0.25 }), vec![2, 3, 50]),
    ] {
        let mut network = build([kind], &shape);
        let _guard = testing::seed(1);
        let ones = Tensor::ones([8, 6, 50], (Kind::Float, Device::Cpu));
        let sizes: Vec<i64> = [8].into_iter().chain(shape.into_iter().map(i64::from)).collect();
        let input = ones.view(sizes.as_slice());
        assert_eq!(infer(&mut network, &input), input);
        let output = network.forward(&input, Mode::Training).expect("shapes fit");
        let output = output.view([8, 6, 50]);
        let means = output.mean_dim(1, false, None);
        assert_close("one channel", &output, &means.unsqueeze(1).expand_as(&output));
        let dropped = means.eq(0.0).sum(Kind::Int64).int64_value(&[]);
        assert!((60..140).contains(&dropped), "{dropped} of 400");
        assert!((means.max().double_value(&[]) - 1.0 / 0.75).abs() < 1e-6);
    }
}

#[test]
fn noise_has_the_deviation_that_was_asked_for() {
    let noise = LayerKind::GaussianNoise(GaussianNoise { stddev: 0.5 });
    let mut network = build([noise], &[10_000]);
    let _guard = testing::seed(1);
    let input = Tensor::ones([1, 10_000], (Kind::Float, Device::Cpu));
    assert_eq!(infer(&mut network, &input), input);
    let output = network.forward(&input, Mode::Training).expect("shapes fit");
    assert!((output.std(true).double_value(&[]) - 0.5).abs() < 0.02);
    assert!((output.mean(Kind::Float).double_value(&[]) - 1.0).abs() < 0.02);
}

#[test]
fn an_lstm_begins_with_open_forget_gates() {
    for (unit_forget_bias, forget) in [(true, 1.0), (false, 0.0)] {
        let options = Lstm { unit_forget_bias, ..lstm_options(2) };
        let network = build([LayerKind::Lstm(options)], &[3, 2]);
        assert_eq!(names(&network), ["lstm/kernel", "lstm/recurrent_kernel", "lstm/bias"]);
        let expected = [0.0, 0.0, forget, forget, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(floats(&weight(&network, "lstm/bias")), expected);
    }
}

#[test]
fn backward_outputs_stand_where_their_inputs_do() {
    let of_sums = SimpleRnn {
        activation: Some(of(Function::Linear)),
        use_bias: false,
        return_sequences: true,
        ..simple_rnn_options(1)
    };
    for (merge, sequences, expected) in [
        // Sums from the front: 1, 3, 6; from behind: 6, 5, 3.
        (Join::Concatenate, true, vec![1.0, 6.0, 3.0, 5.0, 6.0, 3.0]),
        (Join::Sum, true, vec![7.0, 8.0, 9.0]),
        (Join::Multiply, true, vec![6.0, 15.0, 18.0]),
        (Join::Average, true, vec![3.5, 4.0, 4.5]),
        (Join::Concatenate, false, vec![6.0, 6.0]),
    ] {
        let layer = SimpleRnn { return_sequences: sequences, ..of_sums };
        let layer = Some(Inner::SimpleRnn(layer));
        let both = LayerKind::Bidirectional(Bidirectional { layer, merge: merge.into() });
        let mut network = build([both], &[3, 1]);
        for name in names(&network) {
            set(&network, &name, &[1.0]);
        }
        let output = infer(&mut network, &row(&[1.0, 2.0, 3.0]).view([1, 3, 1]));
        assert_eq!(floats(&output), expected, "{merge:?}");
    }
}

#[test]
fn both_directions_have_weights_of_their_own() {
    let layer = Some(Inner::Gru(gru_options(2)));
    let merge = Join::Concatenate.into();
    let network = build([LayerKind::Bidirectional(Bidirectional { layer, merge })], &[3, 2]);
    let expected = ["forward", "backward"].map(|direction| {
        ["kernel", "recurrent_kernel", "bias"]
            .map(|weight| format!("bidirectional/{direction}/{weight}"))
    });
    assert_eq!(names(&network), expected.concat());
    let kernels = ["forward", "backward"]
        .map(|direction| weight(&network, &format!("bidirectional/{direction}/kernel")));
    assert_ne!(kernels[0], kernels[1]);
}

#[test]
fn recurrent_dropouts_keep_their_masks_through_time() {
    let input = Tensor::ones([64, 4, 8], (Kind::Float, Device::Cpu));
    let options = SimpleRnn {
        activation: Some(of(Function::Linear)),
        return_sequences: true,
        ..simple_rnn_options(8)
    };
    // The input alone: without a state every step gives the same.
    let dropped = SimpleRnn { dropout: 0.5, ..options };
    let mut network = build([LayerKind::SimpleRnn(dropped)], &[4, 8]);
    set(&network, "simple_rnn/recurrent_kernel", &[0.0; 64]);
    let guard = testing::seed(1);
    let output = network.forward(&input, Mode::Training).expect("shapes fit");
    drop(guard);
    assert_close("steps", &output.select(1, 0), &output.select(1, 3));
    assert_ne!(output.get(0), output.get(1), "each example has a mask of its own");
    let whole = infer(&mut network, &input);
    assert_close("no dropout", &whole.get(0), &whole.get(1));

    // The state alone, which an identity hands on: what a mask has dropped once
    // is dropped at every step, and what it keeps doubles.
    let dropped = SimpleRnn { recurrent_dropout: 0.5, ..options };
    let mut network = build([LayerKind::SimpleRnn(dropped)], &[4, 8]);
    let identity = floats(&Tensor::eye(8, (Kind::Float, Device::Cpu)));
    set(&network, "simple_rnn/recurrent_kernel", &identity);
    set(&network, "simple_rnn/kernel", &identity);
    let _guard = testing::seed(1);
    let output = network.forward(&input, Mode::Training).expect("shapes fit");
    let last = output.select(1, 3);
    let (ones, doubled) = (last.eq(1.0), last.eq(15.0));
    assert!(ones.logical_or(&doubled).all().int64_value(&[]) == 1, "{last}");
    assert!(ones.any().int64_value(&[]) == 1 && doubled.any().int64_value(&[]) == 1);
}

/// What a GRU or LSTM gives whose gates stand wide open or shut, and whose
/// candidate is its input: with a mask of its own for each gate, as in Keras
/// when the state is dropped too, or with one for all.
#[test]
fn gates_have_masks_of_their_own_where_the_state_is_dropped_too() {
    let linear = Some(of(Function::Linear));
    let options = |recurrent_dropout| Lstm {
        activation: linear,
        recurrent_activation: linear,
        use_bias: false,
        dropout: 0.5,
        recurrent_dropout,
        ..lstm_options(1)
    };
    let input = Tensor::ones([400, 1, 1], (Kind::Float, Device::Cpu));
    for (recurrent_dropout, expected) in [(0.0, vec![0.0, 8.0]), (0.5, vec![0.0, 8.0])] {
        let mut network = build([LayerKind::Lstm(options(recurrent_dropout))], &[1, 1]);
        set(&network, "lstm/kernel", &[1.0; 4]);
        let _guard = testing::seed(1);
        // Input gate, candidate and output gate multiplied, each 0 or 2.
        let output = network.forward(&input, Mode::Training).expect("shapes fit");
        let share = output.ne(0.0).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
        let mut values = floats(&output);
        values.sort_by(f32::total_cmp);
        values.dedup();
        assert_eq!(values, expected);
        let alike = if recurrent_dropout > 0.0 { 0.125 } else { 0.5 };
        assert!((share - alike).abs() < 0.07, "{share}");
    }
}

#[test]
fn dropped_states_do_not_change_inference() {
    for reset_after in [true, false] {
        let plain = Gru { reset_after, return_sequences: true, ..gru_options(3) };
        let dropped = Gru { dropout: 0.4, recurrent_dropout: 0.4, ..plain };
        let mut plain = build([LayerKind::Gru(plain)], &[4, 2]);
        let mut dropped = build([LayerKind::Gru(dropped)], &[4, 2]);
        let input = Tensor::randn([3, 4, 2], (Kind::Float, Device::Cpu));
        assert_eq!(infer(&mut plain, &input), infer(&mut dropped, &input));
        let trained = dropped.forward(&input, Mode::Training).expect("shapes fit");
        assert_ne!(trained, infer(&mut plain, &input));
    }
}

#[test]
fn branches_get_the_input_and_are_joined() {
    let scaled = |scale| vec![LayerKind::Rescaling(Rescaling { scale, offset: 0.0 })];
    let input = row(&[1.0, 2.0]).view([1, 2]);
    let both = |merge| parallel([scaled(3.0), vec![]], merge);
    assert_eq!(floats(&infer(&mut build([both(add())], &[2]), &input)), [4.0, 8.0]);
    let output = infer(&mut build([both(concatenate())], &[2]), &input);
    assert_eq!(floats(&output), [3.0, 6.0, 1.0, 2.0]);
    let nested = parallel([vec![both(add())], vec![dropout(0.5)], vec![]], add());
    assert_eq!(floats(&infer(&mut build([nested], &[2]), &input)), [6.0, 12.0]);
}

#[test]
fn layers_in_branches_keep_their_plain_names() {
    let inner = parallel([vec![dense(2, Function::Relu)], vec![]], add());
    let outer =
        parallel([vec![dense(2, Function::Relu), inner], vec![dense(2, Function::Relu)]], add());
    let network = build([dense(2, Function::Relu), outer, dense(1, Function::Relu)], &[2]);
    let kernels: Vec<String> =
        names(&network).into_iter().filter(|name| name.ends_with("kernel")).collect();
    let expected = ["dense", "dense_1", "dense_2", "dense_3", "dense_4"];
    assert_eq!(kernels, expected.map(|name| format!("{name}/kernel")));
}

#[test]
fn normalization_is_adapted_to_what_it_gets() {
    let kinds = [
        LayerKind::Rescaling(Rescaling { scale: 2.0, offset: 1.0 }),
        dropout(0.5),
        LayerKind::Normalization(Normalization::default()),
        flatten(),
        dense(1, Function::Linear),
    ];
    let mut network = build(kinds, &[3, 2]);
    let _guard = testing::seed(1);
    let inputs = Tensor::randn([50, 3, 2], (Kind::Float, Device::Cpu)) * 3.0 + 5.0;
    testing::adapt(&mut network, &inputs, 8);
    let flat = (&inputs * 2.0 + 1.0).view([-1, 2]);
    assert_close("mean", &weight(&network, "normalization/mean"), &flat.mean_dim(0, false, None));
    let variance = flat.var_dim(0, false, false);
    let found = weight(&network, "normalization/variance");
    assert_close("variance", &(found / &variance), &variance.ones_like());
    let trained = network.trainable();
    assert_eq!(trained.len(), 2, "neither mean nor variance is trained");
}

#[test]
fn penalties_are_of_kernels_only() {
    let regularizer = Some(Regularizer { l1: 0.5, l2: 0.25 });
    let penalty = |network: &Network| -> Result<Option<f64>, TchError> {
        Ok(network.penalty()?.map(|penalty| penalty.double_value(&[])))
    };
    let plain = build([dense(2, Function::Relu), activation(Function::Tanh)], &[2]);
    assert_eq!(penalty(&plain).expect("small"), None);

    let separable = SeparableConv2d {
        filters: 2,
        kernel: size(1, 1),
        strides: size(1, 1),
        dilation: size(1, 1),
        depth_multiplier: 1,
        use_bias: true,
        kernel_regularizer: regularizer,
        ..SeparableConv2d::default()
    };
    let lstm = Lstm { kernel_regularizer: regularizer, ..lstm_options(1) };
    let both = Bidirectional { layer: Some(Inner::Lstm(lstm)), merge: Join::Sum.into() };
    let regular = Dense { units: 3, kernel_regularizer: regularizer, ..Dense::default() };
    for (kinds, shape, expected) in [
        // Two kernels of 2 and of 4 values: the depthwise and the pointwise one.
        (vec![LayerKind::SeparableConv2d(separable)], vec![1, 1, 2], 6),
        // One kernel of 2 · 4 values for each direction.
        (vec![LayerKind::Bidirectional(both)], vec![3, 2], 16),
        (
            vec![parallel(
                [vec![LayerKind::Dense(regular)], vec![LayerKind::Dense(regular)]],
                add(),
            )],
            vec![2],
            12,
        ),
    ] {
        let network = build(kinds, &shape);
        for (_, values) in network.weights() {
            let _ = tch::no_grad(|| values.shallow_clone().fill_(2.0));
        }
        // Each value 2 adds 0.5 · 2 + 0.25 · 4.
        let found = penalty(&network).expect("small");
        assert_eq!(found, Some(2.0 * f64::from(expected)));
        network.penalty().expect("small").expect("some").backward();
        let moved = network.weights().filter(|(_, values)| values.grad().defined());
        for (name, values) in moved {
            assert!(name.ends_with("kernel") && !name.contains("recurrent"), "{name}");
            assert_close(&name, &values.grad(), &values.detach().full_like(1.5));
        }
    }
}

#[test]
fn only_the_wanted_activation_is_taken_from_the_end() {
    let input = row(&[1.0, -2.0]).view([1, 2]);
    let mut network = build([dense(2, Function::Sigmoid)], &[2]);
    let before = infer(&mut network, &input);
    assert!(!network.take_last_activation(Function::Softmax));
    assert_eq!(infer(&mut network, &input), before);
    assert!(network.take_last_activation(Function::Sigmoid));
    assert_close("logits", &infer(&mut network, &input).sigmoid(), &before);
    assert!(!network.take_last_activation(Function::Sigmoid));

    let mut alone = build([dense(2, Function::Relu), activation(Function::Softmax)], &[2]);
    assert!(alone.take_last_activation(Function::Softmax));
    // What stands in a branch is not the end.
    let branch = vec![dense(2, Function::Softmax)];
    let mut branched = build([parallel([branch, vec![]], add())], &[2]);
    assert!(!branched.take_last_activation(Function::Softmax));
    let mut image = build([conv2d(2, Function::Softmax)], &[3, 3, 1]);
    assert!(image.take_last_activation(Function::Softmax));
}
