//! What a point promises: the less is known and the better it looks, the more.
//!
//! Values are minimized. Promises are only compared with each other.

use super::process::{Prediction, Process};

/// How promises are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Acquisition {
    /// Logarithm of the expected improvement. Where improvement is all but
    /// impossible its logarithm still has a slope to follow.
    ExpectedImprovement {
        /// The value to be improved.
        best: f64,
    },
    /// Upper confidence bound of what is gained.
    ConfidenceBound {
        /// How many standard deviations count.
        beta: f64,
    },
}

impl Acquisition {
    /// The promise of a point.
    pub(super) fn of(self, process: &Process, point: &[f64]) -> f64 {
        self.promise(process.predict(point)).value
    }

    /// The promise of a point, and its slopes.
    pub(super) fn with_slopes(self, process: &Process, point: &[f64]) -> (f64, Vec<f64>) {
        let (prediction, slopes) = process.predict_with_slopes(point);
        let promise = self.promise(prediction);
        let slopes = slopes
            .mean
            .iter()
            .zip(&slopes.deviation)
            .map(|(mean, deviation)| promise.by_mean * mean + promise.by_deviation * deviation);
        (promise.value, slopes.collect())
    }

    fn promise(self, Prediction { mean, deviation }: Prediction) -> Promise {
        match self {
            Self::ExpectedImprovement { best } => {
                let standing = (best - mean) / deviation;
                let gain = Gain::at(standing);
                Promise {
                    value: gain.logarithm + deviation.ln(),
                    by_mean: -gain.slope / deviation,
                    by_deviation: (1.0 - gain.slope * standing) / deviation,
                }
            }
            Self::ConfidenceBound { beta } => {
                Promise { value: beta * deviation - mean, by_mean: -1.0, by_deviation: beta }
            }
        }
    }
}

/// A promise and how it grows with the mean and the deviation.
struct Promise {
    value: f64,
    by_mean: f64,
    by_deviation: f64,
}

/// Logarithm of φ(z) + z Φ(z), and its slope.
struct Gain {
    logarithm: f64,
    slope: f64,
}

/// Below this φ(z) + z Φ(z) cancels out, and a series in 1/z² is exact.
const FAR: f64 = -25.0;

impl Gain {
    fn at(z: f64) -> Self {
        let log_density = -0.5 * z * z - 0.5 * std::f64::consts::TAU.ln();
        if z < FAR {
            let u = 1.0 / (z * z);
            let series = 1.0 - 3.0 * u * (1.0 - 5.0 * u * (1.0 - 7.0 * u));
            let tail = 1.0 - u * (1.0 - 3.0 * u * (1.0 - 5.0 * u));
            return Self { logarithm: log_density + (u * series).ln(), slope: -z * tail / series };
        }
        let below = 0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2);
        let gain = log_density.exp() + z * below;
        Self { logarithm: gain.ln(), slope: below / gain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// z, log h and Φ / h, with h = φ(z) + z Φ(z). Python with mpmath:
    /// `mp.dps = 800; h = npdf(z) + z * ncdf(z); print(z, log(h), ncdf(z) / h)`
    const GAINS: [(f64, f64, f64); 8] = [
        (2.0, 0.6973835457882284, 0.48655931878528386),
        (0.5, -0.3598276837450638, 0.9909227180041099),
        (0.0, -0.9189385332046728, 1.2533141373155003),
        (-1.0, -2.4851210257126413, 1.9042712333296918),
        (-5.0, -16.74430116266099, 5.361816241288088),
        (-24.9, -317.35848574266737, 24.97993695947114),
        (-25.1, -322.37440987246407, 25.179305997377543),
        (-100.0, -5010.12957880025, 100.01999400419587),
    ];

    #[test]
    fn logarithms_of_expected_improvement() {
        for (z, logarithm, slope) in GAINS {
            let gain = Gain::at(z);
            assert!((gain.logarithm / logarithm - 1.0).abs() < 1e-9, "{z}: {}", gain.logarithm);
            assert!((gain.slope / slope - 1.0).abs() < 1e-6, "{z}: {}", gain.slope);
        }
    }

    #[test]
    fn promises_by_their_formulas() {
        let prediction = Prediction { mean: 1.0, deviation: 2.0 };
        let improvement = Acquisition::ExpectedImprovement { best: 2.0 }.promise(prediction);
        assert!((improvement.value - (2.0_f64.ln() - 0.3598276837450638)).abs() < 1e-12);
        let bound = Acquisition::ConfidenceBound { beta: 2.6 }.promise(prediction);
        assert!((bound.value - 4.2).abs() < 1e-12);
    }

    #[test]
    fn slopes_are_finite_differences() {
        const H: f64 = 1e-6;
        for acquisition in [
            Acquisition::ExpectedImprovement { best: -0.3 },
            Acquisition::ConfidenceBound { beta: 2.6 },
        ] {
            for (mean, deviation) in [(0.2, 0.5), (-0.9, 0.1), (3.0, 0.4), (20.0, 0.3)] {
                let promise = |mean, deviation| acquisition.promise(Prediction { mean, deviation });
                let here = promise(mean, deviation);
                let by_mean =
                    promise(mean + H, deviation).value - promise(mean - H, deviation).value;
                let by_deviation =
                    promise(mean, deviation + H).value - promise(mean, deviation - H).value;
                for (slope, change) in [(here.by_mean, by_mean), (here.by_deviation, by_deviation)]
                {
                    let change = change / (2.0 * H);
                    assert!(
                        (slope - change).abs() < 1e-5 * (1.0 + change.abs()),
                        "{slope} {change}"
                    );
                }
            }
        }
    }
}
