//! What can be wrong with a table, and how to mend it.

/// What is wrong with a table. Rows are numbered from 1, the header not counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableProblem {
    /// There is no such file.
    #[error("does not exist")]
    Missing,
    /// It is a folder, or too large.
    #[error("is not a table: {0}")]
    NotATable(&'static str),
    /// It is not CSV.
    #[error("cannot be read as CSV: {0}")]
    NotCsv(String),
    /// There is no row below the header.
    #[error("has no rows")]
    NoRows,
    /// Two columns cannot be told apart.
    #[error("has two columns `{0}`")]
    SameName(String),
    /// A feature has no name; such columns are mostly row numbers.
    #[error("column {0} has no name")]
    NoName(usize),
    /// A column that the file should have.
    #[error("has no column `{column}`")]
    NoColumn {
        /// As the experiment names it.
        column: String,
        /// The most similar column.
        nearest: Option<String>,
        /// All columns.
        columns: Vec<String>,
    },
    /// All columns but the label are dropped.
    #[error("has no column of features")]
    NoFeatures,
    /// It has more or fewer features than the experiment says.
    #[error("has {found} columns of features, but `columns` says {expected}")]
    Columns {
        /// As the experiment says.
        expected: u32,
        /// As there are.
        found: usize,
    },
    /// A value is missing.
    #[error("column `{column}` has no value in row {row}")]
    NoValue {
        /// Its name.
        column: String,
        /// From 1, below the header.
        row: usize,
    },
    /// A feature is not a finite number of single precision.
    #[error("column `{column}` holds `{value}` in row {row}, which is not a finite number")]
    NotANumber {
        /// Its name.
        column: String,
        /// From 1, below the header.
        row: usize,
        /// As it is written.
        value: String,
    },
    /// A class that no row has.
    #[error("no row has the class `{class}` in column `{column}`")]
    UnknownClass {
        /// As the experiment names it.
        class: String,
        /// The column of labels.
        column: String,
        /// The most similar class.
        nearest: Option<String>,
    },
}

impl TableProblem {
    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing => {
                Some("`csv` names a file, relative to where `sweep` is started".to_owned())
            }
            Self::NotATable(_) | Self::NoRows => None,
            Self::NotCsv(_) => {
                Some("a header, then rows with a value for each column, in UTF-8".to_owned())
            }
            Self::SameName(_) => Some("give each column a name of its own".to_owned()),
            Self::NoName(_) => Some(
                "if it holds row numbers, leave it out with `drop: [\"\"]`; else give it a name"
                    .to_owned(),
            ),
            Self::NoColumn { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{nearest}`?"))
            }
            Self::NoColumn { nearest: None, columns, .. } => Some(match columns.as_slice() {
                [only] if only.contains([';', '\t']) => "separate the values by commas".to_owned(),
                columns => {
                    let shown: Vec<String> =
                        columns.iter().take(8).map(|name| format!("`{name}`")).collect();
                    let more = if columns.len() > shown.len() { ", ..." } else { "" };
                    format!("it has {}{more}", shown.join(", "))
                }
            }),
            Self::NoFeatures => Some("`drop` fewer columns".to_owned()),
            Self::Columns { found, .. } => {
                Some(format!("`drop` what is no feature, or write `columns: {found}`"))
            }
            Self::NoValue { column, .. } => Some(format!(
                "fill it in, remove the row, or leave the column out with `drop: [{column}]`"
            )),
            Self::NotANumber { column, .. } => {
                Some(format!("correct it, or leave the column out with `drop: [{column}]`"))
            }
            Self::UnknownClass { nearest, .. } => {
                nearest.as_ref().map(|name| format!("did you mean `{name}`?"))
            }
        }
    }
}
