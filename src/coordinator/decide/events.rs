//! What happens to a search, and what comes of it.

use sweep_proto::v1::Specification;

use crate::coordinator::leases::Worker;
use crate::study::{AttemptId, Checkpoint, CheckpointId, Measurement, Outcome, Stamped};

/// The time, as far as decisions need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the Unix epoch, for records.
    pub unix_ms: u64,
    /// Milliseconds on a clock that never jumps, for deadlines.
    pub monotonic_ms: u64,
}

/// Names the caller that waits for a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplyTo(pub u64);

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A worker asks for an execution.
    Acquire {
        /// Who waits.
        reply_to: ReplyTo,
        /// The worker.
        worker: Worker,
    },
    /// A worker is still at it.
    Heartbeat {
        /// Who waits.
        reply_to: ReplyTo,
        /// Its attempt.
        id: AttemptId,
        /// The worker.
        worker: Worker,
    },
    /// A worker has measured epochs.
    Report {
        /// Who waits.
        reply_to: ReplyTo,
        /// Its attempt.
        id: AttemptId,
        /// The worker's process.
        instance: u64,
        /// In the order of epochs; those known already are ignored.
        measurements: Vec<Measurement>,
    },
    /// A worker has trained weights, and would hand them in.
    WeightsOffered {
        /// Who waits.
        reply_to: ReplyTo,
        /// Its attempt, which has measured all its epochs.
        id: AttemptId,
        /// The worker's process.
        instance: u64,
    },
    /// A worker has handed in a checkpoint, and its file is stored.
    CheckpointStored {
        /// Who waits.
        reply_to: ReplyTo,
        /// The attempt that made it.
        id: AttemptId,
        /// What was stored.
        checkpoint: Checkpoint,
    },
    /// The file of a checkpoint is gone.
    CheckpointLost {
        /// Which one.
        checkpoint: CheckpointId,
    },
    /// A worker is done with an attempt.
    Complete {
        /// Who waits.
        reply_to: ReplyTo,
        /// Its attempt.
        id: AttemptId,
        /// The worker's process.
        instance: u64,
        /// How it ended.
        outcome: Outcome,
    },
    /// Who was to be told of a lease has left meanwhile.
    Undelivered {
        /// The lease.
        id: AttemptId,
    },
    /// A local worker's process ended.
    WorkerGone {
        /// Who waits.
        reply_to: ReplyTo,
        /// Name of the worker.
        name: String,
        /// How its process ended, and what it said last.
        message: String,
    },
    /// Time has passed.
    Tick,
    /// The user wants to leave: nothing new is leased.
    Interrupt,
}

/// What a caller is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Train this.
    Assigned {
        /// The lease.
        id: AttemptId,
        /// What to train.
        specification: Box<Specification>,
        /// Seeds everything random.
        seed: u64,
        /// Where to go on, and the attempt that made it; absent: at epoch 1.
        checkpoint: Option<(AttemptId, Checkpoint)>,
        /// Whether to hand in a checkpoint made after the last epoch.
        keep_checkpoint: bool,
    },
    /// Nothing at present; ask again.
    Wait,
    /// Nothing any more.
    StudyOver,
    /// Go on.
    Continue,
    /// Nobody waits for this attempt any more.
    Stop,
    /// Noted.
    Done,
    /// No such attempt was ever leased.
    Unknown,
    /// The attempt was leased to another worker.
    NotYours,
}

/// What comes of an event.
#[derive(Debug, Default, PartialEq)]
pub struct Decision {
    /// To be made durable, in this order, before any reply is sent.
    pub records: Vec<Stamped>,
    /// To be sent after that.
    pub replies: Vec<(ReplyTo, Reply)>,
    /// To be told to the user after that.
    pub warnings: Vec<String>,
}
