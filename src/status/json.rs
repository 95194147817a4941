//! A [`Status`] as one JSON object, for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Doing, QuarantinedHost, Source, Status, StudyPhase, TooLarge, WorkerStatus};
use crate::results::time::iso8601;
use crate::study::AttemptId;

/// A status as one object, with a line break after it.
pub(super) fn json(status: &Status, source: &Source) -> String {
    let mut text =
        serde_json::to_string_pretty(&Report::of(status, source)).expect("keys are strings");
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Report<'a> {
    study: &'a str,
    phase: &'static str,
    reason: Option<&'a str>,
    #[serde(flatten)]
    source: SourceReport<'a>,
    at: Option<String>,
    sweep_version: &'a str,
    max_trials: u32,
    trials: serde_json::Map<String, serde_json::Value>,
    best: Option<BestReport<'a>>,
    executions: Executions,
    workers: Vec<WorkerReport<'a>>,
    hosts: Vec<HostReport<'a>>,
    too_large: Vec<TooLargeReport>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum SourceReport<'a> {
    Coordinator { coordinator: &'a str },
    Store { run: String, process: Option<u32>, last_record: Option<String> },
}

#[derive(Serialize)]
struct BestReport<'a> {
    trial: u32,
    objective: &'a str,
    score: f64,
}

#[derive(Serialize)]
struct Executions {
    finished: u64,
    leased: u64,
    waiting: u64,
}

#[derive(Serialize)]
struct WorkerReport<'a> {
    name: &'a str,
    host: Option<&'a str>,
    device: Option<&'a str>,
    memory_bytes: Option<u64>,
    labels: &'a BTreeMap<String, String>,
    state: &'static str,
    lease: Option<Lease>,
    since: Option<String>,
    silent_seconds: Option<f64>,
}

#[derive(Serialize)]
struct HostReport<'a> {
    host: &'a str,
    state: &'static str,
    failures: u32,
    reason: &'a str,
    wait_seconds: f64,
}

#[derive(Serialize)]
struct TooLargeReport {
    trial: u32,
    needed_bytes: u64,
    largest_bytes: u64,
    wait_seconds: f64,
}

#[derive(Serialize)]
struct Lease {
    trial: u32,
    execution: u32,
    attempt: u32,
    epoch: u32,
    started: Option<String>,
}

impl<'a> Report<'a> {
    fn of(status: &'a Status, source: &'a Source) -> Self {
        let (phase, reason) = match &status.phase {
            StudyPhase::Running => ("running", None),
            StudyPhase::Stopping => ("stopping", None),
            StudyPhase::Ended { reason } => ("ended", Some(reason.as_str())),
        };
        let (phase, source) = match source {
            Source::Coordinator(coordinator) => (phase, SourceReport::Coordinator { coordinator }),
            Source::Store { path, held_by, last_record_ms } => {
                let is_left = held_by.is_none() && status.phase == StudyPhase::Running;
                let source = SourceReport::Store {
                    run: path.display().to_string(),
                    process: *held_by,
                    last_record: last_record_ms.and_then(iso8601),
                };
                (if is_left { "left" } else { phase }, source)
            }
        };
        let trials = status.trials.by_state();
        let executions = status.executions;
        Self {
            study: &status.study,
            phase,
            reason,
            source,
            at: iso8601(status.at_ms),
            sweep_version: &status.version,
            max_trials: status.max_trials,
            trials: trials
                .iter()
                .map(|(state, count)| (state.to_string(), (*count).into()))
                .collect(),
            best: status.best.map(|best| BestReport {
                trial: best.trial.0,
                objective: &status.objective,
                score: best.score,
            }),
            executions: Executions {
                finished: executions.finished,
                leased: executions.leased,
                waiting: executions.waiting,
            },
            workers: status.workers.iter().map(WorkerReport::of).collect(),
            hosts: status.hosts.iter().map(HostReport::of).collect(),
            too_large: status.too_large.iter().map(TooLargeReport::of).collect(),
        }
    }
}

impl<'a> WorkerReport<'a> {
    fn of(worker: &'a WorkerStatus) -> Self {
        let (state, lease) = match worker.doing {
            Doing::Runs { id, epoch, started_ms } => {
                let AttemptId { trial, execution, attempt } = id;
                let started = iso8601(started_ms);
                ("busy", Some(Lease { trial: trial.0, execution, attempt, epoch, started }))
            }
            Doing::Idle => ("idle", None),
            Doing::Silent => ("silent", None),
        };
        Self {
            name: &worker.name,
            host: (!worker.machine.host.is_empty()).then_some(&worker.machine.host),
            memory_bytes: worker.machine.memory_bytes,
            labels: &worker.machine.labels,
            device: (!worker.device.is_empty()).then_some(&worker.device),
            state,
            lease,
            since: iso8601(worker.since_ms),
            silent_seconds: worker.silent_ms.map(|silent_ms| silent_ms as f64 / 1000.0),
        }
    }
}

impl<'a> HostReport<'a> {
    fn of(host: &'a QuarantinedHost) -> Self {
        Self {
            host: &host.host,
            state: if host.wait_ms > 0 { "quarantined" } else { "on_trial" },
            failures: host.failures,
            reason: &host.reason,
            wait_seconds: host.wait_ms as f64 / 1000.0,
        }
    }
}

impl TooLargeReport {
    fn of(trial: &TooLarge) -> Self {
        let TooLarge { trial, needed_bytes, largest_bytes, wait_ms } = *trial;
        Self { trial, needed_bytes, largest_bytes, wait_seconds: wait_ms as f64 / 1000.0 }
    }
}
