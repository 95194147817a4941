//! Which algorithms there are, and how one is set up.

use std::collections::HashSet;

use super::Oracle;
use super::bayesian::BayesianOptimization;
use super::first::First;
use super::grid::GridSearch;
use super::hyperband::Hyperband;
use super::knobs::{Knob, Knobs};
use super::list::List;
use super::random::RandomSearch;
use super::stopping::{Stopping, StoppingRule};
use super::tpe::ParzenEstimator;
use crate::space::{HyperParameters, Rules, Space};

/// The algorithms that `search.algorithm` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Independent draws.
    Random,
    /// Every assignment of a finite space.
    Grid,
    /// Assignments that the file gives.
    List,
    /// Short trainings, the promising ones continued.
    Hyperband,
    /// Where good trials are dense and bad ones are not.
    Tpe,
    /// A Gaussian process of the scores.
    Bayesian,
}

impl Algorithm {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Self; 6] =
        [Self::Random, Self::Grid, Self::List, Self::Hyperband, Self::Tpe, Self::Bayesian];

    /// Its name in the experiment file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Grid => "grid",
            Self::List => "list",
            Self::Hyperband => "hyperband",
            Self::Tpe => "tpe",
            Self::Bayesian => "bayesian",
        }
    }

    /// Its options.
    #[must_use]
    pub fn knobs(self) -> &'static [Knob] {
        match self {
            Self::Random | Self::Grid | Self::List => &[],
            Self::Hyperband => Hyperband::KNOBS,
            Self::Tpe => ParzenEstimator::KNOBS,
            Self::Bayesian => BayesianOptimization::KNOBS,
        }
    }

    /// How many trials it makes at most, those of [`Setup::first`] included;
    /// `None` where only the study's limits end it, or there are too many to count.
    #[must_use]
    pub fn total(self, setup: &Setup, space: &Space) -> Option<u32> {
        match self {
            Self::Random | Self::Tpe | Self::Bayesian => None,
            Self::Grid => {
                let grid = GridSearch::new(space.clone(), setup.first.len());
                let off_grid =
                    setup.first.iter().filter(|first| !grid.contains(&first.hyperparameters));
                u32::try_from(grid.size()?.checked_add(off_grid.count() as u64)?).ok()
            }
            Self::List => {
                let given = setup.first.iter().chain(&setup.trials);
                let distinct: HashSet<[u8; 16]> =
                    given.map(|assignment| assignment.hyperparameters.digest()).collect();
                u32::try_from(distinct.len()).ok()
            }
            // What the file gives takes the place of draws.
            Self::Hyperband => Some(Hyperband::trials(&setup.knobs, setup.epochs)),
        }
    }

    fn oracle(self, setup: &Setup, space: &Space) -> Box<dyn Oracle> {
        match self {
            Self::Random => Box::new(RandomSearch::new(space.clone())),
            Self::Grid => Box::new(GridSearch::new(space.clone(), setup.first.len())),
            Self::List => Box::new(List::new(setup.trials.clone())),
            Self::Hyperband => Box::new(Hyperband::new(space.clone(), &setup.knobs, setup.epochs)),
            Self::Tpe => Box::new(ParzenEstimator::new(space.clone(), &setup.knobs)),
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

/// What an algorithm asks of the rest of the experiment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demands {
    /// It ends by itself, so that `max_trials` may be left out.
    pub ends: bool,
    /// Every hyperparameter has finitely many values.
    pub steps: bool,
    /// The file gives its trials.
    pub trials: bool,
    /// It decides how long each trial is trained, and which go on.
    pub schedules: bool,
    /// The versions of Keras Tuner that it can follow.
    pub versions: &'static [Rules],
}

impl Algorithm {
    /// What it asks of the rest of the file.
    #[must_use]
    pub fn demands(self) -> Demands {
        const NONE: Demands =
            Demands { ends: false, steps: false, trials: false, schedules: false, versions: &[] };
        const BOTH: &[Rules] = &[Rules::KerasTuner14, Rules::KerasTuner10];
        match self {
            Self::Random => Demands { versions: BOTH, ..NONE },
            // Keras Tuner has it since 1.2.
            Self::Grid => {
                Demands { ends: true, steps: true, versions: &[Rules::KerasTuner14], ..NONE }
            }
            Self::List => Demands { ends: true, trials: true, versions: BOTH, ..NONE },
            Self::Hyperband => Demands { ends: true, schedules: true, versions: BOTH, ..NONE },
            Self::Tpe | Self::Bayesian => NONE,
        }
    }
}
