//! Which trials say what: scores as values to be minimized.

use crate::study::{Direction, Study, TrialState};

/// What the trials of a study say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Observations {
    /// Indexes of the trials with a value, in order of proposal.
    pub(super) trials: Vec<usize>,
    /// Their values: less is better, mean 0, variance 1.
    pub(super) values: Vec<f64>,
    /// How many of the trials have a finite score.
    pub(super) scored: usize,
    /// Indexes of the trials under way.
    pub(super) under_way: Vec<usize>,
}

impl Observations {
    /// Trials that failed say nothing; those that can never run are as bad as
    /// the worst.
    pub(super) fn of(study: &Study) -> Self {
        let mut scores = Vec::new();
        let mut observations = Self::default();
        for (index, trial) in study.trials.iter().enumerate() {
            match trial.state {
                TrialState::Waiting | TrialState::Running => observations.under_way.push(index),
                TrialState::Completed | TrialState::Stopped => {
                    if let Some(score) = trial.score.filter(|score| !score.is_nan()) {
                        observations.trials.push(index);
                        observations.scored += usize::from(score.is_finite());
                        scores.push(match study.settings.objective.direction {
                            Direction::Min => score,
                            Direction::Max => -score,
                        });
                    }
                }
                TrialState::Infeasible => {
                    observations.trials.push(index);
                    scores.push(f64::INFINITY);
                }
                TrialState::Failed => {}
            }
        }
        observations.values = normalized(&scores);
        observations
    }
}

/// Values with mean 0 and variance 1, in which what is worse than the median
/// counts by its logarithm: the bad half is not where the search goes, and one
/// diverged training must not make all others look the same.
fn normalized(scores: &[f64]) -> Vec<f64> {
    let mut finite: Vec<f64> = scores.iter().copied().filter(|score| score.is_finite()).collect();
    finite.sort_by(f64::total_cmp);
    let (Some(best), Some(worst)) = (finite.first(), finite.last()) else {
        return vec![0.0; scores.len()];
    };
    // Differences of the largest numbers overflow.
    let size = best.abs().max(worst.abs()).max(f64::MIN_POSITIVE);
    let scaled = |score: f64| score.clamp(*best, *worst) / size;
    let median = scaled(finite[finite.len() / 2]);
    let spread = median - best / size;
    let warped = scores.iter().map(|score| {
        let above = scaled(*score) - median;
        if above > 0.0 && spread > 0.0 { spread * (above / spread).ln_1p() } else { above }
    });
    let warped: Vec<f64> = warped.collect();
    let mean = warped.iter().sum::<f64>() / warped.len() as f64;
    let variance = warped.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    let deviation = (variance / warped.len() as f64).sqrt();
    let deviation = if deviation > 0.0 { deviation } else { 1.0 };
    warped.iter().map(|value| (value - mean) / deviation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> (f64, f64) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        (mean, variance / values.len() as f64)
    }

    #[test]
    fn the_good_half_keeps_its_shape() {
        let values = normalized(&[3.0, 1.0, 2.0, 8.0, 1000.0]);
        let (mean, variance) = spread(&values);
        assert!(mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-12);
        let step = values[2] - values[1];
        assert!((values[0] - values[2] - step).abs() < 1e-12, "{values:?}");
        assert!(values[3] > values[0] && values[4] > values[3]);
        assert!(values[4] - values[3] < 10.0 * step, "{values:?}");
    }

    #[test]
    fn any_scores_give_finite_values() {
        const INFINITE: f64 = f64::INFINITY;
        for scores in [
            vec![],
            vec![5.0],
            vec![0.0, 0.0, 0.0],
            vec![INFINITE, INFINITE],
            vec![INFINITE, 1.0, 2.0, -INFINITE],
            vec![f64::MAX, -f64::MAX, 0.0],
            vec![f64::MIN_POSITIVE, 0.0, 5e-324, 1e-310],
            vec![1.0, 1.0 + f64::EPSILON, 1.0],
        ] {
            let values = normalized(&scores);
            assert_eq!(values.len(), scores.len());
            assert!(values.iter().all(|value| value.abs() < 10.0), "{scores:?}: {values:?}");
        }
        let values = normalized(&[INFINITE, 1.0, 3.0]);
        assert_eq!(values[0], values[2], "never run is as bad as the worst");
    }
}
