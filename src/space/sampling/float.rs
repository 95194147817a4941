//! Ranges of real numbers.
//!
//! With steps: Keras Tuner 1.4.8 counts them by Python's floor division, which
//! often leaves the maximum out, and computes each as it comes. `Mended` counts
//! a step that ends within rounding of the end of the range, and gives that
//! very end.

use super::{REACHED, bucket, logarithm, logarithmic_steps, middle, shrink, stretch};
use crate::space::{Numerical, Rules, Sampling, keras_tuner_1_0};

impl Numerical<f64> {
    pub(super) fn value_at(&self, rules: Rules, probability: f64) -> f64 {
        if rules == Rules::KerasTuner10 {
            return keras_tuner_1_0::value_at(self, probability);
        }
        if let Some(step) = self.step {
            return self.step_at(rules, step, bucket(probability, self.steps(rules, step)));
        }
        let value = stretch(self.min, self.max, self.sampling, probability);
        match rules {
            Rules::Mended => value.clamp(self.min, self.max),
            Rules::KerasTuner14 | Rules::KerasTuner10 => value,
        }
    }

    pub(super) fn probability_of(&self, rules: Rules, value: f64) -> f64 {
        match (rules, self.step) {
            (Rules::KerasTuner10, _) | (_, None) => {
                shrink(self.min, self.max, self.sampling, value)
            }
            (Rules::KerasTuner14, Some(step)) => {
                let index = match self.sampling {
                    Sampling::Linear => floor_division(value - self.min, step),
                    Sampling::Log | Sampling::ReverseLog => self.distance_in_steps(step, value),
                };
                middle(index, self.steps(rules, step))
            }
            (Rules::Mended, Some(step)) => {
                middle(self.nearest_step(rules, step, value) as f64, self.steps(rules, step))
            }
        }
    }

    pub(super) fn count(&self, rules: Rules) -> Option<u64> {
        if self.min == self.max {
            return Some(1);
        }
        self.step.map(|step| self.steps(rules, step))
    }

    pub(super) fn nth(&self, rules: Rules, index: u64) -> f64 {
        self.step.map_or(self.min, |step| self.step_at(rules, step, index))
    }

    pub(super) fn index_of(&self, rules: Rules, value: f64) -> Option<u64> {
        let Some(step) = self.step else {
            return (self.min == self.max && self.min == value).then_some(0);
        };
        let near = self.nearest_step(rules, step, value);
        (near.saturating_sub(1)..=near.saturating_add(1)).find(|index| {
            *index < self.steps(rules, step) && self.step_at(rules, step, *index) == value
        })
    }

    /// Number of values of a range with steps.
    fn steps(&self, rules: Rules, step: f64) -> u64 {
        match (rules, self.sampling) {
            (Rules::KerasTuner10, _) => keras_tuner_1_0::steps(self, step),
            (Rules::KerasTuner14, Sampling::Linear) => {
                (floor_division(self.max - self.min, step) + 1.0) as u64
            }
            (Rules::Mended, Sampling::Linear) => {
                let reached = (self.max - self.min) / step + self.tolerance(step);
                (reached as u64).saturating_add(1)
            }
            (Rules::Mended | Rules::KerasTuner14, Sampling::Log | Sampling::ReverseLog) => {
                logarithmic_steps(self.min, self.max, step)
            }
        }
    }

    fn step_at(&self, rules: Rules, step: f64, index: u64) -> f64 {
        let end = match self.sampling {
            Sampling::Linear | Sampling::Log => self.max,
            Sampling::ReverseLog => self.min,
        };
        let position = index as f64;
        match rules {
            Rules::KerasTuner10 => return keras_tuner_1_0::step_at(self, step, index),
            Rules::Mended
                if self.distance_in_steps(step, end) - position <= self.tolerance(step) =>
            {
                return end;
            }
            Rules::Mended | Rules::KerasTuner14 => {}
        }
        match self.sampling {
            Sampling::Linear => self.min + position * step,
            Sampling::Log => self.min * step.powf(position),
            Sampling::ReverseLog => {
                let value = self.max + self.min - self.min * step.powf(position);
                // Rounding may take the first step beyond the end.
                if rules == Rules::Mended { value.min(self.max) } else { value }
            }
        }
    }

    /// How many steps `value` lies from where they start.
    fn distance_in_steps(&self, step: f64, value: f64) -> f64 {
        match self.sampling {
            Sampling::Linear => (value - self.min) / step,
            Sampling::Log => logarithm(value / self.min, step),
            Sampling::ReverseLog => logarithm((self.max - value + self.min) / self.min, step),
        }
    }

    fn nearest_step(&self, rules: Rules, step: f64, value: f64) -> u64 {
        (self.distance_in_steps(step, value).round() as u64).min(self.steps(rules, step) - 1)
    }

    /// How far from the end of the range, in steps, a step may be and be there:
    /// more where rounding the ends takes more of a step.
    fn tolerance(&self, step: f64) -> f64 {
        match self.sampling {
            Sampling::Linear => {
                let rounding = 4.0 * f64::EPSILON * self.min.abs().max(self.max.abs()) / step;
                rounding.clamp(REACHED, 0.25)
            }
            Sampling::Log | Sampling::ReverseLog => REACHED,
        }
    }
}

/// Python's `//` for floats and a positive divisor: exact where the rounded
/// quotient is not.
fn floor_division(dividend: f64, divisor: f64) -> f64 {
    let remainder = dividend % divisor;
    let quotient = (dividend - remainder) / divisor - f64::from(remainder < 0.0);
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}
