//! Which prior fits: the one under which the values are most plausible.
//!
//! Maximizes the logarithm of the marginal likelihood plus that of weak
//! priors over length scales, variance, noise and mean, by its exact slopes,
//! from a few starts.

use nalgebra::{DMatrix, DVector};

use super::kernel::{Kernel, Metric};
use super::minimize::minimize;
use super::process::{Prior, factored};
use crate::oracle::randomness::Random;

/// Bounds of a length scale; coordinates are in [0, 1].
const LENGTHS: (f64, f64) = (0.02, 100.0);
/// Bounds of the variance; values have variance 1.
const VARIANCES: (f64, f64) = (0.05, 100.0);
/// Bounds of the variance of the noise.
const NOISES: (f64, f64) = (1e-8, 1.0);
/// Bounds of the mean.
const MEANS: (f64, f64) = (-4.0, 4.0);

/// Centre and spread of what is believed of the logarithm of a length scale,
/// beside half the logarithm of the number of dimensions: distances grow so.
const LENGTH_CENTRE: f64 = -1.0;
const LENGTH_SPREAD: f64 = 1.0;
/// Centre and spread of what is believed of the logarithm of the noise.
const NOISE_CENTRE: f64 = -10.0;
const NOISE_SPREAD: f64 = 4.0;

/// Starts drawn at random, beside the two fixed ones.
const RANDOM_STARTS: usize = 2;
/// Steps from each start that are taken to find the most promising one.
const FIRST_STEPS: u32 = 12;
/// Further steps from that one.
const LAST_STEPS: u32 = 40;

/// Values at points, prepared for many priors.
pub(super) struct Evidence {
    metric: Metric,
    /// Squared differences of the pairs (1, 0), (2, 0), (2, 1), (3, 0) and so
    /// on, all dimensions of a pair side by side.
    squared: Vec<f64>,
    values: DVector<f64>,
}

impl Evidence {
    /// - `values`: one a point, of mean about 0 and variance about 1
    pub(super) fn new(metric: Metric, points: &[Vec<f64>], values: &[f64]) -> Self {
        let mut squared = Vec::with_capacity(points.len() * points.len() * metric.0.len() / 2);
        for (row, point) in points.iter().enumerate() {
            for other in &points[..row] {
                squared.extend(metric.squared(point, other));
            }
        }
        Self { metric, squared, values: DVector::from_column_slice(values) }
    }

    /// The prior that fits best.
    pub(super) fn best_prior(&self, random: &mut Random) -> Prior {
        let bounds = self.bounds();
        let mut found: Vec<(Vec<f64>, f64)> = self
            .starts(random)
            .iter()
            .map(|start| minimize(|at, slopes| self.cost(at, slopes), start, &bounds, FIRST_STEPS))
            .collect();
        found.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        let (start, _) = &found[0];
        let (best, _) = minimize(|at, slopes| self.cost(at, slopes), start, &bounds, LAST_STEPS);
        self.prior(&best)
    }

    fn dimensions(&self) -> usize {
        self.metric.0.len()
    }

    fn bounds(&self) -> Vec<(f64, f64)> {
        let logarithms = |(low, high): (f64, f64)| (low.ln(), high.ln());
        let mut bounds = vec![logarithms(LENGTHS); self.dimensions()];
        bounds.extend([logarithms(VARIANCES), logarithms(NOISES), MEANS]);
        bounds
    }

    /// A smooth function without noise, a noisy one, and some at random.
    fn starts(&self, random: &mut Random) -> Vec<Vec<f64>> {
        let start = |length: f64, noise: f64| {
            let mut start = vec![length.ln(); self.dimensions()];
            start.extend([0.0, noise.ln(), 0.0]);
            start
        };
        let typical = (self.dimensions() as f64).sqrt();
        let mut starts = vec![start(0.5 * typical, 1e-4), start(typical, 0.1)];
        for _ in 0..RANDOM_STARTS {
            let mut drawn = start(0.4 * typical, 1e-3);
            drawn[..self.dimensions() + 2].iter_mut().for_each(|at| *at += random.normal());
            starts.push(drawn);
        }
        starts
    }

    fn prior(&self, parameters: &[f64]) -> Prior {
        let (lengths, others) = parameters.split_at(self.dimensions());
        Prior {
            metric: self.metric.clone(),
            kernel: Kernel {
                variance: others[0].exp(),
                lengths: lengths.iter().map(|length| length.exp()).collect(),
            },
            noise: others[1].exp(),
            mean: others[2],
        }
    }

    /// What is to be minimized: minus the logarithm of the posterior of
    /// `parameters`, up to a constant; writes its slopes. Infinite where the
    /// covariance has no Cholesky factor.
    fn cost(&self, parameters: &[f64], slopes: &mut [f64]) -> f64 {
        let likelihood = self.log_likelihood(&self.prior(parameters), slopes);
        slopes.iter_mut().for_each(|slope| *slope = -*slope);
        let mut cost = -likelihood;
        let typical_length = 0.5 * (self.dimensions() as f64).ln();
        let lengths =
            std::iter::repeat_n((typical_length + LENGTH_CENTRE, LENGTH_SPREAD), self.dimensions());
        let beliefs = lengths.chain([(0.0, 1.0), (NOISE_CENTRE, NOISE_SPREAD), (0.0, 1.0)]);
        for (index, (centre, spread)) in beliefs.enumerate() {
            let away = (parameters[index] - centre) / spread;
            cost += 0.5 * away * away;
            slopes[index] += away / spread;
        }
        if cost.is_finite() { cost } else { f64::INFINITY }
    }

    /// Logarithm of the marginal likelihood, and its slopes by the logarithms
    /// of length scales, variance and noise, and by the mean.
    fn log_likelihood(&self, prior: &Prior, slopes: &mut [f64]) -> f64 {
        let (count, dimensions) = (self.values.len(), self.dimensions());
        let mut covariance = DMatrix::zeros(count, count);
        let mut pair_slopes = Vec::with_capacity(count * count / 2);
        let mut pairs = self.squared.chunks_exact(dimensions);
        for row in 0..count {
            for column in 0..row {
                let pair = pairs.next().expect("a row of differences for each pair");
                let pair = prior.kernel.at(pair.iter().copied());
                covariance[(row, column)] = pair.value;
                pair_slopes.push(pair.slope);
            }
            covariance[(row, row)] = prior.kernel.variance + prior.noise;
        }
        let Some(factor) = factored(covariance, prior.kernel.variance) else {
            return f64::NEG_INFINITY;
        };
        let above = self.values.add_scalar(-prior.mean);
        let weights = factor.solve(&above);
        let inverse = factor.inverse();

        // Half of (w wᵀ − K⁻¹) times the slope of K, summed over all entries.
        slopes.fill(0.0);
        let mut pairs = self.squared.chunks_exact(dimensions).zip(pair_slopes);
        for row in 0..count {
            for column in 0..row {
                let share = weights[row] * weights[column] - inverse[(row, column)];
                let (squared, slope) = pairs.next().expect("a row of differences for each pair");
                for (to, squared) in slopes.iter_mut().zip(squared) {
                    *to += share * slope * squared;
                }
            }
        }
        for (slope, length) in slopes.iter_mut().zip(&prior.kernel.lengths) {
            *slope /= length * length;
        }
        let on_noise = 0.5 * prior.noise * (weights.norm_squared() - inverse.trace());
        // K is the variance times something, plus the noise.
        slopes[dimensions] = 0.5 * (weights.dot(&above) - count as f64) - on_noise;
        slopes[dimensions + 1] = on_noise;
        slopes[dimensions + 2] = weights.sum();

        let half_logarithm = factor.l_dirty().diagonal().iter().map(|at| at.ln()).sum::<f64>();
        let constant = 0.5 * count as f64 * std::f64::consts::TAU.ln();
        -0.5 * above.dot(&weights) - half_logarithm - constant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Evidence {
        let points = [[0.1, 0.0], [0.4, 1.0], [0.9, 1.0], [0.6, 0.0]].map(Vec::from);
        Evidence::new(Metric(vec![true, false]), &points, &[-1.0, 0.5, 1.25, -0.75])
    }

    /// Length scales 0.5 and 2, variance 1.5, noise 0.01, mean 0.2.
    fn parameters() -> Vec<f64> {
        [0.5_f64, 2.0, 1.5, 0.01].map(f64::ln).into_iter().chain([0.2]).collect()
    }

    #[test]
    fn log_likelihood_equals_numpy() {
        // -0.5 (y - m)·K⁻¹(y - m) - 0.5 slogdet(K)[1] - 2 log(2 pi), with numpy.
        let evidence = evidence();
        let likelihood = evidence.log_likelihood(&evidence.prior(&parameters()), &mut [0.0; 5]);
        assert!((likelihood + 6.503711998214868).abs() < 1e-12, "{likelihood}");
    }

    #[test]
    fn slopes_are_finite_differences() {
        const H: f64 = 1e-6;
        let evidence = evidence();
        let mut slopes = [0.0; 5];
        evidence.cost(&parameters(), &mut slopes);
        for (index, slope) in slopes.into_iter().enumerate() {
            let cost = |by: f64| {
                let mut moved = parameters();
                moved[index] += by;
                evidence.cost(&moved, &mut [0.0; 5])
            };
            let difference = (cost(H) - cost(-H)) / (2.0 * H);
            assert!((slope - difference).abs() < 1e-6, "{index}: {slope} {difference}");
        }
    }

    #[test]
    fn finds_what_matters_and_how_noisy_it_is() {
        let mut random = Random::new([1, 2]);
        let points: Vec<Vec<f64>> = (0..40).map(|_| vec![random.unit(), random.unit()]).collect();
        let mut fitted = |noise: f64| {
            let values: Vec<f64> = points
                .iter()
                .map(|point| (6.0 * point[0]).sin() + noise * random.normal())
                .collect();
            let evidence = Evidence::new(Metric(vec![true, true]), &points, &values);
            evidence.best_prior(&mut Random::new([3, 4]))
        };
        let (exact, noisy) = (fitted(0.0), fitted(0.3));
        assert!(exact.kernel.lengths[1] > 4.0 * exact.kernel.lengths[0], "{exact:?}");
        assert!(exact.noise < 1e-4, "{exact:?}");
        assert!((0.03..0.3).contains(&noisy.noise), "{noisy:?}");
    }
}
