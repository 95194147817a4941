//! Oracles propose assignments.
//!
//! An [`Oracle`] is a pure function of the study: what it has to remember
//! between proposals (where its draws go on, what was proposed) is folded into
//! the [`Study`] from the records of the trials. So a proposal after a restart
//! is the proposal that would have been made without it.

mod random;

pub use random::RandomSearch;

use crate::space::HyperParameters;
use crate::study::Study;

/// Proposes assignments.
pub trait Oracle: Send {
    /// The next assignment to try.
    fn suggest(&self, study: &Study) -> Suggestion;
}

/// What an oracle proposes.
#[derive(Debug, Clone, PartialEq)]
pub enum Suggestion {
    /// Try this.
    Assignment {
        /// One that was not proposed before.
        hyperparameters: HyperParameters,
        /// Where the oracle's draws go on, to be kept with the trial.
        seed_state: u64,
    },
    /// Every assignment of the space was proposed.
    Exhausted,
}
