//! Where examples come from, each source with what is particular to it.
//!
//! An [`Input`] knows its classes and its content before anything is computed,
//! and writes its examples in one go. Sources do not know how examples are
//! divided, nor where datasets lie.

pub(super) mod arrays;
pub(super) mod digests;
pub(super) mod files;
pub(super) mod folder;
pub(super) mod image;
pub(super) mod panics;
pub(super) mod recording;
pub(super) mod table;

use std::path::Path;

use super::npy::Dtype;
use super::{DataError, Progress, Skipped, Sound};

/// A source that has been looked through.
pub(super) trait Input {
    /// Sorted by name, or numbers by value; a label is an index into it.
    fn classes(&self) -> Vec<String>;

    /// What there is, by name: the SHA-256 of its bytes, or none where they
    /// cannot be read.
    fn content(&self) -> Vec<(&str, Option<&str>)>;

    /// Type of the numbers in examples.
    fn dtype(&self) -> Dtype;

    /// What a track is, in the plural, for messages.
    fn tracks(&self) -> &'static str;

    /// Writes all examples as `x.npy`; no file where there are none.
    ///
    /// # Errors
    ///
    /// When the examples do not fit together, or a file changed meanwhile.
    fn write(&self, path: &Path, progress: &dyn Progress) -> Result<Outcome, DataError>;
}

/// What became of a source: rows, and the tracks they belong to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Shape of each row, channels last.
    pub(super) shape: Vec<usize>,
    /// What gave rows, in the order of the rows.
    pub(super) tracks: Vec<Track>,
    /// Index into `tracks`, for each row.
    pub(super) groups: Vec<usize>,
    /// What gave none.
    pub(super) skipped: Vec<Skipped>,
}

/// What may give several rows, which then belong together: a recording, an
/// image, a row of a table or an array, a group of rows of an array.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) name: String,
    /// Index of its class.
    pub(super) class: usize,
    /// What it was like, where it is a recording.
    pub(super) sound: Option<Sound>,
}
