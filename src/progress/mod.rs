//! What a person sees on stderr while a study goes on.
//!
//! On a terminal: a bar for the study and a line for each worker; elsewhere one
//! plain line an event, or one JSON object. What is said is made of plain functions ([`events`],
//! [`panel`]); this module only decides where it goes. Data goes to stdout and
//! never passes here.

mod bars;
pub mod events;
mod json;
pub mod panel;
mod preparation;

use std::io::{self, IsTerminal};
use std::time::{SystemTime, UNIX_EPOCH};

use indicatif::ProgressDrawTarget;

pub use preparation::PreparationBar;

use bars::Bars;
use panel::{Workers, study_line};
use serde_json::Map;

use crate::logging::{self, LogFormat, write};
use crate::results::time::clock;
use crate::study::{Record, Stamped, Study};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Bars at the bottom of a terminal.
    Bars,
    /// One plain line an event.
    Lines,
    /// One JSON object an event, in a line.
    Json,
    /// Not at all.
    Quiet,
}

impl Mode {
    /// Bars if stderr is a terminal, else lines; JSON where the log is JSON.
    #[must_use]
    pub fn of_stderr() -> Self {
        match logging::format() {
            LogFormat::Text if io::stderr().is_terminal() => Self::Bars,
            LogFormat::Text => Self::Lines,
            LogFormat::Json => Self::Json,
        }
    }

    /// Lines, in the format of the log.
    #[must_use]
    pub fn lines() -> Self {
        match logging::format() {
            LogFormat::Text => Self::Lines,
            LogFormat::Json => Self::Json,
        }
    }
}

/// Shows a study's progress on stderr. That stderr is closed stops nothing.
#[derive(Debug)]
pub struct Progress {
    display: Display,
    workers: Workers,
}

#[derive(Debug)]
enum Display {
    Bars(Bars),
    Lines,
    Json,
    Quiet,
}

impl Progress {
    /// Nothing is shown before the first call of another method.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        let display = match mode {
            Mode::Bars => Display::Bars(Bars::new(ProgressDrawTarget::stderr())),
            Mode::Lines => Display::Lines,
            Mode::Json => Display::Json,
            Mode::Quiet => Display::Quiet,
        };
        Self { display, workers: Workers::default() }
    }

    /// Shows what a commit brought.
    ///
    /// - `study`: after the commit
    /// - `committed`: its records, in order
    pub fn observe(&mut self, study: &Study, committed: &[Stamped]) {
        for stamped in committed {
            self.workers.observe(study, &stamped.record);
        }
        match &mut self.display {
            Display::Bars(bars) => {
                for stamped in committed {
                    if let Some(event) = events::event(study, &stamped.record)
                        && event.notable
                    {
                        bars.line(&timed(stamped.at_ms, &event.text));
                    }
                }
                // The study's line looks at every trial; measurements do not change it.
                let only_measured = committed
                    .iter()
                    .all(|stamped| matches!(stamped.record, Record::Measured { .. }));
                if !only_measured || committed.is_empty() {
                    let line = study_line(study, self.workers.busy());
                    bars.show_study(&study.settings.study, &line);
                }
                bars.show_workers(self.workers.lines(study));
            }
            Display::Lines => {
                for stamped in committed {
                    if let Some(event) = events::event(study, &stamped.record) {
                        write(&timed(stamped.at_ms, &event.text));
                    }
                }
            }
            Display::Json => {
                for stamped in committed {
                    if let Some(event) = events::event(study, &stamped.record) {
                        json::write_event(study, stamped, &event);
                    }
                }
            }
            Display::Quiet => {}
        }
    }

    /// Shows a line for people, above the bars if there are any. Quiet shows
    /// nothing: what must be seen goes elsewhere.
    pub fn message(&self, text: &str) {
        match &self.display {
            Display::Bars(bars) => bars.line(text),
            Display::Lines => plain_line(text),
            Display::Json => json::write_message(text, Map::new()),
            Display::Quiet => {}
        }
    }

    /// Leaves the study's bar as it stands and gives the terminal back.
    pub fn finish(&mut self) {
        match &mut self.display {
            Display::Bars(bars) => bars.finish(),
            Display::Lines | Display::Json | Display::Quiet => {}
        }
    }
}

/// A line with the present time.
fn plain_line(text: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    write(&timed(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), text));
}

fn timed(at_ms: u64, text: &str) -> String {
    format!("{} {text}", clock(at_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{NOON_MS, busy_study, measurement};
    use crate::study::{AttemptId, Ended, TrialId};

    #[test]
    fn lines_begin_with_the_time() {
        assert_eq!(timed(NOON_MS + 61_000, "Trial 03 started"), "12:01:01 Trial 03 started");
    }

    #[test]
    fn bars_follow_the_commits() {
        let screen = bars::tests::Screen::new(120);
        let mut progress = Progress {
            display: Display::Bars(Bars::new(screen.target())),
            workers: Workers::default(),
        };
        let mut study = busy_study();
        let id = AttemptId { trial: TrialId(3), execution: 0, attempt: 1 };
        let stamped = |record| Stamped { at_ms: NOON_MS, record };
        let worker = "local-1".to_owned();
        progress.observe(&study, &[stamped(Record::AttemptStarted { id, worker, from: None })]);
        let measurement = measurement(2, 0.25, 0.5);
        study.trials[3].executions[0].attempts[0].measurements.push(measurement.clone());
        progress.observe(&study, &[stamped(Record::Measured { id, measurement })]);
        progress.message("a message");
        study.ended = Some(Ended::Hours);
        progress.observe(&study, &[stamped(Record::StudyEnded { reason: Ended::Hours })]);
        progress.finish();
        let text = screen.text();
        for part in [
            "3/20 trials, best val_accuracy 0.875 (trial 02), about 8m 30s left",
            "local-1  trial 03  execution 1/2  epoch 2  val_accuracy 0.5  loss 0.25",
            "3/4 trials, best val_accuracy 0.875 (trial 02)",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
