//! How a command ends when it does not end well: what is said, and the exit code.

use std::fmt;
use std::io;
use std::path::Path;

use crate::coordinator::local_workers::LocalWorkersError;
use crate::data::{ArrayProblem, DataError, TableProblem};
use crate::experiment::{Experiment, ExperimentError};
use crate::logging::{self, Level, LogFormat};
use crate::results::ResultsError;
use crate::run_directory::RunDirectoryError;
use crate::slurm::{Gone, SlurmError};
use crate::store::StoreError;

/// How a command ended.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unexpected,
    BadInput,
    NoTrialCompleted,
    Store,
    Interrupted,
}

impl Failure {
    /// The exit code, as the help text lists them.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Unexpected => 1,
            Kind::BadInput => 2,
            Kind::NoTrialCompleted => 3,
            Kind::Store => 4,
            Kind::Interrupted => 130,
        }
    }

    /// Says on stderr how the command ended. A closed stderr does not turn into
    /// another exit code.
    pub fn report(&self) {
        match logging::format() {
            LogFormat::Text => logging::write(&self.to_string()),
            LogFormat::Json => {
                let level = if self.kind == Kind::Interrupted { Level::Warn } else { Level::Error };
                let fields = [
                    ("hint".to_owned(), self.hint.clone().into()),
                    ("exit_code".to_owned(), self.exit_code().into()),
                ];
                logging::json(level, "sweep", &self.message, fields.into_iter().collect());
            }
        }
    }

    /// What went wrong, without the hint.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn bad_input(message: impl fmt::Display) -> Self {
        Self { kind: Kind::BadInput, message: message.to_string(), hint: None }
    }

    pub(super) fn unexpected(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Unexpected, message: message.to_string(), hint: None }
    }

    pub(super) fn no_trial_completed(message: impl fmt::Display) -> Self {
        Self { kind: Kind::NoTrialCompleted, message: message.to_string(), hint: None }
    }

    pub(super) fn interrupted(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Interrupted, message: message.to_string(), hint: None }
    }

    /// The system refuses what belongs to a run.
    ///
    /// - `path`: a file or folder of the run directory
    pub(super) fn of_run(path: &Path, error: &io::Error) -> Self {
        let hint = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
        .then(|| "free space on its disk, and run the same command again".to_owned());
        Self { kind: Kind::Store, message: format!("{}: {error}", path.display()), hint }
    }

    /// What is wrong with the data of an experiment, with the line that asks for it.
    pub(super) fn of_data(error: DataError, experiment: &Experiment) -> Self {
        let key = match &error {
            DataError::Io { .. } => return error.into(),
            DataError::UnknownClass { .. }
            | DataError::HiddenClass { .. }
            | DataError::Table { problem: TableProblem::UnknownClass { .. }, .. }
            | DataError::Arrays { problem: ArrayProblem::UnknownClass { .. }, .. } => "classes",
            DataError::TooFew { .. } => "split",
            DataError::ShapesDiffer { .. } => "features",
            DataError::Settings { .. }
            | DataError::FolderMissing { .. }
            | DataError::NotAFolder { .. }
            | DataError::NoClasses { .. }
            | DataError::NoneUsable { .. }
            | DataError::Table { .. }
            | DataError::Arrays { .. }
            | DataError::OneClass { .. }
            | DataError::CaseOnly { .. }
            | DataError::NotUtf8 { .. }
            | DataError::Changed { .. }
            | DataError::NotEmpty { .. } => experiment.data.source.key(),
        };
        let failure = Self::from(error);
        Self {
            message: format!("{}: {}", experiment.place_in_data(key), failure.message),
            ..failure
        }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == Kind::Interrupted {
            formatter.write_str(&self.message)?;
        } else {
            write!(formatter, "error: {}", self.message)?;
        }
        match &self.hint {
            Some(hint) => write!(formatter, "\n\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<ExperimentError> for Failure {
    fn from(error: ExperimentError) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self { hint, ..Self::bad_input(error) }
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let hint = error.hint();
        let failure = match error {
            DataError::Io { .. } => Self::unexpected(error),
            _ => Self::bad_input(error),
        };
        Self { hint, ..failure }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = format!("the study's store cannot be used: {error}");
        Self { kind: Kind::Store, message, hint: Some(error.hint().to_owned()) }
    }
}

impl From<RunDirectoryError> for Failure {
    fn from(error: RunDirectoryError) -> Self {
        let hint = error.hint();
        match error {
            RunDirectoryError::Store(error) => error.into(),
            RunDirectoryError::Io { path, source } => Self::of_run(&path, &source),
            RunDirectoryError::InUse { .. }
            | RunDirectoryError::Different { .. }
            | RunDirectoryError::DifferentData { .. }
            | RunDirectoryError::NotARun { .. } => Self { hint, ..Self::bad_input(error) },
        }
    }
}

impl From<ResultsError> for Failure {
    fn from(error: ResultsError) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self { kind: Kind::Store, message: error.to_string(), hint }
    }
}

impl From<SlurmError> for Failure {
    fn from(error: SlurmError) -> Self {
        let hint = error.hint().map(str::to_owned);
        let failure =
            if error.is_bad_input() { Self::bad_input(error) } else { Self::unexpected(error) };
        Self { hint, ..failure }
    }
}

impl From<Gone> for Failure {
    fn from(gone: Gone) -> Self {
        Self::unexpected(gone).with_hint(
            "mend what ended them, and run the same command again; it goes on where it was",
        )
    }
}

impl From<LocalWorkersError> for Failure {
    fn from(error: LocalWorkersError) -> Self {
        Self::unexpected(error)
    }
}
