//! Which checkpoint an attempt starts from, and how long each is kept.
//!
//! One rule serves executions that were interrupted and trials that were
//! promoted: an attempt starts from the checkpoint that is furthest on, of an
//! earlier attempt of its execution or of the execution that it goes on with,
//! and takes over the measurements up to there; between two that are equally far
//! on, the later attempt's. Without a checkpoint it begins
//! with epoch 1; as it has the same seed, it then comes by the same numbers.

use std::collections::HashSet;

use super::{Reply, ReplyTo, Step, execution_seed};
use crate::study::{
    AttemptId, Checkpoint, CheckpointId, Ended, Outcome, Record, Stamped, Trial, TrialId,
};

impl Step<'_> {
    /// Where the next attempt of an execution starts; `None` for epoch 1.
    pub(super) fn checkpoint_to_start_from(
        &self,
        trial: TrialId,
        execution: u32,
    ) -> Option<CheckpointId> {
        let study = &self.search.study;
        let promoted = study.promoted_from(trial).and_then(|source| {
            let finished_by =
                study.trials[source.0 as usize].executions[execution as usize].finished_by;
            study
                .checkpoints_of(source, execution)
                .find(|name| Some(name.id.attempt) == finished_by)
        });
        study
            .checkpoints_of(trial, execution)
            .chain(promoted)
            .filter(|name| !self.was_tried_in_vain(trial, execution, *name))
            .max_by_key(|name| name.position())
    }

    /// Whether an attempt that started from this checkpoint failed before it
    /// had measured anything: perhaps over the checkpoint.
    fn was_tried_in_vain(&self, trial: TrialId, execution: u32, name: CheckpointId) -> bool {
        let execution = &self.search.study.trials[trial.0 as usize].executions[execution as usize];
        execution.attempts.iter().any(|attempt| {
            attempt.from == Some(name)
                && matches!(attempt.outcome, Some(Outcome::Error { .. }))
                && attempt.epochs() <= name.epoch
        })
    }

    /// The checkpoint that an attempt was leased with. One that was lost since
    /// is left out: from epoch 1 the worker gets to the same place.
    pub(super) fn leased_checkpoint(&self, id: AttemptId) -> Option<(AttemptId, Checkpoint)> {
        let study = &self.search.study;
        let name = study.attempt(id)?.from?;
        Some((name.id, study.checkpoint(name)?.clone()))
    }

    /// Seeds an execution's training. One that goes on with another's has that
    /// one's seed, so that going on is training on.
    pub(super) fn seed_of(&self, trial: TrialId, execution: u32) -> u64 {
        let study = &self.search.study;
        execution_seed(study.settings.seed, study.origin_of(trial), execution)
    }

    /// Whether a trial's executions hand in a checkpoint when they have ended,
    /// for the round after.
    pub(super) fn keeps_checkpoints(&self, trial: TrialId) -> bool {
        let stage = self.search.study.trials[trial.0 as usize].stage.as_ref();
        stage.is_some_and(|stage| !stage.is_last)
    }

    pub(super) fn on_checkpoint_stored(
        &mut self,
        reply_to: ReplyTo,
        id: AttemptId,
        checkpoint: Checkpoint,
    ) {
        let study = &self.search.study;
        let Some(attempt) = study.attempt(id) else {
            self.reply(reply_to, Reply::Unknown);
            return;
        };
        let known = study.checkpoints.get(&id);
        let before = known.map(|known| known.name(id));
        let name = checkpoint.name(id);
        let is_repeated = known == Some(&checkpoint);
        // What was not measured cannot be taken over.
        let is_news = self.is_wanted(id)
            && checkpoint.epoch <= attempt.epochs()
            && before.is_none_or(|before| before.position() <= name.position());
        if !is_repeated && !is_news {
            self.reply(reply_to, Reply::Stop);
            return;
        }
        if !is_repeated {
            let Checkpoint { epoch, step, sha256, bytes } = checkpoint;
            self.record(Record::CheckpointKept { id, epoch, step, sha256, bytes });
            if let Some(before) = before.filter(|before| *before != name) {
                self.drop_checkpoint(before);
            }
        }
        self.reply(reply_to, Reply::Continue);
    }

    pub(super) fn on_checkpoint_lost(&mut self, name: CheckpointId) {
        if self.search.study.checkpoint(name).is_some() {
            self.drop_checkpoint(name);
        }
    }

    /// Drops the checkpoints that nothing can start from any more, if this
    /// step may have made one such.
    pub(super) fn drop_checkpoints(&mut self) {
        let may_matter = |Stamped { record, .. }: &Stamped| match record {
            Record::Started { .. }
            | Record::CheckpointKept { .. }
            | Record::AttemptEnded { .. }
            | Record::TrialEnded { .. }
            | Record::StudyEnded { .. } => true,
            Record::TrialCreated { .. }
            | Record::AttemptStarted { .. }
            | Record::AttemptResumed { .. }
            | Record::Measured { .. }
            | Record::CheckpointDropped { .. } => false,
        };
        let study = &self.search.study;
        if study.checkpoints.is_empty() || !self.decision.records.iter().any(may_matter) {
            return;
        }
        let open = study.tally().open.iter();
        let awaited: HashSet<TrialId> = open.filter_map(|id| study.promoted_from(*id)).collect();
        let names = study.checkpoints.iter();
        let names = names.map(|(id, checkpoint)| checkpoint.name(*id));
        let unneeded: Vec<_> = names.filter(|name| !self.is_needed(*name, &awaited)).collect();
        for name in unneeded {
            self.drop_checkpoint(name);
        }
    }

    /// Whether an attempt may still start from this checkpoint.
    ///
    /// - `awaited`: trials from which others, not ended yet, were promoted
    fn is_needed(&self, name: CheckpointId, awaited: &HashSet<TrialId>) -> bool {
        let study = &self.search.study;
        let AttemptId { trial, execution, attempt } = name.id;
        match study.ended {
            Some(Ended::MaxTrials | Ended::SpaceExhausted) => return false,
            // A later run may go on.
            Some(Ended::ConsecutiveFailures | Ended::Hours | Ended::Epochs) | None => {}
        }
        let known: &Trial = &study.trials[trial.0 as usize];
        match known.executions[execution as usize].finished_by {
            Some(number) if number == attempt && self.keeps_checkpoints(trial) => {
                !known.has_ended()
                    || awaited.contains(&trial)
                    || self.search.oracle.may_promote(study, trial)
            }
            Some(_) => false,
            // Unfinished: the one that is furthest on.
            None => {
                let names = study.checkpoints_of(trial, execution);
                let furthest = names.max_by_key(|name| name.position());
                !known.has_ended() && furthest == Some(name)
            }
        }
    }

    fn drop_checkpoint(&mut self, CheckpointId { id, epoch, step }: CheckpointId) {
        self.record(Record::CheckpointDropped { id, epoch, step });
    }
}
