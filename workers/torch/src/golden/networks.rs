//! Whole networks: sizes as published, and ten steps of training.

use sweep_proto::shape;
use tch::{Device, Kind, Tensor};

use super::{Case, Golden, assert_close, assert_counts, assert_near, cases, counts, load};
use crate::loss::{Loss, class_weights};
use crate::network::{Mode, Network};
use crate::optimizer::{self, Optimizer};
use crate::testing;
use crate::training::Method;

/// How far a loss may be from Keras's, relative to it.
const LOSS: f64 = 1e-4;

/// How far a weight may be from Keras's after all steps.
const WEIGHT: f64 = 1e-3;

#[test]
fn published_networks_have_keras_shapes_and_sizes() {
    for case in cases("published") {
        let classes = case.number("classes").expect("every case says it");
        let model = case.read(classes).0;
        let rows = shape::infer(&model, &case.input(), classes).expect(&case.name);
        assert_counts("published", &case, &rows);
        let layers = counts("published", &case.name)["layers"].clone();
        for (row, expected) in rows.iter().zip(layers.as_array().expect("a list")) {
            let place = format!("{}: {}", case.name, row.name);
            assert_eq!(expected["name"], row.name.as_str(), "{place}");
            assert_eq!(expected["output_shape"], serde_json::json!(row.output_shape), "{place}");
        }
        assert_eq!(layers.as_array().map(Vec::len), Some(rows.len()), "{}", case.name);
    }
}

#[test]
fn networks_train_as_in_keras() {
    let golden = Golden::read("networks.npz");
    let cases = cases("networks");
    assert!(cases.len() >= 8, "{}", cases.len());
    for case in cases {
        train(&case, &golden.below(&case.name));
    }
}

fn train(case: &Case, golden: &Golden) {
    let name = &case.name;
    let classes = case.number("classes").expect("every case says it");
    let (model, training) = case.read(classes);
    let rows = shape::infer(&model, &case.input(), classes).expect(name);
    assert_counts("networks", case, &rows);
    let guard = testing::seed(1);
    let mut network = Network::build(&model, &case.input(), classes, Device::Cpu).expect(name);
    drop(guard);
    load(&network, &golden.below("before"));
    let (inputs, labels) = (golden.get("inputs"), golden.get("labels"));
    let before = tch::no_grad(|| network.forward(inputs, Mode::Inference)).expect(name);
    assert_close(name, &before, golden.get("output/before"), 1e-5);

    let settings = training.optimizer.expect("every case has one");
    let rate = optimizer::learning_rate(&settings).expect(name);
    let weights = training.class_weights.as_ref();
    let weights = weights.map(|weights| class_weights(weights, labels, classes));
    let weights = weights.transpose().expect(name);
    let loss = Loss::of(&mut network, &training.loss.expect("the default"), classes, weights);
    let method = Method { loss: loss.expect(name), precision: Kind::Float };
    let mut optimizer = Optimizer::new(&settings, network.trainable()).expect(name);
    let batches = golden.get("batches");
    for step in 0..batches.size()[0] {
        let rows = batches.get(step);
        let (inputs, labels) = (inputs.index_select(0, &rows), labels.index_select(0, &rows));
        let loss = method.step(&mut network, &mut optimizer, rate, &inputs, &labels);
        let loss: Tensor = loss.expect(name).0;
        let expected = golden.get("losses").double_value(&[step]);
        assert_near(&format!("{name}: loss {step}"), loss.double_value(&[]), expected, LOSS);
    }
    let after = golden.below("after");
    for (weight, values) in network.weights() {
        assert_close(&format!("{name}: {weight}"), &values.detach(), after.get(&weight), WEIGHT);
    }
}
