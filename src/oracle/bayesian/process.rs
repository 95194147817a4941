//! A Gaussian process: what is known of a function from noisy values of it.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};

use super::kernel::{Kernel, Metric};

/// First addition to the diagonal of a matrix that has no Cholesky factor.
const FIRST_JITTER: f64 = 1e-10;
/// The last one: more than the matrix itself.
const LAST_JITTER: f64 = 10.0;
/// No smaller variance is told from 0.
const MIN_VARIANCE: f64 = 1e-18;

/// What is assumed of the function before any value is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prior {
    pub(super) metric: Metric,
    pub(super) kernel: Kernel,
    /// Variance of the noise.
    pub(super) noise: f64,
    /// Mean of the function.
    pub(super) mean: f64,
}

/// The function, given its values at some points.
pub(super) struct Process {
    prior: Prior,
    points: Vec<Vec<f64>>,
    factor: Cholesky<f64, Dyn>,
    /// Inverse covariance times what the values are above the mean.
    weights: DVector<f64>,
}

/// What is known of the function at one point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Prediction {
    pub(super) mean: f64,
    /// Standard deviation of the function, without noise.
    pub(super) deviation: f64,
}

/// How a [`Prediction`] changes with each coordinate; 0 along categories.
pub(super) struct Slopes {
    pub(super) mean: Vec<f64>,
    pub(super) deviation: Vec<f64>,
}

impl Process {
    /// Conditions the prior on one value a point. Absent when the covariance
    /// has no Cholesky factor whatever is added to its diagonal: numbers that
    /// are not finite.
    pub(super) fn new(prior: Prior, points: Vec<Vec<f64>>, values: &[f64]) -> Option<Self> {
        let covariance = prior.covariance(&points);
        let factor = factored(covariance, prior.kernel.variance)?;
        let above = values.iter().map(|value| value - prior.mean);
        let weights = factor.solve(&DVector::from_iterator(values.len(), above));
        weights.iter().all(|weight| weight.is_finite()).then_some(Self {
            prior,
            points,
            factor,
            weights,
        })
    }

    pub(super) fn prior(&self) -> &Prior {
        &self.prior
    }

    pub(super) fn points(&self) -> &[Vec<f64>] {
        &self.points
    }

    pub(super) fn predict(&self, at: &[f64]) -> Prediction {
        let Prior { metric, kernel, mean, .. } = &self.prior;
        let covariances =
            self.points.iter().map(|point| kernel.at(metric.squared(at, point)).value);
        let covariances = DVector::from_iterator(self.points.len(), covariances);
        let explained = self.factor.l_dirty().solve_lower_triangular(&covariances);
        let explained = explained.map_or(0.0, |explained| explained.norm_squared());
        Prediction {
            mean: mean + covariances.dot(&self.weights),
            deviation: (kernel.variance - explained).max(MIN_VARIANCE).sqrt(),
        }
    }

    /// As [`predict`](Self::predict), with slopes.
    pub(super) fn predict_with_slopes(&self, at: &[f64]) -> (Prediction, Slopes) {
        let Prior { metric, kernel, mean, .. } = &self.prior;
        let pairs = self.points.iter().map(|point| kernel.at(metric.squared(at, point)));
        let pairs: Vec<_> = pairs.collect();
        let covariances = DVector::from_iterator(pairs.len(), pairs.iter().map(|pair| pair.value));
        let explaining = self.factor.solve(&covariances);
        let variance = kernel.variance - covariances.dot(&explaining);
        let deviation = variance.max(MIN_VARIANCE).sqrt();
        let prediction = Prediction { mean: mean + covariances.dot(&self.weights), deviation };

        let mut slopes = Slopes { mean: vec![0.0; at.len()], deviation: vec![0.0; at.len()] };
        for (index, (point, pair)) in self.points.iter().zip(&pairs).enumerate() {
            for (dimension, difference) in metric.differences(at, point).enumerate() {
                if !metric.0[dimension] {
                    continue;
                }
                let length = kernel.lengths[dimension];
                let slope = -pair.slope * difference / (length * length);
                slopes.mean[dimension] += slope * self.weights[index];
                if variance > MIN_VARIANCE {
                    slopes.deviation[dimension] -= slope * explaining[index] / deviation;
                }
            }
        }
        (prediction, slopes)
    }
}

impl Prior {
    /// Of noisy values at some points; the lower half.
    fn covariance(&self, points: &[Vec<f64>]) -> DMatrix<f64> {
        let count = points.len();
        let mut covariance = DMatrix::zeros(count, count);
        for column in 0..count {
            for row in column + 1..count {
                let squared = self.metric.squared(&points[row], &points[column]);
                covariance[(row, column)] = self.kernel.at(squared).value;
            }
            covariance[(column, column)] = self.kernel.variance + self.noise;
        }
        covariance
    }
}

/// The Cholesky factor, of a matrix with as much added to its diagonal as that
/// takes; only the lower half is read.
///
/// - `scale`: size of the diagonal
pub(super) fn factored(matrix: DMatrix<f64>, scale: f64) -> Option<Cholesky<f64, Dyn>> {
    let mut jitter = 0.0;
    while jitter <= LAST_JITTER {
        let mut mended = matrix.clone();
        for index in 0..matrix.nrows() {
            mended[(index, index)] += jitter * scale;
        }
        if let Some(factor) = Cholesky::new(mended) {
            return Some(factor);
        }
        jitter = (10.0 * jitter).max(FIRST_JITTER);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prior(noise: f64) -> Prior {
        Prior {
            metric: Metric(vec![true, false]),
            kernel: Kernel { variance: 1.5, lengths: vec![0.5, 2.0] },
            noise,
            mean: 0.2,
        }
    }

    const POINTS: [[f64; 2]; 4] = [[0.1, 0.0], [0.4, 1.0], [0.9, 1.0], [0.6, 0.0]];
    const VALUES: [f64; 4] = [-1.0, 0.5, 1.25, -0.75];

    fn points() -> Vec<Vec<f64>> {
        POINTS.map(Vec::from).to_vec()
    }

    #[test]
    fn interpolates_without_noise() {
        let process = Process::new(prior(0.0), points(), &VALUES).expect("a process");
        for (point, value) in POINTS.iter().zip(VALUES) {
            let prediction = process.predict(point);
            assert!((prediction.mean - value).abs() < 1e-9, "{prediction:?}");
            assert!(prediction.deviation < 1e-6, "{prediction:?}");
        }
        let far = process.predict(&[40.0, 2.0]);
        assert!((far.mean - 0.2).abs() < 1e-9 && (far.deviation - 1.5_f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn equals_numpy() {
        // K = v (1 + s + s²/3) exp(-s) + n I with s = sqrt(5) r; m + k·K⁻¹(y - m), and
        // sqrt(v - k·K⁻¹k), by numpy.linalg.solve, for v 1.5, n 0.01, m 0.2.
        let process = Process::new(prior(0.01), points(), &VALUES).expect("a process");
        let prediction = process.predict(&[0.3, 1.0]);
        assert!((prediction.mean - 0.3184808974776672).abs() < 1e-12, "{prediction:?}");
        assert!((prediction.deviation - 0.23299751041215255).abs() < 1e-12, "{prediction:?}");
    }

    #[test]
    fn slopes_are_finite_differences() {
        const H: f64 = 1e-6;
        let process = Process::new(prior(0.01), points(), &VALUES).expect("a process");
        for at in [[0.3, 1.0], [0.7, 0.0], [0.05, 2.0]] {
            let (prediction, slopes) = process.predict_with_slopes(&at);
            let plain = process.predict(&at);
            assert!((prediction.mean - plain.mean).abs() < 1e-12);
            assert!((prediction.deviation - plain.deviation).abs() < 1e-12);
            let (up, down) =
                (process.predict(&[at[0] + H, at[1]]), process.predict(&[at[0] - H, at[1]]));
            assert!((slopes.mean[0] - (up.mean - down.mean) / (2.0 * H)).abs() < 1e-6);
            let deviation = (up.deviation - down.deviation) / (2.0 * H);
            assert!((slopes.deviation[0] - deviation).abs() < 1e-6);
            assert_eq!((slopes.mean[1], slopes.deviation[1]), (0.0, 0.0));
        }
    }

    #[test]
    fn one_point_twice_is_no_singularity() {
        let twice = vec![vec![0.3, 0.0]; 3];
        let process = Process::new(prior(0.0), twice, &[1.0, 2.0, 3.0]).expect("a process");
        assert!((process.predict(&[0.3, 0.0]).mean - 2.0).abs() < 1e-3);
    }

    #[test]
    fn values_that_are_not_numbers_give_no_process() {
        assert!(Process::new(prior(0.1), points(), &[f64::NAN; 4]).is_none());
        let endless = vec![vec![f64::NAN, 0.0]; 2];
        assert!(Process::new(prior(0.1), endless, &[0.0, 1.0]).is_none());
    }
}
