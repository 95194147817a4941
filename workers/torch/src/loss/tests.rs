//! Losses by hand.

use sweep_proto::v1::{
    Balanced, BinaryCrossentropy, CategoricalCrossentropy, MeanSquaredError, Weights,
};
use tch::Device;

use super::*;
use crate::testing::{self, activation, dense, model};

fn loss(kind: LossKind, function: Function, classes: u32, weights: Option<Tensor>) -> Loss {
    let _guard = testing::seed(1);
    let model = model([activation(function)]);
    let mut network = Network::build(&model, &[classes], classes, Device::Cpu).expect("it fits");
    let settings = v1::Loss { kind: Some(kind) };
    Loss::of(&mut network, &settings, classes, weights).expect("it fits")
}

fn categorical(label_smoothing: f64) -> LossKind {
    LossKind::CategoricalCrossentropy(CategoricalCrossentropy { label_smoothing })
}

fn binary(label_smoothing: f64) -> LossKind {
    LossKind::BinaryCrossentropy(BinaryCrossentropy { label_smoothing })
}

const SQUARED: LossKind = LossKind::MeanSquaredError(MeanSquaredError {});

fn rows<const WIDTH: usize>(rows: &[[f32; WIDTH]]) -> Tensor {
    Tensor::from_slice(&rows.concat()).view([rows.len() as i64, WIDTH as i64])
}

fn close(found: &Tensor, expected: f64) {
    let found = found.double_value(&[]);
    assert!((found - expected).abs() < 1e-6 * expected.max(1.0), "{found} {expected}");
}

fn log_softmax(logits: [f64; 3], class: usize) -> f64 {
    logits[class] - logits.map(f64::exp).iter().sum::<f64>().ln()
}

#[test]
fn categorical_crossentropies() {
    let logits = [[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]];
    let outputs = rows(&logits.map(|row| row.map(|value| value as f32)));
    let labels = Tensor::from_slice(&[2_i64, 1]);
    let plain = loss(categorical(0.0), Function::Softmax, 3, None);
    let first = -log_softmax(logits[0], 2);
    let second = -log_softmax(logits[1], 1);
    close(&plain.mean(&outputs, &labels).expect("shapes fit"), (first + second) / 2.0);

    let weights = Tensor::from_slice(&[9.0_f32, 0.5, 2.0]);
    let weighted = loss(categorical(0.0), Function::Softmax, 3, Some(weights));
    let mean = weighted.training_mean(&outputs, &labels).expect("shapes fit");
    close(&mean, (2.0 * first + 0.5 * second) / 2.0);
    close(&weighted.mean(&outputs, &labels).expect("shapes fit"), (first + second) / 2.0);

    let smoothed = loss(categorical(0.3), Function::Softmax, 3, None);
    let of = |row: usize, label: usize| {
        (0..3).fold(0.0, |sum, class| {
            let target = if class == label { 0.7 + 0.1 } else { 0.1 };
            sum - target * log_softmax(logits[row], class)
        })
    };
    let mean = smoothed.mean(&outputs, &labels).expect("shapes fit");
    close(&mean, (of(0, 2) + of(1, 1)) / 2.0);
}

#[test]
fn logits_of_any_size_have_a_loss() {
    let labels = Tensor::from_slice(&[0_i64]);
    let outputs = rows(&[[0.0, 1000.0]]);
    let categorical = loss(categorical(0.0), Function::Softmax, 2, None);
    close(&categorical.mean(&outputs, &labels).expect("shapes fit"), 1000.0);
    let binary = loss(binary(0.0), Function::Sigmoid, 2, None);
    let expected = (2.0_f64.ln() + 1000.0) / 2.0;
    close(&binary.mean(&outputs, &labels).expect("shapes fit"), expected);
}

/// Cross-entropy of the sigmoid of a logit.
fn of_sigmoid(logit: f64, target: f64) -> f64 {
    let probability = 1.0 / (1.0 + (-logit).exp());
    -(target * probability.ln() + (1.0 - target) * (1.0 - probability).ln())
}

#[test]
fn binary_crossentropies() {
    let labels = Tensor::from_slice(&[1_i64, 0]);
    let several = rows(&[[0.5, 2.0], [-1.0, 0.25]]);
    let plain = loss(binary(0.0), Function::Sigmoid, 2, None);
    let expected =
        of_sigmoid(0.5, 0.0) + of_sigmoid(2.0, 1.0) + of_sigmoid(-1.0, 1.0) + of_sigmoid(0.25, 0.0);
    close(&plain.mean(&several, &labels).expect("shapes fit"), expected / 4.0);

    let one = rows(&[[0.5], [-1.0]]);
    let weights = Tensor::from_slice(&[3.0_f32, 0.5]);
    let smoothed = loss(binary(0.2), Function::Sigmoid, 2, Some(weights));
    let (first, second) = (of_sigmoid(0.5, 0.9), of_sigmoid(-1.0, 0.1));
    close(&smoothed.mean(&one, &labels).expect("shapes fit"), (first + second) / 2.0);
    let mean = smoothed.training_mean(&one, &labels).expect("shapes fit");
    close(&mean, (0.5 * first + 3.0 * second) / 2.0);
}

#[test]
fn squared_errors() {
    let labels = Tensor::from_slice(&[1_i64, 0]);
    let squared = loss(SQUARED, Function::Linear, 2, None);
    let several = rows(&[[0.5, 2.0], [-1.0, 0.25]]);
    let mean = squared.mean(&several, &labels).expect("shapes fit");
    close(&mean, (0.25 + 1.0 + 4.0 + 0.0625) / 4.0);
    let mean = squared.mean(&rows(&[[0.5], [-1.0]]), &labels).expect("shapes fit");
    close(&mean, (0.25 + 1.0) / 2.0);
}

#[test]
fn one_output_means_the_second_class_above_one_half() {
    let predicted = |loss: &Loss, outputs: &Tensor| {
        let scores = loss.scores(outputs).expect("shapes fit");
        Vec::<i64>::try_from(scores.argmax(-1, false)).expect("integers")
    };
    let binary = loss(binary(0.0), Function::Sigmoid, 2, None);
    let logits = rows(&[[-0.1], [0.0], [0.1], [0.9]]);
    assert_eq!(predicted(&binary, &logits), [0, 0, 1, 1]);
    let probabilities = binary.probabilities(&logits).expect("shapes fit");
    assert_eq!(probabilities.size(), [4, 2]);
    close(&probabilities.get(0).get(1), 1.0 / (1.0 + 0.1_f64.exp()));
    close(&probabilities.get(0).sum(Kind::Double), 1.0);
    let squared = loss(SQUARED, Function::Linear, 2, None);
    assert_eq!(predicted(&squared, &rows(&[[0.2], [0.5], [0.6], [3.0]])), [0, 0, 1, 1]);
    let categorical = loss(categorical(0.0), Function::Softmax, 2, None);
    let probabilities = categorical.probabilities(&rows(&[[0.0, 0.0]])).expect("shapes fit");
    close(&probabilities.get(0).get(0), 0.5);
    assert_eq!(predicted(&categorical, &rows(&[[0.1, 0.0], [-2.0, -1.0]])), [0, 1]);
}

#[test]
fn probabilities_of_other_activations_are_clipped() {
    let labels = Tensor::from_slice(&[0_i64]);
    let outputs = rows(&[[0.0, 1.0]]);
    let categorical = loss(categorical(0.0), Function::Linear, 2, None);
    let mean = categorical.mean(&outputs, &labels).expect("shapes fit");
    close(&mean, -1e-7_f64.ln());
    let scaled = categorical.mean(&rows(&[[1.0, 4.0]]), &labels).expect("shapes fit");
    close(&scaled, 5.0_f64.ln());
    let binary = loss(binary(0.0), Function::Softmax, 2, None);
    let mean = binary.mean(&rows(&[[0.25, 0.75]]), &labels).expect("shapes fit");
    close(&mean, 4.0_f64.ln());
    let scores = binary.scores(&rows(&[[0.4], [0.6]])).expect("shapes fit");
    assert_eq!(scores.argmax(-1, false), Tensor::from_slice(&[0_i64, 1]));
}

#[test]
fn what_has_no_meaning_is_named() {
    let _guard = testing::seed(1);
    let model = model([dense(2, Function::Tanh)]);
    for (kind, problem) in [
        (Some(binary(1.5)), "loss's label_smoothing must be from 0 to 1"),
        (Some(categorical(f64::NAN)), "loss's label_smoothing must be from 0 to 1"),
        (None, "loss is missing"),
    ] {
        let mut network = Network::build(&model, &[3], 2, Device::Cpu).expect("it fits");
        let error = Loss::of(&mut network, &v1::Loss { kind }, 2, None).expect_err("wrong");
        assert_eq!(error.to_string(), format!("the specification's {problem}"));
    }
}

#[test]
fn weights_of_classes() {
    let labels = Tensor::from_slice(&[0_i64, 2, 0, 0, 2, 0]);
    let weights = |kind| class_weights(&ClassWeights { kind: Some(kind) }, &labels, 4);
    let balanced = weights(WeightsKind::Balanced(Balanced {})).expect("counted");
    let balanced = Vec::<f32>::try_from(balanced).expect("f32");
    assert_eq!((balanced[0], balanced[2]), (6.0 / 16.0, 6.0 / 8.0));
    assert!(balanced.iter().all(|weight| weight.is_finite()));
    let given = |values: &[f64]| weights(WeightsKind::Given(Weights { values: values.to_vec() }));
    let found = given(&[1.0, 0.0, 2.5, 3.0]).expect("four");
    assert_eq!(found, Tensor::from_slice(&[1.0_f32, 0.0, 2.5, 3.0]));
    for (values, problem) in [
        (&[1.0, 2.0][..], "must be one for each class"),
        (&[1.0, 2.0, -1.0, 0.0], "must be numbers that are not negative"),
        (&[1.0, 2.0, f64::NAN, 0.0], "must be numbers that are not negative"),
    ] {
        let error = given(values).expect_err("wrong").to_string();
        assert_eq!(error, format!("the specification's class weights {problem}"));
    }
}
