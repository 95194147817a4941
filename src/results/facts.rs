//! What is derived from trials, executions and attempts for every way of
//! showing them, so that tables, summaries and progress agree.
//!
//! The attempt that stands for an execution is [`Execution::current`]: the one
//! whose result counts or, before there is one, the latest.

use std::fmt;

use crate::study::{Attempt, Ended, Execution, Outcome, Study, Trial, TrialState};

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionState {
    /// Not leased at present, but it will be.
    Waiting,
    /// Leased to a worker.
    Running,
    /// Has a result that counts.
    Finished,
    /// Its trial was ended early.
    Stopped,
    /// Has no result, and its trial has ended without it.
    Failed,
}

impl fmt::Display for ExecutionState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        })
    }
}

/// Where an execution of a trial stands.
#[must_use]
pub fn execution_state(trial: &Trial, execution: &Execution) -> ExecutionState {
    if execution.finished_by.is_some() {
        return ExecutionState::Finished;
    }
    match trial.state {
        TrialState::Stopped => return ExecutionState::Stopped,
        TrialState::Completed | TrialState::Infeasible | TrialState::Failed => {
            return ExecutionState::Failed;
        }
        TrialState::Waiting | TrialState::Running => {}
    }
    match execution.attempts.last() {
        Some(attempt) if attempt.outcome.is_none() => ExecutionState::Running,
        Some(_) | None => ExecutionState::Waiting,
    }
}

/// Wall-clock seconds from the lease to its end, once it has ended.
#[must_use]
pub fn attempt_seconds(attempt: &Attempt) -> Option<f64> {
    let milliseconds = attempt.ended_ms?.saturating_sub(attempt.started_ms);
    Some(milliseconds as f64 / 1000.0)
}

/// Sum of the seconds of the attempts that stand for a trial's executions;
/// `None` before the first of them has ended.
#[must_use]
pub fn trial_seconds(trial: &Trial) -> Option<f64> {
    let mut seconds =
        trial.executions.iter().filter_map(Execution::current).filter_map(attempt_seconds);
    let first = seconds.next()?;
    Some(seconds.fold(first, |sum, seconds| sum + seconds))
}

/// Names of the workers of the attempts that stand for a trial's executions,
/// each once, in the order of executions, with a space between; `None` before
/// the first lease.
#[must_use]
pub fn trial_workers(trial: &Trial) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for attempt in trial.executions.iter().filter_map(Execution::current) {
        if !names.contains(&attempt.worker.as_str()) {
            names.push(&attempt.worker);
        }
    }
    (!names.is_empty()).then(|| names.join(" "))
}

/// How many leases a trial's executions have had.
#[must_use]
pub fn trial_attempts(trial: &Trial) -> u32 {
    let attempts: usize = trial.executions.iter().map(|execution| execution.attempts.len()).sum();
    u32::try_from(attempts).unwrap_or(u32::MAX)
}

/// An outcome in one word, as tables show it and the store keeps it.
#[must_use]
pub fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Finished => "finished",
        Outcome::Error { .. } => "error",
        Outcome::Diverged { .. } => "diverged",
        Outcome::OutOfMemory { .. } => "out_of_memory",
        Outcome::Infeasible { .. } => "infeasible",
        Outcome::WorkerLost { .. } => "worker_lost",
        Outcome::WorkerDied { .. } => "worker_died",
        Outcome::HostFailed { .. } => "host_failed",
        Outcome::Released => "released",
        Outcome::Superseded => "superseded",
        Outcome::Stopped => "stopped",
    }
}

/// What went wrong, if something did.
#[must_use]
pub fn outcome_message(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Error { message }
        | Outcome::Diverged { message }
        | Outcome::OutOfMemory { message }
        | Outcome::Infeasible { message }
        | Outcome::WorkerLost { message }
        | Outcome::WorkerDied { message }
        | Outcome::HostFailed { message } => Some(message),
        Outcome::Finished | Outcome::Released | Outcome::Superseded | Outcome::Stopped => None,
    }
}

/// Trials with a score, best first, then those without in the order of
/// proposal; at most `top` of them.
#[must_use]
pub fn best_trials(study: &Study, top: usize) -> Vec<&Trial> {
    let unscored = study.trials.iter().filter(|trial| trial.score.is_none());
    study.ranked().into_iter().chain(unscored).take(top).collect()
}

/// Why a study is over, as the end of a sentence.
#[must_use]
pub fn ended_reason(study: &Study, ended: Ended) -> String {
    let settings = &study.settings;
    match ended {
        Ended::MaxTrials => match settings.max_trials {
            1 => "its one trial has ended".to_owned(),
            many => format!("all {many} trials have ended"),
        },
        Ended::SpaceExhausted => "nothing was left to try".to_owned(),
        Ended::ConsecutiveFailures => match settings.max_consecutive_failures {
            1 => "1 trial failed".to_owned(),
            many => format!("{many} trials failed one after another"),
        },
        Ended::Hours => match settings.hours {
            Some(hours) => format!("the limit of {hours} hours has passed"),
            None => "its time limit has passed".to_owned(),
        },
        Ended::Epochs => match settings.epochs {
            Some(1) => "the limit of 1 epoch was reached".to_owned(),
            Some(epochs) => format!("the limit of {epochs} epochs was reached"),
            None => "its limit of epochs was reached".to_owned(),
        },
    }
}

/// `1 trial`, `2 trials`.
#[must_use]
pub fn counted(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{attempt, study, trial};

    #[test]
    fn an_execution_is_where_its_last_attempt_left_it() {
        let mut execution = Execution::default();
        let mut owner = trial(0, &[]);
        owner.state = TrialState::Running;
        assert_eq!(execution_state(&owner, &execution), ExecutionState::Waiting);
        execution.attempts.push(attempt(1, "a", &[]));
        assert_eq!(execution_state(&owner, &execution), ExecutionState::Running);
        execution.attempts[0].outcome = Some(Outcome::Released);
        assert_eq!(execution_state(&owner, &execution), ExecutionState::Waiting);
        owner.state = TrialState::Failed;
        assert_eq!(execution_state(&owner, &execution), ExecutionState::Failed);
        owner.state = TrialState::Stopped;
        assert_eq!(execution_state(&owner, &execution), ExecutionState::Stopped);
        execution.finished_by = Some(1);
        assert_eq!(execution_state(&owner, &execution), ExecutionState::Finished);
    }

    #[test]
    fn a_trial_adds_up_the_attempts_that_count() {
        let mut owner = trial(0, &[]);
        assert_eq!(trial_seconds(&owner), None);
        assert_eq!(trial_workers(&owner), None);
        let mut lost = attempt(1, "a", &[]);
        lost.ended_ms = Some(lost.started_ms + 60_000);
        let mut counting = attempt(2, "b", &[]);
        counting.ended_ms = Some(counting.started_ms + 1500);
        let mut other = attempt(1, "b", &[]);
        other.ended_ms = Some(other.started_ms + 1000);
        owner.executions = vec![
            Execution { attempts: vec![lost, counting], finished_by: Some(2) },
            Execution { attempts: vec![other], finished_by: Some(1) },
        ];
        assert_eq!(trial_seconds(&owner), Some(2.5));
        assert_eq!(trial_workers(&owner).as_deref(), Some("b"));
        assert_eq!(trial_attempts(&owner), 3);
    }

    #[test]
    fn reasons_read_as_sentences() {
        let mut study = study();
        study.settings.hours = Some(1.5);
        study.settings.epochs = Some(1200);
        assert_eq!(ended_reason(&study, Ended::MaxTrials), "all 20 trials have ended");
        assert_eq!(ended_reason(&study, Ended::Epochs), "the limit of 1200 epochs was reached");
        assert_eq!(ended_reason(&study, Ended::Hours), "the limit of 1.5 hours has passed");
        assert_eq!(
            ended_reason(&study, Ended::ConsecutiveFailures),
            "3 trials failed one after another"
        );
    }
}
