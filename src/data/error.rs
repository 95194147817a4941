//! What can go wrong between a `data:` section and arrays on disk.
//!
//! A recording that cannot be read is no error: it is skipped and listed in the
//! manifest. An error is what leaves no usable dataset.

use std::io;
use std::path::{Path, PathBuf};

use super::source::arrays::ArrayProblem;
pub use super::source::folder::Content;
use super::source::table::TableProblem;

/// Why a dataset could not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A setting is outside what can be computed.
    #[error("`data.{field}`: {problem}")]
    Settings {
        /// Where in the `data:` section, with dots.
        field: String,
        /// What is wrong with it.
        problem: String,
        /// How to mend it.
        hint: Option<&'static str>,
    },
    /// The folder of classes is not there.
    #[error("the folder `{path}` does not exist", path = .path.display())]
    FolderMissing {
        /// The folder.
        path: PathBuf,
        /// What it should hold.
        content: Content,
    },
    /// A file stands where a folder is needed.
    #[error("`{path}` is not a folder", path = .path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
        /// What the folder should hold.
        content: Content,
    },
    /// No folder in the folder has what is looked for.
    #[error(
        "`{path}` holds no {}: expected a folder per class with {}",
        .content.plural(), .content.files(), path = .path.display()
    )]
    NoClasses {
        /// The folder.
        path: PathBuf,
        /// What it should hold.
        content: Content,
        /// A folder in it that looks right.
        nested: Option<PathBuf>,
        /// A folder in it that would be a class, were its name not hidden.
        hidden: Option<String>,
    },
    /// None of the files can be used.
    #[error("none of the {} in `{path}` can be used", .content.plural(), path = .path.display())]
    NoneUsable {
        /// The folder.
        path: PathBuf,
        /// What it holds.
        content: Content,
        /// One that cannot be used, and why.
        skipped: Option<String>,
    },
    /// There is nothing to tell apart.
    #[error("`{path}` has {what} of one class only, `{class}`", path = .path.display())]
    OneClass {
        /// The folder or file.
        path: PathBuf,
        /// What there is, in the plural.
        what: &'static str,
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
    /// `classes` names a folder whose name begins with a dot.
    #[error("class `{class}` is a hidden folder in `{path}`", path = .path.display())]
    HiddenClass {
        /// As named.
        class: String,
        /// The folder.
        path: PathBuf,
    },
    /// Two classes have one name on a file system that does not know case.
    #[error(
        "`{first}` and `{second}` in `{path}` are classes whose names differ only in case",
        path = .path.display()
    )]
    CaseOnly {
        /// A class.
        first: String,
        /// Another.
        second: String,
        /// The folder.
        path: PathBuf,
    },
    /// A class cannot be divided into the sets that are asked for.
    #[error(
        "class `{class}` has too few usable {what} for this split: {count} of at least {needed}"
    )]
    TooFew {
        /// The class.
        class: String,
        /// What is divided, in the plural.
        what: &'static str,
        /// How many of them can be used.
        count: usize,
        /// How many are needed.
        needed: usize,
        /// One that cannot be used, and why.
        skipped: Option<String>,
    },
    /// Examples differ in shape, and nothing says how long an example is.
    #[error(
        "`{first}` gives examples of shape {} and `{other}` of shape {}",
        shown(.first_shape), shown(.other_shape)
    )]
    ShapesDiffer {
        /// A file.
        first: String,
        /// What its examples look like.
        first_shape: Vec<usize>,
        /// A file of another length.
        other: String,
        /// What its examples look like.
        other_shape: Vec<usize>,
        /// The setting that would bring them to one length.
        field: Option<String>,
    },
    /// A table cannot be used.
    #[error("`{path}`: {problem}", path = .path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: TableProblem,
    },
    /// An array cannot be used.
    #[error("{place}: {problem}")]
    Arrays {
        /// The file, or its name in an archive.
        place: String,
        /// What is wrong with it.
        problem: ArrayProblem,
    },
    /// A name cannot be written into the manifest.
    #[error("the name of `{path}` is not UTF-8", path = .path.display())]
    NotUtf8 {
        /// The file or folder.
        path: PathBuf,
    },
    /// A file was written to during preparation.
    #[error("`{path}` changed while it was read", path = .path.display())]
    Changed {
        /// The file.
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
            Self::Settings { hint, .. } => hint.map(str::to_owned),
            Self::NotUtf8 { .. } => None,
            Self::FolderMissing { content, .. } | Self::NotAFolder { content, .. } => {
                let hint = format!(
                    "`{}` names a folder that holds a folder per class with {}",
                    content.key(),
                    content.files()
                );
                Some(match content {
                    Content::Recordings => {
                        format!("{hint}; `sweep synth DIR` writes one to try things out")
                    }
                    Content::Images => hint,
                })
            }
            Self::NoClasses { nested: Some(nested), .. } => {
                Some(format!("`{}` does: did you mean that folder?", nested.display()))
            }
            Self::NoClasses { hidden: Some(hidden), .. } => Some(format!(
                "`{hidden}` does, but a folder whose name begins with a dot is no class: rename it"
            )),
            Self::NoClasses { nested: None, hidden: None, path, content } => Some(format!(
                "put the {} into folders named after their classes, such as `{}`",
                content.plural(),
                path.join("blues").join(content.example()).display()
            )),
            Self::NoneUsable { skipped, .. } => skipped.clone(),
            Self::OneClass { .. } => Some("two classes are needed to tell apart".to_owned()),
            Self::UnknownClass { nearest, .. } => {
                nearest.as_ref().map(|name| format!("did you mean `{name}`?"))
            }
            Self::HiddenClass { class, .. } => Some(format!(
                "rename it to `{}`: folders whose names begin with a dot are passed over",
                class.trim_start_matches('.')
            )),
            Self::CaseOnly { first, second, .. } => Some(format!(
                "make them one folder, or name those that are meant, such as \
                 `classes: [{first}, {second}]`"
            )),
            Self::TooFew { class, what, skipped, .. } => Some(match skipped {
                Some(skipped) => format!("skipped {skipped}"),
                None => format!("add {what} of `{class}`, or leave it out with `data.classes`"),
            }),
            Self::ShapesDiffer { first_shape, other_shape, field, .. } => {
                let field = field.as_ref()?;
                let (_, name) = field.rsplit_once('.')?;
                let (&first, &other) =
                    first_shape.iter().zip(other_shape).find(|(first, other)| first != other)?;
                Some(format!(
                    "set `data.{field}` to cut or pad all examples to one length, such as \
                     `{name}: {}`",
                    first.min(other)
                ))
            }
            Self::Table { problem, .. } => problem.hint(),
            Self::Arrays { problem, .. } => problem.hint(),
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

/// A shape as tuples are written.
fn shown(shape: &[usize]) -> String {
    let lengths: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("({})", lengths.join(", "))
}

/// Gives a failed system call its action and path; for `map_err`.
pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataError {
    let path = path.to_owned();
    move |cause| DataError::Io { action, path, cause }
}
