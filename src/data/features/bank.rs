//! Power in mel bands, frame by frame, as librosa 0.11 computes it.
//!
//! `melspectrogram(center=True, pad_mode="constant", window="hann", power=2,
//! fmin=0, fmax=sr/2, htk=False, norm="slaney")` and `power_to_db(amin=1e-10,
//! top_db=80)`: what mel spectrograms and MFCCs are made of.
//!
//! librosa transforms in double precision and so does this module: near the
//! floor, 80 dB below the loudest band, single precision would be 0.01 dB off.

use std::f64::consts::TAU;
use std::ops::Range;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::TooShort;
use crate::data::MelBands;

/// Power below which decibels are not computed.
const MIN_POWER: f64 = 1e-10;
/// Decibels between the loudest band and the floor.
const RANGE_DB: f64 = 80.0;

/// Number of frames of so many samples: centred frames reach half a window
/// beyond both ends.
pub(super) fn frames_of(samples: usize, settings: &MelBands) -> usize {
    let n_fft = settings.n_fft as usize;
    let padded = samples + 2 * (n_fft / 2);
    1 + padded.saturating_sub(n_fft) / settings.hop_length as usize
}

/// Fewest samples that make a frame: half a window.
pub(super) fn min_samples(settings: &MelBands) -> usize {
    (settings.n_fft as usize / 2).max(1)
}

/// What is computed once for all recordings; shared by threads.
pub(super) struct Bank {
    settings: MelBands,
    window: Vec<f64>,
    plan: Arc<dyn RealToComplex<f64>>,
    filters: Vec<Filter>,
}

/// Buffers of one thread.
#[derive(Default)]
pub(in crate::data) struct Scratch {
    frame: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    transform: Vec<Complex<f64>>,
    power: Vec<f64>,
    /// `[frames, n_mels]`: frames come one after the other.
    pub(super) bands: Vec<f32>,
}

/// A triangle over the bins of the transform; zero outside of `bins`.
struct Filter {
    bins: Range<usize>,
    weights: Vec<f64>,
}

/// Some numbers for each of several frames.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frames {
    pub(super) values: Vec<f32>,
    pub(super) frames: usize,
}

impl Bank {
    /// Plans the transform and computes window and filters.
    pub(super) fn new(settings: &MelBands) -> Self {
        let n_fft = settings.n_fft as usize;
        Self {
            settings: *settings,
            window: hann(n_fft),
            plan: RealFftPlanner::new().plan_fft_forward(n_fft),
            filters: filters(settings),
        }
    }

    /// Buffers for [`Bank::power`].
    pub(super) fn scratch(&self) -> Scratch {
        Scratch {
            frame: self.plan.make_input_vec(),
            spectrum: self.plan.make_output_vec(),
            transform: self.plan.make_scratch_vec(),
            power: vec![0.0; self.settings.n_fft as usize / 2 + 1],
            bands: Vec::new(),
        }
    }

    /// Fills `scratch.bands` with the power of each frame's bands; returns how
    /// many frames the samples have.
    ///
    /// - `samples`: mono, in [-1, 1], at the rate of the settings
    /// - `at_most`: frames after so many are not computed
    ///
    /// # Errors
    ///
    /// [`TooShort`] when there are fewer than `n_fft / 2` samples, or none.
    pub(super) fn power(
        &self,
        samples: &[f32],
        at_most: Option<usize>,
        scratch: &mut Scratch,
    ) -> Result<usize, TooShort> {
        let needed = min_samples(&self.settings);
        if samples.len() < needed {
            return Err(TooShort { samples: samples.len(), needed });
        }
        let all = frames_of(samples.len(), &self.settings);
        let computed = at_most.map_or(all, |at_most| all.min(at_most));
        scratch.bands.clear();
        scratch.bands.reserve(computed * self.filters.len());
        for frame in 0..computed {
            self.push_frame(samples, frame, scratch);
        }
        Ok(all)
    }

    /// Appends the bands of one frame, in power, to `scratch.bands`.
    fn push_frame(&self, samples: &[f32], frame: usize, scratch: &mut Scratch) {
        let Scratch { frame: windowed, spectrum, transform, power, bands } = scratch;
        // The frame covers `begin..begin + n_fft` of the signal after
        // `half` zeros; what lies outside of the recording is zero.
        let n_fft = self.settings.n_fft as usize;
        let half = n_fft / 2;
        let begin = frame * self.settings.hop_length as usize;
        let before = half.saturating_sub(begin).min(n_fft);
        let first = (begin + before - half).min(samples.len());
        let last = (begin + n_fft).saturating_sub(half).min(samples.len()).max(first);
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

/// What 0 dB is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    /// The greatest power of all.
    Maximum,
    /// A power of one.
    One,
}

/// Turns power into decibels, at most 80 below the greatest; returns the lowest.
pub(super) fn to_db(values: &mut [f32], reference: Reference) -> f32 {
    let decibels = |power: f64| 10.0 * power.max(MIN_POWER).log10();
    let loudest = values.iter().fold(0.0_f32, |loudest, &value| loudest.max(value));
    let maximum = decibels(f64::from(loudest));
    let reference = match reference {
        Reference::Maximum => maximum,
        Reference::One => 0.0,
    };
    let floor = maximum - reference - RANGE_DB;
    let mut lowest = (maximum - reference) as f32;
    for value in values {
        *value = (decibels(f64::from(*value)) - reference).max(floor) as f32;
        lowest = lowest.min(*value);
    }
    lowest
}

/// Hann window of a periodic signal.
fn hann(length: usize) -> Vec<f64> {
    (0..length).map(|n| 0.5 - 0.5 * (TAU * n as f64 / length as f64).cos()).collect()
}

/// Triangles between neighbouring mel frequencies, each of area one.
fn filters(settings: &MelBands) -> Vec<Filter> {
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

pub(super) fn mel_of(hertz: f64) -> f64 {
    if hertz < KNEE_HZ {
        hertz / HZ_PER_MEL
    } else {
        KNEE_MEL + (hertz / KNEE_HZ).ln() / log_step()
    }
}

pub(super) fn hertz_of(mel: f64) -> f64 {
    if mel < KNEE_MEL { mel * HZ_PER_MEL } else { KNEE_HZ * (log_step() * (mel - KNEE_MEL)).exp() }
}
