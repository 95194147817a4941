//! Mel filters: triangles between neighbouring mel frequencies, each of area one.
//!
//! `librosa.filters.mel(norm="slaney")`, on Slaney's mel scale or on that of HTK.

use std::ops::Range;

use super::vector::vectorized;
use crate::data::MelBands;

/// Weights are multiplied with so many bins at a time.
const LANES: usize = 8;

/// All triangles over the bins of a transform.
pub(super) struct Filters {
    filters: Vec<Filter>,
    weights: Vec<[f32; LANES]>,
}

/// A triangle; zero outside of its bins.
struct Filter {
    first: usize,
    /// Of the blocks of weights, the last filled up with zeros.
    blocks: Range<usize>,
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
        let bins = settings.n_fft as usize / 2 + 1;
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
                let triangle: Vec<f32> = (first..bins)
                    .map(weight)
                    .take_while(|&weight| weight > 0.0)
                    .map(|weight| weight as f32)
                    .collect();
                let begin = weights.len();
                weights.extend(triangle.chunks(LANES).map(|chunk| {
                    let mut block = [0.0; LANES];
                    block[..chunk.len()].copy_from_slice(chunk);
                    block
                }));
                Filter { first, blocks: begin..weights.len() }
            })
            .collect();
        Self { filters, weights }
    }

    /// Length of the power spectrum that [`Filters::apply`] takes: what lies
    /// behind its bins is multiplied with zero.
    pub(super) fn padded(bins: usize) -> usize {
        bins + LANES
    }

    /// What each filter lets through.
    pub(super) fn apply(&self, power: &[f32], bands: &mut [f32]) {
        apply(self, power, bands);
    }
}

vectorized! {
    fn apply(filters: &Filters, power: &[f32], bands: &mut [f32]) {
        for (filter, band) in filters.filters.iter().zip(bands) {
            let weights = &filters.weights[filter.blocks.clone()];
            let power = power[filter.first..].as_chunks::<LANES>().0;
            let mut sums = [0.0; LANES];
            for (power, weights) in power.iter().zip(weights) {
                for lane in 0..LANES {
                    sums[lane] += power[lane] * weights[lane];
                }
            }
            let [a, b, c, d, e, f, g, h] = sums;
            *band = ((a + e) + (c + g)) + ((b + f) + (d + h));
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
