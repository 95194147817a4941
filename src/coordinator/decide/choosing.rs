//! Which execution a worker gets, and how it is told.
//!
//! One that waits comes first, in the order of the queue, and else a new trial's. A
//! worker is passed over while its host is in quarantine, and for what its device
//! has not the memory for; that changes who gets an execution, and nothing about
//! what is proposed.

use std::collections::VecDeque;

use sweep_proto::memory::certain_bytes;
use sweep_proto::v1::Specification;

use super::{Reply, ReplyTo, Search, Step};
use crate::coordinator::leases::Worker;
use crate::oracle::{Proposal, Suggestion};
use crate::study::{AttemptId, Outcome, Record, TrialId, TrialState};

/// What there is for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// This one.
    Execution(TrialId, u32),
    /// Something that others may take.
    NotForThisWorker,
    /// Nothing, whoever asks.
    Nothing,
}

impl Search {
    /// Sets who may come, so that a trial may wait for a larger worker.
    ///
    /// - `local`: how many workers the coordinator starts itself
    /// - `patience_ms`: how long one of another machine is waited for; absent: none can
    ///   join
    #[must_use]
    pub fn expecting(mut self, local: u32, patience_ms: Option<u64>) -> Self {
        self.placement.expect(local, patience_ms);
        self
    }

    /// Sets how long a host's first quarantine is, in milliseconds; 0 means that none
    /// is ever in quarantine.
    #[must_use]
    pub fn with_quarantine(mut self, first_wait_ms: u64) -> Self {
        self.hosts.set_first_wait(first_wait_ms);
        self
    }
}

impl Step<'_> {
    /// Notes a sign of life of a worker that says who it is.
    pub(super) fn hear_of_worker(&mut self, worker: &Worker) {
        self.search.workers.hear(worker, self.now);
        self.search.hosts.hear(&worker.machine, self.now.monotonic_ms);
        self.search.placement.hear(&worker.machine, self.now.monotonic_ms);
    }

    /// A retry or a waiting execution first, else a new trial's.
    pub(super) fn next_execution(&mut self, worker: &Worker) -> Next {
        if self.search.study.is_at_epoch_limit() {
            return Next::Nothing;
        }
        if !self.search.hosts.admits(&worker.machine.host, self.now.monotonic_ms) {
            return Next::NotForThisWorker;
        }
        loop {
            if let Some((trial, execution)) = self.dequeue_for(worker) {
                return Next::Execution(trial, execution);
            }
            // What waits now is not for this worker.
            let others = self.search.leases.waiting() > 0;
            let is_patient = others && self.search.placement.is_full();
            if is_patient || self.propose().is_none() {
                return if others { Next::NotForThisWorker } else { Next::Nothing };
            }
        }
    }

    /// Takes the first execution from the queue that a worker may have.
    fn dequeue_for(&mut self, worker: &Worker) -> Option<(TrialId, u32)> {
        let now_ms = self.now.monotonic_ms;
        let Search { leases, hosts, placement, planner, study, .. } = &mut *self.search;
        let machine = &worker.machine;
        if machine.memory_bytes.is_none() && hosts.is_trusted(&machine.host) {
            return leases.dequeue();
        }
        leases.dequeue_if(|id, execution| {
            let certain = || {
                let trial = &study.trials[id.0 as usize];
                let plan = planner.plan(&trial.hyperparameters, trial.stage.as_ref());
                // One that cannot be planned any more is found out when it is assigned.
                plan.map_or(0, |specification| certain_bytes(&specification))
            };
            placement.admits(id, certain, machine, now_ms)
                && !hosts.avoids(&machine.host, id, execution, now_ms)
        })
    }

    /// Answers the parked `Acquire` calls as far as there is an answer.
    pub(super) fn serve_parked(&mut self) {
        // Whom nothing of what there is suits; they keep their places.
        let mut passed_over = VecDeque::new();
        while let Some((reply_to, worker, until_ms)) = self.search.parked.pop_front() {
            let answer = if self.search.study.ended.is_some() {
                Some(Reply::StudyOver)
            } else if self.search.interrupted {
                Some(Reply::Wait)
            } else {
                let next = self.next_execution(&worker);
                if let Next::Execution(trial, execution) = next {
                    let id = self.start_attempt(trial, execution, &worker);
                    if !self.assign(reply_to, id) {
                        self.search.parked.push_front((reply_to, worker, until_ms));
                    }
                    continue;
                }
                if self.search.study.ended.is_some() {
                    Some(Reply::StudyOver)
                } else if until_ms <= self.now.monotonic_ms {
                    Some(Reply::Wait)
                } else if next == Next::NotForThisWorker {
                    passed_over.push_back((reply_to, worker, until_ms));
                    continue;
                } else {
                    None
                }
            };
            match answer {
                Some(answer) => self.reply(reply_to, answer),
                None => {
                    // The next one waits no less, but may have been held longer.
                    self.search.parked.push_front((reply_to, worker, until_ms));
                    break;
                }
            }
        }
        for waiting in passed_over.into_iter().rev() {
            self.search.parked.push_front(waiting);
        }
    }

    /// Creates the next trial; `None` when there is none to create.
    pub(super) fn propose(&mut self) -> Option<()> {
        let study = &self.search.study;
        if study.ended.is_some()
            || self.search.exhausted
            || study.trials.len() >= study.settings.max_trials as usize
        {
            return None;
        }
        let proposal = match self.search.oracle.suggest(study) {
            Suggestion::Trial(proposal) => proposal,
            Suggestion::Wait if !study.all_have_ended() => return None,
            Suggestion::Wait | Suggestion::Exhausted => {
                self.search.exhausted = true;
                self.end_study_if_over();
                return None;
            }
        };
        let trial = TrialId(u32::try_from(study.trials.len()).expect("max_trials is a u32"));
        let Proposal { hyperparameters, seed_state, name, stage } = proposal;
        let plan = self.search.planner.plan(&hyperparameters, stage.as_ref());
        self.record(Record::TrialCreated { trial, hyperparameters, seed_state, name, stage });
        match plan {
            Ok(_) => {
                for execution in 0..self.search.study.settings.executions_per_trial {
                    self.search.leases.enqueue(trial, execution, true);
                }
            }
            Err(reason) => self.end_trial(trial, TrialState::Infeasible, None, Some(reason)),
        }
        Some(())
    }

    pub(super) fn start_attempt(
        &mut self,
        trial: TrialId,
        execution: u32,
        worker: &Worker,
    ) -> AttemptId {
        let known = &self.search.study.trials[trial.0 as usize].executions[execution as usize];
        let attempt = u32::try_from(known.attempts.len()).expect("attempts are bounded") + 1;
        let id = AttemptId { trial, execution, attempt };
        let from = self.checkpoint_to_start_from(trial, execution);
        self.search.hosts.began(id, &worker.machine);
        self.search.placement.leased(trial);
        self.record(Record::AttemptStarted { id, worker: worker.name.clone(), from });
        let deadline_ms = self.deadline_ms();
        self.search.leases.grant(id, worker, deadline_ms);
        id
    }

    /// Tells a worker what to train. Where the experiment file was changed so
    /// that the trial's network cannot be built any more, ends the trial and
    /// returns `false`.
    pub(super) fn assign(&mut self, reply_to: ReplyTo, id: AttemptId) -> bool {
        let search = &self.search;
        let trial = &search.study.trials[id.trial.0 as usize];
        let plan = search.planner.plan(&trial.hyperparameters, trial.stage.as_ref());
        let specification = match plan {
            Ok(specification) => Box::new(on_fold(specification, id.execution)),
            Err(message) => {
                self.end_attempt(id, Outcome::Infeasible { message });
                return false;
            }
        };
        let reply = Reply::Assigned {
            id,
            specification,
            seed: self.seed_of(id.trial, id.execution),
            checkpoint: self.leased_checkpoint(id),
            keep_checkpoint: self.keeps_checkpoints(id.trial),
        };
        self.reply(reply_to, reply);
        true
    }
}

/// The specification of an execution, which validates on the fold of its number
/// where there are folds.
pub(super) fn on_fold(mut specification: Specification, execution: u32) -> Specification {
    if let Some(dataset) = &mut specification.dataset
        && let Some(fold) = execution.checked_rem(dataset.folds)
    {
        dataset.fold = fold + 1;
    }
    specification
}
