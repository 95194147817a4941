//! Progress as JSON: the line for people, and beside it the record itself.

use serde_json::{Map, Value};

use super::events::Event;
use crate::logging::{Level, json, json_line, write};
use crate::study::{Outcome, Record, Stamped, Study, TrialState};

/// Where a log line says it comes from.
const TARGET: &str = "sweep::progress";

/// Writes the line of a record.
pub(super) fn write_event(study: &Study, stamped: &Stamped, event: &Event) {
    write(&event_line(study, stamped, event));
}

/// Writes a message, or how far something has come.
pub(super) fn write_message(text: &str, fields: Map<String, Value>) {
    match text.strip_prefix("warning: ") {
        Some(text) => json(Level::Warn, TARGET, text, fields),
        None => json(Level::Info, TARGET, text, fields),
    }
}

fn event_line(study: &Study, Stamped { at_ms, record }: &Stamped, event: &Event) -> String {
    let fields = [
        ("study".to_owned(), study.settings.study.clone().into()),
        (
            "record".to_owned(),
            serde_json::to_value(record)
                .expect("a record has string keys and no other way to fail"),
        ),
    ];
    json_line(*at_ms, level(record), TARGET, &event.text, fields.into_iter().collect())
}

fn level(record: &Record) -> Level {
    let is_bad = match record {
        Record::AttemptEnded { outcome, .. } => match outcome {
            Outcome::Error { .. }
            | Outcome::Diverged { .. }
            | Outcome::OutOfMemory { .. }
            | Outcome::Infeasible { .. }
            | Outcome::WorkerLost { .. }
            | Outcome::WorkerDied { .. }
            | Outcome::HostFailed { .. } => true,
            Outcome::Finished | Outcome::Released | Outcome::Superseded | Outcome::Stopped => false,
        },
        Record::TrialEnded { state, .. } => match state {
            TrialState::Failed | TrialState::Infeasible => true,
            TrialState::Waiting
            | TrialState::Running
            | TrialState::Completed
            | TrialState::Stopped => false,
        },
        Record::Started { .. }
        | Record::TrialCreated { .. }
        | Record::AttemptStarted { .. }
        | Record::AttemptResumed { .. }
        | Record::Measured { .. }
        | Record::CheckpointKept { .. }
        | Record::CheckpointDropped { .. }
        | Record::StudyEnded { .. } => false,
    };
    if is_bad { Level::Warn } else { Level::Info }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::events::event;
    use crate::results::testing::{NOON_MS, busy_study, measurement};
    use crate::study::{AttemptId, TrialId};

    fn line(record: Record) -> String {
        let study = busy_study();
        let event = event(&study, &record).expect("worth a line");
        event_line(&study, &Stamped { at_ms: NOON_MS, record }, &event)
    }

    #[test]
    fn a_line_is_for_people_and_for_programs() {
        let id = AttemptId { trial: TrialId(3), execution: 0, attempt: 1 };
        assert_eq!(
            line(Record::Measured { id, measurement: measurement(2, 0.25, 0.5) }),
            r#"{"timestamp":"2026-03-01T12:00:00.000Z","level":"INFO","message":"Trial 03 execution 1/2 epoch 2: loss 0.25, val_accuracy 0.5 (1.2s)","target":"sweep::progress","study":"crnn","record":{"kind":"measured","id":{"trial":3,"execution":0,"attempt":1},"measurement":{"epoch":2,"metrics":{"loss":0.25,"val_accuracy":0.5},"seconds":1.25}}}"#
        );
        let message = "not heard of for 20 s".to_owned();
        let lost = line(Record::AttemptEnded { id, outcome: Outcome::WorkerLost { message } });
        assert!(lost.contains(r#""level":"WARN""#), "{lost}");
        assert!(lost.contains(r#""outcome":"worker_lost""#), "{lost}");
    }
}
