//! `sweep-worker`: trains the executions that a coordinator hands out, on libtorch.
//!
//! The session (leases, heartbeats, reconnection) is `sweep-session`'s; here is
//! only what needs libtorch: [`network`] builds the layers of a specification
//! with Keras 3's semantics, [`training`] is the loop, and [`trainer`] joins
//! them behind `sweep_session::Trainer`. No hyperparameter is chosen here.

use std::process::ExitCode;

use clap::Parser;

use crate::device::DeviceChoice;
use crate::trainer::TorchTrainer;

mod allocator;
mod checkpoint;
mod dataset;
mod device;
mod error;
#[cfg(test)]
mod golden;
mod initializers;
mod loss;
mod metrics;
mod network;
mod npy;
mod optimizer;
mod plan;
mod schedule;
mod tensor_file;
#[cfg(test)]
mod testing;
mod trainer;
mod training;
mod weights;

/// Exit code for bad input.
const BAD_INPUT: u8 = 2;

/// Trains the trials of a sweep study
///
/// Asks the coordinator for executions, trains them on libtorch, and leaves
/// when the study is over.
#[derive(Debug, Parser)]
#[command(name = "sweep-worker", version)]
struct Arguments {
    #[command(flatten)]
    session: sweep_session::WorkerArgs,

    /// Where to train: auto, cpu, cuda or cuda:N
    ///
    /// `auto` is the first GPU, or the CPU where there is none.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,

    /// Threads that share one training step on the CPU [default: one a core]
    ///
    /// Counted are the cores that this process may use: control groups (Kubernetes)
    /// and $SLURM_CPUS_PER_TASK are heeded.
    #[arg(long, value_name = "N", env = "SWEEP_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

fn main() -> ExitCode {
    let arguments: Arguments = sweep_session::parse();
    // Before the first thread and the first tensor.
    allocator::keep_big_blocks();
    sweep_session::start_log(arguments.session.log_format, arguments.session.supervised);
    match device::open(arguments.device, arguments.threads) {
        Ok(device) => {
            if let Err(error) = device.limit_memory() {
                sweep_session::say_warning(format_args!(
                    "this process's memory cannot be limited: {error}"
                ));
            }
            sweep_session::run(&arguments.session, TorchTrainer::new(device))
        }
        Err(error) => {
            sweep_session::say_error(&error, error.hint());
            ExitCode::from(BAD_INPUT)
        }
    }
}
