//! The files of checkpoints, as far as the study's records name them.
//!
//! A file is there before its record is written, and goes after the record
//! that drops it was. What a coordinator that ended in between has left is put
//! right when the next one starts.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;

use super::dispatcher::Observer;
use super::transfer::UNFINISHED;
use crate::study::{AttemptId, CheckpointId, Record, Stamped, Study, TrialId};

/// Ending of the files' names.
const EXTENSION: &str = "checkpoint";

/// A folder of checkpoints.
#[derive(Debug, Clone)]
pub struct CheckpointFiles {
    folder: PathBuf,
}

impl CheckpointFiles {
    /// - `folder`: exists
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the file of a checkpoint is, or would be.
    #[must_use]
    pub fn path(&self, name: CheckpointId) -> PathBuf {
        let AttemptId { trial: TrialId(trial), execution, attempt } = name.id;
        let (epoch, step) = name.position();
        let step = if step > 0 { format!("-step-{step}") } else { String::new() };
        self.folder.join(format!(
            "trial-{trial}-execution-{execution}-attempt-{attempt}-epoch-{epoch}{step}.{EXTENSION}"
        ))
    }

    /// Removes the file of a checkpoint, if it is there.
    pub fn remove(&self, name: CheckpointId) {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // It takes space until the next start; nothing reads it.
            Err(error) => tracing::warn!("cannot remove {}: {error}", path.display()),
        }
    }

    /// Removes files that no record of the study names, half-written ones
    /// among them. Files with other names are left alone. To be called before
    /// anything is uploaded, or after.
    ///
    /// Returns the checkpoints that are recorded, but whose file is not there
    /// in its full length.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read, or a file not removed.
    pub fn tidy(&self, study: &Study) -> io::Result<Vec<CheckpointId>> {
        let mut kept: HashSet<OsString> = HashSet::new();
        let mut lost = Vec::new();
        for (id, checkpoint) in &study.checkpoints {
            let name = checkpoint.name(*id);
            let path = self.path(name);
            match fs::metadata(&path) {
                Ok(found) if found.len() == checkpoint.bytes => {
                    kept.extend(path.file_name().map(ToOwned::to_owned));
                }
                Ok(_) => lost.push(name),
                Err(error) if error.kind() == io::ErrorKind::NotFound => lost.push(name),
                Err(error) => return Err(error),
            }
        }
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let extension = path.extension().unwrap_or_default();
            let is_ours = extension == EXTENSION || extension == UNFINISHED;
            if is_ours && path.file_name().is_none_or(|name| !kept.contains(name)) {
                match fs::remove_file(path) {
                    // An upload that was broken off has done so.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    removed => removed?,
                }
            }
        }
        Ok(lost)
    }
}

impl Observer for CheckpointFiles {
    fn observe(&mut self, _: &Study, committed: &[Stamped]) {
        for Stamped { record, .. } in committed {
            if let Record::CheckpointDropped { id, epoch, step } = record {
                self.remove(CheckpointId { id: *id, epoch: *epoch, step: *step });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::busy_study;
    use crate::study::Checkpoint;

    fn name(trial: u32, epoch: u32) -> CheckpointId {
        let id = AttemptId { trial: TrialId(trial), execution: 0, attempt: 1 };
        CheckpointId { id, epoch, step: 0 }
    }

    fn names(files: &CheckpointFiles) -> Vec<String> {
        let entries = fs::read_dir(&files.folder).expect("there");
        let names = entries.map(|entry| entry.expect("readable").file_name().into_string());
        let mut names: Vec<String> = names.collect::<Result<_, _>>().expect("text");
        names.sort();
        names
    }

    #[test]
    fn files_and_records_are_brought_together_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = CheckpointFiles::new(folder.path().to_owned());
        let mut study = busy_study();
        let within = CheckpointId { step: 40, ..name(2, 3) };
        for (kept, bytes) in [(name(0, 3), 5), (name(1, 3), 5), (within, 5)] {
            let (epoch, step) = kept.position();
            let checkpoint = Checkpoint { epoch, step, sha256: String::new(), bytes };
            study.checkpoints.insert(kept.id, checkpoint);
        }
        fs::write(files.path(name(0, 3)), "whole").expect("written");
        fs::write(files.path(name(1, 3)), "cut").expect("written");
        fs::write(files.path(name(0, 2)), "the one before").expect("written");
        fs::write(files.path(name(2, 3)), "the one before").expect("written");
        fs::write(files.path(name(3, 1)).with_added_extension("07.tmp"), "half").expect("written");
        fs::write(folder.path().join("notes.txt"), "a person's").expect("written");
        assert_eq!(files.tidy(&study).expect("readable"), [name(1, 3), within]);
        assert_eq!(
            names(&files),
            ["notes.txt", "trial-0-execution-0-attempt-1-epoch-3.checkpoint"]
        );
    }

    #[test]
    fn a_file_goes_when_the_record_that_drops_it_is_durable() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut files = CheckpointFiles::new(folder.path().to_owned());
        for epoch in [2, 3] {
            fs::write(files.path(name(0, epoch)), "state").expect("written");
        }
        let dropped = |CheckpointId { id, epoch, step }| Stamped {
            at_ms: 0,
            record: Record::CheckpointDropped { id, epoch, step },
        };
        files.observe(&busy_study(), &[dropped(name(0, 2)), dropped(name(9, 1))]);
        assert_eq!(names(&files), ["trial-0-execution-0-attempt-1-epoch-3.checkpoint"]);
    }
}
