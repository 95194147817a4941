//! `sweep launch slurm FILE`: a study whose workers a cluster's scheduler starts.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::run::{self, RunArgs};
use super::{Failure, worker};
use crate::logging::{self, LogFormat};
use crate::slurm::{Request, Slurm};

/// Options of `sweep launch`.
#[derive(Debug, Args)]
pub(super) struct LaunchArgs {
    #[command(subcommand)]
    scheduler: Scheduler,
}

#[derive(Debug, Subcommand)]
enum Scheduler {
    /// Runs a study with an array job of Slurm: one task a worker
    ///
    /// A coordinator runs here, as with `sweep FILE --listen`; its workers are an
    /// array job, which is cancelled when the study ends or is interrupted. The same
    /// command goes on with an interrupted study.
    Slurm(Box<SlurmArgs>),
}

/// Options of `sweep launch slurm`.
#[derive(Debug, Args)]
struct SlurmArgs {
    #[command(flatten)]
    run: RunArgs,
    /// How many workers Slurm is to start
    #[arg(long, help_heading = "Slurm", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    workers: u32,
    /// An option of the worker program, for example --worker-option=--idle-timeout=300
    #[arg(long, help_heading = "Slurm", value_name = "OPTION", allow_hyphen_values = true)]
    worker_option: Vec<String>,
    /// Options of sbatch, for example `-- --partition=gpu --time=12:00:00`
    ///
    /// Each worker asks for one GPU unless `--gres=...` says otherwise, and goes back
    /// to the queue when it is preempted or near its limit of time.
    #[arg(last = true, help_heading = "Slurm", value_name = "SBATCH OPTIONS")]
    sbatch: Vec<OsString>,
}

pub(super) fn execute(arguments: LaunchArgs) -> Result<(), Failure> {
    match arguments.scheduler {
        Scheduler::Slurm(arguments) => slurm(*arguments),
    }
}

fn slurm(arguments: SlurmArgs) -> Result<(), Failure> {
    let SlurmArgs { mut run, workers, worker_option, sbatch } = arguments;
    Slurm::check(&sbatch)?;
    let slurm = Slurm::find()?;
    let program = program(run.worker_program.as_deref())?;
    let mut worker_options = worker_option;
    if logging::format() == LogFormat::Json {
        worker_options.push(format!("--log-format={}", logging::format()));
    }
    run.local_workers.get_or_insert(0);
    let request = Request { slurm, workers, program, worker_options, options: sbatch };
    run::execute(&run, Some(&request))
}

/// The worker program as nodes find it, which see this machine's files: its whole
/// path, or a name that they look for themselves.
fn program(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let program = match named {
        Some(name) if name.components().count() == 1 && !name.exists() => {
            return Ok(name.to_owned());
        }
        Some(program) if !program.is_file() => return Err(run::no_program(program)),
        Some(program) => program.to_owned(),
        None => worker::find_program()?,
    };
    std::path::absolute(&program)
        .map_err(|error| Failure::unexpected(format!("{}: {error}", program.display())))
}
