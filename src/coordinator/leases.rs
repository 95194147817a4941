//! Leases: who is running which execution, and until when.
//!
//! Heartbeats renew a [`Lease`]; silence past its deadline ends it, and the
//! execution goes back to the queue under the next attempt number. Executions
//! that were tried before wait before those that were not. This module never
//! reads the clock.

use std::collections::{BTreeMap, BTreeSet};

use crate::status::Machine;
use crate::study::{AttemptId, Study, TrialId};

/// A worker process: its name for people, and the number that tells it from
/// its predecessor of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Worker {
    /// `local-1`, or host and process id.
    pub name: String,
    /// Drawn by the process when it starts.
    pub instance: u64,
    /// What it trains on, for people.
    pub device: String,
    /// What it says of its machine.
    pub machine: Machine,
}

/// An attempt in a worker's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Name of the worker.
    pub worker: String,
    /// The worker's process, once it was heard of; unknown for leases taken
    /// over from an earlier coordinator.
    pub instance: Option<u64>,
    /// On the coordinator's monotonic clock.
    pub deadline_ms: u64,
}

/// Open leases, and the executions that wait for one.
#[derive(Debug, Default)]
pub struct Leases {
    open: BTreeMap<AttemptId, Lease>,
    /// Instances of the workers that were lost with an attempt: a result that comes
    /// late is theirs alone to hand in.
    lost: BTreeMap<AttemptId, u64>,
    /// `false` (tried before) sorts before `true` (fresh).
    queue: BTreeSet<(bool, TrialId, u32)>,
}

impl Leases {
    /// Takes over a study: attempts without an end get until `deadline_ms` to
    /// be heard of, unfinished executions without an open attempt wait.
    #[must_use]
    pub fn of(study: &Study, deadline_ms: u64) -> Self {
        let mut leases = Self::default();
        for id in &study.tally().open {
            let trial = &study.trials[id.0 as usize];
            for (index, execution) in (0_u32..).zip(&trial.executions) {
                if execution.finished_by.is_some() {
                    continue;
                }
                let open: Vec<_> =
                    execution.attempts.iter().filter(|attempt| attempt.outcome.is_none()).collect();
                for attempt in &open {
                    let id =
                        AttemptId { trial: trial.id, execution: index, attempt: attempt.number };
                    let worker = attempt.worker.clone();
                    leases.open.insert(id, Lease { worker, instance: None, deadline_ms });
                }
                if open.is_empty() {
                    leases.queue.insert((execution.attempts.is_empty(), trial.id, index));
                }
            }
        }
        leases
    }

    /// Puts an execution in the queue.
    pub fn enqueue(&mut self, trial: TrialId, execution: u32, fresh: bool) {
        self.queue.insert((fresh, trial, execution));
    }

    /// Takes the next execution from the queue.
    pub fn dequeue(&mut self) -> Option<(TrialId, u32)> {
        self.queue.pop_first().map(|(_, trial, execution)| (trial, execution))
    }

    /// Takes the first execution from the queue that suits; the others keep their
    /// places.
    pub fn dequeue_if(
        &mut self,
        suits: impl FnMut(TrialId, u32) -> bool,
    ) -> Option<(TrialId, u32)> {
        let mut suits = suits;
        let next = *self.queue.iter().find(|(_, trial, execution)| suits(*trial, *execution))?;
        self.queue.remove(&next);
        Some((next.1, next.2))
    }

    /// Takes one execution out of the queue; whether it was there.
    pub fn withdraw(&mut self, trial: TrialId, execution: u32) -> bool {
        let tried = self.queue.remove(&(false, trial, execution));
        let fresh = self.queue.remove(&(true, trial, execution));
        tried || fresh
    }

    /// Leases an attempt.
    pub fn grant(&mut self, id: AttemptId, worker: &Worker, deadline_ms: u64) {
        let (name, instance) = (worker.name.clone(), Some(worker.instance));
        self.open.insert(id, Lease { worker: name, instance, deadline_ms });
        self.lost.remove(&id);
    }

    /// Renews a lease; whether there was one.
    pub fn renew(&mut self, id: AttemptId, instance: u64, deadline_ms: u64) -> bool {
        let Some(lease) = self.open.get_mut(&id) else { return false };
        lease.deadline_ms = deadline_ms;
        lease.instance = Some(instance);
        true
    }

    /// Whether an attempt is, or was when its worker was lost, in the hands of
    /// another worker process. Of leases taken over from an earlier coordinator it
    /// is not known before the worker is heard of.
    #[must_use]
    pub fn is_of_another(&self, id: AttemptId, instance: u64) -> bool {
        let open = self.open.get(&id).and_then(|lease| lease.instance);
        open.or_else(|| self.lost.get(&id).copied()).is_some_and(|holder| holder != instance)
    }

    /// Ends a lease whose worker may come back.
    pub fn lose(&mut self, id: AttemptId) {
        if let Some(Lease { instance: Some(instance), .. }) = self.open.remove(&id) {
            self.lost.insert(id, instance);
        }
    }

    /// Forgets who was lost with a trial that has ended.
    pub fn forget_lost(&mut self, trial: TrialId) {
        for id in within(&self.lost, trial) {
            self.lost.remove(&id);
        }
    }

    /// Ends a lease; whether there was one.
    pub fn end(&mut self, id: AttemptId) -> bool {
        self.open.remove(&id).is_some()
    }

    /// Whether an attempt is leased.
    #[must_use]
    pub fn is_open(&self, id: AttemptId) -> bool {
        self.open.contains_key(&id)
    }

    /// The attempt that a worker's process holds.
    #[must_use]
    pub fn held_by(&self, worker: &Worker) -> Option<AttemptId> {
        self.open
            .iter()
            .find(|(_, lease)| {
                lease.instance == Some(worker.instance) && lease.worker == worker.name
            })
            .map(|(id, _)| *id)
    }

    /// Attempts of workers whose name fits.
    #[must_use]
    pub fn of_worker(&self, fits: impl Fn(&str) -> bool) -> Vec<AttemptId> {
        self.select(|_, lease| fits(&lease.worker))
    }

    /// Attempts of one execution.
    #[must_use]
    pub fn of_execution(&self, trial: TrialId, execution: u32) -> Vec<AttemptId> {
        let mut ids = within(&self.open, trial);
        ids.retain(|id| id.execution == execution);
        ids
    }

    /// Attempts of one trial.
    #[must_use]
    pub fn of_trial(&self, trial: TrialId) -> Vec<AttemptId> {
        within(&self.open, trial)
    }

    /// The lease of an attempt, while it is open.
    #[must_use]
    pub fn get(&self, id: AttemptId) -> Option<&Lease> {
        self.open.get(&id)
    }

    /// All open leases.
    pub fn open(&self) -> impl Iterator<Item = (&AttemptId, &Lease)> {
        self.open.iter()
    }

    /// How many executions are in the queue.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// All open attempts.
    #[must_use]
    pub fn all(&self) -> Vec<AttemptId> {
        self.open.keys().copied().collect()
    }

    /// Attempts whose deadline has passed.
    #[must_use]
    pub fn expired(&self, now_ms: u64) -> Vec<AttemptId> {
        self.select(|_, lease| lease.deadline_ms <= now_ms)
    }

    fn select(&self, fits: impl Fn(&AttemptId, &Lease) -> bool) -> Vec<AttemptId> {
        self.open.iter().filter(|(id, lease)| fits(id, lease)).map(|(id, _)| *id).collect()
    }
}

/// Attempts of one trial, in order.
fn within<T>(attempts: &BTreeMap<AttemptId, T>, trial: TrialId) -> Vec<AttemptId> {
    let first = AttemptId { trial, execution: 0, attempt: 0 };
    let last = AttemptId { trial, execution: u32::MAX, attempt: u32::MAX };
    attempts.range(first..=last).map(|(id, _)| *id).collect()
}
