//! Power in mel bands, frame by frame, as librosa 0.11 computes it.
//!
//! `melspectrogram(center=True, pad_mode="constant", norm="slaney")`: what mel
//! spectrograms and MFCCs are made of.

use super::filters::Filters;
use super::transform::{Buffers, LANES, Transform, bins};
use super::window::window;
use super::{TooLoud, TooShort, Unusable};
use crate::data::MelBands;

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
    transform: Transform,
    filters: Filters,
}

/// Buffers of one thread.
#[derive(Default)]
pub(in crate::data) struct Scratch {
    /// Memory of the last recording.
    pub(super) samples: Vec<f32>,
    /// Frames that reach beyond the samples.
    edges: [Vec<f32>; LANES],
    transform: Option<Buffers>,
    /// `[bins, LANES]`
    power: Vec<[f32; LANES]>,
    /// `[n_mels, LANES]`
    block: Vec<[f32; LANES]>,
    /// `[n_mels, computed]`: bands come one after the other.
    pub(super) bands: Vec<f32>,
    /// How many frames were computed.
    pub(super) computed: usize,
    /// For the transform of MFCCs.
    pub(super) columns: Vec<[f64; LANES]>,
}

impl Bank {
    /// Plans the transform and computes window and filters.
    pub(super) fn new(settings: &MelBands) -> Self {
        Self {
            settings: *settings,
            transform: Transform::new(window(settings)),
            filters: Filters::new(settings),
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
        let Scratch { edges, transform, power, block, bands, .. } = &mut *scratch;
        let transform = transform.get_or_insert_with(|| self.transform.buffers());
        power.resize(bins(self.settings.n_fft as usize), [0.0; LANES]);
        block.resize(n_mels, [0.0; LANES]);
        bands.resize(n_mels * computed, 0.0);
        for first in (0..computed).step_by(LANES) {
            let count = LANES.min(computed - first);
            // Where there are fewer, the last is computed again.
            let frame = |lane: usize| first + lane.min(count - 1);
            for (lane, edge) in edges.iter_mut().enumerate() {
                self.fill_edge(samples, frame(lane), edge);
            }
            let frames: [&[f32]; LANES] = std::array::from_fn(|lane| {
                self.whole(samples, frame(lane)).unwrap_or(&edges[lane])
            });
            self.transform.power(&frames, transform, power);
            self.raise(power.as_flattened_mut());
            self.filters.apply(power, block);
            for (row, band) in bands.chunks_exact_mut(computed).zip(&*block) {
                row[first..first + count].copy_from_slice(&band[..count]);
            }
        }
        if !bands.iter().fold(true, |finite, &power| finite & (power <= f32::MAX)) {
            return Err(TooLoud.into());
        }
        scratch.computed = computed;
        Ok(all)
    }

    /// The samples of a frame; none where it reaches beyond them.
    fn whole<'a>(&self, samples: &'a [f32], frame: usize) -> Option<&'a [f32]> {
        // The frame covers `begin..begin + n_fft` of the signal after half as many zeros.
        let n_fft = self.settings.n_fft as usize;
        let begin = (frame * self.settings.hop_length as usize).checked_sub(n_fft / 2)?;
        samples.get(begin..begin + n_fft)
    }

    /// Copies the samples of a frame that reaches beyond them, with zeros there.
    fn fill_edge(&self, samples: &[f32], frame: usize, edge: &mut Vec<f32>) {
        if self.whole(samples, frame).is_some() {
            return;
        }
        let n_fft = self.settings.n_fft as usize;
        let half = n_fft / 2;
        let begin = frame * self.settings.hop_length as usize;
        let before = half.saturating_sub(begin).min(n_fft);
        let first = (begin + before - half).min(samples.len());
        let last = (begin + n_fft).saturating_sub(half).min(samples.len()).max(first);
        edge.clear();
        edge.resize(before, 0.0);
        edge.extend_from_slice(&samples[first..last]);
        edge.resize(n_fft, 0.0);
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
