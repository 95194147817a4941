//! The `data:` section: its types, and the limits of what can be computed.
//!
//! What the arrays depend on is serialized into a dataset's digest; where the
//! files lie is not.

use std::path::PathBuf;

use serde::Serialize;

use super::{DataError, features, source::recording, synth};

/// Rates of recordings and of features, in Hz: telephones to ultrasound. The
/// upper end also bounds what a resampler allocates for a header that lies.
pub(super) const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;
/// Far above what is useful; keeps a typing error from filling the memory.
const MAX_N_FFT: u32 = 1 << 18;
const MAX_N_MELS: u32 = 4_096;
const MAX_FRAMES: u32 = 1_000_000;
const MAX_SAMPLES: u32 = 1 << 28;
/// Three hours at 22 050 Hz are the longest recording that is read.
const MAX_SECONDS: f64 = 12_000.0;
const MAX_SLICES: u32 = 10_000;
const MAX_COLUMNS: u32 = 1 << 20;
const MAX_SYNTH_CLASSES: u32 = 1_000;
/// Five digits number the recordings of a class, as in GTZAN.
const MAX_SYNTH_CLIPS: u32 = 100_000;
const MAX_SYNTH_SECONDS: f64 = 3_600.0;
const MIN_SYNTH_SECONDS: f64 = 0.1;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MelBands {
    /// Recordings are resampled to this rate, in Hz.
    pub sample_rate: u32,
    /// Length of the Fourier transform, in samples.
    pub n_fft: u32,
    /// Distance between frames, in samples.
    pub hop_length: u32,
    /// Number of mel bands.
    pub n_mels: u32,
}

/// Mel spectrogram.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MelSettings {
    /// What is transformed, and into which bands.
    #[serde(flatten)]
    pub bands: MelBands,
    /// Brings the time axis to this many frames, by cutting or padding with
    /// the floor; else all examples must have the same length.
    pub frames: Option<u32>,
    /// Decibels relative to the example's maximum, floor at -80; else power.
    pub db: bool,
}

/// Mel-frequency cepstral coefficients.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MfccSettings {
    /// What is transformed, and into which bands.
    #[serde(flatten)]
    pub bands: MelBands,
    /// Number of coefficients, at most `n_mels`.
    pub n_mfcc: u32,
    /// Brings the time axis to this many frames, by cutting or padding with
    /// the floor; else all examples must have the same length.
    pub frames: Option<u32>,
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

/// How examples are divided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SplitSettings {
    /// Share of all tracks, in [0, 1).
    pub test: f64,
    /// Share of the tracks that are not in the test set, in (0, 1).
    pub validation: f64,
    /// Seeds the shuffling.
    pub seed: u64,
    /// What is never divided.
    pub group: Group,
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
    /// Refuses what cannot be computed, without touching any data.
    ///
    /// # Errors
    ///
    /// [`DataError::Settings`] names the field.
    pub fn check(&self) -> Result<(), DataError> {
        match &self.source {
            Source::Recordings(settings) => settings.check()?,
            Source::Table(settings) => settings.check()?,
        }
        if self.classes.as_ref().is_some_and(Vec::is_empty) {
            return Err(refused("classes", "names no class"));
        }
        self.split.check()
    }

    /// Whether rows of one recording may come to lie on both sides of the
    /// split, so that what is measured there tells too much.
    #[must_use]
    pub fn leaks(&self) -> bool {
        let several = match &self.source {
            Source::Recordings(settings) => settings.slices.several(),
            Source::Table(_) => false,
        };
        several && self.split.group == Group::None
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

impl RecordingSettings {
    /// Refuses what cannot be computed, also lengths that give no example.
    pub(super) fn check(&self) -> Result<(), DataError> {
        self.features.check()?;
        match self.slices {
            Slices::Whole => {}
            Slices::Seconds(seconds) => {
                // Whether a slice fits into `clip` is seen there.
                let unclipped = Self { clip: None, ..self.clone() };
                unclipped.check_seconds("slice.seconds", seconds)?;
            }
            Slices::Count(count) => within("slices", count, 1, MAX_SLICES)?,
        }
        if let Some(seconds) = self.clip {
            self.check_seconds("clip", seconds)?;
        }
        let Origin::Synthetic(made_up) = &self.origin else { return Ok(()) };
        made_up.check()?;
        let samples = self.synthetic_samples(made_up);
        self.check_samples("synthetic.seconds", made_up.seconds, samples)
    }

    fn check_seconds(&self, field: &'static str, seconds: f64) -> Result<(), DataError> {
        if !(seconds > 0.0 && seconds <= MAX_SECONDS) {
            return Err(refused(field, format!("{seconds} is not in (0, {MAX_SECONDS}]")));
        }
        self.check_samples(field, seconds, features::samples_of(self, seconds))
    }

    /// Refuses a length from which no example could be made.
    fn check_samples(
        &self,
        field: &'static str,
        seconds: f64,
        samples: usize,
    ) -> Result<(), DataError> {
        features::example_samples(self, samples).map(drop).map_err(|error| DataError::Settings {
            field: field.to_owned(),
            problem: format!("{seconds} s are {error}"),
            hint: Some("make it longer, or what is computed from it shorter"),
        })
    }

    /// Length of a made-up recording, in samples after resampling.
    pub(super) fn synthetic_samples(&self, made_up: &SynthSettings) -> usize {
        let rate = self.features.sample_rate();
        recording::resampled_len(made_up.samples(), synth::SAMPLE_RATE, rate)
    }
}

impl TableSettings {
    fn check(&self) -> Result<(), DataError> {
        if self.drop.contains(&self.label) {
            let problem = format!("drops `{}`, the column of labels", self.label);
            return Err(refused("csv.drop", problem));
        }
        match self.columns {
            Some(columns) => within("csv.columns", columns, 1, MAX_COLUMNS),
            None => Ok(()),
        }
    }
}

impl SynthSettings {
    /// Refuses what cannot be made.
    pub(super) fn check(&self) -> Result<(), DataError> {
        within("synthetic.classes", self.classes, 1, MAX_SYNTH_CLASSES)?;
        within("synthetic.clips", self.clips, 1, MAX_SYNTH_CLIPS)?;
        within("synthetic.seconds", self.seconds, MIN_SYNTH_SECONDS, MAX_SYNTH_SECONDS)
    }

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

    fn check(&self) -> Result<(), DataError> {
        let field = |name: &str| format!("features.{}.{name}", self.key());
        let (low, high) = (*SAMPLE_RATES.start(), *SAMPLE_RATES.end());
        within(field("sample_rate"), self.sample_rate(), low, high)?;
        let (bands, length, longest) = match self {
            Self::Mel(settings) => (Some(settings.bands), settings.frames, MAX_FRAMES),
            Self::Mfcc(settings) => (Some(settings.bands), settings.frames, MAX_FRAMES),
            Self::Raw(settings) => (None, settings.samples, MAX_SAMPLES),
        };
        if let Some(bands) = bands {
            within(field("n_fft"), bands.n_fft, 2, MAX_N_FFT)?;
            within(field("hop_length"), bands.hop_length, 1, MAX_N_FFT)?;
            within(field("n_mels"), bands.n_mels, 1, MAX_N_MELS)?;
        }
        if let Self::Mfcc(settings) = self {
            within(field("n_mfcc"), settings.n_mfcc, 1, settings.bands.n_mels)?;
        }
        match length {
            Some(length) => within(self.length_field(), length, 1, longest),
            None => Ok(()),
        }
    }
}

impl SplitSettings {
    fn check(&self) -> Result<(), DataError> {
        if !(0.0..1.0).contains(&self.test) {
            return Err(refused("split.test", format!("{} is not in [0, 1)", self.test)));
        }
        if !(self.validation > 0.0 && self.validation < 1.0) {
            let problem = format!("{} is not in (0, 1)", self.validation);
            return Err(refused("split.validation", problem));
        }
        Ok(())
    }
}

fn within<T: PartialOrd + std::fmt::Display>(
    field: impl Into<String>,
    value: T,
    low: T,
    high: T,
) -> Result<(), DataError> {
    // Written so that NaN is refused.
    if value >= low && value <= high {
        return Ok(());
    }
    Err(refused(field, format!("{value} is not in [{low}, {high}]")))
}

fn refused(field: impl Into<String>, problem: impl Into<String>) -> DataError {
    DataError::Settings { field: field.into(), problem: problem.into(), hint: None }
}
