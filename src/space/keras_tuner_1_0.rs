//! The draws of Keras Tuner 1.0.2, value for value.
//!
//! Choices come from CPython's `Random(seed).choice`, numbers from one double;
//! a stepped range takes the nearest of numpy's `arange(min, max + 1e-7, step)`,
//! so that its two ends have half the probability of the others.

use super::random::{below, first_double};
use super::{Kind, Numerical, Sampling, Value};

/// What 1.0.2 adds to the maximum, so that a whole number of steps reaches it.
const BEYOND: f64 = 1e-7;

/// A random value; `seed` is used up.
pub(super) fn draw(kind: &Kind, seed: u64) -> Value {
    match kind {
        Kind::Int(range) => {
            let range = Numerical {
                min: range.min as f64,
                max: range.max as f64,
                step: Some(range.step.unwrap_or(1) as f64),
                sampling: range.sampling,
                default: None,
            };
            Value::Int(float(&range, seed) as i64)
        }
        Kind::Float(range) => Value::Float(float(range, seed)),
        Kind::Choice { values, .. } => values[below(seed, values.len())].clone(),
        Kind::Boolean { .. } => Value::Bool(below(seed, 2) == 0),
        Kind::Fixed(value) => value.clone(),
    }
}

/// Number of values of a stepped linear range: numpy's length of the `arange`.
pub(super) fn float_steps(range: &Numerical<f64>, step: f64) -> u64 {
    ((range.max + BEYOND - range.min) / step).ceil().max(1.0) as u64
}

fn float(range: &Numerical<f64>, seed: u64) -> f64 {
    let (min, max, probability) = (range.min, range.max, first_double(seed));
    let value = match range.sampling {
        Sampling::Linear => probability * (max - min) + min,
        Sampling::Log => min * (max / min).powf(probability),
        Sampling::ReverseLog => max + min - min * (max / min).powf(1.0 - probability),
    };
    range.step.map_or(value, |step| nearest(range, step, value))
}

/// The first of the nearest values of the `arange`.
fn nearest(range: &Numerical<f64>, step: f64, value: f64) -> f64 {
    // numpy fills from the difference of the first two values.
    let step = (range.min + step) - range.min;
    let last = float_steps(range, step) - 1;
    let near = ((value - range.min) / step).round().max(0.0) as u64;
    let mut best = f64::INFINITY;
    let mut nearest = range.min;
    for index in near.saturating_sub(1).min(last)..=(near + 1).min(last) {
        let candidate = range.min + index as f64 * step;
        if (candidate - value).abs() < best {
            best = (candidate - value).abs();
            nearest = candidate;
        }
    }
    nearest
}
