//! Folding records into a study: the only place where a trial changes.

use super::{
    Attempt, AttemptId, Checkpoint, CheckpointId, Execution, Measurement, Outcome, Record, Stamped,
    Study, Tally, Trial, TrialState,
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
    pub fn apply(&mut self, stamped: &Stamped) -> Result<(), FoldError> {
        let index = Tally::trial_of(&stamped.record).map(|trial| trial.0 as usize);
        let Self { trials, tally, settings, .. } = self;
        if let Some(before) = index.and_then(|index| trials.get(index)) {
            tally.remove(before, trials, &settings.objective);
        }
        let applied = self.change(stamped);
        let Self { trials, tally, settings, .. } = self;
        if let Some(after) = index.and_then(|index| trials.get(index)) {
            tally.add(after, trials, &settings.objective);
        }
        applied
    }

    fn change(&mut self, Stamped { at_ms, record }: &Stamped) -> Result<(), FoldError> {
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
                let source = stage.as_ref().and_then(|stage| stage.promoted_from);
                if source.is_some_and(|source| source >= *trial) {
                    return Err(FoldError(format!("trial {} from a later one", trial.0)));
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
            Record::AttemptStarted { id, worker, from } => {
                let measurements = self.taken_over(*from)?;
                let execution = self.execution_mut(*id)?;
                if id.attempt as usize != execution.attempts.len() + 1 {
                    return Err(FoldError(format!("{id:?} does not follow the attempt before")));
                }
                execution.attempts.push(Attempt {
                    number: id.attempt,
                    worker: worker.clone(),
                    started_ms: *at_ms,
                    ended_ms: None,
                    from: *from,
                    measurements,
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
                let mut measurement = measurement.clone();
                measurement.metrics.share_names(&mut self.metric_names);
                self.attempt_mut(*id)?.measurements.push(measurement);
                self.epochs_trained += 1;
            }
            Record::CheckpointKept { id, epoch, step, sha256, bytes } => {
                self.attempt_mut(*id)?;
                let (epoch, step, bytes) = (*epoch, *step, *bytes);
                let checkpoint = Checkpoint { epoch, step, sha256: sha256.clone(), bytes };
                self.checkpoints.insert(*id, checkpoint);
            }
            Record::CheckpointDropped { id, epoch, step } => {
                let name = CheckpointId { id: *id, epoch: *epoch, step: *step };
                if self.checkpoint(name).is_some() {
                    self.checkpoints.remove(id);
                }
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

    /// What an attempt that starts from a checkpoint has measured already.
    fn taken_over(&self, from: Option<CheckpointId>) -> Result<Vec<Measurement>, FoldError> {
        let Some(CheckpointId { id, epoch, .. }) = from else { return Ok(Vec::new()) };
        let source = self.attempt(id).ok_or_else(|| FoldError(format!("no attempt {id:?}")))?;
        let known = source.measurements.iter().filter(|measurement| measurement.epoch <= epoch);
        Ok(known.cloned().collect())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::HyperParameters;
    use crate::study::{Direction, Objective, Settings, Stage, TrialId};

    fn id(trial: u32, attempt: u32) -> AttemptId {
        AttemptId { trial: TrialId(trial), execution: 0, attempt }
    }

    fn created(trial: u32, promoted_from: Option<u32>) -> Record {
        let promoted_from = promoted_from.map(TrialId);
        let stage = Stage {
            iteration: 0,
            bracket: 1,
            round: u32::from(promoted_from.is_some()),
            epochs: 9,
            is_last: false,
            promoted_from,
        };
        Record::TrialCreated {
            trial: TrialId(trial),
            hyperparameters: HyperParameters::default(),
            seed_state: 0,
            name: None,
            stage: Some(stage),
        }
    }

    fn started(id: AttemptId, from: Option<CheckpointId>) -> Record {
        Record::AttemptStarted { id, worker: "w".to_owned(), from }
    }

    fn measured(id: AttemptId, epoch: u32) -> Record {
        let metrics = [("val_loss", f64::from(epoch))].into_iter().collect();
        Record::Measured { id, measurement: Measurement { epoch, metrics, seconds: 1.0 } }
    }

    fn kept(id: AttemptId, epoch: u32) -> Record {
        Record::CheckpointKept { id, epoch, step: 0, sha256: "5e".repeat(32), bytes: 7 }
    }

    fn fold(records: impl IntoIterator<Item = Record>) -> Result<Study, FoldError> {
        let mut study = Study::new(Settings {
            study: "fold".to_owned(),
            objective: Objective::single("val_loss", Direction::Min),
            max_trials: 9,
            executions_per_trial: 1,
            folds: None,
            seed: 0,
            max_retries: 0,
            max_consecutive_failures: 0,
            hours: None,
            epochs: None,
            keep_models: 1,
        });
        for record in records {
            let line = serde_json::to_string(&record).expect("JSON");
            let read: Record = serde_json::from_str(&line).expect("a record");
            assert_eq!(read, record, "{line}");
            study.apply(&Stamped { at_ms: 0, record })?;
        }
        Ok(study)
    }

    fn epochs(study: &Study, id: AttemptId) -> Vec<u32> {
        let attempt = study.attempt(id).expect("it was started");
        attempt.measurements.iter().map(|measurement| measurement.epoch).collect()
    }

    #[test]
    fn an_attempt_takes_over_what_its_source_measured_up_to_the_checkpoint() {
        let (source, promoted) = (id(0, 1), id(1, 1));
        let from = CheckpointId { id: source, epoch: 2, step: 0 };
        let study = fold([
            created(0, None),
            started(source, None),
            measured(source, 1),
            measured(source, 2),
            measured(source, 3),
            kept(source, 2),
            created(1, Some(0)),
            started(promoted, Some(from)),
            measured(promoted, 3),
        ]);
        let study = study.expect("they fit");
        assert_eq!(epochs(&study, source), [1, 2, 3]);
        assert_eq!(epochs(&study, promoted), [1, 2, 3]);
        let attempt = study.attempt(promoted).expect("it was started");
        assert_eq!(attempt.from, Some(from));
        let (best, value) = attempt.best(&study.settings.objective).expect("numbers");
        assert_eq!((best.epoch, value), (1, 1.0), "the best epoch may be the source's");
        assert_eq!(study.origin_of(TrialId(1)), TrialId(0));
        assert_eq!(study.origin_of(TrialId(0)), TrialId(0));
    }

    #[test]
    fn the_latest_checkpoint_of_an_attempt_is_kept_until_it_is_dropped() {
        let attempt = id(0, 1);
        let dropped = |epoch| Record::CheckpointDropped { id: attempt, epoch, step: 0 };
        let mut records = vec![created(0, None), started(attempt, None), kept(attempt, 1)];
        let held = |records: &[Record]| {
            let study = fold(records.iter().cloned()).expect("they fit");
            study.checkpoints_of(TrialId(0), 0).map(|checkpoint| checkpoint.epoch).next()
        };
        assert_eq!(held(&records), Some(1));
        records.push(kept(attempt, 3));
        assert_eq!(held(&records), Some(3));
        // The file of the one before.
        records.push(dropped(1));
        assert_eq!(held(&records), Some(3));
        records.push(dropped(3));
        assert_eq!(held(&records), None);
        // One in the middle of an epoch is another one.
        let kept = Record::CheckpointKept {
            id: attempt,
            epoch: 3,
            step: 40,
            sha256: "5e".repeat(32),
            bytes: 7,
        };
        records.extend([kept, dropped(3)]);
        assert_eq!(held(&records), Some(3));
        records.push(Record::CheckpointDropped { id: attempt, epoch: 3, step: 40 });
        assert_eq!(held(&records), None);
    }

    #[test]
    fn records_about_what_does_not_exist_are_refused() {
        let nowhere = Some(CheckpointId { id: id(0, 7), epoch: 1, step: 0 });
        assert!(fold([created(0, None), started(id(0, 1), nowhere)]).is_err());
        assert!(fold([created(0, None), kept(id(0, 1), 1)]).is_err());
        assert!(fold([created(0, Some(0))]).is_err(), "promoted from itself");
    }

    #[test]
    fn a_start_without_a_checkpoint_is_written_as_ever() {
        let line = serde_json::to_string(&started(id(0, 1), None)).expect("JSON");
        assert_eq!(
            line,
            r#"{"kind":"attempt_started","id":{"trial":0,"execution":0,"attempt":1},"worker":"w"}"#
        );
        let from = Some(CheckpointId { id: id(0, 1), epoch: 3, step: 0 });
        let line = serde_json::to_string(&started(id(1, 1), from)).expect("JSON");
        assert!(
            line.ends_with(r#""from":{"id":{"trial":0,"execution":0,"attempt":1},"epoch":3}}"#),
            "{line}"
        );
        let within = from.map(|from| CheckpointId { step: 40, ..from });
        let line = serde_json::to_string(&started(id(1, 1), within)).expect("JSON");
        assert!(line.ends_with(r#""epoch":3,"step":40}}"#), "{line}");
    }
}
