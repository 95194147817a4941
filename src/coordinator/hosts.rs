//! Hosts in quarantine: machines on which executions fail for reasons of their own.
//!
//! [`FAILURES_IN_A_ROW`] executions of one host that end so, one after another, and
//! it gets no more for a while:
//!
//! - *Of the host* are the outcomes `host_failed` (the worker says so: its GPU is
//!   gone, its disk full), `worker_lost` and `worker_died`. Of the latter two an
//!   execution counts once, as it may be what kills workers.
//! - *In a row* means that no execution ended there otherwise in between: finished,
//!   stopped, or failed for a reason of its own. Those given back or superseded say
//!   nothing either way. A worker that was lost and is heard of again, with its
//!   attempt, takes that failure back.
//! - *A while* is a minute, twice as long with every further time, a quarter of an
//!   hour at most. Then the host is on trial: it gets one execution at a time, until
//!   one of them measures an epoch. If it fails for a reason of the host, the next
//!   while begins; once an execution has ended otherwise, all is forgotten.
//!
//! An execution that has failed on a host is given to another one, if there is one.
//! What is known here is not kept: a coordinator that is started again trusts every
//! host. This module never reads the clock.

use std::collections::{BTreeMap, HashMap};

use crate::results::facts::outcome_message;
use crate::status::{Machine, QuarantinedHost};
use crate::study::{AttemptId, Outcome, Record, TrialId};

/// So many executions that fail for reasons of their host, and it is in quarantine.
pub const FAILURES_IN_A_ROW: usize = 3;

/// How long the first quarantine of a host is, in milliseconds.
pub const FIRST_WAIT_MS: u64 = 60_000;

/// How long a quarantine is at most, in milliseconds, unless the first is longer.
pub const LONGEST_WAIT_MS: u64 = 15 * 60_000;

/// Within so many milliseconds a host was heard of that counts as being there:
/// longer than a call of an idle worker is held.
const PRESENT_MS: u64 = 60_000;

/// Most hosts that are remembered; beyond that, the one that was not heard of for
/// longest is forgotten.
const MAX_HOSTS: usize = 4096;

/// Most failures of a host that are remembered one by one.
const MAX_FAILURES: usize = 64;

/// Longest reason that is repeated, in bytes.
const MAX_REASON_BYTES: usize = 200;

/// The hosts that were heard of.
#[derive(Debug)]
pub struct Hosts {
    /// By name.
    known: BTreeMap<String, Host>,
    /// Who has which attempt.
    holders: HashMap<AttemptId, Machine>,
    /// How long the first quarantine is; 0: there is none.
    first_wait_ms: u64,
}

#[derive(Debug, Default)]
struct Host {
    /// When one of its workers was last heard of, on the monotonic clock.
    heard_ms: u64,
    /// Attempts that failed for reasons of the host, one after another.
    failures: Vec<AttemptId>,
    /// Why the last of them did.
    reason: String,
    /// How often it was in quarantine since all was well.
    rounds: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Gets executions.
    #[default]
    Free,
    /// Gets none until then.
    Quarantined { until_ms: u64 },
    /// Gets the next when this one has ended.
    OnTrial { with: Option<AttemptId> },
}

/// What the end of an attempt says of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// It works.
    Good,
    /// It, or the execution, may be to blame.
    Suspect,
    /// It is to blame.
    Bad,
    /// Nothing.
    None,
}

impl Sign {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Finished
            | Outcome::Stopped
            | Outcome::Error { .. }
            | Outcome::Diverged { .. }
            | Outcome::OutOfMemory { .. }
            | Outcome::Infeasible { .. } => Self::Good,
            Outcome::WorkerLost { .. } | Outcome::WorkerDied { .. } => Self::Suspect,
            Outcome::HostFailed { .. } => Self::Bad,
            Outcome::Released | Outcome::Superseded => Self::None,
        }
    }
}

impl Default for Hosts {
    fn default() -> Self {
        Self { known: BTreeMap::new(), holders: HashMap::new(), first_wait_ms: FIRST_WAIT_MS }
    }
}

impl Hosts {
    /// Sets how long the first quarantine is, in milliseconds; 0 means that there
    /// is none.
    pub fn set_first_wait(&mut self, first_wait_ms: u64) {
        self.first_wait_ms = first_wait_ms;
    }

    /// Notes a sign of life of a worker.
    pub fn hear(&mut self, machine: &Machine, now_ms: u64) {
        if let Some(host) = self.known.get_mut(&machine.host) {
            host.heard_ms = now_ms;
        } else if !machine.host.is_empty() {
            if self.known.len() >= MAX_HOSTS {
                let silent = self.known.iter().min_by_key(|(_, host)| host.heard_ms);
                if let Some(name) = silent.map(|(name, _)| name.clone()) {
                    self.known.remove(&name);
                }
            }
            let host = Host { heard_ms: now_ms, ..Host::default() };
            self.known.insert(machine.host.clone(), host);
        }
    }

    /// Notes who is given an attempt.
    pub fn began(&mut self, id: AttemptId, machine: &Machine) {
        if let Some(host) = self.known.get_mut(&machine.host)
            && host.state == (State::OnTrial { with: None })
        {
            host.state = State::OnTrial { with: Some(id) };
        }
        self.holders.insert(id, machine.clone());
    }

    /// Notes who has an attempt that was given to it before.
    pub fn holds(&mut self, id: AttemptId, machine: &Machine) {
        let known = self.holders.entry(id).or_default();
        if known != machine {
            known.clone_from(machine);
        }
    }

    /// The machine of an attempt that has not ended.
    #[must_use]
    pub fn of(&self, id: AttemptId) -> Option<&Machine> {
        self.holders.get(&id)
    }

    /// Whether a host may be given an execution now.
    pub fn admits(&mut self, host: &str, now_ms: u64) -> bool {
        let Some(host) = self.known.get_mut(host) else { return true };
        match host.state {
            State::Free => true,
            State::Quarantined { until_ms } if now_ms < until_ms => false,
            State::Quarantined { .. } => {
                host.state = State::OnTrial { with: None };
                true
            }
            State::OnTrial { with } => with.is_none(),
        }
    }

    /// Whether anything at all speaks against giving a host whatever comes next.
    #[must_use]
    pub fn is_trusted(&self, host: &str) -> bool {
        self.known.get(host).is_none_or(|host| host.failures.is_empty())
    }

    /// Whether an execution is better given to another host that is there, because
    /// it has failed on this one.
    #[must_use]
    pub fn avoids(&self, host: &str, trial: TrialId, execution: u32, now_ms: u64) -> bool {
        let failed = |host: &Host| {
            host.failures.iter().any(|id| id.trial == trial && id.execution == execution)
        };
        let is_better = |(name, other): (&String, &Host)| {
            name != host
                && now_ms.saturating_sub(other.heard_ms) <= PRESENT_MS
                && other.state == State::Free
                && !failed(other)
        };
        self.known.get(host).is_some_and(failed) && self.known.iter().any(is_better)
    }

    /// Takes in what happened to an attempt. Returns what is to be said, once for
    /// every time that a host goes from being trusted into quarantine.
    pub fn follow(&mut self, record: &Record, now_ms: u64) -> Option<String> {
        match record {
            Record::AttemptEnded { id, outcome } => self.ended(*id, outcome, now_ms),
            Record::AttemptResumed { id } => {
                self.resumed(*id);
                None
            }
            Record::Measured { id, .. } => {
                let host = self.holders.get(id).and_then(|at| self.known.get_mut(&at.host))?;
                if host.state == (State::OnTrial { with: Some(*id) }) {
                    host.state = State::Free;
                }
                None
            }
            Record::Started { .. }
            | Record::TrialCreated { .. }
            | Record::AttemptStarted { .. }
            | Record::CheckpointKept { .. }
            | Record::CheckpointDropped { .. }
            | Record::TrialEnded { .. }
            | Record::StudyEnded { .. } => None,
        }
    }

    fn ended(&mut self, id: AttemptId, outcome: &Outcome, now_ms: u64) -> Option<String> {
        let Some(machine) = self.holders.remove(&id) else {
            // Ended before, and finished all the same.
            if *outcome == Outcome::Finished {
                self.resumed(id);
            }
            return None;
        };
        let name = machine.host;
        let host = self.known.get_mut(&name)?;
        let was_tried = host.state == (State::OnTrial { with: Some(id) });
        match Sign::of(outcome) {
            Sign::Good => {
                *host = Host { heard_ms: host.heard_ms, ..Host::default() };
                return None;
            }
            Sign::None => {
                if was_tried {
                    host.state = State::OnTrial { with: None };
                }
                return None;
            }
            Sign::Suspect => {
                let same =
                    |known: &AttemptId| (known.trial, known.execution) == (id.trial, id.execution);
                host.failures.retain(|known| !same(known));
            }
            Sign::Bad => {}
        }
        if host.failures.len() == MAX_FAILURES {
            host.failures.remove(0);
        }
        host.failures.push(id);
        host.reason = brief(outcome_message(outcome).unwrap_or_default());
        let is_enough = host.failures.len() >= FAILURES_IN_A_ROW;
        let is_due = match host.state {
            State::Free => is_enough,
            State::OnTrial { .. } => was_tried,
            State::Quarantined { .. } => false,
        };
        if !is_due || self.first_wait_ms == 0 {
            return None;
        }
        host.rounds += 1;
        let wait_ms = wait_ms(self.first_wait_ms, host.rounds);
        host.state = State::Quarantined { until_ms: now_ms + wait_ms };
        (host.rounds == 1).then(|| {
            format!(
                "host {name} gets no executions for {} s, because {} in a row failed there: {}",
                wait_ms / 1000,
                host.failures.len(),
                host.reason
            )
        })
    }

    /// Who was lost is there again: that failure was none.
    fn resumed(&mut self, id: AttemptId) {
        for (name, host) in &mut self.known {
            let before = host.failures.len();
            host.failures.retain(|known| *known != id);
            if host.failures.len() == before {
                continue;
            }
            self.holders.insert(id, Machine { host: name.clone(), ..Machine::default() });
            if host.failures.len() < FAILURES_IN_A_ROW {
                host.state = State::Free;
                host.rounds = 0;
            }
        }
    }

    /// Hosts that get none, or one at a time, by name.
    #[must_use]
    pub fn quarantined(&self, now_ms: u64) -> Vec<QuarantinedHost> {
        let told = |(name, host): (&String, &Host)| {
            let wait_ms = match host.state {
                State::Free => return None,
                State::Quarantined { until_ms } => until_ms.saturating_sub(now_ms),
                State::OnTrial { .. } => 0,
            };
            Some(QuarantinedHost {
                host: name.clone(),
                failures: u32::try_from(host.failures.len()).unwrap_or(u32::MAX),
                reason: host.reason.clone(),
                wait_ms,
            })
        };
        self.known.iter().filter_map(told).collect()
    }
}

fn wait_ms(first_ms: u64, rounds: u32) -> u64 {
    let doubled = first_ms.saturating_mul(1_u64.checked_shl(rounds - 1).unwrap_or(u64::MAX));
    doubled.min(LONGEST_WAIT_MS.max(first_ms))
}

/// The beginning of a message's first line. It came over the network, and must not
/// move a terminal's cursor.
fn brief(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let end = line.floor_char_boundary(MAX_REASON_BYTES);
    line[..end].chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

#[cfg(test)]
mod tests;
