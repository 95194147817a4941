//! Power in mel bands, frame by frame, as librosa 0.11 computes it.
//!
//! `melspectrogram(center=True, pad_mode="constant", norm="slaney")`: what mel
//! spectrograms and MFCCs are made of.

use super::filters::Filters;
use super::transform::{Buffers, Transform};
use super::window::window;
use super::{TooLoud, TooShort, Unusable};
use crate::data::MelBands;

/// Frames that are computed before their bands are laid out: few enough for the
/// fastest memory, and enough for whole lines of it.
const BLOCK: usize = 16;

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
    transform: Transform,
    filters: Filters,
}

/// Buffers of one thread.
#[derive(Default)]
pub(in crate::data) struct Scratch {
    /// A frame that reaches beyond the samples.
    edge: Vec<f32>,
    transform: Buffers,
    power: Vec<f32>,
    /// `[BLOCK, n_mels]`: frames come one after the other.
    block: Vec<f32>,
    /// `[n_mels, computed]`: bands come one after the other.
    pub(super) bands: Vec<f32>,
    /// How many frames were computed.
    pub(super) computed: usize,
    /// For the transform of MFCCs.
    pub(super) columns: Vec<[f64; super::mfcc::LANES]>,
}

impl Bank {
    /// Plans the transform and computes window and filters.
    pub(super) fn new(settings: &MelBands) -> Self {
        Self {
            settings: *settings,
            window: window(settings),
            transform: Transform::new(settings.n_fft as usize),
            filters: Filters::new(settings),
        }
    }

    /// Buffers for [`Bank::power`].
    pub(super) fn scratch(&self) -> Scratch {
        Scratch {
            edge: vec![0.0; self.settings.n_fft as usize],
            transform: self.transform.buffers(),
            power: vec![0.0; Filters::padded(self.transform.bins())],
            block: vec![0.0; BLOCK * self.settings.n_mels as usize],
            ..Scratch::default()
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
    /// [`TooShort`] when there are fewer than `n_fft / 2` samples, or none;
    /// [`TooLoud`] when powers are beyond what single precision can hold.
    pub(super) fn power(
        &self,
        samples: &[f32],
        at_most: Option<usize>,
        scratch: &mut Scratch,
    ) -> Result<usize, Unusable> {
        let needed = min_samples(&self.settings);
        if samples.len() < needed {
            return Err(TooShort { samples: samples.len(), needed }.into());
        }
        let all = frames_of(samples.len(), &self.settings);
        let computed = at_most.map_or(all, |at_most| all.min(at_most));
        let n_mels = self.settings.n_mels as usize;
        let Scratch { edge, transform, power, block, bands, .. } = &mut *scratch;
        bands.resize(n_mels * computed, 0.0);
        for first in (0..computed).step_by(BLOCK) {
            let count = BLOCK.min(computed - first);
            for (frame, row) in (first..first + count).zip(block.chunks_exact_mut(n_mels)) {
                let frame = self.frame(samples, frame, edge);
                self.transform.power(frame, &self.window, transform, power);
                self.raise(&mut power[..self.transform.bins()]);
                self.filters.apply(power, row);
            }
            for (band, row) in bands.chunks_exact_mut(computed).enumerate() {
                for (value, frame) in row[first..first + count].iter_mut().zip(block.chunks(n_mels))
                {
                    *value = frame[band];
                }
            }
        }
        if !bands.iter().fold(true, |finite, &power| finite & (power <= f32::MAX)) {
            return Err(TooLoud.into());
        }
        scratch.computed = computed;
        Ok(all)
    }

    /// The samples of a frame, with zeros where it reaches beyond them.
    fn frame<'a>(&self, samples: &'a [f32], frame: usize, edge: &'a mut [f32]) -> &'a [f32] {
        // The frame covers `begin..begin + n_fft` of the signal after `half` zeros.
        let n_fft = self.settings.n_fft as usize;
        let half = n_fft / 2;
        let begin = frame * self.settings.hop_length as usize;
        if let Some(whole) =
            begin.checked_sub(half).and_then(|begin| samples.get(begin..begin + n_fft))
        {
            return whole;
        }
        let before = half.saturating_sub(begin).min(n_fft);
        let first = (begin + before - half).min(samples.len());
        let last = (begin + n_fft).saturating_sub(half).min(samples.len()).max(first);
        let after = before + (last - first);
        edge[..before].fill(0.0);
        edge[before..after].copy_from_slice(&samples[first..last]);
        edge[after..].fill(0.0);
        edge
    }

    /// Squared magnitudes to the power of the settings.
    fn raise(&self, squares: &mut [f32]) {
        let power = self.settings.power;
        if power == 1.0 {
            squares.iter_mut().for_each(|square| *square = square.sqrt());
        } else if power != 2.0 {
            squares.iter_mut().for_each(|square| {
                *square = f64::from(*square).powf(power / 2.0) as f32;
            });
        }
    }
}
