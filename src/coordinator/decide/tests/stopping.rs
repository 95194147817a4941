//! Event scripts with a rule that stops trials early.

use super::*;
use crate::oracle::{Knobs, StoppingRule};

/// Rungs at 1 and 2 epochs; one in two goes on.
fn asha() -> Option<Box<dyn Stopping>> {
    let mut knobs = Knobs::defaults(StoppingRule::Asha.knobs());
    knobs.set("factor", 2.0);
    Some(StoppingRule::Asha.build(&knobs, 4))
}

/// A search with that rule, in which trial 0 had 0.5 after one epoch and
/// executions of trial 1 are leased to `a` and `b`.
fn script(executions_per_trial: u32) -> Script {
    let settings = Settings { max_trials: 3, executions_per_trial, ..settings() };
    let mut script = Script::new(settings, units(20, 90)).with_stopping(asha());
    for execution in 0..executions_per_trial {
        script.acquire("first");
        script.report(id(0, execution, 1), vec![accuracy(1, 0.5)]);
        script.complete(id(0, execution, 1), Outcome::Finished);
    }
    assert_eq!(script.acquire("a"), Some(id(1, 0, 1)));
    if executions_per_trial > 1 {
        assert_eq!(script.acquire("b"), Some(id(1, 1, 1)));
    }
    script
}

#[test]
fn a_trial_that_falls_behind_is_stopped_and_keeps_its_score() {
    let mut script = script(1);
    let epochs = vec![accuracy(1, 0.4), accuracy(2, 0.9)];
    assert_eq!(script.report(id(1, 0, 1), epochs), Reply::Stop);
    let trial = script.trial(1);
    assert_eq!((trial.state, trial.score), (TrialState::Stopped, Some(0.4)));
    assert_eq!(trial.error, None);
    assert_eq!(trial.executions[0].attempts[0].epochs(), 1, "what came after is not kept");
    assert_eq!(script.outcome(id(1, 0, 1)), Some(&Outcome::Stopped));
    assert_eq!(script.heartbeat(id(1, 0, 1), "a"), Reply::Stop);
    assert_eq!(script.acquire("a"), Some(id(2, 0, 1)), "its worker gets the next trial");
}

#[test]
fn a_trial_that_keeps_up_goes_on_to_its_end() {
    let mut script = script(1);
    for epoch in 1..=4 {
        let measurement = accuracy(epoch, 0.6);
        assert_eq!(script.report(id(1, 0, 1), vec![measurement]), Reply::Continue);
    }
    script.complete(id(1, 0, 1), Outcome::Finished);
    assert_eq!(script.trial(1).state, TrialState::Completed);
}

#[test]
fn what_comes_late_from_a_stopped_trial_changes_nothing() {
    let mut script = script(1);
    script.report(id(1, 0, 1), vec![accuracy(1, 0.4)]);
    let records = script.records.len();
    assert_eq!(script.report(id(1, 0, 1), vec![accuracy(2, 0.9)]), Reply::Stop);
    assert_eq!(script.complete(id(1, 0, 1), Outcome::Finished), Reply::Done);
    assert_eq!(script.complete(id(1, 0, 1), error("late")), Reply::Done);
    assert_eq!(script.records.len(), records);
}

#[test]
fn an_execution_that_falls_behind_ends_the_others_of_its_trial() {
    let mut script = script(2);
    assert_eq!(script.report(id(1, 1, 1), vec![accuracy(1, 0.6)]), Reply::Continue);
    assert_eq!(script.report(id(1, 0, 1), vec![accuracy(1, 0.25)]), Reply::Stop);
    assert_eq!(script.trial(1).state, TrialState::Stopped);
    assert_eq!(script.trial(1).score, Some(0.425), "the mean of what there is");
    assert_eq!(script.outcome(id(1, 1, 1)), Some(&Outcome::Superseded));
    assert_eq!(script.report(id(1, 1, 1), vec![accuracy(2, 0.7)]), Reply::Stop);
    assert_eq!(script.acquire("b"), Some(id(2, 0, 1)));
}

#[test]
fn an_execution_that_waits_is_not_leased_once_its_trial_is_stopped() {
    let settings = Settings { max_trials: 3, executions_per_trial: 2, ..settings() };
    let mut script = Script::new(settings, units(20, 90)).with_stopping(asha());
    for execution in 0..2 {
        script.acquire("a");
        script.report(id(0, execution, 1), vec![accuracy(1, 0.5)]);
        script.complete(id(0, execution, 1), Outcome::Finished);
    }
    assert_eq!(script.acquire("a"), Some(id(1, 0, 1)));
    assert_eq!(script.report(id(1, 0, 1), vec![accuracy(1, 0.25)]), Reply::Stop);
    assert_eq!(script.acquire("a"), Some(id(2, 0, 1)));
}

#[test]
fn the_last_trial_may_be_stopped_and_a_restart_finds_it_so() {
    let mut script = script(1);
    script.report(id(1, 0, 1), vec![accuracy(1, 0.4)]);
    script.acquire("a");
    assert_eq!(script.report(id(2, 0, 1), vec![accuracy(1, 0.3)]), Reply::Stop);
    assert_eq!(script.search.study().ended, Some(Ended::MaxTrials));
    let acquire = |reply_to| Event::Acquire { reply_to, worker: worker("a") };
    assert_eq!(script.ask(acquire), Some(Reply::StudyOver));
    let script = script.restart(units(20, 90));
    let states: Vec<_> = script.search.study().trials.iter().map(|trial| trial.state).collect();
    assert_eq!(states, [TrialState::Completed, TrialState::Stopped, TrialState::Stopped]);
}

#[test]
fn an_execution_that_is_tried_again_is_judged_again() {
    let mut script = script(1);
    script.report(id(1, 0, 1), vec![accuracy(1, 0.6)]);
    script.complete(id(1, 0, 1), error("once"));
    assert_eq!(script.acquire("a"), Some(id(1, 0, 2)));
    assert_eq!(script.report(id(1, 0, 2), vec![accuracy(1, 0.4)]), Reply::Stop);
    assert_eq!(script.trial(1).score, Some(0.4));
}

#[test]
fn a_stopped_trial_without_a_number_has_failed() {
    let mut script = script(1);
    assert_eq!(script.report(id(1, 0, 1), vec![accuracy(1, f64::NAN)]), Reply::Stop);
    assert_eq!(script.trial(1).state, TrialState::Failed);
    assert_eq!(
        script.trial(1).error.as_deref(),
        Some("stopped early without a number to its name")
    );
}
