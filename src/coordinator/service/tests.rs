//! Arbitrary messages against a whole coordinator in this process: each gets the
//! right status, a refused one changes nothing, and nothing makes it panic.
//!
//! The dispatcher checks the invariants of its study and its leases after every
//! event, as it does in all tests of this crate.

mod messages;

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use sweep_proto::v1::acquire_response::Answer;
use sweep_proto::v1::coordinator_client::CoordinatorClient;
use sweep_proto::v1::{Specification, Training};
use tokio::runtime::Runtime;
use tonic::Code;
use tonic::transport::Channel;

use self::messages::{Aim, DATASET_BYTES, DIGEST, Message, is_name, messages};
use super::*;
use crate::coordinator::decide::{Planner, Search};
use crate::coordinator::dispatcher::{Clock, Dispatcher};
use crate::oracle::RandomSearch;
use crate::space::{HyperParameter, HyperParameters, Kind, Numerical, Sampling, Space, Value};
use crate::store::Store;
use crate::study::{Direction, Objective, Settings, Stage, Study};

const LEASE_MS: u64 = 3_600_000;

/// Three epochs of every assignment but one in eleven, which cannot be trained.
struct Plan;

impl Planner for Plan {
    fn plan(
        &self,
        hyperparameters: &HyperParameters,
        _stage: Option<&Stage>,
    ) -> Result<Specification, String> {
        match hyperparameters.get("units") {
            Some(Value::Int(units)) if units % 11 == 0 => Err("layer 1: eleven".to_owned()),
            _ => Ok(Specification {
                training: Some(Training { epochs: 3, ..Training::default() }),
                ..Specification::default()
            }),
        }
    }
}

/// With more trials than are ever asked for, so that `Acquire` is answered at once.
fn settings() -> Settings {
    Settings {
        study: "messages".to_owned(),
        objective: Objective::single("val_accuracy", Direction::Max),
        max_trials: 10_000,
        executions_per_trial: 2,
        folds: None,
        seed: 1,
        max_retries: 1,
        max_consecutive_failures: 0,
        hours: None,
        epochs: None,
        keep_models: 2,
    }
}

/// A coordinator, what it keeps, and what it has leased.
struct Site {
    folder: tempfile::TempDir,
    dispatcher: Dispatcher,
    store: Store,
    client: CoordinatorClient<Channel>,
    /// Every lease that was granted, and to which process.
    leased: BTreeMap<AttemptId, u64>,
}

/// What must not change when a message is refused.
#[derive(Debug, PartialEq)]
struct Kept {
    records: usize,
    files: Vec<String>,
}

impl Site {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = |name: &str| folder.path().join(name);
        for name in ["weights", "checkpoints", "dataset"] {
            std::fs::create_dir(place(name)).expect("made");
        }
        std::fs::write(place("dataset/x.npy"), [7; DATASET_BYTES as usize]).expect("written");
        let range = Numerical {
            min: 1,
            max: 100_000,
            step: None,
            sampling: Sampling::Linear,
            default: None,
        };
        let units =
            HyperParameter { name: "units".to_owned(), kind: Kind::Int(range), when: Vec::new() };
        let space = Space { hyperparameters: vec![units], ..Space::default() };
        let store = Store::open(&place("study.db")).expect("a store");
        let reader = Store::open_to_read(&place("study.db")).expect("the store");
        let clock = Clock::start();
        let oracle = Box::new(RandomSearch::new(space));
        let study = Study::new(settings());
        // Whoever asks gets something at once.
        let search = Search::new(study, oracle, None, Box::new(Plan), LEASE_MS, clock.now());
        let mut search = search.with_quarantine(0);
        let first = search.start(clock.now(), "test", |_| false);
        let checkpoints = CheckpointFiles::new(place("checkpoints"));
        let observer = Box::new(checkpoints.clone());
        let dispatcher = Dispatcher::start(search, store, observer, clock, first);
        let service = Service {
            handle: dispatcher.handle.clone(),
            lease_ms: LEASE_MS,
            weights: place("weights"),
            checkpoints,
            dataset: DatasetFiles::new(DIGEST.to_owned(), place("dataset")),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(service.serve(Door::default(), listener));
        let client = CoordinatorClient::connect(format!("http://{address}")).await;
        let client = client.expect("connected");
        // The first records are on disk once it answers.
        dispatcher.handle.status().await.expect("running");
        Self { folder, dispatcher, store: reader, client, leased: BTreeMap::new() }
    }

    fn kept(&self) -> Kept {
        let mut files = Vec::new();
        list(self.folder.path(), &mut files);
        // Those of the store grow whenever they like.
        files.retain(|name| !name.contains("study.db"));
        files.sort();
        Kept { records: self.store.records().expect("readable").len(), files }
    }

    /// Sends a message, and reads all of the answer.
    async fn send(&mut self, message: Message) -> Result<(), Status> {
        let client = &mut self.client;
        match message {
            Message::Acquire(request) => {
                let instance = request.worker.as_ref().map_or(0, |worker| worker.instance);
                let answer = client.acquire(request).await?.into_inner().answer;
                let Some(Answer::Assignment(v1::Assignment { id: Some(id), .. })) = answer else {
                    panic!("there is always a trial: {answer:?}");
                };
                self.leased.insert(id.into(), instance);
            }
            Message::Heartbeat(request) => drop(client.heartbeat(request).await?),
            Message::Report(request) => drop(client.report(request).await?),
            Message::Upload(chunks) => drop(client.upload(tokio_stream::iter(chunks)).await?),
            Message::Complete(request) => drop(client.complete(request).await?),
            Message::FetchDataset(request) => {
                let mut stream = client.fetch_dataset(request).await?.into_inner();
                while stream.message().await?.is_some() {}
            }
            Message::FetchCheckpoint(request) => {
                let mut stream = client.fetch_checkpoint(request).await?.into_inner();
                while stream.message().await?.is_some() {}
            }
            Message::Status => drop(client.status(v1::StatusRequest {}).await?),
        }
        Ok(())
    }

    /// Whether this is a status that the message may get.
    fn may_be(&self, message: &Message, code: Code) -> bool {
        if let Some(refusal) = message.refusal() {
            return code == refusal;
        }
        let Some((id, instance)) = message.attempt() else {
            return match message {
                Message::FetchCheckpoint(_) => matches!(code, Code::Ok | Code::NotFound),
                _ => code == Code::Ok,
            };
        };
        match self.leased.get(&id) {
            None => code == Code::NotFound,
            Some(holder) if *holder == instance => code == Code::Ok || message.flaw() == Some(code),
            // Of an attempt that has ended nobody waits for anything.
            Some(_) => matches!(code, Code::PermissionDenied | Code::Ok),
        }
    }

    /// Sends a message, and checks what comes of it.
    async fn try_out(
        &mut self,
        mut message: Message,
        aim: Option<Aim>,
    ) -> Result<(), TestCaseError> {
        if let Some(Aim { back, is_holder }) = aim
            && let Some((id, holder)) = self.leased.iter().nth_back(back)
        {
            message.aim_at(*id, is_holder.then_some(*holder));
        }
        let before = self.kept();
        let foreign = message.attempt().is_some_and(|(id, instance)| {
            self.leased.get(&id).is_some_and(|holder| *holder != instance)
        });
        let sent = self.send(message.clone()).await;
        let code = sent.as_ref().err().map_or(Code::Ok, Status::code);
        prop_assert!(self.may_be(&message, code), "{sent:?} to {message:?}");
        if sent.is_err() || foreign {
            // What is told without an answer has been decided then, too.
            self.dispatcher.handle.status().await.expect("running");
            prop_assert_eq!(self.kept(), before, "{:?} changed something", message);
        }
        Ok(())
    }

    async fn close(self) -> Result<(), TestCaseError> {
        let study = self.dispatcher.close().await.expect("the store works");
        let mut again = Study::new(settings());
        self.store.replay(&mut again).expect("the records fit");
        // As text, in which a loss that is no number is one like another.
        let text = |study: &Study| format!("{:?}", study.trials);
        prop_assert_eq!(text(&again), text(&study), "what is stored is what was decided");
        prop_assert_eq!(&again.checkpoints, &study.checkpoints);
        for trial in &study.trials {
            prop_assert!(trial.score.is_none_or(f64::is_finite));
            for execution in &trial.executions {
                for attempt in &execution.attempts {
                    prop_assert!(is_name(&attempt.worker));
                }
            }
        }
        let mut files = Vec::new();
        list(self.folder.path(), &mut files);
        let unfinished: Vec<_> = files.iter().filter(|name| name.ends_with(".tmp")).collect();
        prop_assert!(unfinished.is_empty(), "{unfinished:?}");
        Ok(())
    }
}

/// Paths and lengths of all files.
fn list(folder: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            list(&path, files);
        } else {
            let bytes = std::fs::metadata(&path).expect("there").len();
            files.push(format!("{bytes} {}", path.display()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_message_gets_the_right_status_and_refused_ones_change_nothing(
        messages in messages(),
    ) {
        let runtime = Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let mut site = Site::open().await;
            for (message, aim) in messages {
                site.try_out(message, aim).await?;
            }
            site.close().await
        })?;
    }
}
