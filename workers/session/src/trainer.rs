//! What a worker program has to provide: [`Trainer`].
//!
//! A trainer is plain blocking code on a thread of its own. It never sees the
//! network: measurements go through [`Epochs`], which also says when to stop.

use std::path::PathBuf;

use sweep_proto::v1::{FailureKind, Measurement, Specification};

/// One execution to train.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Concrete layers, training settings and objective.
    pub specification: Specification,
    /// Seeds everything random: initial weights, shuffling, dropout.
    pub seed: u64,
    /// Folder with the dataset's files, as prepared by the coordinator.
    pub dataset: PathBuf,
}

/// What a finished execution leaves besides its measurements.
#[derive(Debug, Clone, Default)]
pub struct Trained {
    /// Weights of the best epoch by the objective, as the bytes of a safetensors file.
    pub weights: Option<Vec<u8>>,
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

/// Where measurements go while training.
pub trait Epochs {
    /// Hands in the measurement of an epoch.
    ///
    /// Returns at once, connected or not; only when very many measurements
    /// could not be handed in does it wait until some were.
    ///
    /// Returns `false` when nobody waits for this execution any more: the
    /// trainer then returns soon, with whatever it has.
    #[must_use]
    fn report(&mut self, measurement: Measurement) -> bool;

    /// Whether to go on; to be asked between training steps.
    #[must_use]
    fn wanted(&self) -> bool;
}

/// Trains executions, one at a time, all on the same thread.
///
/// The same value trains execution after execution, also after it has
/// panicked: what it keeps between executions has to be sound then.
pub trait Trainer: Send + 'static {
    /// The device, for people: `cpu, 2 threads`, `NVIDIA H200`.
    fn device(&self) -> String;

    /// Trains one execution to its end.
    ///
    /// # Errors
    ///
    /// Says why the execution could not be finished. A panic is caught by the
    /// session and becomes a [`FailureKind::Error`]; the worker lives on.
    fn train(&mut self, execution: &Execution, epochs: &mut dyn Epochs)
    -> Result<Trained, Failure>;
}
