//! A [`Status`] for people and for programs.

use std::path::PathBuf;

use unicode_width::UnicodeWidthStr as _;

use super::json::json;
use super::{Doing, Status, StudyPhase, TooLarge, WorkerStatus};
use crate::results::time::{duration, iso8601};
use crate::space::value::python_float;
use crate::study::AttemptId;

/// How a status is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A few lines and a table of workers, for reading
    Text,
    /// One object, for programs
    Json,
}

/// Who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The coordinator of this address.
    Coordinator(String),
    /// The store of a run.
    Store {
        /// The run directory.
        path: PathBuf,
        /// The process that runs the study on this machine, if there is one.
        held_by: Option<u32>,
        /// When the last record was written, milliseconds since the Unix epoch.
        last_record_ms: Option<u64>,
    },
}

/// A status in a format; ends with a line break.
#[must_use]
pub fn render(status: &Status, source: &Source, format: Format) -> String {
    match format {
        Format::Text => text(status, source),
        Format::Json => json(status, source),
    }
}

fn text(status: &Status, source: &Source) -> String {
    let mut lines = vec![format!("Study {}: {}", status.study, phase(status, source))];
    let total: u64 = status.trials.by_state().iter().map(|(_, count)| count).sum();
    let counts: Vec<String> = status
        .trials
        .by_state()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    lines.push(format!("Trials: {total} of at most {}{counts}", status.max_trials));
    lines.push(match status.best {
        Some(best) => format!(
            "Best: trial {}, {} {}",
            trial_name(status, best.trial.0),
            status.objective,
            python_float(best.score)
        ),
        None => "Best: no trial has a score".to_owned(),
    });
    let executions = status.executions;
    lines.push(format!(
        "Executions: {} finished, {} leased, {} waiting",
        executions.finished, executions.leased, executions.waiting
    ));
    if let Source::Store { last_record_ms: Some(last_ms), .. } = source {
        let at = iso8601(*last_ms).unwrap_or_default();
        lines.push(format!("Last record: {at}, {} ago", ago(status.at_ms, *last_ms)));
    }
    lines.push(String::new());
    lines.extend(workers(status));
    let hosts = status.hosts.iter().map(|host| printable(&host.to_string()));
    let too_large = status.too_large.iter().map(TooLarge::to_string);
    let troubles: Vec<String> = hosts.chain(too_large).map(capitalized).collect();
    if !troubles.is_empty() {
        lines.push(String::new());
        lines.extend(troubles);
    }
    lines.push(String::new());
    lines.join("\n")
}

fn phase(status: &Status, source: &Source) -> String {
    let phase = match &status.phase {
        StudyPhase::Ended { reason } => format!("ended, because {reason}"),
        StudyPhase::Stopping => "stopping: nothing new is leased".to_owned(),
        StudyPhase::Running => match source {
            Source::Coordinator(_) => "running".to_owned(),
            Source::Store { held_by: Some(process), .. } => {
                format!("running, by process {process}")
            }
            Source::Store { held_by: None, .. } => {
                "not ended, and no sweep of this machine runs it".to_owned()
            }
        },
    };
    match source {
        Source::Coordinator(address) => format!("{phase} (sweep {}, {address})", status.version),
        Source::Store { path, .. } => format!("{phase} (as {} has it)", path.display()),
    }
}

/// A row a worker, under a heading.
fn workers(status: &Status) -> Vec<String> {
    if status.workers.is_empty() {
        return vec!["No worker is known".to_owned()];
    }
    let mut rows = vec![
        ["worker", "host", "device", "runs", "epoch", "for", "heard of", "here for"]
            .map(str::to_owned),
    ];
    rows.extend(status.workers.iter().map(|worker| cells(status, worker)));
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &[String; 8]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let padding = " ".repeat(width - cell.width());
            // Numbers and times to the right.
            if column < 4 { format!("{cell}{padding}") } else { format!("{padding}{cell}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn cells(status: &Status, worker: &WorkerStatus) -> [String; 8] {
    let (runs, epoch, time) = match worker.doing {
        Doing::Runs { id, epoch, started_ms } => {
            (execution_name(status, id), epoch.to_string(), ago(status.at_ms, started_ms))
        }
        Doing::Idle => ("idle".to_owned(), "-".to_owned(), "-".to_owned()),
        Doing::Silent => ("silent".to_owned(), "-".to_owned(), "-".to_owned()),
    };
    let known = |text: &str| if text.is_empty() { "-".to_owned() } else { printable(text) };
    let mut device = known(&worker.device);
    if !worker.machine.labels.is_empty() {
        device.push_str(&format!(" ({})", printable(&worker.machine.labels_text())));
    }
    let heard = worker.silent_ms.map_or_else(
        || "-".to_owned(),
        |silent_ms| format!("{} ago", duration(silent_ms as f64 / 1000.0)),
    );
    let host = known(&worker.machine.host);
    let here_for = ago(status.at_ms, worker.since_ms);
    [printable(&worker.name), host, device, runs, epoch, time, heard, here_for]
}

/// `trial 03`, `trial 03 execution 2/2`, `trial 03 attempt 2`.
fn execution_name(status: &Status, id: AttemptId) -> String {
    let mut name = format!("trial {}", trial_name(status, id.trial.0));
    if status.executions_per_trial > 1 {
        name.push_str(&format!(" execution {}/{}", id.execution + 1, status.executions_per_trial));
    }
    if id.attempt > 1 {
        name.push_str(&format!(" attempt {}", id.attempt));
    }
    name
}

/// As [`Study::display_id`](crate::study::Study::display_id).
fn trial_name(status: &Status, trial: u32) -> String {
    let width = status.max_trials.to_string().len();
    format!("{trial:0width$}")
}

/// As the beginning of a sentence.
fn capitalized(text: String) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What came over the network must not move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

fn ago(now_ms: u64, then_ms: u64) -> String {
    duration(now_ms.saturating_sub(then_ms) as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::results::testing::{NOON_MS, busy_study};
    use crate::status::{Machine, QuarantinedHost};
    use crate::study::{Ended, TrialId};

    fn worker(name: &str, device: &str, doing: Doing, silent_ms: Option<u64>) -> WorkerStatus {
        let (name, device) = (name.to_owned(), device.to_owned());
        let labels = match device.as_str() {
            "NVIDIA H200" => [("rack".to_owned(), "7".to_owned())].into(),
            _ => BTreeMap::new(),
        };
        let memory = if labels.is_empty() { 0 } else { 141 << 30 };
        let host = if device.is_empty() { "" } else { "node-7" };
        let machine = Machine::of_wire(host.to_owned(), memory, labels);
        WorkerStatus { name, device, machine, doing, since_ms: NOON_MS - 7_500_000, silent_ms }
    }

    /// Of a coordinator with workers of all kinds, a minute after noon.
    fn status() -> Status {
        let mut status = Status::of_study(&busy_study(), "0.1.0", NOON_MS + 60_000);
        let id = |execution, attempt| AttemptId { trial: TrialId(3), execution, attempt };
        let runs = |id, epoch| Doing::Runs { id, epoch, started_ms: NOON_MS };
        status.workers = vec![
            worker("größer", "NVIDIA H200", runs(id(0, 1), 12), Some(1234)),
            worker("node-7", "", runs(id(1, 2), 0), None),
            worker("sly\u{1b}[2J", "cpu, 2 threads", Doing::Idle, Some(90)),
            worker("w", "cpu, 2 threads", Doing::Silent, Some(125_000)),
        ];
        let host = |host: &str, wait_ms| QuarantinedHost {
            host: host.to_owned(),
            failures: 3,
            reason: "CUDA error: device lost".to_owned(),
            wait_ms,
        };
        status.hosts = vec![host("node-7", 58_000), host("node-8", 0)];
        let too_large = TooLarge {
            trial: 7,
            needed_bytes: 61 << 30,
            largest_bytes: 24 << 30,
            wait_ms: 29 * 60_000 - 1,
        };
        status.too_large = vec![too_large, TooLarge { trial: 8, wait_ms: 0, ..too_large }];
        status
    }

    #[test]
    fn text_is_a_few_lines_and_a_table() {
        let source = Source::Coordinator("127.0.0.1:7077".to_owned());
        assert_eq!(
            render(&status(), &source, Format::Text),
            "\
Study crnn: running (sweep 0.1.0, 127.0.0.1:7077)
Trials: 4 of at most 20: 2 completed, 1 failed, 1 running
Best: trial 02, val_accuracy 0.875
Executions: 4 finished, 1 leased, 1 waiting

worker   host    device                runs                              epoch     for    heard of  here for
größer   node-7  NVIDIA H200 (rack=7)  trial 03 execution 1/2               12  1m 00s    1.2s ago    2h 06m
node-7   -       -                     trial 03 execution 2/2 attempt 2      0  1m 00s           -    2h 06m
sly?[2J  node-7  cpu, 2 threads        idle                                  -       -    0.1s ago    2h 06m
w        node-7  cpu, 2 threads        silent                                -       -  2m 05s ago    2h 06m

Host node-7 gets no executions for 58.0s more, because 3 in a row failed there: CUDA error: device lost
Host node-8 is on trial, with one execution at a time, because 3 in a row failed there: CUDA error: device lost
Trial 7 takes at least 61.0 GiB of memory, and the largest worker that is there has 24.0 GiB: it waits 29 min for a larger one, then the largest tries it
Trial 8 takes at least 61.0 GiB of memory, and the largest worker that is there has 24.0 GiB: the largest tries it
"
        );
    }

    #[test]
    fn a_store_says_when_it_was_written_last() {
        let mut study = busy_study();
        let mut status = Status::of_study(&study, "0.1.0", NOON_MS + 60_000);
        let store = |held_by| Source::Store {
            path: "runs/crnn".into(),
            held_by,
            last_record_ms: Some(NOON_MS),
        };
        let text = render(&status, &store(None), Format::Text);
        assert!(
            text.starts_with(
                "Study crnn: not ended, and no sweep of this machine runs it (as runs/crnn has it)\n"
            ),
            "{text}"
        );
        assert!(text.contains("\nLast record: 2026-03-01T12:00:00.000Z, 1m 00s ago\n"), "{text}");
        let text = render(&status, &store(Some(4711)), Format::Text);
        assert!(text.starts_with("Study crnn: running, by process 4711 (as runs/crnn"), "{text}");
        let json: serde_json::Value =
            serde_json::from_str(&render(&status, &store(None), Format::Json)).expect("JSON");
        assert_eq!((&json["phase"], &json["run"]), (&"left".into(), &"runs/crnn".into()));
        assert_eq!(json["process"], serde_json::Value::Null);

        study.trials.clear();
        study.count();
        study.ended = Some(Ended::SpaceExhausted);
        status = Status::of_study(&study, "0.1.0", NOON_MS);
        assert_eq!(
            render(&status, &store(None), Format::Text),
            "\
Study crnn: ended, because nothing was left to try (as runs/crnn has it)
Trials: 0 of at most 20
Best: no trial has a score
Executions: 0 finished, 0 leased, 0 waiting
Last record: 2026-03-01T12:00:00.000Z, 0.0s ago

No worker is known
"
        );
    }

    #[test]
    fn json_is_one_object() {
        let mut status = status();
        status.workers.truncate(1);
        status.hosts.truncate(1);
        status.too_large.truncate(1);
        status.phase = StudyPhase::Stopping;
        let source = Source::Coordinator("127.0.0.1:7077".to_owned());
        assert_eq!(
            render(&status, &source, Format::Json),
            r#"{
  "study": "crnn",
  "phase": "stopping",
  "reason": null,
  "coordinator": "127.0.0.1:7077",
  "at": "2026-03-01T12:01:00.000Z",
  "sweep_version": "0.1.0",
  "max_trials": 20,
  "trials": {
    "completed": 2,
    "stopped": 0,
    "infeasible": 0,
    "failed": 1,
    "running": 1,
    "waiting": 0
  },
  "best": {
    "trial": 2,
    "objective": "val_accuracy",
    "score": 0.875
  },
  "executions": {
    "finished": 4,
    "leased": 1,
    "waiting": 1
  },
  "workers": [
    {
      "name": "größer",
      "host": "node-7",
      "device": "NVIDIA H200",
      "memory_bytes": 151397597184,
      "labels": {
        "rack": "7"
      },
      "state": "busy",
      "lease": {
        "trial": 3,
        "execution": 0,
        "attempt": 1,
        "epoch": 12,
        "started": "2026-03-01T12:00:00.000Z"
      },
      "since": "2026-03-01T09:55:00.000Z",
      "silent_seconds": 1.234
    }
  ],
  "hosts": [
    {
      "host": "node-7",
      "state": "quarantined",
      "failures": 3,
      "reason": "CUDA error: device lost",
      "wait_seconds": 58.0
    }
  ],
  "too_large": [
    {
      "trial": 7,
      "needed_bytes": 65498251264,
      "largest_bytes": 25769803776,
      "wait_seconds": 1739.999
    }
  ]
}
"#
        );
    }
}
