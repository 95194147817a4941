//! Event scripts for [`Search::decide`]: no clock, no sockets.

mod checkpoints;
mod fencing;
mod hosts;
mod placement;
mod stopping;
mod watching;
mod weights;

use std::collections::HashMap;

use proptest::prelude::*;
use sweep_proto::v1::{self, Specification, Training};

use super::choosing::on_fold;
use super::*;
use crate::oracle::{Proposal, RandomSearch, Suggestion};
use crate::space::{HyperParameter, Kind, Numerical, Sampling, Space, Value};
use crate::study::{Checkpoint, Direction, Objective, Settings};

const LEASE_MS: u64 = 20_000;

/// Every assignment can be trained for three epochs, except that `units: 13` cannot.
struct AllButThirteen;

impl Planner for AllButThirteen {
    fn plan(
        &self,
        hyperparameters: &HyperParameters,
        _stage: Option<&Stage>,
    ) -> Result<Specification, String> {
        match hyperparameters.get("units") {
            Some(Value::Int(13)) => Err("layer 1 `dense`: thirteen".to_owned()),
            _ => Ok(Specification {
                training: Some(Training { epochs: 3, ..Training::default() }),
                ..Specification::default()
            }),
        }
    }
}

/// Every assignment can be trained.
struct Everything;

impl Planner for Everything {
    fn plan(&self, _: &HyperParameters, _: Option<&Stage>) -> Result<Specification, String> {
        Ok(Specification::default())
    }
}

/// A search and a clock that a script moves.
struct Script {
    search: Search,
    now: Now,
    next_reply: u64,
    records: Vec<Stamped>,
    /// Worker processes that have asked for an execution.
    callers: HashMap<ReplyTo, u64>,
    /// Whom attempts were leased to.
    holders: HashMap<AttemptId, u64>,
}

fn settings() -> Settings {
    Settings {
        study: "test".to_owned(),
        objective: Objective::single("val_accuracy", Direction::Max),
        max_trials: 2,
        executions_per_trial: 1,
        folds: None,
        seed: 1,
        max_retries: 1,
        max_consecutive_failures: 2,
        hours: None,
        epochs: None,
        keep_models: 1,
    }
}

fn units(min: i64, max: i64) -> Space {
    let range = Numerical { min, max, step: None, sampling: Sampling::Linear, default: None };
    let units =
        HyperParameter { name: "units".to_owned(), kind: Kind::Int(range), when: Vec::new() };
    Space { hyperparameters: vec![units], ..Space::default() }
}

fn worker(name: &str) -> Worker {
    let instance = name.bytes().map(u64::from).sum();
    Worker { name: name.to_owned(), instance, device: "cpu".to_owned(), ..Worker::default() }
}

fn id(trial: u32, execution: u32, attempt: u32) -> AttemptId {
    AttemptId { trial: TrialId(trial), execution, attempt }
}

fn accuracy(epoch: u32, value: f64) -> Measurement {
    Measurement { epoch, metrics: [("val_accuracy", value)].into_iter().collect(), seconds: 1.0 }
}

fn error(message: &str) -> Outcome {
    Outcome::Error { message: message.to_owned() }
}

impl Script {
    fn new(settings: Settings, space: Space) -> Self {
        Self::over(Study::new(settings), space, Vec::new())
    }

    fn over(study: Study, space: Space, records: Vec<Stamped>) -> Self {
        Self::with(Box::new(RandomSearch::new(space)), study, records)
    }

    fn with(oracle: Box<dyn Oracle>, study: Study, records: Vec<Stamped>) -> Self {
        let now = Now { unix_ms: 1_000_000, monotonic_ms: 0 };
        let search = Search::new(study, oracle, None, Box::new(AllButThirteen), LEASE_MS, now);
        let (callers, holders) = (HashMap::new(), HashMap::new());
        let mut script = Self { search, now, next_reply: 0, records, callers, holders };
        let decision = script.search.start(now, "test", |name| name.starts_with("local-"));
        script.records.extend(decision.records);
        script
    }

    /// With a rule that stops trials early; a restart forgets it.
    fn with_stopping(mut self, stopping: Option<Box<dyn Stopping>>) -> Self {
        self.search.stopping = stopping;
        self
    }

    /// The same study, as another coordinator reads it back.
    fn restart(self, space: Space) -> Self {
        self.restart_with(Box::new(RandomSearch::new(space)))
    }

    fn restart_with(self, oracle: Box<dyn Oracle>) -> Self {
        let mut study = Study::new(self.search.study().settings.clone());
        study.replay(&self.records).expect("records that were written");
        assert_eq!(study.trials, self.search.study().trials, "what is replayed is what was");
        assert_eq!(study.checkpoints, self.search.study().checkpoints);
        let holders = self.holders;
        Self { holders, ..Self::with(oracle, study, self.records) }
    }

    fn event(&mut self, event: Event) -> Vec<(ReplyTo, Reply)> {
        if let Event::Acquire { reply_to, worker } = &event {
            self.callers.insert(*reply_to, worker.instance);
        }
        let decision = self.search.decide(self.now, event);
        self.records.extend(decision.records);
        self.search.check_invariants();
        for (reply_to, reply) in &decision.replies {
            if let Reply::Assigned { id, .. } = reply {
                self.holders.insert(*id, self.callers[reply_to]);
            }
        }
        decision.replies
    }

    fn ask(&mut self, event: impl FnOnce(ReplyTo) -> Event) -> Option<Reply> {
        let reply_to = ReplyTo(self.next_reply);
        self.next_reply += 1;
        let replies = self.event(event(reply_to));
        replies.into_iter().find(|(to, _)| *to == reply_to).map(|(_, reply)| reply)
    }

    /// The attempt that a worker gets; `None` if its call is held.
    fn acquire(&mut self, name: &str) -> Option<AttemptId> {
        match self.ask(|reply_to| Event::Acquire { reply_to, worker: worker(name) }) {
            Some(Reply::Assigned { id, .. }) => Some(id),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    fn heartbeat(&mut self, id: AttemptId, name: &str) -> Reply {
        let worker = worker(name);
        self.ask(|reply_to| Event::Heartbeat { reply_to, id, worker }).expect("a reply")
    }

    /// The worker's process that says something of an attempt.
    fn holder(&self, id: AttemptId) -> u64 {
        self.holders.get(&id).copied().unwrap_or(1)
    }

    fn report(&mut self, id: AttemptId, measurements: Vec<Measurement>) -> Reply {
        let instance = self.holder(id);
        let report = |reply_to| Event::Report { reply_to, id, instance, measurements };
        self.ask(report).expect("a reply")
    }

    fn complete(&mut self, id: AttemptId, outcome: Outcome) -> Reply {
        let instance = self.holder(id);
        let complete = |reply_to| Event::Complete { reply_to, id, instance, outcome };
        self.ask(complete).expect("a reply")
    }

    fn pass(&mut self, ms: u64) -> Vec<(ReplyTo, Reply)> {
        self.now.unix_ms += ms;
        self.now.monotonic_ms += ms;
        self.event(Event::Tick)
    }

    fn trial(&self, number: usize) -> &crate::study::Trial {
        &self.search.study().trials[number]
    }

    fn outcome(&self, id: AttemptId) -> Option<&Outcome> {
        self.search.study().attempt(id).expect("an attempt").outcome.as_ref()
    }
}

#[test]
fn a_study_goes_from_its_first_trial_to_its_end() {
    let mut script = Script::new(settings(), units(20, 90));
    assert_eq!(script.acquire("a"), Some(id(0, 0, 1)));
    assert_eq!(
        script.report(id(0, 0, 1), vec![accuracy(1, 0.5), accuracy(2, 0.7)]),
        Reply::Continue
    );
    assert_eq!(script.report(id(0, 0, 1), vec![accuracy(3, 0.6)]), Reply::Continue);
    assert_eq!(script.complete(id(0, 0, 1), Outcome::Finished), Reply::Done);
    assert_eq!(script.trial(0).state, TrialState::Completed);
    assert_eq!(script.trial(0).score, Some(0.7), "the best epoch counts");
    assert_eq!(script.acquire("a"), Some(id(1, 0, 1)));
    assert_eq!(script.acquire("b"), None, "both trials are out");
    script.report(id(1, 0, 1), vec![accuracy(1, 0.1)]);
    let decision = script.event(Event::Complete {
        reply_to: ReplyTo(99),
        id: id(1, 0, 1),
        instance: worker("a").instance,
        outcome: Outcome::Finished,
    });
    assert!(decision.contains(&(ReplyTo(99), Reply::Done)));
    assert!(decision.iter().any(|(_, reply)| *reply == Reply::StudyOver), "the held call ends");
    assert_eq!(script.search.study().ended, Some(Ended::MaxTrials));
    assert_eq!(
        script.ask(|reply_to| Event::Acquire { reply_to, worker: worker("a") }),
        Some(Reply::StudyOver)
    );
}

#[test]
fn executions_are_leased_side_by_side_and_averaged() {
    let settings = Settings { executions_per_trial: 2, max_trials: 1, ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    assert_eq!(script.acquire("a"), Some(id(0, 0, 1)));
    assert_eq!(script.acquire("b"), Some(id(0, 1, 1)));
    script.report(id(0, 1, 1), vec![accuracy(1, 0.25)]);
    script.complete(id(0, 1, 1), Outcome::Finished);
    assert_eq!(script.trial(0).state, TrialState::Running);
    script.report(id(0, 0, 1), vec![accuracy(1, 0.75)]);
    script.complete(id(0, 0, 1), Outcome::Finished);
    assert_eq!(script.trial(0).score, Some(0.5));
}

#[test]
fn a_silent_worker_loses_its_lease_and_the_execution_goes_to_the_next() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("a");
    script.pass(LEASE_MS - 1);
    assert_eq!(script.outcome(id(0, 0, 1)), None);
    script.pass(1);
    assert_eq!(
        script.outcome(id(0, 0, 1)),
        Some(&Outcome::WorkerLost { message: "not heard of for 20 s".to_owned() })
    );
    assert_eq!(script.acquire("b"), Some(id(0, 0, 2)), "a retry comes before a new trial");
}

#[test]
fn heartbeats_and_reports_keep_a_lease() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("a");
    for epoch in 1..5 {
        script.pass(LEASE_MS - 1);
        assert_eq!(script.heartbeat(id(0, 0, 1), "a"), Reply::Continue);
        script.pass(LEASE_MS - 1);
        assert_eq!(script.report(id(0, 0, 1), vec![accuracy(epoch, 0.1)]), Reply::Continue);
    }
    assert_eq!(script.outcome(id(0, 0, 1)), None);
}

#[test]
fn a_lost_worker_that_comes_back_in_time_goes_on() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("a");
    script.report(id(0, 0, 1), vec![accuracy(1, 0.5)]);
    script.pass(LEASE_MS);
    assert_eq!(script.heartbeat(id(0, 0, 1), "a"), Reply::Continue);
    assert_eq!(script.outcome(id(0, 0, 1)), None);
    assert_eq!(script.acquire("b"), Some(id(1, 0, 1)), "its execution is taken");
    script.complete(id(0, 0, 1), Outcome::Finished);
    assert_eq!(script.trial(0).score, Some(0.5));
}

#[test]
fn a_late_result_counts_while_no_newer_attempt_has_finished() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("a");
    script.report(id(0, 0, 1), vec![accuracy(1, 0.5)]);
    script.pass(LEASE_MS);
    assert_eq!(script.acquire("b"), Some(id(0, 0, 2)));
    script.report(id(0, 0, 2), vec![accuracy(1, 0.4)]);
    assert_eq!(script.complete(id(0, 0, 1), Outcome::Finished), Reply::Done);
    assert_eq!(script.trial(0).score, Some(0.5));
    assert_eq!(script.outcome(id(0, 0, 2)), Some(&Outcome::Superseded));
    assert_eq!(script.heartbeat(id(0, 0, 2), "b"), Reply::Stop, "the newer one is told to stop");
    assert_eq!(script.complete(id(0, 0, 2), Outcome::Finished), Reply::Done);
    assert_eq!(script.trial(0).score, Some(0.5), "and changes nothing");
}

#[test]
fn a_late_result_does_not_overwrite_its_successor() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("a");
    script.report(id(0, 0, 1), vec![accuracy(1, 0.9)]);
    script.pass(LEASE_MS);
    script.acquire("b");
    script.report(id(0, 0, 2), vec![accuracy(1, 0.4)]);
    script.complete(id(0, 0, 2), Outcome::Finished);
    assert_eq!(script.report(id(0, 0, 1), vec![accuracy(2, 0.95)]), Reply::Stop);
    assert_eq!(script.complete(id(0, 0, 1), Outcome::Finished), Reply::Done);
    assert_eq!(script.trial(0).score, Some(0.4));
    assert!(matches!(script.outcome(id(0, 0, 1)), Some(Outcome::WorkerLost { .. })));
}

#[test]
fn completing_twice_counts_once() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("a");
    script.report(id(0, 0, 1), vec![accuracy(1, 0.5)]);
    script.complete(id(0, 0, 1), Outcome::Finished);
    let records = script.records.len();
    assert_eq!(script.complete(id(0, 0, 1), Outcome::Finished), Reply::Done);
    assert_eq!(script.complete(id(0, 0, 1), error("late")), Reply::Done);
    assert_eq!(script.records.len(), records);
}

#[test]
fn measurements_sent_again_are_kept_once() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("a");
    script.report(id(0, 0, 1), vec![accuracy(1, 0.5), accuracy(2, 0.6)]);
    script.report(id(0, 0, 1), vec![accuracy(1, 0.5), accuracy(2, 0.6), accuracy(3, 0.7)]);
    assert_eq!(script.trial(0).executions[0].attempts[0].measurements.len(), 3);
}

#[test]
fn a_lost_answer_to_acquire_is_given_again() {
    let mut script = Script::new(settings(), units(20, 90));
    assert_eq!(script.acquire("a"), Some(id(0, 0, 1)));
    assert_eq!(script.acquire("a"), Some(id(0, 0, 1)));
    assert_eq!(script.search.study().trials.len(), 1);
}

#[test]
fn a_worker_that_asks_twice_gets_one_execution() {
    let mut script = Script::new(Settings { max_trials: 1, ..settings() }, units(20, 90));
    assert_eq!(script.acquire("a"), Some(id(0, 0, 1)));
    let ask = |reply_to| Event::Acquire { reply_to, worker: worker("b") };
    assert_eq!(script.event(ask(ReplyTo(70))), [], "held");
    // Over another connection: the first one has gone without a word.
    assert_eq!(script.event(ask(ReplyTo(71))), [(ReplyTo(70), Reply::Wait)]);
    let replies = script.pass(LEASE_MS);
    assert!(matches!(replies[..], [(ReplyTo(71), Reply::Assigned { .. })]), "{replies:?}");
    assert_eq!(script.search.leases.all(), [id(0, 0, 2)]);
}

#[test]
fn an_error_is_retried_and_then_fails_the_trial() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("a");
    script.complete(id(0, 0, 1), error("first"));
    assert_eq!(script.trial(0).state, TrialState::Waiting);
    assert_eq!(script.acquire("a"), Some(id(0, 0, 2)));
    script.complete(id(0, 0, 2), error("second"));
    assert_eq!(script.trial(0).state, TrialState::Failed);
    assert_eq!(script.trial(0).error.as_deref(), Some("second"));
    assert_eq!(script.acquire("a"), Some(id(1, 0, 1)), "the search goes on");
}

#[test]
fn consecutive_failures_end_the_study() {
    let settings = Settings { max_trials: 10, max_retries: 0, ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    for trial in 0..2 {
        script.acquire("a");
        script.complete(id(trial, 0, 1), error("broken"));
    }
    assert_eq!(script.search.study().ended, Some(Ended::ConsecutiveFailures));
    // Taken up again, it goes on with the count at zero.
    let mut script = script.restart(units(20, 90));
    assert_eq!(script.search.study().ended, None);
    assert_eq!(script.acquire("a"), Some(id(2, 0, 1)));
}

#[test]
fn a_success_between_failures_starts_the_count_anew() {
    let settings = Settings { max_trials: 4, max_retries: 0, ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    for trial in 0..4 {
        script.acquire("a");
        if trial % 2 == 1 {
            script.report(id(trial, 0, 1), vec![accuracy(1, 0.5)]);
            script.complete(id(trial, 0, 1), Outcome::Finished);
        } else {
            script.complete(id(trial, 0, 1), error("broken"));
        }
    }
    assert_eq!(script.search.study().ended, Some(Ended::MaxTrials));
}

#[test]
fn diverged_and_out_of_memory_are_not_tried_again() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("a");
    script
        .complete(id(0, 0, 1), Outcome::Diverged { message: "loss is NaN at epoch 3".to_owned() });
    assert_eq!(script.trial(0).state, TrialState::Failed);
    assert_eq!(script.trial(0).error.as_deref(), Some("diverged: loss is NaN at epoch 3"));
    script.acquire("a");
    script.complete(id(1, 0, 1), Outcome::OutOfMemory { message: "8 GiB".to_owned() });
    assert_eq!(script.trial(1).state, TrialState::Infeasible);
}

#[test]
fn finishing_without_a_score_is_not_finishing() {
    let settings =
        Settings { max_retries: 0, max_consecutive_failures: 9, max_trials: 3, ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    script.acquire("a");
    script.complete(id(0, 0, 1), Outcome::Finished);
    assert_eq!(script.trial(0).error.as_deref(), Some("finished without a measurement"));
    script.acquire("a");
    script.report(id(1, 0, 1), vec![accuracy(1, f64::NAN)]);
    script.complete(id(1, 0, 1), Outcome::Finished);
    assert_eq!(
        script.trial(1).error.as_deref(),
        Some("diverged: val_accuracy was never a finite number")
    );
    script.acquire("a");
    let metrics = [("loss", 0.5), ("accuracy", 0.5)].into_iter().collect();
    script.report(id(2, 0, 1), vec![Measurement { epoch: 1, metrics, seconds: 1.0 }]);
    script.complete(id(2, 0, 1), Outcome::Finished);
    assert_eq!(
        script.trial(2).error.as_deref(),
        Some("the objective `val_accuracy` is not among the metrics (loss, accuracy)")
    );
}

#[test]
fn infeasible_assignments_are_recorded_and_passed_over() {
    let settings = Settings { max_trials: 3, ..settings() };
    let mut script = Script::new(settings, units(12, 14));
    let mut trained = 0;
    while let Some(id) =
        match script.ask(|reply_to| Event::Acquire { reply_to, worker: worker("a") }) {
            Some(Reply::Assigned { id, .. }) => Some(id),
            Some(Reply::StudyOver) | None => None,
            other => panic!("{other:?}"),
        }
    {
        trained += 1;
        script.report(id, vec![accuracy(1, 0.5)]);
        script.complete(id, Outcome::Finished);
    }
    assert_eq!(trained, 2);
    let infeasible: Vec<_> = script
        .search
        .study()
        .trials
        .iter()
        .filter(|trial| trial.state == TrialState::Infeasible)
        .map(|trial| trial.error.as_deref())
        .collect();
    assert_eq!(infeasible, [Some("layer 1 `dense`: thirteen")]);
    assert_eq!(script.search.study().ended, Some(Ended::MaxTrials));
}

#[test]
fn a_finite_space_ends_when_all_of_it_was_tried() {
    let settings = Settings { max_trials: 50, ..settings() };
    let mut script = Script::new(settings, units(20, 22));
    for trial in 0..3 {
        assert_eq!(script.acquire("a"), Some(id(trial, 0, 1)));
        script.report(id(trial, 0, 1), vec![accuracy(1, 0.5)]);
        script.complete(id(trial, 0, 1), Outcome::Finished);
    }
    assert_eq!(
        script.ask(|reply_to| Event::Acquire { reply_to, worker: worker("a") }),
        Some(Reply::StudyOver)
    );
    assert_eq!(script.search.study().ended, Some(Ended::SpaceExhausted));
}

#[test]
fn an_execution_that_keeps_losing_workers_fails() {
    let mut script = Script::new(settings(), units(20, 90));
    for _ in 0..MAX_WORKER_LOSSES {
        script.acquire("a");
        script.pass(LEASE_MS);
    }
    assert_eq!(script.trial(0).state, TrialState::Failed);
    assert_eq!(
        script.trial(0).error.as_deref(),
        Some("its worker was lost 5 times, at last: not heard of for 20 s")
    );
}

#[test]
fn an_execution_that_kills_its_worker_twice_fails_and_the_search_goes_on() {
    let settings = Settings { max_retries: 0, ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    let message = "its process ended: signal: 9 (SIGKILL)".to_owned();
    let gone = |reply_to| {
        let name = "local-1".to_owned();
        Event::WorkerGone { reply_to, name, message: message.clone() }
    };
    assert_eq!(script.acquire("local-1"), Some(id(0, 0, 1)));
    assert_eq!(script.ask(gone), Some(Reply::Stop));
    assert_eq!(
        script.outcome(id(0, 0, 1)),
        Some(&Outcome::WorkerDied { message: message.clone() })
    );
    assert_eq!(script.trial(0).state, TrialState::Waiting);
    // One that merely was not heard of is another matter.
    assert_eq!(script.acquire("a"), Some(id(0, 0, 2)));
    script.pass(LEASE_MS);
    assert_eq!(script.acquire("local-1"), Some(id(0, 0, 3)));
    assert_eq!(script.ask(gone), Some(Reply::Stop));
    assert_eq!(script.trial(0).state, TrialState::Failed);
    assert_eq!(
        script.trial(0).error.as_deref(),
        Some("killed its worker twice: its process ended: signal: 9 (SIGKILL)")
    );
    // A worker without an execution has nothing to answer for.
    assert_eq!(script.ask(gone), Some(Reply::Done));
    assert_eq!(script.acquire("local-1"), Some(id(1, 0, 1)));
}

#[test]
fn leases_of_a_trial_that_expire_together_end_it_once() {
    let settings = Settings { executions_per_trial: 2, ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    for attempt in 1..MAX_WORKER_LOSSES as u32 {
        assert_eq!(script.acquire("a"), Some(id(0, 0, attempt)));
        script.pass(LEASE_MS);
    }
    script.acquire("a");
    assert_eq!(script.acquire("b"), Some(id(0, 1, 1)));
    script.pass(LEASE_MS);
    assert_eq!(script.trial(0).state, TrialState::Failed);
    assert_eq!(script.outcome(id(0, 1, 1)), Some(&Outcome::Superseded));
    assert_eq!(script.acquire("b"), Some(id(1, 0, 1)), "nothing of it is leased again");
}

#[test]
fn a_release_is_no_failure() {
    let settings = Settings { max_retries: 0, ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    for attempt in 1..20 {
        assert_eq!(script.acquire("a"), Some(id(0, 0, attempt)));
        script.complete(id(0, 0, attempt), Outcome::Released);
    }
    assert_eq!(script.trial(0).state, TrialState::Waiting);
}

#[test]
fn hours_end_the_study() {
    let settings = Settings { hours: Some(1.0), ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    script.acquire("a");
    for _ in 0..359 {
        script.pass(10_000);
        script.heartbeat(id(0, 0, 1), "a");
    }
    assert_eq!(script.search.study().ended, None);
    script.pass(10_000);
    assert_eq!(script.search.study().ended, Some(Ended::Hours));
    assert_eq!(script.heartbeat(id(0, 0, 1), "a"), Reply::Stop);
}

#[test]
fn an_epoch_limit_ends_the_study_when_the_last_full_training_has_ended() {
    let settings = Settings { epochs: Some(5), ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    script.acquire("a");
    script.acquire("b");
    let curve = |epochs: std::ops::RangeInclusive<u32>| {
        epochs.map(|epoch| accuracy(epoch, 0.5)).collect::<Vec<_>>()
    };
    assert_eq!(script.report(id(1, 0, 1), curve(1..=2)), Reply::Continue);
    assert_eq!(script.report(id(0, 0, 1), curve(1..=3)), Reply::Continue, "its last epoch");
    assert_eq!(script.outcome(id(1, 0, 1)), Some(&Outcome::Released));
    assert_eq!(script.report(id(1, 0, 1), curve(3..=3)), Reply::Stop);
    assert_eq!(script.acquire("c"), None);
    assert_eq!(script.search.study().ended, None, "a result is waited for");
    script.complete(id(0, 0, 1), Outcome::Finished);
    assert_eq!(script.trial(0).state, TrialState::Completed);
    let study = script.search.study();
    assert_eq!((study.ended, study.epochs_trained), (Some(Ended::Epochs), 5));
}

#[test]
fn an_epoch_limit_is_never_passed_and_may_be_raised() {
    let settings = Settings { epochs: Some(2), ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    script.acquire("a");
    let curve = vec![accuracy(1, 0.5), accuracy(2, 0.5), accuracy(3, 0.5)];
    assert_eq!(script.report(id(0, 0, 1), curve), Reply::Stop);
    let study = script.search.study();
    assert_eq!((study.ended, study.epochs_trained), (Some(Ended::Epochs), 2));

    let script = script.restart(units(20, 90));
    assert_eq!(script.search.study().ended, Some(Ended::Epochs), "the limit still holds");
    let mut study =
        Study::new(Settings { epochs: Some(9), ..script.search.study().settings.clone() });
    study.replay(&script.records).expect("records that were written");
    let mut script = Script::over(study, units(20, 90), script.records);
    assert_eq!(script.acquire("a"), Some(id(0, 0, 2)));
    script.report(id(0, 0, 2), vec![accuracy(1, 0.5)]);
    assert_eq!(script.search.study().epochs_trained, 3, "earlier attempts count");
}

#[test]
fn a_worker_that_dies_at_the_epoch_limit_is_not_waited_for_long() {
    let settings = Settings { epochs: Some(3), ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    script.acquire("a");
    script.report(id(0, 0, 1), (1..=3).map(|epoch| accuracy(epoch, 0.5)).collect());
    assert_eq!(script.search.study().ended, None);
    script.pass(LEASE_MS);
    assert_eq!(script.search.study().ended, Some(Ended::Epochs));
}

#[test]
fn a_network_that_a_changed_file_made_impossible_ends_its_trial() {
    let mut script = Script::new(settings(), units(13, 13));
    script.search.planner = Box::new(Everything);
    assert_eq!(script.acquire("b"), Some(id(0, 0, 1)));
    let Script { search, records, .. } = script;
    let mut study = Study::new(settings());
    study.replay(&records).expect("records that were written");
    drop(search);
    // The worker asks the new coordinator, which cannot plan `units: 13`.
    let mut script = Script::over(study, units(20, 90), records);
    script.heartbeat(id(0, 0, 1), "b");
    assert_eq!(script.acquire("b"), Some(id(1, 0, 1)), "it gets the next trial");
    assert_eq!(script.trial(0).state, TrialState::Infeasible);
    assert_eq!(script.trial(0).error.as_deref(), Some("layer 1 `dense`: thirteen"));
    // One that nobody has is passed over as well.
    let mut script = Script::new(settings(), units(13, 13));
    script.search.planner = Box::new(Everything);
    script.acquire("local-1");
    let mut study = Study::new(settings());
    study.replay(&script.records).expect("records that were written");
    let mut script = Script::over(study, units(20, 90), script.records);
    assert_eq!(script.acquire("c"), Some(id(1, 0, 1)));
    assert_eq!(script.trial(0).state, TrialState::Infeasible);
}

#[test]
fn an_interrupted_coordinator_leases_nothing_new() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("a");
    script.event(Event::Interrupt);
    assert_eq!(
        script.ask(|reply_to| Event::Acquire { reply_to, worker: worker("b") }),
        Some(Reply::Wait)
    );
    assert_eq!(script.heartbeat(id(0, 0, 1), "a"), Reply::Continue);
}

#[test]
fn a_call_is_not_held_for_ever() {
    let settings = Settings { max_trials: 1, ..settings() };
    let mut script = Script::new(settings, units(20, 90));
    script.acquire("a");
    assert_eq!(script.acquire("b"), None);
    script.heartbeat(id(0, 0, 1), "a");
    assert!(script.pass(ACQUIRE_HOLD_MS - 1).is_empty());
    assert_eq!(script.pass(1).len(), 1);
}

#[test]
fn attempts_that_were_never_leased_are_unknown() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("a");
    for id in [id(0, 0, 0), id(0, 0, 2), id(0, 1, 1), id(7, 0, 1), id(u32::MAX, u32::MAX, u32::MAX)]
    {
        assert_eq!(script.heartbeat(id, "a"), Reply::Unknown);
        assert_eq!(script.report(id, vec![accuracy(1, 0.5)]), Reply::Unknown);
        assert_eq!(script.complete(id, Outcome::Finished), Reply::Unknown);
    }
}

#[test]
fn a_restart_loses_local_workers_at_once_and_waits_for_others() {
    let mut script = Script::new(settings(), units(20, 90));
    script.acquire("local-1");
    script.acquire("elsewhere");
    let mut script = script.restart(units(20, 90));
    assert!(matches!(script.outcome(id(0, 0, 1)), Some(Outcome::WorkerLost { .. })));
    assert_eq!(script.outcome(id(1, 0, 1)), None);
    assert_eq!(script.acquire("local-1"), Some(id(0, 0, 2)));
    assert_eq!(script.heartbeat(id(1, 0, 1), "elsewhere"), Reply::Continue);
    script.pass(LEASE_MS);
    assert!(matches!(script.outcome(id(1, 0, 1)), Some(Outcome::WorkerLost { .. })));
}

#[test]
fn seeds_differ_between_executions_and_not_between_calls() {
    let seeds: std::collections::HashSet<u64> = (0..100)
        .flat_map(|trial| (0..4).map(move |execution| execution_seed(7, TrialId(trial), execution)))
        .collect();
    assert_eq!(seeds.len(), 400);
    assert_eq!(execution_seed(7, TrialId(3), 1), execution_seed(7, TrialId(3), 1));
    assert_ne!(execution_seed(8, TrialId(3), 1), execution_seed(7, TrialId(3), 1));
}

/// What a worker of a random script does next.
#[derive(Debug, Clone)]
enum Move {
    Acquire(usize),
    Report(usize),
    Finish(usize),
    Fail(usize),
    Die(usize),
    Restart,
    Pass(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => (0..3_usize).prop_map(Move::Acquire),
        4 => (0..3_usize).prop_map(Move::Report),
        3 => (0..3_usize).prop_map(Move::Finish),
        1 => (0..3_usize).prop_map(Move::Fail),
        1 => (0..3_usize).prop_map(Move::Die),
        1 => Just(Move::Restart),
        2 => (0..30_000_u64).prop_map(Move::Pass),
    ];
    proptest::collection::vec(one, 0..120)
}

proptest! {
    /// Whatever happens to the workers, the same trials are proposed in the
    /// same order, and a finished execution is never leased again.
    #[test]
    fn proposals_do_not_depend_on_what_happens(moves in moves()) {
        let settings = Settings { max_trials: 6, executions_per_trial: 2, max_consecutive_failures: 0, ..settings() };
        let space = || units(20, 90);
        let mut undisturbed = Study::new(settings.clone());
        let oracle = RandomSearch::new(space());
        for trial in 0..6 {
            let Suggestion::Trial(Proposal { hyperparameters, seed_state, name, stage }) = oracle.suggest(&undisturbed) else { panic!("a proposal") };
            let record = Record::TrialCreated { trial: TrialId(trial), hyperparameters, seed_state, name, stage };
            undisturbed.apply(&Stamped { at_ms: 0, record }).expect("a record");
        }
        let names = ["local-1", "b", "c"];
        let mut held: [Option<AttemptId>; 3] = [None; 3];
        let mut epochs = [0_u32; 3];
        let mut script = Script::new(settings, space());
        for next in moves {
            match next {
                Move::Acquire(who) => {
                    if held[who].is_none()
                        && let Some(Reply::Assigned { id, .. }) = script.ask(|reply_to| Event::Acquire { reply_to, worker: worker(names[who]) })
                    {
                        let execution = script.search.study().execution(id).expect("leased");
                        prop_assert_eq!(execution.finished_by, None);
                        held[who] = Some(id);
                        epochs[who] = 0;
                    }
                }
                Move::Report(who) => if let Some(id) = held[who] {
                    epochs[who] += 1;
                    if script.report(id, vec![accuracy(epochs[who], 0.5)]) == Reply::Stop { held[who] = None; }
                },
                Move::Finish(who) => if let Some(id) = held[who].take() {
                    prop_assert_eq!(script.complete(id, Outcome::Finished), Reply::Done);
                },
                Move::Fail(who) => if let Some(id) = held[who].take() {
                    prop_assert_eq!(script.complete(id, error("chance")), Reply::Done);
                },
                Move::Die(who) => held[who] = None,
                Move::Restart => { script = script.restart(space()); held[0] = None; }
                Move::Pass(ms) => { script.pass(ms); }
            }
            script.search.check_invariants();
        }
        for (trial, expected) in script.search.study().trials.iter().zip(&undisturbed.trials) {
            prop_assert_eq!(&trial.hyperparameters, &expected.hyperparameters);
        }
    }
}

#[test]
fn each_execution_validates_on_another_fold() {
    let on = |folds, execution| {
        let dataset = v1::Dataset { folds, ..v1::Dataset::default() };
        let specification = Specification { dataset: Some(dataset), ..Specification::default() };
        on_fold(specification, execution).dataset.expect("it has one").fold
    };
    assert_eq!([on(3, 0), on(3, 1), on(3, 2)], [1, 2, 3]);
    assert_eq!(on(0, 1), 0, "no folds");
}
