//! What is made of measurements: the best epoch, and whether to stop early.

use sweep_proto::v1::{self, Direction, Objective};

use super::{Column, Measured, Schema};
use crate::error::TrainingError;

/// A metric and where it should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Goal {
    column: Column,
    maximize: bool,
}

impl Goal {
    /// Reads a metric's name and direction; `role` says whose they are.
    pub(crate) fn new(
        role: &'static str,
        metric: &str,
        direction: i32,
        schema: &Schema,
    ) -> Result<Self, TrainingError> {
        let column = schema.column(role, metric)?;
        let maximize = match Direction::try_from(direction) {
            Ok(Direction::Min) => false,
            Ok(Direction::Max) => true,
            Ok(Direction::Unspecified) | Err(_) => {
                return Err(TrainingError::Specification {
                    part: role,
                    problem: "has no direction",
                });
            }
        };
        Ok(Self { column, maximize })
    }

    /// The metric of an epoch.
    pub(crate) fn value(self, measured: &Measured) -> f64 {
        measured.get(self.column)
    }

    /// Whether `value` is better than `than` by more than `margin`.
    pub(crate) fn is_better(self, value: f64, than: f64, margin: f64) -> bool {
        if self.maximize { value - margin > than } else { value + margin < than }
    }
}

/// What the best epoch is the best by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Aim {
    /// One metric.
    One(Goal),
    /// Metrics and their weights: the sum of those to be small, less the sum of
    /// those to be large, is to be small.
    Several(Vec<(Goal, f64)>),
}

impl Aim {
    /// # Errors
    ///
    /// [`TrainingError::Metric`] for a metric that is not measured.
    pub(crate) fn new(objective: &Objective, schema: &Schema) -> Result<Self, TrainingError> {
        let goal = |metric, direction| Goal::new("objective", metric, direction, schema);
        if objective.terms.is_empty() {
            return goal(&objective.metric, objective.direction).map(Self::One);
        }
        let terms = objective.terms.iter();
        terms
            .map(|term| Ok((goal(&term.metric, term.direction)?, term.weight)))
            .collect::<Result<_, _>>()
            .map(Self::Several)
    }

    /// The value of an epoch; the same bits as the coordinator's.
    fn value(&self, measured: &Measured) -> f64 {
        match self {
            Self::One(goal) => goal.value(measured),
            Self::Several(terms) => terms.iter().fold(0.0, |sum, (goal, weight)| {
                let weighted = weight * goal.value(measured);
                if goal.maximize { sum - weighted } else { sum + weighted }
            }),
        }
    }

    fn is_better(&self, value: f64, than: f64) -> bool {
        match self {
            Self::One(goal) => goal.is_better(value, than, 0.0),
            Self::Several(_) => value < than,
        }
    }
}

/// Follows the objective's best value; of equal ones the first. What is not a
/// finite number is not among them.
#[derive(Debug)]
pub(crate) struct Best {
    aim: Aim,
    value: Option<f64>,
}

impl Best {
    pub(crate) fn new(aim: Aim) -> Self {
        Self { aim, value: None }
    }

    /// The metric at the best epoch so far.
    pub(crate) fn value(&self) -> Option<f64> {
        self.value
    }

    /// As if this had been the best so far.
    pub(crate) fn set_value(&mut self, value: Option<f64>) {
        self.value = value;
    }

    /// Whether this epoch is the best so far.
    pub(crate) fn improves(&mut self, measured: &Measured) -> bool {
        let value = self.aim.value(measured);
        let better =
            value.is_finite() && self.value.is_none_or(|best| self.aim.is_better(value, best));
        if better {
            self.value = Some(value);
        }
        better
    }
}

/// Ends training when a metric has not improved for some epochs, as Keras's
/// callback of that name does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EarlyStopping {
    goal: Goal,
    /// Epochs without improvement that end training.
    patience: u32,
    /// What counts as an improvement; not negative.
    min_delta: f64,
    /// Whether the weights to hand in are those of the last improvement.
    restores_best: bool,
    best: Option<f64>,
    waited: u32,
}

/// What an epoch means to early stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the best so far.
    Improved,
    /// It is not, and there is patience left.
    Waits,
    /// It is not, and is to be the last.
    Ends,
}

impl EarlyStopping {
    /// # Errors
    ///
    /// [`TrainingError::Metric`] if what it monitors is not measured.
    pub(crate) fn new(
        settings: &v1::EarlyStopping,
        schema: &Schema,
    ) -> Result<Self, TrainingError> {
        Ok(Self {
            goal: Goal::new("monitor", &settings.monitor, settings.direction, schema)?,
            patience: settings.patience,
            min_delta: settings.min_delta.abs(),
            restores_best: settings.restore_best,
            best: None,
            waited: 0,
        })
    }

    /// Whether it decides which weights are handed in.
    pub(crate) fn restores_best(&self) -> bool {
        self.restores_best
    }

    /// The best value so far, and for how many epochs there was no better one.
    pub(crate) fn state(&self) -> (Option<f64>, u32) {
        (self.best, self.waited)
    }

    /// As if [`EarlyStopping::state`] had been this.
    pub(crate) fn set_state(&mut self, best: Option<f64>, waited: u32) {
        (self.best, self.waited) = (best, waited);
    }

    /// Takes in an epoch.
    pub(crate) fn judge(&mut self, measured: &Measured) -> Verdict {
        let value = self.goal.value(measured);
        match self.best {
            Some(best) if !self.goal.is_better(value, best, self.min_delta) => {
                self.waited = self.waited.saturating_add(1);
                if self.waited >= self.patience { Verdict::Ends } else { Verdict::Waits }
            }
            Some(_) | None => {
                self.best = Some(value);
                self.waited = 0;
                Verdict::Improved
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sweep_proto::v1::ObjectiveTerm;

    use super::*;
    use crate::metrics::Scores;
    use crate::testing;

    fn of(accuracy: f64, val_loss: f64) -> Measured {
        let train = Scores { accuracy, ..Scores::default() };
        let validation = Scores { loss: val_loss, ..Scores::default() };
        testing::schema(false).measured(&train, &validation, 0.1)
    }

    fn measured(val_loss: f64) -> Measured {
        of(0.5, val_loss)
    }

    #[test]
    fn a_goal_has_a_known_metric_and_a_direction() {
        let goal =
            |metric, direction| Goal::new("monitor", metric, direction, &testing::schema(false));
        assert!(goal("val_loss", Direction::Min.into()).is_ok());
        let error = goal("val_roc", Direction::Min.into()).expect_err("unknown").to_string();
        assert!(error.starts_with("the monitor `val_roc` is not measured"), "{error}");
        for direction in [0, 77] {
            let error = goal("val_loss", direction).expect_err("neither").to_string();
            assert_eq!(error, "the specification's monitor has no direction");
        }
    }

    #[test]
    fn the_first_of_equal_epochs_is_the_best() {
        let goal =
            Goal::new("objective", "val_loss", Direction::Min.into(), &testing::schema(false));
        let mut best = Best::new(Aim::One(goal.expect("it is measured")));
        let losses = [f64::NAN, 3.0, 2.0, 2.0, f64::NAN, 2.5, 1.0];
        let improves = losses.map(|value| best.improves(&measured(value)));
        assert_eq!(improves, [false, true, true, false, false, false, true]);
    }

    #[test]
    fn several_objectives_are_weighed_against_each_other() {
        let term = |metric: &str, direction: Direction, weight| ObjectiveTerm {
            metric: metric.to_owned(),
            direction: direction.into(),
            weight,
        };
        let objective = Objective {
            metric: "multi_objective".to_owned(),
            direction: Direction::Min.into(),
            terms: vec![
                term("val_loss", Direction::Min, 2.0),
                term("accuracy", Direction::Max, 1.0),
            ],
        };
        let mut best =
            Best::new(Aim::new(&objective, &testing::schema(false)).expect("both are measured"));
        let improves = [(1.0, 0.5), (1.0, 0.5), (1.1, 0.75), (0.5, 0.0)]
            .map(|(loss, accuracy)| best.improves(&of(accuracy, loss)));
        assert_eq!(improves, [true, false, true, true]);
        let unknown = Objective { terms: vec![term("val_roc", Direction::Max, 1.0)], ..objective };
        assert!(Aim::new(&unknown, &testing::schema(false)).is_err());
    }

    #[test]
    fn patience_counts_epochs_without_enough_improvement() {
        let ends = |patience, min_delta, losses: &[f64]| {
            let settings = v1::EarlyStopping {
                monitor: "val_loss".to_owned(),
                direction: Direction::Min.into(),
                patience,
                min_delta,
                restore_best: false,
            };
            let stopping = EarlyStopping::new(&settings, &testing::schema(false));
            let mut stopping = stopping.expect("it is measured");
            losses.iter().position(|&loss| stopping.judge(&measured(loss)) == Verdict::Ends)
        };
        assert_eq!(ends(2, 0.0, &[3.0, 3.5, 2.9, 2.9, 3.0, 1.0]), Some(4));
        assert_eq!(ends(2, 0.5, &[3.0, 2.6, 2.4, 2.0, 2.0, 1.0]), Some(4));
        assert_eq!(ends(0, 0.0, &[3.0, 2.0, 2.0]), Some(2));
        assert_eq!(ends(2, 0.0, &[3.0, 2.0, 1.0]), None);
    }
}
