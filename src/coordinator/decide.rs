//! What happens next: the only place that decides.
//!
//! [`Search::decide`] takes one event and answers with records and replies. It
//! has no clock, no I/O and no randomness that is not passed in; the records
//! it returns are folded into its study already, and whoever calls it makes
//! them durable before sending a reply.

mod checkpoints;
mod choosing;
mod watching;
mod weights;

use std::collections::VecDeque;

use sweep_proto::v1::Specification;

use self::choosing::Next;
use super::hosts::Hosts;
use super::leases::{Leases, Worker};
use super::placement::Placement;
use super::workers::Workers;
use crate::oracle::{Oracle, Proposal, Stopping, Suggestion};
use crate::space::HyperParameters;
use crate::study::{
    AttemptId, Checkpoint, CheckpointId, Ended, Measurement, Outcome, Record, Stage, Stamped,
    Study, TrialId, TrialState,
};

/// An execution whose workers were not heard of any more so often is not leased
/// again. Machines and networks may be to blame, so there is some patience.
pub const MAX_WORKER_LOSSES: usize = 5;

/// An execution in which worker processes ended so often is not leased again: it
/// kills them.
pub const MAX_WORKER_DEATHS: usize = 2;

/// An execution that failed for its workers' hosts' reasons so often is not leased
/// again: it may be what the hosts do not bear.
pub const MAX_HOST_FAILURES: usize = 5;

/// How long an unanswered `Acquire` is held, in milliseconds; less than the
/// minute after which proxies cut silent connections.
pub const ACQUIRE_HOLD_MS: u64 = 20_000;

/// The time, as far as decisions need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the Unix epoch, for records.
    pub unix_ms: u64,
    /// Milliseconds on a clock that never jumps, for deadlines.
    pub monotonic_ms: u64,
}

/// Names the caller that waits for a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplyTo(pub u64);

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A worker asks for an execution.
    Acquire {
        /// Who waits.
        reply_to: ReplyTo,
        /// The worker.
        worker: Worker,
    },
    /// A worker is still at it.
    Heartbeat {
        /// Who waits.
        reply_to: ReplyTo,
        /// Its attempt.
        id: AttemptId,
        /// The worker.
        worker: Worker,
    },
    /// A worker has measured epochs.
    Report {
        /// Who waits.
        reply_to: ReplyTo,
        /// Its attempt.
        id: AttemptId,
        /// The worker's process.
        instance: u64,
        /// In the order of epochs; those known already are ignored.
        measurements: Vec<Measurement>,
    },
    /// A worker has trained weights, and would hand them in.
    WeightsOffered {
        /// Who waits.
        reply_to: ReplyTo,
        /// Its attempt, which has measured all its epochs.
        id: AttemptId,
        /// The worker's process.
        instance: u64,
    },
    /// A worker has handed in a checkpoint, and its file is stored.
    CheckpointStored {
        /// Who waits.
        reply_to: ReplyTo,
        /// The attempt that made it.
        id: AttemptId,
        /// What was stored.
        checkpoint: Checkpoint,
    },
    /// The file of a checkpoint is gone.
    CheckpointLost {
        /// Which one.
        checkpoint: CheckpointId,
    },
    /// A worker is done with an attempt.
    Complete {
        /// Who waits.
        reply_to: ReplyTo,
        /// Its attempt.
        id: AttemptId,
        /// The worker's process.
        instance: u64,
        /// How it ended.
        outcome: Outcome,
    },
    /// Who was to be told of a lease has left meanwhile.
    Undelivered {
        /// The lease.
        id: AttemptId,
    },
    /// A local worker's process ended.
    WorkerGone {
        /// Who waits.
        reply_to: ReplyTo,
        /// Name of the worker.
        name: String,
        /// How its process ended, and what it said last.
        message: String,
    },
    /// Time has passed.
    Tick,
    /// The user wants to leave: nothing new is leased.
    Interrupt,
}

/// What a caller is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Train this.
    Assigned {
        /// The lease.
        id: AttemptId,
        /// What to train.
        specification: Box<Specification>,
        /// Seeds everything random.
        seed: u64,
        /// Where to go on, and the attempt that made it; absent: at epoch 1.
        checkpoint: Option<(AttemptId, Checkpoint)>,
        /// Whether to hand in a checkpoint made after the last epoch.
        keep_checkpoint: bool,
    },
    /// Nothing at present; ask again.
    Wait,
    /// Nothing any more.
    StudyOver,
    /// Go on.
    Continue,
    /// Nobody waits for this attempt any more.
    Stop,
    /// Noted.
    Done,
    /// No such attempt was ever leased.
    Unknown,
    /// The attempt was leased to another worker.
    NotYours,
}

/// What comes of an event.
#[derive(Debug, Default, PartialEq)]
pub struct Decision {
    /// To be made durable, in this order, before any reply is sent.
    pub records: Vec<Stamped>,
    /// To be sent after that.
    pub replies: Vec<(ReplyTo, Reply)>,
    /// To be told to the user after that.
    pub warnings: Vec<String>,
}

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

    /// Answers the parked `Acquire` calls as far as there is an answer.
    fn serve_parked(&mut self) {
        // Whom nothing of what there is suits; they keep their places.
        let mut passed_over = VecDeque::new();
        while let Some((reply_to, worker, until_ms)) = self.search.parked.pop_front() {
            let answer = if self.search.study.ended.is_some() {
                Some(Reply::StudyOver)
            } else if self.search.interrupted {
                Some(Reply::Wait)
            } else {
                let next = self.next_execution(&worker);
                if let Next::Execution(trial, execution) = next {
                    let id = self.start_attempt(trial, execution, &worker);
                    if !self.assign(reply_to, id) {
                        self.search.parked.push_front((reply_to, worker, until_ms));
                    }
                    continue;
                }
                if self.search.study.ended.is_some() {
                    Some(Reply::StudyOver)
                } else if until_ms <= self.now.monotonic_ms {
                    Some(Reply::Wait)
                } else if next == Next::NotForThisWorker {
                    passed_over.push_back((reply_to, worker, until_ms));
                    continue;
                } else {
                    None
                }
            };
            match answer {
                Some(answer) => self.reply(reply_to, answer),
                None => {
                    // The next one waits no less, but may have been held longer.
                    self.search.parked.push_front((reply_to, worker, until_ms));
                    break;
                }
            }
        }
        for waiting in passed_over.into_iter().rev() {
            self.search.parked.push_front(waiting);
        }
    }

    /// Creates the next trial; `None` when there is none to create.
    fn propose(&mut self) -> Option<()> {
        let study = &self.search.study;
        if study.ended.is_some()
            || self.search.exhausted
            || study.trials.len() >= study.settings.max_trials as usize
        {
            return None;
        }
        let proposal = match self.search.oracle.suggest(study) {
            Suggestion::Trial(proposal) => proposal,
            Suggestion::Wait if !study.all_have_ended() => return None,
            Suggestion::Wait | Suggestion::Exhausted => {
                self.search.exhausted = true;
                self.end_study_if_over();
                return None;
            }
        };
        let trial = TrialId(u32::try_from(study.trials.len()).expect("max_trials is a u32"));
        let Proposal { hyperparameters, seed_state, name, stage } = proposal;
        let plan = self.search.planner.plan(&hyperparameters, stage.as_ref());
        self.record(Record::TrialCreated { trial, hyperparameters, seed_state, name, stage });
        match plan {
            Ok(_) => {
                for execution in 0..self.search.study.settings.executions_per_trial {
                    self.search.leases.enqueue(trial, execution, true);
                }
            }
            Err(reason) => self.end_trial(trial, TrialState::Infeasible, None, Some(reason)),
        }
        Some(())
    }

    fn start_attempt(&mut self, trial: TrialId, execution: u32, worker: &Worker) -> AttemptId {
        let known = &self.search.study.trials[trial.0 as usize].executions[execution as usize];
        let attempt = u32::try_from(known.attempts.len()).expect("attempts are bounded") + 1;
        let id = AttemptId { trial, execution, attempt };
        let from = self.checkpoint_to_start_from(trial, execution);
        self.search.hosts.began(id, &worker.machine);
        self.search.placement.leased(trial);
        self.record(Record::AttemptStarted { id, worker: worker.name.clone(), from });
        let deadline_ms = self.deadline_ms();
        self.search.leases.grant(id, worker, deadline_ms);
        id
    }

    /// Tells a worker what to train. Where the experiment file was changed so
    /// that the trial's network cannot be built any more, ends the trial and
    /// returns `false`.
    fn assign(&mut self, reply_to: ReplyTo, id: AttemptId) -> bool {
        let search = &self.search;
        let trial = &search.study.trials[id.trial.0 as usize];
        let plan = search.planner.plan(&trial.hyperparameters, trial.stage.as_ref());
        let specification = match plan {
            Ok(specification) => Box::new(on_fold(specification, id.execution)),
            Err(message) => {
                self.end_attempt(id, Outcome::Infeasible { message });
                return false;
            }
        };
        let reply = Reply::Assigned {
            id,
            specification,
            seed: self.seed_of(id.trial, id.execution),
            checkpoint: self.leased_checkpoint(id),
            keep_checkpoint: self.keeps_checkpoints(id.trial),
        };
        self.reply(reply_to, reply);
        true
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

    /// Does nothing when the lease has ended meanwhile, with its trial for example.
    fn lose_worker(&mut self, id: AttemptId, message: &str) {
        if !self.search.leases.is_open(id) {
            return;
        }
        self.search.leases.lose(id);
        self.end_attempt(id, Outcome::WorkerLost { message: message.to_owned() });
    }

    /// Ends an attempt, and with it, if it is time, its execution and its trial.
    fn end_attempt(&mut self, id: AttemptId, outcome: Outcome) {
        self.search.leases.end(id);
        let machine = self.search.hosts.of(id).cloned().unwrap_or_default();
        self.record(Record::AttemptEnded { id, outcome: outcome.clone() });
        let trial = id.trial;
        match outcome {
            // `stop_trial` ends the trial itself.
            Outcome::Superseded | Outcome::Stopped => {}
            Outcome::Finished => {
                self.search.leases.withdraw(trial, id.execution);
                self.supersede(self.search.leases.of_execution(trial, id.execution));
                self.score_if_complete(trial);
            }
            Outcome::Released => self.wait_again(id),
            Outcome::Error { message } => {
                let failures =
                    self.count_attempts(id, |outcome| matches!(outcome, Outcome::Error { .. }));
                if failures > self.search.study.settings.max_retries as usize {
                    self.end_trial(trial, TrialState::Failed, None, Some(message));
                } else {
                    self.wait_again(id);
                }
            }
            Outcome::WorkerLost { message } => {
                let losses = self
                    .count_attempts(id, |outcome| matches!(outcome, Outcome::WorkerLost { .. }));
                if losses >= MAX_WORKER_LOSSES {
                    let error = format!("its worker was lost {losses} times, at last: {message}");
                    self.end_trial(trial, TrialState::Failed, None, Some(error));
                } else {
                    self.wait_again(id);
                }
            }
            Outcome::WorkerDied { message } => {
                let deaths = self
                    .count_attempts(id, |outcome| matches!(outcome, Outcome::WorkerDied { .. }));
                if deaths >= MAX_WORKER_DEATHS {
                    let error = format!("killed its worker twice: {message}");
                    self.end_trial(trial, TrialState::Failed, None, Some(error));
                } else {
                    self.wait_again(id);
                }
            }
            Outcome::HostFailed { message } => {
                let failures = self
                    .count_attempts(id, |outcome| matches!(outcome, Outcome::HostFailed { .. }));
                if failures >= MAX_HOST_FAILURES {
                    let error = format!("its machine failed {failures} times, at last: {message}");
                    self.end_trial(trial, TrialState::Failed, None, Some(error));
                } else {
                    self.wait_again(id);
                }
            }
            Outcome::Diverged { message } => {
                let error = format!("diverged: {message}");
                self.end_trial(trial, TrialState::Failed, None, Some(error));
            }
            Outcome::OutOfMemory { .. }
                if self.search.placement.ran_out(trial, &machine, self.now.monotonic_ms) =>
            {
                self.wait_again(id);
            }
            Outcome::OutOfMemory { message } => {
                let error = format!("out of memory: {message}");
                self.end_trial(trial, TrialState::Infeasible, None, Some(error));
            }
            Outcome::Infeasible { message } => {
                self.end_trial(trial, TrialState::Infeasible, None, Some(message));
            }
        }
    }

    /// Back to the queue, unless another attempt of the execution is open.
    fn wait_again(&mut self, id: AttemptId) {
        if self.search.study.ended.is_none()
            && self.search.leases.of_execution(id.trial, id.execution).is_empty()
        {
            self.search.leases.enqueue(id.trial, id.execution, false);
        }
    }

    fn supersede(&mut self, ids: Vec<AttemptId>) {
        for id in ids {
            self.search.leases.end(id);
            self.record(Record::AttemptEnded { id, outcome: Outcome::Superseded });
        }
    }

    fn count_attempts(&self, id: AttemptId, fits: impl Fn(&Outcome) -> bool) -> usize {
        let execution = self.search.study.execution(id).expect("an attempt that ends exists");
        execution
            .attempts
            .iter()
            .filter(|attempt| attempt.outcome.as_ref().is_some_and(&fits))
            .count()
    }

    /// The score of a trial whose executions are all there: the mean over
    /// executions of the best epoch by the objective.
    fn score_if_complete(&mut self, trial: TrialId) {
        let study = &self.search.study;
        let known = &study.trials[trial.0 as usize];
        if known.executions.iter().all(|execution| execution.finished_by.is_some()) {
            let score = known.score_so_far(&study.settings.objective);
            self.end_trial(trial, TrialState::Completed, score, None);
        }
    }

    fn end_trial(
        &mut self,
        trial: TrialId,
        state: TrialState,
        score: Option<f64>,
        error: Option<String>,
    ) {
        self.supersede(self.search.leases.of_trial(trial));
        for execution in 0..self.search.study.settings.executions_per_trial {
            self.search.leases.withdraw(trial, execution);
        }
        self.search.leases.forget_lost(trial);
        self.record(Record::TrialEnded { trial, state, score, error });
        self.end_study_if_over();
    }

    fn end_study_if_over(&mut self) {
        let study = &self.search.study;
        let settings = &study.settings;
        let limit = settings.max_consecutive_failures;
        if study.ended.is_some() {
            return;
        }
        if limit > 0 && study.consecutive_failures >= limit {
            self.end_study(Ended::ConsecutiveFailures);
        } else if study.trials.len() >= settings.max_trials as usize && study.all_have_ended() {
            self.end_study(Ended::MaxTrials);
        } else if self.search.exhausted && study.all_have_ended() {
            self.end_study(Ended::SpaceExhausted);
        }
    }

    /// Attempts under way are given back, so that a later run can go on with them.
    fn end_study(&mut self, reason: Ended) {
        for id in self.search.leases.all() {
            self.search.leases.end(id);
            self.record(Record::AttemptEnded { id, outcome: Outcome::Released });
        }
        self.record(Record::StudyEnded { reason });
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

/// The specification of an execution, which validates on the fold of its number
/// where there are folds.
fn on_fold(mut specification: Specification, execution: u32) -> Specification {
    if let Some(dataset) = &mut specification.dataset
        && let Some(fold) = execution.checked_rem(dataset.folds)
    {
        dataset.fold = fold + 1;
    }
    specification
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
