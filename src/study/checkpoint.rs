//! Checkpoints that a study holds, and whose training goes on from whose.
//!
//! An attempt may start from a checkpoint of another attempt, whichever
//! execution or trial that one belongs to. It takes over the measurements of
//! its source up to the checkpoint's epoch, so that its curve is that of a
//! training which never paused.

use serde::{Deserialize, Serialize};

use super::{AttemptId, Study, TrialId};

/// Names a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CheckpointId {
    /// The attempt that made it.
    pub id: AttemptId,
    /// The last whole epoch that went into it; 0 where none did.
    pub epoch: u32,
    /// How many steps of the epoch after that went into it; 0 at an epoch's end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub step: u32,
}

/// A file that the coordinator keeps, from which training can go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last whole epoch that went into it; 0 where none did.
    pub epoch: u32,
    /// How many steps of the epoch after that went into it; 0 at an epoch's end.
    pub step: u32,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
}

impl CheckpointId {
    /// How far training had come; more is further on.
    #[must_use]
    pub fn position(self) -> (u32, u32) {
        (self.epoch, self.step)
    }
}

impl Checkpoint {
    /// Its name, if this attempt made it.
    #[must_use]
    pub fn name(&self, id: AttemptId) -> CheckpointId {
        CheckpointId { id, epoch: self.epoch, step: self.step }
    }
}

/// Leaves what is as ever out of records.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(super) fn is_zero(step: &u32) -> bool {
    *step == 0
}

impl Study {
    /// The checkpoints of an execution's attempts, in the order of attempts.
    pub fn checkpoints_of(
        &self,
        trial: TrialId,
        execution: u32,
    ) -> impl Iterator<Item = CheckpointId> {
        let id = |attempt| AttemptId { trial, execution, attempt };
        let checkpoints = self.checkpoints.range(id(0)..=id(u32::MAX));
        checkpoints.map(|(id, checkpoint)| checkpoint.name(*id))
    }

    /// The checkpoint of this name, if it is still kept.
    #[must_use]
    pub fn checkpoint(&self, name: CheckpointId) -> Option<&Checkpoint> {
        self.checkpoints.get(&name.id).filter(|checkpoint| checkpoint.name(name.id) == name)
    }

    /// The trial with which the training began that this one goes on with:
    /// itself, unless it was promoted.
    #[must_use]
    pub fn origin_of(&self, trial: TrialId) -> TrialId {
        let mut origin = trial;
        // A promoted trial comes after its source, so this ends.
        while let Some(source) = self.promoted_from(origin) {
            origin = source;
        }
        origin
    }

    /// The trial whose training this one goes on with.
    #[must_use]
    pub fn promoted_from(&self, trial: TrialId) -> Option<TrialId> {
        self.trials.get(trial.0 as usize)?.stage.as_ref()?.promoted_from
    }
}
