//! Rules that end trials early, by comparison with the others.
//!
//! A rule is asked after every measurement and is a pure function of the study
//! as it then is: on any number of workers, it never waits for anyone. Every
//! rule is one file; [`StoppingRule`] lists them.

use super::knobs::{Knob, Knobs};
use crate::study::{AttemptId, Study};

/// Ends trials early.
pub trait Stopping: Send {
    /// Whether the trial of this attempt is not worth going on with, judged
    /// after the attempt's last measurement.
    fn judge(&self, study: &Study, id: AttemptId) -> bool;
}

/// The rules that `search.stopping` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoppingRule {}

impl StoppingRule {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Self; 0] = [];

    /// Its name in the experiment file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {}
    }

    /// Its options.
    #[must_use]
    pub fn knobs(self) -> &'static [Knob] {
        match self {}
    }

    /// The rule itself.
    ///
    /// - `epochs`: epochs of a whole training
    #[must_use]
    pub fn build(self, _knobs: &Knobs, _epochs: u32) -> Box<dyn Stopping> {
        match self {}
    }
}
