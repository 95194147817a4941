//! A session: execution after execution until the study is over.

use std::collections::BTreeMap;
use std::future::pending;
use std::path::PathBuf;
use std::time::Duration;

use sweep_proto::connect::Client;
use sweep_proto::v1::Worker;
use sweep_proto::v1::acquire_response::Answer;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info};

use crate::attempt::{Attempt, Lease, Next};
use crate::dataset::Cache;
use crate::error::SessionError;
use crate::link::Link;
use crate::retry::Backoff;
use crate::training::TrainingThread;

/// What a session is told when it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The worker's name, for people.
    pub name: String,
    /// Name of the machine.
    pub host: String,
    /// What is said of the worker, for people.
    pub labels: BTreeMap<String, String>,
    /// Folder for fetched datasets.
    pub cache: PathBuf,
    /// How many bytes of datasets are kept there; absent: any number.
    pub cache_bytes: Option<u64>,
    /// The session ends when the coordinator was not reached for this long.
    pub give_up_after: Duration,
    /// Pauses between repetitions of a call.
    pub backoff: Backoff,
    /// How long leaving with a checkpoint may take.
    pub grace: Duration,
    /// The session ends after so many executions; absent: never for that.
    pub max_trials: Option<u32>,
    /// The session ends when nothing was assigned for this long; absent: never
    /// for that.
    pub idle_timeout: Option<Duration>,
}

/// Whether, and how, a worker is to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Departure {
    /// It is to stay.
    Stay,
    /// Once it has handed in a checkpoint of what it is training.
    WithCheckpoint,
    /// Now. What it is training is given back as it is.
    AtOnce,
}

/// Returns when the worker is to leave, so urgently or more; never if nobody
/// can say so any more.
pub(crate) async fn told(departure: &mut watch::Receiver<Departure>, urgency: Departure) {
    if departure.wait_for(|told| *told >= urgency).await.is_err() {
        pending::<()>().await;
    }
}

/// How a session ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing is left to train.
    StudyOver,
    /// The worker was told to leave, and gave back what it was training.
    Left,
    /// As many executions have ended as [`Settings::max_trials`] says.
    EnoughTrials,
    /// Nothing was assigned for [`Settings::idle_timeout`].
    Idle,
}

/// Trains what the coordinator assigns until the study is over, or there is
/// another reason to leave.
///
/// - `client`: connects, and connects again, by itself, as
///   [`sweep_proto::connect::client`] makes it
/// - `departure`: to be told to leave
///
/// # Errors
///
/// When the coordinator was not reached for long, or refused the worker.
pub async fn serve(
    client: Client,
    settings: &Settings,
    trainer: &TrainingThread,
    mut departure: watch::Receiver<Departure>,
) -> Result<End, SessionError> {
    let worker = Worker {
        name: settings.name.clone(),
        instance: rand::random_range(1..=u64::MAX),
        version: sweep_proto::VERSION.to_owned(),
        device: trainer.device().to_owned(),
        host: settings.host.clone(),
        device_memory_bytes: trainer.memory_bytes().unwrap_or(0),
        labels: settings.labels.clone(),
    };
    let link = Link::new(client, worker, settings.backoff, settings.give_up_after);
    let cache = Cache::new(settings.cache.clone(), settings.cache_bytes);
    let mut refusals = 0;
    let mut executions = 0;
    let mut idle_since = Instant::now();
    loop {
        let response = tokio::select! {
            response = link.acquire() => response?,
            () = told(&mut departure, Departure::WithCheckpoint) => return Ok(End::Left),
            () = idled(idle_since, settings.idle_timeout) => {
                info!("nothing to train for long: leaving");
                return Ok(End::Idle);
            }
        };
        let lease = match response.answer {
            Some(Answer::Assignment(assignment)) => Lease::try_from(assignment)?,
            Some(Answer::Wait(_)) => {
                debug!("nothing to train at present");
                // The coordinator has held the answer back; should it not, this does.
                link.backoff().wait(1).await;
                continue;
            }
            Some(Answer::StudyOver(_)) => {
                info!("the study is over");
                return Ok(End::StudyOver);
            }
            None => return Err(SessionError::Protocol { message: "empty answer".to_owned() }),
        };
        let grace = settings.grace;
        let attempt = Attempt { link: &link, trainer, cache: &cache, grace, lease };
        let next = attempt.run(&mut departure).await?;
        executions += 1;
        idle_since = Instant::now();
        match next {
            Next::Leave => return Ok(End::Left),
            Next::Acquire | Next::AcquireLater
                if settings.max_trials.is_some_and(|most| executions >= most) =>
            {
                info!("{executions} executions have ended: leaving");
                return Ok(End::EnoughTrials);
            }
            Next::Acquire => refusals = 0,
            Next::AcquireLater => {
                refusals += 1;
                tokio::select! {
                    () = link.backoff().wait(refusals) => {}
                    () = told(&mut departure, Departure::WithCheckpoint) => return Ok(End::Left),
                }
            }
        }
    }
}

/// Returns when nothing was assigned for too long.
async fn idled(since: Instant, timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => sleep_until(since + timeout).await,
        None => pending().await,
    }
}
