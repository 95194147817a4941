//! What the store keeps: one [`Record`] for everything that ever happened to a
//! study.
//!
//! The JSON of a record is a file format: fields are added, never renamed.

use serde::{Deserialize, Serialize};

use super::checkpoint::is_zero;
use super::{AttemptId, CheckpointId, Ended, Measurement, Stage, TrialId};
use crate::space::HyperParameters;

/// A record and when it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What happened.
    pub record: Record,
}

/// Something that happened to a study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// A coordinator took the study up, for the first time or again.
    Started {
        /// Version of `sweep`.
        version: String,
    },
    /// The oracle proposed an assignment.
    TrialCreated {
        /// Its number: the number of trials before it.
        trial: TrialId,
        /// The assignment.
        hyperparameters: HyperParameters,
        /// Where the oracle's draws go on after it.
        seed_state: u64,
        /// The name that the experiment file gives the assignment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Its place in a schedule.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<Stage>,
    },
    /// An execution was leased to a worker.
    AttemptStarted {
        /// The lease.
        id: AttemptId,
        /// Name of the worker.
        worker: String,
        /// The checkpoint that it starts from: it takes over the measurements
        /// of that one's attempt up to its epoch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<CheckpointId>,
    },
    /// A worker given up for lost was heard of again before its execution was
    /// leased to another.
    AttemptResumed {
        /// The lease.
        id: AttemptId,
    },
    /// An epoch was measured.
    Measured {
        /// The attempt.
        id: AttemptId,
        /// Its metrics.
        measurement: Measurement,
    },
    /// An attempt ended.
    AttemptEnded {
        /// The attempt.
        id: AttemptId,
        /// How.
        outcome: Outcome,
    },
    /// An attempt handed in a checkpoint; it takes the place of one that the
    /// same attempt handed in before.
    CheckpointKept {
        /// The attempt.
        id: AttemptId,
        /// The last whole epoch that went into it.
        epoch: u32,
        /// Steps of the epoch after it.
        #[serde(default, skip_serializing_if = "is_zero")]
        step: u32,
        /// SHA-256 of the file, lower-case hexadecimal.
        sha256: String,
        /// Size of the file.
        bytes: u64,
    },
    /// A checkpoint is needed no more, or lost.
    CheckpointDropped {
        /// The attempt that made it.
        id: AttemptId,
        /// The last whole epoch that went into it.
        epoch: u32,
        /// Steps of the epoch after it.
        #[serde(default, skip_serializing_if = "is_zero")]
        step: u32,
    },
    /// A trial ended: completed if it has a score.
    TrialEnded {
        /// The trial.
        trial: TrialId,
        /// Its final state.
        state: super::TrialState,
        /// Mean over executions of the best epoch's objective.
        score: Option<f64>,
        /// What went wrong, if something did.
        error: Option<String>,
    },
    /// The study is over.
    StudyEnded {
        /// Why.
        reason: Ended,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Trained to its end; its measurements count.
    Finished,
    /// An error that may not come again.
    Error {
        /// For people.
        message: String,
    },
    /// The loss was not a number.
    Diverged {
        /// For people.
        message: String,
    },
    /// The device's memory did not hold it.
    OutOfMemory {
        /// For people.
        message: String,
    },
    /// The network cannot be built.
    Infeasible {
        /// For people.
        message: String,
    },
    /// The worker was not heard of for the length of a lease, or the coordinator
    /// that had started it ended.
    WorkerLost {
        /// For people.
        message: String,
    },
    /// The worker's process ended by itself.
    WorkerDied {
        /// How, and what it said last; for people.
        message: String,
    },
    /// The worker's machine was to blame: its GPU, or its disk.
    HostFailed {
        /// For people.
        message: String,
    },
    /// The worker left and gave the execution back.
    Released,
    /// Another attempt of the execution finished first, or the trial ended.
    Superseded,
    /// The oracle ended the trial early because of this attempt's measurements.
    Stopped,
}
