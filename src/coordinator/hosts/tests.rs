//! Hosts and their quarantine, event by event.

use super::*;
use crate::study::Measurement;

fn id(trial: u32, attempt: u32) -> AttemptId {
    AttemptId { trial: TrialId(trial), execution: 0, attempt }
}

fn machine(host: &str) -> Machine {
    Machine { host: host.to_owned(), ..Machine::default() }
}

fn failed(message: &str) -> Outcome {
    Outcome::HostFailed { message: message.to_owned() }
}

fn lost() -> Outcome {
    Outcome::WorkerLost { message: "not heard of for 20 s".to_owned() }
}

fn measured(id: AttemptId) -> Record {
    let measurement =
        Measurement { epoch: 1, metrics: [("loss", 1.0)].into_iter().collect(), seconds: 1.0 };
    Record::Measured { id, measurement }
}

/// Hosts and a clock.
struct Script {
    hosts: Hosts,
    now_ms: u64,
}

impl Script {
    fn new() -> Self {
        Self { hosts: Hosts::default(), now_ms: 0 }
    }

    fn hear(&mut self, host: &str) {
        self.hosts.hear(&machine(host), self.now_ms);
    }

    /// A host has an attempt, which ends so; what is said of it.
    fn run(&mut self, host: &str, id: AttemptId, outcome: Outcome) -> Option<String> {
        self.begin(host, id);
        self.end(id, outcome)
    }

    fn begin(&mut self, host: &str, id: AttemptId) {
        self.hear(host);
        self.hosts.began(id, &machine(host));
    }

    fn end(&mut self, id: AttemptId, outcome: Outcome) -> Option<String> {
        self.hosts.follow(&Record::AttemptEnded { id, outcome }, self.now_ms)
    }

    fn admits(&mut self, host: &str) -> bool {
        self.hosts.admits(host, self.now_ms)
    }

    /// Three executions that fail for reasons of the host.
    fn fail(&mut self, host: &str) {
        for trial in 0..3 {
            self.run(host, id(trial, 1), failed("CUDA error: device lost"));
        }
    }
}

#[test]
fn three_failures_of_a_host_in_a_row_and_it_gets_no_more_for_a_minute() {
    let mut script = Script::new();
    script.hear("b");
    assert_eq!(script.run("a", id(0, 1), failed("disk full")), None);
    assert_eq!(script.run("a", id(1, 1), failed("disk full")), None);
    assert!(script.admits("a"));
    let said = script.run("a", id(2, 1), failed("CUDA error: device lost\nException raised"));
    assert_eq!(
        said.as_deref(),
        Some(
            "host a gets no executions for 60 s, because 3 in a row failed there: \
             CUDA error: device lost"
        )
    );
    assert!(!script.admits("a") && script.admits("b") && script.admits("never heard of"));
    assert_eq!(
        script.hosts.quarantined(10_000),
        [QuarantinedHost {
            host: "a".to_owned(),
            failures: 3,
            reason: "CUDA error: device lost".to_owned(),
            wait_ms: 50_000,
        }]
    );
    script.now_ms = 59_999;
    assert!(!script.admits("a"));
    script.now_ms = 60_000;
    assert!(script.admits("a"));
    assert_eq!(script.hosts.quarantined(60_000)[0].wait_ms, 0, "on trial");
}

#[test]
fn what_counts_as_whose_fault() {
    let message = || "because".to_owned();
    let cases = [
        (Outcome::Finished, Sign::Good),
        (Outcome::Stopped, Sign::Good),
        (Outcome::Error { message: message() }, Sign::Good),
        (Outcome::Diverged { message: message() }, Sign::Good),
        (Outcome::OutOfMemory { message: message() }, Sign::Good),
        (Outcome::Infeasible { message: message() }, Sign::Good),
        (lost(), Sign::Suspect),
        (Outcome::WorkerDied { message: message() }, Sign::Suspect),
        (failed("disk full"), Sign::Bad),
        (Outcome::Released, Sign::None),
        (Outcome::Superseded, Sign::None),
    ];
    for (outcome, sign) in cases {
        assert_eq!(Sign::of(&outcome), sign, "{outcome:?}");
        // Between two failures and two more.
        let mut script = Script::new();
        script.run("a", id(0, 1), failed("x"));
        script.run("a", id(1, 1), failed("x"));
        script.run("a", id(2, 1), outcome.clone());
        let expected = match sign {
            Sign::Good => 0,
            Sign::None => 2,
            Sign::Suspect | Sign::Bad => 3,
        };
        let host = &script.hosts.known["a"];
        assert_eq!(host.failures.len(), expected, "{outcome:?}");
        assert_eq!(script.admits("a"), expected < 3, "{outcome:?}");
    }
}

#[test]
fn an_execution_that_kills_workers_counts_once() {
    let mut script = Script::new();
    for attempt in 1..10 {
        script.run("a", id(0, attempt), lost());
    }
    assert!(script.admits("a"));
    script.run("a", id(1, 1), lost());
    assert!(script.admits("a"));
    script.run("a", id(2, 1), lost());
    assert!(!script.admits("a"));
    // What a worker says itself is no guess.
    for attempt in 1..4 {
        script.run("b", id(0, attempt), failed("disk full"));
    }
    assert!(!script.admits("b"));
}

#[test]
fn on_trial_a_host_gets_one_execution_at_a_time_until_an_epoch_is_measured() {
    let mut script = Script::new();
    script.begin("a", id(9, 1));
    script.fail("a");
    script.now_ms = 60_000;
    assert!(script.admits("a"));
    script.hosts.holds(id(9, 1), &machine("a"));
    assert!(script.admits("a"), "that one has long begun");
    script.begin("a", id(3, 1));
    assert!(!script.admits("a"), "one at a time");
    script.hosts.follow(&measured(id(9, 1)), 60_000);
    assert!(!script.admits("a"), "that one began before");
    script.end(id(3, 1), Outcome::Released);
    assert!(script.admits("a"), "that one said nothing");
    script.begin("a", id(4, 1));
    script.hosts.follow(&measured(id(4, 1)), 60_000);
    assert!(script.admits("a") && script.hosts.quarantined(60_000).is_empty());
    // It is still on its guard: one failure, and the wait is longer.
    script.begin("a", id(5, 1));
    assert_eq!(script.end(id(5, 1), lost()), None, "said once");
    assert_eq!(script.hosts.quarantined(60_000)[0].wait_ms, 120_000);
}

#[test]
fn the_wait_doubles_up_to_a_quarter_of_an_hour_and_a_finished_execution_ends_it() {
    let mut script = Script::new();
    script.fail("a");
    let mut waits = Vec::new();
    for attempt in 2..8 {
        let wait_ms = script.hosts.quarantined(script.now_ms)[0].wait_ms;
        waits.push(wait_ms / 60_000);
        script.now_ms += wait_ms;
        assert!(script.admits("a"));
        assert_eq!(script.run("a", id(3, attempt), failed("disk full")), None, "said once");
    }
    assert_eq!(waits, [1, 2, 4, 8, 15, 15]);
    script.now_ms += LONGEST_WAIT_MS;
    assert!(script.admits("a"));
    script.run("a", id(4, 1), Outcome::Finished);
    assert!(script.admits("a") && script.hosts.is_trusted("a"));
    script.fail("a");
    assert_eq!(script.hosts.quarantined(script.now_ms)[0].wait_ms, 60_000, "as at first");
}

#[test]
fn the_first_wait_can_be_set_and_there_may_be_none() {
    for (first_ms, waits) in [(5_000, vec![5_000, 10_000]), (3_600_000, vec![3_600_000; 2])] {
        let mut script = Script::new();
        script.hosts.set_first_wait(first_ms);
        script.fail("a");
        for wait_ms in waits {
            assert_eq!(script.hosts.quarantined(script.now_ms)[0].wait_ms, wait_ms);
            script.now_ms += wait_ms;
            assert!(script.admits("a"));
            script.run("a", id(7, 1), failed("x"));
        }
    }
    let mut script = Script::new();
    script.hosts.set_first_wait(0);
    script.fail("a");
    script.fail("a");
    assert!(script.admits("a"));
}

#[test]
fn workers_that_were_cut_off_and_come_back_were_no_failure() {
    let mut script = Script::new();
    for trial in 0..3 {
        script.run("a", id(trial, 1), lost());
    }
    assert!(!script.admits("a"));
    script.hosts.follow(&Record::AttemptResumed { id: id(0, 1) }, 1000);
    assert!(script.admits("a"));
    script.end(id(0, 1), Outcome::Finished);
    assert!(script.hosts.is_trusted("a"));
    // One that finishes late, without being taken up again before.
    for trial in 3..6 {
        script.run("a", id(trial, 1), lost());
    }
    script.end(id(4, 1), Outcome::Finished);
    assert!(script.admits("a"));
}

#[test]
fn what_failed_on_a_host_is_given_to_another_if_there_is_one() {
    let mut script = Script::new();
    script.run("a", id(0, 1), failed("disk full"));
    assert!(!script.hosts.avoids("a", TrialId(0), 0, 0), "nobody else is there");
    script.hear("b");
    assert!(script.hosts.avoids("a", TrialId(0), 0, 0));
    assert!(!script.hosts.avoids("a", TrialId(0), 1, 0), "another execution");
    assert!(!script.hosts.avoids("b", TrialId(0), 0, 0));
    assert!(!script.hosts.avoids("a", TrialId(0), 0, PRESENT_MS + 1), "b has gone");
    script.run("b", id(0, 2), failed("disk full"));
    assert!(!script.hosts.avoids("a", TrialId(0), 0, 0), "b is no better");
}

#[test]
fn hosts_without_a_name_are_never_in_quarantine_and_names_are_bounded() {
    let mut script = Script::new();
    script.fail("");
    assert!(script.admits("") && script.hosts.known.is_empty());
    for index in 0..=MAX_HOSTS {
        script.now_ms = index as u64;
        script.hear(&format!("h{index}"));
    }
    assert_eq!(script.hosts.known.len(), MAX_HOSTS);
    assert!(!script.hosts.known.contains_key("h0"), "the most silent one goes");
    assert!(script.hosts.holders.is_empty());
}
