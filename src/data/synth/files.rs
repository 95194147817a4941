//! Samples as files: WAV, or AU as in GTZAN's original.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};

use super::super::DataError;
use super::super::error::io_error;
use super::SAMPLE_RATE;

/// Bytes of a WAV file before its samples.
pub(super) const WAV_HEADER_LEN: u64 = 44;
/// Bytes of an AU file before its samples; the smallest that players accept.
const AU_HEADER_LEN: u32 = 28;
/// AU's number for linear samples of 16 bits.
const AU_LINEAR_16: u32 = 3;

/// How recordings are written; 16 bits, mono, either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SynthFormat {
    /// RIFF, the low byte first.
    Wav,
    /// Sun's format, the high byte first: what GTZAN came in.
    Au,
}

impl SynthFormat {
    /// Ending of file names, without a dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Au => "au",
        }
    }

    /// Writes a recording.
    pub(super) fn write(self, path: &Path, samples: &[i16]) -> Result<(), DataError> {
        let written = match self {
            Self::Wav => write_wav(path, samples),
            Self::Au => write_au(path, samples),
        };
        written.map_err(io_error("write", path))
    }
}

fn write_wav(path: &Path, samples: &[i16]) -> io::Result<()> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let write = || -> Result<(), hound::Error> {
        let file = File::create(path)?;
        let mut writer = WavWriter::new(BufWriter::new(file), spec)?;
        let mut block = writer.get_i16_writer(samples.len() as u32);
        for &sample in samples {
            block.write_sample(sample);
        }
        block.flush()?;
        writer.finalize()
    };
    write().map_err(|error| match error {
        hound::Error::IoError(cause) => cause,
        // A foreign enum; none of the others happens on writing this format.
        other => io::Error::other(other),
    })
}

fn write_au(path: &Path, samples: &[i16]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(b".snd")?;
    let length = 2 * samples.len() as u32;
    for number in [AU_HEADER_LEN, length, AU_LINEAR_16, SAMPLE_RATE, 1] {
        file.write_all(&number.to_be_bytes())?;
    }
    // The note that a header ends with: empty, four bytes at least.
    file.write_all(&[0; 4])?;
    for sample in samples {
        file.write_all(&sample.to_be_bytes())?;
    }
    file.flush()
}
