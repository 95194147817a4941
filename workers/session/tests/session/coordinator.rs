//! A coordinator that answers what a test tells it to, and tells the test what
//! it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sweep_proto::digest::hexadecimal;
use sweep_proto::v1::acquire_response::Answer;
use sweep_proto::v1::complete_request::Outcome;
use sweep_proto::v1::coordinator_server::{Coordinator, CoordinatorServer};
use sweep_proto::v1::uploaded_file::Content;
use sweep_proto::v1::{
    AcquireRequest, AcquireResponse, Assignment, AttemptId, CheckpointChunk, CompleteRequest,
    CompleteResponse, Dataset, DatasetChunk, FetchCheckpointRequest, FetchDatasetRequest,
    HeartbeatRequest, HeartbeatResponse, Model, Position, ReportRequest, ReportResponse,
    Specification, StatusRequest, StatusResponse, StudyOver, Training, UploadChunk, UploadResponse,
    Verdict, Worker,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};
use tonic::{Code, Request, Response, Status, Streaming};

/// Digest of the tests' dataset.
pub(crate) const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// How long a test waits for an event before it fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the coordinator was asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Acquire(Worker),
    Heartbeat(AttemptId),
    Report(AttemptId, Vec<u32>),
    Weights(AttemptId, usize),
    /// A checkpoint's epoch, its step and its bytes.
    Checkpoint(AttemptId, u32, u32, Vec<u8>),
    Complete(AttemptId, Outcome),
    /// A dataset's file, and where in it.
    Fetch(String, u64),
    /// A checkpoint's epoch and its step.
    FetchCheckpoint(AttemptId, u32, u32),
}

/// What is answered; shared by test and server, and by one server and the next.
#[derive(Debug)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Answer>>,
    answered: Notify,
    events: mpsc::UnboundedSender<Event>,
    /// The next calls other than `Acquire` and heartbeats that fail, after they
    /// were taken note of: as when their answers are lost.
    failures: Mutex<VecDeque<Status>>,
    verdict: Mutex<Verdict>,
    /// What `FetchDataset` streams: files, in chunks.
    dataset: Mutex<Vec<(String, Vec<u8>)>>,
    /// What `FetchCheckpoint` streams.
    checkpoint: Mutex<Vec<u8>>,
    refusal: Mutex<Option<Status>>,
    /// Uploads that have come are not answered.
    uploads_held: AtomicBool,
}

/// The test's side.
pub(crate) struct ScriptedCoordinator {
    pub(crate) script: Arc<Script>,
    events: mpsc::UnboundedReceiver<Event>,
    pub(crate) address: SocketAddr,
    server: Option<Runtime>,
}

impl ScriptedCoordinator {
    /// Listens on a free port.
    pub(crate) fn start() -> Self {
        let (events, receiver) = mpsc::unbounded_channel();
        let script = Arc::new(Script {
            answers: Mutex::default(),
            answered: Notify::new(),
            events,
            failures: Mutex::default(),
            verdict: Mutex::new(Verdict::Continue),
            dataset: Mutex::default(),
            checkpoint: Mutex::default(),
            refusal: Mutex::default(),
            uploads_held: AtomicBool::default(),
        });
        let mut coordinator =
            Self { script, events: receiver, address: ([127, 0, 0, 1], 0).into(), server: None };
        coordinator.restart();
        coordinator
    }

    /// Listens again where it listened before.
    pub(crate) fn restart(&mut self) {
        let listener = std::net::TcpListener::bind(self.address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.address = listener.local_addr().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let service = CoordinatorServer::from_arc(Arc::clone(&self.script));
        runtime.spawn(async {
            let listener = TcpListener::from_std(listener).unwrap();
            let incoming = tonic::transport::server::TcpIncoming::from(listener);
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        self.server = Some(runtime);
    }

    /// Goes away without a word: every connection breaks.
    pub(crate) async fn kill(&mut self) {
        let server = self.server.take().unwrap();
        // Waits until the sockets are closed, which must not be done on a
        // runtime's own thread.
        tokio::task::spawn_blocking(move || server.shutdown_timeout(PATIENCE)).await.unwrap();
    }

    /// Adds an answer to `Acquire`.
    pub(crate) fn answer(&self, answer: Answer) {
        self.script.answers.lock().unwrap().push_back(answer);
        self.script.answered.notify_one();
    }

    /// Assigns the execution of a trial of this number.
    pub(crate) fn assign(&self, trial: u32) -> AttemptId {
        let assignment = assignment(trial);
        let id = assignment.id.unwrap();
        self.answer(Answer::Assignment(assignment));
        id
    }

    /// Says that the study is over.
    pub(crate) fn end_study(&self) {
        self.answer(Answer::StudyOver(StudyOver {}));
    }

    /// Answers all reports and heartbeats so from now on.
    pub(crate) fn set_verdict(&self, verdict: Verdict) {
        *self.script.verdict.lock().unwrap() = verdict;
    }

    /// Lets the next call but `Acquire` and `Heartbeat` fail.
    pub(crate) fn fail_next(&self, status: Status) {
        self.script.failures.lock().unwrap().push_back(status);
    }

    /// Refuses every `Acquire`.
    pub(crate) fn refuse(&self, status: Status) {
        *self.script.refusal.lock().unwrap() = Some(status);
    }

    /// Answers no upload from now on.
    pub(crate) fn hold_uploads(&self) {
        self.script.uploads_held.store(true, Ordering::Relaxed);
    }

    /// What `FetchDataset` streams.
    pub(crate) fn set_dataset(&self, files: &[(&str, &[u8])]) {
        let chunk = |(file, data): &(&str, &[u8])| ((*file).to_owned(), data.to_vec());
        *self.script.dataset.lock().unwrap() = files.iter().map(chunk).collect();
    }

    /// What `FetchCheckpoint` streams.
    pub(crate) fn set_checkpoint(&self, bytes: &[u8]) {
        *self.script.checkpoint.lock().unwrap() = bytes.to_vec();
    }

    /// The next event, heartbeats included.
    pub(crate) async fn any_event(&mut self) -> Event {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        event.expect("an event within the test's patience").unwrap()
    }

    /// The next event that is not a heartbeat.
    pub(crate) async fn event(&mut self) -> Event {
        loop {
            match self.any_event().await {
                Event::Heartbeat(_) => {}
                event => return event,
            }
        }
    }

    /// Waits for `Acquire`.
    pub(crate) async fn acquired(&mut self) -> Worker {
        match self.event().await {
            Event::Acquire(worker) => worker,
            event => panic!("expected Acquire, not {event:?}"),
        }
    }

    /// Collects the epochs of reports up to the next event of another kind.
    pub(crate) async fn reported(&mut self, attempt: AttemptId) -> (Vec<u32>, Event) {
        let mut epochs = Vec::new();
        loop {
            match self.event().await {
                Event::Report(id, more) => {
                    assert_eq!(id, attempt);
                    epochs.extend(more);
                }
                event => return (epochs, event),
            }
        }
    }

    /// Whether anything but heartbeats was asked and not looked at yet.
    pub(crate) fn is_quiet(&mut self) -> bool {
        while let Ok(event) = self.events.try_recv() {
            if !matches!(event, Event::Heartbeat(_)) {
                return false;
            }
        }
        true
    }
}

impl Drop for ScriptedCoordinator {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown_background();
        }
    }
}

/// An assignment of 10 epochs with frequent heartbeats.
pub(crate) fn assignment(trial: u32) -> Assignment {
    Assignment {
        id: Some(AttemptId { trial, execution: 0, attempt: 1 }),
        specification: Some(Specification {
            model: Some(Model::default()),
            training: Some(Training { epochs: 10, ..Training::default() }),
            dataset: Some(Dataset {
                digest: DIGEST.to_owned(),
                path: "/nowhere".to_owned(),
                input_shape: vec![128, 660, 1],
                classes: 10,
                ..Default::default()
            }),
            objective: None,
        }),
        seed: 7,
        heartbeat_ms: 20,
        lease_ms: 20_000,
        checkpoint: None,
        keep_checkpoint: false,
    }
}

impl Script {
    fn note(&self, event: Event) -> Result<(), Status> {
        // The test may have ended.
        self.events.send(event).ok();
        self.failures.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }
}

#[tonic::async_trait]
impl Coordinator for Script {
    type FetchDatasetStream = Chunks<DatasetChunk>;
    type FetchCheckpointStream = Chunks<CheckpointChunk>;

    async fn acquire(
        &self,
        request: Request<AcquireRequest>,
    ) -> Result<Response<AcquireResponse>, Status> {
        self.events.send(Event::Acquire(request.into_inner().worker.unwrap())).ok();
        if let Some(status) = self.refusal.lock().unwrap().clone() {
            return Err(status);
        }
        loop {
            let answer = self.answers.lock().unwrap().pop_front();
            if answer.is_some() {
                return Ok(Response::new(AcquireResponse { answer }));
            }
            self.answered.notified().await;
        }
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        let request = request.into_inner();
        assert!(request.worker.is_some());
        self.events.send(Event::Heartbeat(request.id.unwrap())).ok();
        let verdict = *self.verdict.lock().unwrap();
        Ok(Response::new(HeartbeatResponse { verdict: verdict.into() }))
    }

    async fn report(
        &self,
        request: Request<ReportRequest>,
    ) -> Result<Response<ReportResponse>, Status> {
        let request = request.into_inner();
        let epochs = request.measurements.iter().map(|measurement| measurement.epoch).collect();
        self.note(Event::Report(request.id.unwrap(), epochs))?;
        let verdict = *self.verdict.lock().unwrap();
        Ok(Response::new(ReportResponse { verdict: verdict.into() }))
    }

    async fn upload(
        &self,
        request: Request<Streaming<UploadChunk>>,
    ) -> Result<Response<UploadResponse>, Status> {
        let mut stream = request.into_inner();
        let mut bytes = Vec::new();
        let mut file = None;
        while let Some(chunk) = stream.message().await? {
            assert!(chunk.data.len() <= sweep_proto::CHUNK_BYTES);
            assert_eq!(file.is_none(), chunk.file.is_some(), "the first says what it is");
            file = file.or(chunk.file);
            bytes.extend(chunk.data);
        }
        let file = file.expect("at least one chunk");
        assert_eq!(file.sha256, sha256(&bytes));
        let id = file.id.unwrap();
        self.note(match file.content.unwrap() {
            Content::Weights(_) => Event::Weights(id, bytes.len()),
            Content::Checkpoint(Position { epoch, step }) => {
                Event::Checkpoint(id, epoch, step, bytes)
            }
        })?;
        if self.uploads_held.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(UploadResponse {}))
    }

    async fn complete(
        &self,
        request: Request<CompleteRequest>,
    ) -> Result<Response<CompleteResponse>, Status> {
        let request = request.into_inner();
        self.note(Event::Complete(request.id.unwrap(), request.outcome.unwrap()))?;
        Ok(Response::new(CompleteResponse {}))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        Err(Status::unimplemented("no worker asks for it"))
    }

    async fn fetch_dataset(
        &self,
        request: Request<FetchDatasetRequest>,
    ) -> Result<Response<Self::FetchDatasetStream>, Status> {
        let FetchDatasetRequest { digest, file, offset } = request.into_inner();
        assert_eq!(digest, DIGEST);
        let chunks = dataset_chunks(&self.dataset.lock().unwrap(), &file, offset);
        let noted = self.note(Event::Fetch(file, offset));
        Ok(Response::new(stream(chunks.into_iter().map(Ok).collect(), noted)))
    }

    async fn fetch_checkpoint(
        &self,
        request: Request<FetchCheckpointRequest>,
    ) -> Result<Response<Self::FetchCheckpointStream>, Status> {
        let FetchCheckpointRequest { id, epoch, step } = request.into_inner();
        let bytes = self.checkpoint.lock().unwrap().clone();
        let chunk = |data: &[u8]| Ok(CheckpointChunk { data: data.to_vec() });
        let chunks = bytes.chunks(sweep_proto::CHUNK_BYTES).map(chunk).collect();
        match self.note(Event::FetchCheckpoint(id.unwrap(), epoch, step)) {
            Err(status) if status.code() == Code::NotFound => Err(status),
            noted => Ok(Response::new(stream(chunks, noted))),
        }
    }
}

/// The chunks of a dataset from a place on, each file's last with its checksum.
fn dataset_chunks(parts: &[(String, Vec<u8>)], file: &str, offset: u64) -> Vec<DatasetChunk> {
    let total_bytes = parts.iter().map(|(_, data)| data.len() as u64).sum();
    let mut chunks = Vec::new();
    let mut skips = !file.is_empty();
    for part in parts.chunk_by(|(a, _), (b, _)| a == b) {
        let name = &part[0].0;
        skips &= name != file;
        if skips {
            continue;
        }
        let whole: Vec<u8> = part.iter().flat_map(|(_, data)| data.clone()).collect();
        let chunk = |data: &[u8]| DatasetChunk {
            file: name.clone(),
            data: data.to_vec(),
            ..DatasetChunk::default()
        };
        if name == file {
            chunks.push(chunk(&whole[usize::try_from(offset).unwrap()..]));
        } else {
            chunks.extend(part.iter().map(|(_, data)| chunk(data)));
        }
        chunks.push(DatasetChunk { sha256: sha256(&whole), ..chunk(&[]) });
    }
    if let Some(first) = chunks.first_mut() {
        first.total_bytes = total_bytes;
    }
    chunks
}

type Chunks<T> = Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;

/// All chunks or, if a failure was ordered, the first of them and then that.
fn stream<T: Send + 'static>(
    mut chunks: Vec<Result<T, Status>>,
    noted: Result<(), Status>,
) -> Chunks<T> {
    if let Err(status) = noted {
        chunks.truncate(1);
        chunks.push(Err(status));
    }
    Box::pin(tokio_stream::iter(chunks))
}

/// Lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}
