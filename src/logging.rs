//! What goes to stderr, as text for people or as one JSON object a line.
//!
//! Log lines go through `tracing`; warnings, progress and the final error, which
//! `SWEEP_LOG` does not filter, come here directly. In JSON all of them have the
//! same keys: `timestamp` (RFC 3339), `level`, `message`, `target`, and others
//! beside them. That stderr is closed stops nothing.

use std::fmt;
use std::io::{self, Write as _};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use tracing_subscriber::EnvFilter;

use crate::results::time::iso8601;

/// The environment variable that is like `--log-format`, also for workers.
pub const FORMAT_VARIABLE: &str = "SWEEP_LOG_FORMAT";

/// Filter of the log when `SWEEP_LOG` is not set.
const DEFAULT_FILTER: &str = "warn";

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// How stderr is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line, for programs
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What goes on.
    Info,
    /// What should be looked at.
    Warn,
    /// Why the command ended.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// Sets the log up, once for the whole process.
pub fn start(format: LogFormat) {
    if FORMAT.set(format).is_err() {
        return;
    }
    let filter =
        EnvFilter::try_from_env("SWEEP_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let log = tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(filter);
    // A program that has set up its own log keeps it.
    match format {
        LogFormat::Text => log.without_time().with_target(false).try_init().ok(),
        LogFormat::Json => {
            std::panic::set_hook(Box::new(panicked));
            log.json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .try_init()
                .ok()
        }
    };
}

/// How stderr is written.
#[must_use]
pub fn format() -> LogFormat {
    FORMAT.get().copied().unwrap_or(LogFormat::Text)
}

/// Says what should be looked at.
pub fn warning(message: impl fmt::Display) {
    match format() {
        LogFormat::Text => write(&format!("warning: {message}")),
        LogFormat::Json => json(Level::Warn, "sweep", &message.to_string(), Map::new()),
    }
}

/// Says something in a line of its own.
pub fn note(message: impl fmt::Display) {
    match format() {
        LogFormat::Text => write(&message.to_string()),
        LogFormat::Json => json(Level::Info, "sweep", &message.to_string(), Map::new()),
    }
}

/// Writes text that may have several lines.
pub(crate) fn write(text: &str) {
    // Unlike `eprintln!`, does not panic when nobody reads any more.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes one JSON object in a line, as of now.
pub(crate) fn json(level: Level, target: &str, message: &str, fields: Map<String, Value>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    write(&json_line(now_ms, level, target, message, fields));
}

/// One JSON object, without a line break.
///
/// - `at_ms`: milliseconds since the Unix epoch
pub(crate) fn json_line(
    at_ms: u64,
    level: Level,
    target: &str,
    message: &str,
    fields: Map<String, Value>,
) -> String {
    let mut object = Map::new();
    object.insert("timestamp".to_owned(), iso8601(at_ms).into());
    object.insert("level".to_owned(), level.name().into());
    object.insert("message".to_owned(), message.into());
    object.insert("target".to_owned(), target.into());
    object.extend(fields);
    Value::Object(object).to_string()
}

fn panicked(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("a panic without a message");
    let mut fields = Map::new();
    if let Some(location) = info.location() {
        fields.insert("location".to_owned(), location.to_string().into());
    }
    let thread = std::thread::current();
    fields.insert("thread".to_owned(), thread.name().into());
    json(Level::Error, "sweep", message, fields);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_object_whatever_the_message() {
        let fields = [("trial".to_owned(), Value::from(3))].into_iter().collect();
        assert_eq!(
            json_line(
                1_772_366_584_250,
                Level::Warn,
                "sweep::progress",
                "two\nlines \"of\" text",
                fields
            ),
            r#"{"timestamp":"2026-03-01T12:03:04.250Z","level":"WARN","message":"two\nlines \"of\" text","target":"sweep::progress","trial":3}"#
        );
    }
}
