//! From recordings, tables and images to arrays: decoding, features, splits, and
//! a cache of the result.
//!
//! [`prepare`] is the way in. It looks through a [`Source`] (`source`), hashes
//! what there is, and looks the digest of settings and content up in the cache;
//! what is not there is computed (`features`), divided (`split`) and written as
//! arrays (`npy`) into a folder that appears at once or not at all (`staging`).
//!
//! The same files and settings give the same digest wherever they lie. This
//! module knows neither networks nor trials.

mod ahead;
mod error;
mod features;
#[cfg(test)]
mod fuzz;
mod npy;
mod prepare;
mod progress;
mod random;
mod settings;
mod source;
mod split;
mod staging;
mod synth;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use ahead::{known_ahead, survey};
pub use error::{Content, DataError};
pub use prepare::{cache_dir, prepare};
pub use progress::{Progress, Quiet};
pub use settings::{
    Channels, DataSettings, Features, Group, ImageSettings, MelBands, MelSettings, MfccSettings,
    Origin, RawSettings, RecordingSettings, Slices, Source, SplitSettings, SynthSettings,
    TableSettings,
};
pub use source::table::TableProblem;
pub use synth::{Synthesized, synthesize};

/// What is known of a prepared dataset; `manifest.json` beside its arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Lower-case hexadecimal SHA-256 over settings and content.
    pub digest: String,
    /// Sorted; a label is an index into it.
    pub classes: Vec<String>,
    /// Shape of one example, channels last.
    pub input_shape: Vec<u32>,
    /// Number of examples.
    pub examples: u64,
    /// Number of tracks they come from: recordings, images, rows of a table.
    pub tracks: u64,
    /// Number of examples to train on.
    pub train: u64,
    /// Number of examples to validate on.
    pub validation: u64,
    /// Number of examples kept for the end.
    pub test: u64,
    /// Recordings or images that could not be used, with the reason.
    pub skipped: Vec<Skipped>,
}

/// A recording or an image that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its path.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// A dataset in the cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// Folder with `manifest.json` and the arrays.
    pub path: PathBuf,
    /// What is in it.
    pub manifest: Manifest,
    /// Whether it was there already.
    pub cached: bool,
}
