//! The coordinator and worker sessions in one process, over gRPC on loopback.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sweep::coordinator::checkpoints::CheckpointFiles;
use sweep::coordinator::datasets::DatasetFiles;
use sweep::coordinator::decide::{Planner, Search};
use sweep::coordinator::dispatcher::{Clock, Dispatcher, Handle};
use sweep::coordinator::door::Door;
use sweep::coordinator::service::Service;
use sweep::oracle::{Oracle, RandomSearch};
use sweep::results::weights_file;
use sweep::space::{HyperParameter, HyperParameters, Kind, Numerical, Sampling, Space};
use sweep::store::Store;
use sweep::study::{AttemptId, Direction, Objective, Settings, Stage, Study, TrialState};
use sweep_proto::digest::hexadecimal;
use sweep_proto::v1::coordinator_client::CoordinatorClient;
use sweep_proto::v1::uploaded_file::Content;
use sweep_proto::v1::{self, layer};
use sweep_session::{Backoff, End, ToyTrainer, TrainingThread};
use tokio::net::TcpListener;
use tonic::Code;

const DIGEST: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

/// A dense network whose width is searched.
pub(crate) struct DensePlan {
    dataset: PathBuf,
}

impl DensePlan {
    /// What is trained, wherever the dataset lies.
    pub(crate) fn specification(
        hyperparameters: &HyperParameters,
        stage: Option<&Stage>,
    ) -> Result<v1::Specification, String> {
        let units = match hyperparameters.get("units") {
            Some(sweep::space::Value::Int(units)) => u32::try_from(*units).expect("small"),
            other => return Err(format!("units: {other:?}")),
        };
        let dense = v1::Dense { units, ..Default::default() };
        let layers =
            vec![v1::Layer { name: "dense".to_owned(), kind: Some(layer::Kind::Dense(dense)) }];
        let epochs = stage.map_or(3, |stage| stage.epochs);
        Ok(v1::Specification {
            model: Some(v1::Model { layers }),
            training: Some(v1::Training { epochs, batch_size: 1, ..Default::default() }),
            dataset: Some(v1::Dataset {
                digest: DIGEST.to_owned(),
                path: String::new(),
                input_shape: vec![4],
                classes: 2,
                ..Default::default()
            }),
            objective: Some(v1::Objective {
                metric: "val_accuracy".to_owned(),
                direction: v1::Direction::Max.into(),
                terms: Vec::new(),
            }),
        })
    }
}

impl Planner for DensePlan {
    fn plan(
        &self,
        hyperparameters: &HyperParameters,
        stage: Option<&Stage>,
    ) -> Result<v1::Specification, String> {
        let mut specification = Self::specification(hyperparameters, stage)?;
        if let Some(dataset) = &mut specification.dataset {
            dataset.path = self.dataset.to_string_lossy().into_owned();
        }
        Ok(specification)
    }
}

pub(crate) type Client = CoordinatorClient<tonic::transport::Channel>;

/// A coordinator with its folder.
pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) address: std::net::SocketAddr,
}

pub(crate) fn space() -> Space {
    let range =
        Numerical { min: 1, max: 500, step: None, sampling: Sampling::Linear, default: None };
    let units =
        HyperParameter { name: "units".to_owned(), kind: Kind::Int(range), when: Vec::new() };
    Space { hyperparameters: vec![units], ..Space::default() }
}

fn settings() -> Settings {
    Settings {
        study: "service".to_owned(),
        objective: Objective::single("val_accuracy", Direction::Max),
        max_trials: 12,
        executions_per_trial: 2,
        folds: None,
        seed: 5,
        max_retries: 0,
        max_consecutive_failures: 3,
        hours: None,
        epochs: None,
        keep_models: 1,
    }
}

impl Site {
    pub(crate) async fn open() -> Self {
        Self::of(Box::new(RandomSearch::new(space()))).await
    }

    /// Searches as this oracle does.
    pub(crate) async fn of(oracle: Box<dyn Oracle>) -> Self {
        Self::behind(Door::default(), oracle).await
    }

    /// The same, behind a door.
    pub(crate) async fn behind(door: Door, oracle: Box<dyn Oracle>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dataset = folder.path().join("dataset");
        let weights = folder.path().join("weights");
        let checkpoints = folder.path().join("checkpoints");
        for made in [&dataset, &weights, &checkpoints] {
            std::fs::create_dir(made).expect("made");
        }
        std::fs::write(dataset.join("manifest.json"), format!("{{\"digest\": \"{DIGEST}\"}}"))
            .expect("written");
        std::fs::write(dataset.join("x.npy"), vec![7; 3 << 20]).expect("written");
        let store = Store::open(&folder.path().join("study.db")).expect("a store");
        let clock = Clock::start();
        // No worker sees this folder: the dataset has to be fetched.
        let plan = DensePlan { dataset: folder.path().join("elsewhere") };
        let mut search =
            Search::new(Study::new(settings()), oracle, None, Box::new(plan), 20_000, clock.now());
        let first = search.start(clock.now(), "test", |_| true);
        let checkpoints = CheckpointFiles::new(checkpoints);
        let observer = Box::new(checkpoints.clone());
        let dispatcher = Dispatcher::start(search, store, observer, clock, first);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let handle: Handle = dispatcher.handle.clone();
        let service = Service {
            handle,
            lease_ms: 20_000,
            weights,
            checkpoints,
            dataset: DatasetFiles::new(DIGEST.to_owned(), dataset),
        };
        tokio::spawn(service.serve(door, listener));
        Self { folder, dispatcher, address }
    }

    /// Runs workers until the study is over.
    pub(crate) async fn work(self, workers: usize) -> (Study, tempfile::TempDir) {
        let mut sessions = tokio::task::JoinSet::new();
        for index in 0..workers {
            sessions.spawn(session(self.address, index, self.folder.path().join("cache")));
        }
        while let Some(session) = sessions.join_next().await {
            assert_eq!(session.expect("no panic"), End::StudyOver);
        }
        (self.dispatcher.close().await.expect("the store works"), self.folder)
    }

    pub(crate) async fn client(&self) -> Client {
        CoordinatorClient::connect(format!("http://{}", self.address)).await.expect("connected")
    }
}

async fn session(address: std::net::SocketAddr, index: usize, cache: PathBuf) -> End {
    let address: sweep_proto::address::Address = address.to_string().parse().expect("an address");
    let client = sweep_proto::connect::client(&address, &Default::default()).expect("a client");
    let settings = sweep_session::Settings {
        name: format!("session-{index}"),
        host: String::new(),
        labels: Default::default(),
        cache_bytes: None,
        cache,
        give_up_after: Duration::from_secs(30),
        backoff: Backoff::default(),
        grace: Duration::from_secs(25),
        max_trials: None,
        idle_timeout: None,
    };
    let trainer = TrainingThread::start(ToyTrainer::new(Duration::ZERO, None)).expect("a thread");
    let (_stay, departure) = tokio::sync::watch::channel(sweep_session::Departure::Stay);
    sweep_session::serve(client, &settings, &trainer, departure).await.expect("served")
}

/// What has to be the same whoever did the work.
fn outcome(study: &Study) -> Vec<(String, Option<f64>)> {
    study
        .trials
        .iter()
        .map(|trial| (serde_json::to_string(&trial.hyperparameters).expect("JSON"), trial.score))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_workers_changes_no_result() {
    let (alone, _folder) = Site::open().await.work(1).await;
    assert_eq!(alone.trials.len(), 12);
    assert!(alone.trials.iter().all(|trial| trial.state == TrialState::Completed));
    let (together, folder) = Site::open().await.work(5).await;
    assert_eq!(outcome(&alone), outcome(&together));

    let weights = folder.path().join("weights");
    for file in std::fs::read_dir(&weights).expect("there") {
        let name = file.expect("readable").file_name();
        assert!(name.as_encoded_bytes().ends_with(b".safetensors"), "half written: {name:?}");
    }
    let best = together.best().expect("all have a score");
    let objective = &together.settings.objective;
    let value = |index: &usize| {
        let attempt = best.executions[*index].current().expect("it has finished");
        attempt.best(objective).expect("it was measured").1
    };
    let execution = (0..2).rev().max_by(|a, b| value(a).total_cmp(&value(b))).expect("two");
    let id = AttemptId { trial: best.id, execution: execution as u32, attempt: 1 };
    assert!(weights.join(weights_file(id)).is_file(), "the weights of the best are there");
    let fetched = folder.path().join("cache/datasets").join(DIGEST).join("x.npy");
    assert_eq!(std::fs::metadata(fetched).expect("fetched").len(), 3 << 20);
    let stored = Store::open(&folder.path().join("study.db")).expect("the store");
    let mut again = Study::new(settings());
    again.replay(&stored.records().expect("records")).expect("they fit");
    assert_eq!(again.trials, together.trials, "what is in the store is what was decided");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_was_cut_off_goes_on_where_it_was() {
    let site = Site::open().await;
    let datasets = site.folder.path().join("cache/datasets");
    let staging = datasets.join(format!(".staging-{DIGEST}-part"));
    std::fs::create_dir_all(&staging).expect("made");
    let arriving = staging.join(".x.npy");
    std::fs::write(&arriving, vec![7; (1 << 20) + 12_345]).expect("written");
    let inode = |path: &Path| std::fs::metadata(path).expect("there").ino();
    let before = inode(&arriving);
    let (_, folder) = site.work(2).await;
    let fetched = folder.path().join("cache/datasets").join(DIGEST).join("x.npy");
    assert_eq!(inode(&fetched), before, "the very file");
    assert_eq!(std::fs::read(fetched).expect("fetched"), vec![7; 3 << 20]);
    assert_eq!(std::fs::read_dir(&datasets).expect("there").count(), 1, "and nothing else");
}

#[tokio::test]
async fn strangers_are_told_what_is_wrong() {
    let site = Site::open().await;
    let mut client = site.client().await;
    let worker = |version: &str| v1::Worker {
        version: version.to_owned(),
        name: "stranger".to_owned(),
        instance: 7,
        ..Default::default()
    };

    let missing = client.acquire(v1::AcquireRequest { worker: None }).await.expect_err("no worker");
    assert_eq!((missing.code(), missing.message()), (Code::InvalidArgument, "`worker` is missing"));
    let old = client
        .acquire(v1::AcquireRequest { worker: Some(worker("0.0.1")) })
        .await
        .expect_err("old");
    assert_eq!(old.code(), Code::FailedPrecondition);
    assert!(
        old.message().contains("0.0.1") && old.message().contains(sweep_proto::VERSION),
        "{old}"
    );
    for (host, key, value) in [
        (String::new(), "gpu".to_owned(), "x".repeat(1 << 20)),
        (String::new(), "x".repeat(1 << 20), String::new()),
        ("x".repeat(1 << 20), "gpu".to_owned(), String::new()),
        ("a\nb".to_owned(), "gpu".to_owned(), String::new()),
    ] {
        let labels = [(key, value)].into();
        let labelled = v1::Worker { host, labels, instance: 1, ..worker(sweep_proto::VERSION) };
        let request = v1::AcquireRequest { worker: Some(labelled) };
        let refused = client.acquire(request).await.expect_err("too long");
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().len() < 200, "{refused}");
    }
    let mut nameless = worker(sweep_proto::VERSION);
    nameless.name = "x".repeat(1 << 20);
    let nameless =
        client.acquire(v1::AcquireRequest { worker: Some(nameless) }).await.expect_err("name");
    assert_eq!(nameless.code(), Code::InvalidArgument);

    let id = Some(v1::AttemptId { trial: 99, execution: 0, attempt: 1 });
    let unknown = client
        .report(v1::ReportRequest { id, instance: INSTANCE, measurements: vec![] })
        .await
        .expect_err("unknown");
    assert_eq!(unknown.code(), Code::NotFound);
    let chunk = chunk(id, &[1], Content::Weights(v1::BestWeights {}));
    let unknown = client.upload(tokio_stream::iter([chunk])).await.expect_err("unknown");
    assert_eq!(unknown.code(), Code::NotFound);
    let chunk = v1::UploadChunk { file: None, data: vec![1] };
    let nameless = client.upload(tokio_stream::iter([chunk])).await.expect_err("what is it?");
    assert_eq!((nameless.code(), nameless.message()), (Code::InvalidArgument, "`file` is missing"));
    let epoch = v1::Measurement { epoch: 0, metrics: vec![], seconds: 0.0 };
    let zero = client
        .report(v1::ReportRequest { id, instance: INSTANCE, measurements: vec![epoch] })
        .await
        .expect_err("epoch 0");
    assert_eq!(zero.code(), Code::InvalidArgument);
    let digest = "../../etc".to_owned();
    let request = v1::FetchDatasetRequest { digest, ..Default::default() };
    let path = client.fetch_dataset(request).await.expect_err("a path");
    assert_eq!(path.code(), Code::NotFound);
    for (file, offset, code) in
        [("../study.db", 0, Code::InvalidArgument), ("manifest.json", 1 << 40, Code::OutOfRange)]
    {
        let (digest, file) = (DIGEST.to_owned(), file.to_owned());
        let request = v1::FetchDatasetRequest { digest, file, offset };
        let refused = client.fetch_dataset(request).await.expect_err("no such place");
        assert_eq!(refused.code(), code, "{refused}");
    }
    let study = site.dispatcher.close().await.expect("the store works");
    assert!(study.trials.is_empty(), "nothing was changed");
}

#[tokio::test]
async fn an_attempt_is_heard_of_from_its_own_worker_alone() {
    let site = Site::open().await;
    let mut client = site.client().await;
    let id = acquire(&mut client).await.id;
    let measurements = vec![v1::Measurement { epoch: 1, ..Default::default() }];
    let outcome = Some(v1::complete_request::Outcome::Finished(v1::Finished {}));
    for (instance, code) in [(0, Code::InvalidArgument), (INSTANCE + 1, Code::PermissionDenied)] {
        let mut refused = Vec::new();
        let request = v1::ReportRequest { id, instance, measurements: measurements.clone() };
        refused.push(client.report(request).await.expect_err("not its own"));
        for content in [
            Content::Weights(v1::BestWeights {}),
            Content::Checkpoint(v1::Position { epoch: 1, step: 0 }),
        ] {
            let mut chunk = chunk(id, &[1], content);
            chunk.file.as_mut().expect("the first").instance = instance;
            let upload = client.upload(tokio_stream::iter([chunk]));
            refused.push(upload.await.expect_err("not its own"));
        }
        let worker = v1::Worker { name: "w".to_owned(), instance, ..Default::default() };
        let request = v1::HeartbeatRequest { id, worker: Some(worker) };
        refused.push(client.heartbeat(request).await.expect_err("not its own"));
        let request = v1::CompleteRequest { id, instance, outcome: outcome.clone() };
        refused.push(client.complete(request).await.expect_err("not its own"));
        for status in refused {
            assert_eq!(status.code(), code, "{status}");
        }
    }
    let study = site.dispatcher.close().await.expect("the store works");
    let attempt = &study.trials[0].executions[0].attempts[0];
    assert!(attempt.measurements.is_empty() && attempt.outcome.is_none(), "{attempt:?}");
    assert!(study.checkpoints.is_empty());
}

#[tokio::test]
async fn what_cannot_have_been_measured_is_refused() {
    let site = Site::open().await;
    let mut client = site.client().await;
    let id = acquire(&mut client).await.id;
    let metric = |value| v1::Metric { name: "loss".to_owned(), value: Some(value) };
    let good = v1::Measurement { epoch: 1, metrics: vec![metric(0.5)], seconds: 1.0 };
    let many = (0..10_000).map(|index| v1::Metric::measured(format!("m{index}"), 1.0));
    let bad = [
        v1::Measurement { metrics: vec![metric(f64::NAN)], ..good.clone() },
        v1::Measurement { metrics: vec![metric(0.5), metric(f64::INFINITY)], ..good.clone() },
        v1::Measurement { metrics: many.collect(), ..good.clone() },
        v1::Measurement { metrics: vec![v1::Metric::measured("", 0.5)], ..good.clone() },
        v1::Measurement { seconds: -1.0, ..good.clone() },
        v1::Measurement { seconds: f64::NAN, ..good.clone() },
        v1::Measurement { epoch: 0, ..good.clone() },
        // What a negative number becomes.
        v1::Measurement { epoch: (-1_i32).cast_unsigned(), ..good.clone() },
    ];
    for measurement in bad {
        // One that is good before it is not taken either.
        let measurements = vec![good.clone(), measurement];
        let request = v1::ReportRequest { id, instance: INSTANCE, measurements };
        let refused = client.report(request).await.expect_err("it cannot be");
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    let absent = v1::Measurement { metrics: vec![v1::Metric::measured("loss", f64::NAN)], ..good };
    let request = v1::ReportRequest { id, instance: INSTANCE, measurements: vec![absent] };
    client.report(request).await.expect("a loss that is no number, and says so");
    let study = site.dispatcher.close().await.expect("the store works");
    let measured = &study.trials[0].executions[0].attempts[0].measurements;
    assert_eq!(measured.len(), 1);
    assert!(measured[0].get("loss").is_some_and(f64::is_nan));
}

#[tokio::test]
async fn files_that_do_not_fit_their_digest_are_refused() {
    let site = Site::open().await;
    let mut client = site.client().await;
    let id = acquire(&mut client).await.id;
    let report = v1::ReportRequest {
        id,
        instance: INSTANCE,
        measurements: vec![v1::Measurement { epoch: 1, ..Default::default() }],
    };
    client.report(report).await.expect("measured");
    for content in [
        Content::Weights(v1::BestWeights {}),
        Content::Checkpoint(v1::Position { epoch: 1, step: 0 }),
    ] {
        let mut chunk = chunk(id, &[1, 2, 3], content);
        chunk.data[0] = 0;
        let refused = client.upload(tokio_stream::iter([chunk])).await.expect_err("a wrong digest");
        assert_eq!(refused.code(), Code::DataLoss);
    }
    for folder in ["weights", "checkpoints"] {
        let left = std::fs::read_dir(site.folder.path().join(folder)).expect("there").count();
        assert_eq!(left, 0, "nothing is left of it");
    }
    let study = site.dispatcher.close().await.expect("the store works");
    assert!(study.checkpoints.is_empty());
}

/// Of the worker that [`acquire`] leases to.
pub(crate) const INSTANCE: u64 = 1;

#[tokio::test]
async fn a_disk_that_takes_no_weights_ends_the_coordinator_and_loses_nothing() {
    let site = Site::open().await;
    let mut client = site.client().await;
    let id = acquire(&mut client).await.id;
    let measurements = vec![v1::Measurement { epoch: 1, ..Default::default() }];
    let report = v1::ReportRequest { id, instance: INSTANCE, measurements };
    client.report(report).await.expect("measured");
    std::fs::remove_dir(site.folder.path().join("weights")).expect("removed");
    let chunk = chunk(id, &[1, 2, 3], Content::Weights(v1::BestWeights {}));
    let refused = client.upload(tokio_stream::iter([chunk])).await.expect_err("no place for it");
    assert_eq!(refused.code(), Code::Unavailable, "the worker tries again: {refused}");
    let error = site.dispatcher.close().await.expect_err("it has ended");
    assert!(error.to_string().contains("weights/trial-0-execution-0-attempt-1"), "{error}");
    assert!(error.hint().contains("free space"));
    let stored = Store::open(&site.folder.path().join("study.db")).expect("the store");
    let mut again = Study::new(settings());
    stored.replay(&mut again).expect("what was acknowledged");
    assert_eq!(again.trials[0].executions[0].attempts[0].measurements.len(), 1);
}

/// A file in one chunk.
pub(crate) fn chunk(id: Option<v1::AttemptId>, data: &[u8], content: Content) -> v1::UploadChunk {
    let sha256 = hexadecimal(&Sha256::digest(data));
    let file = v1::UploadedFile { id, instance: INSTANCE, sha256, content: Some(content) };
    v1::UploadChunk { file: Some(file), data: data.to_vec() }
}

/// Leases an execution to a worker of a name of its own.
pub(crate) async fn acquire(client: &mut Client) -> v1::Assignment {
    let worker = v1::Worker {
        name: "w".to_owned(),
        instance: INSTANCE,
        version: sweep_proto::VERSION.to_owned(),
        ..Default::default()
    };
    let request = v1::AcquireRequest { worker: Some(worker) };
    let answer = client.acquire(request).await.expect("leased").into_inner().answer;
    match answer {
        Some(v1::acquire_response::Answer::Assignment(assignment)) => assignment,
        other => panic!("{other:?}"),
    }
}
