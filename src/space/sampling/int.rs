//! Ranges of whole numbers.
//!
//! Values lie a distance apart, or a factor. A logarithmic range without a step
//! is sampled like a range of real numbers, and cut off. Keras Tuner computes
//! factors in floats, and gives a number beyond the range where the probability
//! is 1; `Mended` does neither.

use super::{bucket, logarithm, logarithmic_steps, middle, shrink, stretch};
use crate::space::{Numerical, Rules, Sampling, keras_tuner_1_0};

impl Numerical<i64> {
    pub(super) fn value_at(&self, rules: Rules, probability: f64) -> i64 {
        if rules == Rules::KerasTuner10 {
            return keras_tuner_1_0::value_at(&self.as_floats(), probability) as i64;
        }
        if !self.is_cut_off() {
            return self.nth(rules, bucket(probability, self.count(rules)));
        }
        // One more than the largest, so that each value has its share.
        let end = self.max as f64 + 1.0;
        let value = stretch(self.min as f64, end, self.sampling, probability) as i64;
        match rules {
            Rules::Mended => value.clamp(self.min, self.max),
            Rules::KerasTuner14 | Rules::KerasTuner10 => value,
        }
    }

    pub(super) fn probability_of(&self, rules: Rules, value: i64) -> f64 {
        let (min, max, at) = (self.min as f64, self.max as f64, value as f64);
        if rules == Rules::KerasTuner10 {
            return shrink(min, max, self.sampling, at);
        }
        if self.is_cut_off() {
            return shrink(min, max + 1.0, self.sampling, at + 0.5);
        }
        let index = match self.sampling {
            Sampling::Linear => {
                (i128::from(value) - i128::from(self.min)).div_euclid(self.distance()) as f64
            }
            Sampling::Log => logarithm(at / min, self.distance() as f64),
            Sampling::ReverseLog => logarithm((max - at + min) / min, self.distance() as f64),
        };
        let probability = middle(index, self.count(rules));
        match rules {
            // A value that no step reaches may lie beyond the last.
            Rules::Mended => probability.clamp(0.0, 1.0),
            Rules::KerasTuner14 | Rules::KerasTuner10 => probability,
        }
    }

    pub(super) fn count(&self, rules: Rules) -> u64 {
        match self.factor(rules) {
            Some(factor) => logarithmic_steps(self.min as f64, self.max as f64, factor as f64),
            None => {
                let span = i128::from(self.max) - i128::from(self.min);
                u64::try_from(span / self.distance() + 1).unwrap_or(u64::MAX)
            }
        }
    }

    pub(super) fn nth(&self, rules: Rules, index: u64) -> i64 {
        let Some(factor) = self.factor(rules) else {
            return (i128::from(self.min) + i128::from(index) * self.distance()) as i64;
        };
        let ends = i128::from(self.min) + i128::from(self.max);
        if rules == Rules::KerasTuner14 {
            let scaled = self.min as f64 * (factor as f64).powf(index as f64);
            return match self.sampling {
                Sampling::Linear | Sampling::Log => scaled as i64,
                Sampling::ReverseLog => (ends as f64 - scaled) as i64,
            };
        }
        let power = factor.saturating_pow(u32::try_from(index).unwrap_or(u32::MAX));
        let scaled = i128::from(self.min.saturating_mul(power));
        let value = match self.sampling {
            Sampling::Linear | Sampling::Log => scaled,
            Sampling::ReverseLog => ends - scaled,
        };
        value.clamp(self.min.into(), self.max.into()) as i64
    }

    pub(super) fn index_of(&self, rules: Rules, value: i64) -> Option<u64> {
        if self.factor(rules).is_some() {
            return (0..self.count(rules)).find(|index| self.nth(rules, *index) == value);
        }
        let from_min = i128::from(value) - i128::from(self.min);
        let is_step = (self.min..=self.max).contains(&value) && from_min % self.distance() == 0;
        is_step.then(|| (from_min / self.distance()) as u64)
    }

    /// Whether values come from a continuous range.
    pub(super) fn is_cut_off(&self) -> bool {
        self.step.is_none() && self.sampling != Sampling::Linear
    }

    /// Between neighbouring values; 1 unless told otherwise.
    fn distance(&self) -> i128 {
        self.step.unwrap_or(1).into()
    }

    /// Between neighbouring values of a logarithmic range with steps. In 1.0.2
    /// all steps are distances.
    fn factor(&self, rules: Rules) -> Option<i64> {
        match (rules, self.sampling) {
            (Rules::KerasTuner10, _) | (_, Sampling::Linear) => None,
            (Rules::Mended | Rules::KerasTuner14, Sampling::Log | Sampling::ReverseLog) => {
                self.step
            }
        }
    }

    /// The same range with a step, as 1.0.2 takes it.
    fn as_floats(&self) -> Numerical<f64> {
        Numerical {
            min: self.min as f64,
            max: self.max as f64,
            step: Some(self.distance() as f64),
            sampling: self.sampling,
            default: None,
        }
    }
}
