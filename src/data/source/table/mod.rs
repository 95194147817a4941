//! A table of features: CSV with a header, a row an example.
//!
//! One column holds the labels, some are dropped, and all others are features.
//! Polars takes the file apart; every value is then looked at here, so that one
//! that is missing or no number is named by its column and row. Nothing is
//! guessed and nothing is scaled: a layer `normalization` does that from the
//! training rows alone.

mod problem;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use polars::prelude::{Column, CsvReadOptions, PolarsError, SerReader, StringChunked};
use sha2::{Digest, Sha256};

pub use self::problem::TableProblem;
use super::files::MAX_FILE_BYTES;
use super::folder::nearest;
use super::{Input, Outcome, Track};
use crate::data::error::io_error;
use crate::data::npy::{Dtype, Element, Rows};
use crate::data::prepare::hex;
use crate::data::settings::selected;
use crate::data::{DataError, Progress, TableSettings};

/// A table that has been read, reduced to the classes that are asked for.
pub(in crate::data) struct Table {
    path: PathBuf,
    digest: String,
    classes: Vec<String>,
    /// Names of the columns that are features.
    features: Vec<String>,
    /// `[rows, features]`, C order.
    values: Vec<f32>,
    rows: Vec<Row>,
}

struct Row {
    /// Index of its class.
    class: usize,
    /// From 1, below the header.
    number: usize,
}

impl Table {
    /// Reads and checks a table.
    ///
    /// - `classes`: only rows of these; else of all that there are
    ///
    /// # Errors
    ///
    /// [`DataError::Table`] names what is wrong; [`DataError::OneClass`] where
    /// there is nothing to tell apart.
    pub(in crate::data) fn read(
        settings: &TableSettings,
        classes: Option<&[String]>,
    ) -> Result<Self, DataError> {
        let path = &settings.file;
        let bytes = read_file(path)?;
        let digest = hex(Sha256::new_with_prefix(&bytes));
        let table = Self::parse(settings, classes, bytes, digest)
            .map_err(|problem| DataError::Table { path: path.clone(), problem })?;
        match table.classes.as_slice() {
            [only] => {
                Err(DataError::OneClass { path: path.clone(), what: "rows", class: only.clone() })
            }
            _ => Ok(table),
        }
    }

    fn parse(
        settings: &TableSettings,
        classes: Option<&[String]>,
        bytes: Vec<u8>,
        digest: String,
    ) -> Result<Self, TableProblem> {
        let columns = Columns::parse(bytes)?;
        let labels = columns.named(&settings.label)?;
        let mut dropped = BTreeSet::from([settings.label.as_str()]);
        for name in &settings.drop {
            columns.named(name)?;
            dropped.insert(name);
        }
        let features: Vec<&Text> =
            columns.0.iter().filter(|column| !dropped.contains(column.name.as_str())).collect();
        if features.is_empty() {
            return Err(TableProblem::NoFeatures);
        }
        if let Some(index) = columns.0.iter().position(|column| column.name.is_empty())
            && !dropped.contains("")
        {
            return Err(TableProblem::NoName(index + 1));
        }
        let (classes, rows) = rows(labels, classes)?;
        let mut values = Vec::with_capacity(rows.len() * features.len());
        for row in &rows {
            for column in &features {
                values.push(column.number(row.number)?);
            }
        }
        match settings.columns {
            Some(expected) if expected as usize != features.len() => {
                return Err(TableProblem::Columns { expected, found: features.len() });
            }
            Some(_) | None => {}
        }
        let features = features.iter().map(|column| column.name.clone()).collect();
        let path = settings.file.clone();
        Ok(Self { path, digest, classes, features, values, rows })
    }

    /// Number of features of an example.
    pub(in crate::data) fn features(&self) -> usize {
        self.features.len()
    }

    /// Names of the columns that are features, in order.
    pub(in crate::data) fn feature_names(&self) -> &[String] {
        &self.features
    }
}

impl Input for Table {
    fn classes(&self) -> Vec<String> {
        self.classes.clone()
    }

    fn content(&self) -> Vec<(&str, Option<&str>)> {
        // Not the file's name, which changes nothing.
        vec![("table", Some(&self.digest))]
    }

    fn dtype(&self) -> Dtype {
        f32::DTYPE
    }

    fn tracks(&self) -> &'static str {
        "rows"
    }

    fn write(&self, path: &Path, _progress: &dyn Progress) -> Result<Outcome, DataError> {
        let mut file = Rows::create(path, &[self.features()])?;
        file.push(&self.values)?;
        file.finish()?;
        let track = |row: &Row| Track {
            name: format!("row {}", row.number),
            class: row.class,
            sound: None,
        };
        Ok(Outcome {
            shape: vec![self.features()],
            tracks: self.rows.iter().map(track).collect(),
            groups: (0..self.rows.len()).collect(),
            skipped: Vec::new(),
        })
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Table({}, {} rows)", self.path.display(), self.rows.len())
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, DataError> {
    let problem = |problem| DataError::Table { path: path.to_owned(), problem };
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(problem(TableProblem::NotATable("it is a folder")));
        }
        Ok(_) => {}
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            return Err(problem(TableProblem::Missing));
        }
        Err(cause) => return Err(io_error("read", path)(cause)),
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(io_error("read", path))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(problem(TableProblem::NotATable("it is larger than a GiB")));
    }
    Ok(bytes)
}

/// The columns of a table, as text.
struct Columns(Vec<Text>);

/// A column: its name and what stands below it, from the file's first line on.
struct Text {
    name: String,
    lines: StringChunked,
}

impl Columns {
    fn parse(bytes: Vec<u8>) -> Result<Self, TableProblem> {
        // The header is read as a row of its own: Polars would rename columns
        // of the same name.
        let table = CsvReadOptions::default()
            .with_has_header(false)
            .with_infer_schema_length(Some(0))
            .into_reader_with_file_handle(Cursor::new(bytes))
            .finish()
            .map_err(|error| match error {
                PolarsError::NoData(_) => TableProblem::NoRows,
                // A foreign enum that grows.
                other => TableProblem::NotCsv(first_line(&other.to_string())),
            })?;
        if table.height() < 2 {
            return Err(TableProblem::NoRows);
        }
        let text = |column: &Column| {
            let lines = column.str().map_err(|error| TableProblem::NotCsv(error.to_string()))?;
            let name = lines.get(0).unwrap_or_default().trim().to_owned();
            Ok(Text { name, lines: lines.clone() })
        };
        let columns: Vec<Text> =
            table.columns().iter().map(text).collect::<Result<_, TableProblem>>()?;
        let mut names = BTreeSet::new();
        match columns.iter().find(|column| !names.insert(&column.name)) {
            Some(twice) => Err(TableProblem::SameName(twice.name.clone())),
            None => Ok(Self(columns)),
        }
    }

    fn named(&self, name: &str) -> Result<&Text, TableProblem> {
        self.0.iter().find(|column| column.name == name).ok_or_else(|| {
            let columns: Vec<String> = self.0.iter().map(|column| column.name.clone()).collect();
            let nearest = nearest(name, &columns);
            TableProblem::NoColumn { column: name.to_owned(), nearest, columns }
        })
    }
}

impl Text {
    /// Number of rows below the header.
    fn rows(&self) -> usize {
        self.lines.len() - 1
    }

    /// What stands in a row, from 1.
    fn value(&self, row: usize) -> Result<&str, TableProblem> {
        match self.lines.get(row).map(str::trim) {
            Some(value) if !value.is_empty() => Ok(value),
            Some(_) | None => Err(TableProblem::NoValue { column: self.name.clone(), row }),
        }
    }

    fn number(&self, row: usize) -> Result<f32, TableProblem> {
        let value = self.value(row)?;
        let number = value.parse::<f64>().map(|number| number as f32);
        match number {
            Ok(number) if number.is_finite() => Ok(number),
            Ok(_) | Err(_) => Err(TableProblem::NotANumber {
                column: self.name.clone(),
                row,
                value: value.chars().take(40).collect(),
            }),
        }
    }
}

/// The classes and the rows that have them.
fn rows(
    labels: &Text,
    classes: Option<&[String]>,
) -> Result<(Vec<String>, Vec<Row>), TableProblem> {
    let all: Vec<&str> =
        (1..=labels.rows()).map(|row| labels.value(row)).collect::<Result<_, _>>()?;
    let known: BTreeSet<&str> = all.iter().copied().collect();
    let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
    let classes = match selected(classes) {
        Some(classes) => classes,
        None => known.clone(),
    };
    if let Some(class) = classes.iter().find(|class| known.binary_search(class).is_err()) {
        return Err(TableProblem::UnknownClass {
            class: class.clone(),
            column: labels.name.clone(),
            nearest: nearest(class, &known),
        });
    }
    let row = |(index, label): (usize, &&str)| {
        let class = classes.binary_search_by(|class| class.as_str().cmp(label)).ok()?;
        Some(Row { class, number: index + 1 })
    };
    let rows = all.iter().enumerate().filter_map(row).collect();
    Ok((classes, rows))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
