//! The kernel of a number: a normal distribution cut off at 0 and 1.

use std::f64::consts::{PI, SQRT_2};

use crate::oracle::randomness::Random;

/// Tries of a draw before the centre is taken. Each falls inside with
/// probability 1/3 or more, so that this is never seen.
const MAX_TRIES: u32 = 100;

/// A normal distribution under the condition that it falls in [0, 1].
///
/// Its centre is in [0, 1] and its width, the standard deviation before it is
/// cut off, in (0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Kernel {
    pub(super) centre: f64,
    pub(super) width: f64,
}

impl Kernel {
    /// What is believed of a number before anything is seen: almost even.
    pub(super) const PRIOR: Self = Self { centre: 0.5, width: 1.0 };

    /// Logarithm of the probability of an interval of [0, 1].
    pub(super) fn log_probability(&self, from: f64, to: f64) -> f64 {
        (self.mass(from, to) / self.mass(0.0, 1.0)).ln()
    }

    /// Logarithm of the density at the centre. Elsewhere in [0, 1] it is lower
    /// by half the square of the distance in widths.
    pub(super) fn log_peak(&self) -> f64 {
        -(self.width * (2.0 * PI).sqrt() * self.mass(0.0, 1.0)).ln()
    }

    /// A draw, in [0, 1].
    pub(super) fn draw(&self, random: &mut Random) -> f64 {
        (0..MAX_TRIES)
            .map(|_| self.centre + self.width * random.normal())
            .find(|at| (0.0..=1.0).contains(at))
            .unwrap_or(self.centre)
    }

    /// Probability of an interval before the cut.
    fn mass(&self, from: f64, to: f64) -> f64 {
        let scale = self.width * SQRT_2;
        let (from, to) = ((from - self.centre) / scale, (to - self.centre) / scale);
        // The difference of two small tails is exact, of two numbers near 1 it is not.
        let (near, far) = if from > 0.0 { (from, to) } else { (-to, -from) };
        (libm::erfc(near) - libm::erfc(far)) / 2.0
    }
}

/// The kernels around centres in ascending order (Optuna 5's widths).
///
/// A kernel reaches to the farther of its two neighbours, the outermost ones to
/// their only one; 0 and 1 are neighbours of a centre that is alone. Few
/// kernels are kept wide, since few centres do not show what lies between.
pub(super) fn around(centres: &[f64]) -> impl Iterator<Item = Kernel> {
    let narrowest = 1.0 / (centres.len() as f64 + 2.0).min(100.0);
    centres.iter().enumerate().map(move |(rank, &centre)| {
        let below = rank.checked_sub(1).map(|rank| centre - centres[rank]);
        let above = centres.get(rank + 1).map(|next| next - centre);
        let reach = match (below, above) {
            (Some(below), Some(above)) => below.max(above),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => centre.max(1.0 - centre),
        };
        Kernel { centre, width: reach.clamp(narrowest, 1.0) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNELS: [Kernel; 5] = [
        Kernel::PRIOR,
        Kernel { centre: 0.0, width: 0.01 },
        Kernel { centre: 1.0, width: 1.0 },
        Kernel { centre: 0.3, width: 0.2 },
        Kernel { centre: 0.97, width: 0.05 },
    ];

    #[test]
    fn kernels_integrate_to_one() {
        const PARTS: u32 = 20_000;
        for kernel in KERNELS {
            let density = |at: f64| {
                let widths = (at - kernel.centre) / kernel.width;
                (kernel.log_peak() - widths * widths / 2.0).exp()
            };
            let parts = (0..PARTS).map(|part| density((f64::from(part) + 0.5) / f64::from(PARTS)));
            let integral = parts.sum::<f64>() / f64::from(PARTS);
            assert!((integral - 1.0).abs() < 1e-6, "{kernel:?}: {integral}");
        }
    }

    #[test]
    fn probabilities_of_intervals_add_up_and_equal_the_integral_of_the_density() {
        for kernel in KERNELS {
            let probability = |from, to| kernel.log_probability(from, to).exp();
            let sum: f64 =
                (0..7).map(|n| probability(f64::from(n) / 7.0, f64::from(n + 1) / 7.0)).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{kernel:?}: {sum}");
            let (at, half) = (0.31, 1e-5);
            let widths = (at - kernel.centre) / kernel.width;
            let density = (kernel.log_peak() - widths * widths / 2.0).exp();
            let interval = probability(at - half, at + half) / (2.0 * half);
            assert!((interval - density).abs() <= 1e-6 * density.max(1e-6), "{kernel:?}");
        }
    }

    #[test]
    fn draws_follow_the_distribution() {
        const DRAWS: u32 = 20_000;
        let mut random = Random::new([7, 0]);
        for kernel in KERNELS {
            let split = kernel.centre.clamp(0.1, 0.9);
            let below = (0..DRAWS).filter(|_| {
                let at = kernel.draw(&mut random);
                assert!((0.0..=1.0).contains(&at));
                at < split
            });
            let share = below.count() as f64 / f64::from(DRAWS);
            let expected = kernel.log_probability(0.0, split).exp();
            assert!((share - expected).abs() < 0.02, "{kernel:?}: {share}, not {expected}");
        }
    }

    /// Widths of Optuna 5.0.0's `_ParzenEstimator` on [0, 1].
    #[test]
    fn widths_equal_optunas() {
        for (centres, expected) in [
            (vec![], vec![]),
            (vec![0.3], vec![0.7]),
            (vec![0.2, 0.9], vec![0.7, 0.7]),
            (vec![0.1, 0.5, 0.5, 0.5, 0.8], vec![0.4, 0.4, 1.0 / 7.0, 0.3, 0.3]),
        ] {
            let found: Vec<f64> = around(&centres).map(|kernel| kernel.width).collect();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-12, "{centres:?}: {found}, not {expected}");
            }
        }
        let many: Vec<f64> = (0..500).map(|n| f64::from(n) / 500.0).collect();
        assert!(around(&many).all(|kernel| (kernel.width - 0.01).abs() < 1e-12));
    }
}
