//! From recordings, tables, images and NumPy's arrays to arrays on disk: decoding, features, splits, and
//! a cache of the result.
//!
//! [`prepare`] is the way in. It looks through a [`Source`] (`source`), hashes
//! what there is, and looks the digest of settings and content up in the cache;
//! what is not there is computed (`features`), divided (`split`) and written as
//! arrays (`npy`) into a folder that appears at once or not at all (`staging`) and
//! stays as long as it is used (`kept`). [`cache`] lists and removes.
//!
//! The same files and settings give the same digest wherever they lie. This
//! module knows neither networks nor trials.

mod ahead;
pub mod cache;
mod error;
mod features;
#[cfg(test)]
mod fuzz;
mod kept;
mod npy;
pub(crate) mod overview;
mod parts;
mod prepare;
mod progress;
mod random;
mod settings;
mod source;
mod split;
mod staging;
pub(crate) mod stored;
mod synth;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use ahead::{known_ahead, survey};
pub use error::{Content, DataError};
pub(crate) use features::drawn;
pub use kept::InUse;
pub use overview::{ClassOverview, Lengths, Overview, SoundFormat, overview};
pub(crate) use parts::SPLITS;
pub use prepare::{cache_dir, prepare};
pub(crate) use prepare::{column_names, recordings_folder};
pub use progress::{Progress, Quiet};
pub use settings::{
    ArrayFiles, ArraySettings, Channels, Crop, DataSettings, Features, Group, ImageSettings,
    MelBands, MelSettings, MfccSettings, Origin, Pad, RawSettings, RecordingSettings, Reference,
    Slices, Source, SplitSettings, SynthSettings, TableSettings, Validation, Window,
};
pub use source::arrays::ArrayProblem;
pub use source::table::TableProblem;
pub(crate) use split::fold_name;
pub use synth::{SynthFormat, Synthesized, synthesize};

/// What is known of a prepared dataset; `manifest.json` beside its arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Lower-case hexadecimal SHA-256 over settings and content.
    pub digest: String,
    /// The key of the `data:` section that names the source; empty in older ones.
    #[serde(default)]
    pub source: String,
    /// Sorted by name, or numbers by value; a label is an index into it.
    pub classes: Vec<String>,
    /// Shape of one example, channels last.
    pub input_shape: Vec<u32>,
    /// Number of examples.
    pub examples: u64,
    /// Number of tracks they come from: recordings, images, rows of a table.
    pub tracks: u64,
    /// How the examples are divided: `train` and `validation`, or `fold-1`,
    /// `fold-2`, ..., and then `test`, kept for the end.
    pub parts: Vec<Part>,
    /// Recordings or images that could not be used, with the reason.
    pub skipped: Vec<Skipped>,
}

/// Examples that have the same use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its array of rows is `<name>.npy`.
    pub name: String,
    /// How many of each class, in the order of the classes.
    pub classes: Vec<u64>,
    /// Its rows of `x.npy`, ascending. Every row is in one part.
    pub rows: Vec<u64>,
}

impl Manifest {
    /// A part; of those there are.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// What is lacking in parts that have examples, a line for each part: a part
    /// that is cut off at the tail does not look at classes.
    #[must_use]
    pub fn gaps(&self) -> Vec<String> {
        let used = self.parts.iter().filter(|part| !part.rows.is_empty());
        let gaps = used.filter_map(|part| {
            let classes = self.classes.iter().zip(&part.classes);
            let lacking: Vec<String> = classes
                .filter(|&(_, &count)| count == 0)
                .map(|(class, _)| format!("`{class}`"))
                .collect();
            let classes = match lacking.as_slice() {
                [] => return None,
                [class] => format!("class {class}"),
                _ => format!("classes {}", lacking.join(", ")),
            };
            Some(format!(
                "`{}` has no example of {classes}: `validation_split` does not look at classes, \
                 while `validation` takes a share of each",
                part.name
            ))
        });
        gaps.collect()
    }

    /// Rows that are trained on, in some execution; ascending.
    #[must_use]
    pub fn trained_on(&self) -> Vec<u64> {
        let kept = |part: &&Part| part.name != "validation" && part.name != "test";
        let parts = self.parts.iter().filter(kept);
        let mut rows: Vec<u64> = parts.flat_map(|part| part.rows.iter().copied()).collect();
        rows.sort_unstable();
        rows
    }

    /// How many examples are trained and validated on.
    #[must_use]
    pub fn learning(&self) -> u64 {
        let test = self.part("test").map_or(0, |part| part.rows.len() as u64);
        self.examples - test
    }
}

/// A recording or an image that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its path.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// What gave examples: a recording, an image, a row of a table; an entry of
/// `tracks.json` beside the arrays, in the order of `groups.npy`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// Its path in the folder of classes, or `row 7`.
    pub name: String,
    /// Its class.
    pub class: String,
    /// How many examples it gave.
    pub examples: u64,
    /// What it was like, where it is a recording.
    #[serde(flatten)]
    pub sound: Option<Sound>,
}

/// A recording as it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sound {
    /// How long it was.
    pub seconds: f64,
    /// How much of it `data.clip` left.
    pub clipped_seconds: f64,
    /// In Hz, before resampling.
    pub sample_rate: u32,
    /// How many channels were mixed.
    pub channels: u32,
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
    /// Keeps it from being removed.
    pub in_use: InUse,
}
