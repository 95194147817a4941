//! The gRPC service: calls become events, replies become answers.
//!
//! Everything a worker sends is checked here, once; what passes is trusted
//! further in. No decision is made here.

use std::path::PathBuf;
use std::time::Duration;

use sweep_proto::v1::coordinator_server::{Coordinator, CoordinatorServer};
use sweep_proto::v1::{self, acquire_response, complete_request, uploaded_file};
use sweep_proto::{MAX_EPOCHS, MAX_MESSAGE_BYTES, VERSION, labels};
use tokio::fs::File;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status, Streaming};

use super::checkpoints::CheckpointFiles;
use super::datasets::DatasetFiles;
use super::decide::{Event, Reply};
use super::dispatcher::{Ending, Handle};
use super::door::Door;
use super::leases::Worker;
use super::transfer::{self, Refusal};
use crate::results::best::weights_file;
use crate::status::Machine;
use crate::store::StoreError;
use crate::study::{AttemptId, Checkpoint, CheckpointId, Measurement, Outcome, TrialId};

/// Heartbeats a lease lasts through: one lost call does not end it.
const HEARTBEATS_PER_LEASE: u64 = 4;

/// Most measurements in one report.
const MAX_MEASUREMENTS: usize = 1024;

/// Most metrics in one measurement.
const MAX_METRICS: usize = 128;

/// Longest name of a worker or a metric, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Longest message of a failure that is kept, in bytes.
const MAX_ERROR_BYTES: usize = 16 << 10;

/// Calls of one connection at once.
const CALLS_AT_ONCE: u32 = 64;

/// Most bytes of a call's headers.
const MAX_HEADER_BYTES: u32 = 16 << 10;

/// How often a silent connection is probed, and how long an answer may take:
/// a vanished machine holds nothing for longer.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Chunks that are read ahead of a worker that fetches.
const CHUNKS_AHEAD: usize = 4;

/// What the service needs to answer.
#[derive(Debug, Clone)]
pub struct Service {
    /// The way to the dispatcher.
    pub handle: Handle,
    /// Length of a lease.
    pub lease_ms: u64,
    /// Where uploaded weights are kept.
    pub weights: PathBuf,
    /// Where checkpoints are kept.
    pub checkpoints: CheckpointFiles,
    /// The dataset that may be fetched.
    pub dataset: DatasetFiles,
}

impl Service {
    /// Serves whoever comes in by the door, until the task that awaits this ends.
    ///
    /// To be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// When tonic cannot go on.
    pub async fn serve(
        self,
        door: Door,
        listener: TcpListener,
    ) -> Result<(), tonic::transport::Error> {
        let service = CoordinatorServer::new(self)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        tonic::transport::Server::builder()
            .max_concurrent_streams(CALLS_AT_ONCE)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .add_service(InterceptedService::new(service, door.guard()))
            .serve_with_incoming(door.receive(listener))
            .await
    }

    /// Takes in a checkpoint's file and has it recorded; removes the file if nobody
    /// waits for it any more.
    async fn keep(
        &self,
        name: CheckpointId,
        sha256: String,
        first: Vec<u8>,
        chunks: Streaming<v1::UploadChunk>,
    ) -> Result<(), Status> {
        let path = self.checkpoints.path(name);
        let bytes = transfer::receive(&path, &sha256, first, chunks).await?;
        let CheckpointId { id, epoch, step } = name;
        let checkpoint = Checkpoint { epoch, step, sha256, bytes };
        let stored = |reply_to| Event::CheckpointStored { reply_to, id, checkpoint };
        if self.verdict(stored).await? != v1::Verdict::Continue {
            self.checkpoints.remove(name);
        }
        Ok(())
    }

    /// What a worker is told whose weights were not taken in. Without them no
    /// execution ends: where the disk is to blame, the coordinator does, as it does
    /// when its store cannot be written.
    async fn weights_refused(&self, refusal: Refusal) -> Status {
        match refusal {
            Refusal::Sender(status) => status,
            Refusal::System { path, source } => {
                // One that is ending already needs no telling.
                let _ = self.handle.fail(StoreError::File { path, source }).await;
                Ending.into()
            }
        }
    }

    async fn verdict(
        &self,
        event: impl FnOnce(super::decide::ReplyTo) -> Event,
    ) -> Result<v1::Verdict, Status> {
        match self.handle.ask(event).await? {
            Reply::Continue => Ok(v1::Verdict::Continue),
            Reply::Unknown => Err(unknown_attempt()),
            Reply::NotYours => Err(another_workers()),
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
        check_name("worker.version", &worker.version)?;
        if worker.version != VERSION {
            return Err(Status::failed_precondition(format!(
                "this worker is of version {}, its coordinator of version {VERSION}",
                worker.version
            )));
        }
        let worker = checked_worker(worker)?;
        tracing::debug!("{} ({}) asks for an execution", worker.name, worker.device);
        let reply = self.handle.ask(|reply_to| Event::Acquire { reply_to, worker }).await?;
        let answer = match reply {
            Reply::Assigned { id, specification, seed, checkpoint, keep_checkpoint } => {
                acquire_response::Answer::Assignment(v1::Assignment {
                    id: Some(id.into()),
                    specification: Some(*specification),
                    seed,
                    heartbeat_ms: milliseconds(self.lease_ms / HEARTBEATS_PER_LEASE),
                    lease_ms: milliseconds(self.lease_ms),
                    checkpoint: checkpoint.map(|(id, checkpoint)| {
                        let Checkpoint { epoch, step, sha256, bytes } = checkpoint;
                        v1::Checkpoint { id: Some(id.into()), epoch, step, sha256, bytes }
                    }),
                    keep_checkpoint,
                })
            }
            Reply::StudyOver => acquire_response::Answer::StudyOver(v1::StudyOver {}),
            Reply::Wait
            | Reply::Continue
            | Reply::Stop
            | Reply::Done
            | Reply::Unknown
            | Reply::NotYours => acquire_response::Answer::Wait(v1::Wait {}),
        };
        Ok(Response::new(v1::AcquireResponse { answer: Some(answer) }))
    }

    async fn heartbeat(
        &self,
        request: Request<v1::HeartbeatRequest>,
    ) -> Result<Response<v1::HeartbeatResponse>, Status> {
        let request = request.into_inner();
        let id = required(request.id, "id")?.into();
        let worker = checked_worker(required(request.worker, "worker")?)?;
        let verdict = self.verdict(|reply_to| Event::Heartbeat { reply_to, id, worker }).await?;
        Ok(Response::new(v1::HeartbeatResponse { verdict: verdict.into() }))
    }

    async fn report(
        &self,
        request: Request<v1::ReportRequest>,
    ) -> Result<Response<v1::ReportResponse>, Status> {
        let request = request.into_inner();
        let id = required(request.id, "id")?.into();
        let instance = checked_instance("instance", request.instance)?;
        if request.measurements.len() > MAX_MEASUREMENTS {
            return Err(Status::invalid_argument("too many measurements in one report"));
        }
        let measurements = request
            .measurements
            .into_iter()
            .map(checked_measurement)
            .collect::<Result<Vec<_>, Status>>()?;
        let verdict =
            self.verdict(|reply_to| Event::Report { reply_to, id, instance, measurements });
        let verdict = verdict.await?;
        Ok(Response::new(v1::ReportResponse { verdict: verdict.into() }))
    }

    async fn upload(
        &self,
        request: Request<Streaming<v1::UploadChunk>>,
    ) -> Result<Response<v1::UploadResponse>, Status> {
        let mut chunks = request.into_inner();
        let first = transfer::next_chunk(&mut chunks, transfer::CHUNK_LIMIT)
            .await?
            .ok_or_else(|| Status::invalid_argument("an upload without a chunk"))?;
        let file = required(first.file, "file")?;
        let id: AttemptId = required(file.id, "file.id")?.into();
        let instance = checked_instance("file.instance", file.instance)?;
        let content = required(file.content, "file.content")?;
        // Asked of the dispatcher, so that only leased attempts leave files.
        let verdict = self.verdict(|reply_to| match content {
            uploaded_file::Content::Weights(_) => Event::WeightsOffered { reply_to, id, instance },
            uploaded_file::Content::Checkpoint(_) => {
                Event::Report { reply_to, id, instance, measurements: Vec::new() }
            }
        });
        let verdict = verdict.await?;
        if verdict != v1::Verdict::Continue {
            return Ok(Response::new(v1::UploadResponse {}));
        }
        match content {
            uploaded_file::Content::Weights(v1::BestWeights {}) => {
                let path = self.weights.join(weights_file(id));
                let received = transfer::receive(&path, &file.sha256, first.data, chunks).await;
                if let Err(refusal) = received {
                    return Err(self.weights_refused(refusal).await);
                }
            }
            uploaded_file::Content::Checkpoint(v1::Position { epoch, step }) => {
                let name = checked_name(id, epoch, step)?;
                let service = self.clone();
                // Goes on when the worker hangs up, so that no file that is in its
                // place is left without a record.
                let kept = tokio::spawn(async move {
                    service.keep(name, file.sha256, first.data, chunks).await
                });
                kept.await.map_err(|_| Status::from(Ending))??;
            }
        }
        Ok(Response::new(v1::UploadResponse {}))
    }

    async fn complete(
        &self,
        request: Request<v1::CompleteRequest>,
    ) -> Result<Response<v1::CompleteResponse>, Status> {
        let request = request.into_inner();
        let id = required(request.id, "id")?.into();
        let instance = checked_instance("instance", request.instance)?;
        let outcome = checked_outcome(required(request.outcome, "outcome")?)?;
        let complete = |reply_to| Event::Complete { reply_to, id, instance, outcome };
        match self.handle.ask(complete).await? {
            Reply::Unknown => Err(unknown_attempt()),
            Reply::NotYours => Err(another_workers()),
            Reply::Done
            | Reply::Assigned { .. }
            | Reply::Wait
            | Reply::StudyOver
            | Reply::Continue
            | Reply::Stop => Ok(Response::new(v1::CompleteResponse {})),
        }
    }

    async fn status(
        &self,
        _: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        let status = self.handle.status().await?;
        Ok(Response::new(v1::StatusResponse::from(&status)))
    }

    type FetchCheckpointStream = ReceiverStream<Result<v1::CheckpointChunk, Status>>;

    async fn fetch_checkpoint(
        &self,
        request: Request<v1::FetchCheckpointRequest>,
    ) -> Result<Response<Self::FetchCheckpointStream>, Status> {
        let request = request.into_inner();
        let id = required(request.id, "id")?.into();
        let name = checked_name(id, request.epoch, request.step)?;
        let file = match File::open(self.checkpoints.path(name)).await {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // The next attempt need not fail over it.
                self.handle.tell(Event::CheckpointLost { checkpoint: name }).await?;
                return Err(Status::not_found(format!(
                    "the checkpoint of trial {}, execution {}, attempt {} after epoch {}, step {} \
                     is not here",
                    id.trial.0, id.execution, id.attempt, name.epoch, name.step
                )));
            }
            Err(error) => return Err(transfer::unreadable(error)),
        };
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        tokio::spawn(async move {
            let chunk = |data| v1::CheckpointChunk { data };
            if let Err(status) = transfer::send_file(file, chunk, &sender).await {
                let _ = sender.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    type FetchDatasetStream = ReceiverStream<Result<v1::DatasetChunk, Status>>;

    async fn fetch_dataset(
        &self,
        request: Request<v1::FetchDatasetRequest>,
    ) -> Result<Response<Self::FetchDatasetStream>, Status> {
        let v1::FetchDatasetRequest { digest, file, offset } = request.into_inner();
        let transfer = self.dataset.transfer(&digest, &file, offset).await?;
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        tokio::spawn(async move {
            if let Err(status) = transfer.send(&sender).await {
                let _ = sender.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
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

fn unknown_attempt() -> Status {
    Status::not_found("no such attempt was ever leased")
}

fn another_workers() -> Status {
    Status::permission_denied("the attempt was leased to another worker")
}

fn checked_instance(field: &str, instance: u64) -> Result<u64, Status> {
    if instance == 0 {
        return Err(Status::invalid_argument(format!("`{field}` is missing")));
    }
    Ok(instance)
}

fn checked_worker(worker: v1::Worker) -> Result<Worker, Status> {
    check_name("worker.name", &worker.name)?;
    if !worker.device.is_empty() {
        check_name("worker.device", &worker.device)?;
    }
    if !worker.host.is_empty() {
        check_name("worker.host", &worker.host)?;
    }
    labels::check(&worker.labels)
        .map_err(|error| Status::invalid_argument(format!("`worker.labels`: {error}")))?;
    checked_instance("worker.instance", worker.instance)?;
    let v1::Worker { name, instance, device, host, device_memory_bytes, labels, .. } = worker;
    let machine = Machine::of_wire(host, device_memory_bytes, labels);
    Ok(Worker { name, instance, device, machine })
}

fn checked_epoch(epoch: u32) -> Result<u32, Status> {
    if !(1..=MAX_EPOCHS).contains(&epoch) {
        return Err(Status::invalid_argument(format!("epochs count from 1 to {MAX_EPOCHS}")));
    }
    Ok(epoch)
}

/// The name of a checkpoint: at an epoch's end, or some steps further on.
fn checked_name(id: AttemptId, epoch: u32, step: u32) -> Result<CheckpointId, Status> {
    if epoch > MAX_EPOCHS {
        return Err(Status::invalid_argument(format!("no training has over {MAX_EPOCHS} epochs")));
    }
    if epoch == 0 && step == 0 {
        return Err(Status::invalid_argument("a checkpoint from before the first step"));
    }
    Ok(CheckpointId { id, epoch, step })
}

fn checked_measurement(measurement: v1::Measurement) -> Result<Measurement, Status> {
    let v1::Measurement { epoch, metrics, seconds } = measurement;
    let epoch = checked_epoch(epoch)?;
    if metrics.len() > MAX_METRICS {
        return Err(Status::invalid_argument("too many metrics in one measurement"));
    }
    for metric in &metrics {
        check_name("metric.name", &metric.name)?;
        if metric.value.is_some_and(|value| !value.is_finite()) {
            return Err(Status::invalid_argument(format!(
                "metric `{}`: a value that is no finite number is to be left out",
                metric.name
            )));
        }
    }
    if !seconds.is_finite() || seconds < 0.0 {
        return Err(Status::invalid_argument("`seconds` is no time"));
    }
    let metrics = metrics.into_iter().map(|metric| {
        let value = metric.number();
        (metric.name, value)
    });
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
                v1::FailureKind::Host => Outcome::HostFailed { message },
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

#[cfg(test)]
mod tests;
