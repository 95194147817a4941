//! The parts of a dataset, as they are told: in its manifest, and in `splits.csv`.
//!
//! `splits.csv` has a line for each row of `x.npy`, in their order: `row`, `track`
//! (the recording, the image, the row of the table), `class` and `part` (`train`,
//! `validation` or `test`; with folds, the fold in which the row validates).

use std::fs::File;
use std::path::Path;

use polars::prelude::{Column, DataFrame};

use super::error::io_error;
use super::source::Outcome;
use super::split::Split;
use super::{DataError, Part};
use crate::results::write_csv;

/// Name of the file for people.
pub(crate) const SPLITS: &str = "splits.csv";

/// The parts of a split.
///
/// - `labels`: the class of each row
/// - `classes`: how many there are
pub(super) fn of(split: &Split, labels: &[i64], classes: usize) -> Vec<Part> {
    let part = |(name, rows): (String, &[i64])| {
        let mut of_class = vec![0; classes];
        for &row in rows {
            of_class[labels[row as usize] as usize] += 1;
        }
        let rows = rows.iter().map(|&row| row as u64).collect();
        Part { name, classes: of_class, rows }
    };
    split.parts().into_iter().map(part).collect()
}

/// Writes `splits.csv`, and waits until it is on disk.
pub(super) fn write(
    path: &Path,
    parts: &[Part],
    outcome: &Outcome,
    classes: &[String],
) -> Result<(), DataError> {
    let height = outcome.groups.len();
    let mut part_of = vec![""; height];
    for part in parts {
        for &row in &part.rows {
            part_of[row as usize] = &part.name;
        }
    }
    let tracks = || outcome.groups.iter().map(|&track| &outcome.tracks[track]);
    let names: Vec<&str> = tracks().map(|track| track.name.as_str()).collect();
    let labels: Vec<&str> = tracks().map(|track| classes[track.class].as_str()).collect();
    let columns = vec![
        Column::new("row".into(), (0..height as u64).collect::<Vec<u64>>()),
        Column::new("track".into(), names),
        Column::new("class".into(), labels),
        Column::new("part".into(), part_of),
    ];
    let mut table = DataFrame::new(height, columns).expect("every row has all of them");
    File::create(path)
        .and_then(|mut file| write_csv(&mut table, &mut file).and_then(|()| file.sync_all()))
        .map_err(io_error("write", path))
}
