//! Bayesian optimization: a Gaussian process of the scores says where to look.
//!
//! After some random trials, every proposal fits a process to the scores so far
//! ([`evidence`]), under a Matérn 5/2 covariance ([`kernel`]) over assignments
//! as points ([`encoding`]), and is the assignment that promises most
//! ([`acquisition`], [`search`]) among those not proposed before. Trials under
//! way count as if they had ended as the process expects, so that workers do
//! not all try the same.
//!
//! Like every oracle it keeps nothing between proposals. Work is bounded: of
//! many trials only the best and the latest are looked at.

mod acquisition;
mod encoding;
mod evidence;
mod kernel;
mod minimize;
mod observations;
mod process;
mod search;
#[cfg(test)]
mod tests;

use super::randomness::Random;
use acquisition::Acquisition;
use encoding::Encoding;
use evidence::Evidence;
use kernel::Metric;
use observations::Observations;
use process::Process;
use search::Search;

use super::knobs::{Knob, Knobs, Range};
use super::random::Draws;
use super::{Oracle, Proposal, Suggestion};
use crate::space::{HyperParameters, Kind, Space};
use crate::study::Study;

/// Fewer scores are no basis for a process.
const MIN_SCORED: usize = 2;
/// More trials than this are not looked at: the process takes time with their
/// number cubed.
const MAX_OBSERVED: usize = 400;
/// Of these so many decide which prior fits, which is most of the work.
const MAX_FITTED: usize = 150;
/// More trials under way than this are not looked at.
const MAX_UNDER_WAY: usize = 200;

/// Gaussian process with expected improvement or an upper confidence bound.
pub struct BayesianOptimization {
    draws: Draws,
    encoding: Encoding,
    initial_points: usize,
    /// Standard deviations that count in a confidence bound; absent for
    /// expected improvement.
    beta: Option<f64>,
}

impl BayesianOptimization {
    /// Its options in the experiment file.
    pub const KNOBS: &[Knob] = &[
        // Random trials before the model's; 0 means 3 a hyperparameter, at most 10.
        Knob { name: "initial_points", range: Range::Whole(0..=100_000), default: 0.0 },
        // Expected improvement or upper confidence bound.
        Knob { name: "acquisition", range: Range::Word(&["ei", "ucb"]), default: 0.0 },
        // How many standard deviations of uncertainty `ucb` adds.
        Knob { name: "beta", range: Range::Real(0.0..=1000.0), default: 2.6 },
    ];

    /// Searches `space`, with options as in [`KNOBS`](Self::KNOBS).
    #[must_use]
    pub fn new(space: Space, knobs: &Knobs) -> Self {
        let initial_points = match knobs.whole("initial_points") {
            0 => default_initial_points(&space),
            given => given as usize,
        };
        Self {
            draws: Draws::new(space.clone()),
            encoding: Encoding::new(space),
            initial_points,
            beta: (knobs.whole("acquisition") == 1).then(|| knobs.real("beta")),
        }
    }

    /// The most promising assignment that was not proposed; absent while there
    /// is too little to go by.
    fn promising(&self, study: &Study) -> Option<HyperParameters> {
        if self.encoding.dimensions().is_empty() || study.trials.len() < self.initial_points {
            return None;
        }
        let observations = Observations::of(study);
        if observations.scored < MIN_SCORED.max(self.initial_points / 2) {
            return None;
        }
        let mut random = Random::new([study.settings.seed, study.trials.len() as u64]);
        let (process, known) = self.process(study, &observations, &mut random)?;
        let acquisition = match self.beta {
            Some(beta) => Acquisition::ConfidenceBound { beta },
            None => Acquisition::ExpectedImprovement { best: process.predict(&known[0]).mean },
        };
        let search = Search { encoding: &self.encoding, process: &process, acquisition };
        let candidates = search.candidates(&known, &mut random);
        let mut assignments =
            candidates.iter().map(|candidate| self.encoding.assignment(&candidate.point));
        assignments.find(|assignment| !study.proposed.contains(&assignment.digest()))
    }

    /// What is known, and the points looked at, those expected to be best first.
    fn process(
        &self,
        study: &Study,
        observations: &Observations,
        random: &mut Random,
    ) -> Option<(Process, Vec<Vec<f64>>)> {
        let point = |&trial: &usize| self.encoding.point(&study.trials[trial].hyperparameters);
        let kept = best_and_latest(&observations.values);
        let mut points: Vec<Vec<f64>> =
            kept.iter().map(|&index| point(&observations.trials[index])).collect();
        let mut values: Vec<f64> = kept.iter().map(|&index| observations.values[index]).collect();

        let dimensions = self.encoding.dimensions().iter();
        let metric = Metric(dimensions.map(|dimension| dimension.is_number()).collect());
        let stride = points.len().div_ceil(MAX_FITTED);
        let some_points: Vec<Vec<f64>> = points.iter().step_by(stride).cloned().collect();
        let some_values: Vec<f64> = values.iter().step_by(stride).copied().collect();
        let prior = Evidence::new(metric, &some_points, &some_values).best_prior(random);

        let mut process = Process::new(prior, points.clone(), &values)?;
        let latest = observations.under_way.len().saturating_sub(MAX_UNDER_WAY);
        let under_way: Vec<Vec<f64>> = observations.under_way[latest..].iter().map(point).collect();
        if !under_way.is_empty() {
            values.extend(under_way.iter().map(|point| process.predict(point).mean));
            points.extend(under_way);
            process = Process::new(process.prior().clone(), points, &values)?;
        }
        let expected = process.points().iter().map(|point| (process.predict(point).mean, point));
        let mut known: Vec<(f64, &Vec<f64>)> = expected.collect();
        known.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let known = known.into_iter().map(|(_, point)| point.clone()).collect();
        Some((process, known))
    }
}

impl Oracle for BayesianOptimization {
    fn suggest(&self, study: &Study) -> Suggestion {
        match self.promising(study) {
            Some(hyperparameters) => Suggestion::Trial(Proposal {
                hyperparameters,
                seed_state: study.seed_state,
                ..Proposal::default()
            }),
            None => self.draws.next(study).map_or(Suggestion::Exhausted, Suggestion::Trial),
        }
    }

    fn foreseeable(&self) -> Option<u32> {
        Some(u32::try_from(self.initial_points).unwrap_or(u32::MAX))
    }
}

/// Keras Tuner's 3 a hyperparameter, but no more than 10: on Hartmann-6 and a
/// conditional space of 10 hyperparameters, what the process proposes instead
/// is worth more than further random trials.
fn default_initial_points(space: &Space) -> usize {
    let searched = space.hyperparameters.iter();
    let searched = searched.filter(|hyperparameter| !matches!(hyperparameter.kind, Kind::Fixed(_)));
    (3 * searched.count()).clamp(3, 10)
}

/// Indexes of the values to look at, ascending: all, or of too many the best
/// half and of the rest the latest.
fn best_and_latest(values: &[f64]) -> Vec<usize> {
    let mut indexes: Vec<usize> = (0..values.len()).collect();
    if values.len() <= MAX_OBSERVED {
        return indexes;
    }
    indexes.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut rest = indexes.split_off(MAX_OBSERVED / 2);
    rest.sort_unstable();
    indexes.extend_from_slice(&rest[rest.len() - MAX_OBSERVED / 2..]);
    indexes.sort_unstable();
    indexes
}
