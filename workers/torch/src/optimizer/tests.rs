//! Every rule against a few lines of plain arithmetic, in f64.

use sweep_proto::v1::optimizer::Clipping as ClippingSettings;
use sweep_proto::v1::{Adam, AdamW, RmsProp, Sgd};

use super::adam::correction;
use super::*;

/// Minimizes the sum of cubes, and compares with `expected`, which does the same
/// to one weight: it gets the step's number from 1, the weight and its gradient.
fn check<const SLOTS: usize>(
    kind: Kind,
    slots: [&str; SLOTS],
    expected: impl Fn(i32, f64, f64, &mut [f64; SLOTS]) -> f64,
) {
    let settings = v1::Optimizer { kind: Some(kind), clipping: None };
    let start = [1.0_f64, -2.0];
    let weight = Tensor::from_slice(&start).set_requires_grad(true);
    let mut optimizer = Optimizer::new(&settings, vec![weight.shallow_clone()]).expect("small");
    let names: Vec<_> = optimizer.slots().map(|(name, _)| name).collect();
    assert_eq!(names, slots.map(|slot| format!("optimizer/{slot}/0")));
    let mut weights = start;
    let mut states = [[0.0; SLOTS]; 2];
    for step in 1..=4 {
        let loss = weight.pow_tensor_scalar(3).sum(tch::Kind::Double);
        optimizer.step(&loss, 0.01).expect("small");
        for (index, (value, state)) in weights.iter_mut().zip(&mut states).enumerate() {
            *value = expected(step, *value, 3.0 * *value * *value, state);
            let found = weight.double_value(&[index as i64]);
            assert!((found - *value).abs() < 1e-12, "{kind:?}, step {step}: {found} {value}");
        }
    }
    assert_eq!(optimizer.steps(), 4);
    assert_eq!(learning_rate(&settings).expect("it is there"), 0.5);
}

#[test]
fn plain_descent() {
    let sgd = Sgd { learning_rate: 0.5, momentum: 0.0, nesterov: true };
    check(Kind::Sgd(sgd), [], |_, weight, gradient, _| weight - 0.01 * gradient);
}

#[test]
fn momentum() {
    let sgd = Sgd { learning_rate: 0.5, momentum: 0.9, nesterov: false };
    check(Kind::Sgd(sgd), ["momentum"], |_, weight, gradient, [velocity]| {
        *velocity = 0.9 * *velocity - 0.01 * gradient;
        weight + *velocity
    });
}

#[test]
fn nesterov_momentum() {
    let sgd = Sgd { learning_rate: 0.5, momentum: 0.9, nesterov: true };
    check(Kind::Sgd(sgd), ["momentum"], |_, weight, gradient, [velocity]| {
        *velocity = 0.9 * *velocity - 0.01 * gradient;
        weight + 0.9 * *velocity - 0.01 * gradient
    });
}

fn adam_step(step: i32, weight: f64, gradient: f64, state: &mut [f64; 2]) -> f64 {
    let [first, second] = state;
    *first = 0.9 * *first + 0.1 * gradient;
    *second = 0.999 * *second + 0.001 * gradient * gradient;
    let exact = (1.0 - 0.999_f64.powi(step)).sqrt() / (1.0 - 0.9_f64.powi(step));
    let corrected = correction(0.9, 0.999, step as u64);
    assert!((corrected / exact - 1.0).abs() < 2e-5, "{corrected} {exact}");
    let rate = 0.01 * corrected;
    weight - rate * *first / (second.sqrt() + 1e-2)
}

#[test]
fn adam() {
    let adam = Adam { learning_rate: 0.5, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-2 };
    check(Kind::Adam(adam), ["momentum", "velocity"], adam_step);
}

#[test]
fn weight_decay_comes_first() {
    let adamw =
        AdamW { learning_rate: 0.5, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-2, weight_decay: 0.3 };
    check(Kind::Adamw(adamw), ["momentum", "velocity"], |step, weight, gradient, state| {
        adam_step(step, weight - weight * 0.3 * 0.01, gradient, state)
    });
}

#[test]
fn rmsprop() {
    let settings =
        RmsProp { learning_rate: 0.5, rho: 0.8, momentum: 0.0, epsilon: 1e-3, centered: false };
    check(Kind::Rmsprop(settings), ["velocity"], |_, weight, gradient, [velocity]| {
        *velocity = 0.8 * *velocity + 0.2 * gradient * gradient;
        weight - 0.01 * gradient / (*velocity + 1e-3).sqrt()
    });
    let settings = RmsProp { momentum: 0.7, ..settings };
    let slots = ["velocity", "momentum"];
    check(Kind::Rmsprop(settings), slots, |_, weight, gradient, [velocity, momentum]| {
        *velocity = 0.8 * *velocity + 0.2 * gradient * gradient;
        *momentum = 0.7 * *momentum + 0.01 * gradient / (*velocity + 1e-3).sqrt();
        weight - *momentum
    });
    let settings = RmsProp { centered: true, ..settings };
    let slots = ["velocity", "momentum", "average_gradient"];
    check(Kind::Rmsprop(settings), slots, |_, weight, gradient, [velocity, momentum, average]| {
        *velocity = 0.8 * *velocity + 0.2 * gradient * gradient;
        *average = 0.8 * *average + 0.2 * gradient;
        let spread = *velocity - *average * *average + 1e-3;
        *momentum = 0.7 * *momentum + 0.01 * gradient / spread.sqrt();
        weight - *momentum
    });
}

#[test]
fn clipping() {
    let clipped = |settings| {
        let gradients =
            [Tensor::from_slice(&[3.0_f64, -4.0]), Tensor::from_slice(&[0.0_f64, 12.0])];
        let clipping = Clipping::new(settings).expect("above 0");
        let clipped = clipping.clip(&gradients).expect("small");
        clipped.iter().flat_map(|values| Vec::<f64>::try_from(values).expect("f64")).collect()
    };
    let close = |found: Vec<f64>, expected: [f64; 4]| {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    };
    close(clipped(ClippingSettings::Clipnorm(6.0)), [3.0, -4.0, 0.0, 6.0]);
    close(clipped(ClippingSettings::Clipvalue(3.5)), [3.0, -3.5, 0.0, 3.5]);
    close(clipped(ClippingSettings::GlobalClipnorm(6.5)), [1.5, -2.0, 0.0, 6.0]);
    close(clipped(ClippingSettings::GlobalClipnorm(13.5)), [3.0, -4.0, 0.0, 12.0]);
    for limit in [0.0, -1.0, f64::NAN] {
        let error = Clipping::new(ClippingSettings::Clipnorm(limit)).expect_err("not above 0");
        let expected = "the specification's optimizer's clipnorm must be above 0";
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn weights_that_the_loss_does_not_depend_on_stay() {
    let sgd = Sgd { learning_rate: 1.0, momentum: 0.0, nesterov: false };
    let clipping = Some(ClippingSettings::GlobalClipnorm(1.0));
    let settings = v1::Optimizer { kind: Some(Kind::Sgd(sgd)), clipping };
    let weight = |value: f64| Tensor::from_slice(&[value]).set_requires_grad(true);
    let (used, unused) = (weight(1.0), weight(2.0));
    let weights = vec![used.shallow_clone(), unused.shallow_clone()];
    let mut optimizer = Optimizer::new(&settings, weights).expect("small");
    optimizer.step(&used.sum(tch::Kind::Double), 0.25).expect("small");
    assert_eq!((used.double_value(&[0]), unused.double_value(&[0])), (0.75, 2.0));
    // And a network without any.
    let mut optimizer = Optimizer::new(&settings, Vec::new()).expect("small");
    optimizer.step(&Tensor::from(1.0), 0.25).expect("nothing to do");
    assert_eq!(optimizer.steps(), 1);
}
