//! Mel filters: triangles between neighbouring mel frequencies, each of area one.
//!
//! `librosa.filters.mel(norm="slaney")`, on Slaney's mel scale or on that of HTK.

use std::ops::Range;

use super::transform::{LANES, bins};
use super::vector::vectorized;
use crate::data::MelBands;

/// All triangles over the bins of a transform.
pub(super) struct Filters {
    filters: Vec<Filter>,
    weights: Vec<f32>,
}

/// A triangle; zero outside of its bins.
struct Filter {
    bins: Range<usize>,
    /// Where its weights begin.
    weights: usize,
}

impl Filters {
    pub(super) fn new(settings: &MelBands) -> Self {
        let n_mels = settings.n_mels as usize;
        let scale = Scale::of(settings);
        let (lowest, highest) = (scale.mel_of(settings.fmin), scale.mel_of(settings.highest()));
        let edges: Vec<f64> = (0..n_mels + 2)
            .map(|edge| {
                scale.hertz_of(lowest + (highest - lowest) * edge as f64 / (n_mels + 1) as f64)
            })
            .collect();
        let bins = bins(settings.n_fft as usize);
        let frequency =
            |bin: usize| bin as f64 * f64::from(settings.sample_rate) / f64::from(settings.n_fft);

        let mut weights = Vec::new();
        let filters = edges
            .windows(3)
            .map(|edges| {
                let [low, centre, high] = [edges[0], edges[1], edges[2]];
                let weight = |bin: usize| {
                    let rising = (frequency(bin) - low) / (centre - low);
                    let falling = (high - frequency(bin)) / (high - centre);
                    rising.min(falling).max(0.0) * 2.0 / (high - low)
                };
                let first = (0..bins).find(|&bin| weight(bin) > 0.0).unwrap_or(0);
                let begin = weights.len();
                weights.extend(
                    (first..bins)
                        .map(weight)
                        .take_while(|&weight| weight > 0.0)
                        .map(|weight| weight as f32),
                );
                Filter { bins: first..first + weights.len() - begin, weights: begin }
            })
            .collect();
        Self { filters, weights }
    }

    /// What each filter lets through, a frame a lane.
    ///
    /// - `power`: `[bins, LANES]`
    /// - `bands`: receives `[n_mels, LANES]`
    pub(super) fn apply(&self, power: &[[f32; LANES]], bands: &mut [[f32; LANES]]) {
        apply(self, power, bands);
    }
}

vectorized! {
    fn apply(filters: &Filters, power: &[[f32; LANES]], bands: &mut [[f32; LANES]]) {
        for (filter, band) in filters.filters.iter().zip(bands) {
            let power = &power[filter.bins.clone()];
            let weights = &filters.weights[filter.weights..][..power.len()];
            // Two sums, so that one need not wait for the other.
            let mut sums = [[0.0; LANES]; 2];
            let (pairs, last) = power.as_chunks::<2>();
            let (weight_pairs, last_weight) = weights.as_chunks::<2>();
            for (powers, weights) in pairs.iter().zip(weight_pairs) {
                for ((sum, power), weight) in sums.iter_mut().zip(powers).zip(weights) {
                    for lane in 0..LANES {
                        sum[lane] += power[lane] * weight;
                    }
                }
            }
            for (power, weight) in last.iter().zip(last_weight) {
                for lane in 0..LANES {
                    sums[0][lane] += power[lane] * weight;
                }
            }
            for lane in 0..LANES {
                band[lane] = sums[0][lane] + sums[1][lane];
            }
        }
    }
}

/// What makes distances between tones of what is heard as one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scale {
    Slaney,
    Htk,
}

/// Where Slaney's scale turns from linear to logarithmic, in Hz and in mel.
const KNEE_HZ: f64 = 1000.0;
const HZ_PER_MEL: f64 = 200.0 / 3.0;
const KNEE_MEL: f64 = KNEE_HZ / HZ_PER_MEL;

/// Logarithm of the ratio of frequencies one mel apart, above the knee.
fn log_step() -> f64 {
    6.4_f64.ln() / 27.0
}

impl Scale {
    pub(super) fn of(settings: &MelBands) -> Self {
        if settings.htk { Self::Htk } else { Self::Slaney }
    }

    pub(super) fn mel_of(self, hertz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * (1.0 + hertz / 700.0).log10(),
            Self::Slaney if hertz < KNEE_HZ => hertz / HZ_PER_MEL,
            Self::Slaney => KNEE_MEL + (hertz / KNEE_HZ).ln() / log_step(),
        }
    }

    pub(super) fn hertz_of(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10_f64.powf(mel / 2595.0) - 1.0),
            Self::Slaney if mel < KNEE_MEL => mel * HZ_PER_MEL,
            Self::Slaney => KNEE_HZ * (log_step() * (mel - KNEE_MEL)).exp(),
        }
    }
}
