//! A [`Status`] as a message of the protocol, and back.

use sweep_proto::v1;
use sweep_proto::v1::worker_status::Doing as WireDoing;

use super::{
    Best, Doing, ExecutionCounts, Machine, QuarantinedHost, Status, StudyPhase, TooLarge,
    TrialCounts, WorkerStatus,
};
use crate::study::TrialId;

/// A part of the message is missing, or of a later version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer has no `{field}` that this version knows")]
pub struct IncompleteStatus {
    /// The missing field.
    pub field: &'static str,
}

impl From<&Status> for v1::StatusResponse {
    fn from(status: &Status) -> Self {
        let (phase, reason) = match &status.phase {
            StudyPhase::Running => (v1::StudyPhase::Running, String::new()),
            StudyPhase::Stopping => (v1::StudyPhase::Stopping, String::new()),
            StudyPhase::Ended { reason } => (v1::StudyPhase::Ended, reason.clone()),
        };
        let TrialCounts { waiting, running, completed, stopped, infeasible, failed } =
            status.trials;
        let ExecutionCounts { finished, leased, waiting: waiting_executions } = status.executions;
        Self {
            version: status.version.clone(),
            study: status.study.clone(),
            objective: status.objective.clone(),
            max_trials: status.max_trials,
            executions_per_trial: status.executions_per_trial,
            trials: Some(v1::TrialCounts {
                waiting,
                running,
                completed,
                stopped,
                infeasible,
                failed,
            }),
            best: status.best.map(|best| v1::BestTrial { trial: best.trial.0, score: best.score }),
            executions: Some(v1::ExecutionCounts { finished, leased, waiting: waiting_executions }),
            phase: phase.into(),
            reason,
            at_ms: status.at_ms,
            workers: status.workers.iter().map(v1::WorkerStatus::from).collect(),
            hosts: status.hosts.iter().map(v1::HostStatus::from).collect(),
            too_large: status.too_large.iter().map(|trial| (*trial).into()).collect(),
        }
    }
}

impl From<&WorkerStatus> for v1::WorkerStatus {
    fn from(worker: &WorkerStatus) -> Self {
        let doing = match worker.doing {
            Doing::Runs { id, epoch, started_ms } => {
                WireDoing::Lease(v1::LeaseStatus { id: Some(id.into()), epoch, started_ms })
            }
            Doing::Idle => WireDoing::Idle(v1::Idle {}),
            Doing::Silent => WireDoing::Silent(v1::Silent {}),
        };
        Self {
            name: worker.name.clone(),
            device: worker.device.clone(),
            since_ms: worker.since_ms,
            silent_ms: worker.silent_ms,
            doing: Some(doing),
            host: worker.machine.host.clone(),
            device_memory_bytes: worker.machine.memory_bytes.unwrap_or(0),
            labels: worker.machine.labels.clone(),
        }
    }
}

impl From<&QuarantinedHost> for v1::HostStatus {
    fn from(host: &QuarantinedHost) -> Self {
        let QuarantinedHost { host, failures, reason, wait_ms } = host.clone();
        Self { host, failures, reason, wait_ms }
    }
}

impl From<v1::HostStatus> for QuarantinedHost {
    fn from(message: v1::HostStatus) -> Self {
        let v1::HostStatus { host, failures, reason, wait_ms } = message;
        Self { host, failures, reason, wait_ms }
    }
}

impl From<TooLarge> for v1::TooLarge {
    fn from(trial: TooLarge) -> Self {
        let TooLarge { trial, needed_bytes, largest_bytes, wait_ms } = trial;
        Self { trial, needed_bytes, largest_bytes, wait_ms }
    }
}

impl From<v1::TooLarge> for TooLarge {
    fn from(message: v1::TooLarge) -> Self {
        let v1::TooLarge { trial, needed_bytes, largest_bytes, wait_ms } = message;
        Self { trial, needed_bytes, largest_bytes, wait_ms }
    }
}

impl TryFrom<v1::StatusResponse> for Status {
    type Error = IncompleteStatus;

    fn try_from(message: v1::StatusResponse) -> Result<Self, IncompleteStatus> {
        let phase = match message.phase() {
            v1::StudyPhase::Running => StudyPhase::Running,
            v1::StudyPhase::Stopping => StudyPhase::Stopping,
            v1::StudyPhase::Ended => StudyPhase::Ended { reason: message.reason },
            v1::StudyPhase::Unspecified => return Err(IncompleteStatus { field: "phase" }),
        };
        let v1::TrialCounts { waiting, running, completed, stopped, infeasible, failed } =
            message.trials.ok_or(IncompleteStatus { field: "trials" })?;
        let executions = message.executions.ok_or(IncompleteStatus { field: "executions" })?;
        let workers = message.workers.into_iter().map(WorkerStatus::try_from);
        Ok(Self {
            version: message.version,
            study: message.study,
            objective: message.objective,
            max_trials: message.max_trials,
            executions_per_trial: message.executions_per_trial,
            trials: TrialCounts { waiting, running, completed, stopped, infeasible, failed },
            best: message.best.map(|best| Best { trial: TrialId(best.trial), score: best.score }),
            executions: ExecutionCounts {
                finished: executions.finished,
                leased: executions.leased,
                waiting: executions.waiting,
            },
            phase,
            at_ms: message.at_ms,
            workers: workers.collect::<Result<_, _>>()?,
            hosts: message.hosts.into_iter().map(QuarantinedHost::from).collect(),
            too_large: message.too_large.into_iter().map(TooLarge::from).collect(),
        })
    }
}

impl TryFrom<v1::WorkerStatus> for WorkerStatus {
    type Error = IncompleteStatus;

    fn try_from(message: v1::WorkerStatus) -> Result<Self, IncompleteStatus> {
        let doing = match message.doing.ok_or(IncompleteStatus { field: "workers.doing" })? {
            WireDoing::Lease(v1::LeaseStatus { id, epoch, started_ms }) => Doing::Runs {
                id: id.ok_or(IncompleteStatus { field: "workers.lease.id" })?.into(),
                epoch,
                started_ms,
            },
            WireDoing::Idle(v1::Idle {}) => Doing::Idle,
            WireDoing::Silent(v1::Silent {}) => Doing::Silent,
        };
        Ok(Self {
            name: message.name,
            device: message.device,
            machine: Machine::of_wire(message.host, message.device_memory_bytes, message.labels),
            doing,
            since_ms: message.since_ms,
            silent_ms: message.silent_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{NOON_MS, busy_study};

    #[test]
    fn a_status_comes_back_as_it_was_sent() {
        let mut status = Status::of_study(&busy_study(), "0.1.0", NOON_MS);
        let silent_ms = Some(42_000);
        for (name, doing) in [("idle", Doing::Idle), ("silent", Doing::Silent)] {
            let device = "cpu, 2 threads".to_owned();
            let name = name.to_owned();
            let labels = [("gpu".to_owned(), "a100".to_owned())].into();
            let machine = Machine::of_wire("node-7".to_owned(), 24 << 30, labels);
            let worker = WorkerStatus { name, device, machine, doing, since_ms: 1, silent_ms };
            status.workers.push(worker);
        }
        status.hosts = vec![QuarantinedHost {
            host: "node-8".to_owned(),
            failures: 3,
            reason: "disk full".to_owned(),
            wait_ms: 60_000,
        }];
        status.too_large =
            vec![TooLarge { trial: 7, needed_bytes: 3, largest_bytes: 2, wait_ms: 1 }];
        for phase in [
            StudyPhase::Running,
            StudyPhase::Stopping,
            StudyPhase::Ended { reason: "all 20 trials have ended".to_owned() },
        ] {
            status.phase = phase;
            assert_eq!(Status::try_from(v1::StatusResponse::from(&status)), Ok(status.clone()));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let status = Status::of_study(&busy_study(), "0.1.0", NOON_MS);
        let mut message = v1::StatusResponse::from(&status);
        message.workers[0].doing = None;
        let error = Status::try_from(message).expect_err("incomplete");
        assert_eq!(error.to_string(), "the answer has no `workers.doing` that this version knows");
        assert!(Status::try_from(v1::StatusResponse::default()).is_err());
    }
}
