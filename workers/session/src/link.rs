//! The session's calls to the coordinator, each sent again until it is
//! answered.
//!
//! The connection itself carries no state: a [`Link`] may lose and regain it
//! between any two calls without anybody noticing but the log.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sweep_proto::CHUNK_BYTES;
use sweep_proto::connect::{Client, distrust};
use sweep_proto::v1::{
    AcquireRequest, AcquireResponse, AttemptId, CompleteRequest, HeartbeatRequest, Measurement,
    ReportRequest, UploadChunk, UploadedFile, Verdict, Worker, complete_request, uploaded_file,
};
use tonic::{Response, Status};
use tracing::{debug, info, warn};

use crate::error::CallError;
use crate::retry::{Backoff, Failures, may_pass};
use sweep_proto::digest::hexadecimal;

/// How long an answer to `Acquire` may take: the coordinator holds it back for
/// about 20 s.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(60);

/// How long an answer to a short call may take.
const CALL_LIMIT: Duration = Duration::from_secs(8);

/// How long an answer to a heartbeat may take at least, however short leases are.
const LEAST_HEARTBEAT_LIMIT: Duration = Duration::from_secs(1);

/// How long one upload may take. Generous: a vanished connection is noticed by
/// its keep-alive probes.
const UPLOAD_LIMIT: Duration = Duration::from_secs(30 * 60);

/// A kind of call, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Acquire,
    Heartbeat,
    Report,
    Upload,
    Complete,
    FetchDataset,
    FetchCheckpoint,
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Acquire => "Acquire",
            Self::Heartbeat => "Heartbeat",
            Self::Report => "Report",
            Self::Upload => "Upload",
            Self::Complete => "Complete",
            Self::FetchDataset => "FetchDataset",
            Self::FetchCheckpoint => "FetchCheckpoint",
        })
    }
}

/// The way to the coordinator.
#[derive(Debug)]
pub(crate) struct Link {
    client: Client,
    worker: Worker,
    backoff: Backoff,
    give_up_after: Duration,
    /// Whether the last call was answered; an outage is logged once, not once a try.
    reached: AtomicBool,
}

impl Link {
    /// A way that is tried out by the first call.
    pub(crate) fn new(
        client: Client,
        worker: Worker,
        backoff: Backoff,
        give_up_after: Duration,
    ) -> Self {
        Self { client, worker, backoff, give_up_after, reached: AtomicBool::new(true) }
    }

    /// Pauses between repetitions.
    pub(crate) fn backoff(&self) -> Backoff {
        self.backoff
    }

    /// Asks for an execution.
    pub(crate) async fn acquire(&self) -> Result<AcquireResponse, CallError> {
        self.call(Call::Acquire, ACQUIRE_LIMIT, |mut client| {
            let request = AcquireRequest { worker: Some(self.worker.clone()) };
            async move { client.acquire(request).await }
        })
        .await
    }

    /// Renews a lease, which is to be done `every` so often: one that is lost on its
    /// way is sent again in time.
    pub(crate) async fn heartbeat(
        &self,
        id: AttemptId,
        every: Duration,
    ) -> Result<Verdict, CallError> {
        let response = self
            .call(Call::Heartbeat, heartbeat_limit(every), |mut client| {
                let worker = Some(self.worker.clone());
                async move { client.heartbeat(HeartbeatRequest { id: Some(id), worker }).await }
            })
            .await?;
        Ok(response.verdict())
    }

    /// Hands in measurements.
    pub(crate) async fn report(
        &self,
        id: AttemptId,
        measurements: &[Measurement],
    ) -> Result<Verdict, CallError> {
        let response = self
            .call(Call::Report, CALL_LIMIT, |mut client| {
                let (instance, measurements) = (self.worker.instance, measurements.to_vec());
                async move {
                    client.report(ReportRequest { id: Some(id), instance, measurements }).await
                }
            })
            .await?;
        Ok(response.verdict())
    }

    /// Hands in a file that an attempt has made.
    pub(crate) async fn upload(
        &self,
        id: AttemptId,
        content: uploaded_file::Content,
        bytes: Vec<u8>,
    ) -> Result<(), CallError> {
        let sha256 = hexadecimal(&Sha256::digest(&bytes));
        let file = UploadedFile {
            id: Some(id),
            instance: self.worker.instance,
            sha256,
            content: Some(content),
        };
        let bytes = Arc::new(bytes);
        self.call(Call::Upload, UPLOAD_LIMIT, |mut client| {
            let chunks = tokio_stream::iter(chunks(&file, &bytes));
            async move { client.upload(chunks).await }
        })
        .await?;
        Ok(())
    }

    /// Ends an attempt.
    pub(crate) async fn complete(
        &self,
        id: AttemptId,
        outcome: complete_request::Outcome,
    ) -> Result<(), CallError> {
        self.call(Call::Complete, CALL_LIMIT, |mut client| {
            let request = CompleteRequest {
                id: Some(id),
                instance: self.worker.instance,
                outcome: Some(outcome.clone()),
            };
            async move { client.complete(request).await }
        })
        .await?;
        Ok(())
    }

    /// A client for a call that this type does not make itself.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// No failures yet of such a call.
    pub(crate) fn failures(&self) -> Failures {
        Failures::none(self.backoff, self.give_up_after)
    }

    /// Waits until a failed call may be sent again.
    ///
    /// # Errors
    ///
    /// When it is no use, or not any more.
    pub(crate) async fn after(
        &self,
        call: Call,
        status: Status,
        failures: &mut Failures,
    ) -> Result<(), CallError> {
        if let Some(reason) = distrust(&status) {
            return Err(CallError::Distrusted { reason });
        }
        if !may_pass(&status) {
            let message = status.message().to_owned();
            return Err(CallError::Refused { call, code: status.code(), message });
        }
        let message = reason(&status);
        if self.reached.swap(false, Ordering::Relaxed) {
            warn!("the coordinator is out of reach ({call}: {message}); trying again");
        } else {
            debug!("{call}: {message}");
        }
        failures
            .another()
            .await
            .map_err(|failing| CallError::Unreachable { seconds: failing.as_secs(), message })
    }

    /// Notes that the coordinator answered.
    pub(crate) fn answered(&self) {
        if !self.reached.swap(true, Ordering::Relaxed) {
            info!("the coordinator is back");
        }
    }

    async fn call<R, F>(
        &self,
        call: Call,
        limit: Duration,
        send: impl Fn(Client) -> F,
    ) -> Result<R, CallError>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let mut failures = self.failures();
        loop {
            let answer =
                tokio::time::timeout(limit, send(self.client())).await.unwrap_or_else(|_| {
                    Err(Status::deadline_exceeded(format!("no answer for {} s", limit.as_secs())))
                });
            match answer {
                Ok(response) => {
                    self.answered();
                    return Ok(response.into_inner());
                }
                Err(status) => self.after(call, status, &mut failures).await?,
            }
        }
    }
}

/// How long an answer may take to a heartbeat that is to be sent `every` so often,
/// four times a lease: half of the lease is left to send it again.
fn heartbeat_limit(every: Duration) -> Duration {
    (2 * every).clamp(LEAST_HEARTBEAT_LIMIT, CALL_LIMIT)
}

/// A file in chunks of [`CHUNK_BYTES`], made as they are sent; at least one.
fn chunks(
    file: &UploadedFile,
    bytes: &Arc<Vec<u8>>,
) -> impl Iterator<Item = UploadChunk> + Send + use<> {
    let bytes = Arc::clone(bytes);
    let mut file = Some(file.clone());
    let count = bytes.len().div_ceil(CHUNK_BYTES).max(1);
    (0..count).map(move |index| {
        let start = index * CHUNK_BYTES;
        let end = bytes.len().min(start + CHUNK_BYTES);
        UploadChunk { file: file.take(), data: bytes[start..end].to_vec() }
    })
}

/// The innermost cause of a failed call: "connection refused", not "transport error".
fn reason(status: &Status) -> String {
    let mut innermost = std::error::Error::source(status);
    while let Some(cause) = innermost.and_then(|cause| cause.source()) {
        innermost = Some(cause);
    }
    innermost.map_or_else(|| status.message().to_owned(), |cause| cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_that_is_lost_can_be_sent_again_within_its_lease() {
        for (lease_s, limit_s) in [(1, 1.0), (4, 2.0), (12, 6.0), (20, 8.0), (3600, 8.0)] {
            let limit = heartbeat_limit(Duration::from_secs(lease_s) / 4);
            assert_eq!(limit.as_secs_f64(), limit_s, "of {lease_s} s");
        }
    }
}
