//! Which weights are asked for.

use super::*;

impl Script {
    /// Whether a worker that has measured `value` is asked for its weights.
    fn offers(&mut self, id: AttemptId, value: f64) -> bool {
        self.report(id, vec![accuracy(1, value)]);
        let instance = self.holder(id);
        let offer = |reply_to| Event::WeightsOffered { reply_to, id, instance };
        match self.ask(offer).expect("a reply") {
            Reply::Continue => true,
            Reply::Stop => false,
            other => panic!("{other:?}"),
        }
    }

    fn next(&mut self) -> AttemptId {
        self.acquire("a").expect("there are more")
    }
}

#[test]
fn weights_are_taken_while_they_may_be_among_the_best() {
    for (keep_models, wanted) in [
        (1, [true, false, true, false, false, true]),
        (2, [true, true, true, false, true, true]),
        (9, [true; 6]),
    ] {
        let settings = Settings { max_trials: 6, keep_models, ..settings() };
        let mut script = Script::new(settings, units(20, 90));
        let values = [0.5, 0.25, 0.75, 0.25, 0.75, 0.875];
        for (value, wanted) in values.into_iter().zip(wanted) {
            let id = script.next();
            assert_eq!(script.offers(id, value), wanted, "{id:?} of {keep_models}");
            script.complete(id, Outcome::Finished);
        }
    }
}

#[test]
fn of_equal_trials_the_earlier_is_kept_whenever_it_ends() {
    let mut script = Script::new(settings(), units(20, 90));
    let (first, second) = (script.next(), script.acquire("b").expect("two trials"));
    assert!(script.offers(second, 0.5));
    script.complete(second, Outcome::Finished);
    assert!(script.offers(first, 0.5));
}

#[test]
fn a_trial_keeps_the_weights_of_its_best_execution() {
    let settings = Settings { executions_per_trial: 3, max_trials: 2, ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    for (value, wanted) in [(0.5, true), (0.5, false), (0.625, true)] {
        let id = script.next();
        assert_eq!(script.offers(id, value), wanted, "{id:?}");
        script.complete(id, Outcome::Finished);
    }
    // Of the next trial, until its score is known not to reach the best.
    for (value, wanted) in [(0.25, true), (0.375, true), (0.5, false)] {
        let id = script.next();
        assert_eq!(script.offers(id, value), wanted, "{id:?}");
        script.complete(id, Outcome::Finished);
    }
}

#[test]
fn nobody_takes_weights_that_nobody_waits_for() {
    let mut script = Script::new(settings(), units(20, 90));
    let id = script.next();
    script.complete(id, error("out of luck"));
    assert!(!script.offers(id, 0.5));
    let id = AttemptId { attempt: 9, ..id };
    let reply = script.ask(|reply_to| Event::WeightsOffered { reply_to, id, instance: 1 });
    assert_eq!(reply, Some(Reply::Unknown));
}
