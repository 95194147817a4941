//! What those who watch see of a search.

use super::*;
use crate::status::{Best, Doing, Status, StudyPhase};
use crate::study::TrialCounts;

impl Script {
    fn status(&self) -> Status {
        self.search.status(self.now, "test")
    }

    /// Name and doing of each worker.
    fn workers(&self) -> Vec<(String, Doing)> {
        self.status().workers.into_iter().map(|worker| (worker.name, worker.doing)).collect()
    }
}

fn runs(id: AttemptId, epoch: u32, started_ms: u64) -> Doing {
    Doing::Runs { id, epoch, started_ms }
}

#[test]
fn workers_are_seen_while_they_train_wait_and_fall_silent() {
    let mut script = Script::new(settings(), units(20, 90));
    assert!(script.workers().is_empty());
    script.acquire("a");
    script.acquire("b");
    assert_eq!(script.acquire("c"), None, "two trials, and no more");
    script.pass(5000);
    script.report(id(0, 0, 1), vec![accuracy(1, 0.5)]);
    script.pass(15_000 - 1);
    let (a, b) = (runs(id(0, 0, 1), 1, 1_000_000), runs(id(1, 0, 1), 0, 1_000_000));
    assert_eq!(
        script.workers(),
        [("a".to_owned(), a), ("b".to_owned(), b), ("c".to_owned(), Doing::Idle)]
    );
    let status = script.status();
    let silent: Vec<Option<u64>> = status.workers.iter().map(|worker| worker.silent_ms).collect();
    assert_eq!(silent, [Some(14_999), Some(19_999), Some(19_999)], "a report is a sign of life");
    assert_eq!(status.workers[0].device, "cpu");
    assert_eq!(status.workers[0].since_ms, 1_000_000);
    assert_eq!(status.known_workers(), (2, 1));

    // Nobody is heard of any more: b's execution goes to c, whose call is held.
    script.pass(1);
    assert_eq!(script.workers()[1], ("b".to_owned(), Doing::Idle), "just within a lease");
    script.pass(1);
    assert_eq!(script.workers()[1], ("b".to_owned(), Doing::Silent));
    assert_eq!(script.workers()[2], ("c".to_owned(), runs(id(1, 0, 2), 0, 1_020_000)));
    assert_eq!(script.status().known_workers(), (2, 0));
    // Heard of again, although its attempt is another's by now.
    script.heartbeat(id(1, 0, 1), "b");
    assert_eq!(script.workers()[1], ("b".to_owned(), Doing::Idle));
}

#[test]
fn workers_that_leave_are_forgotten() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("a");
    script.acquire("local-1");
    script.complete(id(0, 0, 1), Outcome::Released);
    assert_eq!(script.workers().len(), 1);
    let message = "its process ended".to_owned();
    let name = "local-1".to_owned();
    script.ask(|reply_to| Event::WorkerGone { reply_to, name, message });
    assert!(script.workers().is_empty());
    assert_eq!(script.status().executions.waiting, 2);
}

#[test]
fn leases_of_an_earlier_coordinator_are_shown_before_their_workers_are_heard_of() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("a");
    script.report(id(0, 0, 1), vec![accuracy(1, 0.5)]);
    let mut script = script.restart(units(20, 90));
    let seen = |script: &Script| {
        let workers = script.status().workers;
        assert_eq!(workers.len(), 1, "{workers:?}");
        (workers[0].device.clone(), workers[0].doing, workers[0].silent_ms)
    };
    let doing = runs(id(0, 0, 1), 1, 1_000_000);
    assert_eq!(seen(&script), (String::new(), doing, None));
    script.heartbeat(id(0, 0, 1), "a");
    assert_eq!(seen(&script), ("cpu".to_owned(), doing, Some(0)), "a heartbeat tells all");
}

#[test]
fn a_heartbeat_of_no_known_attempt_leaves_nothing() {
    let mut script = Script::new(settings(), units(20, 90));
    assert_eq!(script.heartbeat(id(7, 0, 1), "stranger"), Reply::Unknown);
    assert!(script.workers().is_empty());
}

#[test]
fn the_study_is_told_in_numbers() {
    let mut settings = settings();
    settings.executions_per_trial = 2;
    let mut script = Script::new(settings, units(20, 90));
    script.acquire("a");
    script.acquire("b");
    for execution in [0, 1] {
        script.report(id(0, execution, 1), vec![accuracy(1, 0.5)]);
        script.complete(id(0, execution, 1), Outcome::Finished);
    }
    script.acquire("a");
    let status = script.status();
    let trials = TrialCounts { completed: 1, running: 1, ..TrialCounts::default() };
    assert_eq!(status.trials, trials);
    assert_eq!(status.best, Some(Best { trial: TrialId(0), score: 0.5 }));
    let executions = status.executions;
    assert_eq!((executions.finished, executions.leased, executions.waiting), (2, 1, 1));
    assert_eq!(status.phase, StudyPhase::Running);
    script.event(Event::Interrupt);
    assert_eq!(script.status().phase, StudyPhase::Stopping);
    assert_eq!(
        Status { workers: vec![], ..script.status() }.trials,
        script.search.study().tally().trials
    );
}
