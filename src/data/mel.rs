//! Mel spectrograms, as librosa 0.11 computes them.
//!
//! `melspectrogram(center=True, pad_mode="constant", window="hann", power=2,
//! fmin=0, fmax=sr/2, htk=False, norm="slaney")` and, for decibels,
//! `power_to_db(ref=np.max, amin=1e-10, top_db=80)`. Golden files hold librosa's
//! own results; their generator is `scripts/golden/mel.py`.
//!
//! librosa transforms in double precision and so does this module: near the
//! floor, 80 dB below the loudest band, single precision would be 0.01 dB off.

use std::f64::consts::TAU;
use std::ops::Range;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::MelSettings;

/// Power below which decibels are not computed.
const MIN_POWER: f64 = 1e-10;
/// Decibels between the loudest band and the floor.
const RANGE_DB: f64 = 80.0;

/// Number of frames of a recording: centred frames reach half a window beyond
/// both ends.
pub(super) fn frames_of(samples: usize, settings: &MelSettings) -> usize {
    let n_fft = settings.n_fft as usize;
    let padded = samples + 2 * (n_fft / 2);
    1 + padded.saturating_sub(n_fft) / settings.hop_length as usize
}

/// There is less of a recording than half a window.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("too short: {samples} samples after resampling; at least {needed} are needed")]
pub(super) struct TooShort {
    samples: usize,
    needed: usize,
}

/// What is computed once for all recordings; shared by threads.
pub(super) struct Mel {
    n_fft: usize,
    hop_length: usize,
    n_mels: usize,
    frames: Option<usize>,
    db: bool,
    settings: MelSettings,
    window: Vec<f64>,
    plan: Arc<dyn RealToComplex<f64>>,
    filters: Vec<Filter>,
}

/// Buffers of one thread.
pub(super) struct Scratch {
    frame: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    transform: Vec<Complex<f64>>,
    power: Vec<f64>,
    /// `[frames, n_mels]`: frames come one after the other.
    bands: Vec<f32>,
}

/// A triangle over the bins of the transform; zero outside of `bins`.
struct Filter {
    bins: Range<usize>,
    weights: Vec<f64>,
}

/// `[n_mels, frames]`, C order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spectrogram {
    pub(super) values: Vec<f32>,
    pub(super) frames: usize,
}

impl Mel {
    /// Plans the transform and computes window and filters.
    pub(super) fn new(settings: &MelSettings) -> Self {
        let n_fft = settings.n_fft as usize;
        Self {
            n_fft,
            hop_length: settings.hop_length as usize,
            n_mels: settings.n_mels as usize,
            frames: settings.frames.map(|frames| frames as usize),
            db: settings.db,
            settings: settings.clone(),
            window: hann(n_fft),
            plan: RealFftPlanner::new().plan_fft_forward(n_fft),
            filters: filters(settings),
        }
    }

    /// Buffers for [`Mel::spectrogram`].
    pub(super) fn scratch(&self) -> Scratch {
        Scratch {
            frame: self.plan.make_input_vec(),
            spectrum: self.plan.make_output_vec(),
            transform: self.plan.make_scratch_vec(),
            power: vec![0.0; self.n_fft / 2 + 1],
            bands: Vec::new(),
        }
    }

    /// Mel spectrogram of a recording.
    ///
    /// - `samples`: mono, in [-1, 1], at the rate of the settings
    ///
    /// Returns `[n_mels, frames]`: power, or decibels relative to the
    /// recording's maximum, at least -80. Where the settings give `frames`, the
    /// end is cut off, or filled with no power (the lowest decibels there are).
    ///
    /// # Errors
    ///
    /// [`TooShort`] when there are fewer than `n_fft / 2` samples, or none.
    pub(super) fn spectrogram(
        &self,
        samples: &[f32],
        scratch: &mut Scratch,
    ) -> Result<Spectrogram, TooShort> {
        let needed = (self.n_fft / 2).max(1);
        if samples.len() < needed {
            return Err(TooShort { samples: samples.len(), needed });
        }
        let all = frames_of(samples.len(), &self.settings);
        // What is cut off still counts for the maximum that decibels refer to.
        let computed = match self.frames {
            Some(frames) if !self.db => all.min(frames),
            Some(_) | None => all,
        };
        scratch.bands.clear();
        scratch.bands.reserve(computed * self.n_mels);
        for frame in 0..computed {
            self.push_frame(samples, frame, scratch);
        }
        let padding = if self.db { to_db(&mut scratch.bands) } else { 0.0 };

        let frames = self.frames.unwrap_or(all);
        let kept = computed.min(frames);
        let mut values = vec![padding; self.n_mels * frames];
        for (band, row) in values.chunks_exact_mut(frames).enumerate() {
            for (frame, value) in row[..kept].iter_mut().enumerate() {
                *value = scratch.bands[frame * self.n_mels + band];
            }
        }
        Ok(Spectrogram { values, frames })
    }

    /// Appends the bands of one frame, in power, to `scratch.bands`.
    fn push_frame(&self, samples: &[f32], frame: usize, scratch: &mut Scratch) {
        let Scratch { frame: windowed, spectrum, transform, power, bands } = scratch;
        // The frame covers `begin..begin + n_fft` of the signal after
        // `half` zeros; what lies outside of the recording is zero.
        let half = self.n_fft / 2;
        let begin = frame * self.hop_length;
        let before = half.saturating_sub(begin).min(self.n_fft);
        let first = (begin + before - half).min(samples.len());
        let last = (begin + self.n_fft).saturating_sub(half).min(samples.len()).max(first);
        let inside = before..before + (last - first);

        windowed[..inside.start].fill(0.0);
        windowed[inside.end..].fill(0.0);
        for ((value, &sample), &weight) in
            windowed[inside.clone()].iter_mut().zip(&samples[first..last]).zip(&self.window[inside])
        {
            *value = f64::from(sample) * weight;
        }
        self.plan
            .process_with_scratch(windowed, spectrum, transform)
            .expect("the buffers were made by the plan");
        for (power, bin) in power.iter_mut().zip(spectrum.iter()) {
            *power = bin.norm_sqr();
        }
        bands.extend(self.filters.iter().map(|filter| {
            let bins = &power[filter.bins.clone()];
            bins.iter().zip(&filter.weights).map(|(power, weight)| power * weight).sum::<f64>()
                as f32
        }));
    }
}

/// Turns power into decibels relative to the maximum; returns the minimum.
fn to_db(values: &mut [f32]) -> f32 {
    let decibels = |power: f64| 10.0 * power.max(MIN_POWER).log10();
    let loudest = values.iter().fold(0.0_f32, |loudest, &value| loudest.max(value));
    let reference = decibels(f64::from(loudest));
    let mut lowest = 0.0_f32;
    for value in values {
        *value = (decibels(f64::from(*value)) - reference).max(-RANGE_DB) as f32;
        lowest = lowest.min(*value);
    }
    lowest
}

/// Hann window of a periodic signal.
fn hann(length: usize) -> Vec<f64> {
    (0..length).map(|n| 0.5 - 0.5 * (TAU * n as f64 / length as f64).cos()).collect()
}

/// Triangles between neighbouring mel frequencies, each of area one.
fn filters(settings: &MelSettings) -> Vec<Filter> {
    let n_mels = settings.n_mels as usize;
    let sample_rate = f64::from(settings.sample_rate);
    let highest = mel_of(sample_rate / 2.0);
    let edges: Vec<f64> =
        (0..n_mels + 2).map(|edge| hertz_of(highest * edge as f64 / (n_mels + 1) as f64)).collect();
    let bins = settings.n_fft as usize / 2 + 1;
    let frequency = |bin: usize| bin as f64 * sample_rate / f64::from(settings.n_fft);

    edges
        .windows(3)
        .map(|edges| {
            let [low, centre, high] = [edges[0], edges[1], edges[2]];
            let weight = |bin: usize| {
                let rising = (frequency(bin) - low) / (centre - low);
                let falling = (high - frequency(bin)) / (high - centre);
                rising.min(falling).max(0.0) * 2.0 / (high - low)
            };
            let first = (0..bins).find(|&bin| weight(bin) > 0.0).unwrap_or(0);
            let weights: Vec<f64> =
                (first..bins).map(weight).take_while(|&weight| weight > 0.0).collect();
            Filter { bins: first..first + weights.len(), weights }
        })
        .collect()
}

/// Where Slaney's scale turns from linear to logarithmic, in Hz and in mel.
const KNEE_HZ: f64 = 1000.0;
const HZ_PER_MEL: f64 = 200.0 / 3.0;
const KNEE_MEL: f64 = KNEE_HZ / HZ_PER_MEL;

/// Logarithm of the ratio of frequencies one mel apart, above the knee.
fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

fn mel_of(hertz: f64) -> f64 {
    if hertz < KNEE_HZ {
        hertz / HZ_PER_MEL
    } else {
        KNEE_MEL + (hertz / KNEE_HZ).ln() / log_step()
    }
}

fn hertz_of(mel: f64) -> f64 {
    if mel < KNEE_MEL { mel * HZ_PER_MEL } else { KNEE_HZ * (log_step() * (mel - KNEE_MEL)).exp() }
}

#[cfg(test)]
#[path = "mel_tests.rs"]
mod tests;
