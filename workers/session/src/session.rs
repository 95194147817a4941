//! A session: execution after execution until the study is over.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use sweep_proto::connect::Client;
use sweep_proto::v1::Worker;
use sweep_proto::v1::acquire_response::Answer;
use tracing::{debug, info};

use crate::attempt::{Attempt, Lease, Next};
use crate::error::SessionError;
use crate::link::Link;
use crate::retry::Backoff;
use crate::training::TrainingThread;

/// What a session is told when it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The worker's name, for people.
    pub name: String,
    /// Folder for fetched datasets.
    pub cache: PathBuf,
    /// The session ends when the coordinator was not reached for this long.
    pub give_up_after: Duration,
    /// Pauses between repetitions of a call.
    pub backoff: Backoff,
}

/// How a session ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing is left to train.
    StudyOver,
    /// The worker was told to leave, and gave back what it was training.
    Left,
}

/// Trains what the coordinator assigns until the study is over or `leave`
/// completes.
///
/// - `client`: connects, and connects again, by itself, as
///   [`sweep_proto::connect::client`] makes it
///
/// # Errors
///
/// When the coordinator was not reached for long, or refused the worker.
pub async fn serve(
    client: Client,
    settings: &Settings,
    trainer: &TrainingThread,
    leave: impl Future<Output = ()>,
) -> Result<End, SessionError> {
    let worker = Worker {
        name: settings.name.clone(),
        instance: rand::random(),
        version: sweep_proto::VERSION.to_owned(),
        device: trainer.device().to_owned(),
    };
    let link = Link::new(client, worker, settings.backoff, settings.give_up_after);
    let mut leave = pin!(leave);
    let mut refusals = 0;
    loop {
        let response = tokio::select! {
            response = link.acquire() => response?,
            () = &mut leave => return Ok(End::Left),
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
        let attempt = Attempt { link: &link, trainer, cache: &settings.cache, lease };
        match attempt.run(leave.as_mut()).await? {
            Next::Acquire => refusals = 0,
            Next::AcquireLater => {
                refusals += 1;
                tokio::select! {
                    () = link.backoff().wait(refusals) => {}
                    () = &mut leave => return Ok(End::Left),
                }
            }
            Next::Leave => return Ok(End::Left),
        }
    }
}
