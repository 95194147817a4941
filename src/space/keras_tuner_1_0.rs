//! The draws of Keras Tuner 1.0.2, value for value.
//!
//! Choices come from CPython's `Random(seed).choice`, numbers from one double;
//! a stepped range takes the nearest of numpy's `arange(min, max + 1e-7, step)`,
//! so that its two ends have half the probability of the others. Every step is
//! a distance: 1.0.2 refuses one together with logarithmic sampling.

use super::random::{below, first_double};
use super::sampling::stretch;
use super::{Kind, Numerical, Rules, Value};

/// What 1.0.2 adds to the maximum, so that a whole number of steps reaches it.
const BEYOND: f64 = 1e-7;

/// A random value; `seed` is used up.
pub(super) fn draw(kind: &Kind, seed: u64) -> Value {
    match kind {
        Kind::Choice { values, .. } => values[below(seed, values.len())].clone(),
        Kind::Boolean { .. } => Value::Bool(below(seed, 2) == 0),
        Kind::Int(_) | Kind::Float(_) | Kind::Fixed(_) => {
            kind.value_at(Rules::KerasTuner10, first_double(seed))
        }
    }
}

/// The value at a probability: of several nearest steps, the first.
pub(super) fn value_at(range: &Numerical<f64>, probability: f64) -> f64 {
    let value = stretch(range.min, range.max, range.sampling, probability);
    let Some(step) = range.step else { return value };
    let last = steps(range, step) - 1;
    let near = ((value - range.min) / step).round().max(0.0) as u64;
    let mut nearest = range.min;
    let mut distance = f64::INFINITY;
    for index in near.saturating_sub(1).min(last)..=near.saturating_add(1).min(last) {
        let candidate = step_at(range, step, index);
        if (candidate - value).abs() < distance {
            distance = (candidate - value).abs();
            nearest = candidate;
        }
    }
    nearest
}

/// Length of the `arange`.
pub(super) fn steps(range: &Numerical<f64>, step: f64) -> u64 {
    ((range.max + BEYOND - range.min) / step).ceil().max(1.0) as u64
}

/// Element of the `arange`, which numpy computes from the first two.
pub(super) fn step_at(range: &Numerical<f64>, step: f64, index: u64) -> f64 {
    match index {
        0 => range.min,
        1 => range.min + step,
        _ => range.min + index as f64 * ((range.min + step) - range.min),
    }
}

#[cfg(test)]
mod tests;
