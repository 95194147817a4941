//! Command-line options that every worker program has.
//!
//! A worker program flattens [`WorkerArgs`] into its own options and hands
//! them to [`run`](crate::run).

use std::path::PathBuf;

use crate::address::Address;
use crate::log::{FORMAT_VARIABLE, LogFormat};

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

    /// How the log is written to stderr: text or json
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t = LogFormat::Text,
        env = FORMAT_VARIABLE,
        hide_env_values = true,
        hide_possible_values = true
    )]
    pub log_format: LogFormat,

    /// End at once when standard input closes, because the `sweep` that
    /// started this worker is gone
    #[arg(long, hide = true)]
    pub supervised: bool,
}
