//! Workers that were heard of, whether they train or wait, for those who watch.
//!
//! Nothing is decided by what is here: leases are [`leases`](super::leases)'
//! alone. A worker is a process; one that is started again under the same name
//! is another one. This module never reads the clock.

use std::collections::BTreeMap;

use super::decide::Now;
use super::leases::Worker;

/// How long a worker that is not heard of any more is remembered: long enough
/// for a person to see that it is gone.
pub const FORGET_AFTER_MS: u64 = 10 * 60 * 1000;

/// How often it is looked for workers to forget.
const LOOK_EVERY_MS: u64 = 1000;

/// Most workers that are remembered; beyond that, the one that was not heard of
/// for longest is forgotten.
pub const MAX_WORKERS: usize = 4096;

/// What is remembered of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name, its process and its device.
    pub worker: Worker,
    /// When it was first heard of, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// When it was last heard of, on the monotonic clock.
    pub heard_ms: u64,
}

/// The workers that were heard of.
#[derive(Debug, Default)]
pub struct Workers {
    /// By name; mostly one each.
    known: BTreeMap<String, Vec<Known>>,
    count: usize,
    /// When it is looked for workers to forget, on the monotonic clock.
    look_ms: u64,
}

impl Workers {
    /// Notes a sign of life.
    pub fn hear(&mut self, worker: &Worker, now: Now) {
        let known = self.known.get_mut(&worker.name).and_then(|processes| {
            processes.iter_mut().find(|known| known.worker.instance == worker.instance)
        });
        if let Some(known) = known {
            known.heard_ms = now.monotonic_ms;
            if known.worker.device != worker.device {
                known.worker.device.clone_from(&worker.device);
            }
            if known.worker.machine != worker.machine {
                known.worker.machine.clone_from(&worker.machine);
            }
            return;
        }
        if self.count >= MAX_WORKERS {
            self.forget_most_silent();
        }
        let heard_ms = now.monotonic_ms;
        let known = Known { worker: worker.clone(), since_ms: now.unix_ms, heard_ms };
        self.known.entry(worker.name.clone()).or_default().push(known);
        self.count += 1;
    }

    /// Notes a sign of life that did not name the device.
    pub fn hear_again(&mut self, name: &str, instance: u64, now: Now) {
        let processes = self.known.get_mut(name).into_iter().flatten();
        for known in processes.filter(|known| known.worker.instance == instance) {
            known.heard_ms = now.monotonic_ms;
        }
    }

    /// Forgets a process that has left.
    pub fn forget(&mut self, name: &str, instance: u64) {
        self.retain(|known| known.worker.name != name || known.worker.instance != instance);
    }

    /// Forgets all processes of a name.
    pub fn forget_all(&mut self, name: &str) {
        if let Some(processes) = self.known.remove(name) {
            self.count -= processes.len();
        }
    }

    /// Forgets those that were silent for long, and those that were silent for a
    /// lease while another process of the same name was heard of.
    pub fn forget_silent(&mut self, lease_ms: u64, now: Now) {
        if now.monotonic_ms < self.look_ms {
            return;
        }
        self.look_ms = now.monotonic_ms + LOOK_EVERY_MS;
        let silence = |known: &Known| now.monotonic_ms.saturating_sub(known.heard_ms);
        let is_over = |known: &Known, has_successor: bool| {
            silence(known) > FORGET_AFTER_MS || (has_successor && silence(known) > lease_ms)
        };
        for processes in self.known.values_mut() {
            let last = processes.iter().map(|known| known.heard_ms).max();
            processes.retain(|known| !is_over(known, Some(known.heard_ms) < last));
        }
        self.settle();
    }

    /// The hosts of all processes of a name.
    pub fn hosts_of(&self, name: &str) -> impl Iterator<Item = &str> {
        self.known.get(name).into_iter().flatten().map(|known| &*known.worker.machine.host)
    }

    /// All that are remembered, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Known> {
        self.known.values().flatten()
    }

    fn forget_most_silent(&mut self) {
        let silent = self.iter().min_by_key(|known| known.heard_ms);
        if let Some(Worker { name, instance, .. }) = silent.map(|known| known.worker.clone()) {
            self.forget(&name, instance);
        }
    }

    fn retain(&mut self, keep: impl Fn(&Known) -> bool) {
        for processes in self.known.values_mut() {
            processes.retain(&keep);
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.known.retain(|_, processes| !processes.is_empty());
        self.count = self.known.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(name: &str, instance: u64) -> Worker {
        let (name, device) = (name.to_owned(), "cpu".to_owned());
        Worker { name, instance, device, ..Worker::default() }
    }

    fn at(ms: u64) -> Now {
        Now { unix_ms: 1_000_000 + ms, monotonic_ms: ms }
    }

    fn names(workers: &Workers) -> Vec<(String, u64)> {
        let name = |known: &Known| (known.worker.name.clone(), known.worker.instance);
        workers.iter().map(name).collect()
    }

    #[test]
    fn a_worker_is_remembered_from_when_to_when_it_was_heard_of() {
        let mut workers = Workers::default();
        workers.hear(&worker("b", 1), at(10));
        workers.hear(&worker("a", 2), at(20));
        let gpu = Worker { device: "NVIDIA H200".to_owned(), ..worker("b", 1) };
        workers.hear(&gpu, at(30));
        workers.hear_again("b", 1, at(40));
        workers.hear_again("b", 7, at(50));
        workers.hear_again("nobody", 7, at(50));
        let known: Vec<&Known> = workers.iter().collect();
        assert_eq!(
            known,
            [
                &Known { worker: worker("a", 2), since_ms: 1_000_020, heard_ms: 20 },
                &Known { worker: gpu, since_ms: 1_000_010, heard_ms: 40 },
            ]
        );
    }

    #[test]
    fn silent_workers_are_forgotten_sooner_if_their_name_is_taken_up_again() {
        let mut workers = Workers::default();
        workers.hear(&worker("a", 1), at(0));
        workers.hear(&worker("b", 1), at(0));
        workers.forget_silent(20_000, at(20_001));
        assert_eq!(names(&workers).len(), 2, "silent, and shown as such");
        workers.hear(&worker("a", 2), at(20_002));
        workers.forget_silent(20_000, at(20_002));
        assert_eq!(names(&workers).len(), 3, "it is looked once a second");
        workers.forget_silent(20_000, at(21_001));
        assert_eq!(names(&workers), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
        workers.forget_silent(20_000, at(FORGET_AFTER_MS + 1));
        assert_eq!(names(&workers), [("a".to_owned(), 2)]);
    }

    #[test]
    fn two_processes_of_a_name_are_both_there() {
        let mut workers = Workers::default();
        workers.hear(&worker("a", 1), at(0));
        workers.hear(&worker("a", 2), at(1));
        workers.forget_silent(20_000, at(2));
        assert_eq!(names(&workers).len(), 2);
        workers.forget("a", 1);
        assert_eq!(names(&workers), [("a".to_owned(), 2)]);
        workers.forget_all("a");
        workers.forget_all("a");
        assert_eq!(names(&workers), []);
    }

    #[test]
    fn a_flood_of_names_takes_no_more_than_its_share() {
        let mut workers = Workers::default();
        for instance in 0..MAX_WORKERS as u64 + 10 {
            workers.hear(&worker(&format!("w{instance}"), instance), at(instance));
        }
        assert_eq!(workers.iter().count(), MAX_WORKERS);
        assert!(workers.iter().all(|known| known.heard_ms >= 10), "the most silent one goes");
    }
}
