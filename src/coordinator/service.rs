//! The gRPC service: calls become events, replies become answers.
//!
//! Everything a worker sends is checked here, once; what passes is trusted
//! further in. No decision is made here.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use sweep_proto::v1::coordinator_server::{Coordinator, CoordinatorServer};
use sweep_proto::v1::{self, acquire_response, complete_request};
use sweep_proto::{CHUNK_BYTES, MAX_MESSAGE_BYTES, VERSION};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::decide::{Event, Reply};
use super::dispatcher::{Ending, Handle};
use super::leases::Worker;
use crate::results::best::weights_file;
use crate::study::{AttemptId, Measurement, Outcome, TrialId};

/// Heartbeats a lease lasts through: one lost call does not end it.
const HEARTBEATS_PER_LEASE: u64 = 4;

/// Largest weights file accepted, in bytes.
const MAX_WEIGHTS_BYTES: u64 = 8 << 30;

/// Most measurements in one report.
const MAX_MEASUREMENTS: usize = 1024;

/// Most metrics in one measurement.
const MAX_METRICS: usize = 128;

/// Longest name of a worker or a metric, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Longest message of a failure that is kept, in bytes.
const MAX_ERROR_BYTES: usize = 16 << 10;

/// What the service needs to answer.
#[derive(Debug)]
pub struct Service {
    /// The way to the dispatcher.
    pub handle: Handle,
    /// Length of a lease.
    pub lease_ms: u64,
    /// Where uploaded weights are kept.
    pub weights: PathBuf,
    /// The dataset that may be fetched: its digest and its folder.
    pub dataset: (String, PathBuf),
}

impl Service {
    /// The service as tonic serves it.
    #[must_use]
    pub fn into_server(self) -> CoordinatorServer<Self> {
        CoordinatorServer::new(self)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    async fn verdict(
        &self,
        event: impl FnOnce(super::decide::ReplyTo) -> Event,
    ) -> Result<v1::Verdict, Status> {
        match self.handle.ask(event).await? {
            Reply::Continue => Ok(v1::Verdict::Continue),
            Reply::Unknown => Err(Status::not_found("no such attempt was ever leased")),
            Reply::Stop | Reply::Assigned { .. } | Reply::Wait | Reply::StudyOver | Reply::Done => {
                Ok(v1::Verdict::Stop)
            }
        }
    }
}

impl From<Ending> for Status {
    fn from(ending: Ending) -> Self {
        // Workers try again: the coordinator may be back.
        Self::unavailable(ending.to_string())
    }
}

#[tonic::async_trait]
impl Coordinator for Service {
    async fn acquire(
        &self,
        request: Request<v1::AcquireRequest>,
    ) -> Result<Response<v1::AcquireResponse>, Status> {
        let worker = required(request.into_inner().worker, "worker")?;
        if worker.version != VERSION {
            return Err(Status::failed_precondition(format!(
                "this worker is of version {}, its coordinator of version {VERSION}",
                worker.version
            )));
        }
        check_name("worker.name", &worker.name)?;
        tracing::debug!("{} ({}) asks for an execution", worker.name, worker.device);
        let worker = Worker { name: worker.name, instance: worker.instance };
        let reply = self.handle.ask(|reply_to| Event::Acquire { reply_to, worker }).await?;
        let answer = match reply {
            Reply::Assigned { id, specification, seed } => {
                acquire_response::Answer::Assignment(v1::Assignment {
                    id: Some(id.into()),
                    specification: Some(*specification),
                    seed,
                    heartbeat_ms: milliseconds(self.lease_ms / HEARTBEATS_PER_LEASE),
                    lease_ms: milliseconds(self.lease_ms),
                })
            }
            Reply::StudyOver => acquire_response::Answer::StudyOver(v1::StudyOver {}),
            Reply::Wait | Reply::Continue | Reply::Stop | Reply::Done | Reply::Unknown => {
                acquire_response::Answer::Wait(v1::Wait {})
            }
        };
        Ok(Response::new(v1::AcquireResponse { answer: Some(answer) }))
    }

    async fn heartbeat(
        &self,
        request: Request<v1::HeartbeatRequest>,
    ) -> Result<Response<v1::HeartbeatResponse>, Status> {
        let request = request.into_inner();
        let id = required(request.id, "id")?.into();
        let instance = required(request.worker, "worker")?.instance;
        let verdict = self.verdict(|reply_to| Event::Heartbeat { reply_to, id, instance }).await?;
        Ok(Response::new(v1::HeartbeatResponse { verdict: verdict.into() }))
    }

    async fn report(
        &self,
        request: Request<v1::ReportRequest>,
    ) -> Result<Response<v1::ReportResponse>, Status> {
        let request = request.into_inner();
        let id = required(request.id, "id")?.into();
        if request.measurements.len() > MAX_MEASUREMENTS {
            return Err(Status::invalid_argument("too many measurements in one report"));
        }
        let measurements = request
            .measurements
            .into_iter()
            .map(checked_measurement)
            .collect::<Result<Vec<_>, Status>>()?;
        let verdict = self.verdict(|reply_to| Event::Report { reply_to, id, measurements }).await?;
        Ok(Response::new(v1::ReportResponse { verdict: verdict.into() }))
    }

    async fn upload_weights(
        &self,
        request: Request<Streaming<v1::WeightsChunk>>,
    ) -> Result<Response<v1::UploadWeightsResponse>, Status> {
        let mut chunks = request.into_inner();
        let first = chunks
            .message()
            .await?
            .ok_or_else(|| Status::invalid_argument("an upload without a chunk"))?;
        let id: AttemptId = required(first.id, "id")?.into();
        // Asked of the dispatcher, so that only leased attempts leave files.
        let measurements = Vec::new();
        let verdict = self.verdict(|reply_to| Event::Report { reply_to, id, measurements }).await?;
        if verdict == v1::Verdict::Continue {
            store_weights(&self.weights.join(weights_file(id)), first, chunks).await?;
        }
        Ok(Response::new(v1::UploadWeightsResponse {}))
    }

    async fn complete(
        &self,
        request: Request<v1::CompleteRequest>,
    ) -> Result<Response<v1::CompleteResponse>, Status> {
        let request = request.into_inner();
        let id = required(request.id, "id")?.into();
        let outcome = checked_outcome(required(request.outcome, "outcome")?)?;
        match self.handle.ask(|reply_to| Event::Complete { reply_to, id, outcome }).await? {
            Reply::Unknown => Err(Status::not_found("no such attempt was ever leased")),
            Reply::Done
            | Reply::Assigned { .. }
            | Reply::Wait
            | Reply::StudyOver
            | Reply::Continue
            | Reply::Stop => Ok(Response::new(v1::CompleteResponse {})),
        }
    }

    type FetchDatasetStream = ReceiverStream<Result<v1::DatasetChunk, Status>>;

    async fn fetch_dataset(
        &self,
        request: Request<v1::FetchDatasetRequest>,
    ) -> Result<Response<Self::FetchDatasetStream>, Status> {
        let (digest, folder) = &self.dataset;
        if request.into_inner().digest != *digest {
            return Err(Status::not_found("no such dataset here"));
        }
        let (sender, receiver) = mpsc::channel(4);
        let folder = folder.clone();
        tokio::spawn(async move {
            if let Err(status) = stream_folder(&folder, &sender).await {
                let _ = sender.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// Writes an upload beside its place, checks its digest, and moves it there.
async fn store_weights(
    path: &Path,
    first: v1::WeightsChunk,
    mut chunks: Streaming<v1::WeightsChunk>,
) -> Result<(), Status> {
    let internal = |error: std::io::Error| {
        tracing::error!("{}: {error}", path.display());
        Status::unavailable(format!("the coordinator cannot keep the weights: {error}"))
    };
    let temporary = Temporary(path.with_extension(format!("{:016x}.tmp", fresh_number())));
    let mut file = tokio::fs::File::create(&temporary.0).await.map_err(internal)?;
    let expected = first.sha256;
    let mut hasher = Sha256::new();
    let mut bytes = 0_u64;
    let mut data = first.data;
    loop {
        bytes += data.len() as u64;
        if bytes > MAX_WEIGHTS_BYTES {
            return Err(Status::invalid_argument("the weights are too large"));
        }
        hasher.update(&data);
        file.write_all(&data).await.map_err(internal)?;
        match chunks.message().await? {
            Some(chunk) => data = chunk.data,
            None => break,
        }
    }
    let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if digest != expected {
        return Err(Status::data_loss("the weights do not have the digest they were sent with"));
    }
    file.sync_all().await.map_err(internal)?;
    tokio::fs::rename(&temporary.0, path).await.map_err(internal)
}

/// A file that is removed unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Tells two uploads of the same weights apart.
fn fresh_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    (u64::from(std::process::id()) << 32) | NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Sends every file of a dataset's folder, the manifest last, so that a copy
/// with a manifest is whole.
async fn stream_folder(
    folder: &Path,
    sender: &mpsc::Sender<Result<v1::DatasetChunk, Status>>,
) -> Result<(), Status> {
    let internal = |error: std::io::Error| {
        Status::unavailable(format!("the coordinator cannot read the dataset: {error}"))
    };
    let mut names = Vec::new();
    let mut entries = tokio::fs::read_dir(folder).await.map_err(internal)?;
    while let Some(entry) = entries.next_entry().await.map_err(internal)? {
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_by_key(|name| (name == "manifest.json", name.clone()));
    for name in names {
        let mut file = tokio::fs::File::open(folder.join(&name)).await.map_err(internal)?;
        loop {
            let mut data = Vec::with_capacity(CHUNK_BYTES);
            (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut data).await.map_err(internal)?;
            let is_last = data.len() < CHUNK_BYTES;
            let chunk = v1::DatasetChunk { file: name.clone(), data };
            if sender.send(Ok(chunk)).await.is_err() {
                return Ok(()); // the worker has gone away
            }
            if is_last {
                break;
            }
        }
    }
    Ok(())
}

fn required<T>(field: Option<T>, name: &str) -> Result<T, Status> {
    field.ok_or_else(|| Status::invalid_argument(format!("`{name}` is missing")))
}

fn check_name(field: &str, name: &str) -> Result<(), Status> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(Status::invalid_argument(format!(
            "`{field}` is empty, longer than {MAX_NAME_BYTES} bytes or has control characters"
        )));
    }
    Ok(())
}

fn checked_measurement(measurement: v1::Measurement) -> Result<Measurement, Status> {
    let v1::Measurement { epoch, metrics, seconds } = measurement;
    if epoch == 0 {
        return Err(Status::invalid_argument("epochs count from 1"));
    }
    if metrics.len() > MAX_METRICS {
        return Err(Status::invalid_argument("too many metrics in one measurement"));
    }
    for metric in &metrics {
        check_name("metric.name", &metric.name)?;
    }
    let metrics = metrics.into_iter().map(|metric| {
        // What JSON cannot hold is kept as NaN, in memory as on disk.
        let value = if metric.value.is_finite() { metric.value } else { f64::NAN };
        (metric.name, value)
    });
    let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
    Ok(Measurement { epoch, metrics: metrics.collect(), seconds })
}

fn checked_outcome(outcome: complete_request::Outcome) -> Result<Outcome, Status> {
    Ok(match outcome {
        complete_request::Outcome::Finished(v1::Finished {}) => Outcome::Finished,
        complete_request::Outcome::Released(v1::Released {}) => Outcome::Released,
        complete_request::Outcome::Failed(failed) => {
            let kind = failed.kind();
            let mut message = failed.message;
            let end = message.floor_char_boundary(MAX_ERROR_BYTES);
            message.truncate(end);
            match kind {
                v1::FailureKind::Error => Outcome::Error { message },
                v1::FailureKind::Diverged => Outcome::Diverged { message },
                v1::FailureKind::OutOfMemory => Outcome::OutOfMemory { message },
                v1::FailureKind::Infeasible => Outcome::Infeasible { message },
            }
        }
    })
}

fn milliseconds(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

impl From<v1::AttemptId> for AttemptId {
    fn from(id: v1::AttemptId) -> Self {
        Self { trial: TrialId(id.trial), execution: id.execution, attempt: id.attempt }
    }
}

impl From<AttemptId> for v1::AttemptId {
    fn from(id: AttemptId) -> Self {
        Self { trial: id.trial.0, execution: id.execution, attempt: id.attempt }
    }
}
