//! What can be wrong with an array, and how to mend it.

use std::io;

/// What is wrong with an array. Rows and indices are counted from 0, as NumPy
/// counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayProblem {
    /// There is no such file.
    #[error("does not exist")]
    Missing,
    /// It is a folder.
    #[error("is a folder")]
    Folder,
    /// The system, or what is compressed, cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// It does not begin like an array.
    #[error("is no .npy file")]
    NotNpy {
        /// Whether it begins like an archive.
        is_zip: bool,
    },
    /// It is no archive, or one that is not read.
    #[error("cannot be read as an .npz file: {0}")]
    NotNpz(String),
    /// The archive has no such array.
    #[error("has no array `{member}`")]
    NoMember {
        /// Its name.
        member: String,
        /// Arrays that it has.
        names: Vec<String>,
        /// Whether it has more than these.
        more: bool,
    },
    /// A version of the format that is not known.
    #[error("has version {0}.{1} of the format; 1.0 to 3.0 are read")]
    Version(u8, u8),
    /// The header is no header.
    #[error("has a broken header: {0}")]
    Header(String),
    /// Values are Python objects, which only Python can read.
    #[error("holds Python objects")]
    Objects,
    /// Values have fields.
    #[error("holds records of several fields")]
    Structured,
    /// Values are neither numbers nor text.
    #[error("holds values of type `{0}`")]
    Type(String),
    /// Values are text without room for a character.
    #[error("holds empty text only")]
    NoText,
    /// Texts are longer than labels are.
    #[error("holds texts of {0} characters")]
    LongText(u32),
    /// Examples are text.
    #[error("holds text, and examples are numbers")]
    Text,
    /// It has no rows, because it is one value.
    #[error("is a single value")]
    Scalar,
    /// There are no rows.
    #[error("has no rows")]
    NoRows,
    /// Rows have no values.
    #[error("has rows without values: its shape is {0}")]
    NoValues(String),
    /// A row of numbers only.
    #[error("has shape {0}: an example is a row of it, and that is a single number")]
    Flat(String),
    /// It has too many axes.
    #[error("has shape {shape}, and {most} lengths are the most")]
    Rank {
        /// Its shape.
        shape: String,
        /// How many lengths it may have.
        most: usize,
    },
    /// It cannot be as large as it says, or no row fits into memory.
    #[error("has shape {0}, which is too large")]
    TooLarge(String),
    /// There are fewer bytes than the header says.
    #[error("is cut off: its header speaks of {expected} bytes of values, and there are {found}")]
    Length {
        /// As the header says.
        expected: u64,
        /// As there are.
        found: u64,
    },
    /// There are more bytes than the header says.
    #[error("goes on after the {expected} bytes of values that its header speaks of")]
    Longer {
        /// As the header says.
        expected: u64,
    },
    /// A value that no network can be trained on.
    #[error("holds {value} at {index}, which is no finite number of single precision")]
    NotFinite {
        /// Where.
        index: String,
        /// As it is.
        value: String,
    },
    /// Labels have too many axes.
    #[error("has shape {0}, and labels are one for each row")]
    LabelShape(String),
    /// A value that names no class or group.
    #[error("holds {value} at {index}, which is no whole number and no text")]
    NotALabel {
        /// Where.
        index: String,
        /// As it is.
        value: String,
    },
    /// A row of several labels that are not zeros and a single 1.
    #[error("has a row without a single 1 among zeros: row {row}")]
    NotOneHot {
        /// Which.
        row: u64,
    },
    /// There are more classes than can be meant.
    #[error("has more than {0} different values")]
    ManyLabels(u32),
    /// It does not have a label for each row of `x`.
    #[error("has {found} rows, and `x` has {expected}")]
    Rows {
        /// Rows of `x`.
        expected: u64,
        /// Rows of this one.
        found: u64,
    },
    /// A label that has no name.
    #[error("holds {label}, and `names` names 0 to {last}")]
    NoName {
        /// The label.
        label: i64,
        /// The last that has a name.
        last: usize,
    },
    /// Labels are text, and are to be named.
    #[error("holds text, and `names` is for numbers")]
    NamedText,
    /// No row has a class that is asked for.
    #[error("has no row of class `{class}`")]
    UnknownClass {
        /// As the experiment names it.
        class: String,
        /// The most similar class.
        nearest: Option<String>,
        /// Some of the classes that there are.
        classes: Vec<String>,
    },
    /// A group has rows of two classes.
    #[error("has rows of two classes in group `{group}`: {first} and {other}")]
    MixedGroup {
        /// The group.
        group: String,
        /// One of its classes.
        first: String,
        /// Another.
        other: String,
    },
}

impl ArrayProblem {
    /// The system's refusal; for `map_err`.
    pub(super) fn unreadable(cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::UnexpectedEof => Self::Unreadable("it is cut off".to_owned()),
            // A foreign enum that grows.
            _ => Self::Unreadable(cause.to_string()),
        }
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Missing => "files are named relative to where `sweep` is started",
            Self::NotNpy { is_zip: true } => "write `npy: {file: F}` for an archive of arrays",
            Self::NotNpy { is_zip: false } => "write it with `np.save(\"x.npy\", x)`",
            Self::NotNpz(_) => "write it with `np.savez(\"arrays.npz\", x=x, y=y)`",
            Self::NoMember { member, names, more } => {
                let shown: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                let more = if *more { ", ..." } else { "" };
                return Some(match names.first() {
                    Some(first) => format!(
                        "it has {}{more}; name another one with `npy: {{file: F, {member}: \
                         {first}}}`",
                        shown.join(", ")
                    ),
                    None => "it is empty".to_owned(),
                });
            }
            Self::Objects => {
                "give it a type before saving: `x.astype(np.float32)` for numbers, \
                 `y.astype(str)` for text"
            }
            Self::Structured => "save an array of numbers, with a column for each field",
            Self::Type(_) => "save `x.astype(np.float32)`",
            Self::LongText(_) => "a label is the name of a class or a group",
            Self::Text => "labels go into `y`",
            Self::Flat(_) => "save `x.reshape(-1, 1)` if that is meant",
            Self::Rank { .. } => "the rows come first; save `x.reshape(len(x), height, width, -1)`",
            Self::Length { .. } | Self::Longer { .. } => "save it again",
            Self::NotFinite { .. } => {
                "replace it (`np.nan_to_num`), or leave the row out of all arrays"
            }
            Self::LabelShape(_) => {
                "numbers or text of shape (N,), or zeros and a single 1 of shape (N, classes)"
            }
            Self::NotALabel { .. } => "labels are classes: whole numbers, or text",
            Self::NotOneHot { .. } => {
                "save the numbers of the classes: `y.argmax(axis=1)`, of shape (N,)"
            }
            Self::ManyLabels(_) => "labels are classes; other targets are not built yet",
            Self::Rows { .. } => "each row of `x` has its own label",
            Self::NoName { .. } => "name all classes in the order of their numbers, from 0",
            Self::NamedText => "leave `names` out",
            Self::UnknownClass { nearest: Some(nearest), .. } => {
                return Some(format!("did you mean `{nearest}`?"));
            }
            Self::UnknownClass { nearest: None, classes, .. } => {
                let shown: Vec<String> =
                    classes.iter().take(8).map(|class| format!("`{class}`")).collect();
                let more = if classes.len() > shown.len() { ", ..." } else { "" };
                return Some(format!("it has {}{more}", shown.join(", ")));
            }
            Self::MixedGroup { .. } => {
                "a group is of one class; give the rows of each class a group of their own"
            }
            Self::Folder
            | Self::Unreadable(_)
            | Self::Version(..)
            | Self::Header(_)
            | Self::NoText
            | Self::Scalar
            | Self::NoRows
            | Self::NoValues(_)
            | Self::TooLarge(_) => return None,
        };
        Some(text.to_owned())
    }
}
