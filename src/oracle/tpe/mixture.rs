//! A Parzen estimator: the density of points around those that were seen.
//!
//! Every point that was seen carries a kernel, which is a product of one factor
//! for each axis, and so does the prior, which comes last. Old points weigh
//! less.

use super::axis::{Axis, step_at};
use super::kernel::{self, Kernel};
use crate::oracle::randomness::Random;

/// The latest points have full weight; those before ramp up to it.
const FULL_WEIGHT: usize = 25;

/// A term whose logarithm is so much below that of the greatest is left out of
/// a sum: a million of them would not change the twelfth digit.
const NEGLIGIBLE: f64 = -42.0;

/// A density over points with one coordinate for each of some axes.
#[derive(Debug, Clone)]
pub(super) struct Mixture<'a> {
    /// One for each axis.
    factors: Vec<Factor<'a>>,
    /// Sums of the weights up to each kernel; the last is their total.
    weights_until: Vec<f64>,
    /// For each kernel the logarithm of its share of the weight and of what its
    /// factors have in common for all points.
    log_scales: Vec<f64>,
}

/// The kernels' factors of one axis.
#[derive(Debug, Clone)]
enum Factor<'a> {
    Continuous(Vec<Kernel>),
    Steps {
        edges: &'a [f64],
        /// Those that differ: most points have the value of their neighbours.
        distinct: Vec<Kernel>,
        /// Which of them each kernel has.
        which: Vec<usize>,
    },
    Categories {
        /// The category of each kernel but the prior.
        seen: Vec<f64>,
        count: usize,
        /// Probability that all categories share evenly, the seen one included;
        /// the rest is for the seen one alone. Of the prior it is 1.
        shared: f64,
    },
}

impl<'a> Mixture<'a> {
    /// The density around points that were seen.
    ///
    /// - `columns`: for each axis the coordinates of all points, oldest first
    pub(super) fn new(axes: &[&'a Axis], columns: &[Vec<f64>]) -> Self {
        let seen = columns.first().map_or(0, Vec::len);
        let weights: Vec<f64> = (0..seen).map(|n| weight(n, seen)).chain([1.0]).collect();
        let mut total = 0.0;
        let mut weights_until = Vec::with_capacity(weights.len());
        for weight in &weights {
            total += weight;
            weights_until.push(total);
        }
        let factors: Vec<Factor<'a>> =
            axes.iter().zip(columns).map(|(axis, column)| Factor::new(axis, column)).collect();
        let mut log_scales: Vec<f64> = weights.iter().map(|weight| (weight / total).ln()).collect();
        for factor in &factors {
            if let Factor::Continuous(kernels) = factor {
                for (scale, kernel) in log_scales.iter_mut().zip(kernels) {
                    *scale += kernel.log_peak();
                }
            }
        }
        Self { factors, weights_until, log_scales }
    }

    /// A draw: one coordinate for each axis.
    pub(super) fn draw(&self, random: &mut Random) -> Vec<f64> {
        let total = self.weights_until.last().expect("the prior is always there");
        let at = random.unit() * total;
        let kernel = self.weights_until.partition_point(|until| *until <= at);
        let kernel = kernel.min(self.weights_until.len() - 1);
        self.factors.iter().map(|factor| factor.draw(kernel, random)).collect()
    }

    /// Logarithms of the densities at points. On stepped axes and categories
    /// it is the probability that counts.
    pub(super) fn log_densities(&self, points: &[Vec<f64>]) -> Vec<f64> {
        let mut logs = self.log_scales.clone();
        points
            .iter()
            .map(|point| {
                logs.copy_from_slice(&self.log_scales);
                for (factor, coordinate) in self.factors.iter().zip(point) {
                    factor.add_logs(*coordinate, &mut logs);
                }
                log_of_sum(&logs)
            })
            .collect()
    }
}

impl<'a> Factor<'a> {
    fn new(axis: &'a Axis, column: &[f64]) -> Self {
        match axis {
            Axis::Continuous => {
                let mut order: Vec<usize> = (0..column.len()).collect();
                order.sort_by(|a, b| column[*a].total_cmp(&column[*b]));
                let centres: Vec<f64> = order.iter().map(|n| column[*n]).collect();
                let mut kernels = vec![Kernel::PRIOR; column.len() + 1];
                for (n, kernel) in order.into_iter().zip(kernel::around(&centres)) {
                    kernels[n] = kernel;
                }
                Self::Continuous(kernels)
            }
            Axis::Steps { edges } => {
                let order = counted(column, edges.len() - 1);
                let middle = |step: usize| f64::midpoint(edges[step], edges[step + 1]);
                let centres: Vec<f64> = order.iter().map(|n| middle(column[*n] as usize)).collect();
                // The prior is number 0, and the last of all kernels.
                let (mut distinct, mut which) = (vec![Kernel::PRIOR], vec![0; column.len() + 1]);
                for (n, kernel) in order.into_iter().zip(kernel::around(&centres)) {
                    if distinct.last() != Some(&kernel) {
                        distinct.push(kernel);
                    }
                    which[n] = distinct.len() - 1;
                }
                Self::Steps { edges, distinct, which }
            }
            Axis::Categories { count } => {
                let prior = *count as f64 / (column.len() + 1) as f64;
                Self::Categories {
                    seen: column.to_vec(),
                    count: *count,
                    shared: prior / (1.0 + prior),
                }
            }
        }
    }

    fn draw(&self, kernel: usize, random: &mut Random) -> f64 {
        match self {
            Self::Continuous(kernels) => kernels[kernel].draw(random),
            Self::Steps { edges, distinct, which } => {
                step_at(edges, distinct[which[kernel]].draw(random)) as f64
            }
            Self::Categories { seen, count, shared } => match seen.get(kernel) {
                Some(category) if random.unit() >= *shared => *category,
                Some(_) | None => random.below(*count) as f64,
            },
        }
    }

    /// Adds for each kernel what depends on the coordinate.
    fn add_logs(&self, coordinate: f64, logs: &mut [f64]) {
        match self {
            Self::Continuous(kernels) => {
                for (log, kernel) in logs.iter_mut().zip(kernels) {
                    let widths = (coordinate - kernel.centre) / kernel.width;
                    *log -= widths * widths / 2.0;
                }
            }
            Self::Steps { edges, distinct, which } => {
                let step = coordinate as usize;
                let (from, to) = (edges[step], edges[step + 1]);
                let each: Vec<f64> =
                    distinct.iter().map(|kernel| kernel.log_probability(from, to)).collect();
                for (log, which) in logs.iter_mut().zip(which) {
                    *log += each[*which];
                }
            }
            Self::Categories { seen, count, shared } => {
                let even = 1.0 / *count as f64;
                let (same, other) = ((1.0 - shared + shared * even).ln(), (shared * even).ln());
                let (prior, others) = logs.split_last_mut().expect("the prior is always there");
                for (log, category) in others.iter_mut().zip(seen) {
                    *log += if *category == coordinate { same } else { other };
                }
                *prior += even.ln();
            }
        }
    }
}

/// Logarithm of the sum of numbers given by their logarithms.
fn log_of_sum(logs: &[f64]) -> f64 {
    let greatest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = greatest + NEGLIGIBLE;
    let terms = logs.iter().filter(|log| **log > least).map(|log| (log - greatest).exp());
    greatest + terms.sum::<f64>().ln()
}

/// The points in the order of their steps, and of their age where these are equal.
fn counted(column: &[f64], steps: usize) -> Vec<usize> {
    let mut starts = vec![0; steps + 1];
    for step in column {
        starts[*step as usize + 1] += 1;
    }
    for step in 0..steps {
        starts[step + 1] += starts[step];
    }
    let mut order = vec![0; column.len()];
    for (n, step) in column.iter().enumerate() {
        let start = &mut starts[*step as usize];
        order[*start] = n;
        *start += 1;
    }
    order
}

/// Weight of point number `n` of `count`, oldest first.
fn weight(n: usize, count: usize) -> f64 {
    let ramp = count.saturating_sub(FULL_WEIGHT);
    if n >= ramp {
        return 1.0;
    }
    let least = 1.0 / count as f64;
    least + (1.0 - least) * n as f64 / (ramp - 1).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes() -> [Axis; 3] {
        let edges = vec![0.0, 0.5, 0.8, 1.0];
        [Axis::Continuous, Axis::Steps { edges }, Axis::Categories { count: 3 }]
    }

    fn columns() -> Vec<Vec<f64>> {
        vec![vec![0.2, 0.9, 0.35, 0.2], vec![0.0, 2.0, 0.0, 1.0], vec![1.0, 1.0, 2.0, 0.0]]
    }

    /// A kernel for each centre, whatever their order.
    fn around(centres: &[f64]) -> Vec<Kernel> {
        let mut sorted: Vec<(f64, usize)> = centres.iter().copied().zip(0..).collect();
        sorted.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        let (ascending, order): (Vec<f64>, Vec<usize>) = sorted.into_iter().unzip();
        let mut kernels: Vec<(usize, Kernel)> =
            order.into_iter().zip(kernel::around(&ascending)).collect();
        kernels.sort_by_key(|(n, _)| *n);
        kernels.into_iter().map(|(_, kernel)| kernel).collect()
    }

    /// The definition, term by term.
    fn density(columns: &[Vec<f64>], point: &[f64]) -> f64 {
        const MIDDLES: [f64; 3] = [0.25, 0.65, 0.9];
        const EDGES: [f64; 4] = [0.0, 0.5, 0.8, 1.0];
        let seen = columns[0].len();
        let middles: Vec<f64> = columns[1].iter().map(|step| MIDDLES[*step as usize]).collect();
        let (numbers, steps) = (around(&columns[0]), around(&middles));
        let mut sum = 0.0;
        for n in 0..=seen {
            let number = numbers.get(n).unwrap_or(&Kernel::PRIOR);
            let widths = (point[0] - number.centre) / number.width;
            let number = (number.log_peak() - widths * widths / 2.0).exp();
            let step = steps.get(n).unwrap_or(&Kernel::PRIOR);
            let at = point[1] as usize;
            let step = step.log_probability(EDGES[at], EDGES[at + 1]).exp();
            // Optuna: every category gets 1 / kernels, the seen one 1 more.
            let base = 1.0 / (seen + 1) as f64;
            let category = match columns[2].get(n) {
                None => 1.0 / 3.0,
                Some(seen) if *seen == point[2] => (1.0 + base) / (1.0 + 3.0 * base),
                Some(_) => base / (1.0 + 3.0 * base),
            };
            sum += number * step * category / (seen + 1) as f64;
        }
        sum
    }

    #[test]
    fn densities_are_those_of_the_definition() {
        let axes = axes();
        let axes: Vec<&Axis> = axes.iter().collect();
        for columns in [columns(), vec![vec![]; 3], vec![vec![0.5], vec![1.0], vec![2.0]]] {
            let mixture = Mixture::new(&axes, &columns);
            let points: Vec<Vec<f64>> = (0..90)
                .map(|n| vec![f64::from(n) / 89.0, f64::from(n % 3), f64::from(n / 3 % 3)])
                .collect();
            for (point, log) in points.iter().zip(mixture.log_densities(&points)) {
                let expected = density(&columns, point);
                assert!((log.exp() - expected).abs() < 1e-12, "{point:?}: {log}, {expected}");
            }
        }
    }

    /// `_ParzenEstimator.log_pdf` of Optuna 5.0.0: a float in [0, 1], an int from
    /// 16 to 64 by 16, a choice of 3, a float from 1e-4 to 0.1 in its logarithm.
    #[test]
    fn densities_equal_optunas() {
        let steps = Axis::Steps { edges: vec![0.0, 0.25, 0.5, 0.75, 1.0] };
        let axes = [&Axis::Continuous, &steps, &Axis::Categories { count: 3 }, &Axis::Continuous];
        let log = |value: f64| (value / 1e-4).log10() / 3.0;
        let columns = [
            vec![0.2, 0.9, 0.35, 0.2],
            vec![0.0, 3.0, 0.0, 1.0],
            vec![1.0, 1.0, 2.0, 0.0],
            [1e-3, 1e-2, 2e-4, 5e-2].map(log).to_vec(),
        ];
        let points = [
            vec![0.0, 0.0, 0.0, log(1e-4)],
            vec![0.25, 1.0, 1.0, log(1e-3)],
            vec![0.5, 2.0, 2.0, log(3e-2)],
            vec![1.0, 3.0, 1.0, log(1e-1)],
        ];
        let optunas = [
            -4.656_814_629_655_43,
            -3.477_969_291_487_87,
            -5.215_105_124_304_756,
            -4.483_839_530_010_321_5,
        ];
        // Theirs is a density over the logarithm, not over [0, 1].
        let scale = (1e-1_f64 / 1e-4).ln().ln();
        let ours = Mixture::new(&axes, &columns).log_densities(&points);
        for (ours, theirs) in ours.iter().zip(optunas) {
            assert!((ours - scale - theirs).abs() < 1e-10, "{ours} - {scale}, not {theirs}");
        }
    }

    #[test]
    fn densities_sum_to_one() {
        const PARTS: u32 = 2000;
        let axes = axes();
        let mixture = Mixture::new(&axes.each_ref(), &columns());
        let points: Vec<Vec<f64>> = (0..9 * PARTS)
            .map(|n| {
                let at = (f64::from(n / 9) + 0.5) / f64::from(PARTS);
                vec![at, f64::from(n % 3), f64::from(n / 3 % 3)]
            })
            .collect();
        let logs = mixture.log_densities(&points);
        let sum = logs.iter().map(|log| log.exp()).sum::<f64>() / f64::from(PARTS);
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    }

    #[test]
    fn draws_follow_the_densities() {
        const DRAWS: u32 = 20_000;
        let axes = axes();
        let axes: Vec<&Axis> = axes[1..].iter().collect();
        let columns = &columns()[1..];
        let mixture = Mixture::new(&axes, columns);
        let mut random = Random::new([3, 0]);
        let mut counts = [0; 9];
        for _ in 0..DRAWS {
            let point = mixture.draw(&mut random);
            counts[3 * point[0] as usize + point[1] as usize] += 1;
        }
        let points: Vec<Vec<f64>> =
            (0..9).map(|n| vec![f64::from(n / 3), f64::from(n % 3)]).collect();
        for ((point, log), count) in points.iter().zip(mixture.log_densities(&points)).zip(counts) {
            let share = f64::from(count) / f64::from(DRAWS);
            assert!((share - log.exp()).abs() < 0.015, "{point:?}: {share}, not {}", log.exp());
        }
    }

    #[test]
    fn old_points_weigh_less() {
        assert!((0..24).all(|n| weight(n, 24) == 1.0));
        let weights: Vec<f64> = (0..100).map(|n| weight(n, 100)).collect();
        assert_eq!((weights[0], weights[74], weights[75]), (0.01, 1.0, 1.0));
        assert!(weights.is_sorted());
        assert_eq!(weight(0, 26), 1.0 / 26.0);
    }
}
