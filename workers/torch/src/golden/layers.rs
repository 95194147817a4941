//! Every kind of layer: outputs, gradients, statistics and numbers of weights.

use sweep_proto::shape;
use tch::Tensor;

use super::{Case, Golden, assert_close, assert_counts, cases, load};
use crate::network::{Mode, Network};
use crate::testing;

/// How far a value may be from Keras's; values are of the order of 1.
const TOLERANCE: f64 = 1e-5;

#[test]
fn layers_are_those_of_keras() {
    let golden = Golden::read("layers.npz");
    let cases = cases("layers");
    assert!(cases.len() > 100, "{}", cases.len());
    for case in cases {
        check(&case, &golden.below(&case.name));
    }
}

fn check(case: &Case, golden: &Golden) {
    let name = &case.name;
    let model = case.read(2).0;
    let rows = shape::infer_layers(&model.layers, &case.input()).expect(name);
    assert_counts("layers", case, &rows);
    let guard = testing::seed(1);
    let mut network = Network::of_layers(&model.layers, &case.input()).expect(name);
    drop(guard);
    let input = golden.get("input");
    if golden.0.contains_key("rows") {
        testing::adapt(&mut network, golden.get("rows"), 3);
        let weights = golden.below("weights");
        for (weight, values) in network.weights() {
            if let Some(adapted) = weights.0.get(&weight).filter(|_| weight.contains("normal")) {
                assert_close(&format!("{name}: {weight}"), values, adapted, TOLERANCE);
            }
        }
    }
    load(&network, &golden.below("weights"));
    let output = tch::no_grad(|| network.forward(input, Mode::Inference)).expect(name);
    assert_close(name, &output, golden.get("output"), TOLERANCE);
    if !golden.0.contains_key("coefficients") {
        return;
    }
    let _ = check_gradients(&mut network, name, golden, golden, Mode::Inference);
    let training = golden.below("training");
    if training.0.is_empty() {
        return;
    }
    let output = check_gradients(&mut network, name, golden, &training, Mode::Training);
    assert_close(name, &output, training.get("output"), TOLERANCE);
    let updated = training.below("updated");
    for (weight, values) in network.weights() {
        if let Some(expected) = updated.0.get(&weight) {
            assert_close(&format!("{name}: {weight}"), &values.detach(), expected, TOLERANCE);
        }
    }
}

/// Compares the gradients of the outputs' weighted sum; returns the outputs.
fn check_gradients(
    network: &mut Network,
    name: &str,
    case: &Golden,
    expected: &Golden,
    mode: Mode,
) -> Tensor {
    let input = case.get("input").copy().set_requires_grad(true);
    let output = network.forward(&input, mode).expect(name);
    let loss = (&output * case.get("coefficients")).sum(tch::Kind::Float);
    let trainable: Vec<_> =
        network.weights().filter(|(_, values)| values.requires_grad()).collect();
    let mut wanted = vec![&input];
    wanted.extend(trainable.iter().map(|(_, values)| *values));
    let names = ["input"].into_iter().chain(trainable.iter().map(|(name, _)| name.as_str()));
    let gradients = Tensor::run_backward(&[&loss], &wanted, false, false);
    for (of, gradient) in names.zip(&gradients) {
        let what = format!("{name}: gradient of {of} in {mode:?}");
        let expected = expected.get(&format!("gradients/{of}"));
        // Sums of many terms are as far off as their size lets them be.
        let size = expected.abs().max().double_value(&[]).max(1.0);
        assert_close(&what, gradient, expected, TOLERANCE * size);
    }
    output.detach()
}
