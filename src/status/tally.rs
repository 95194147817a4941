//! Counts of a study's trials, kept up record by record, so that watching a
//! study of a hundred thousand trials costs as little as watching a small one.

use crate::study::{Objective, Record, Study, Trial, TrialId, TrialState};

/// Trials by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrialCounts {
    /// No execution has started.
    pub waiting: u64,
    /// Some execution has started, not all have ended.
    pub running: u64,
    /// All executions are there.
    pub completed: u64,
    /// Ended early by the oracle.
    pub stopped: u64,
    /// Can never run.
    pub infeasible: u64,
    /// Tried in vain.
    pub failed: u64,
}

/// The trial with the best score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Its number.
    pub trial: TrialId,
    /// Its score.
    pub score: f64,
}

/// What is counted of a study.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// Trials by state.
    pub trials: TrialCounts,
    /// Executions whose result counts.
    pub finished: u64,
    /// Of equal scores the earlier trial's.
    pub best: Option<Best>,
}

impl TrialCounts {
    /// Each state and how many trials are in it; those that have ended first.
    #[must_use]
    pub fn by_state(&self) -> [(TrialState, u64); 6] {
        [
            (TrialState::Completed, self.completed),
            (TrialState::Stopped, self.stopped),
            (TrialState::Infeasible, self.infeasible),
            (TrialState::Failed, self.failed),
            (TrialState::Running, self.running),
            (TrialState::Waiting, self.waiting),
        ]
    }

    /// How many have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.completed + self.stopped + self.infeasible + self.failed
    }

    fn of(&mut self, state: TrialState) -> &mut u64 {
        match state {
            TrialState::Waiting => &mut self.waiting,
            TrialState::Running => &mut self.running,
            TrialState::Completed => &mut self.completed,
            TrialState::Stopped => &mut self.stopped,
            TrialState::Infeasible => &mut self.infeasible,
            TrialState::Failed => &mut self.failed,
        }
    }
}

impl Tally {
    /// Counts a whole study.
    #[must_use]
    pub fn of(study: &Study) -> Self {
        let mut tally = Self::default();
        for trial in &study.trials {
            tally.add(trial, &study.settings.objective);
        }
        tally
    }

    /// Takes a trial out that a record is about to change. A score never goes away.
    pub fn remove(&mut self, trial: &Trial) {
        *self.trials.of(trial.state) -= 1;
        self.finished -= finished(trial);
    }

    /// Counts a trial, or counts it again once the record has changed it.
    pub fn add(&mut self, trial: &Trial, objective: &Objective) {
        *self.trials.of(trial.state) += 1;
        self.finished += finished(trial);
        let Some(score) = trial.score else { return };
        let is_best = self.best.is_none_or(|best| {
            objective.is_better(score, best.score)
                || (!objective.is_better(best.score, score) && trial.id < best.trial)
        });
        if is_best {
            self.best = Some(Best { trial: trial.id, score });
        }
    }

    /// The trial whose count a record changes.
    #[must_use]
    pub fn trial_of(record: &Record) -> Option<TrialId> {
        match record {
            Record::TrialCreated { trial, .. } | Record::TrialEnded { trial, .. } => Some(*trial),
            Record::AttemptStarted { id, .. }
            | Record::AttemptResumed { id }
            | Record::AttemptEnded { id, .. } => Some(id.trial),
            Record::Started { .. }
            | Record::Measured { .. }
            | Record::CheckpointKept { .. }
            | Record::CheckpointDropped { .. }
            | Record::StudyEnded { .. } => None,
        }
    }
}

fn finished(trial: &Trial) -> u64 {
    trial.executions.iter().filter(|execution| execution.finished_by.is_some()).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::busy_study;
    use crate::study::Direction;

    #[test]
    fn a_whole_study_is_counted() {
        let mut study = busy_study();
        let tally = Tally::of(&study);
        let trials = TrialCounts { running: 1, completed: 2, failed: 1, ..TrialCounts::default() };
        assert_eq!((tally.trials, tally.finished), (trials, 4));
        assert_eq!(tally.trials.ended(), 3);
        assert_eq!(tally.best, Some(Best { trial: TrialId(2), score: 0.875 }));
        study.settings.objective.direction = Direction::Min;
        assert_eq!(Tally::of(&study).best, Some(Best { trial: TrialId(0), score: 0.6875 }));
    }

    #[test]
    fn of_equal_scores_the_earlier_trial_is_the_best_whenever_it_ended() {
        let mut study = busy_study();
        study.trials[0].score = Some(0.875);
        let mut tally = Tally::default();
        for trial in [2, 0] {
            tally.add(&study.trials[trial], &study.settings.objective);
        }
        assert_eq!(tally.best.map(|best| best.trial), study.best().map(|best| best.id));
    }

    #[test]
    fn a_trial_that_is_taken_out_and_counted_again_counts_once() {
        let study = busy_study();
        let mut tally = Tally::of(&study);
        for trial in &study.trials {
            tally.remove(trial);
            tally.add(trial, &study.settings.objective);
        }
        assert_eq!(tally, Tally::of(&study));
    }
}
