//! Rules that end trials early, by comparison with the others.
//!
//! A rule is asked after every measurement and is a pure function of the study
//! as it then is: on any number of workers, it never waits for anyone. Every
//! rule is one file; [`StoppingRule`] lists them.
//!
//! Rules compare executions, not trials: an execution that is not worth going on
//! with ends its trial. Executions of one trial are no rivals.

mod asha;
mod median;
#[cfg(test)]
mod testing;

use super::knobs::{Knob, Knobs};
use crate::study::{Attempt, AttemptId, Execution, Objective, Study, TrialState};

/// Ends trials early.
pub trait Stopping: Send {
    /// Whether the trial of this attempt is not worth going on with, judged
    /// after the attempt's last measurement.
    fn judge(&self, study: &Study, id: AttemptId) -> bool;
}

/// The rules that `search.stopping` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoppingRule {
    /// Only the best part of what reaches a rung goes on from there.
    Asha,
    /// What does worse than the others did on average is stopped.
    Median,
}

impl StoppingRule {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Self; 2] = [Self::Asha, Self::Median];

    /// Its name in the experiment file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Asha => "asha",
            Self::Median => "median",
        }
    }

    /// Its options.
    #[must_use]
    pub fn knobs(self) -> &'static [Knob] {
        match self {
            Self::Asha => &asha::KNOBS,
            Self::Median => &median::KNOBS,
        }
    }

    /// The rule itself.
    ///
    /// - `epochs`: epochs of a whole training
    #[must_use]
    pub fn build(self, knobs: &Knobs, epochs: u32) -> Box<dyn Stopping> {
        match self {
            Self::Asha => Box::new(asha::Asha::new(knobs, epochs)),
            Self::Median => Box::new(median::Median::new(knobs, epochs)),
        }
    }
}

/// What an attempt is compared with at an epoch: for each execution of the other
/// trials that was measured up to there, the attempt that stands for it. Trials
/// that failed do not count: their numbers are not to be trusted.
fn rivals(study: &Study, id: AttemptId, epoch: u32) -> impl Iterator<Item = &Attempt> {
    let counts = |state| match state {
        TrialState::Waiting | TrialState::Running | TrialState::Completed | TrialState::Stopped => {
            true
        }
        TrialState::Infeasible | TrialState::Failed => false,
    };
    study
        .trials
        .iter()
        .filter(move |trial| trial.id != id.trial && counts(trial.state))
        .flat_map(|trial| trial.executions.iter().filter_map(Execution::current))
        .filter(move |attempt| attempt.epochs() >= epoch)
}

/// The objective of a curve's epochs up to one, where it is a number.
fn values_until(attempt: &Attempt, objective: &Objective, epoch: u32) -> impl Iterator<Item = f64> {
    attempt
        .measurements
        .iter()
        .take_while(move |measurement| measurement.epoch <= epoch)
        .filter_map(|measurement| objective.value(measurement))
        .filter(|value| value.is_finite())
}

/// The best of a curve's epochs up to one.
fn best_until(attempt: &Attempt, objective: &Objective, epoch: u32) -> Option<f64> {
    values_until(attempt, objective, epoch)
        .reduce(|best, value| if objective.is_better(value, best) { value } else { best })
}
