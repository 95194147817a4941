//! What those who watch are told of a search. Decides nothing, changes nothing.

use std::collections::{HashMap, HashSet};

use super::{Now, Search};
use crate::coordinator::leases::Lease;
use crate::status::{Doing, ExecutionCounts, Machine, Status, StudyPhase, WorkerStatus};
use crate::study::AttemptId;

impl Search {
    /// Where the study and its workers stand. Costs as much as there are
    /// workers, however many trials there are.
    ///
    /// - `version`: of this coordinator
    #[must_use]
    pub fn status(&self, now: Now, version: &str) -> Status {
        let executions = ExecutionCounts {
            finished: self.study.tally().finished,
            leased: self.leases.open().count() as u64,
            waiting: self.leases.waiting() as u64,
        };
        let workers = self.workers_status(now);
        let mut status = Status::new(&self.study, executions, workers, version, now.unix_ms);
        status.hosts = self.hosts.quarantined(now.monotonic_ms);
        status.too_large = self.placement.too_large(now.monotonic_ms);
        if self.interrupted && status.phase == StudyPhase::Running {
            status.phase = StudyPhase::Stopping;
        }
        status
    }

    fn workers_status(&self, now: Now) -> Vec<WorkerStatus> {
        let waits: HashSet<(&str, u64)> =
            self.parked.iter().map(|(_, worker, _)| (&*worker.name, worker.instance)).collect();
        let mut leases: HashMap<(&str, Option<u64>), AttemptId> = self
            .leases
            .open()
            .map(|(id, Lease { worker, instance, .. })| ((&**worker, *instance), *id))
            .collect();
        let mut workers = Vec::new();
        for known in self.workers.iter() {
            let name = known.worker.name.as_str();
            let instance = known.worker.instance;
            let silent_ms = now.monotonic_ms.saturating_sub(known.heard_ms);
            let doing = match leases.remove(&(name, Some(instance))) {
                Some(id) => self.runs(id),
                // Its call is held: it is there.
                None if waits.contains(&(name, instance)) => Doing::Idle,
                None if silent_ms <= self.lease_ms => Doing::Idle,
                None => Doing::Silent,
            };
            workers.push(WorkerStatus {
                name: name.to_owned(),
                device: known.worker.device.clone(),
                machine: known.worker.machine.clone(),
                doing,
                since_ms: known.since_ms,
                silent_ms: Some(silent_ms),
            });
        }
        // Leased by an earlier coordinator, and not heard of since.
        workers.extend(leases.into_iter().map(|((name, _), id)| WorkerStatus {
            name: name.to_owned(),
            device: String::new(),
            machine: Machine::default(),
            doing: self.runs(id),
            since_ms: self.study.attempt(id).map_or(now.unix_ms, |attempt| attempt.started_ms),
            silent_ms: None,
        }));
        workers
    }

    fn runs(&self, id: AttemptId) -> Doing {
        let attempt = self.study.attempt(id).expect("a leased attempt exists");
        Doing::Runs { id, epoch: attempt.epochs(), started_ms: attempt.started_ms }
    }
}
