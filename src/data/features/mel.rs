//! Mel spectrograms, as librosa 0.11 computes them.
//!
//! `melspectrogram` and, for decibels, `power_to_db(ref=np.max)`; see `bank` for
//! the settings. Golden files hold librosa's own results; their generator is
//! `scripts/golden/mel.py`.

use super::TooShort;
use super::bank::{Bank, Frames, Reference, Scratch, to_db};
use crate::data::MelSettings;

/// What is computed once for all recordings; shared by threads.
pub(super) struct Mel {
    bank: Bank,
    n_mels: usize,
    frames: Option<usize>,
    db: bool,
}

impl Mel {
    pub(super) fn new(settings: &MelSettings) -> Self {
        Self {
            bank: Bank::new(&settings.bands),
            n_mels: settings.bands.n_mels as usize,
            frames: settings.frames.map(|frames| frames as usize),
            db: settings.db,
        }
    }

    /// Buffers for [`Mel::spectrogram`].
    pub(super) fn scratch(&self) -> Scratch {
        self.bank.scratch()
    }

    /// Mel spectrogram of a recording or of a slice of one.
    ///
    /// - `samples`: mono, in [-1, 1], at the rate of the settings
    ///
    /// Returns `[n_mels, frames]` in C order: power, or decibels relative to the
    /// maximum, at least -80. Where the settings give `frames`, the end is cut
    /// off, or filled with no power (the lowest decibels there are).
    ///
    /// # Errors
    ///
    /// [`TooShort`] when there are fewer than `n_fft / 2` samples, or none.
    pub(super) fn spectrogram(
        &self,
        samples: &[f32],
        scratch: &mut Scratch,
    ) -> Result<Frames, TooShort> {
        // What is cut off still counts for the maximum that decibels refer to.
        let at_most = if self.db { None } else { self.frames };
        let all = self.bank.power(samples, at_most, scratch)?;
        let padding = if self.db { to_db(&mut scratch.bands, Reference::Maximum) } else { 0.0 };

        let frames = self.frames.unwrap_or(all);
        let kept = all.min(frames);
        let mut values = vec![padding; self.n_mels * frames];
        for (band, row) in values.chunks_exact_mut(frames).enumerate() {
            for (frame, value) in row[..kept].iter_mut().enumerate() {
                *value = scratch.bands[frame * self.n_mels + band];
            }
        }
        Ok(Frames { values, frames })
    }
}

#[cfg(test)]
#[path = "mel_tests.rs"]
mod tests;
