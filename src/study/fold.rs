//! Folding records into a study: the only place where a trial changes.

use super::{
    Attempt, AttemptId, Execution, Measurement, Outcome, Record, Stamped, Study, Trial, TrialState,
};

/// A record that does not fit the records before it: the store is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a record does not fit those before it: {0}")]
pub struct FoldError(String);

impl Study {
    /// Folds records, oldest first.
    ///
    /// # Errors
    ///
    /// The first record that names a trial, execution or attempt that no
    /// earlier record made.
    pub fn replay(&mut self, records: &[Stamped]) -> Result<(), FoldError> {
        records.iter().try_for_each(|record| self.apply(record))
    }

    /// Folds one record.
    ///
    /// # Errors
    ///
    /// As [`Study::replay`].
    pub fn apply(&mut self, Stamped { at_ms, record }: &Stamped) -> Result<(), FoldError> {
        match record {
            Record::Started { .. } => {
                self.ended = None;
                self.consecutive_failures = 0;
            }
            Record::TrialCreated { trial, hyperparameters, seed_state, name, stage } => {
                if trial.0 as usize != self.trials.len() {
                    return Err(FoldError(format!(
                        "trial {} after {}",
                        trial.0,
                        self.trials.len()
                    )));
                }
                self.seed_state = *seed_state;
                self.proposed.insert(hyperparameters.digest());
                self.trials.push(Trial {
                    id: *trial,
                    hyperparameters: hyperparameters.clone(),
                    name: name.clone(),
                    stage: stage.clone(),
                    state: TrialState::Waiting,
                    score: None,
                    error: None,
                    executions: vec![
                        Execution::default();
                        self.settings.executions_per_trial as usize
                    ],
                    created_ms: *at_ms,
                    ended_ms: None,
                });
            }
            Record::AttemptStarted { id, worker } => {
                let execution = self.execution_mut(*id)?;
                if id.attempt as usize != execution.attempts.len() + 1 {
                    return Err(FoldError(format!("{id:?} does not follow the attempt before")));
                }
                execution.attempts.push(Attempt {
                    number: id.attempt,
                    worker: worker.clone(),
                    started_ms: *at_ms,
                    ended_ms: None,
                    measurements: Vec::new(),
                    outcome: None,
                });
                self.settle_state(*id);
            }
            Record::AttemptResumed { id } => {
                let attempt = self.attempt_mut(*id)?;
                attempt.ended_ms = None;
                attempt.outcome = None;
                self.settle_state(*id);
            }
            Record::Measured { id, measurement } => {
                self.attempt_mut(*id)?.measurements.push(measurement.clone());
                self.epochs_trained += 1;
            }
            Record::AttemptEnded { id, outcome } => {
                let attempt = self.attempt_mut(*id)?;
                attempt.ended_ms = Some(*at_ms);
                attempt.outcome = Some(outcome.clone());
                if *outcome == Outcome::Finished {
                    self.execution_mut(*id)?.finished_by = Some(id.attempt);
                }
                self.settle_state(*id);
            }
            Record::TrialEnded { trial, state, score, error } => {
                let known = self
                    .trials
                    .get_mut(trial.0 as usize)
                    .ok_or_else(|| FoldError(format!("no trial {}", trial.0)))?;
                known.state = *state;
                known.score = *score;
                known.error.clone_from(error);
                known.ended_ms = Some(*at_ms);
                match state {
                    TrialState::Failed => self.consecutive_failures += 1,
                    TrialState::Completed | TrialState::Stopped => self.consecutive_failures = 0,
                    // Says something about the space, not about the set-up.
                    TrialState::Infeasible => {}
                    TrialState::Waiting | TrialState::Running => {
                        return Err(FoldError(format!("trial {} ended as {state}", trial.0)));
                    }
                }
            }
            Record::StudyEnded { reason } => self.ended = Some(*reason),
        }
        Ok(())
    }

    /// Looks an attempt up.
    #[must_use]
    pub fn attempt(&self, id: AttemptId) -> Option<&Attempt> {
        self.execution(id)?.attempts.get((id.attempt as usize).checked_sub(1)?)
    }

    /// Looks the execution of an attempt up.
    #[must_use]
    pub fn execution(&self, id: AttemptId) -> Option<&Execution> {
        self.trials.get(id.trial.0 as usize)?.executions.get(id.execution as usize)
    }

    fn execution_mut(&mut self, id: AttemptId) -> Result<&mut Execution, FoldError> {
        self.trials
            .get_mut(id.trial.0 as usize)
            .and_then(|trial| trial.executions.get_mut(id.execution as usize))
            .ok_or_else(|| FoldError(format!("no execution {id:?}")))
    }

    fn attempt_mut(&mut self, id: AttemptId) -> Result<&mut Attempt, FoldError> {
        (id.attempt as usize)
            .checked_sub(1)
            .and_then(|index| self.execution_mut(id).ok()?.attempts.get_mut(index))
            .ok_or_else(|| FoldError(format!("no attempt {id:?}")))
    }

    /// A trial that has not ended runs while an attempt is open or an execution is there.
    fn settle_state(&mut self, id: AttemptId) {
        let trial = &mut self.trials[id.trial.0 as usize];
        if trial.has_ended() {
            return;
        }
        let started = trial.executions.iter().any(|execution| {
            execution.finished_by.is_some()
                || execution.attempts.iter().any(|attempt| attempt.outcome.is_none())
        });
        trial.state = if started { TrialState::Running } else { TrialState::Waiting };
    }
}

impl Attempt {
    /// The last epoch that was measured; 0 before the first.
    #[must_use]
    pub fn epochs(&self) -> u32 {
        self.measurements.last().map_or(0, |Measurement { epoch, .. }| *epoch)
    }
}
