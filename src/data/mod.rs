//! From recordings to arrays: decoding, features, splits, and a cache of the result.
//!
//! [`prepare`] is the way in. It lists the recordings of a [`Source`], hashes
//! them, and looks the digest of settings and content up in the cache; what is
//! not there is decoded (`recording`), turned into mel spectrograms
//! (`mel`), divided (`split`) and written as arrays (`npy`) into a folder
//! that appears at once or not at all (`staging`).
//!
//! The same recordings and settings give the same digest wherever the folder
//! lies. This module knows neither networks nor trials.

mod error;
mod folder;
mod mel;
mod npy;
mod prepare;
mod progress;
mod random;
mod recording;
mod settings;
mod split;
mod staging;
mod survey;
mod synth;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use error::DataError;
pub use prepare::{cache_dir, prepare};
pub use progress::{Progress, Quiet};
pub use settings::known_ahead;
pub use survey::survey;
pub use synth::{Synthesized, synthesize};

/// The `data:` section of an experiment file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataSettings {
    /// Where the recordings come from.
    pub source: Source,
    /// Only these classes, in sorted order; all if absent.
    pub classes: Option<Vec<String>>,
    /// What is computed from a recording.
    pub features: MelSettings,
    /// How examples are divided.
    pub split: SplitSettings,
}

/// Where recordings come from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A folder with a folder of recordings for each class.
    Audio(PathBuf),
    /// Recordings made up by [`synthesize`], written once into the cache.
    Synthetic(SynthSettings),
}

/// A made-up set of recordings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SynthSettings {
    /// How many classes.
    pub classes: u32,
    /// How many recordings a class.
    pub clips: u32,
    /// Length of a recording.
    pub seconds: f64,
    /// The same seed gives the same files, byte for byte.
    pub seed: u64,
}

/// Mel spectrogram, with librosa's names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MelSettings {
    /// Recordings are resampled to this rate, in Hz.
    pub sample_rate: u32,
    /// Length of the Fourier transform, in samples.
    pub n_fft: u32,
    /// Distance between frames, in samples.
    pub hop_length: u32,
    /// Number of mel bands.
    pub n_mels: u32,
    /// Brings the time axis to this many frames, by cutting or padding with
    /// the clip's floor; else all clips must have the same length.
    pub frames: Option<u32>,
    /// Decibels relative to the clip's maximum, floor at -80; else power.
    pub db: bool,
}

/// How examples are divided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SplitSettings {
    /// Share of all tracks, in [0, 1).
    pub test: f64,
    /// Share of the tracks that are not in the test set, in (0, 1).
    pub validation: f64,
    /// Seeds the shuffling.
    pub seed: u64,
}

/// What is known of a prepared dataset; `manifest.json` beside its arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Lower-case hexadecimal SHA-256 over settings and content.
    pub digest: String,
    /// Sorted; a label is an index into it.
    pub classes: Vec<String>,
    /// Shape of one example, channels last: `[n_mels, frames, 1]`.
    pub input_shape: Vec<u32>,
    /// Number of examples.
    pub examples: u64,
    /// Number of examples to train on.
    pub train: u64,
    /// Number of examples to validate on.
    pub validation: u64,
    /// Number of examples kept for the end.
    pub test: u64,
    /// Recordings that could not be read, with the reason.
    pub skipped: Vec<Skipped>,
}

/// A recording that could not be read.
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
