//! One attempt, from its assignment to its end.
//!
//! Two things go on side by side: heartbeats, and the work itself (dataset and
//! checkpoint, training and reporting, uploads, `Complete`). Whichever first has a reason to
//! end the attempt ends it; then the trainer is told to stop and waited for.
//! `Complete` is sent only after every measurement was acknowledged and what
//! was trained was handed in.
//!
//! A worker that is to leave goes on a little: its trainer leaves off after the
//! step that it is at, the checkpoint is handed in, and the lease is given back.
//! If there is no time for that, the lease is given back without.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sweep_proto::v1::complete_request::Outcome;
use sweep_proto::v1::uploaded_file::Content;
use sweep_proto::v1::{
    self, Assignment, AttemptId, BestWeights, Failed, FailureKind, Finished, Position, Released,
    Specification, Verdict,
};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::Code;
use tracing::{info, warn};

use crate::checkpoint::fetch_checkpoint;
use crate::dataset::{self, Cache, DatasetError};
use crate::error::{CallError, SessionError};
use crate::fetching::FetchError;
use crate::link::{Call, Link};
use crate::reporting::report_all;
use crate::session::{Departure, told};
use crate::trainer::{Checkpoint, Ending, Execution, Failure, Trained};
use crate::training::{Steering, Training, TrainingThread};

/// Least time between heartbeats, whatever the coordinator asks for.
const LEAST_HEARTBEAT: Duration = Duration::from_millis(10);

/// How long a worker that leaves at once goes on with what needs others: handing
/// in a result, giving a lease back, stopping the trainer. Schedulers kill after
/// 30 s and more. One that leaves with a checkpoint keeps as much of its grace
/// for giving the lease back, or half of it if there is not so much.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// An assignment with all its parts.
#[derive(Debug)]
pub(crate) struct Lease {
    id: AttemptId,
    specification: Specification,
    seed: u64,
    heartbeat: Duration,
    /// Where training goes on.
    checkpoint: Option<v1::Checkpoint>,
    keep_checkpoint: bool,
}

impl TryFrom<Assignment> for Lease {
    type Error = SessionError;

    fn try_from(assignment: Assignment) -> Result<Self, SessionError> {
        let missing =
            |part| SessionError::Protocol { message: format!("assignment without {part}") };
        let heartbeat = Duration::from_millis(assignment.heartbeat_ms.into());
        Ok(Self {
            id: assignment.id.ok_or_else(|| missing("attempt"))?,
            specification: assignment.specification.ok_or_else(|| missing("specification"))?,
            seed: assignment.seed,
            heartbeat: heartbeat.max(LEAST_HEARTBEAT),
            checkpoint: assignment.checkpoint,
            keep_checkpoint: assignment.keep_checkpoint,
        })
    }
}

/// What the session does after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Ask for the next execution.
    Acquire,
    /// The coordinator refused the attempt: ask again, but not at once.
    AcquireLater,
    /// The worker was told to leave.
    Leave,
}

/// Why an attempt ends otherwise than by its work being done.
enum Halt {
    /// Nobody waits for it any more.
    Unwanted,
    /// The worker was told to leave.
    Leaving,
    /// The worker was told to leave, and has handed in what there was.
    Left,
    /// A call failed for good.
    Call(CallError),
    /// This machine cannot hold the dataset.
    Cache(DatasetError),
    /// This machine cannot train; the coordinator knows.
    Host(String),
}

impl From<CallError> for Halt {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// What an attempt needs.
pub(crate) struct Attempt<'a> {
    pub(crate) link: &'a Link,
    pub(crate) trainer: &'a TrainingThread,
    pub(crate) cache: &'a Cache,
    /// How long leaving with a checkpoint may take.
    pub(crate) grace: Duration,
    pub(crate) lease: Lease,
}

/// How far an attempt has come.
#[derive(Debug, Default)]
struct Stage {
    /// The trainer has it.
    training: AtomicBool,
    /// The trainer is done with it.
    trained: AtomicBool,
}

impl Attempt<'_> {
    /// Carries the attempt out.
    ///
    /// # Errors
    ///
    /// When the session cannot go on.
    pub(crate) async fn run(
        &self,
        departure: &mut watch::Receiver<Departure>,
    ) -> Result<Next, SessionError> {
        info!("{}: started", self.name());
        let steering = Steering::default();
        let end = self.work_or_halt(&steering, departure).await;
        steering.stop();
        match end {
            Ok(()) => Ok(Next::Acquire),
            Err(Halt::Leaving) => {
                self.release().await;
                Ok(Next::Leave)
            }
            Err(Halt::Left) => Ok(Next::Leave),
            Err(Halt::Cache(error)) => {
                // No execution's fault, and none would fare better here.
                self.blame_host(format!("dataset: {error}")).await;
                Err(SessionError::Cache { message: error.to_string() })
            }
            Err(Halt::Host(message)) => Err(SessionError::Host { message }),
            Err(Halt::Unwanted) => {
                info!("{}: stopped, nobody waits for it any more", self.name());
                tokio::select! {
                    () = self.trainer.idle() => Ok(Next::Acquire),
                    () = told(departure, Departure::WithCheckpoint) => Ok(Next::Leave),
                }
            }
            Err(Halt::Call(error)) => {
                tokio::select! {
                    next = self.settle(error) => next,
                    () = told(departure, Departure::WithCheckpoint) => Ok(Next::Leave),
                }
            }
        }
    }

    /// Works until the work is done or there is a reason to end it. When this
    /// returns, the trainer's measurements have nowhere to go any more.
    async fn work_or_halt(
        &self,
        steering: &Steering,
        departure: &mut watch::Receiver<Departure>,
    ) -> Result<(), Halt> {
        let stage = Stage::default();
        let mut work = pin!(self.work(steering, &stage));
        let mut heartbeats = pin!(self.heartbeats());
        tokio::select! {
            end = &mut work => return end,
            halt = &mut heartbeats => return Err(halt),
            () = told(departure, Departure::WithCheckpoint) => {}
        }
        if stage.training.load(Ordering::Relaxed) {
            steering.leave();
            let patience = self.grace.saturating_sub(self.release_limit());
            tokio::select! {
                end = timeout(patience, &mut work) => match end {
                    Ok(end) => return end.and(Err(Halt::Left)),
                    Err(_) => {
                        warn!("{}: no time is left for a checkpoint", self.name());
                        return Err(Halt::Leaving);
                    }
                },
                halt = &mut heartbeats => return Err(halt),
                () = told(departure, Departure::AtOnce) => {}
            }
        }
        if stage.trained.load(Ordering::Relaxed) {
            // A result, good or bad, is worth some seconds.
            if let Ok(Ok(())) = timeout(LEAVE_LIMIT, work).await {
                return Err(Halt::Left);
            }
        }
        Err(Halt::Leaving)
    }

    /// How long giving the lease back may take.
    fn release_limit(&self) -> Duration {
        LEAVE_LIMIT.min(self.grace / 2)
    }

    async fn heartbeats(&self) -> Halt {
        loop {
            sleep(self.lease.heartbeat).await;
            match self.link.heartbeat(self.lease.id, self.lease.heartbeat).await {
                Ok(Verdict::Continue | Verdict::Unspecified) => {}
                Ok(Verdict::Stop) => return Halt::Unwanted,
                Err(error) => return Halt::Call(error),
            }
        }
    }

    async fn work(&self, steering: &Steering, stage: &Stage) -> Result<(), Halt> {
        let training = self.train(steering, stage).await?;
        stage.trained.store(true, Ordering::Relaxed);
        let mut host_failed = None;
        let outcome = match training {
            Ok(Ending::Finished(trained)) => {
                self.hand_in(trained).await?;
                info!("{}: trained", self.name());
                Outcome::Finished(Finished {})
            }
            Ok(Ending::Left(checkpoint)) => {
                if let Some(checkpoint) = checkpoint {
                    let (epoch, step) = (checkpoint.epoch, checkpoint.step);
                    self.hand_in_checkpoint(checkpoint).await?;
                    info!("{}: left after epoch {epoch}, step {step}", self.name());
                }
                Outcome::Released(Released {})
            }
            // Nobody waits: what is left to do is to say so.
            Ok(Ending::Stopped) => Outcome::Released(Released {}),
            Err(failure) => {
                warn!("{}: failed: {failure}", self.name());
                if failure.kind == FailureKind::Host {
                    host_failed = Some(failure.message.clone());
                }
                failed(failure)
            }
        };
        self.link.complete(self.lease.id, outcome).await?;
        host_failed.map_or(Ok(()), |message| Err(Halt::Host(message)))
    }

    /// Ends the attempt, which could not even begin here, as far as the time allows.
    async fn blame_host(&self, message: String) {
        let failure = Failure { kind: FailureKind::Host, message };
        match timeout(LEAVE_LIMIT, self.link.complete(self.lease.id, failed(failure))).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!("{}: not ended: {error}", self.name()),
            Err(_) => warn!("{}: not ended: the coordinator is out of reach", self.name()),
        }
    }

    /// Uploads what was trained.
    async fn hand_in(&self, trained: Trained) -> Result<(), CallError> {
        let Trained { weights, checkpoint } = trained;
        if let Some(weights) = weights {
            let content = Content::Weights(BestWeights {});
            self.link.upload(self.lease.id, content, weights).await?;
        }
        match checkpoint {
            Some(checkpoint) => self.hand_in_checkpoint(checkpoint).await,
            None => Ok(()),
        }
    }

    async fn hand_in_checkpoint(&self, checkpoint: Checkpoint) -> Result<(), CallError> {
        let Checkpoint { epoch, step, bytes } = checkpoint;
        let content = Content::Checkpoint(Position { epoch, step });
        self.link.upload(self.lease.id, content, bytes).await
    }

    /// Makes dataset and checkpoint available and trains; all measurements are
    /// acknowledged.
    async fn train(&self, steering: &Steering, stage: &Stage) -> Result<Training, Halt> {
        let dataset = self.lease.specification.dataset.as_ref();
        let dataset = match dataset::locate(self.link, dataset, self.cache).await {
            Ok(folder) => folder,
            Err(DatasetError::Call(error)) => return Err(Halt::Call(error)),
            Err(error) if error.is_local() => return Err(Halt::Cache(error)),
            Err(error) => {
                let message = format!("dataset: {error}");
                return Ok(Err(Failure { kind: FailureKind::Error, message }));
            }
        };
        let checkpoint = match &self.lease.checkpoint {
            None => None,
            Some(announced) => match fetch_checkpoint(self.link, announced).await {
                Ok(checkpoint) => Some(checkpoint),
                Err(FetchError::Call(error)) => return Err(Halt::Call(error)),
                Err(error @ (FetchError::Content(_) | FetchError::Interrupted(_))) => {
                    let message = format!("checkpoint of epoch {}: {error}", announced.epoch);
                    return Ok(Err(Failure { kind: FailureKind::Error, message }));
                }
            },
        };
        let execution = Execution {
            specification: self.lease.specification.clone(),
            seed: self.lease.seed,
            dataset,
            checkpoint,
            keep_checkpoint: self.lease.keep_checkpoint,
        };
        let (reports, training) = self.trainer.train(execution, steering.clone()).await;
        stage.training.store(true, Ordering::Relaxed);
        let reporting = async {
            match report_all(self.link, self.lease.id, reports).await? {
                Verdict::Stop => Err(Halt::Unwanted),
                Verdict::Continue | Verdict::Unspecified => Ok(()),
            }
        };
        let (training, ()) = tokio::try_join!(async { Ok(training.await) }, reporting)?;
        Ok(training)
    }

    /// Gives the lease back and stops the trainer, as far as the time allows.
    async fn release(&self) {
        let limit = self.release_limit();
        let released = self.link.complete(self.lease.id, Outcome::Released(Released {}));
        let (released, idle) =
            tokio::join!(timeout(limit, released), timeout(limit, self.trainer.idle()));
        match released {
            Ok(Ok(())) => info!("{}: given back", self.name()),
            Ok(Err(error)) => warn!("{}: not given back: {error}", self.name()),
            Err(_) => warn!("{}: not given back: the coordinator is out of reach", self.name()),
        }
        if idle.is_err() {
            warn!("{}: a training step did not end in time", self.name());
        }
    }

    /// Ends an attempt of which a call failed for good.
    async fn settle(&self, error: CallError) -> Result<Next, SessionError> {
        match &error {
            CallError::Unreachable { .. }
            | CallError::Distrusted { .. }
            | CallError::Refused { code: Code::Unauthenticated, .. } => {
                timeout(LEAVE_LIMIT, self.trainer.idle()).await.ok();
                return Err(error.into());
            }
            CallError::Refused { call, code, .. } => {
                warn!("{}: dropped: {error}", self.name());
                self.trainer.idle().await;
                // The reason belongs into the study's tables, unless the
                // coordinator does not know of the attempt, has leased it to another
                // worker, or will not end it.
                let is_fetch = matches!(call, Call::FetchDataset | Call::FetchCheckpoint);
                let is_ours = match code {
                    Code::NotFound => is_fetch,
                    Code::PermissionDenied => false,
                    _ => true,
                };
                if *call != Call::Complete && is_ours {
                    let message = error.to_string();
                    let failure = Failure { kind: FailureKind::Error, message };
                    match self.link.complete(self.lease.id, failed(failure)).await {
                        Ok(()) => {}
                        Err(
                            error @ (CallError::Unreachable { .. } | CallError::Distrusted { .. }),
                        ) => {
                            return Err(error.into());
                        }
                        Err(error @ CallError::Refused { .. }) => warn!("{error}"),
                    }
                }
            }
        }
        Ok(Next::AcquireLater)
    }

    /// For the log.
    fn name(&self) -> String {
        let AttemptId { trial, execution, attempt } = self.lease.id;
        format!("trial {trial}, execution {execution}, attempt {attempt}")
    }
}

fn failed(failure: Failure) -> Outcome {
    Outcome::Failed(Failed { kind: failure.kind.into(), message: failure.message })
}
