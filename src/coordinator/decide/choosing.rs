//! Which execution a worker gets.
//!
//! One that waits comes first, in the order of the queue, and else a new trial's. A
//! worker is passed over while its host is in quarantine, and for what its device
//! has not the memory for; that changes who gets an execution, and nothing about
//! what is proposed.

use sweep_proto::memory::certain_bytes;

use super::{Search, Step};
use crate::coordinator::leases::Worker;
use crate::study::TrialId;

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
}
