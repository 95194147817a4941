//! Where a study and its workers stand at one moment, for those who watch.
//!
//! A running coordinator makes a [`Status`] of what it has in memory, `sweep
//! status RUN` one of the store alone. [`wire`] carries it over gRPC, and
//! [`mod@render`] shows it. Nothing here changes anything.

mod json;
mod machine;
pub mod render;
pub mod wire;

pub use machine::{Machine, QuarantinedHost, TooLarge};
pub use render::{Format, Source, render};

use crate::results::facts::ended_reason;
use crate::study::{AttemptId, Study, TrialCounts, TrialId};

/// Where a study and its workers stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Version of the `sweep` that says so.
    pub version: String,
    /// Name of the study.
    pub study: String,
    /// Name of the objective.
    pub objective: String,
    /// How many trials are proposed at most.
    pub max_trials: u32,
    /// How often each is trained.
    pub executions_per_trial: u32,
    /// Trials by state.
    pub trials: TrialCounts,
    /// The best so far.
    pub best: Option<Best>,
    /// Executions of the trials proposed so far.
    pub executions: ExecutionCounts,
    /// Whether the study goes on.
    pub phase: StudyPhase,
    /// When this was so, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// In the order of their names.
    pub workers: Vec<WorkerStatus>,
    /// Hosts in quarantine, by name.
    pub hosts: Vec<QuarantinedHost>,
    /// Trials that no worker that is there has the memory for.
    pub too_large: Vec<TooLarge>,
}

/// The trial with the best score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Its number.
    pub trial: TrialId,
    /// Its score.
    pub score: f64,
}

/// Executions by what is to be done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExecutionCounts {
    /// Whose result counts.
    pub finished: u64,
    /// In a worker's hands.
    pub leased: u64,
    /// That wait for a worker.
    pub waiting: u64,
}

/// Whether a study goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StudyPhase {
    /// It does.
    Running,
    /// Its coordinator was told to leave: nothing new is leased.
    Stopping,
    /// It is over.
    Ended {
        /// Why, as the end of a sentence.
        reason: String,
    },
}

/// One worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its name.
    pub name: String,
    /// Its device, for people; empty where it is not known.
    pub device: String,
    /// What it says of its machine.
    pub machine: Machine,
    /// What it does.
    pub doing: Doing,
    /// When it was first heard of, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// Milliseconds since it was last heard of; `None`: not since the
    /// coordinator started, or not known.
    pub silent_ms: Option<u64>,
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It trains.
    Runs {
        /// Its lease.
        id: AttemptId,
        /// The last epoch that was measured; 0 before the first.
        epoch: u32,
        /// When it was leased, milliseconds since the Unix epoch.
        started_ms: u64,
    },
    /// It waits for an execution.
    Idle,
    /// It was not heard of for the length of a lease.
    Silent,
}

impl Status {
    /// What a study alone tells, without a coordinator: the workers are those
    /// that hold its open attempts, and when they were last heard of is not known.
    #[must_use]
    pub fn of_study(study: &Study, version: &str, at_ms: u64) -> Self {
        let mut workers = Vec::new();
        let mut waiting = 0;
        for id in &study.tally().open {
            let trial = &study.trials[id.0 as usize];
            for (index, execution) in (0_u32..).zip(&trial.executions) {
                let open = execution.attempts.iter().filter(|attempt| attempt.outcome.is_none());
                let before = workers.len();
                workers.extend(open.map(|attempt| WorkerStatus {
                    name: attempt.worker.clone(),
                    device: String::new(),
                    machine: Machine::default(),
                    doing: Doing::Runs {
                        id: AttemptId {
                            trial: trial.id,
                            execution: index,
                            attempt: attempt.number,
                        },
                        epoch: attempt.epochs(),
                        started_ms: attempt.started_ms,
                    },
                    since_ms: attempt.started_ms,
                    silent_ms: None,
                }));
                if workers.len() == before && execution.finished_by.is_none() {
                    waiting += 1;
                }
            }
        }
        let leased = workers.len() as u64;
        let executions = ExecutionCounts { finished: study.tally().finished, leased, waiting };
        Self::new(study, executions, workers, version, at_ms)
    }

    /// Puts the parts together.
    #[must_use]
    pub fn new(
        study: &Study,
        executions: ExecutionCounts,
        mut workers: Vec<WorkerStatus>,
        version: &str,
        at_ms: u64,
    ) -> Self {
        workers.sort_by(|a, b| a.name.cmp(&b.name).then(a.since_ms.cmp(&b.since_ms)));
        let phase = match study.ended {
            Some(ended) => StudyPhase::Ended { reason: ended_reason(study, ended) },
            None => StudyPhase::Running,
        };
        let best =
            study.best().and_then(|trial| trial.score.map(|score| Best { trial: trial.id, score }));
        Self {
            version: version.to_owned(),
            study: study.settings.study.clone(),
            objective: study.settings.objective.metric.clone(),
            max_trials: study.settings.max_trials,
            executions_per_trial: study.settings.executions_per_trial,
            trials: study.tally().trials,
            best,
            executions,
            phase,
            at_ms,
            workers,
            hosts: Vec::new(),
            too_large: Vec::new(),
        }
    }

    /// How many workers were heard of within a lease: those that train, and
    /// those that wait.
    #[must_use]
    pub fn known_workers(&self) -> (u64, u64) {
        let (mut busy, mut idle) = (0, 0);
        for worker in &self.workers {
            match worker.doing {
                Doing::Runs { .. } => busy += 1,
                Doing::Idle => idle += 1,
                Doing::Silent => {}
            }
        }
        (busy, idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{NOON_MS, busy_study};
    use crate::study::{Ended, TrialId};

    #[test]
    fn a_study_alone_tells_what_is_under_way() {
        let mut study = busy_study();
        let status = Status::of_study(&study, "0.1.0", NOON_MS);
        assert_eq!(status.executions, ExecutionCounts { finished: 4, leased: 1, waiting: 1 });
        let id = AttemptId { trial: TrialId(3), execution: 0, attempt: 1 };
        assert_eq!(
            status.workers,
            [WorkerStatus {
                name: "local-1".to_owned(),
                device: String::new(),
                machine: Machine::default(),
                doing: Doing::Runs { id, epoch: 1, started_ms: NOON_MS },
                since_ms: NOON_MS,
                silent_ms: None,
            }]
        );
        assert_eq!(status.known_workers(), (1, 0));
        assert_eq!(status.phase, StudyPhase::Running);
        study.ended = Some(Ended::MaxTrials);
        let reason = "all 20 trials have ended".to_owned();
        assert_eq!(Status::of_study(&study, "0.1.0", NOON_MS).phase, StudyPhase::Ended { reason });
    }
}
