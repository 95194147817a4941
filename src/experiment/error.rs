//! What is wrong with an experiment file, where, and how to mend it.
//!
//! Readers make a [`Fault`], which knows only the path of the value; the
//! document adds the file and the line and makes an [`ExperimentError`] of it.

use std::fmt;
use std::path::PathBuf;

use sweep_proto::shape::ShapeError;

use super::path::{Segment, display_path};

/// Something in an experiment file, or in an override of it, that cannot be used.
///
/// Its text is one line: the place, the field where the message alone would not
/// name it, and the message. The hint is shown apart from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {}{message}", self.prefix())]
pub struct ExperimentError {
    /// Where it stands.
    pub place: Place,
    /// Dotted path of the value: `model[3].conv2d.filters`; empty for the whole file.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// Whether the message says by itself which value it is about.
    self_contained: bool,
}

/// Where something of an experiment was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the file.
    File {
        /// As it was named by the user.
        file: PathBuf,
        /// From 1; absent if it is about the file as a whole.
        line: Option<usize>,
    },
    /// In `--set PATH=VALUE`.
    Set(String),
    /// In `--fix NAME=VALUE`.
    Fix(String),
}

/// Something that is probably a mistake, but does not prevent a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands.
    pub place: Place,
    /// What is odd.
    pub message: String,
}

/// Why an assignment gives no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecifyError {
    /// The file is wrong: no retry and no other trial will help.
    #[error(transparent)]
    File(#[from] Box<ExperimentError>),
    /// This assignment's network cannot work; another one's may.
    #[error(transparent)]
    Network(#[from] ShapeError),
}

impl ExperimentError {
    /// How to mend it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Line in the file, from 1, if it is about one.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self.place {
            Place::File { line, .. } => line,
            Place::Set(_) | Place::Fix(_) => None,
        }
    }

    /// An error about the file as a whole, or about a line of it that is not YAML.
    pub(super) fn file(file: PathBuf, line: Option<usize>, fault: Fault) -> Self {
        Self::at(Place::File { file, line }, fault)
    }

    pub(super) fn at(place: Place, fault: Fault) -> Self {
        Self {
            place,
            field: display_path(&fault.path),
            message: fault.message,
            hint: fault.hint,
            self_contained: fault.self_contained,
        }
    }

    /// The field with a colon, where it says something new.
    fn prefix(&self) -> String {
        let said = match &self.place {
            Place::File { .. } => false,
            Place::Set(path) | Place::Fix(path) => *path == self.field,
        };
        if self.self_contained || said || self.field.is_empty() {
            String::new()
        } else {
            format!("{}: ", self.field)
        }
    }
}

/// What is wrong at a path; without file and line.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) path: Vec<Segment>,
    message: String,
    hint: Option<String>,
    self_contained: bool,
}

impl Fault {
    pub(super) fn new(path: &[Segment], message: impl Into<String>) -> Self {
        Self { path: path.to_vec(), message: message.into(), hint: None, self_contained: false }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The message names the value, so that the field need not be shown.
    pub(super) fn self_contained(mut self) -> Self {
        self.self_contained = true;
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line: Some(line) } => {
                write!(formatter, "{}:{line}", file.display())
            }
            Self::File { file, line: None } => write!(formatter, "{}", file.display()),
            Self::Set(path) => write!(formatter, "--set {path}"),
            Self::Fix(name) => write!(formatter, "--fix {name}"),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}
