//! Power spectra of frames, so many of them at once as fit a vector register.
//!
//! A frame is a lane: one and the same arithmetic is done for all of them, which
//! needs no shuffling within registers, and what follows, the filters, goes on in
//! the same manner. Powers of two, which nearly all settings have, are transformed
//! here (`lanes`); other lengths by a library, frame by frame (`other`).
//!
//! librosa transforms in double precision and so does this module: near the
//! floor, 80 dB below the loudest band, single precision would be 0.01 dB off.

mod lanes;
mod other;

use self::lanes::PowerOfTwo;
use self::other::Other;

/// Frames that are transformed at once.
pub(in crate::data::features) const LANES: usize = 8;

/// A transform that is planned once; shared by threads.
pub(in crate::data::features) enum Transform {
    PowerOfTwo(PowerOfTwo),
    Other(Other),
}

/// Buffers of one thread.
pub(in crate::data::features) enum Buffers {
    PowerOfTwo(lanes::Buffers),
    Other(other::Buffers),
}

impl Transform {
    /// - `window`: what frames of its length are multiplied by
    pub(in crate::data::features) fn new(window: Vec<f64>) -> Self {
        if window.len().is_power_of_two() && window.len() >= lanes::LEAST {
            Self::PowerOfTwo(PowerOfTwo::new(window))
        } else {
            Self::Other(Other::new(window))
        }
    }

    pub(in crate::data::features) fn buffers(&self) -> Buffers {
        match self {
            Self::PowerOfTwo(plan) => Buffers::PowerOfTwo(plan.buffers()),
            Self::Other(plan) => Buffers::Other(plan.buffers()),
        }
    }

    /// Squared magnitudes of the transforms of frames that are multiplied by the
    /// window.
    ///
    /// - `frames`: each as long as the window
    /// - `buffers`: of this transform
    /// - `power`: receives of each frequency from zero to half the sample rate,
    ///   [`bins`] of them, the power in each frame
    pub(in crate::data::features) fn power(
        &self,
        frames: &[&[f32]; LANES],
        buffers: &mut Buffers,
        power: &mut [[f32; LANES]],
    ) {
        match (self, buffers) {
            (Self::PowerOfTwo(plan), Buffers::PowerOfTwo(buffers)) => {
                plan.power(frames, buffers, power);
            }
            (Self::Other(plan), Buffers::Other(buffers)) => plan.power(frames, buffers, power),
            (Self::PowerOfTwo(_), Buffers::Other(_)) | (Self::Other(_), Buffers::PowerOfTwo(_)) => {
                unreachable!("buffers come from the transform")
            }
        }
    }
}

/// Number of frequencies from zero to half the sample rate.
pub(in crate::data::features) fn bins(n_fft: usize) -> usize {
    n_fft / 2 + 1
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn powers_are_those_of_the_definition() {
        let lengths = [2, 3, 4, 5, 6, 7, 8, 13, 16, 18, 64, 100, 101, 601];
        let powers_of_two = (0..=13).map(|power| lanes::LEAST << power);
        for n_fft in lengths.into_iter().chain(powers_of_two) {
            let sample = |lane: usize, n: usize| ((n * n + 3 * lane) as f32 * 0.7 + 0.3).sin();
            let frames: [Vec<f32>; LANES] =
                std::array::from_fn(|lane| (0..n_fft).map(|n| sample(lane, n)).collect());
            let window: Vec<f64> = (0..n_fft).map(|n| 0.5 + 0.01 * n as f64).collect();
            let transform = Transform::new(window.clone());
            let mut power = vec![[0.0; LANES]; bins(n_fft)];
            let frames = std::array::from_fn(|lane| frames[lane].as_slice());
            transform.power(&frames, &mut transform.buffers(), &mut power);

            // All of a long transform would take the definition too long.
            let stride = 1 + n_fft * n_fft / (1 << 22);
            for (lane, frame) in frames.iter().enumerate() {
                let total: f64 = power.iter().map(|power| f64::from(power[lane])).sum();
                for bin in (0..bins(n_fft)).step_by(stride).skip(lane).step_by(3) {
                    let (mut real, mut imaginary) = (0.0, 0.0);
                    for (n, (&sample, weight)) in frame.iter().zip(&window).enumerate() {
                        let angle = TAU * (bin * n % n_fft) as f64 / n_fft as f64;
                        real += f64::from(sample) * weight * angle.cos();
                        imaginary -= f64::from(sample) * weight * angle.sin();
                    }
                    let expected = real * real + imaginary * imaginary;
                    let found = power[bin][lane];
                    let error = (f64::from(found) - expected).abs();
                    assert!(
                        error < 1e-6 * expected + 1e-20 * total,
                        "{n_fft}, {lane}, {bin}: {found} for {expected}"
                    );
                }
            }
        }
    }
}
