//! From a probability to a value and back, by the formulas of Keras Tuner 1.4.8.
//!
//! All sampling goes through one probability in [0, 1). Values with a step (and
//! choices) share it in equal buckets; continuous ranges stretch it. What the
//! [`Rules`] change in that is said where whole numbers (`int`) and real ones
//! (`float`) have their arithmetic.
//!
//! Powers and logarithms are the C library's, as they are for CPython: equal to
//! the last bit on one machine, while another library, or glibc on a processor
//! without fused multiplication, may round the last bit the other way.

mod float;
mod int;

use super::random::first_double;
use super::{Kind, Numerical, Rules, Sampling, Value, keras_tuner_1_0};

/// Steps that end so close to the end of a range, in steps, end there.
const REACHED: f64 = 1e-8;

impl Kind {
    /// A random value; `seed` is used up.
    #[must_use]
    pub fn draw(&self, rules: Rules, seed: u64) -> Value {
        match rules {
            Rules::Mended | Rules::KerasTuner14 => self.value_at(rules, first_double(seed)),
            Rules::KerasTuner10 => keras_tuner_1_0::draw(self, seed),
        }
    }

    /// The value at a probability in [0, 1]. Keras Tuner's rules can leave the
    /// range by a little where it is 1; `Mended` never do.
    #[must_use]
    pub fn value_at(&self, rules: Rules, probability: f64) -> Value {
        match self {
            Self::Int(range) => Value::Int(range.value_at(rules, probability)),
            Self::Float(range) => Value::Float(range.value_at(rules, probability)),
            Self::Choice { values, .. } => {
                values[bucket(probability, values.len() as u64) as usize].clone()
            }
            Self::Boolean { .. } => Value::Bool(probability >= 0.5),
            Self::Fixed(value) => value.clone(),
        }
    }

    /// The middle of the probabilities that give `value`; absent when `value`
    /// is of another type or not among the choices.
    #[must_use]
    pub fn probability_of(&self, rules: Rules, value: &Value) -> Option<f64> {
        match (self, value) {
            (Self::Int(range), Value::Int(value)) => Some(range.probability_of(rules, *value)),
            (Self::Float(range), Value::Float(value)) => Some(range.probability_of(rules, *value)),
            (Self::Choice { values, .. }, value) => values
                .iter()
                .position(|known| known == value)
                .map(|index| middle(index as f64, values.len() as u64)),
            (Self::Boolean { .. }, Value::Bool(value)) => Some(if *value { 0.75 } else { 0.25 }),
            (Self::Fixed(fixed), value) => (fixed == value).then_some(0.5),
            (Self::Int(_) | Self::Float(_) | Self::Boolean { .. }, _) => None,
        }
    }

    /// Value number `index` of those that [`count`](Self::count) counts, for a
    /// `Choice` of those listed; the smallest of a continuous range.
    #[must_use]
    pub fn nth(&self, rules: Rules, index: u64) -> Value {
        match self {
            Self::Int(range) => Value::Int(range.nth(rules, index)),
            Self::Float(range) => Value::Float(range.nth(rules, index)),
            Self::Choice { values, .. } => {
                let last = values.len().saturating_sub(1);
                values[usize::try_from(index).map_or(last, |index| index.min(last))].clone()
            }
            Self::Boolean { .. } => Value::Bool(index == 1),
            Self::Fixed(value) => value.clone(),
        }
    }

    /// Where the probabilities that give value number `index` begin, in [0, 1];
    /// 1 where `index` is how many there are. Meant for what
    /// [`count`](Self::count) counts.
    pub(crate) fn start_of(&self, rules: Rules, index: u64) -> f64 {
        match self {
            Self::Int(range) if range.is_cut_off() => {
                let (min, end) = (range.min as f64, range.max as f64 + 1.0);
                shrink(min, end, range.sampling, min + index as f64)
            }
            Self::Int(_)
            | Self::Float(_)
            | Self::Choice { .. }
            | Self::Boolean { .. }
            | Self::Fixed(_) => self.count(rules).map_or(0.0, |count| index as f64 / count as f64),
        }
    }

    /// Number of distinct values; absent for a continuous range of floats.
    #[must_use]
    pub fn count(&self, rules: Rules) -> Option<u64> {
        match self {
            Self::Int(range) => Some(range.count(rules)),
            Self::Float(range) => range.count(rules),
            Self::Choice { values, .. } => {
                let distinct = values
                    .iter()
                    .enumerate()
                    .filter(|(index, value)| !values[..*index].contains(value))
                    .count();
                Some(distinct as u64)
            }
            Self::Boolean { .. } => Some(2),
            Self::Fixed(_) => Some(1),
        }
    }

    /// The inverse of [`nth`](Self::nth), exactly: absent where no draw gives
    /// `value`, and for a continuous range of floats.
    #[must_use]
    pub fn index_of(&self, rules: Rules, value: &Value) -> Option<u64> {
        match (self, value) {
            (Self::Int(range), Value::Int(number)) => range.index_of(rules, *number),
            (Self::Float(range), Value::Float(number)) => range.index_of(rules, *number),
            (Self::Choice { values, .. }, value) => {
                values.iter().position(|known| known == value).map(|index| index as u64)
            }
            (Self::Boolean { .. }, Value::Bool(value)) => Some(u64::from(*value)),
            (Self::Fixed(fixed), value) => (fixed == value).then_some(0),
            (Self::Int(_) | Self::Float(_) | Self::Boolean { .. }, _) => None,
        }
    }

    /// Whether a draw can give `value`.
    #[must_use]
    pub fn can_be(&self, rules: Rules, value: &Value) -> bool {
        match (self, value) {
            (Self::Float(range @ Numerical { step: None, .. }), Value::Float(number)) => {
                (range.min..=range.max).contains(number)
            }
            (kind, value) => kind.index_of(rules, value).is_some(),
        }
    }
}

/// Which of `count` equal parts of [0, 1) a probability falls in.
fn bucket(probability: f64, count: u64) -> u64 {
    let width = 1.0 / count as f64;
    ((probability / width).floor() as u64).min(count - 1)
}

/// The middle of a bucket; `index` may lie between two of them.
fn middle(index: f64, count: u64) -> f64 {
    (index + 0.5) * (1.0 / count as f64)
}

/// Number of values `min`, `min` × `step`, ... up to `max`.
fn logarithmic_steps(min: f64, max: f64, step: f64) -> u64 {
    ((logarithm(max / min, step) + REACHED) as u64).saturating_add(1)
}

/// Python's `math.log(value, base)`.
fn logarithm(value: f64, base: f64) -> f64 {
    value.ln() / base.ln()
}

/// A continuous range from `min` (at 0) to `end` (at 1).
pub(super) fn stretch(min: f64, end: f64, sampling: Sampling, probability: f64) -> f64 {
    match sampling {
        Sampling::Linear => probability * (end - min) + min,
        Sampling::Log => min * (end / min).powf(probability),
        Sampling::ReverseLog => end + min - min * (end / min).powf(1.0 - probability),
    }
}

/// The inverse of [`stretch`].
pub(super) fn shrink(min: f64, end: f64, sampling: Sampling, value: f64) -> f64 {
    if min == end {
        return 0.5;
    }
    match sampling {
        Sampling::Linear => (value - min) / (end - min),
        Sampling::Log => (value / min).ln() / (end / min).ln(),
        Sampling::ReverseLog => 1.0 - ((end + min - value) / min).ln() / (end / min).ln(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
