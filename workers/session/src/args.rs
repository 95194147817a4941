//! Command-line options that every worker program has.
//!
//! A worker program flattens [`WorkerArgs`] into its own options and hands
//! them to [`run`](crate::run).

use std::path::PathBuf;

use crate::address::Address;

/// Options of a worker's session.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkerArgs {
    /// Address of the coordinator: HOST:PORT or http://HOST:PORT
    ///
    /// `sweep FILE --listen ADDR` prints it when it starts.
    #[arg(long, value_name = "ADDR")]
    pub coordinator: Address,

    /// Name of this worker in progress lines and tables [default: HOSTNAME-PID]
    #[arg(long)]
    pub name: Option<String>,

    /// Folder for fetched datasets [default: $XDG_CACHE_HOME/sweep or ~/.cache/sweep]
    ///
    /// A dataset is fetched once and shared by all workers that use the same
    /// folder. A dataset that this machine can read where the coordinator
    /// keeps it is not fetched at all.
    #[arg(long, value_name = "DIR", env = "SWEEP_CACHE")]
    pub cache: Option<PathBuf>,

    /// Leave when the coordinator was not reached for this long
    ///
    /// Until then the worker goes on training and keeps what it could not hand in.
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    pub give_up_after: u64,

    /// How long leaving may take after SIGTERM
    ///
    /// The worker ends the training step that it is at, hands in a checkpoint,
    /// gives its execution back, and leaves. If that takes longer, it gives the
    /// execution back without the checkpoint. To be a little less than what the
    /// scheduler waits before it kills.
    #[arg(long, value_name = "SECONDS", default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub grace: u64,

    /// Leave after so many executions have ended
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_trials: Option<u32>,

    /// Leave when there was nothing to train for this long
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub idle_timeout: Option<u64>,

    /// End at once when standard input closes, because the `sweep` that
    /// started this worker is gone; leave with a checkpoint when it says something
    #[arg(long, hide = true)]
    pub supervised: bool,
}
