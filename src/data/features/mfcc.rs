//! Mel-frequency cepstral coefficients, as librosa 0.11 computes them.
//!
//! `mfcc(y, sr, n_mfcc, n_fft, hop_length, n_mels)`: decibels of the mel bands
//! relative to a power of one (`power_to_db(ref=1.0)`), then the orthonormal
//! discrete cosine transform of type II over the bands. librosa gives
//! `[n_mfcc, frames]`; here time comes first. Golden files hold librosa's own
//! results; their generator is `scripts/golden/mfcc.py`.

use std::f64::consts::PI;

use super::TooShort;
use super::bank::{Bank, Frames, Reference, Scratch, to_db};
use crate::data::MfccSettings;

/// What is computed once for all recordings; shared by threads.
pub(super) struct Mfcc {
    bank: Bank,
    n_mels: usize,
    frames: Option<usize>,
    /// `[n_mfcc, n_mels]`
    cosines: Vec<f64>,
}

impl Mfcc {
    pub(super) fn new(settings: &MfccSettings) -> Self {
        let n_mels = settings.bands.n_mels as usize;
        Self {
            bank: Bank::new(&settings.bands),
            n_mels,
            frames: settings.frames.map(|frames| frames as usize),
            cosines: cosines(settings.n_mfcc as usize, n_mels),
        }
    }

    /// Buffers for [`Mfcc::coefficients`].
    pub(super) fn scratch(&self) -> Scratch {
        self.bank.scratch()
    }

    /// Coefficients of a recording or of a slice of one.
    ///
    /// - `samples`: mono, in [-1, 1], at the rate of the settings
    ///
    /// Returns `[frames, n_mfcc]` in C order. Where the settings give `frames`,
    /// the end is cut off, or filled with frames whose bands all have the lowest
    /// decibels there are.
    ///
    /// # Errors
    ///
    /// [`TooShort`] when there are fewer than `n_fft / 2` samples, or none.
    pub(super) fn coefficients(
        &self,
        samples: &[f32],
        scratch: &mut Scratch,
    ) -> Result<Frames, TooShort> {
        // What is cut off still counts for the maximum that the floor refers to.
        let all = self.bank.power(samples, None, scratch)?;
        let lowest = to_db(&mut scratch.bands, Reference::One);

        let frames = self.frames.unwrap_or(all);
        let mut values = Vec::with_capacity(frames * self.cosines.len() / self.n_mels);
        for bands in scratch.bands.chunks_exact(self.n_mels).take(frames) {
            self.push_transformed(bands, &mut values);
        }
        let padding = vec![lowest; self.n_mels];
        for _ in all..frames {
            self.push_transformed(&padding, &mut values);
        }
        Ok(Frames { values, frames })
    }

    fn push_transformed(&self, bands: &[f32], values: &mut Vec<f32>) {
        values.extend(self.cosines.chunks_exact(self.n_mels).map(|cosines| {
            bands.iter().zip(cosines).map(|(&band, cosine)| f64::from(band) * cosine).sum::<f64>()
                as f32
        }));
    }
}

/// The first `n_mfcc` rows of the transform's matrix.
fn cosines(n_mfcc: usize, n_mels: usize) -> Vec<f64> {
    let count = n_mels as f64;
    (0..n_mfcc)
        .flat_map(|row| {
            let scale = if row == 0 { 1.0 / count } else { 2.0 / count }.sqrt();
            (0..n_mels).map(move |band| {
                scale * (PI * row as f64 * (2 * band + 1) as f64 / (2.0 * count)).cos()
            })
        })
        .collect()
}

#[cfg(test)]
#[path = "mfcc_tests.rs"]
mod tests;
