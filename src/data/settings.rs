//! Limits of the `data:` section, and what it says before any data is touched.

use super::{
    DataError, DataSettings, MelSettings, Source, SplitSettings, SynthSettings, mel, synth,
};

/// Rates of recordings and of features, in Hz: telephones to ultrasound. The
/// upper end also bounds what a resampler allocates for a header that lies.
pub(super) const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;
/// Far above what is useful; keeps a typing error from filling the memory.
const MAX_N_FFT: u32 = 1 << 18;
const MAX_N_MELS: u32 = 4_096;
const MAX_FRAMES: u32 = 1_000_000;
const MAX_SYNTH_CLASSES: u32 = 1_000;
/// Five digits number the recordings of a class, as in GTZAN.
const MAX_SYNTH_CLIPS: u32 = 100_000;
const MAX_SYNTH_SECONDS: f64 = 3_600.0;
const MIN_SYNTH_SECONDS: f64 = 0.1;

/// What is known of a dataset without touching its data: the shape of an
/// example, `[n_mels, frames, 1]`, and the class names in sorted order.
///
/// None where either follows from the recordings only: `frames` or `classes`
/// is absent, and the recordings are not made up.
#[must_use]
pub fn known_ahead(settings: &DataSettings) -> Option<(Vec<u32>, Vec<String>)> {
    settings.features.check().ok()?;
    let (frames, all_classes) = match &settings.source {
        Source::Audio(_) => (None, None),
        Source::Synthetic(made_up) => {
            made_up.check().ok()?;
            (
                synthetic_frames(made_up, &settings.features),
                Some(synth::class_names(made_up.classes)),
            )
        }
    };
    let frames = settings.features.frames.or(frames)?;
    let classes = selected(settings.classes.as_deref()).or(all_classes)?;
    Some((vec![settings.features.n_mels, frames, 1], classes))
}

/// Frames of a made-up recording.
fn synthetic_frames(made_up: &SynthSettings, features: &MelSettings) -> Option<u32> {
    let samples = super::recording::resampled_len(
        made_up.samples(),
        synth::SAMPLE_RATE,
        features.sample_rate,
    );
    u32::try_from(mel::frames_of(samples, features)).ok()
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
            Source::Audio(_) => {}
            Source::Synthetic(made_up) => made_up.check()?,
        }
        if self.classes.as_ref().is_some_and(Vec::is_empty) {
            return Err(refused("classes", "names no class"));
        }
        self.features.check()?;
        self.split.check()
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

impl MelSettings {
    /// Refuses what cannot be computed.
    pub(super) fn check(&self) -> Result<(), DataError> {
        let (low, high) = (*SAMPLE_RATES.start(), *SAMPLE_RATES.end());
        within("features.mel.sample_rate", self.sample_rate, low, high)?;
        within("features.mel.n_fft", self.n_fft, 2, MAX_N_FFT)?;
        within("features.mel.hop_length", self.hop_length, 1, MAX_N_FFT)?;
        within("features.mel.n_mels", self.n_mels, 1, MAX_N_MELS)?;
        match self.frames {
            Some(frames) => within("features.mel.frames", frames, 1, MAX_FRAMES),
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
    field: &'static str,
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

fn refused(field: &'static str, problem: impl Into<String>) -> DataError {
    DataError::Settings { field, problem: problem.into() }
}
