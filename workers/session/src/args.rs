//! Command-line options that every worker program has.
//!
//! A worker program flattens [`WorkerArgs`] into its own options and hands
//! them to [`run`](crate::run).

use std::path::PathBuf;

use sweep_proto::address::Address;
use sweep_proto::connect::Credentials;
use sweep_proto::labels;
use sweep_proto::secret::Token;

use crate::log::{FORMAT_VARIABLE, LogFormat};
use crate::size::parse_size;

/// Options of a worker's session.
#[derive(Debug, Clone, clap::Args)]
pub struct WorkerArgs {
    /// The coordinator: HOST:PORT, or the line that it printed
    ///
    /// `sweep FILE --listen ADDR` prints it when it starts. A coordinator that is
    /// open to other machines has one that begins with sweep:// and holds its
    /// token and the fingerprint of its certificate; give it as $SWEEP_JOIN where
    /// others can see this machine's processes.
    #[arg(
        long,
        visible_alias = "join",
        value_name = "ADDR",
        env = "SWEEP_JOIN",
        hide_env_values = true
    )]
    pub coordinator: Address,

    /// File with the coordinator's token, where the address has none
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Certificates of the authorities that may have signed the coordinator's, PEM
    ///
    /// For an address without a fingerprint.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// This worker's certificate, PEM, for a coordinator that wants one
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// The key of --cert, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,

    /// Name of this worker in progress lines and tables [default: HOSTNAME-PID]
    #[arg(long)]
    pub name: Option<String>,

    /// Name of this machine, which its workers share [default: its host name]
    ///
    /// Where executions fail one after another for reasons of their machine, it
    /// gets none for a while. In a container, name the machine that it runs on.
    #[arg(long, env = "SWEEP_HOST")]
    pub host: Option<String>,

    /// Says something of this worker where workers are listed, for example gpu=a100
    ///
    /// May be given several times.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = labels::parse)]
    pub labels: Vec<(String, String)>,

    /// Folder for fetched datasets [default: $XDG_CACHE_HOME/sweep or ~/.cache/sweep]
    ///
    /// A dataset is fetched once and shared by all workers that use the same
    /// folder. A dataset that this machine can read where the coordinator
    /// keeps it is not fetched at all.
    #[arg(long, value_name = "DIR", env = "SWEEP_CACHE")]
    pub cache: Option<PathBuf>,

    /// How much of datasets is kept there at most, for example 50GB
    ///
    /// Before another one is fetched, those that were not used for longest are
    /// removed; never one that a worker or a coordinator uses.
    #[arg(long, value_name = "SIZE", env = "SWEEP_CACHE_SIZE", default_value = "100GB", value_parser = parse_size)]
    pub cache_size: u64,

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
    /// started this worker is gone; leave with a checkpoint when it says something
    #[arg(long, hide = true)]
    pub supervised: bool,
}

impl WorkerArgs {
    /// The coordinator's address, with the token of `--token-file` if that is given.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub(crate) fn address(&self) -> Result<Address, String> {
        let mut address = self.coordinator.clone();
        if let Some(path) = &self.token_file {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            let token: Token =
                text.trim().parse().map_err(|error| format!("{}: {error}", path.display()))?;
            address.token = Some(token);
        }
        Ok(address)
    }

    /// What this worker shows and trusts.
    pub(crate) fn credentials(&self) -> Credentials {
        Credentials {
            authorities: self.ca.clone(),
            identity: self.cert.clone().zip(self.key.clone()),
        }
    }
}
