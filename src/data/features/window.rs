//! Windows of periodic signals, as `scipy.signal.get_window` gives them.
//!
//! Such a window is one of a signal that is longer by one sample, without its
//! last.

use std::f64::consts::{PI, TAU};

use crate::data::{MelBands, Window};

/// The window of a transform: in its middle, zero around it.
pub(super) fn window(settings: &MelBands) -> Vec<f64> {
    let n_fft = settings.n_fft as usize;
    let length = settings.win_length.map_or(n_fft, |length| length as usize);
    let before = (n_fft - length) / 2;
    let mut window = vec![0.0; n_fft];
    window[before..before + length].copy_from_slice(&values(settings.window, length));
    window
}

fn values(window: Window, length: usize) -> Vec<f64> {
    if length == 1 {
        return vec![1.0];
    }
    // Position in the signal that is longer by one: [0, 1), 0.5 in its middle.
    let position = |n: usize| n as f64 / length as f64;
    let by = |value: &dyn Fn(f64) -> f64| (0..length).map(|n| value(position(n))).collect();
    match window {
        Window::Hann => cosines(&[0.5, 0.5], length),
        Window::Hamming => cosines(&[0.54, 0.46], length),
        Window::Blackman => cosines(&[0.42, 0.50, 0.08], length),
        Window::BlackmanHarris => cosines(&[0.35875, 0.48829, 0.14128, 0.01168], length),
        Window::Nuttall => cosines(&[0.363_581_9, 0.489_177_5, 0.136_599_5, 0.010_641_1], length),
        Window::FlatTop => cosines(
            &[0.215_578_95, 0.416_631_58, 0.277_263_158, 0.083_578_947, 0.006_947_368],
            length,
        ),
        Window::Bartlett => by(&|x| 1.0 - (2.0 * x - 1.0).abs()),
        Window::Triang => triang(length),
        Window::Cosine => {
            let length = length as f64 + 1.0;
            (0..length as usize - 1).map(|n| (PI * (n as f64 + 0.5) / length).sin()).collect()
        }
        Window::Bohman => by(&|x| {
            let x = (2.0 * x - 1.0).abs();
            // The first is an end, where rounding would leave something.
            if x >= 1.0 { 0.0 } else { (1.0 - x) * (PI * x).cos() + (PI * x).sin() / PI }
        }),
        Window::Parzen => parzen(length),
        Window::Rectangular => vec![1.0; length],
    }
}

/// Sum of cosines of which each has one period more than the one before; signs
/// alternate.
fn cosines(factors: &[f64], length: usize) -> Vec<f64> {
    let value = |n: usize| {
        let angle = TAU * n as f64 / length as f64;
        factors
            .iter()
            .enumerate()
            .map(|(order, factor)| {
                let sign = if order % 2 == 0 { 1.0 } else { -1.0 };
                sign * factor * (order as f64 * angle).cos()
            })
            .sum()
    };
    (0..length).map(value).collect()
}

/// A triangle that does not reach zero.
fn triang(length: usize) -> Vec<f64> {
    let symmetric = length + 1;
    let half = symmetric.div_ceil(2);
    (0..length)
        .map(|n| {
            let from_end = (n + 1).min(symmetric - n) as f64;
            if symmetric.is_multiple_of(2) {
                (2.0 * from_end - 1.0) / symmetric as f64
            } else {
                from_end / half as f64
            }
        })
        .collect()
}

/// Four rectangles, each folded with the others.
fn parzen(length: usize) -> Vec<f64> {
    let symmetric = length as f64 + 1.0;
    (0..length)
        .map(|n| {
            let from_middle = (n as f64 - (symmetric - 1.0) / 2.0).abs();
            let x = from_middle / (symmetric / 2.0);
            if from_middle <= (symmetric - 1.0) / 4.0 {
                1.0 - 6.0 * x * x * (1.0 - x)
            } else {
                2.0 * (1.0 - x).powi(3)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(window: &[f64], expected: &[f64]) {
        assert_eq!(window.len(), expected.len());
        for (value, expected) in window.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-12, "{window:?} instead of {expected:?}");
        }
    }

    const ALL: [Window; 12] = [
        Window::Hann,
        Window::Hamming,
        Window::Blackman,
        Window::BlackmanHarris,
        Window::Nuttall,
        Window::FlatTop,
        Window::Bartlett,
        Window::Triang,
        Window::Cosine,
        Window::Bohman,
        Window::Parzen,
        Window::Rectangular,
    ];

    #[test]
    fn a_window_is_periodic_and_one_in_the_middle() {
        for window in ALL {
            for length in [2, 8, 64] {
                let values = values(window, length);
                assert_eq!(values.len(), length);
                let middle = values[length / 2];
                assert!((middle - 1.0).abs() < 1e-6, "{window:?}: {values:?}");
                for n in 1..length {
                    let mirrored = values[length - n];
                    assert!((values[n] - mirrored).abs() < 1e-12, "{window:?}: {values:?}");
                }
            }
            assert_eq!(values(window, 1), [1.0]);
        }
    }

    #[test]
    fn known_values() {
        assert_near(&values(Window::Hann, 4), &[0.0, 0.5, 1.0, 0.5]);
        assert_near(&values(Window::Hamming, 4), &[0.08, 0.54, 1.0, 0.54]);
        assert_near(&values(Window::Bartlett, 4), &[0.0, 0.5, 1.0, 0.5]);
        assert_near(&values(Window::Triang, 4), &[1.0 / 3.0, 2.0 / 3.0, 1.0, 2.0 / 3.0]);
        assert_near(&values(Window::Triang, 3), &[0.25, 0.75, 0.75]);
        assert_near(&values(Window::Rectangular, 3), &[1.0; 3]);
    }

    #[test]
    fn a_shorter_window_lies_in_the_middle() {
        let settings = MelBands {
            n_fft: 9,
            win_length: Some(4),
            window: Window::Rectangular,
            ..MelBands::LIBROSA
        };
        assert_eq!(window(&settings), [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    }
}
