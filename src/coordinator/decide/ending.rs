//! How attempts, trials and studies end, and what is tried again.

use std::mem::discriminant;

use super::Step;
use crate::study::{AttemptId, Ended, Outcome, Record, TrialId, TrialState};

/// An execution whose workers were not heard of any more so often is not leased
/// again. Machines and networks may be to blame, so there is some patience.
pub const MAX_WORKER_LOSSES: usize = 5;

/// An execution in which worker processes ended so often is not leased again: it
/// kills them.
pub const MAX_WORKER_DEATHS: usize = 2;

/// An execution that failed for its workers' hosts' reasons so often is not leased
/// again: it may be what the hosts do not bear.
pub const MAX_HOST_FAILURES: usize = 5;

impl Step<'_> {
    /// Does nothing when the lease has ended meanwhile, with its trial for example.
    pub(super) fn lose_worker(&mut self, id: AttemptId, message: &str) {
        if !self.search.leases.is_open(id) {
            return;
        }
        self.search.leases.lose(id);
        self.end_attempt(id, Outcome::WorkerLost { message: message.to_owned() });
    }

    /// Ends an attempt, and with it, if it is time, its execution and its trial.
    pub(super) fn end_attempt(&mut self, id: AttemptId, outcome: Outcome) {
        self.search.leases.end(id);
        let machine = self.search.hosts.of(id).cloned().unwrap_or_default();
        self.record(Record::AttemptEnded { id, outcome: outcome.clone() });
        let trial = id.trial;
        match outcome {
            // `stop_trial` ends the trial itself.
            Outcome::Superseded | Outcome::Stopped => {}
            Outcome::Finished => {
                self.search.leases.withdraw(trial, id.execution);
                self.supersede(self.search.leases.of_execution(trial, id.execution));
                self.score_if_complete(trial);
            }
            Outcome::Released => self.wait_again(id),
            Outcome::Error { ref message } => {
                let most = self.search.study.settings.max_retries as usize + 1;
                self.wait_or_fail(id, &outcome, most, |_| message.clone());
            }
            Outcome::WorkerLost { ref message } => {
                self.wait_or_fail(id, &outcome, MAX_WORKER_LOSSES, |times| {
                    format!("its worker was lost {times} times, at last: {message}")
                });
            }
            Outcome::WorkerDied { ref message } => {
                self.wait_or_fail(id, &outcome, MAX_WORKER_DEATHS, |_| {
                    format!("killed its worker twice: {message}")
                });
            }
            Outcome::HostFailed { ref message } => {
                self.wait_or_fail(id, &outcome, MAX_HOST_FAILURES, |times| {
                    format!("its machine failed {times} times, at last: {message}")
                });
            }
            Outcome::Diverged { message } => {
                let error = format!("diverged: {message}");
                self.end_trial(trial, TrialState::Failed, None, Some(error));
            }
            Outcome::OutOfMemory { .. }
                if self.search.placement.ran_out(trial, &machine, self.now.monotonic_ms) =>
            {
                self.wait_again(id);
            }
            Outcome::OutOfMemory { message } => {
                let error = format!("out of memory: {message}");
                self.end_trial(trial, TrialState::Infeasible, None, Some(error));
            }
            Outcome::Infeasible { message } => {
                self.end_trial(trial, TrialState::Infeasible, None, Some(message));
            }
        }
    }

    /// Back to the queue, unless attempts of the execution ended in this way `most`
    /// times: then its trial has failed.
    ///
    /// - `error`: of so many times
    fn wait_or_fail(
        &mut self,
        id: AttemptId,
        outcome: &Outcome,
        most: usize,
        error: impl FnOnce(usize) -> String,
    ) {
        let execution = self.search.study.execution(id).expect("an attempt that ends exists");
        let ended = execution.attempts.iter().filter_map(|attempt| attempt.outcome.as_ref());
        let times = ended.filter(|other| discriminant(*other) == discriminant(outcome)).count();
        if times >= most {
            self.end_trial(id.trial, TrialState::Failed, None, Some(error(times)));
        } else {
            self.wait_again(id);
        }
    }

    /// Back to the queue, unless another attempt of the execution is open.
    fn wait_again(&mut self, id: AttemptId) {
        if self.search.study.ended.is_none()
            && self.search.leases.of_execution(id.trial, id.execution).is_empty()
        {
            self.search.leases.enqueue(id.trial, id.execution, false);
        }
    }

    fn supersede(&mut self, ids: Vec<AttemptId>) {
        for id in ids {
            self.search.leases.end(id);
            self.record(Record::AttemptEnded { id, outcome: Outcome::Superseded });
        }
    }

    /// The score of a trial whose executions are all there: the mean over
    /// executions of the best epoch by the objective.
    fn score_if_complete(&mut self, trial: TrialId) {
        let study = &self.search.study;
        let known = &study.trials[trial.0 as usize];
        if known.executions.iter().all(|execution| execution.finished_by.is_some()) {
            let score = known.score_so_far(&study.settings.objective);
            self.end_trial(trial, TrialState::Completed, score, None);
        }
    }

    pub(super) fn end_trial(
        &mut self,
        trial: TrialId,
        state: TrialState,
        score: Option<f64>,
        error: Option<String>,
    ) {
        self.supersede(self.search.leases.of_trial(trial));
        for execution in 0..self.search.study.settings.executions_per_trial {
            self.search.leases.withdraw(trial, execution);
        }
        self.search.leases.forget_lost(trial);
        self.record(Record::TrialEnded { trial, state, score, error });
        self.end_study_if_over();
    }

    pub(super) fn end_study_if_over(&mut self) {
        let study = &self.search.study;
        let settings = &study.settings;
        let limit = settings.max_consecutive_failures;
        if study.ended.is_some() {
            return;
        }
        if limit > 0 && study.consecutive_failures >= limit {
            self.end_study(Ended::ConsecutiveFailures);
        } else if study.trials.len() >= settings.max_trials as usize && study.all_have_ended() {
            self.end_study(Ended::MaxTrials);
        } else if self.search.exhausted && study.all_have_ended() {
            self.end_study(Ended::SpaceExhausted);
        }
    }

    /// Attempts under way are given back, so that a later run can go on with them.
    pub(super) fn end_study(&mut self, reason: Ended) {
        for id in self.search.leases.all() {
            self.search.leases.end(id);
            self.record(Record::AttemptEnded { id, outcome: Outcome::Released });
        }
        self.record(Record::StudyEnded { reason });
    }
}
