//! Mel spectrograms, as librosa 0.11 computes them.
//!
//! `melspectrogram` and, for decibels, `power_to_db`; see `bank` for the
//! settings. Golden files hold librosa's own results; their generator is
//! `scripts/golden/mel.py`.

use super::Unusable;
use super::bank::{Bank, Scratch};
use super::decibels::to_db;
use super::length::{Kept, kept, padding};
use crate::data::{Crop, MelSettings};

/// What is computed once for all recordings; shared by threads.
pub(super) struct Mel {
    bank: Bank,
    settings: MelSettings,
}

impl Mel {
    pub(super) fn new(settings: &MelSettings) -> Self {
        Self { bank: Bank::new(&settings.bands), settings: settings.clone() }
    }

    /// Appends the mel spectrogram of a recording or of a slice of one; returns
    /// its number of frames.
    ///
    /// - `samples`: mono, in [-1, 1], at the rate of the settings
    /// - `values`: receives `[n_mels, frames]` in C order: power, or decibels
    ///
    /// Where the settings give `frames`, what is too much is cut off, and what
    /// is missing is filled at the end.
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
        let MelSettings { frames, crop, pad, db, reference, top_db, .. } = self.settings;
        // What is cut off still counts for the maximum that decibels refer to.
        let at_most = if db || crop != Crop::Start { None } else { frames };
        let all = self.bank.power(samples, at_most.map(|frames| frames as usize), scratch)?;
        let floor = if db { to_db(&mut scratch.bands, reference, top_db) } else { 0.0 };

        let Kept { skipped, kept, added } = kept(all, frames, crop);
        values.reserve((kept + added) * self.settings.bands.n_mels as usize);
        let padding = padding(pad, floor);
        for band in scratch.bands.chunks_exact(scratch.computed) {
            values.extend_from_slice(&band[skipped..skipped + kept]);
            values.resize(values.len() + added, padding);
        }
        Ok(kept + added)
    }
}

#[cfg(test)]
#[path = "mel_tests.rs"]
pub(super) mod tests;
