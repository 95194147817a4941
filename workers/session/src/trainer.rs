//! What a worker program has to provide: [`Trainer`].
//!
//! A trainer is plain blocking code on a thread of its own. It never sees the
//! network: measurements and checkpoints go through [`Epochs`], which also says
//! when to leave off.

use std::path::PathBuf;

use prost::Message as _;
use sha2::{Digest as _, Sha256};
use sweep_proto::v1::{FailureKind, Measurement, Specification};

use sweep_proto::digest::hexadecimal;

/// One execution to train.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Concrete layers, training settings and objective.
    pub specification: Specification,
    /// Seeds everything random: initial weights, shuffling, dropout.
    pub seed: u64,
    /// Folder with the dataset's files, as prepared by the coordinator.
    pub dataset: PathBuf,
    /// Where training goes on; absent: it begins with epoch 1.
    pub checkpoint: Option<Checkpoint>,
    /// Whether a checkpoint is to be made after the last epoch.
    pub keep_checkpoint: bool,
}

/// All that a trainer needs to go on as if it had never paused.
///
/// Made and read by trainers alone: anything else passes the bytes on. It may
/// be given to an execution with another number of epochs than the one that
/// made it; see [`Execution::identity`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last whole epoch that went into it; 0 where none did.
    pub epoch: u32,
    /// How many steps of the epoch after that went into it; 0 at an epoch's end.
    /// A step is whatever the trainer counts as one.
    pub step: u32,
    /// In the trainer's own format.
    pub bytes: Vec<u8>,
}

/// What a finished execution leaves besides its measurements.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trained {
    /// Weights of the best epoch, by the objective or, with `restore_best`, by
    /// what early stopping monitors, as the bytes of a safetensors file. The
    /// epochs before the checkpoint that was started from count too.
    pub weights: Option<Vec<u8>>,
    /// Made after the last epoch, if the execution says so.
    pub checkpoint: Option<Checkpoint>,
}

/// How training ended, if not with a [`Failure`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// All epochs were trained, or early stopping ended them.
    Finished(Trained),
    /// Left off in between, as [`Course::Leave`] asks for. Without a checkpoint
    /// if nothing was trained yet.
    Left(Option<Checkpoint>),
    /// Left off because nobody waits, as [`Course::Stop`] says.
    Stopped,
}

/// What a trainer is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Train.
    GoOn,
    /// The worker is to leave: return [`Ending::Left`] with a checkpoint of where
    /// training stands, within seconds. What is finished anyway is
    /// [`Ending::Finished`].
    Leave,
    /// Nobody waits for this execution any more: return soon, with
    /// [`Ending::Stopped`].
    Stop,
}

impl Execution {
    /// A digest, in hexadecimal, of what an execution's numbers depend on: its
    /// seed and its specification, except how many epochs there are, how often
    /// checkpoints are made, and where the dataset lies.
    ///
    /// Executions of the same identity pass through the same states epoch by
    /// epoch, so that one may go on from another's checkpoint.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut specification = self.specification.clone();
        if let Some(training) = &mut specification.training {
            training.epochs = 0;
            training.checkpoint_ms = 0;
        }
        if let Some(dataset) = &mut specification.dataset {
            dataset.path.clear();
        }
        let digest = Sha256::new()
            .chain_update(self.seed.to_le_bytes())
            .chain_update(specification.encode_to_vec());
        hexadecimal(&digest.finalize())
    }
}

/// Why an execution could not be finished.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Decides whether it is worth trying again.
    pub kind: FailureKind,
    /// What went wrong, with the layer or the epoch.
    pub message: String,
}

/// Where measurements and checkpoints go while training.
pub trait Epochs {
    /// Hands in the measurement of an epoch.
    ///
    /// Returns at once, connected or not; only when very many measurements
    /// could not be handed in does it wait until some were.
    #[must_use]
    fn report(&mut self, measurement: Measurement) -> Course;

    /// What to do next; to be asked between training steps.
    #[must_use]
    fn course(&self) -> Course;

    /// Whether it is time for a checkpoint; to be asked after the report of an
    /// epoch that is not the last.
    #[must_use]
    fn wants_checkpoint(&self) -> bool;

    /// Hands in a checkpoint of the epoch that was reported last, while training
    /// goes on. Returns at once.
    fn keep(&mut self, checkpoint: Checkpoint);
}

/// Trains executions, one at a time, all on the same thread.
///
/// The same value trains execution after execution, also after it has
/// panicked: what it keeps between executions has to be sound then.
pub trait Trainer: Send + 'static {
    /// The device, for people: `cpu, 2 threads`, `NVIDIA H200`.
    fn device(&self) -> String;

    /// All memory of the device, in bytes; on a CPU, what this process may have of
    /// the machine's. `None` where nothing tells.
    fn memory_bytes(&self) -> Option<u64> {
        None
    }

    /// Trains one execution to its end.
    ///
    /// With a checkpoint it goes on from there, and reports only the epochs that
    /// it ends itself.
    ///
    /// # Errors
    ///
    /// Says why the execution could not be finished. After a
    /// [`FailureKind::Host`] the worker leaves, as nothing would fare better in its
    /// process. A checkpoint that cannot be
    /// gone on from is a [`FailureKind::Error`] that says what is wrong with it.
    /// A panic is caught by the
    /// session and becomes a [`FailureKind::Error`]; the worker lives on.
    fn train(&mut self, execution: &Execution, epochs: &mut dyn Epochs) -> Result<Ending, Failure>;
}
