//! Tree-structured Parzen estimator: looks where good trials are dense and bad
//! ones are not.
//!
//! This is Optuna 5's multivariate sampler with groups and constant liar. The
//! best tenth of the trials is good, the rest bad ([`history`]). Of both a
//! density is made ([`mixture`]), over all hyperparameters of a group at once,
//! so that what goes well together is proposed together. Of some points drawn
//! where good trials are dense, the one with the greatest ratio of the two
//! densities is proposed, or the next that was not proposed before.
//!
//! Like every oracle it keeps nothing between proposals.

mod axis;
mod history;
mod kernel;
mod layout;
mod mixture;
#[cfg(test)]
mod tests;

use super::randomness::Random;
use history::Seen;
use layout::{Layout, Place};
use mixture::Mixture;

use super::knobs::{Knob, Knobs, Range};
use super::random::Draws;
use super::{Oracle, Proposal, Suggestion};
use crate::space::{HyperParameters, Space};
use crate::study::Study;

/// Multivariate tree-structured Parzen estimator.
#[derive(Debug, Clone)]
pub struct ParzenEstimator {
    draws: Draws,
    layout: Layout,
    startup_trials: u32,
    candidates: usize,
}

impl ParzenEstimator {
    /// Its options in the experiment file.
    pub const KNOBS: &[Knob] = &[
        // Trials drawn at random before results count.
        Knob { name: "startup_trials", range: Range::Whole(1..=10_000), default: 10.0 },
        // Points among which each proposal is chosen.
        Knob { name: "candidates", range: Range::Whole(1..=10_000), default: 24.0 },
    ];

    /// Searches `space`.
    #[must_use]
    pub fn new(space: Space, knobs: &Knobs) -> Self {
        Self {
            draws: Draws::new(space.clone()),
            layout: Layout::new(space),
            startup_trials: knobs.whole("startup_trials"),
            candidates: knobs.whole("candidates") as usize,
        }
    }
}

impl Oracle for ParzenEstimator {
    fn suggest(&self, study: &Study) -> Suggestion {
        let promising = if history::informative(study) < self.startup_trials as usize {
            None
        } else {
            self.promising(study)
        };
        let proposal = promising.or_else(|| self.draws.next(study));
        proposal.map_or(Suggestion::Exhausted, Suggestion::Trial)
    }

    fn foreseeable(&self) -> Option<u32> {
        Some(self.startup_trials)
    }
}

impl ParzenEstimator {
    /// The most promising assignment that was not proposed before, if it is
    /// among the candidates.
    fn promising(&self, study: &Study) -> Option<Proposal> {
        let random = Random::new([study.settings.seed, study.trials.len() as u64]);
        let mut candidates = Candidates {
            layout: &self.layout,
            count: self.candidates,
            seen: history::seen(&self.layout, study),
            ranked: vec![None; self.layout.groups.len()],
            random,
        };
        (0..self.candidates)
            .map(|rank| candidates.assignment(rank))
            .find(|hyperparameters| !study.proposed.contains(&hyperparameters.digest()))
            .map(|hyperparameters| Proposal {
                hyperparameters,
                // No draw of the start is used up.
                seed_state: study.seed_state,
                ..Proposal::default()
            })
    }
}

/// The points from which one proposal is made.
struct Candidates<'a> {
    layout: &'a Layout,
    count: usize,
    seen: Vec<Seen>,
    /// Points of each group, most promising first; drawn when the group is
    /// first found active.
    ranked: Vec<Option<Vec<Vec<f64>>>>,
    random: Random,
}

impl Candidates<'_> {
    /// The assignment that takes of each active group the point of this rank.
    fn assignment(&mut self, rank: usize) -> HyperParameters {
        let layout = self.layout;
        let rules = layout.space.rules;
        let mut assignment = HyperParameters::default();
        for (number, hyperparameter) in layout.space.hyperparameters.iter().enumerate() {
            if !hyperparameter.is_active(&assignment) {
                continue;
            }
            let kind = &hyperparameter.kind;
            let value = match &layout.axes[number] {
                Some(axis) => axis.value(kind, rules, self.coordinate(layout.places[number], rank)),
                None => kind.nth(rules, 0),
            };
            assignment.set(&hyperparameter.name, value);
        }
        assignment
    }

    fn coordinate(&mut self, Place { group, member }: Place, rank: usize) -> f64 {
        let ranked = match self.ranked[group].take() {
            Some(ranked) => ranked,
            None => self.ranking(group),
        };
        self.ranked[group].insert(ranked)[rank][member]
    }

    /// Draws a group's points where good trials are dense, and sorts them by
    /// how much denser good trials are than bad ones.
    fn ranking(&mut self, group: usize) -> Vec<Vec<f64>> {
        let axes = self.layout.axes_of(group);
        let seen = &self.seen[group];
        let good = Mixture::new(&axes, &seen.good);
        let bad = Mixture::new(&axes, &seen.bad);
        let points: Vec<Vec<f64>> = (0..self.count).map(|_| good.draw(&mut self.random)).collect();
        let promises = good.log_densities(&points).into_iter().zip(bad.log_densities(&points));
        let mut ranked: Vec<(f64, Vec<f64>)> =
            promises.map(|(good, bad)| good - bad).zip(points).collect();
        ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        ranked.into_iter().map(|(_, point)| point).collect()
    }
}
