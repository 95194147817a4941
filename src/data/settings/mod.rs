//! The `data:` section: what can be asked for.
//!
//! What the arrays depend on is serialized into a dataset's digest; where the
//! files lie is not. The limits of what can be computed are in `check`.

mod check;

use std::path::PathBuf;

use serde::Serialize;

use super::{Manifest, source::recording, synth};
pub(super) use check::SAMPLE_RATES;

/// The `data:` section of an experiment file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataSettings {
    /// Where examples come from, and how they are made.
    pub source: Source,
    /// Only these classes, in sorted order; all if absent.
    pub classes: Option<Vec<String>>,
    /// How examples are divided.
    pub split: SplitSettings,
}

/// Where examples come from, and how they are made.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Features of recordings.
    Recordings(RecordingSettings),
    /// A table of features that are computed already.
    Table(TableSettings),
    /// Images of one size.
    Images(ImageSettings),
    /// NumPy's arrays.
    Arrays(ArraySettings),
}

/// Recordings, and what is computed from them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordingSettings {
    /// Whose recordings.
    #[serde(skip)]
    pub origin: Origin,
    /// Recordings are cut to so many seconds first; shorter ones stay as they
    /// are.
    pub clip: Option<f64>,
    /// What of a recording becomes an example.
    pub slices: Slices,
    /// What is computed from it.
    pub features: Features,
}

/// Where recordings come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// A folder with a folder of recordings for each class.
    Folder(PathBuf),
    /// Made up by [`synthesize`](super::synthesize), written once into the cache.
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

/// What of a recording becomes an example. Slices follow one another without a
/// gap; what is left at the end is not used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Slices {
    /// The whole recording.
    Whole,
    /// As many slices of this length, in seconds, as fit.
    Seconds(f64),
    /// So many slices of equal length.
    Count(u32),
}

/// What is computed from a recording or a slice, with librosa's names.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Features {
    /// Mel spectrogram: `[n_mels, frames, 1]`.
    Mel(MelSettings),
    /// Mel-frequency cepstral coefficients: `[frames, n_mfcc, 1]`.
    Mfcc(MfccSettings),
    /// The waveform: `[samples, 1]`.
    Raw(RawSettings),
}

/// Power in mel bands over time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MelBands {
    /// Recordings are resampled to this rate, in Hz.
    pub sample_rate: u32,
    /// Length of the Fourier transform, in samples.
    pub n_fft: u32,
    /// Distance between frames, in samples.
    pub hop_length: u32,
    /// Length of the window, in samples, in the middle of the transform's;
    /// `n_fft` if absent.
    pub win_length: Option<u32>,
    /// What a frame is multiplied by.
    pub window: Window,
    /// Number of mel bands.
    pub n_mels: u32,
    /// Where the lowest band begins, in Hz.
    pub fmin: f64,
    /// Where the highest band ends, in Hz; half the sample rate if absent.
    pub fmax: Option<f64>,
    /// The mel scale of HTK; else Slaney's.
    pub htk: bool,
    /// Exponent of the magnitudes: 1 for amplitude, 2 for power.
    pub power: f64,
}

/// What a frame is multiplied by before it is transformed, with SciPy's names:
/// windows of periodic signals, not scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(serde::Deserialize))]
#[expect(missing_docs, reason = "the names of windows are all there is to say")]
pub enum Window {
    Hann,
    Hamming,
    Blackman,
    BlackmanHarris,
    Nuttall,
    FlatTop,
    Bartlett,
    Triang,
    Cosine,
    Bohman,
    Parzen,
    /// None: all samples count alike.
    Rectangular,
}

/// What of an example is kept that has more frames than are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Crop {
    /// The beginning.
    Start,
    /// The middle.
    Center,
    /// The end.
    End,
}

/// What the end of an example is filled with that has fewer frames than are
/// wanted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pad {
    /// What silence looks like beside the example: its lowest decibels, or no
    /// power.
    Floor,
    /// This number.
    Value(f32),
}

/// What 0 dB is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// The greatest power in an example.
    Max,
    /// This power.
    Power(f64),
}

/// Mel spectrogram.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MelSettings {
    /// What is transformed, and into which bands.
    #[serde(flatten)]
    pub bands: MelBands,
    /// Brings the time axis to this many frames, by cutting or padding; else
    /// all examples must have the same length.
    pub frames: Option<u32>,
    /// What is kept of more frames.
    pub crop: Crop,
    /// What is added to fewer.
    pub pad: Pad,
    /// Decibels; else power.
    pub db: bool,
    /// What 0 dB is.
    pub reference: Reference,
    /// Decibels between the loudest band of an example and its floor; without
    /// one, powers below 1e-10 count as that.
    pub top_db: Option<f64>,
}

/// Mel-frequency cepstral coefficients.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MfccSettings {
    /// What is transformed, and into which bands.
    #[serde(flatten)]
    pub bands: MelBands,
    /// Number of coefficients, at most `n_mels`.
    pub n_mfcc: u32,
    /// Strength of liftering, which raises the middle coefficients; none at 0.
    pub lifter: f64,
    /// Brings the time axis to this many frames, by cutting or padding; else
    /// all examples must have the same length.
    pub frames: Option<u32>,
    /// What is kept of more frames.
    pub crop: Crop,
    /// What is added to fewer.
    pub pad: Pad,
    /// As for mel spectrograms.
    pub top_db: Option<f64>,
}

/// The waveform.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RawSettings {
    /// Recordings are resampled to this rate, in Hz.
    pub sample_rate: u32,
    /// Brings every example to this many samples, by cutting or padding with
    /// silence; else all examples must have the same length.
    pub samples: Option<u32>,
}

/// A table with a row an example: `[features]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableSettings {
    /// CSV with a header.
    #[serde(skip)]
    pub file: PathBuf,
    /// Name of the column of labels.
    pub label: String,
    /// Names of columns that are no features.
    pub drop: Vec<String>,
    /// How many columns of features there are, where the file says so.
    #[serde(skip)]
    pub columns: Option<u32>,
}

/// Images, all brought to one size: `[height, width, channels]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageSettings {
    /// A folder with a folder of images for each class.
    #[serde(skip)]
    pub folder: PathBuf,
    /// In pixels.
    pub height: u32,
    /// In pixels.
    pub width: u32,
    /// What a pixel consists of.
    pub channels: Channels,
}

/// Arrays with an example a row: of the shape of a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArraySettings {
    /// Where they are.
    #[serde(flatten)]
    pub files: ArrayFiles,
    /// Names of the classes 0, 1, ... in `y`; else these are the numbers.
    pub names: Option<Vec<String>>,
}

/// Where arrays are.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrayFiles {
    /// A `.npy` file for each.
    Apart {
        /// `[N, ...]`: examples, channels last.
        #[serde(skip)]
        x: PathBuf,
        /// `[N]`: classes.
        #[serde(skip)]
        y: PathBuf,
        /// `[N]`: rows of one group belong together.
        #[serde(skip)]
        groups: Option<PathBuf>,
    },
    /// An `.npz` archive of all of them.
    Archive {
        /// The archive.
        #[serde(skip)]
        file: PathBuf,
        /// Name of `x` in it.
        x: String,
        /// Name of `y` in it.
        y: String,
        /// Name of `groups` in it; else `groups`, if it is there.
        groups: Option<String>,
    },
}

/// What a pixel consists of, each number in 0..=255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// Its brightness.
    Gray,
    /// Red, green and blue.
    Rgb,
}

/// How examples are divided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SplitSettings {
    /// Share of all tracks, in [0, 1).
    pub test: f64,
    /// What is measured while training, of what is not in the test set.
    pub validation: Validation,
    /// Seeds the shuffling.
    pub seed: u64,
    /// What is never divided.
    pub group: Group,
}

/// What is measured while training, of what is not in the test set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Validation {
    /// A share of each class, in (0, 1).
    Share(f64),
    /// The tail of a shuffled order, in (0, 1) of all: Keras's
    /// `validation_split`, which does not look at classes.
    Tail(f64),
    /// So many equal parts of each class, at least 2; each execution of a trial
    /// validates on another one and trains on the rest.
    Folds(u32),
}

/// What stays together in a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// All examples of a track: of one recording, image or row of a table.
    Track,
    /// Nothing: slices of one recording may come to lie in several sets.
    None,
}

/// The classes that are asked for, sorted, each once.
pub(super) fn selected(classes: Option<&[String]>) -> Option<Vec<String>> {
    classes.map(|classes| {
        let mut classes = classes.to_vec();
        classes.sort_unstable();
        classes.dedup();
        classes
    })
}

impl DataSettings {
    /// Whether rows of one recording, or of one group that is named, may come to
    /// lie on both sides of the split, so that what is measured there tells too
    /// much.
    #[must_use]
    pub fn leaks(&self) -> bool {
        let several = match &self.source {
            Source::Recordings(settings) => settings.slices.several(),
            Source::Table(_) | Source::Images(_) => false,
            Source::Arrays(settings) => settings.files.name_groups(),
        };
        several && self.split.group == Group::None
    }

    /// The same, of data that are known: an archive of arrays may have groups
    /// that nobody has named.
    #[must_use]
    pub fn leaks_in(&self, manifest: &Manifest) -> bool {
        manifest.tracks < manifest.examples && self.split.group == Group::None
    }
}

impl Source {
    /// The key of the `data:` section that names it.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Recordings(RecordingSettings { origin: Origin::Folder(_), .. }) => "audio",
            Self::Recordings(RecordingSettings { origin: Origin::Synthetic(_), .. }) => "synthetic",
            Self::Table(_) => "csv",
            Self::Images(_) => "images",
            Self::Arrays(_) => "npy",
        }
    }
}

impl SplitSettings {
    /// Number of folds; none without cross-validation.
    #[must_use]
    pub fn folds(&self) -> Option<u32> {
        match self.validation {
            Validation::Share(_) | Validation::Tail(_) => None,
            Validation::Folds(folds) => Some(folds),
        }
    }
}

impl ArrayFiles {
    /// Whether groups of rows are named. An archive may have some all the same.
    fn name_groups(&self) -> bool {
        match self {
            Self::Apart { groups, .. } => groups.is_some(),
            Self::Archive { groups, .. } => groups.is_some(),
        }
    }
}

impl Slices {
    /// Whether a recording may give more than one example.
    fn several(self) -> bool {
        match self {
            Self::Whole => false,
            Self::Seconds(_) => true,
            Self::Count(count) => count > 1,
        }
    }
}

impl MelBands {
    /// What `librosa.feature.melspectrogram` does without arguments.
    pub const LIBROSA: Self = Self {
        sample_rate: 22_050,
        n_fft: 2_048,
        hop_length: 512,
        win_length: None,
        window: Window::Hann,
        n_mels: 128,
        fmin: 0.0,
        fmax: None,
        htk: false,
        power: 2.0,
    };

    /// Where the highest band ends, in Hz.
    pub(super) fn highest(&self) -> f64 {
        self.fmax.unwrap_or_else(|| f64::from(self.sample_rate) / 2.0)
    }
}

impl MelSettings {
    /// librosa's defaults, in decibels relative to the maximum.
    pub const LIBROSA: Self = Self {
        bands: MelBands::LIBROSA,
        frames: None,
        crop: Crop::Start,
        pad: Pad::Floor,
        db: true,
        reference: Reference::Max,
        top_db: Some(80.0),
    };
}

impl MfccSettings {
    /// What `librosa.feature.mfcc` does without arguments.
    pub const LIBROSA: Self = Self {
        bands: MelBands::LIBROSA,
        n_mfcc: 20,
        lifter: 0.0,
        frames: None,
        crop: Crop::Start,
        pad: Pad::Floor,
        top_db: Some(80.0),
    };
}

impl RecordingSettings {
    /// Length of a made-up recording, in samples after resampling.
    pub(super) fn synthetic_samples(&self, made_up: &SynthSettings) -> usize {
        let rate = self.features.sample_rate();
        recording::resampled_len(made_up.samples(), synth::SAMPLE_RATE, rate)
    }
}

impl ImageSettings {
    /// Shape of an example.
    pub(super) fn shape(&self) -> Vec<usize> {
        let channels = match self.channels {
            Channels::Gray => 1,
            Channels::Rgb => 3,
        };
        vec![self.height as usize, self.width as usize, channels]
    }
}

impl SynthSettings {
    /// Length of a recording, in samples.
    pub(super) fn samples(&self) -> usize {
        (self.seconds * f64::from(synth::SAMPLE_RATE)).round() as usize
    }
}

impl Features {
    /// Rate that recordings are resampled to, in Hz.
    #[must_use]
    pub fn sample_rate(&self) -> u32 {
        match self {
            Self::Mel(MelSettings { bands, .. }) | Self::Mfcc(MfccSettings { bands, .. }) => {
                bands.sample_rate
            }
            Self::Raw(settings) => settings.sample_rate,
        }
    }

    /// Its key in the `data:` section.
    fn key(&self) -> &'static str {
        match self {
            Self::Mel(_) => "mel",
            Self::Mfcc(_) => "mfcc",
            Self::Raw(_) => "raw",
        }
    }

    /// The setting that brings all examples to one length.
    pub(super) fn length_field(&self) -> String {
        let name = match self {
            Self::Mel(_) | Self::Mfcc(_) => "frames",
            Self::Raw(_) => "samples",
        };
        format!("features.{}.{name}", self.key())
    }
}
