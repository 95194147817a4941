//! What a worker writes to stderr: its log and its last words, as text for
//! people or as one JSON object a line.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal as _};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

/// Filter of the log when `SWEEP_LOG` is not set.
const LOG: &str = "warn,sweep_session=info,sweep_worker=info";

/// Under a `sweep` that shows progress itself, only what went wrong.
const SUPERVISED_LOG: &str = "warn";

/// Last words are said whatever `SWEEP_LOG` is.
const ALWAYS: &str = "sweep_session::log=warn";

/// The environment variable that is like `--log-format`.
pub(crate) const FORMAT_VARIABLE: &str = "SWEEP_LOG_FORMAT";

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// How stderr is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line, for programs
    Json,
}

/// Reads the command line of a worker program. Help, versions and slips end the
/// process as clap does it, except that a slip is told as JSON where
/// `SWEEP_LOG_FORMAT` or `--log-format` asks for it.
#[must_use]
pub fn parse<A: clap::Parser>() -> A {
    A::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() || !asks_for_json() {
            error.exit();
        }
        start_log(LogFormat::Json, true);
        let text = error.render().to_string();
        let text = text.trim_end();
        say_error(text.strip_prefix("error: ").unwrap_or(text), None);
        std::process::exit(error.exit_code())
    })
}

fn asks_for_json() -> bool {
    let arguments: Vec<_> = env::args_os().collect();
    env::var_os(FORMAT_VARIABLE).is_some_and(|format| format == "json")
        || arguments.iter().any(|argument| argument == "--log-format=json")
        || arguments.windows(2).any(|pair| pair[0] == "--log-format" && pair[1] == "json")
}

/// Sets the log up, once for the whole process; a program that has set up its
/// own keeps it.
///
/// [`run`](crate::run) does it too; a program that has something to say before
/// does it first.
///
/// - `supervised`: whether a `sweep` that started this process shows what goes on
pub fn start_log(format: LogFormat, supervised: bool) {
    if FORMAT.set(format).is_err() {
        return;
    }
    let default = if supervised { SUPERVISED_LOG } else { LOG };
    let asked = env::var("SWEEP_LOG").ok();
    let parsed = EnvFilter::builder().parse(asked.as_deref().unwrap_or(default));
    let (filter, problem) = match parsed {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(default), Some(error)),
    };
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    match format {
        LogFormat::Text => {
            log.with_env_filter(filter).with_ansi(io::stderr().is_terminal()).try_init().ok()
        }
        LogFormat::Json => {
            std::panic::set_hook(Box::new(panicked));
            let always = ALWAYS.parse().expect("a constant of this program");
            log.with_env_filter(filter.add_directive(always))
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .try_init()
                .ok()
        }
    };
    if let Some(error) = problem {
        say_warning(format_args!("SWEEP_LOG is ignored: {error}"));
    }
}

fn panicked(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("a panic without a message");
    let location = info.location().map(ToString::to_string);
    tracing::error!(location, thread = std::thread::current().name(), "{message}");
}

/// Says what should be looked at.
pub fn say_warning(message: impl fmt::Display) {
    match FORMAT.get() {
        Some(LogFormat::Json) => tracing::warn!("{message}"),
        Some(LogFormat::Text) | None => eprintln!("warning: {message}"),
    }
}

/// Says why the process ends badly.
///
/// - `hint`: what to do about it
pub fn say_error(message: impl fmt::Display, hint: Option<&str>) {
    match (FORMAT.get(), hint) {
        (Some(LogFormat::Json), hint) => tracing::error!(hint, "{message}"),
        (Some(LogFormat::Text) | None, Some(hint)) => eprintln!("error: {message}\n\nhint: {hint}"),
        (Some(LogFormat::Text) | None, None) => eprintln!("error: {message}"),
    }
}
