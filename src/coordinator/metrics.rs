//! What Prometheus is told: counters that follow the records, and gauges that
//! are set to the [`Status`] of the moment when someone asks.
//!
//! Counters begin at zero with every coordinator. Names and units follow
//! Prometheus's conventions; `workers/README.md` lists them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};
use sweep_proto::VERSION;

use super::dispatcher::Observer;
use crate::results::facts::outcome_name;
use crate::status::Status;
use crate::study::{Outcome, Record, Stamped, Study};

/// Upper bounds of the histogram of commits, in seconds: from a disk that keeps
/// its promises in memory to one that is about to fail.
const COMMIT_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The constructors refuse only names and buckets that are not well-formed.
const WELL_FORMED: &str = "names and buckets are constants of this program";

/// Counters and gauges of one coordinator; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    counters: Counters,
    /// Locked so that a page is of one moment.
    gauges: Arc<Mutex<Gauges>>,
}

#[derive(Debug, Clone)]
struct Counters {
    records: IntCounter,
    commits: Histogram,
    attempts_started: IntCounter,
    retries: IntCounter,
    attempts_ended: IntCounterVec,
    epochs: IntCounter,
}

#[derive(Debug)]
struct Gauges {
    trials: IntGaugeVec,
    trials_limit: IntGauge,
    executions: IntGaugeVec,
    workers: IntGaugeVec,
    hosts_quarantined: IntGauge,
    events_queued: IntGauge,
    best_score: GaugeVec,
}

impl Metrics {
    /// All at zero.
    ///
    /// - `study`: its name
    #[must_use]
    pub fn new(study: &str) -> Self {
        let registry = Registry::new();
        let info = |name: &str, help: &str, label: &str, value: &str| {
            let gauge = Gauge::with_opts(Opts::new(name, help).const_label(label, value));
            register(&registry, gauge).set(1.0);
        };
        info("sweep_build_info", "Version of sweep; always 1.", "version", VERSION);
        info("sweep_study_info", "Name of the study; always 1.", "study", study);
        let counters = Counters::new(&registry);
        let gauges = Gauges::new(&registry);
        Self { registry, counters, gauges: Arc::new(Mutex::new(gauges)) }
    }

    /// Everything in Prometheus's text format, version 0.0.4.
    ///
    /// - `events_queued`: how many events wait for the dispatcher
    #[must_use]
    pub fn page(&self, status: &Status, events_queued: usize) -> String {
        // A panic while they were set leaves nothing that is not set again here.
        let gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        gauges.set(status, events_queued);
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("well-formed metrics have a text")
    }
}

impl Counters {
    fn new(registry: &Registry) -> Self {
        let counter = |name, help| register(registry, IntCounter::new(name, help));
        let commits = HistogramOpts::new(
            "sweep_commit_duration_seconds",
            "Time that a transaction of the store took until it was on disk.",
        );
        let attempts_ended = IntCounterVec::new(
            Opts::new("sweep_attempts_ended_total", "Attempts that ended, by outcome."),
            &["outcome"],
        );
        let attempts_ended = register(registry, attempts_ended);
        for outcome in outcomes() {
            // Shown from the beginning, so that rates have a start.
            attempts_ended.with_label_values(&[outcome_name(&outcome)]);
        }
        Self {
            records: counter(
                "sweep_records_committed_total",
                "Records that the store has on disk.",
            ),
            commits: register(
                registry,
                Histogram::with_opts(commits.buckets(COMMIT_SECONDS.to_vec())),
            ),
            attempts_started: counter(
                "sweep_attempts_started_total",
                "Executions that were leased to a worker.",
            ),
            retries: counter(
                "sweep_retries_total",
                "Executions that were leased to a worker again.",
            ),
            attempts_ended,
            epochs: counter("sweep_epochs_measured_total", "Epochs that workers have measured."),
        }
    }

    fn count(&self, record: &Record) {
        self.records.inc();
        match record {
            Record::AttemptStarted { id, .. } => {
                self.attempts_started.inc();
                if id.attempt > 1 {
                    self.retries.inc();
                }
            }
            Record::AttemptEnded { outcome, .. } => {
                self.attempts_ended.with_label_values(&[outcome_name(outcome)]).inc();
            }
            Record::Measured { .. } => self.epochs.inc(),
            Record::Started { .. }
            | Record::TrialCreated { .. }
            | Record::AttemptResumed { .. }
            | Record::CheckpointKept { .. }
            | Record::CheckpointDropped { .. }
            | Record::TrialEnded { .. }
            | Record::StudyEnded { .. } => {}
        }
    }
}

impl Gauges {
    fn new(registry: &Registry) -> Self {
        let by_state =
            |name, help| register(registry, IntGaugeVec::new(Opts::new(name, help), &["state"]));
        let plain = |name, help| register(registry, IntGauge::new(name, help));
        let best_score = GaugeVec::new(
            Opts::new("sweep_best_score", "Score of the best trial, once there is one."),
            &["objective"],
        );
        Self {
            trials: by_state("sweep_trials", "Trials proposed so far, by state."),
            trials_limit: plain("sweep_trials_limit", "Trials that are proposed at most."),
            executions: by_state(
                "sweep_executions",
                "Executions of the trials proposed so far: with a result, in a worker's hands, \
                 or waiting for a worker.",
            ),
            workers: by_state(
                "sweep_workers",
                "Workers heard of within a lease: those that train, and those that wait.",
            ),
            hosts_quarantined: plain(
                "sweep_hosts_quarantined",
                "Hosts that get no executions, or one at a time, because they failed there.",
            ),
            events_queued: plain(
                "sweep_events_queued",
                "Calls that wait for the coordinator to decide.",
            ),
            best_score: register(registry, best_score),
        }
    }

    fn set(&self, status: &Status, events_queued: usize) {
        for (state, count) in status.trials.by_state() {
            set(&self.trials.with_label_values(&[&state.to_string()]), count);
        }
        set(&self.trials_limit, status.max_trials.into());
        let executions = status.executions;
        for (state, count) in [
            ("finished", executions.finished),
            ("leased", executions.leased),
            ("waiting", executions.waiting),
        ] {
            set(&self.executions.with_label_values(&[state]), count);
        }
        let (busy, idle) = status.known_workers();
        set(&self.workers.with_label_values(&["busy"]), busy);
        set(&self.workers.with_label_values(&["idle"]), idle);
        set(&self.hosts_quarantined, status.hosts.len() as u64);
        set(&self.events_queued, events_queued as u64);
        if let Some(best) = status.best {
            self.best_score.with_label_values(&[&status.objective]).set(best.score);
        }
    }
}

impl Observer for Metrics {
    fn observe(&mut self, _study: &Study, committed: &[Stamped]) {
        for stamped in committed {
            self.counters.count(&stamped.record);
        }
    }

    fn commit_took(&mut self, duration: Duration) {
        self.counters.commits.observe(duration.as_secs_f64());
    }
}

fn register<M: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    metric: prometheus::Result<M>,
) -> M {
    let metric = metric.expect(WELL_FORMED);
    registry.register(Box::new(metric.clone())).expect("each name is registered once");
    metric
}

fn set(gauge: &IntGauge, count: u64) {
    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
}

/// One of each kind.
fn outcomes() -> [Outcome; 11] {
    let message = String::new();
    [
        Outcome::Finished,
        Outcome::Error { message: message.clone() },
        Outcome::Diverged { message: message.clone() },
        Outcome::OutOfMemory { message: message.clone() },
        Outcome::Infeasible { message: message.clone() },
        Outcome::WorkerLost { message: message.clone() },
        Outcome::WorkerDied { message: message.clone() },
        Outcome::HostFailed { message },
        Outcome::Released,
        Outcome::Superseded,
        Outcome::Stopped,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{NOON_MS, busy_study, measurement};
    use crate::study::{AttemptId, TrialId};

    fn stamped(record: Record) -> Stamped {
        Stamped { at_ms: NOON_MS, record }
    }

    #[test]
    fn a_page_has_counters_gauges_and_the_time_of_commits() {
        let study = busy_study();
        let mut metrics = Metrics::new("crnn");
        let id = |attempt| AttemptId { trial: TrialId(3), execution: 0, attempt };
        let start = |attempt| Record::AttemptStarted {
            id: id(attempt),
            worker: "a".to_owned(),
            from: None,
        };
        let message = "not heard of for 20 s".to_owned();
        let lost = Record::AttemptEnded { id: id(1), outcome: Outcome::WorkerLost { message } };
        let measured = Record::Measured { id: id(2), measurement: measurement(1, 1.0, 0.5) };
        metrics.observe(&study, &[start(1), lost, start(2), measured].map(stamped));
        metrics.commit_took(Duration::from_millis(3));
        metrics.commit_took(Duration::from_secs(60));
        let page = metrics.page(&Status::of_study(&study, "0.1.0", NOON_MS), 7);
        for line in [
            &format!("sweep_build_info{{version=\"{VERSION}\"}} 1"),
            "sweep_study_info{study=\"crnn\"} 1",
            "# TYPE sweep_trials gauge",
            "sweep_trials{state=\"completed\"} 2",
            "sweep_trials{state=\"stopped\"} 0",
            "sweep_trials_limit 20",
            "sweep_executions{state=\"finished\"} 4",
            "sweep_executions{state=\"leased\"} 1",
            "sweep_executions{state=\"waiting\"} 1",
            "sweep_workers{state=\"busy\"} 1",
            "sweep_workers{state=\"idle\"} 0",
            "sweep_events_queued 7",
            "sweep_best_score{objective=\"val_accuracy\"} 0.875",
            "# TYPE sweep_records_committed_total counter",
            "sweep_records_committed_total 4",
            "sweep_attempts_started_total 2",
            "sweep_retries_total 1",
            "sweep_attempts_ended_total{outcome=\"worker_lost\"} 1",
            "sweep_attempts_ended_total{outcome=\"finished\"} 0",
            "sweep_epochs_measured_total 1",
            "# TYPE sweep_commit_duration_seconds histogram",
            "sweep_commit_duration_seconds_bucket{le=\"0.0025\"} 0",
            "sweep_commit_duration_seconds_bucket{le=\"0.005\"} 1",
            "sweep_commit_duration_seconds_bucket{le=\"10\"} 1",
            "sweep_commit_duration_seconds_bucket{le=\"+Inf\"} 2",
            "sweep_commit_duration_seconds_sum 60.003",
            "sweep_commit_duration_seconds_count 2",
        ] {
            assert!(page.lines().any(|known| known == line), "{line}\n{page}");
        }
    }

    #[test]
    fn before_the_first_score_there_is_no_best() {
        let mut study = busy_study();
        study.trials.clear();
        study.count();
        let page = Metrics::new("crnn").page(&Status::of_study(&study, "0.1.0", NOON_MS), 0);
        assert!(!page.contains("sweep_best_score"), "{page}");
        assert!(page.contains("\nsweep_trials{state=\"waiting\"} 0\n"), "{page}");
    }
}
