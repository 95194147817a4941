//! The worker of a test: a session in the background, and a trainer that does
//! what the test says.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sweep_proto::address::Address;
use sweep_proto::connect::{Credentials, client};
use sweep_proto::v1::{Measurement, Metric};
use sweep_session::{
    Backoff, Course, Departure, End, Ending, Epochs, Execution, Failure, SessionError, Settings,
    Trainer, TrainingThread, serve,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::coordinator::DIGEST;

/// A trainer made of a function.
pub(crate) struct Scripted<F>(pub(crate) F);

impl<F> Trainer for Scripted<F>
where
    F: FnMut(&Execution, &mut dyn Epochs) -> Result<Ending, Failure> + Send + 'static,
{
    fn device(&self) -> String {
        "scripted".to_owned()
    }

    fn memory_bytes(&self) -> Option<u64> {
        Some(24 << 30)
    }

    fn train(&mut self, execution: &Execution, epochs: &mut dyn Epochs) -> Result<Ending, Failure> {
        (self.0)(execution, epochs)
    }
}

/// A session in the background.
pub(crate) struct Running {
    pub(crate) session: JoinHandle<Result<End, SessionError>>,
    departure: watch::Sender<Departure>,
    pub(crate) trainer: Arc<TrainingThread>,
    pub(crate) cache: tempfile::TempDir,
}

impl Running {
    /// Tells the worker to leave.
    pub(crate) fn leave(&self, departure: Departure) {
        self.departure.send_replace(departure);
    }

    /// Waits for the session's end.
    pub(crate) async fn ended(self) -> Result<End, SessionError> {
        self.session.await.unwrap()
    }
}

/// Starts a session with the dataset in its cache.
pub(crate) fn start<F>(address: SocketAddr, train: F) -> Running
where
    F: FnMut(&Execution, &mut dyn Epochs) -> Result<Ending, Failure> + Send + 'static,
{
    let cache = tempfile::tempdir().unwrap();
    write_dataset(&cache.path().join("datasets").join(DIGEST));
    start_with(address, cache, Duration::from_secs(60), train)
}

/// Starts a session.
pub(crate) fn start_with<F>(
    address: SocketAddr,
    cache: tempfile::TempDir,
    give_up_after: Duration,
    train: F,
) -> Running
where
    F: FnMut(&Execution, &mut dyn Epochs) -> Result<Ending, Failure> + Send + 'static,
{
    start_set(address, cache, |settings| settings.give_up_after = give_up_after, train)
}

/// Starts a session with some settings of its own.
pub(crate) fn start_set<F>(
    address: SocketAddr,
    cache: tempfile::TempDir,
    set: impl FnOnce(&mut Settings),
    train: F,
) -> Running
where
    F: FnMut(&Execution, &mut dyn Epochs) -> Result<Ending, Failure> + Send + 'static,
{
    let mut settings = Settings {
        name: "test".to_owned(),
        host: "host".to_owned(),
        labels: [("gpu".to_owned(), "none".to_owned())].into(),
        cache_bytes: None,
        cache: cache.path().to_owned(),
        give_up_after: Duration::from_secs(60),
        backoff: Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(20) },
        grace: Duration::from_secs(60),
        max_trials: None,
        idle_timeout: None,
    };
    set(&mut settings);
    let trainer = Arc::new(TrainingThread::start(Scripted(train)).unwrap());
    let (departure, told) = watch::channel(Departure::Stay);
    let address: Address = address.to_string().parse().unwrap();
    let client = client(&address, &Credentials::default()).unwrap();
    let session = tokio::spawn({
        let trainer = Arc::clone(&trainer);
        async move { serve(client, &settings, &trainer, told).await }
    });
    Running { session, departure, trainer, cache }
}

/// Writes a dataset of which only the manifest matters.
pub(crate) fn write_dataset(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("manifest.json"), manifest()).unwrap();
}

/// The manifest of the tests' dataset.
pub(crate) fn manifest() -> String {
    format!(r#"{{"digest": "{DIGEST}", "classes": ["a", "b"]}}"#)
}

/// The measurement of an epoch.
pub(crate) fn measurement(epoch: u32) -> Measurement {
    let metrics = vec![Metric::measured("loss", 1.0 / f64::from(epoch))];
    Measurement { epoch, metrics, seconds: 0.1 }
}

/// Reports these epochs; whether all were wanted.
pub(crate) fn report(epochs: &mut dyn Epochs, mut numbers: impl Iterator<Item = u32>) -> bool {
    numbers.all(|epoch| epochs.report(measurement(epoch)) == Course::GoOn)
}

/// Trains on until it is told otherwise, as in an epoch without end.
pub(crate) fn train_until_told(epochs: &dyn Epochs) -> Course {
    loop {
        match epochs.course() {
            Course::GoOn => std::thread::sleep(Duration::from_millis(1)),
            course @ (Course::Leave | Course::Stop) => return course,
        }
    }
}

/// Trains on until nobody waits, whatever else it is told.
pub(crate) fn train_until_unwanted(epochs: &dyn Epochs) {
    while epochs.course() != Course::Stop {
        std::thread::sleep(Duration::from_millis(1));
    }
}
