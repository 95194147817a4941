//! What is counted of a study's trials, kept up record by record: looking at a
//! study of a hundred thousand trials costs as little as looking at a small one.

use std::collections::BTreeSet;

use super::{Execution, Objective, Record, Study, Trial, TrialId, TrialState};

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

/// What is counted of a study.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Trials by state.
    pub trials: TrialCounts,
    /// Executions whose result counts.
    pub finished: u64,
    /// Executions that have ended with what they had measured: those whose
    /// result counts, and those of trials that were stopped.
    pub ended: u64,
    /// Wall-clock milliseconds of those, from lease to end.
    pub ended_ms: u64,
    /// Trials with a score, best first; of equal scores the earlier trial first.
    pub ranking: Vec<TrialId>,
    /// Trials that have not ended.
    pub open: BTreeSet<TrialId>,
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
            tally.add(trial, &study.trials, &study.settings.objective);
        }
        tally
    }

    /// Takes a trial out that a record is about to change.
    ///
    /// - `trials`: all of the study
    pub(super) fn remove(&mut self, trial: &Trial, trials: &[Trial], objective: &Objective) {
        *self.trials.of(trial.state) -= 1;
        let Ended { finished, ended, ended_ms } = Ended::of(trial);
        self.finished -= finished;
        self.ended -= ended;
        self.ended_ms -= ended_ms;
        if trial.score.is_some() {
            let rank = self.rank(trial, trials, objective);
            self.ranking.remove(rank);
        }
        self.open.remove(&trial.id);
    }

    /// Counts a trial, or counts it again once the record has changed it.
    ///
    /// - `trials`: all of the study
    pub(super) fn add(&mut self, trial: &Trial, trials: &[Trial], objective: &Objective) {
        *self.trials.of(trial.state) += 1;
        let Ended { finished, ended, ended_ms } = Ended::of(trial);
        self.finished += finished;
        self.ended += ended;
        self.ended_ms += ended_ms;
        if trial.score.is_some() {
            let rank = self.rank(trial, trials, objective);
            self.ranking.insert(rank, trial.id);
        }
        if !trial.has_ended() {
            self.open.insert(trial.id);
        }
    }

    /// How many of those ranked come before a trial that has a score.
    fn rank(&self, trial: &Trial, trials: &[Trial], objective: &Objective) -> usize {
        let score_of = |trial: &Trial| trial.score.expect("what is ranked has a score");
        let score = score_of(trial);
        self.ranking.partition_point(|id| {
            let other = score_of(&trials[id.0 as usize]);
            objective.is_better(other, score)
                || (!objective.is_better(score, other) && *id < trial.id)
        })
    }

    /// The trial whose count a record changes.
    pub(super) fn trial_of(record: &Record) -> Option<TrialId> {
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

/// What is counted of a trial's executions.
#[derive(Default)]
struct Ended {
    finished: u64,
    ended: u64,
    ended_ms: u64,
}

impl Ended {
    fn of(trial: &Trial) -> Self {
        let mut counts = Self::default();
        for execution in &trial.executions {
            let has_finished = execution.finished_by.is_some();
            counts.finished += u64::from(has_finished);
            if (has_finished || trial.state == TrialState::Stopped)
                && let Some(attempt) = Execution::current(execution)
                && let Some(ended_ms) = attempt.ended_ms
            {
                counts.ended += 1;
                counts.ended_ms += ended_ms.saturating_sub(attempt.started_ms);
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{busy_study, staged_study};
    use crate::study::Direction;

    #[test]
    fn a_whole_study_is_counted() {
        let mut study = busy_study();
        let tally = study.tally();
        let trials = TrialCounts { running: 1, completed: 2, failed: 1, ..TrialCounts::default() };
        assert_eq!((tally.trials, tally.finished), (trials, 4));
        assert_eq!(tally.trials.ended(), 3);
        assert_eq!((tally.ended, tally.ended_ms), (4, 60_000));
        assert_eq!(tally.ranking, [TrialId(2), TrialId(0)]);
        assert_eq!(tally.open, [TrialId(3)].into());
        study.settings.objective.direction = Direction::Min;
        assert_eq!(Tally::of(&study).ranking, [TrialId(0), TrialId(2)]);
    }

    #[test]
    fn executions_of_a_stopped_trial_have_ended_but_not_finished() {
        let study = staged_study();
        let tally = study.tally();
        assert_eq!((tally.finished, tally.ended, tally.ended_ms), (1, 2, 14_000));
    }

    #[test]
    fn of_equal_scores_the_earlier_trial_is_better_whenever_it_ended() {
        let mut study = busy_study();
        study.trials[0].score = Some(0.875);
        let mut tally = Tally::default();
        for trial in [2, 0] {
            tally.add(&study.trials[trial], &study.trials, &study.settings.objective);
        }
        assert_eq!(tally.ranking, [TrialId(0), TrialId(2)]);
    }

    #[test]
    fn a_trial_that_is_taken_out_and_counted_again_counts_once() {
        let study = busy_study();
        let mut tally = Tally::of(&study);
        for trial in &study.trials {
            tally.remove(trial, &study.trials, &study.settings.objective);
            tally.add(trial, &study.trials, &study.settings.objective);
        }
        assert_eq!(tally, Tally::of(&study));
    }
}
