//! Workers as an array job of Slurm: submitted, watched, and cancelled by a
//! coordinator for itself.
//!
//! [`Slurm`] (`programs`) calls `sbatch`, `squeue` and `scancel`, each within a
//! limit of time; `queue` reads what they print; `memory` keeps a job's number in
//! the run's folder, so that one whose coordinator was killed is found again;
//! [`SlurmWorkers`] (`workers`) is the supervision. What a task does is
//! `workers/slurm/worker.sbatch`, which is also there to be used by hand.
//!
//! Only jobs whose command is this run's own script are ever touched. Nothing is
//! submitted twice: what has left the queue stays away.

mod memory;
mod programs;
mod queue;
mod workers;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub use self::programs::{Canceller, Slurm};
pub use self::workers::{Gone, Say, SlurmWorkers};

/// What a user wants of Slurm.
#[derive(Debug, Clone)]
pub struct Request {
    /// The way to Slurm.
    pub slurm: Slurm,
    /// How many workers.
    pub workers: u32,
    /// The worker program, as the nodes find it.
    pub program: PathBuf,
    /// Options of the worker program.
    pub worker_options: Vec<String>,
    /// Options of `sbatch`.
    pub options: Vec<OsString>,
}

/// Why Slurm is of no help.
#[derive(Debug, thiserror::Error)]
pub enum SlurmError {
    /// A program is not there.
    #[error("{program} is not on PATH: there is no Slurm on this machine")]
    Missing {
        /// Which one.
        program: &'static str,
    },
    /// An option that `sweep` gives itself, or that would not submit a job.
    #[error("{option} cannot be given to sbatch here")]
    Option {
        /// As given.
        option: String,
    },
    /// The job was refused.
    #[error("the job was refused: {said}")]
    Refused {
        /// Slurm's own words.
        said: String,
    },
    /// A program failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which one.
        program: &'static str,
        /// Its own words.
        said: String,
    },
    /// A program took too long.
    #[error("{program} did not answer within {} s", limit.as_secs())]
    Silent {
        /// Which one.
        program: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A program cannot be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// Which one.
        program: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// A program said something else than it should.
    #[error("{program} said what is not understood: {said}")]
    Answer {
        /// Which one.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// The system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// What it was about.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// What an earlier start has left cannot be read.
    #[error("{path}: {reason}", path = path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl SlurmError {
    /// Whether the user can mend it on the command line.
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::Option { .. } | Self::Refused { .. } => true,
            Self::Failed { .. }
            | Self::Silent { .. }
            | Self::Start { .. }
            | Self::Answer { .. }
            | Self::Io { .. }
            | Self::Memory { .. } => false,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing { .. } => Some(
                "run this where jobs can be submitted, for example on a login node; or start \
                 workers yourself, for `sweep FILE --listen 0.0.0.0:7077`",
            ),
            Self::Option { .. } => {
                Some("the number of workers is --workers; sbatch has to submit the job and return")
            }
            Self::Refused { .. } => Some(
                "what follows `--` goes to sbatch as it is; each worker asks for one GPU, unless \
                 --gres says otherwise: `-- --gres=none` where there is none",
            ),
            Self::Failed { .. } | Self::Silent { .. } => {
                Some("`scontrol ping` tells whether Slurm's controller is there")
            }
            Self::Memory { .. } => {
                Some("cancel what it may be about with scancel, and delete the file")
            }
            Self::Start { .. } | Self::Answer { .. } | Self::Io { .. } => None,
        }
    }
}
