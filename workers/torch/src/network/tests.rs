//! Published parameter counts, and what values of Keras cannot show; those are
//! in `crate::golden`.

mod layers;
mod precision;
mod random;

use sweep_proto::v1::layer::Kind as LayerKind;
use sweep_proto::v1::{FailureKind, Function as Activation};
use sweep_session::Failure;
use tch::{Device, Kind, Tensor};

use super::{Mode, Model, Network, shape};
use crate::testing::{
    self, activation, batch_norm, conv2d, dense, dropout, flatten, gru_options, max_pool2d, model,
    to_sequence,
};

/// A network that need not end in classes, and whose last activation stays.
fn layers(model: &Model, input_shape: &[u32]) -> Network {
    Network::of_layers(&model.layers, input_shape).expect("it fits together")
}

fn assert_close(name: &str, found: &Tensor, expected: &Tensor) {
    assert_eq!(found.size(), expected.size(), "{name}");
    let off = (found - expected).abs().max().double_value(&[]);
    assert!(off < 2e-5, "{name} is off by {off}:\n{found}\n{expected}");
}

/// The convolutional network of Ajufo 2020.
fn cnn() -> Model {
    model([
        conv2d(32, Activation::Relu),
        max_pool2d(2, 4),
        conv2d(64, Activation::Relu),
        max_pool2d(2, 4),
        flatten(),
        dense(64, Activation::Relu),
        dense(10, Activation::Softmax),
    ])
}

/// The convolutional recurrent network of Ajufo 2020.
fn crnn(reset_after: bool) -> Model {
    let mut layers = Vec::new();
    for (filters, pool) in [
        (64, max_pool2d(2, 2)),
        (128, max_pool2d(2, 4)),
        (128, max_pool2d(2, 4)),
        (128, max_pool2d(2, 4)),
    ] {
        layers.extend([conv2d(filters, Activation::Elu), batch_norm(), pool, dropout(0.1)]);
    }
    let mut first = gru_options(64);
    first.reset_after = reset_after;
    first.return_sequences = true;
    let mut second = gru_options(64);
    second.reset_after = reset_after;
    layers.extend([to_sequence(), LayerKind::Gru(first), LayerKind::Gru(second)]);
    layers.push(dense(10, Activation::Softmax));
    model(layers)
}

#[test]
fn published_networks_have_the_published_number_of_weights() {
    const INPUT: [u32; 3] = [128, 660, 1];
    for (model, published) in [(cnn(), 4_934_730), (crnn(false), 507_658), (crnn(true), 508_042)] {
        let _guard = testing::seed(1);
        let mut network = Network::build(&model, &INPUT, 10, Device::Cpu).expect("published");
        let weights: i64 = network.weights().map(|(_, values)| values.numel() as i64).sum();
        assert_eq!(weights, published);
        let inferred = shape::infer(&model, &INPUT, 10).expect("published");
        let trainable: u64 = inferred.iter().map(|layer| layer.trainable).sum();
        let built: usize = network.trainable().iter().map(Tensor::numel).sum();
        assert_eq!(built as u64, trainable);
        let example = Tensor::zeros([1, 128, 660, 1], (Kind::Float, Device::Cpu));
        let outputs = tch::no_grad(|| network.forward(&example, Mode::Inference));
        assert_eq!(outputs.expect("shapes fit").size(), [1, 10]);
    }
}

#[test]
fn dropout_drops_only_while_training() {
    let _guard = testing::seed(1);
    let network = Network::build(&model([dropout(0.25)]), &[1000], 1000, Device::Cpu);
    let mut network = network.expect("it fits together");
    let ones = Tensor::ones([1, 1000], (Kind::Float, Device::Cpu));
    assert_eq!(network.forward(&ones, Mode::Inference).expect("shapes fit"), ones);
    let dropped = network.forward(&ones, Mode::Training).expect("shapes fit");
    let zeros = dropped.eq(0.0).sum(Kind::Int64).int64_value(&[]);
    assert!((200..300).contains(&zeros), "{zeros}");
    assert!((dropped.max().double_value(&[]) - 1.0 / 0.75).abs() < 1e-6);
}

#[test]
fn activations_stand_alone_too() {
    let _guard = testing::seed(1);
    let values = Tensor::from_slice(&[-2.0_f32, 0.0, 3.0]).view([1, 3]);
    for (kind, expected) in [
        (Activation::Linear, [-2.0, 0.0, 3.0]),
        (Activation::Relu, [0.0, 0.0, 3.0]),
        (Activation::Tanh, [-0.964_027_6, 0.0, 0.995_054_7]),
        (Activation::Elu, [-0.864_664_7, 0.0, 3.0]),
        (Activation::Sigmoid, [0.119_202_92, 0.5, 0.952_574_1]),
        (Activation::Softmax, [0.006_377_46, 0.047_123_42, 0.946_499_1]),
    ] {
        // A linear layer behind it, or a softmax would be left to the loss.
        let model = model([activation(kind), activation(Activation::Linear)]);
        let mut network = Network::build(&model, &[3], 3, Device::Cpu).expect("it fits together");
        let found = network.forward(&values, Mode::Training).expect("shapes fit");
        assert_close(kind.as_str_name(), &found, &Tensor::from_slice(&expected).view([1, 3]));
        assert_eq!(values, Tensor::from_slice(&[-2.0_f32, 0.0, 3.0]).view([1, 3]));
    }
}

#[test]
fn what_cannot_be_built_is_infeasible_and_named() {
    let failure = |kinds: Vec<LayerKind>| {
        let _guard = testing::seed(1);
        Failure::from(Network::build(&model(kinds), &[6, 6, 1], 4, Device::Cpu).expect_err("wrong"))
    };
    let mut unknown = gru_options(3);
    unknown.activation = Some(sweep_proto::v1::Activation { function: 77, slope: 0.0 });
    for (kinds, name) in [
        (
            vec![conv2d(1, Activation::Relu), conv2d(1, Activation::Relu), max_pool2d(3, 3)],
            "max_pool2d",
        ),
        (vec![flatten(), to_sequence()], "to_sequence"),
        (vec![to_sequence(), LayerKind::Gru(unknown)], "gru"),
        (vec![flatten(), dropout(1.5), dense(4, Activation::Softmax)], "dropout"),
        (vec![flatten(), dense(3, Activation::Softmax)], "dense"),
    ] {
        let failure = failure(kinds);
        assert_eq!(failure.kind, FailureKind::Infeasible);
        assert!(failure.message.contains(&format!("`{name}`: ")), "{}", failure.message);
    }
}
