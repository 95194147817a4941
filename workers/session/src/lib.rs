//! A worker's side of the protocol, without libtorch.
//!
//! A worker program implements [`Trainer`] and calls [`run`]. The session asks
//! for executions, renews their leases, hands in measurements while training
//! goes on, fetches datasets once, survives lost connections, and ends when the
//! study is over.
//!
//! What one attempt passes through:
//!
//! 1. `session` asks for an execution and gets a lease. From now on `attempt`
//!    sends heartbeats, whatever else goes on.
//! 2. `dataset` finds the dataset on this machine, or fetches it, once for all its
//!    workers; `checkpoint`
//!    fetches the checkpoint to start from, if there is one (`fetching` is what
//!    both share).
//! 3. `training` has the [`Trainer`] train on its own thread; `reporting` hands
//!    in what it measures, and now and then a checkpoint.
//! 4. Weights and checkpoint are uploaded, and `Complete` ends the attempt.
//!    A worker that is to leave has the trainer leave off where it is, and gives
//!    the attempt back with that checkpoint.
//!
//! Every call goes through `link`, which sends it again until it is answered
//! (`retry` says when). What holds throughout:
//!
//! - A trainer never sees the network, and nothing here sees a tensor.
//! - `Complete` follows the acknowledgement of all measurements and files.
//! - Nothing that must be remembered lives in a connection.
//! - Every queue, wait and size has a named bound.

mod args;
mod attempt;
mod checkpoint;
mod dataset;
mod error;
mod fetching;
mod link;
mod log;
mod process;
mod reporting;
mod retry;
mod session;
mod size;
mod toy;
mod trainer;
mod training;

pub use args::WorkerArgs;
pub use error::SessionError;
pub use log::{LogFormat, parse, say_error, say_warning, start_log};
pub use process::run;
pub use retry::Backoff;
pub use session::{Departure, End, Settings, serve};
pub use toy::ToyTrainer;
pub use trainer::{Checkpoint, Course, Ending, Epochs, Execution, Failure, Trained, Trainer};
pub use training::TrainingThread;
