//! One recording: from the bytes of a file to mono samples at the wanted rate.
//!
//! The same as `librosa.load`: integers are scaled to [-1, 1), channels are
//! averaged, and only then is the signal resampled. What a file is, its content
//! says (`format`); its name is not looked at. Files of plain samples are read
//! here (`wav`, `aiff`, `au`, `pcm`), compressed ones by a library (`compressed`,
//! and before it `flac` and `ogg`, which let only harmless headers through).
//! A file that ends before its header says so gives what is there. Bytes are
//! never trusted: whatever they say, the result is samples or a reason, and no
//! more memory is taken than the file can fill.

mod aiff;
mod au;
mod compressed;
mod flac;
mod format;
mod ogg;
mod pcm;
mod resample;
mod wav;

use self::compressed::Codec;
use self::format::{Foreign, Format};
use crate::data::settings::SAMPLE_RATES;

pub(in crate::data) use self::resample::{resample, resampled_len};

/// Longest recording, in samples: three hours at 22 050 Hz, one GiB.
const MAX_SAMPLES: usize = 1 << 28;

/// Mono samples.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) struct Recording {
    /// In [-1, 1] unless the file holds louder floats.
    pub(in crate::data) samples: Vec<f32>,
    /// In Hz.
    pub(in crate::data) sample_rate: u32,
    /// How many channels were averaged.
    pub(in crate::data) channels: u32,
}

/// Why a recording cannot be used; the `reason` in the manifest.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub(in crate::data) enum RecordingError {
    #[error("the file is empty")]
    EmptyFile,
    #[error("{0}")]
    Foreign(Foreign),
    #[error("{format} is damaged: {problem}")]
    Damaged { format: Format, problem: String },
    #[error("{format} with {encoding} is not read: convert it to 16-bit WAV, or to FLAC")]
    Encoding { format: Format, encoding: String },
    #[error("no samples")]
    NoSamples,
    #[error("holds samples that are not finite numbers")]
    NotFinite,
    #[error("longer than {MAX_SAMPLES} samples")]
    TooLong,
    #[error("a sample rate of {0} Hz is not supported")]
    SampleRate(u32),
}

impl RecordingError {
    fn damaged(format: Format, problem: impl Into<String>) -> Self {
        Self::Damaged { format, problem: problem.into() }
    }
}

/// Decodes a file: WAV, AIFF and AU with integers of up to 32 bits, floats,
/// A-law or mu-law; FLAC; Vorbis in Ogg; MP3. Any number of channels.
///
/// - `memory`: where samples may go, whatever it holds
pub(in crate::data) fn decode(bytes: &[u8], memory: Vec<f32>) -> Result<Recording, RecordingError> {
    if bytes.is_empty() {
        return Err(RecordingError::EmptyFile);
    }
    let format = format::identify(bytes).map_err(RecordingError::Foreign)?;
    let recording = match format {
        Format::Wav => wav::read(bytes, memory),
        Format::Aiff => aiff::read(bytes, memory),
        Format::Au => au::read(bytes, memory),
        Format::Flac => compressed::read(Codec::Flac, flac::without_metadata(bytes)?, memory),
        Format::Vorbis => compressed::read(Codec::Vorbis, ogg::vorbis_alone(bytes)?, memory),
        Format::Mp3 => compressed::read(Codec::Mp3, format::without_id3(bytes).to_vec(), memory),
    }?;
    if recording.samples.is_empty() {
        return Err(RecordingError::NoSamples);
    }
    Ok(recording)
}

/// Samples that are numbers, all of them.
fn check_finite(samples: Vec<f32>) -> Result<Vec<f32>, RecordingError> {
    // To the end in any case, so that vector instructions can.
    if samples.iter().fold(true, |finite, sample| finite & sample.is_finite()) {
        Ok(samples)
    } else {
        Err(RecordingError::NotFinite)
    }
}

/// A rate that is resampled from.
fn check_rate(sample_rate: u32) -> Result<u32, RecordingError> {
    if SAMPLE_RATES.contains(&sample_rate) {
        Ok(sample_rate)
    } else {
        Err(RecordingError::SampleRate(sample_rate))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
pub(in crate::data) mod tests;

#[cfg(test)]
#[path = "golden_tests.rs"]
pub(in crate::data) mod golden;

#[cfg(test)]
pub(in crate::data) mod testing;

#[cfg(test)]
#[path = "bad_tests.rs"]
mod bad;
