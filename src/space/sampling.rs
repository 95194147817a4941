//! From a probability to a value and back, by the formulas of Keras Tuner 1.4.8.
//!
//! All sampling goes through one probability in [0, 1). Values with a step (and
//! choices) share it in equal buckets; continuous ranges stretch it. The
//! [`Rules`] decide how many steps a linear range of floats has: Keras Tuner
//! 1.4.8 counts them by Python's floor division, which often leaves `max` out.

use super::{Kind, Numerical, Rules, Sampling, Value, keras_tuner_1_0};
use crate::space::random::first_double;

/// Steps that end so close to `max`, in steps, end there.
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

    /// The value at a probability in [0, 1].
    #[must_use]
    pub fn value_at(&self, rules: Rules, probability: f64) -> Value {
        match self {
            Self::Int(range) => Value::Int(int_at(range, probability)),
            Self::Float(range) => Value::Float(float_at(range, rules, probability)),
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
            (Self::Int(range), Value::Int(value)) => Some(int_probability(range, *value)),
            (Self::Float(range), Value::Float(value)) => {
                Some(float_probability(range, rules, *value))
            }
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
            Self::Int(range) => Value::Int(match effective_step(range) {
                Some(step) => int_nth(range, step, index),
                None => range.min.saturating_add_unsigned(index).min(range.max),
            }),
            Self::Float(range) => Value::Float(match range.step {
                Some(step) => float_nth(range, rules, step, index),
                None => range.min,
            }),
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
            Self::Int(range) if effective_step(range).is_none() => {
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
            Self::Int(range) => Some(match effective_step(range) {
                Some(step) => int_steps(range, step),
                None => (range.max as i128 - range.min as i128 + 1).try_into().unwrap_or(u64::MAX),
            }),
            Self::Float(range) if range.min == range.max => Some(1),
            Self::Float(range) => range.step.map(|step| float_steps(range, rules, step)),
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
}

impl Kind {
    /// Whether a draw can give `value`.
    #[must_use]
    pub fn can_be(&self, rules: Rules, value: &Value) -> bool {
        match (self, value) {
            (Self::Int(range), Value::Int(number)) if !(range.min..=range.max).contains(number) => {
                false
            }
            (Self::Float(range), Value::Float(number))
                if !(range.min..=range.max).contains(number) =>
            {
                false
            }
            (Self::Float(Numerical { step: None, .. }), Value::Float(_)) => true,
            (Self::Int(_) | Self::Float(_), _) => self
                .probability_of(rules, value)
                .is_some_and(|probability| self.value_at(rules, probability) == *value),
            (Self::Choice { values, .. }, value) => values.contains(value),
            (Self::Boolean { .. }, value) => matches!(value, Value::Bool(_)),
            (Self::Fixed(fixed), value) => fixed == value,
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

/// A linear range of whole numbers has steps of 1 unless told otherwise.
fn effective_step(range: &Numerical<i64>) -> Option<i64> {
    match (range.step, range.sampling) {
        (None, Sampling::Linear) => Some(1),
        (step, Sampling::Linear | Sampling::Log | Sampling::ReverseLog) => step,
    }
}

fn int_steps(range: &Numerical<i64>, step: i64) -> u64 {
    match range.sampling {
        Sampling::Linear => {
            let span = range.max as i128 - range.min as i128;
            u64::try_from(span / i128::from(step) + 1).unwrap_or(u64::MAX)
        }
        Sampling::Log | Sampling::ReverseLog => {
            logarithmic_steps(range.min as f64, range.max as f64, step as f64)
        }
    }
}

fn float_steps(range: &Numerical<f64>, rules: Rules, step: f64) -> u64 {
    let span = range.max - range.min;
    match (range.sampling, rules) {
        (Sampling::Linear, Rules::Mended) => (span / step + REACHED) as u64 + 1,
        (Sampling::Linear, Rules::KerasTuner14) => (python_floor_division(span, step) + 1.0) as u64,
        (Sampling::Linear, Rules::KerasTuner10) => keras_tuner_1_0::float_steps(range, step),
        (Sampling::Log | Sampling::ReverseLog, _) => logarithmic_steps(range.min, range.max, step),
    }
}

fn logarithmic_steps(min: f64, max: f64, step: f64) -> u64 {
    (logarithm(max / min, step) + REACHED) as u64 + 1
}

/// Python's `math.log(value, base)`.
fn logarithm(value: f64, base: f64) -> f64 {
    value.ln() / base.ln()
}

/// Python's `//` for floats: exact where the rounded quotient is not.
fn python_floor_division(dividend: f64, divisor: f64) -> f64 {
    let remainder = dividend % divisor;
    let quotient = (dividend - remainder) / divisor;
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}

fn int_at(range: &Numerical<i64>, probability: f64) -> i64 {
    let Some(step) = effective_step(range) else {
        // One more than the largest, then cut off, so that each value has its share.
        let (min, end) = (range.min as f64, range.max as f64 + 1.0);
        let value = stretch(min, end, range.sampling, probability) as i64;
        return value.min(range.max);
    };
    int_nth(range, step, bucket(probability, int_steps(range, step)))
}

fn int_nth(range: &Numerical<i64>, step: i64, index: u64) -> i64 {
    let power = || step.saturating_pow(u32::try_from(index).unwrap_or(u32::MAX));
    match range.sampling {
        Sampling::Linear => (range.min as i128 + i128::from(index) * i128::from(step)) as i64,
        Sampling::Log => range.min.saturating_mul(power()),
        Sampling::ReverseLog => range.max + range.min - range.min.saturating_mul(power()),
    }
}

fn float_at(range: &Numerical<f64>, rules: Rules, probability: f64) -> f64 {
    let Some(step) = range.step else {
        return stretch(range.min, range.max, range.sampling, probability);
    };
    let index = bucket(probability, float_steps(range, rules, step));
    float_nth(range, rules, step, index)
}

fn float_nth(range: &Numerical<f64>, rules: Rules, step: f64, index: u64) -> f64 {
    let index = index as f64;
    let value = match range.sampling {
        Sampling::Linear => range.min + index * step,
        Sampling::Log => range.min * step.powf(index),
        Sampling::ReverseLog => range.max + range.min - range.min * step.powf(index),
    };
    match rules {
        // 3 steps of 0.1 are not 0.3 to the last bit; the end is the end.
        Rules::Mended if (value - range.max).abs() <= REACHED * step => range.max,
        Rules::Mended | Rules::KerasTuner14 | Rules::KerasTuner10 => value,
    }
}

/// A continuous range from `min` (at 0) to `end` (at 1).
fn stretch(min: f64, end: f64, sampling: Sampling, probability: f64) -> f64 {
    match sampling {
        Sampling::Linear => probability * (end - min) + min,
        Sampling::Log => min * (end / min).powf(probability),
        Sampling::ReverseLog => end + min - min * (end / min).powf(1.0 - probability),
    }
}

fn int_probability(range: &Numerical<i64>, value: i64) -> f64 {
    let (min, max, at) = (range.min as f64, range.max as f64, value as f64);
    match effective_step(range) {
        None => shrink(min, max + 1.0, range.sampling, at + 0.5),
        Some(step) => {
            let index = match range.sampling {
                Sampling::Linear => {
                    ((value as i128 - range.min as i128).div_euclid(step as i128)) as f64
                }
                Sampling::Log => logarithm(at / min, step as f64),
                Sampling::ReverseLog => logarithm((max - at + min) / min, step as f64),
            };
            middle(index, int_steps(range, step))
        }
    }
}

fn float_probability(range: &Numerical<f64>, rules: Rules, value: f64) -> f64 {
    match range.step {
        None => shrink(range.min, range.max, range.sampling, value),
        Some(step) => {
            let index = match range.sampling {
                Sampling::Linear => match rules {
                    Rules::Mended => ((value - range.min) / step + REACHED).floor(),
                    Rules::KerasTuner14 | Rules::KerasTuner10 => {
                        python_floor_division(value - range.min, step)
                    }
                },
                Sampling::Log => logarithm(value / range.min, step),
                Sampling::ReverseLog => {
                    logarithm((range.max - value + range.min) / range.min, step)
                }
            };
            middle(index, float_steps(range, rules, step))
        }
    }
}

/// The inverse of [`stretch`].
fn shrink(min: f64, end: f64, sampling: Sampling, value: f64) -> f64 {
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
