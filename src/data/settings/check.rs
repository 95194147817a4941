//! The limits of the `data:` section, and what of it cannot be computed.

use super::{
    ArraySettings, DataSettings, Features, ImageSettings, MelBands, Origin, Pad, RecordingSettings,
    Reference, Slices, Source, SplitSettings, SynthSettings, TableSettings, Validation,
};
use crate::data::{DataError, features};

/// Rates of recordings and of features, in Hz: telephones to ultrasound. The
/// upper end also bounds what a resampler allocates for a header that lies.
pub(in crate::data) const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;
/// Far above what is useful; keeps a typing error from filling the memory.
const MAX_N_FFT: u32 = 1 << 18;
const MAX_N_MELS: u32 = 4_096;
/// Exponents of magnitudes with results that single precision holds.
const MIN_POWER: f64 = 0.01;
const MAX_POWER: f64 = 4.0;
const MAX_LIFTER: f64 = 1e6;
const MAX_FRAMES: u32 = 1_000_000;
const MAX_SAMPLES: u32 = 1 << 28;
/// Three hours at 22 050 Hz are the longest recording that is read.
const MAX_SECONDS: f64 = 12_000.0;
const MAX_SLICES: u32 = 10_000;
const MAX_IMAGE_SIDE: u32 = 4_096;
/// Each is a file of the dataset, and a training of every trial.
pub(in crate::data) const MAX_FOLDS: u32 = 100;
const MAX_COLUMNS: u32 = 1 << 20;
const MAX_SYNTH_CLASSES: u32 = 1_000;
/// Five digits number the recordings of a class, as in GTZAN.
const MAX_SYNTH_CLIPS: u32 = 100_000;
const MAX_SYNTH_SECONDS: f64 = 3_600.0;
const MIN_SYNTH_SECONDS: f64 = 0.1;

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
            Source::Images(settings) => settings.check()?,
            Source::Arrays(settings) => settings.check()?,
        }
        if self.classes.as_ref().is_some_and(Vec::is_empty) {
            return Err(refused("classes", "names no class"));
        }
        self.split.check()
    }
}

impl RecordingSettings {
    /// Refuses what cannot be computed, also lengths that give no example.
    pub(in crate::data) fn check(&self) -> Result<(), DataError> {
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

impl ArraySettings {
    fn check(&self) -> Result<(), DataError> {
        match &self.names {
            Some(names) if names.len() < 2 => Err(refused("npy.names", "names fewer than two")),
            Some(_) | None => Ok(()),
        }
    }
}

impl ImageSettings {
    fn check(&self) -> Result<(), DataError> {
        within("images.size", self.height, 1, MAX_IMAGE_SIDE)?;
        within("images.size", self.width, 1, MAX_IMAGE_SIDE)
    }
}

impl SynthSettings {
    /// Refuses what cannot be made.
    pub(in crate::data) fn check(&self) -> Result<(), DataError> {
        within("synthetic.classes", self.classes, 1, MAX_SYNTH_CLASSES)?;
        within("synthetic.clips", self.clips, 1, MAX_SYNTH_CLIPS)?;
        within("synthetic.seconds", self.seconds, MIN_SYNTH_SECONDS, MAX_SYNTH_SECONDS)
    }
}

impl Features {
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
            bands.check(field)?;
        }
        let top_db = match self {
            Self::Mel(settings) => {
                if let Reference::Power(power) = settings.reference {
                    within(field("reference"), power, f64::MIN_POSITIVE, f64::MAX)?;
                }
                check_pad(field, settings.pad)?;
                settings.top_db
            }
            Self::Mfcc(settings) => {
                within(field("n_mfcc"), settings.n_mfcc, 1, settings.bands.n_mels)?;
                within(field("lifter"), settings.lifter, 0.0, MAX_LIFTER)?;
                check_pad(field, settings.pad)?;
                settings.top_db
            }
            Self::Raw(_) => None,
        };
        if let Some(top_db) = top_db {
            within(field("top_db"), top_db, 0.0, f64::MAX)?;
        }
        match length {
            Some(length) => within(self.length_field(), length, 1, longest),
            None => Ok(()),
        }
    }
}

impl MelBands {
    fn check(&self, field: impl Fn(&str) -> String) -> Result<(), DataError> {
        within(field("n_fft"), self.n_fft, 2, MAX_N_FFT)?;
        within(field("hop_length"), self.hop_length, 1, MAX_N_FFT)?;
        within(field("n_mels"), self.n_mels, 1, MAX_N_MELS)?;
        if let Some(win_length) = self.win_length {
            within(field("win_length"), win_length, 1, self.n_fft)?;
        }
        let highest = f64::from(self.sample_rate) / 2.0;
        if let Some(fmax) = self.fmax {
            within(field("fmax"), fmax, 0.0, highest)?;
        }
        within(field("fmin"), self.fmin, 0.0, self.highest())?;
        if self.fmin >= self.highest() {
            let problem = format!("{} Hz is not below `fmax`", self.fmin);
            return Err(refused(field("fmin"), problem));
        }
        within(field("power"), self.power, MIN_POWER, MAX_POWER)
    }
}

fn check_pad(field: impl Fn(&str) -> String, pad: Pad) -> Result<(), DataError> {
    match pad {
        Pad::Floor => Ok(()),
        Pad::Value(value) => within(field("pad"), value, f32::MIN, f32::MAX),
    }
}

impl SplitSettings {
    fn check(&self) -> Result<(), DataError> {
        if !(0.0..1.0).contains(&self.test) {
            return Err(refused("split.test", format!("{} is not in [0, 1)", self.test)));
        }
        let share = |field, share: f64| {
            let within = share > 0.0 && share < 1.0;
            if within { Ok(()) } else { Err(refused(field, format!("{share} is not in (0, 1)"))) }
        };
        match self.validation {
            Validation::Share(validation) => share("split.validation", validation),
            Validation::Tail(validation) => share("split.validation_split", validation),
            Validation::Folds(folds) => within("split.folds", folds, 2, MAX_FOLDS),
        }
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
