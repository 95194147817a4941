//! What is remembered of a job in the run's folder, while it may exist.
//!
//! It is written before `sbatch` is called, and completed with the job's number
//! afterwards, so that no job can be forgotten whenever the coordinator dies.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Request, SlurmError};
use crate::results::atomic::write_atomically;

/// Version of the file.
const VERSION: u32 = 1;

/// A job's number, and its cluster where there are several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobId {
    pub(super) number: u64,
    pub(super) cluster: Option<String>,
}

/// What was submitted, or is about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Submission {
    version: u32,
    /// Absent until `sbatch` has answered.
    pub(super) job: Option<JobId>,
    /// How many workers.
    pub(super) workers: u32,
    /// All other arguments of `sbatch`, the script's included.
    arguments: Vec<String>,
}

impl Submission {
    pub(super) fn of(request: &Request) -> Self {
        let text = |argument: &std::ffi::OsStr| argument.to_string_lossy().into_owned();
        let mut arguments: Vec<String> =
            request.options.iter().map(|option| text(option)).collect();
        arguments.push(text(request.program.as_os_str()));
        arguments.extend(request.worker_options.iter().cloned());
        Self { version: VERSION, job: None, workers: request.workers, arguments }
    }

    /// Whether the same is wanted again.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.workers, &self.arguments) == (other.workers, &other.arguments)
    }
}

/// The file.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    path: PathBuf,
}

impl Memory {
    /// - `folder`: exists
    pub(super) fn new(folder: &Path) -> Self {
        Self { path: folder.join("job.json") }
    }

    pub(super) fn read(&self) -> Result<Option<Submission>, SlurmError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SlurmError::Io { path: self.path.clone(), source }),
        };
        let unusable = |reason| SlurmError::Memory { path: self.path.clone(), reason };
        let submission: Submission =
            serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
        if submission.version != VERSION {
            return Err(unusable(format!("has version {}, not {VERSION}", submission.version)));
        }
        Ok(Some(submission))
    }

    pub(super) fn write(&self, submission: &Submission) -> Result<(), SlurmError> {
        let text = serde_json::to_string(submission).expect("it is made of text and numbers");
        write_atomically(&self.path, |file| writeln!(file, "{text}"))
            .map_err(|error| SlurmError::Io { path: self.path.clone(), source: error.source })
    }

    /// Nothing is left to remember. A file that stays is no harm: its job is
    /// looked for, and not found.
    pub(super) fn forget(&self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("{}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_remembered_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(folder.path());
        assert_eq!(memory.read().unwrap(), None);
        let mut submission = Submission {
            version: VERSION,
            job: None,
            workers: 8,
            arguments: vec!["--partition=gpu".to_owned(), "sweep-worker".to_owned()],
        };
        let before = submission.clone();
        submission.job = Some(JobId { number: 12, cluster: Some("west".to_owned()) });
        memory.write(&submission).unwrap();
        assert_eq!(memory.read().unwrap().as_ref(), Some(&submission));
        assert!(submission.is_like(&before));
        assert_eq!(
            fs::read_to_string(folder.path().join("job.json")).unwrap(),
            "{\"version\":1,\"job\":{\"number\":12,\"cluster\":\"west\"},\"workers\":8,\
             \"arguments\":[\"--partition=gpu\",\"sweep-worker\"]}\n"
        );
        memory.forget();
        memory.forget();
        assert_eq!(memory.read().unwrap(), None);
    }

    #[test]
    fn what_is_no_memory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::new(folder.path());
        for text in ["", "{}", "{\"version\":2,\"job\":null,\"workers\":1,\"arguments\":[]}"] {
            fs::write(folder.path().join("job.json"), text).unwrap();
            assert!(matches!(memory.read(), Err(SlurmError::Memory { .. })), "{text}");
        }
    }
}
