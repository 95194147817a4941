//! Handing measurements and checkpoints in while training goes on.
//!
//! The channel from the trainer is the queue of what was not handed in yet: a
//! batch leaves it, is sent until it is acknowledged, and only then is the next
//! one taken. So measurements arrive in order, and after an outage many of them
//! travel in one message. A checkpoint is uploaded beside that, once the
//! measurements before it were acknowledged; one that cannot be handed in is no
//! reason to end the attempt.

use std::convert::Infallible;
use std::future::pending;

use sweep_proto::v1::uploaded_file::Content;
use sweep_proto::v1::{AttemptId, Measurement, Position, Verdict};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tracing::{debug, warn};

use crate::error::CallError;
use crate::link::Link;
use crate::trainer::Checkpoint;
use crate::training::Report;

/// How many measurements one message carries at most: with hundreds of metrics
/// each, still far below the largest message.
const BATCH_LIMIT: usize = 64;

/// Checkpoints on their way to the upload: there is no second one before the
/// first was handed in.
type Uploads = mpsc::Sender<(Checkpoint, OwnedSemaphorePermit)>;

/// Hands in all measurements until the trainer has ended. Returns `Stop` as
/// soon as nobody waits for the attempt any more, else `Continue` when all of
/// them were acknowledged. A checkpoint that is still on its way then is given
/// up.
pub(crate) async fn report_all(
    link: &Link,
    id: AttemptId,
    reports: mpsc::Receiver<Report>,
) -> Result<Verdict, CallError> {
    let (uploads, checkpoints) = mpsc::channel(1);
    tokio::select! {
        verdict = report(link, id, reports, &uploads) => verdict,
        never = upload(link, id, checkpoints) => match never {},
    }
}

async fn report(
    link: &Link,
    id: AttemptId,
    mut reports: mpsc::Receiver<Report>,
    uploads: &Uploads,
) -> Result<Verdict, CallError> {
    let mut batch = Vec::new();
    let mut measured: Vec<Measurement> = Vec::new();
    while reports.recv_many(&mut batch, BATCH_LIMIT).await > 0 {
        let mut batch = batch.drain(..).peekable();
        while let Some(report) = batch.next() {
            let checkpoint = match report {
                Report::Measured(measurement) => {
                    measured.push(measurement);
                    None
                }
                Report::Kept(checkpoint, permit) => Some((checkpoint, permit)),
            };
            let is_complete = checkpoint.is_some() || batch.peek().is_none();
            if is_complete && !measured.is_empty() {
                if link.report(id, &measured).await? == Verdict::Stop {
                    return Ok(Verdict::Stop);
                }
                measured.clear();
            }
            if let Some(checkpoint) = checkpoint {
                // There is room: its permit says so.
                uploads.try_send(checkpoint).ok();
            }
        }
    }
    Ok(Verdict::Continue)
}

async fn upload(
    link: &Link,
    id: AttemptId,
    mut checkpoints: mpsc::Receiver<(Checkpoint, OwnedSemaphorePermit)>,
) -> Infallible {
    while let Some((Checkpoint { epoch, step, bytes }, permit)) = checkpoints.recv().await {
        let content = Content::Checkpoint(Position { epoch, step });
        match link.upload(id, content, bytes).await {
            Ok(()) => debug!("checkpoint of epoch {epoch} handed in"),
            Err(error) => warn!("the checkpoint of epoch {epoch} was not handed in: {error}"),
        }
        drop(permit);
    }
    pending().await
}
