//! A worker that trains nothing: for tests of a coordinator, and for load.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sweep_session::{ToyTrainer, WorkerArgs};

/// A worker that trains nothing
///
/// Reports made-up measurements that depend only on the network, the training
/// settings and the seed. It is for testing a coordinator and for putting load
/// on one; its results mean nothing.
#[derive(Debug, Parser)]
#[command(name = "sweep-toy-worker", version)]
struct Args {
    #[command(flatten)]
    worker: WorkerArgs,

    /// How long an epoch takes
    #[arg(long, value_name = "MILLISECONDS", env = "SWEEP_TOY_EPOCH_MS", default_value_t = 0)]
    epoch_ms: u64,

    /// Abort the process after so many epochs of all executions together; for tests
    #[arg(long, value_name = "N")]
    crash_after_epochs: Option<u64>,
}

fn main() -> ExitCode {
    let args: Args = sweep_session::parse();
    let epoch = Duration::from_millis(args.epoch_ms);
    let trainer = ToyTrainer::new(epoch, args.crash_after_epochs);
    sweep_session::run(&args.worker, trainer)
}
