//! `sweep status ADDR|RUN`: where a study and its workers stand.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use sweep_proto::address::Address;

use super::client::CredentialArgs;
use super::{Failure, stored};
use crate::logging;
use crate::run_directory;
use crate::status::{self, Format, Source, Status};

/// Options of `sweep status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The coordinator's address, for example 127.0.0.1:7077, or the line that it
    /// printed, or the run directory, for example runs/quickstart
    ///
    /// Of a run directory whose study runs on this machine, the coordinator is
    /// asked; else its store tells what it knows.
    #[arg(value_name = "ADDR|RUN", env = "SWEEP_JOIN", hide_env_values = true)]
    of: PathBuf,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    credentials: CredentialArgs,
}

pub(super) fn execute(arguments: &StatusArgs) -> Result<(), Failure> {
    let of = &arguments.of;
    let (status, source) = if of.is_dir() {
        of_run(of, &arguments.credentials)?
    } else if let Some(address) = of.to_str().and_then(|text| text.parse().ok()) {
        of_coordinator(&address, &arguments.credentials)?
    } else {
        return Err(Failure::bad_input(format!(
            "{}: neither a run directory nor an address",
            of.display()
        ))
        .with_hint(
            "name a directory that `sweep FILE` has made, for example `runs/quickstart`, or a \
             coordinator's HOST:PORT",
        ));
    };
    let text = status::render(&status, &source, arguments.format);
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::unexpected)
}

fn of_coordinator(
    address: &Address,
    credentials: &CredentialArgs,
) -> Result<(Status, Source), Failure> {
    let place = address.authority().to_owned();
    Ok((credentials.status(address)?, Source::Coordinator(place)))
}

/// Asks the coordinator if there is one, else reads the store.
fn of_run(run: &Path, credentials: &CredentialArgs) -> Result<(Status, Source), Failure> {
    let held_by = run_directory::holder(run);
    let address = run_directory::address(run).filter(|_| held_by.is_some());
    if let Some(address) = address {
        match of_coordinator(&address, credentials) {
            Ok(answer) => return Ok(answer),
            // It may end at this moment; what is on disk stays.
            Err(failure) => logging::warning(format_args!("{}", failure.message())),
        }
    }
    let stored = stored::read(run)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let status = Status::of_study(&stored.study, &stored.origin.version, now_ms);
    let last_record_ms = stored.last_record_ms;
    Ok((status, Source::Store { path: run.to_owned(), held_by, last_record_ms }))
}
