//! Whose word counts for an attempt.

use super::*;

impl Script {
    /// Everything that can be said of an attempt, by a worker's process.
    fn say(&mut self, id: AttemptId, instance: u64) -> [Reply; 4] {
        let worker = Worker { instance, ..worker("a") };
        let measurements = vec![accuracy(1, 0.5)];
        let outcome = Outcome::Finished;
        [
            self.ask(|reply_to| Event::Heartbeat { reply_to, id, worker }).expect("a reply"),
            self.ask(|reply_to| Event::Report { reply_to, id, instance, measurements })
                .expect("a reply"),
            self.ask(|reply_to| Event::WeightsOffered { reply_to, id, instance }).expect("a reply"),
            self.ask(|reply_to| Event::Complete { reply_to, id, instance, outcome })
                .expect("a reply"),
        ]
    }

    fn is_heard(&mut self, id: AttemptId, instance: u64) -> bool {
        let replies = self.say(id, instance);
        let refused = replies.iter().filter(|reply| **reply == Reply::NotYours).count();
        assert!(refused == 0 || refused == replies.len(), "{replies:?}");
        refused == 0
    }
}

#[test]
fn an_attempt_is_its_workers_alone() {
    let mut script = Script::new(settings(), units(20, 90));
    let id = script.acquire("a").expect("leased");
    let before = script.search.study().trials.clone();
    // Of the same name, and even so another process.
    assert!(!script.is_heard(id, worker("a").instance + 1));
    assert_eq!(script.search.study().trials, before);
    assert!(script.is_heard(id, worker("a").instance));
    assert_eq!(script.trial(0).state, TrialState::Completed);
}

#[test]
fn a_late_result_is_its_workers_alone() {
    let mut script = Script::new(settings(), units(20, 90));
    let id = script.acquire("a").expect("leased");
    script.pass(LEASE_MS);
    assert!(matches!(script.outcome(id), Some(Outcome::WorkerLost { .. })));
    assert!(!script.is_heard(id, worker("b").instance));
    assert!(matches!(script.outcome(id), Some(Outcome::WorkerLost { .. })));
    assert!(script.is_heard(id, worker("a").instance));
    assert_eq!(script.trial(0).state, TrialState::Completed);
}

#[test]
fn after_a_restart_an_attempt_is_of_whoever_goes_on_with_it() {
    let mut script = Script::new(settings(), units(20, 90));
    let id = script.acquire("a").expect("leased");
    let mut script = script.restart(units(20, 90));
    assert_eq!(script.heartbeat(id, "a"), Reply::Continue);
    assert!(!script.is_heard(id, worker("b").instance));
    assert!(script.is_heard(id, worker("a").instance));
}

#[test]
fn an_answer_that_nobody_waits_for_any_more_gives_the_execution_back() {
    let mut script = Script::new(settings(), units(20, 90));
    let first = script.acquire("a").expect("leased");
    script.event(Event::Undelivered { id: first });
    assert_eq!(script.outcome(first), Some(&Outcome::Released));
    assert_eq!(script.acquire("b"), Some(id(0, 0, 2)));
    // It ended by other means.
    script.event(Event::Undelivered { id: first });
    assert_eq!(script.outcome(id(0, 0, 2)), None);
}
