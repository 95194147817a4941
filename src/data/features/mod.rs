//! From a recording's samples to examples.
//!
//! A recording is cut to `clip`, divided into slices, and of each slice the
//! features are computed (`mel`, `mfcc`, or the waveform as it is). A slice
//! knows nothing of its neighbours: decibels refer to its own maximum, as if it
//! were a file of its own.

mod bank;
mod decibels;
pub(crate) mod drawn;
mod filters;
mod length;
mod mel;
mod mfcc;
mod transform;
mod vector;
mod window;

use self::bank::Scratch;
use self::mel::Mel;
use self::mfcc::Mfcc;
use super::source::files::{Examples, Extractor};
use super::source::recording::{self, Recording};
use super::{Features, RawSettings, RecordingSettings, Slices, Sound};

/// There is less of a recording than an example needs.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("too short: {samples} samples after resampling; at least {needed} are needed")]
pub(super) struct TooShort {
    samples: usize,
    needed: usize,
}

/// Features of a recording would be beyond what single precision can hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("too loud: the power of its frames is beyond all numbers of 32 bits")]
pub(super) struct TooLoud;

/// Why nothing can be computed from samples.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Unusable {
    #[error(transparent)]
    TooShort(#[from] TooShort),
    #[error(transparent)]
    TooLoud(#[from] TooLoud),
}

/// Makes examples of recordings; shared by threads.
pub(super) struct Recordings<'a> {
    settings: &'a RecordingSettings,
    computer: Computer,
}

enum Computer {
    Mel(Mel),
    Mfcc(Mfcc),
    Raw(RawSettings),
}

impl<'a> Recordings<'a> {
    /// Computes once what all recordings need.
    pub(super) fn new(settings: &'a RecordingSettings) -> Self {
        let computer = match &settings.features {
            Features::Mel(settings) => Computer::Mel(Mel::new(settings)),
            Features::Mfcc(settings) => Computer::Mfcc(Mfcc::new(settings)),
            Features::Raw(settings) => Computer::Raw(settings.clone()),
        };
        Self { settings, computer }
    }

    /// Examples of a recording.
    ///
    /// - `samples`: mono, in [-1, 1], at the rate of the settings
    ///
    /// # Errors
    ///
    /// [`TooShort`] when there is no whole slice, or a slice makes no frame;
    /// [`TooLoud`] when features are not finite.
    fn examples(&self, samples: &[f32], scratch: &mut Scratch) -> Result<Examples<f32>, Unusable> {
        let mut values = Vec::new();
        let mut length = 0;
        for slice in slices(self.settings, samples)? {
            length = self.computer.append(slice, scratch, &mut values)?;
        }
        Ok(Examples { values, shape: shape(&self.settings.features, length), sound: None })
    }
}

impl Extractor for Recordings<'_> {
    type Element = f32;
    type Scratch = Scratch;

    fn phase(&self) -> &'static str {
        "computing features"
    }

    fn scratch(&self) -> Scratch {
        Scratch::default()
    }

    fn extract(&self, bytes: &[u8], scratch: &mut Scratch) -> Result<Examples<f32>, String> {
        let memory = std::mem::take(&mut scratch.samples);
        let recording = recording::decode(bytes, memory).map_err(|error| error.to_string())?;
        let sound = sound(self.settings, &recording);
        let samples = recording::resample(recording, self.settings.features.sample_rate())
            .map_err(|error| error.to_string())?;
        let examples = self.examples(&samples, scratch).map_err(|error| error.to_string())?;
        scratch.samples = samples;
        Ok(Examples { sound: Some(sound), ..examples })
    }

    fn length_field(&self) -> Option<String> {
        Some(self.settings.features.length_field())
    }
}

impl Computer {
    /// Appends the features of one slice; returns their length in time.
    fn append(
        &self,
        samples: &[f32],
        scratch: &mut Scratch,
        values: &mut Vec<f32>,
    ) -> Result<usize, Unusable> {
        match self {
            Self::Mel(mel) => mel.append(samples, scratch, values),
            Self::Mfcc(mfcc) => mfcc.append(samples, scratch, values),
            Self::Raw(settings) => {
                let length = settings.samples.map_or(samples.len(), |samples| samples as usize);
                let kept = samples.len().min(length);
                values.extend_from_slice(&samples[..kept]);
                values.resize(values.len() + length - kept, 0.0);
                Ok(length)
            }
        }
    }
}

/// Shape of an example whose features have this length in time.
pub(super) fn shape(features: &Features, length: usize) -> Vec<usize> {
    match features {
        Features::Mel(settings) => vec![settings.bands.n_mels as usize, length, 1],
        Features::Mfcc(settings) => vec![length, settings.n_mfcc as usize, 1],
        Features::Raw(_) => vec![length, 1],
    }
}

/// Shape of an example, where the settings and the length of the recordings
/// decide it.
///
/// - `samples`: length of every recording after resampling, where it is known
pub(super) fn shape_ahead(
    settings: &RecordingSettings,
    samples: Option<usize>,
) -> Option<Vec<usize>> {
    let features = &settings.features;
    let fixed = match features {
        Features::Mel(settings) => settings.frames,
        Features::Mfcc(settings) => settings.frames,
        Features::Raw(settings) => settings.samples,
    };
    if let Some(length) = fixed {
        return Some(shape(features, length as usize));
    }
    let samples = match settings.slices {
        Slices::Seconds(seconds) => samples_of(settings, seconds),
        Slices::Whole | Slices::Count(_) => example_samples(settings, samples?).ok()?,
    };
    let length = match features {
        Features::Mel(settings) => bank::frames_of(samples, &settings.bands),
        Features::Mfcc(settings) => bank::frames_of(samples, &settings.bands),
        Features::Raw(_) => samples,
    };
    Some(shape(features, length))
}

/// Number of samples that each example of a recording is computed from.
///
/// - `samples`: length of the recording after resampling
///
/// # Errors
///
/// [`TooShort`] when it gives no example.
pub(super) fn example_samples(
    settings: &RecordingSettings,
    samples: usize,
) -> Result<usize, TooShort> {
    let least = match &settings.features {
        Features::Mel(settings) => bank::min_samples(&settings.bands),
        Features::Mfcc(settings) => bank::min_samples(&settings.bands),
        Features::Raw(_) => 1,
    };
    let clipped = clipped(settings, samples);
    let (needed, each) = match settings.slices {
        Slices::Whole => (least, clipped),
        Slices::Seconds(seconds) => {
            let each = samples_of(settings, seconds);
            (each.max(least), each)
        }
        Slices::Count(count) => (least.saturating_mul(count as usize), clipped / count as usize),
    };
    if clipped < needed || each < least {
        return Err(TooShort { samples: clipped, needed });
    }
    Ok(each)
}

/// The slices of a recording, in order; at least one, all of one length.
fn slices<'a>(
    settings: &RecordingSettings,
    samples: &'a [f32],
) -> Result<impl Iterator<Item = &'a [f32]>, TooShort> {
    let each = example_samples(settings, samples.len())?;
    let limit = match settings.slices {
        Slices::Whole => 1,
        Slices::Seconds(_) => usize::MAX,
        // What is left over may be enough for more of them.
        Slices::Count(count) => count as usize,
    };
    Ok(samples[..clipped(settings, samples.len())].chunks_exact(each).take(limit))
}

/// What a recording was like before anything was computed from it.
fn sound(settings: &RecordingSettings, recording: &Recording) -> Sound {
    let Recording { samples, sample_rate, channels } = recording;
    let seconds = samples.len() as f64 / f64::from(*sample_rate);
    let clipped_seconds = settings.clip.map_or(seconds, |clip| clip.min(seconds));
    Sound { seconds, clipped_seconds, sample_rate: *sample_rate, channels: *channels }
}

/// What is used of so many samples.
fn clipped(settings: &RecordingSettings, samples: usize) -> usize {
    settings.clip.map_or(samples, |seconds| samples.min(samples_of(settings, seconds)))
}

/// Samples of so many seconds, to the nearest.
pub(super) fn samples_of(settings: &RecordingSettings, seconds: f64) -> usize {
    (seconds * f64::from(settings.features.sample_rate())).round() as usize
}

#[cfg(test)]
mod tests;
