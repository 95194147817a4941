//! Executions that fail for reasons of their hosts.

use super::*;
use crate::coordinator::hosts::FIRST_WAIT_MS;
use crate::status::Machine;

/// A worker of a host.
fn on(host: &str, name: &str) -> Worker {
    let machine = Machine { host: host.to_owned(), ..Machine::default() };
    Worker { machine, ..worker(name) }
}

fn failed() -> Outcome {
    Outcome::HostFailed { message: "CUDA error: device lost".to_owned() }
}

impl Script {
    fn beat(&mut self, id: AttemptId, worker: Worker) {
        let heartbeat = |reply_to| Event::Heartbeat { reply_to, id, worker };
        assert_eq!(self.ask(heartbeat), Some(Reply::Continue));
    }

    pub(super) fn acquire_as(&mut self, worker: Worker) -> Option<AttemptId> {
        match self.ask(|reply_to| Event::Acquire { reply_to, worker }) {
            Some(Reply::Assigned { id, .. }) => Some(id),
            None | Some(Reply::StudyOver) => None,
            other => panic!("{other:?}"),
        }
    }
}

fn many(max_trials: u32) -> Script {
    Script::new(Settings { max_trials, max_retries: 0, ..settings() }, units(20, 1000))
}

#[test]
fn a_host_that_fails_gets_no_more_and_others_take_what_it_had() {
    let mut script = many(10);
    script.acquire_as(on("good", "g"));
    // Each time another one: what failed there is kept for the other host.
    for trial in 1..4 {
        assert_eq!(script.acquire_as(on("bad", "b")), Some(id(trial, 0, 1)));
        script.complete(id(trial, 0, 1), failed());
    }
    assert_eq!(script.acquire_as(on("bad", "b2")), None, "in quarantine");
    let status = script.search.status(script.now, "test");
    let reason = "CUDA error: device lost".to_owned();
    let host = "bad".to_owned();
    let quarantined =
        crate::status::QuarantinedHost { host, failures: 3, reason, wait_ms: FIRST_WAIT_MS };
    assert_eq!(status.hosts, [quarantined]);
    // No retry is left, and none was used.
    for trial in 1..4 {
        assert_eq!(script.acquire_as(on("good", &format!("g{trial}"))), Some(id(trial, 0, 2)));
    }
    // Its held call is answered when the time has come.
    let mut answered = Vec::new();
    for _ in 0..4 {
        script.beat(id(0, 0, 1), on("good", "g"));
        for trial in 1..4 {
            script.beat(id(trial, 0, 2), on("good", &format!("g{trial}")));
        }
        answered.extend(script.pass(15_000));
    }
    assert!(answered.iter().any(|(_, reply)| *reply == Reply::Wait), "{answered:?}");
    let tried = script.acquire_as(on("bad", "b")).expect("on trial");
    assert_eq!(script.acquire_as(on("bad", "b2")), None, "one at a time");
    script.report(tried, vec![accuracy(1, 0.5)]);
    script.complete(tried, Outcome::Finished);
    assert!(script.search.status(script.now, "test").hosts.is_empty());
}

#[test]
fn the_user_is_told_once_and_after_the_record() {
    let mut script = many(10);
    let mut warnings = Vec::new();
    for trial in 0..5 {
        script.acquire_as(on("only", "a"));
        let complete = |attempt| Event::Complete {
            reply_to: ReplyTo(99),
            id: id(trial, 0, attempt),
            instance: worker("a").instance,
            outcome: failed(),
        };
        for attempt in 1..6 {
            let decision = script.search.decide(script.now, complete(attempt));
            assert!(decision.warnings.is_empty() || !decision.records.is_empty());
            warnings.extend(decision.warnings);
            script.now.monotonic_ms += 3_600_000;
            script.acquire_as(on("only", "a"));
        }
    }
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("host only gets no executions for 60 s"), "{warnings:?}");
}

#[test]
fn the_only_host_tries_the_same_again_until_it_has_failed_too_often() {
    let mut script = many(2);
    for attempt in 1..=5 {
        assert_eq!(script.acquire_as(on("only", "a")), Some(id(0, 0, attempt)));
        script.complete(id(0, 0, attempt), failed());
        script.now.monotonic_ms += 3_600_000;
    }
    assert_eq!(script.trial(0).state, TrialState::Failed);
    let error = "its machine failed 5 times, at last: CUDA error: device lost";
    assert_eq!(script.trial(0).error.as_deref(), Some(error));
}

#[test]
fn a_local_worker_that_leaves_because_its_machine_failed_had_something_to_do() {
    let mut script = many(10);
    let gone = |script: &mut Script| {
        let (name, message) = ("local-1".to_owned(), "its process ended".to_owned());
        script.ask(|reply_to| Event::WorkerGone { reply_to, name, message })
    };
    script.acquire_as(on("here", "local-1"));
    script.complete(id(0, 0, 1), failed());
    assert_eq!(gone(&mut script), Some(Reply::Stop));
    assert_eq!(gone(&mut script), Some(Reply::Done), "that one was never heard of");
}

#[test]
fn what_a_host_fails_is_the_same_study_after_a_restart() {
    let mut script = many(10);
    for attempt in 1..4 {
        script.acquire_as(on("bad", "b"));
        script.complete(id(0, 0, attempt), failed());
    }
    assert_eq!(script.acquire_as(on("bad", "b")), None);
    let mut script = script.restart(units(20, 1000));
    assert_eq!(script.acquire_as(on("bad", "b")), Some(id(0, 0, 4)), "trusted again");
}
