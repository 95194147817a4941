//! What happens next: the only place that decides.
//!
//! [`Search::decide`] takes one event and answers with records and replies. It
//! has no clock, no I/O and no randomness that is not passed in; the records
//! it returns are folded into its study already, and whoever calls it makes
//! them durable before sending a reply.

mod checkpoints;
mod choosing;
mod ending;
mod events;
mod watching;
mod weights;

use std::collections::VecDeque;

use sweep_proto::v1::Specification;

pub use self::ending::{MAX_HOST_FAILURES, MAX_WORKER_DEATHS, MAX_WORKER_LOSSES};
pub use self::events::{Decision, Event, Now, Reply, ReplyTo};
use super::hosts::Hosts;
use super::leases::{Leases, Worker};
use super::placement::Placement;
use super::workers::Workers;
use crate::oracle::{Oracle, Stopping};
use crate::space::HyperParameters;
use crate::study::{
    AttemptId, Ended, Measurement, Outcome, Record, Stage, Stamped, Study, TrialId, TrialState,
};

/// How long an unanswered `Acquire` is held, in milliseconds; less than the
/// minute after which proxies cut silent connections.
pub const ACQUIRE_HOLD_MS: u64 = 20_000;

/// Turns an assignment into what a worker trains.
pub trait Planner: Send {
    /// Concrete layers and numbers for an assignment.
    ///
    /// - `stage`: decides the number of epochs, if there is one
    ///
    /// # Errors
    ///
    /// Why no such network can exist, with the layer.
    fn plan(
        &self,
        hyperparameters: &HyperParameters,
        stage: Option<&Stage>,
    ) -> Result<Specification, String>;
}

/// A search under way.
pub struct Search {
    /// Folded from all records so far.
    study: Study,
    leases: Leases,
    /// For those who watch; decides nothing.
    workers: Workers,
    /// Which machines get no executions for now.
    hosts: Hosts,
    /// Which workers have the memory for which trials.
    placement: Placement,
    oracle: Box<dyn Oracle>,
    stopping: Option<Box<dyn Stopping>>,
    planner: Box<dyn Planner>,
    /// Length of a lease.
    lease_ms: u64,
    /// `Acquire` calls without an answer yet, and until when they are held.
    parked: VecDeque<(ReplyTo, Worker, u64)>,
    /// When `limits.hours` ends the study, on the monotonic clock.
    hours_end_ms: Option<u64>,
    exhausted: bool,
    interrupted: bool,
}

/// One decision in the making.
struct Step<'a> {
    search: &'a mut Search,
    now: Now,
    decision: Decision,
}

impl Search {
    /// Takes a study up, new or read back from the store. Attempts that were
    /// open get one lease's time to be heard of.
    #[must_use]
    pub fn new(
        study: Study,
        oracle: Box<dyn Oracle>,
        stopping: Option<Box<dyn Stopping>>,
        planner: Box<dyn Planner>,
        lease_ms: u64,
        now: Now,
    ) -> Self {
        let leases = Leases::of(&study, now.monotonic_ms + lease_ms);
        let hours_end_ms =
            study.settings.hours.map(|hours| now.monotonic_ms + (hours * 3_600_000.0) as u64);
        Self {
            study,
            leases,
            workers: Workers::default(),
            hosts: Hosts::default(),
            placement: Placement::new(lease_ms, now.monotonic_ms),
            oracle,
            stopping,
            planner,
            lease_ms,
            parked: VecDeque::new(),
            hours_end_ms,
            exhausted: false,
            interrupted: false,
        }
    }

    /// The study as of the last event.
    #[must_use]
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// The first records of a coordinator: it has taken the study up, and the
    /// attempts of workers that cannot have outlived its predecessor are lost.
    pub fn start(&mut self, now: Now, version: &str, is_gone: impl Fn(&str) -> bool) -> Decision {
        let mut step = Step { search: self, now, decision: Decision::default() };
        step.record(Record::Started { version: version.to_owned() });
        for id in step.search.leases.of_worker(is_gone) {
            step.lose_worker(id, "the coordinator that had started it ended");
        }
        step.end_study_if_over();
        step.heed_epoch_limit();
        step.drop_checkpoints();
        step.decision
    }

    /// Decides what comes of one event.
    pub fn decide(&mut self, now: Now, event: Event) -> Decision {
        let mut step = Step { search: self, now, decision: Decision::default() };
        match event {
            Event::Acquire { reply_to, worker } => step.on_acquire(reply_to, worker),
            Event::Heartbeat { reply_to, id, worker } => {
                step.on_heartbeat(reply_to, id, &worker);
            }
            Event::Report { reply_to, id, instance, measurements } => {
                step.on_report(reply_to, id, instance, measurements);
            }
            Event::WeightsOffered { reply_to, id, instance } => {
                step.on_weights_offered(reply_to, id, instance);
            }
            Event::CheckpointStored { reply_to, id, checkpoint } => {
                step.on_checkpoint_stored(reply_to, id, checkpoint);
            }
            Event::CheckpointLost { checkpoint } => step.on_checkpoint_lost(checkpoint),
            Event::Complete { reply_to, id, instance, outcome } => {
                step.on_complete(reply_to, id, instance, outcome);
            }
            Event::Undelivered { id } => step.on_undelivered(id),
            Event::WorkerGone { reply_to, name, message } => {
                step.on_worker_gone(reply_to, &name, &message);
            }
            Event::Tick => step.on_tick(),
            Event::Interrupt => step.search.interrupted = true,
        }
        step.heed_epoch_limit();
        step.serve_parked();
        step.drop_checkpoints();
        step.decision
    }

    /// Panics when the study and the leases contradict each other.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        assert_eq!(
            *self.study.tally(),
            crate::study::Tally::of(&self.study),
            "what is counted is what there is"
        );
        for id in self.leases.all() {
            let attempt = self.study.attempt(id).expect("a leased attempt exists");
            assert_eq!(attempt.outcome, None, "a leased attempt is open: {id:?}");
            assert!(!self.study.trials[id.trial.0 as usize].has_ended());
        }
        for (id, checkpoint) in &self.study.checkpoints {
            let attempt = self.study.attempt(*id).expect("who made a checkpoint exists");
            assert!(checkpoint.epoch <= attempt.epochs(), "it was measured up to there");
        }
        if matches!(self.study.ended, Some(Ended::MaxTrials | Ended::SpaceExhausted)) {
            assert!(self.study.checkpoints.is_empty(), "nothing starts from them any more");
        }
        for trial in &self.study.trials {
            let is_scored = matches!(trial.state, TrialState::Completed | TrialState::Stopped);
            assert_eq!(trial.score.is_some(), is_scored);
            for execution in &trial.executions {
                let finished = execution
                    .attempts
                    .iter()
                    .filter(|attempt| attempt.outcome == Some(Outcome::Finished))
                    .count();
                assert_eq!(finished, usize::from(execution.finished_by.is_some()));
                for attempt in &execution.attempts {
                    let epochs = attempt.measurements.iter().map(|measured| measured.epoch);
                    assert!(epochs.is_sorted_by(|a, b| a < b), "an epoch counts once");
                }
                if trial.has_ended() {
                    assert!(execution.attempts.iter().all(|attempt| attempt.outcome.is_some()));
                }
            }
        }
    }
}

impl Step<'_> {
    fn on_acquire(&mut self, reply_to: ReplyTo, worker: Worker) {
        self.hear_of_worker(&worker);
        self.end_earlier_call(&worker);
        // An answer that was lost on its way: the same attempt again.
        if let Some(id) = self.search.leases.held_by(&worker) {
            let deadline_ms = self.deadline_ms();
            self.search.leases.renew(id, worker.instance, deadline_ms);
            if self.assign(reply_to, id) {
                return;
            }
        }
        let until_ms = self.now.monotonic_ms + ACQUIRE_HOLD_MS;
        self.search.parked.push_back((reply_to, worker, until_ms));
    }

    /// A worker asks for one execution at a time. If its earlier call, which it has
    /// given up, were answered too, that execution would be in nobody's hands.
    fn end_earlier_call(&mut self, worker: &Worker) {
        let is_same = |(_, other, _): &(ReplyTo, Worker, u64)| {
            other.instance == worker.instance && other.name == worker.name
        };
        if let Some(index) = self.search.parked.iter().position(is_same)
            && let Some((reply_to, ..)) = self.search.parked.remove(index)
        {
            self.reply(reply_to, Reply::Wait);
        }
    }

    fn on_heartbeat(&mut self, reply_to: ReplyTo, id: AttemptId, worker: &Worker) {
        let reply = self.hear_of(id, worker.instance);
        if !matches!(reply, Reply::Unknown | Reply::NotYours) {
            self.hear_of_worker(worker);
            if self.search.leases.is_open(id) {
                self.search.hosts.holds(id, &worker.machine);
            }
        }
        self.reply(reply_to, reply);
    }

    fn on_report(
        &mut self,
        reply_to: ReplyTo,
        id: AttemptId,
        instance: u64,
        measurements: Vec<Measurement>,
    ) {
        let mut reply = self.hear_of(id, instance);
        for measurement in measurements {
            if reply != Reply::Continue {
                break;
            }
            let attempt = self.search.study.attempt(id).expect("just heard of");
            if measurement.epoch > attempt.epochs() {
                self.record(Record::Measured { id, measurement });
                if self.is_not_worth_it(id) {
                    self.stop_trial(id);
                    reply = Reply::Stop;
                } else if self.search.study.is_at_epoch_limit() && self.has_epochs_to_go(id) {
                    // Given back once the whole event is decided.
                    reply = Reply::Stop;
                }
            }
        }
        self.reply(reply_to, reply);
    }

    /// Whether the stopping rule, if there is one, ends the attempt's trial.
    fn is_not_worth_it(&self, id: AttemptId) -> bool {
        let search = &self.search;
        search.stopping.as_ref().is_some_and(|stopping| stopping.judge(&search.study, id))
    }

    /// Ends a trial early, with the score that it has reached.
    fn stop_trial(&mut self, id: AttemptId) {
        self.search.leases.end(id);
        self.record(Record::AttemptEnded { id, outcome: Outcome::Stopped });
        let study = &self.search.study;
        let score = study.trials[id.trial.0 as usize].score_so_far(&study.settings.objective);
        match score {
            Some(_) => self.end_trial(id.trial, TrialState::Stopped, score, None),
            None => {
                let error = Some("stopped early without a number to its name".to_owned());
                self.end_trial(id.trial, TrialState::Failed, None, error);
            }
        }
    }

    fn on_complete(&mut self, reply_to: ReplyTo, id: AttemptId, instance: u64, outcome: Outcome) {
        let Some(attempt) = self.search.study.attempt(id) else {
            self.reply(reply_to, Reply::Unknown);
            return;
        };
        if self.search.leases.is_of_another(id, instance) {
            self.reply(reply_to, Reply::NotYours);
            return;
        }
        let workers = &mut self.search.workers;
        if outcome == Outcome::Released {
            workers.forget(&attempt.worker, instance);
        } else {
            workers.hear_again(&attempt.worker, instance, self.now);
        }
        let is_wanted = self.is_wanted(id);
        let is_news = match attempt.outcome {
            None => true,
            // Late, but nobody else has finished.
            Some(Outcome::WorkerLost { .. }) => is_wanted && outcome == Outcome::Finished,
            Some(_) => false,
        };
        self.reply(reply_to, Reply::Done);
        if !is_news {
            return;
        }
        let outcome = if is_wanted { self.checked(id, outcome) } else { Outcome::Superseded };
        self.end_attempt(id, outcome);
    }

    fn on_undelivered(&mut self, id: AttemptId) {
        if self.search.leases.is_open(id) {
            self.end_attempt(id, Outcome::Released);
        }
    }

    /// Replies [`Reply::Stop`] if the worker had an execution, of which it may have
    /// died, or left because executions fail on this machine, else [`Reply::Done`].
    fn on_worker_gone(&mut self, reply_to: ReplyTo, name: &str, message: &str) {
        let Search { workers, hosts, leases, .. } = &mut *self.search;
        let is_excused = workers.hosts_of(name).any(|host| !hosts.is_trusted(host));
        workers.forget_all(name);
        let held = leases.of_worker(|worker| worker == name);
        let is_idle = held.is_empty() && !is_excused;
        self.reply(reply_to, if is_idle { Reply::Done } else { Reply::Stop });
        for id in held {
            self.end_attempt(id, Outcome::WorkerDied { message: message.to_owned() });
        }
    }

    fn on_tick(&mut self) {
        for id in self.search.leases.expired(self.now.monotonic_ms) {
            let seconds = self.search.lease_ms / 1000;
            self.lose_worker(id, &format!("not heard of for {seconds} s"));
        }
        self.search.workers.forget_silent(self.search.lease_ms, self.now);
        let news = self.search.placement.news(self.now.monotonic_ms);
        self.decision.warnings.extend(news);
        let over = self.search.hours_end_ms.is_some_and(|end| end <= self.now.monotonic_ms);
        if over && self.search.study.ended.is_none() {
            self.end_study(Ended::Hours);
        }
    }

    /// Once `limits.epochs` is reached, attempts with epochs to go are given
    /// back. One that has measured its last epoch is waited for, so that it
    /// counts; then the study ends.
    fn heed_epoch_limit(&mut self) {
        if self.search.study.ended.is_some() || !self.search.study.is_at_epoch_limit() {
            return;
        }
        for id in self.search.leases.all() {
            if self.has_epochs_to_go(id) {
                self.end_attempt(id, Outcome::Released);
            }
        }
        if self.search.leases.all().is_empty() {
            self.end_study(Ended::Epochs);
        }
    }

    /// Whether an attempt has not measured the last epoch that it was planned with.
    fn has_epochs_to_go(&self, id: AttemptId) -> bool {
        let study = &self.search.study;
        let trial = &study.trials[id.trial.0 as usize];
        let plan = self.search.planner.plan(&trial.hyperparameters, trial.stage.as_ref());
        let planned = plan.ok().and_then(|plan| plan.training).map_or(0, |plan| plan.epochs);
        study.attempt(id).is_some_and(|attempt| attempt.epochs() < planned)
    }

    /// A sign of life: renews the lease, or takes a lost attempt up again if
    /// nobody else has its execution yet.
    fn hear_of(&mut self, id: AttemptId, instance: u64) -> Reply {
        let deadline_ms = self.deadline_ms();
        let Some(attempt) = self.search.study.attempt(id) else { return Reply::Unknown };
        if self.search.leases.is_of_another(id, instance) {
            return Reply::NotYours;
        }
        let was_lost = matches!(attempt.outcome, Some(Outcome::WorkerLost { .. }));
        let name = attempt.worker.clone();
        self.search.workers.hear_again(&name, instance, self.now);
        if !self.is_wanted(id) {
            return Reply::Stop;
        }
        if self.search.leases.renew(id, instance, deadline_ms) {
            return Reply::Continue;
        }
        if !was_lost {
            return Reply::Stop; // failed or given back
        }
        if self.search.leases.withdraw(id.trial, id.execution) {
            self.record(Record::AttemptResumed { id });
            let worker = Worker { name, instance, ..Worker::default() };
            self.search.leases.grant(id, &worker, deadline_ms);
        }
        // Else a newer attempt is under way: whoever finishes first counts.
        Reply::Continue
    }

    /// Whether a result of this attempt could still count.
    fn is_wanted(&self, id: AttemptId) -> bool {
        let study = &self.search.study;
        let trial = &study.trials[id.trial.0 as usize];
        study.ended.is_none()
            && !trial.has_ended()
            && trial.executions[id.execution as usize].finished_by.is_none()
    }

    /// A finished attempt without a score has not finished.
    fn checked(&self, id: AttemptId, outcome: Outcome) -> Outcome {
        let study = &self.search.study;
        let objective = &study.settings.objective;
        let attempt = study.attempt(id).expect("an attempt that ends exists");
        if outcome != Outcome::Finished || attempt.best(objective).is_some() {
            return outcome;
        }
        let Some(last) = attempt.measurements.last() else {
            return Outcome::Error { message: "finished without a measurement".to_owned() };
        };
        match objective.metrics().find(|(metric, _)| last.get(metric).is_none()) {
            None => Outcome::Diverged {
                message: format!("{} was never a finite number", objective.metric),
            },
            Some((metric, _)) => {
                let names: Vec<&str> = last.metrics.iter().map(|(name, _)| name).collect();
                let names = names.join(", ");
                Outcome::Error {
                    message: format!("the objective `{metric}` is not among the metrics ({names})"),
                }
            }
        }
    }

    fn record(&mut self, record: Record) {
        let stamped = Stamped { at_ms: self.now.unix_ms, record };
        let Search { study, hosts, placement, .. } = &mut *self.search;
        self.decision.warnings.extend(hosts.follow(&stamped.record, self.now.monotonic_ms));
        if let Record::TrialEnded { trial, .. } = &stamped.record {
            placement.ended(*trial);
        }
        study.apply(&stamped).expect("a record made from the study fits the study");
        self.decision.records.push(stamped);
    }

    fn reply(&mut self, reply_to: ReplyTo, reply: Reply) {
        self.decision.replies.push((reply_to, reply));
    }

    fn deadline_ms(&self) -> u64 {
        self.now.monotonic_ms + self.search.lease_ms
    }
}

/// Seeds an execution's training: the same in every attempt, different in
/// every execution (SplitMix64 over seed, trial and execution).
#[must_use]
pub fn execution_seed(seed: u64, trial: TrialId, execution: u32) -> u64 {
    let position = (u64::from(trial.0) << 32) | u64::from(execution);
    let mut mixed = seed ^ position.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) >> 1 // fits libtorch's signed seeds
}

#[cfg(test)]
mod tests;
