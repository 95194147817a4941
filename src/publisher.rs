//! Brings a run directory's tables, summary and best network up to date while
//! the study goes on, without keeping the dispatcher waiting.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::coordinator::dispatcher::Observer;
use crate::plan::ExperimentPlan;
use crate::progress::Progress;
use crate::results::{Models, Provenance, Results, ResultsError, write_all};
use crate::space::Space;
use crate::store::Origin;
use crate::study::{Stamped, Study, Trial};

/// The tables are written at most so often.
const INTERVAL: Duration = Duration::from_secs(10);

/// In a long study, writing them takes seconds: the pause after it is so many
/// times as long, so that little is taken away from the study.
const PAUSE: u32 = 10;

/// What is needed to write a run directory's results.
#[derive(Debug, Clone)]
pub struct Publication {
    plan: ExperimentPlan,
    provenance: Provenance,
    directory: PathBuf,
}

impl Publication {
    /// Results of the experiment of `plan`, started as `origin` says, in `directory`.
    #[must_use]
    pub fn new(plan: ExperimentPlan, origin: Origin, directory: PathBuf) -> Self {
        let provenance = Provenance {
            seed: plan.seed(),
            dataset_digest: origin.dataset,
            version: origin.version,
        };
        Self { plan, provenance, directory }
    }

    /// The search space.
    #[must_use]
    pub fn space(&self) -> &Space {
        self.plan.space()
    }

    /// Writes everything.
    ///
    /// # Errors
    ///
    /// What could not be written; it is then as it was before.
    pub fn publish(&self, study: &Study) -> Result<(), ResultsError> {
        let network = |trial: &Trial| self.plan.network_json(&trial.hyperparameters);
        let models = Models { count: study.settings.keep_models, network: &network };
        let results = Results {
            study,
            space: self.plan.space(),
            provenance: &self.provenance,
            directory: &self.directory,
        };
        write_all(&results, &models)
    }
}

/// What is shown while a study goes on, shared with whoever has something to say.
#[derive(Clone)]
pub struct Screen(Arc<Mutex<Progress>>);

impl Screen {
    /// Shows `progress`.
    #[must_use]
    pub fn new(progress: Progress) -> Self {
        Self(Arc::new(Mutex::new(progress)))
    }

    /// Shows a line of its own, above the bars.
    pub fn message(&self, text: &str) {
        self.lock().message(text);
    }

    /// A panic while drawing leaves nothing that could not be drawn over.
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows progress and publishes now and then.
pub struct Publisher {
    screen: Screen,
    /// Absent once the writer is told to end.
    snapshots: Option<SyncSender<Study>>,
    writer: Option<JoinHandle<()>>,
    last: Instant,
    /// How long writing took, in milliseconds; 0 before the first time.
    took_ms: Arc<AtomicU64>,
}

impl Publisher {
    /// Starts the thread that writes; it has ended when the publisher is dropped,
    /// so that nothing older is written after what is written then.
    #[must_use]
    pub fn start(publication: Publication, screen: Screen) -> Self {
        let (snapshots, studies) = sync_channel::<Study>(1);
        let took_ms = Arc::new(AtomicU64::new(0));
        let took = Arc::clone(&took_ms);
        let writer = std::thread::Builder::new()
            .name("publisher".to_owned())
            .spawn(move || {
                for study in studies {
                    let begun = Instant::now();
                    // A full disk may be freed before the end, when it counts.
                    if let Err(error) = publication.publish(&study) {
                        tracing::warn!("the tables are not up to date: {error}");
                    }
                    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                    took.store(millis, Ordering::Relaxed);
                }
            })
            .expect("the system starts a thread at the start of the program");
        let (snapshots, writer) = (Some(snapshots), Some(writer));
        Self { screen, snapshots, writer, last: Instant::now(), took_ms }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.screen.lock().finish();
        self.snapshots = None;
        if let Some(writer) = self.writer.take() {
            // Its panic was shown when it happened, and what it wrote is whole.
            let _ = writer.join();
        }
    }
}

impl Observer for Publisher {
    fn observe(&mut self, study: &Study, committed: &[Stamped]) {
        let mut progress = self.screen.lock();
        progress.observe(study, committed);
        let took = Duration::from_millis(self.took_ms.load(Ordering::Relaxed));
        if self.last.elapsed() < INTERVAL.max(took.saturating_mul(PAUSE)) {
            return;
        }
        // If the writer is still busy, the next records try again.
        if let Some(snapshots) = &self.snapshots
            && snapshots.try_send(study.clone()).is_ok()
        {
            self.last = Instant::now();
        }
    }

    fn warn(&mut self, text: &str) {
        self.screen.message(&format!("warning: {text}"));
    }
}
