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
mod parts;
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
pub(crate) use parts::SPLITS;
pub use prepare::{cache_dir, prepare};
pub use progress::{Progress, Quiet};
pub use settings::{
    Channels, DataSettings, Features, Group, ImageSettings, MelBands, MelSettings, MfccSettings,
    Origin, RawSettings, RecordingSettings, Slices, Source, SplitSettings, SynthSettings,
    TableSettings, Validation,
};
pub use source::table::TableProblem;
pub(crate) use split::fold_name;
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
