//! Mel-frequency cepstral coefficients, as librosa 0.11 computes them.
//!
//! `mfcc(dct_type=2, norm="ortho")`: decibels of the mel bands relative to a
//! power of one (`power_to_db(ref=1.0)`), then the orthonormal discrete cosine
//! transform of type II over the bands. librosa gives `[n_mfcc, frames]`; here
//! time comes first. Golden files hold librosa's own results; their generator is
//! `scripts/golden/mfcc.py`.

use std::f64::consts::PI;

use super::Unusable;
use super::bank::{Bank, Scratch};
use super::decibels::to_db;
use super::length::{Kept, kept};
use super::transform::LANES;
use super::vector::vectorized;
use crate::data::{MfccSettings, Pad, Reference};

/// What is computed once for all recordings; shared by threads.
pub(super) struct Mfcc {
    bank: Bank,
    settings: MfccSettings,
    /// `[n_mfcc, n_mels]`
    cosines: Vec<f64>,
}

impl Mfcc {
    pub(super) fn new(settings: &MfccSettings) -> Self {
        Self {
            bank: Bank::new(&settings.bands),
            cosines: cosines(settings),
            settings: settings.clone(),
        }
    }

    /// Appends the coefficients of a recording or of a slice of one; returns
    /// their number of frames.
    ///
    /// - `samples`: mono, in [-1, 1], at the rate of the settings
    /// - `values`: receives `[frames, n_mfcc]` in C order
    ///
    /// Where the settings give `frames`, what is too much is cut off, and what
    /// is missing is filled at the end: with a number, or with frames whose
    /// bands all have the lowest decibels there are.
    ///
    /// # Errors
    ///
    /// See [`Bank::power`].
    pub(super) fn append(
        &self,
        samples: &[f32],
        scratch: &mut Scratch,
        values: &mut Vec<f32>,
    ) -> Result<usize, Unusable> {
        let MfccSettings { n_mfcc, frames, crop, pad, top_db, .. } = self.settings;
        // What is cut off still counts for the maximum that the floor refers to.
        let all = self.bank.power(samples, None, scratch)?;
        let lowest = to_db(&mut scratch.bands, Reference::Power(1.0), top_db);

        let Kept { skipped, kept, added } = kept(all, frames, crop);
        let n_mfcc = n_mfcc as usize;
        let begin = values.len();
        values.resize(begin + (kept + added) * n_mfcc, 0.0);
        let (transformed, padding) = values[begin..].split_at_mut(kept * n_mfcc);
        let Scratch { bands, columns, .. } = scratch;
        columns.resize(self.settings.bands.n_mels as usize, [0.0; LANES]);
        for (block, values) in transformed.chunks_mut(LANES * n_mfcc).enumerate() {
            let (first, count) = (skipped + block * LANES, values.len() / n_mfcc);
            for (column, band) in columns.iter_mut().zip(bands.chunks_exact(all)) {
                for (lane, &value) in column.iter_mut().zip(&band[first..first + count]) {
                    *lane = f64::from(value);
                }
            }
            transform(&self.cosines, columns, values);
        }
        match pad {
            Pad::Value(value) => padding.fill(value),
            Pad::Floor => {
                columns.fill([f64::from(lowest); LANES]);
                for values in padding.chunks_mut(LANES * n_mfcc) {
                    transform(&self.cosines, columns, values);
                }
            }
        }
        Ok(kept + added)
    }
}

vectorized! {
    /// Transforms a frame a lane.
    ///
    /// - `columns`: `[n_mels, LANES]`
    /// - `values`: receives `[frames, n_mfcc]`, at most [`LANES`] frames
    fn transform(cosines: &[f64], columns: &[[f64; LANES]], values: &mut [f32]) {
        let n_mfcc = cosines.len() / columns.len();
        for (coefficient, cosines) in cosines.chunks_exact(columns.len()).enumerate() {
            let mut sums = [0.0; LANES];
            for (column, cosine) in columns.iter().zip(cosines) {
                for lane in 0..LANES {
                    sums[lane] += column[lane] * cosine;
                }
            }
            for (frame, sum) in values.chunks_exact_mut(n_mfcc).zip(sums) {
                frame[coefficient] = sum as f32;
            }
        }
    }
}

/// The first `n_mfcc` rows of the transform's matrix, liftered.
fn cosines(settings: &MfccSettings) -> Vec<f64> {
    let (n_mfcc, n_mels) = (settings.n_mfcc as usize, settings.bands.n_mels as usize);
    let (count, lifter) = (n_mels as f64, settings.lifter);
    (0..n_mfcc)
        .flat_map(|row| {
            let scale = if row == 0 { 1.0 / count } else { 2.0 / count }.sqrt();
            let raised = if lifter > 0.0 {
                1.0 + lifter / 2.0 * (PI * (row + 1) as f64 / lifter).sin()
            } else {
                1.0
            };
            (0..n_mels).map(move |band| {
                raised * scale * (PI * row as f64 * (2 * band + 1) as f64 / (2.0 * count)).cos()
            })
        })
        .collect()
}

#[cfg(test)]
#[path = "mfcc_tests.rs"]
mod tests;
