//! `sweep worker`: finds `sweep-worker` and becomes it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use super::Failure;
use crate::logging::{self, FORMAT_VARIABLE};

/// The worker program's name.
const PROGRAM: &str = "sweep-worker";

/// Options of `sweep worker`.
#[derive(Debug, Args)]
#[command(after_help = "All options are sweep-worker's own: `sweep worker -- --help` lists them.")]
pub(super) struct WorkerArgs {
    /// The coordinator: 127.0.0.1:7077, or the line that it printed [default: $SWEEP_JOIN]
    #[arg(long, visible_alias = "join", value_name = "ADDR")]
    coordinator: Option<String>,
    /// Further options of sweep-worker
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    rest: Vec<OsString>,
}

pub(super) fn execute(arguments: &WorkerArgs) -> Result<(), Failure> {
    let program = find_program()?;
    let mut command = Command::new(&program);
    if let Some(coordinator) = &arguments.coordinator {
        // Not as an argument: those are for all users of the machine to see.
        command.env("SWEEP_JOIN", coordinator);
    }
    command.env(FORMAT_VARIABLE, logging::format().to_string());
    let error = command.args(&arguments.rest).exec();
    Err(Failure::unexpected(format!("cannot start {}: {error}", program.display())))
}

/// The worker program beside this one, or on PATH.
pub(super) fn find_program() -> Result<PathBuf, Failure> {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|sweep| Some(sweep.parent()?.join(PROGRAM)))
        .filter(|program| program.is_file());
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join(PROGRAM)).find(|file| file.is_file())
    };
    beside.or_else(on_path).ok_or_else(|| {
        Failure::bad_input(format!("there is no {PROGRAM} beside sweep or on PATH")).with_hint(
            "install it with `cargo install --path workers/torch`, or name a program with \
             --worker-program",
        )
    })
}
