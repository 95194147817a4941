//! Oracles propose assignments, and end trials early.
//!
//! An [`Oracle`] is a pure function of the study: what it has to remember
//! between proposals (where its draws go on, what was proposed, how trials
//! scored) is folded into the [`Study`] from the records of the trials. So a
//! proposal after a restart is the proposal that would have been made without
//! it. A [`Stopping`] rule is a pure function of the study too.
//!
//! Every algorithm is one file that implements [`Oracle`] and says which
//! [`Knob`]s it has; [`Algorithm`] lists them.

mod algorithm;
mod bayesian;
mod first;
mod grid;
mod hyperband;
mod knobs;
mod list;
mod random;
mod randomness;
pub mod stopping;
#[cfg(test)]
pub(crate) mod testing;
mod tpe;

pub use algorithm::{Algorithm, Assignment, Demands, Setup};
pub use bayesian::BayesianOptimization;
pub use grid::GridSearch;
pub use hyperband::Hyperband;
pub use knobs::{Knob, Knobs, Range};
pub use list::List;
pub use random::RandomSearch;
pub use stopping::{Stopping, StoppingRule};
pub use tpe::ParzenEstimator;

use crate::space::HyperParameters;
use crate::study::{Stage, Study, TrialId};

/// Proposes assignments.
pub trait Oracle: Send {
    /// The next trial.
    fn suggest(&self, study: &Study) -> Suggestion;

    /// How many of the first proposals depend on no result; `None` if none
    /// ever does.
    fn foreseeable(&self) -> Option<u32> {
        None
    }

    /// Whether a later trial may go on from where this one's training ended.
    fn may_promote(&self, _study: &Study, _trial: TrialId) -> bool {
        false
    }
}

/// What an oracle proposes.
#[derive(Debug, Clone, PartialEq)]
pub enum Suggestion {
    /// Try this.
    Trial(Proposal),
    /// Nothing until a trial that is under way has ended.
    Wait,
    /// Nothing ever again.
    Exhausted,
}

/// A trial that is proposed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Proposal {
    /// A value for each active hyperparameter, in the order of the space.
    pub hyperparameters: HyperParameters,
    /// Where the oracle's draws go on, to be kept with the trial.
    pub seed_state: u64,
    /// The name that the file gives this assignment.
    pub name: Option<String>,
    /// Its place in a schedule that trains promising trials longer.
    pub stage: Option<Stage>,
}
