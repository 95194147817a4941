//! What can go wrong between a `data:` section and arrays on disk.
//!
//! A recording that cannot be read is no error: it is skipped and listed in the
//! manifest. An error is what leaves no usable dataset.

use std::io;
use std::path::{Path, PathBuf};

/// Why a dataset could not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A setting is outside what can be computed.
    #[error("`data.{field}`: {problem}")]
    Settings {
        /// Where in the `data:` section, with dots.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The folder of recordings is not there.
    #[error("the folder `{path}` does not exist", path = .path.display())]
    FolderMissing {
        /// The folder.
        path: PathBuf,
    },
    /// A file stands where a folder is needed.
    #[error("`{path}` is not a folder", path = .path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// No folder in the folder has recordings.
    #[error("`{path}` holds no recordings: expected a folder per class with .wav files", path = .path.display())]
    NoClasses {
        /// The folder.
        path: PathBuf,
        /// A folder in it that looks right.
        nested: Option<PathBuf>,
    },
    /// There is nothing to tell apart.
    #[error("`{path}` has recordings of one class only, `{class}`", path = .path.display())]
    OneClass {
        /// The folder.
        path: PathBuf,
        /// The class.
        class: String,
    },
    /// `classes` names a class that has no folder.
    #[error("class `{class}` has no folder in `{path}`", path = .path.display())]
    UnknownClass {
        /// As named.
        class: String,
        /// The folder.
        path: PathBuf,
        /// The most similar class that is there.
        nearest: Option<String>,
    },
    /// A class cannot be divided into the sets that are asked for.
    #[error(
        "class `{class}` has too few readable recordings for this split: {count} of at least {needed}"
    )]
    TooFewRecordings {
        /// The class.
        class: String,
        /// How many of its recordings can be used.
        count: usize,
        /// How many are needed.
        needed: usize,
        /// One that cannot be used, and why.
        skipped: Option<String>,
    },
    /// Recordings differ in length, and nothing says how long an example is.
    #[error("`{first}` has {first_frames} frames and `{other}` has {other_frames}")]
    FramesDiffer {
        /// A recording.
        first: String,
        /// Its length.
        first_frames: usize,
        /// A recording of another length.
        other: String,
        /// Its length.
        other_frames: usize,
    },
    /// A name cannot be written into the manifest.
    #[error("the name of `{path}` is not UTF-8", path = .path.display())]
    NotUtf8 {
        /// The file or folder.
        path: PathBuf,
    },
    /// A recording was written to during preparation.
    #[error("`{path}` changed while it was read", path = .path.display())]
    Changed {
        /// The recording.
        path: PathBuf,
    },
    /// Made-up recordings would mix with what is there.
    #[error("`{path}` exists already and is not an empty folder", path = .path.display())]
    NotEmpty {
        /// The folder or file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} `{path}`: {cause}", path = .path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        cause: io::Error,
    },
}

impl DataError {
    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Settings { .. } | Self::NotUtf8 { .. } => None,
            Self::FolderMissing { .. } | Self::NotAFolder { .. } => Some(
                "`audio` names a folder that holds a folder per class with .wav files; \
                 `sweep synth DIR` writes one to try things out"
                    .to_owned(),
            ),
            Self::NoClasses { nested: Some(nested), .. } => {
                Some(format!("`{}` does: did you mean that folder?", nested.display()))
            }
            Self::NoClasses { nested: None, path } => Some(format!(
                "put the recordings into folders named after their classes, such as `{}`",
                path.join("blues").join("one.wav").display()
            )),
            Self::OneClass { .. } => Some("two classes are needed to tell apart".to_owned()),
            Self::UnknownClass { nearest, .. } => {
                nearest.as_ref().map(|name| format!("did you mean `{name}`?"))
            }
            Self::TooFewRecordings { class, skipped, .. } => Some(match skipped {
                Some(skipped) => format!("skipped {skipped}"),
                None => format!("add recordings of `{class}`, or leave it out with `data.classes`"),
            }),
            Self::FramesDiffer { first_frames, other_frames, .. } => Some(format!(
                "set `data.features.mel.frames` to cut or pad all recordings to one length, \
                 such as `frames: {}`",
                first_frames.min(other_frames)
            )),
            Self::Changed { .. } => Some("run again once it is complete".to_owned()),
            Self::NotEmpty { .. } => Some("choose a folder that does not exist yet".to_owned()),
            Self::Io { cause, .. } => match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(
                    "free some space there; SWEEP_CACHE moves the cache to another folder"
                        .to_owned(),
                ),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Some(
                    "check the permissions there; SWEEP_CACHE moves the cache to another folder"
                        .to_owned(),
                ),
                // A foreign enum that grows; other kinds speak for themselves.
                _ => None,
            },
        }
    }
}

/// Gives a failed system call its action and path; for `map_err`.
pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataError {
    let path = path.to_owned();
    move |cause| DataError::Io { action, path, cause }
}
