//! What a search improves: one metric, or a weighted sum of several.
//!
//! [`Objective::value`] is the only place where measurements become the number
//! that epochs, executions and trials are compared by.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Measurement;

/// Keras Tuner's name for the sum of several objectives.
pub const MULTI_OBJECTIVE: &str = "multi_objective";

/// What a search improves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Name of a reported metric, for example `val_accuracy`; of several
    /// objectives [`MULTI_OBJECTIVE`].
    pub metric: String,
    /// Whether less or more is better; of several objectives less.
    pub direction: Direction,
    /// The several objectives; empty if there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<Term>,
}

/// One of several objectives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// Name of a reported metric.
    pub metric: String,
    /// Whether less or more is better.
    pub direction: Direction,
    /// How much it counts; above 0.
    pub weight: f64,
}

/// Whether less or more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Less is better.
    Min,
    /// More is better.
    Max,
}

impl Objective {
    /// One metric.
    #[must_use]
    pub fn single(metric: impl Into<String>, direction: Direction) -> Self {
        Self { metric: metric.into(), direction, terms: Vec::new() }
    }

    /// Several metrics: the weighted sum of those to be small, less the
    /// weighted sum of those to be large.
    #[must_use]
    pub fn several(terms: Vec<Term>) -> Self {
        Self { metric: MULTI_OBJECTIVE.to_owned(), direction: Direction::Min, terms }
    }

    /// The metrics that it is made of, and where each should go.
    pub fn metrics(&self) -> impl Iterator<Item = (&str, Direction)> {
        let single = self.terms.is_empty().then_some((self.metric.as_str(), self.direction));
        single.into_iter().chain(self.terms.iter().map(|term| (&*term.metric, term.direction)))
    }

    /// Its value in a measurement; `None` if a metric was not reported. It is
    /// not a number if a metric is not.
    #[must_use]
    pub fn value(&self, measurement: &Measurement) -> Option<f64> {
        if self.terms.is_empty() {
            return measurement.get(&self.metric);
        }
        // Added up in the order of the file, as workers do: the same bits.
        self.terms.iter().try_fold(0.0, |sum, term| {
            let weighted = term.weight * measurement.get(&term.metric)?;
            Some(match term.direction {
                Direction::Min => sum + weighted,
                Direction::Max => sum - weighted,
            })
        })
    }

    /// Whether `a` is strictly better than `b`. NaN is never better.
    #[must_use]
    pub fn is_better(&self, a: f64, b: f64) -> bool {
        self.direction.is_better(a, b)
    }
}

impl Direction {
    /// Whether `a` is strictly better than `b`. NaN is never better.
    #[must_use]
    pub fn is_better(self, a: f64, b: f64) -> bool {
        match self {
            Self::Min => a < b || (b.is_nan() && !a.is_nan()),
            Self::Max => a > b || (b.is_nan() && !a.is_nan()),
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Min => "min",
            Self::Max => "max",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(metrics: &[(&str, f64)]) -> Measurement {
        let metrics = metrics.iter().copied().collect();
        Measurement { epoch: 1, metrics, seconds: 0.0 }
    }

    fn accuracy_and_loss() -> Objective {
        let term =
            |metric: &str, direction, weight| Term { metric: metric.to_owned(), direction, weight };
        Objective::several(vec![
            term("val_accuracy", Direction::Max, 1.0),
            term("val_loss", Direction::Min, 0.5),
        ])
    }

    #[test]
    fn several_objectives_are_a_weighted_sum_to_be_small() {
        let objective = accuracy_and_loss();
        assert_eq!(
            (objective.metric.as_str(), objective.direction),
            ("multi_objective", Direction::Min)
        );
        let good = measurement(&[("val_loss", 0.5), ("loss", 9.0), ("val_accuracy", 0.75)]);
        assert_eq!(objective.value(&good), Some(-0.5));
        let bad = measurement(&[("val_loss", 3.0), ("val_accuracy", 0.25)]);
        assert_eq!(objective.value(&bad), Some(1.25));
        assert!(objective.is_better(-0.5, 1.25));
        assert_eq!(objective.value(&measurement(&[("val_loss", 0.5)])), None);
        let diverged = measurement(&[("val_loss", f64::NAN), ("val_accuracy", 0.25)]);
        assert!(objective.value(&diverged).is_some_and(f64::is_nan));
    }

    #[test]
    fn one_objective_is_its_metric() {
        let objective = Objective::single("val_accuracy", Direction::Max);
        assert_eq!(objective.value(&measurement(&[("val_accuracy", 0.75)])), Some(0.75));
        assert_eq!(objective.metrics().collect::<Vec<_>>(), [("val_accuracy", Direction::Max)]);
        let names: Vec<String> =
            accuracy_and_loss().metrics().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["val_accuracy", "val_loss"]);
    }

    #[test]
    fn what_is_not_a_number_never_wins() {
        for direction in [Direction::Min, Direction::Max] {
            assert!(direction.is_better(1.0, f64::NAN));
            assert!(!direction.is_better(f64::NAN, 1.0));
            assert!(!direction.is_better(f64::NAN, f64::NAN));
        }
    }
}
