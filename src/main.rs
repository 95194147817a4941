//! The `sweep` command: arguments in, exit code out. All else is in the library.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = sweep::commands::with_default_command(std::env::args_os().collect());
    match sweep::commands::execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let text = failure.to_string();
            // A closed stderr must not turn into another exit code.
            let _ = writeln!(std::io::stderr(), "{text}");
            ExitCode::from(failure.exit_code())
        }
    }
}
