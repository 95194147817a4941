//! The `sweep` command: arguments in, exit code out. All else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = sweep::commands::with_default_command(std::env::args_os().collect());
    match sweep::commands::execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            ExitCode::from(failure.exit_code())
        }
    }
}
