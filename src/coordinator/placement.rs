//! Which worker's device has the memory for a trial.
//!
//! A trial that certainly takes more than a worker's device has is left to a worker
//! that has more: one that is there, or one that may still come. The estimate never
//! refuses a trial. Where none has more and none is waited for any more, the largest
//! that is there tries it, and says what came of it. A trial that ran out of memory
//! waits for a larger worker in the same way.
//!
//! What is waited for: for [`STARTING_MS`] after the coordinator's start, its other
//! local workers, if it starts several. If the coordinator is open to other machines,
//! one of those, for a time that the user sets: since the first worker was heard of, or
//! since one that is large enough was last heard of. Once that time has passed nobody
//! waits any more, until a larger one comes. A worker that does not say how much memory
//! it has is taken to have enough. What is proposed does not depend on any of this, only
//! who gets it. This module never reads the clock.

use std::collections::{BTreeMap, HashMap};

use crate::status::{Machine, TooLarge};
use crate::study::TrialId;

/// After the coordinator's start, its local workers may still be on their way for so
/// long, in milliseconds.
pub const STARTING_MS: u64 = 30_000;

/// How long a larger worker of another machine is waited for, in milliseconds, unless
/// the user says otherwise.
pub const PATIENCE_MS: u64 = 10 * 60_000;

/// A trial that has waited for so long, in milliseconds, is worth a warning.
const TELL_AFTER_MS: u64 = STARTING_MS;

/// Within so many milliseconds a worker was heard of that counts as being there:
/// longer than a call of an idle worker is held.
const PRESENT_MS: u64 = 60_000;

/// While so many trials wait for larger workers, no new ones are proposed for those
/// that have nothing to do: searches that learn would propose without having learnt.
pub const MAX_HELD: usize = 32;

/// What is known of the sizes of workers and trials.
#[derive(Debug)]
pub struct Placement {
    /// How long a larger worker of another machine is waited for; absent: none can
    /// come.
    patience_ms: Option<u64>,
    /// Until when local workers may still come, on the monotonic clock.
    starting_until_ms: u64,
    /// Length of a lease, within which a training worker is heard of.
    lease_ms: u64,
    /// When the first worker was heard of, on the monotonic clock.
    first_heard_ms: Option<u64>,
    sizes: Sizes,
    /// What trials take at least, as far as anyone asked.
    needs: HashMap<TrialId, u64>,
    /// Trials that were held back from a worker, and since when.
    held: BTreeMap<TrialId, u64>,
    /// Whether the user knows that some wait.
    told: bool,
}

impl Placement {
    /// Of a coordinator that starts now.
    #[must_use]
    pub fn new(lease_ms: u64, now_ms: u64) -> Self {
        Self {
            patience_ms: None,
            starting_until_ms: now_ms + STARTING_MS,
            lease_ms,
            first_heard_ms: None,
            sizes: Sizes::default(),
            needs: HashMap::new(),
            held: BTreeMap::new(),
            told: false,
        }
    }

    /// Sets who may come.
    ///
    /// - `local`: how many workers the coordinator starts itself
    /// - `patience_ms`: how long one of another machine is waited for; absent: none can
    ///   come
    pub fn expect(&mut self, local: u32, patience_ms: Option<u64>) {
        self.patience_ms = patience_ms;
        if local <= 1 {
            self.starting_until_ms = 0;
        }
    }

    /// Notes a sign of life of a worker.
    pub fn hear(&mut self, machine: &Machine, now_ms: u64) {
        self.first_heard_ms.get_or_insert(now_ms);
        self.sizes.hear(machine.memory_bytes.unwrap_or(u64::MAX), now_ms);
    }

    /// Whether a worker may take an execution of a trial; else it is held back for
    /// another one.
    ///
    /// - `certain`: what the trial takes for certain, in bytes; asked once a trial
    pub fn admits(
        &mut self,
        trial: TrialId,
        certain: impl FnOnce() -> u64,
        machine: &Machine,
        now_ms: u64,
    ) -> bool {
        let Some(bytes) = machine.memory_bytes else { return true };
        let needed = *self.needs.entry(trial).or_insert_with(certain);
        let largest = self.largest(now_ms);
        let is_last_resort = bytes >= largest && self.waits_until(needed) <= now_ms;
        if needed <= bytes || (largest < needed && is_last_resort) {
            return true;
        }
        self.held.entry(trial).or_insert(now_ms);
        false
    }

    /// Whether so many trials wait for larger workers that no new ones are to be
    /// proposed for smaller ones.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.held.len() >= MAX_HELD
    }

    /// Notes that a worker has an execution of a trial.
    pub fn leased(&mut self, trial: TrialId) {
        self.held.remove(&trial);
    }

    /// Notes that a trial ran out of memory on a worker. Returns whether it waits for a
    /// larger one, which is there or may come.
    pub fn ran_out(&mut self, trial: TrialId, machine: &Machine, now_ms: u64) -> bool {
        let Some(bytes) = machine.memory_bytes else { return false };
        let needed = self.needs.entry(trial).or_default();
        *needed = (*needed).max(bytes.saturating_add(1));
        let needed = *needed;
        self.largest(now_ms) >= needed || self.waits_until(needed) > now_ms
    }

    /// Forgets a trial that has ended.
    pub fn ended(&mut self, trial: TrialId) {
        self.needs.remove(&trial);
        self.held.remove(&trial);
    }

    /// The trials that no worker that is there has the memory for.
    #[must_use]
    pub fn too_large(&self, now_ms: u64) -> Vec<TooLarge> {
        let largest_bytes = self.largest(now_ms);
        let told = |trial: &TrialId| {
            let needed_bytes = self.needs.get(trial).copied()?;
            (largest_bytes < needed_bytes).then(|| TooLarge {
                trial: trial.0,
                needed_bytes,
                largest_bytes,
                wait_ms: self.waits_until(needed_bytes).saturating_sub(now_ms),
            })
        };
        self.held.keys().filter_map(told).collect()
    }

    /// What is to be said, once for as long as there is something: that a trial has
    /// waited for a while, and no worker that is there has the memory for it.
    pub fn news(&mut self, now_ms: u64) -> Option<String> {
        if self.held.is_empty() {
            self.told = false;
            return None;
        }
        if self.told {
            return None;
        }
        let has_waited = |trial: u32| {
            self.held.get(&TrialId(trial)).is_some_and(|since| since + TELL_AFTER_MS <= now_ms)
        };
        let trial = self.too_large(now_ms).into_iter().find(|trial| has_waited(trial.trial))?;
        self.told = true;
        Some(trial.to_string())
    }

    /// The most memory that a worker has that is there; 0 if none is.
    fn largest(&self, now_ms: u64) -> u64 {
        self.sizes.largest(now_ms.saturating_sub(PRESENT_MS.max(self.lease_ms)))
    }

    /// Until when a worker of this size is waited for.
    fn waits_until(&self, needed: u64) -> u64 {
        let others_ms = self.patience_ms.map_or(0, |patience_ms| {
            let since_ms = self.sizes.last_heard(needed).max(self.first_heard_ms);
            since_ms.unwrap_or(0).saturating_add(patience_ms)
        });
        self.starting_until_ms.max(others_ms)
    }
}

/// The largest workers, each with when one as large was last heard of. Only those are
/// kept of which no larger one was heard of later, so that there are few.
#[derive(Debug, Default)]
struct Sizes(BTreeMap<u64, u64>);

impl Sizes {
    fn hear(&mut self, bytes: u64, now_ms: u64) {
        self.0 = self.0.split_off(&bytes);
        self.0.insert(bytes, now_ms);
    }

    /// The largest that was heard of since then; 0 if none was.
    fn largest(&self, since_ms: u64) -> u64 {
        let heard = self.0.iter().rev().find(|(_, heard_ms)| **heard_ms >= since_ms);
        heard.map_or(0, |(bytes, _)| *bytes)
    }

    /// When one of this size was last heard of, or a larger one.
    fn last_heard(&self, bytes: u64) -> Option<u64> {
        // Of larger ones, a larger one was heard of earlier.
        self.0.range(bytes..).next().map(|(_, heard_ms)| *heard_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;
    const LEASE_MS: u64 = 20_000;
    const TRIAL: TrialId = TrialId(7);

    fn machine(gibibytes: u64) -> Machine {
        Machine { memory_bytes: (gibibytes > 0).then_some(gibibytes * GIB), ..Machine::default() }
    }

    /// Asks for a worker of so many GiB that is there, about a trial of 61 GiB.
    fn admits(placement: &mut Placement, gibibytes: u64, now_ms: u64) -> bool {
        placement.hear(&machine(gibibytes), now_ms);
        placement.admits(TRIAL, || 61 * GIB, &machine(gibibytes), now_ms)
    }

    #[test]
    fn what_does_not_fit_is_left_to_a_worker_that_is_there() {
        let mut placement = Placement::new(LEASE_MS, 0);
        assert!(admits(&mut placement, 61, 100_000), "just fits");
        assert!(!admits(&mut placement, 24, 100_000));
        assert!(placement.too_large(100_000).is_empty(), "it is there");
        assert!(!admits(&mut placement, 24, 160_000), "it was heard of a minute ago");
        assert!(admits(&mut placement, 24, 160_001), "it has gone, and nobody else may come");
        assert!(admits(&mut placement, 0, 160_001), "who does not say has enough");
        assert!(!admits(&mut placement, 24, 160_001), "and is there");
    }

    #[test]
    fn a_coordinator_that_has_just_started_waits_a_little_for_any_worker() {
        let mut placement = Placement::new(LEASE_MS, 1000);
        assert!(!admits(&mut placement, 24, 1000));
        assert!(!admits(&mut placement, 24, STARTING_MS + 999));
        assert!(admits(&mut placement, 24, STARTING_MS + 1000));
        // The only one need not.
        let mut placement = Placement::new(LEASE_MS, 1000);
        placement.expect(1, None);
        assert!(admits(&mut placement, 24, 1000));
    }

    #[test]
    fn an_open_one_waits_for_others_and_then_the_largest_tries() {
        let mut placement = Placement::new(LEASE_MS, 0);
        placement.expect(0, Some(PATIENCE_MS));
        // The first worker comes.
        placement.hear(&machine(1), 40_000);
        assert!(!admits(&mut placement, 24, 50_000));
        let too_large = |needed: u64, largest: u64, wait_ms| TooLarge {
            trial: 7,
            needed_bytes: needed * GIB,
            largest_bytes: largest * GIB,
            wait_ms,
        };
        assert_eq!(placement.too_large(50_000), [too_large(61, 24, PATIENCE_MS - 10_000)]);
        let end_ms = 40_000 + PATIENCE_MS;
        placement.hear(&machine(40), end_ms);
        assert!(!admits(&mut placement, 24, end_ms), "not the smaller one");
        assert_eq!(placement.too_large(end_ms), [too_large(61, 40, 0)]);
        assert!(admits(&mut placement, 40, end_ms));
        placement.leased(TRIAL);
        assert!(placement.too_large(end_ms).is_empty());
        // Nobody waits for what is as large again.
        let again = placement.admits(TrialId(8), || 61 * GIB, &machine(40), end_ms);
        assert!(again);
    }

    #[test]
    fn the_time_begins_anew_when_one_that_was_large_enough_has_gone() {
        let mut placement = Placement::new(LEASE_MS, 0);
        placement.expect(0, Some(PATIENCE_MS));
        for minute in 0..100 {
            placement.hear(&machine(80), minute * 60_000);
            assert!(!admits(&mut placement, 24, minute * 60_000));
        }
        let gone_ms = 99 * 60_000;
        assert!(!admits(&mut placement, 24, gone_ms + PATIENCE_MS - 1));
        assert!(admits(&mut placement, 24, gone_ms + PATIENCE_MS));
        let larger = placement.admits(TrialId(8), || 90 * GIB, &machine(24), gone_ms + 61_000);
        assert!(larger, "as large a one was never there");
    }

    #[test]
    fn what_ran_out_of_memory_goes_to_a_larger_worker_if_one_is_there_or_may_come() {
        let mut placement = Placement::new(LEASE_MS, 0);
        placement.hear(&machine(24), 100_000);
        assert!(!placement.ran_out(TRIAL, &machine(24), 100_000), "it is the largest");
        placement.hear(&machine(80), 100_000);
        assert!(placement.ran_out(TRIAL, &machine(24), 100_000));
        let mut never_asked =
            |gibibytes| placement.admits(TRIAL, || unreachable!(), &machine(gibibytes), 100_000);
        assert!(!never_asked(24) && never_asked(80));
        assert!(!placement.ran_out(TRIAL, &machine(80), 100_000));
        assert!(!placement.ran_out(TRIAL, &machine(0), 100_000), "nobody knows how much it takes");

        let mut open = Placement::new(LEASE_MS, 0);
        open.expect(0, Some(PATIENCE_MS));
        open.hear(&machine(24), 0);
        assert!(open.ran_out(TRIAL, &machine(24), PATIENCE_MS - 1));
        assert!(!open.ran_out(TRIAL, &machine(24), PATIENCE_MS));
    }

    #[test]
    fn the_user_is_told_once() {
        let mut placement = Placement::new(LEASE_MS, 0);
        placement.expect(1, Some(PATIENCE_MS));
        assert_eq!(placement.news(0), None);
        admits(&mut placement, 24, 100_000);
        placement.admits(TrialId(8), || 62 * GIB, &machine(24), 100_000);
        assert_eq!(placement.news(129_999), None, "not at once");
        placement.hear(&machine(24), 130_000);
        assert_eq!(
            placement.news(130_000).as_deref(),
            Some(
                "trial 7 takes at least 61.0 GiB of memory, and the largest worker that is there \
                 has 24.0 GiB: it waits 10 min for a larger one, then the largest tries it"
            )
        );
        assert_eq!(placement.news(140_000), None);
        for trial in [TRIAL, TrialId(8)] {
            placement.ended(trial);
        }
        assert_eq!(placement.news(140_000), None);
        admits(&mut placement, 24, 200_000);
        placement.hear(&machine(24), 230_000);
        assert!(placement.news(230_000).is_some(), "of another one");
        assert!(!placement.is_full());
        for trial in 0..MAX_HELD as u32 {
            placement.admits(TrialId(trial), || 90 * GIB, &machine(24), 230_000);
        }
        assert!(placement.is_full());
    }

    #[test]
    fn of_many_sizes_only_those_are_kept_that_matter() {
        let mut sizes = Sizes::default();
        for (now_ms, bytes) in [(0, 80), (1, 24), (2, 48), (3, 24), (4, 24)] {
            sizes.hear(bytes, now_ms);
        }
        assert_eq!(sizes.0.len(), 3);
        for (bytes, heard_ms) in
            [(1, Some(4)), (24, Some(4)), (25, Some(2)), (80, Some(0)), (81, None)]
        {
            assert_eq!(sizes.last_heard(bytes), heard_ms, "{bytes}");
        }
        for (since_ms, largest) in [(0, 80), (1, 48), (2, 48), (3, 24), (4, 24), (5, 0)] {
            assert_eq!(sizes.largest(since_ms), largest, "{since_ms}");
        }
        sizes.hear(100, 5);
        assert_eq!(sizes.0.len(), 1);
    }
}
