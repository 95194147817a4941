//! Resampling, as librosa does it: with the filter of soxr's high quality.
//!
//! What `librosa.load` leaves of the highest frequencies, a mel spectrogram
//! shows in its highest bands. Resamplers of libraries have filters of their
//! own, so the filter is built here, from soxr's design: a sinc in a Kaiser
//! window that passes 91 % of the lower Nyquist frequency and stops all above it.
//! The signal is transformed piece by piece, multiplied by the filter, and its
//! spectrum is cut or extended to the other rate.
//!
//! To twice or half the rate the result is soxr's to the precision of floats.
//! To other rates soxr goes by way of a second filter, which loses 0.008 dB at
//! the end of the passband; that is not imitated.

use std::f64::consts::PI;

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

use super::{MAX_SAMPLES, Recording, RecordingError};

/// The middle of the filter's flank, where it leaves half, as a share of the
/// lower Nyquist frequency. This and the next two were fitted to the impulse
/// response of soxr 1.1 between 22 050 and 44 100 Hz, which they meet to 1e-7.
const MIDDLE: f64 = 0.956_871_82;

/// Shape of the Kaiser window.
const BETA: f64 = 13.040_04;

/// How far the window reaches to either side, in samples at the lower rate.
const REACH: f64 = 97.25;

/// Shortest piece that is transformed, in samples.
const MIN_PIECE: usize = 8192;

/// Number of samples after resampling, rounded up as in librosa.
pub(in crate::data) fn resampled_len(samples: usize, from: u32, to: u32) -> usize {
    if from == to {
        return samples;
    }
    // The same floating-point operations as librosa's, for the same rounding.
    (samples as f64 * (f64::from(to) / f64::from(from))).ceil() as usize
}

/// Brings a recording to `sample_rate`. The result is aligned with the input;
/// before and behind it there is silence.
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
    let mut output = convert(&samples, from, sample_rate);
    // soxr rounds to the nearest length; librosa rounds up, and adds a zero.
    let exact = samples.len() as f64 * (f64::from(sample_rate) / f64::from(from));
    output.truncate((exact + 0.5).floor() as usize);
    output.resize(length, 0.0);
    Ok(output)
}

/// How a signal is cut into pieces: they overlap, and of each the middle is
/// used, which the filter does not reach from beyond the ends.
struct Pieces {
    /// Samples of the input and of the output that take the same time.
    period: (usize, usize),
    /// Length of a piece, in periods.
    length: usize,
    /// What is not used at either end, in periods.
    margin: usize,
}

impl Pieces {
    /// - `reach`: how many samples the filter looks to either side
    fn new(from: u32, to: u32, reach: usize) -> Self {
        let divisor = greatest_common_divisor(from, to);
        let period = ((from / divisor) as usize, (to / divisor) as usize);
        let margin = reach.div_ceil(period.0);
        let length = (8 * margin).max(MIN_PIECE.div_ceil(period.0)).next_power_of_two();
        Self { period, length, margin }
    }
}

fn convert(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    let filter = filter(from, to);
    let pieces = Pieces::new(from, to, filter.len() - 1);
    let (before, after) = pieces.period;
    let lengths = (pieces.length * before, pieces.length * after);
    let mut planner = RealFftPlanner::<f32>::new();
    let forward = planner.plan_fft_forward(lengths.0);
    let inverse = planner.plan_fft_inverse(lengths.1);

    // The response is real, because the filter is symmetric. Transforms there and back multiply
    // by the length.
    let mut piece = forward.make_input_vec();
    let mut spectrum = forward.make_output_vec();
    let scale = 1.0 / lengths.0 as f64;
    for (distance, &coefficient) in filter.iter().enumerate() {
        piece[distance] = (coefficient * scale) as f32;
        piece[(lengths.0 - distance) % lengths.0] = (coefficient * scale) as f32;
    }
    forward.process(&mut piece, &mut spectrum).expect("buffers are of its own making");
    let response: Vec<f32> = spectrum.iter().map(|bin| bin.re).collect();

    let mut resampled = inverse.make_output_vec();
    let mut resampled_spectrum = inverse.make_input_vec();
    let kept = spectrum.len().min(resampled_spectrum.len());
    let used = pieces.length - 2 * pieces.margin;
    let (margin, step) = (pieces.margin * before, used * before);
    let mut output = Vec::with_capacity(samples.len().div_ceil(step) * used * after);
    for start in (0..samples.len()).step_by(step) {
        // The piece begins a margin earlier, and ends one later, where there is silence at the
        // ends of the signal.
        let first = start.saturating_sub(margin);
        let last = (start + step + margin).min(samples.len());
        piece.fill(0.0);
        let at = margin - (start - first);
        piece[at..at + last - first].copy_from_slice(&samples[first..last]);
        forward.process(&mut piece, &mut spectrum).expect("buffers are of its own making");
        resampled_spectrum.fill(Complex::default());
        for ((new, old), &factor) in
            resampled_spectrum[..kept].iter_mut().zip(&spectrum).zip(&response)
        {
            *new = old * factor;
        }
        // Nothing is left there, and it must be real.
        if let Some(highest) = resampled_spectrum.last_mut() {
            *highest = Complex::default();
        }
        resampled_spectrum[0].im = 0.0;
        inverse
            .process(&mut resampled_spectrum, &mut resampled)
            .expect("the ends of the spectrum are real");
        output.extend_from_slice(&resampled[pieces.margin * after..][..used * after]);
    }
    output
}

/// The right half of the low-pass filter, from its middle on, at the rate of
/// the input. All of it adds up to one.
fn filter(from: u32, to: u32) -> Vec<f64> {
    let lower = f64::from(from.min(to)) / f64::from(from);
    let (middle, reach) = (MIDDLE * lower, REACH / lower);
    let mut half: Vec<f64> = (0..=reach as usize)
        .map(|distance| {
            let distance = distance as f64;
            let inside = (1.0 - (distance / reach).powi(2)).sqrt();
            let window = bessel(BETA * inside) / bessel(BETA);
            middle * sinc(middle * distance) * window
        })
        .collect();
    let sum = 2.0 * half.iter().sum::<f64>() - half[0];
    half.iter_mut().for_each(|coefficient| *coefficient /= sum);
    half
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The modified Bessel function of order zero, by its series.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..200 {
        term *= (0.5 * x / f64::from(n)).powi(2);
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    sum
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
