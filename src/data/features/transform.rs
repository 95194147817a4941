//! The power spectrum of a frame.
//!
//! Real samples are taken in pairs for complex numbers, which a transform of
//! half the length suffices for; `unpack` takes its result apart. An odd number
//! of samples has a complex transform of its own length.
//!
//! librosa transforms in double precision and so does this module: near the
//! floor, 80 dB below the loudest band, single precision would be 0.01 dB off.

use std::f64::consts::TAU;
use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::vector::vectorized;

/// A transform that is planned once; shared by threads.
pub(super) struct Transform {
    n_fft: usize,
    plan: Arc<dyn Fft<f64>>,
    /// Of half the length of the whole transform.
    twiddles: Parts,
}

/// Buffers of one thread.
#[derive(Default)]
pub(super) struct Buffers {
    numbers: Vec<Complex<f64>>,
    plan: Vec<Complex<f64>>,
    parts: Parts,
    rising: Vec<f32>,
    falling: Vec<f32>,
}

/// Complex numbers with like parts side by side.
#[derive(Default)]
struct Parts {
    real: Vec<f64>,
    imaginary: Vec<f64>,
}

impl Transform {
    pub(super) fn new(n_fft: usize) -> Self {
        let length = if n_fft.is_multiple_of(2) { n_fft / 2 } else { n_fft };
        let angle = |k: usize| TAU * k as f64 / n_fft as f64;
        let twiddles = if n_fft.is_multiple_of(2) {
            // exp(-i angle) / 2i
            Parts {
                real: (0..pairs(length)).map(|k| -0.5 * angle(k + 1).sin()).collect(),
                imaginary: (0..pairs(length)).map(|k| -0.5 * angle(k + 1).cos()).collect(),
            }
        } else {
            Parts::default()
        };
        Self { n_fft, plan: FftPlanner::new().plan_fft_forward(length), twiddles }
    }

    /// Number of frequencies from zero to half the sample rate.
    pub(super) fn bins(&self) -> usize {
        self.n_fft / 2 + 1
    }

    pub(super) fn buffers(&self) -> Buffers {
        let length = self.plan.len();
        Buffers {
            numbers: vec![Complex::default(); length],
            plan: vec![Complex::default(); self.plan.get_inplace_scratch_len()],
            parts: Parts { real: vec![0.0; length], imaginary: vec![0.0; length] },
            rising: vec![0.0; self.twiddles.real.len()],
            falling: vec![0.0; self.twiddles.real.len()],
        }
    }

    /// Squared magnitudes of the transform of `frame * window`.
    ///
    /// - `frame`, `window`: `n_fft` numbers
    /// - `power`: receives [`Transform::bins`] numbers
    pub(super) fn power(
        &self,
        frame: &[f32],
        window: &[f64],
        buffers: &mut Buffers,
        power: &mut [f32],
    ) {
        let Buffers { numbers, plan, parts, rising, falling } = buffers;
        if !self.n_fft.is_multiple_of(2) {
            for ((number, &sample), weight) in numbers.iter_mut().zip(frame).zip(window) {
                *number = Complex::new(f64::from(sample) * weight, 0.0);
            }
            self.plan.process_with_scratch(numbers, plan);
            for (power, number) in power.iter_mut().zip(&numbers[..self.bins()]) {
                *power = number.norm_sqr() as f32;
            }
            return;
        }
        pair_up(frame, window, numbers);
        self.plan.process_with_scratch(numbers, plan);
        take_apart(numbers, &mut parts.real, &mut parts.imaginary);
        unpack(parts, &self.twiddles, rising, falling);

        let length = numbers.len();
        let (first, pairs) = (numbers[0], rising.len());
        power[0] = ((first.re + first.im) * (first.re + first.im)) as f32;
        power[length] = ((first.re - first.im) * (first.re - first.im)) as f32;
        power[1..=pairs].copy_from_slice(rising);
        // Falling from `length - 1` on; the one in the middle is its own pair.
        for (power, &value) in power[length - pairs..length].iter_mut().rev().zip(&*falling) {
            *power = value;
        }
        if length.is_multiple_of(2) {
            power[length / 2] = numbers[length / 2].norm_sqr() as f32;
        }
    }
}

/// How many bins of a complex transform have another that is their mirror image.
fn pairs(length: usize) -> usize {
    (length - 1) / 2
}

vectorized! {
    /// Multiplies by the window, and takes pairs for complex numbers.
    fn pair_up(frame: &[f32], window: &[f64], numbers: &mut [Complex<f64>]) {
        const LANES: usize = 4;
        let pair = |sample: &[f32; 2], weight: &[f64; 2]| {
            Complex::new(f64::from(sample[0]) * weight[0], f64::from(sample[1]) * weight[1])
        };
        let (frame, window) = (frame.as_chunks::<2>().0, window.as_chunks::<2>().0);
        let (frames, last_frame) = frame.as_chunks::<LANES>();
        let (windows, last_window) = window.as_chunks::<LANES>();
        let (blocks, last) = numbers.as_chunks_mut::<LANES>();
        for ((block, frame), window) in blocks.iter_mut().zip(frames).zip(windows) {
            let weighed: [[f64; 2]; LANES] = std::array::from_fn(|lane| {
                let (sample, weight) = (frame[lane], window[lane]);
                [f64::from(sample[0]) * weight[0], f64::from(sample[1]) * weight[1]]
            });
            *block = std::array::from_fn(|lane| Complex::new(weighed[lane][0], weighed[lane][1]));
        }
        for ((number, frame), window) in last.iter_mut().zip(last_frame).zip(last_window) {
            *number = pair(frame, window);
        }
    }
}

vectorized! {
    fn take_apart(numbers: &[Complex<f64>], real: &mut [f64], imaginary: &mut [f64]) {
        for ((number, real), imaginary) in numbers.iter().zip(real).zip(imaginary) {
            *real = number.re;
            *imaginary = number.im;
        }
    }
}

vectorized! {
    /// From the transform of pairs to the power of each bin.
    ///
    /// With `Z` for it, `N` for its length and `W(k) = exp(-i tau k / 2N)`, the
    /// transform of the samples is `X(k) = (Z(k) + Z*(N-k)) / 2 + W(k) (Z(k) -
    /// Z*(N-k)) / 2i`; and `X*(N-k)` is the same with a minus.
    ///
    /// - `rising`: receives `|X(k)|^2` of the bins 1, 2, ...
    /// - `falling`: the same of the bins N-1, N-2, ...
    fn unpack(parts: &Parts, twiddles: &Parts, rising: &mut [f32], falling: &mut [f32]) {
        let pairs = rising.len();
        let length = parts.real.len();
        let (real, imaginary) = (&parts.real[1..=pairs], &parts.imaginary[1..=pairs]);
        let (mirrored_real, mirrored_imaginary) =
            (&parts.real[length - pairs..], &parts.imaginary[length - pairs..]);
        let (cosines, sines) = (&twiddles.real[..pairs], &twiddles.imaginary[..pairs]);
        let falling = &mut falling[..pairs];
        for k in 0..pairs {
            let mirrored = pairs - 1 - k;
            let even_real = 0.5 * (real[k] + mirrored_real[mirrored]);
            let even_imaginary = 0.5 * (imaginary[k] - mirrored_imaginary[mirrored]);
            let difference_real = real[k] - mirrored_real[mirrored];
            let difference_imaginary = imaginary[k] + mirrored_imaginary[mirrored];
            let odd_real = cosines[k] * difference_real - sines[k] * difference_imaginary;
            let odd_imaginary = cosines[k] * difference_imaginary + sines[k] * difference_real;
            let (sum_real, sum_imaginary) =
                (even_real + odd_real, even_imaginary + odd_imaginary);
            let (rest_real, rest_imaginary) =
                (even_real - odd_real, even_imaginary - odd_imaginary);
            rising[k] = (sum_real * sum_real + sum_imaginary * sum_imaginary) as f32;
            falling[k] = (rest_real * rest_real + rest_imaginary * rest_imaginary) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_those_of_the_definition() {
        for n_fft in [2, 3, 4, 5, 6, 7, 8, 12, 13, 16, 18, 64, 100, 101, 600, 601] {
            let frame: Vec<f32> = (0..n_fft).map(|n| ((n * n) as f32 * 0.7 + 0.3).sin()).collect();
            let window: Vec<f64> = (0..n_fft).map(|n| 0.5 + 0.01 * n as f64).collect();
            let transform = Transform::new(n_fft);
            let mut power = vec![0.0; transform.bins() + 3];
            transform.power(&frame, &window, &mut transform.buffers(), &mut power);
            let total: f64 = power.iter().map(|&power| f64::from(power)).sum();
            for (bin, &power) in power[..transform.bins()].iter().enumerate() {
                let (mut real, mut imaginary) = (0.0, 0.0);
                for (n, (&sample, weight)) in frame.iter().zip(&window).enumerate() {
                    let angle = TAU * (bin * n % n_fft) as f64 / n_fft as f64;
                    real += f64::from(sample) * weight * angle.cos();
                    imaginary -= f64::from(sample) * weight * angle.sin();
                }
                let expected = real * real + imaginary * imaginary;
                let error = (f64::from(power) - expected).abs();
                assert!(error < 1e-6 * expected + 1e-20 * total, "{n_fft}, {bin}: {power}");
            }
        }
    }
}
