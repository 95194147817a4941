//! Resampling.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::{MAX_SAMPLES, Recording, RecordingError};

/// Samples at the lower rate that the resampler transforms at once, at least:
/// its filter then begins less than 1 % below the Nyquist frequency.
const RESAMPLER_SAMPLES: u32 = 2048;

/// Number of samples after resampling, rounded up as in librosa.
pub(in crate::data) fn resampled_len(samples: usize, from: u32, to: u32) -> usize {
    if from == to {
        return samples;
    }
    // The same floating-point operations as librosa's, for the same rounding.
    (samples as f64 * (f64::from(to) / f64::from(from))).ceil() as usize
}

/// Brings a recording to `sample_rate`, with a filter that passes all but the
/// last per cent below the lower of the two Nyquist frequencies.
///
/// The result is aligned with the input: no delay.
pub(in crate::data) fn resample(
    recording: Recording,
    sample_rate: u32,
) -> Result<Vec<f32>, RecordingError> {
    let Recording { samples, sample_rate: from, channels: _ } = recording;
    if from == sample_rate {
        return Ok(samples);
    }
    let length = resampled_len(samples.len(), from, sample_rate);
    if length > MAX_SAMPLES {
        return Err(RecordingError::TooLong);
    }
    let failed = |problem: String| RecordingError::Resampling { from, to: sample_rate, problem };
    let divisor = greatest_common_divisor(from, sample_rate);
    // The resampler's delay is half a transform. An even number of periods makes
    // it a whole number of samples on both sides, so that it can be cut off.
    let period = from.min(sample_rate) / divisor;
    let periods = RESAMPLER_SAMPLES.div_ceil(period).next_multiple_of(2);
    let mut resampler = Fft::<f32>::new_custom(
        from as usize,
        sample_rate as usize,
        (from / divisor * periods) as usize,
        1,
        1,
        WindowFunction::BlackmanHarris2,
        FixedSync::Both,
    )
    .map_err(|error| failed(error.to_string()))?;
    let input = InterleavedSlice::new(&samples, 1, samples.len())
        .map_err(|error| failed(error.to_string()))?;
    let mut output = resampler
        .process_all(&input, samples.len(), None)
        .map_err(|error| failed(error.to_string()))?
        .take_data();
    output.resize(length, 0.0);
    Ok(output)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
