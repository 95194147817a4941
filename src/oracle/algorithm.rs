//! Which algorithms there are, and how one is set up.

use super::Oracle;
use super::bayesian::BayesianOptimization;
use super::first::First;
use super::knobs::{Knob, Knobs};
use super::random::RandomSearch;
use super::stopping::{Stopping, StoppingRule};
use crate::space::{HyperParameters, Space};

/// The algorithms that `search.algorithm` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Independent draws.
    Random,
    /// A Gaussian process of the scores.
    Bayesian,
}

impl Algorithm {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Self; 2] = [Self::Random, Self::Bayesian];

    /// Its name in the experiment file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Bayesian => "bayesian",
        }
    }

    /// Its options.
    #[must_use]
    pub fn knobs(self) -> &'static [Knob] {
        match self {
            Self::Random => &[],
            Self::Bayesian => BayesianOptimization::KNOBS,
        }
    }

    fn oracle(self, setup: &Setup, space: &Space) -> Box<dyn Oracle> {
        match self {
            Self::Random => Box::new(RandomSearch::new(space.clone())),
            Self::Bayesian => Box::new(BayesianOptimization::new(space.clone(), &setup.knobs)),
        }
    }
}

/// What the experiment file says about the oracle.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// Which one.
    pub algorithm: Algorithm,
    /// Its options.
    pub knobs: Knobs,
    /// How trials are ended early.
    pub stopping: Option<(StoppingRule, Knobs)>,
    /// Tried before anything else.
    pub first: Vec<Assignment>,
    /// What the `list` algorithm tries.
    pub trials: Vec<Assignment>,
    /// Epochs of a whole training; the longest that a schedule gives a trial.
    pub epochs: u32,
}

/// An assignment that the experiment file gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// For people, if it has one.
    pub name: Option<String>,
    /// Complete, in the order of the space.
    pub hyperparameters: HyperParameters,
}

impl Setup {
    /// Random search.
    #[must_use]
    pub fn random() -> Self {
        Self {
            algorithm: Algorithm::Random,
            knobs: Knobs::default(),
            stopping: None,
            first: Vec::new(),
            trials: Vec::new(),
            epochs: 1,
        }
    }

    /// The oracle that searches `space`.
    #[must_use]
    pub fn oracle(&self, space: &Space) -> Box<dyn Oracle> {
        let oracle = self.algorithm.oracle(self, space);
        if self.first.is_empty() {
            return oracle;
        }
        Box::new(First::new(self.first.clone(), oracle))
    }

    /// The rule that ends trials early, if there is one.
    #[must_use]
    pub fn stopping(&self) -> Option<Box<dyn Stopping>> {
        self.stopping.as_ref().map(|(rule, knobs)| rule.build(knobs, self.epochs))
    }
}
