//! Conditions: which hyperparameters of a space an assignment has.
//!
//! A hyperparameter is active where all its conditions hold. An inactive one
//! has no value, so whatever depends on it is inactive too.

use super::{HyperParameter, HyperParameters, Space, Value};

/// Holds where another hyperparameter is active and has one of some values.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Name of the other; declared earlier.
    pub parent: String,
    /// Those for which it holds.
    pub values: Vec<Value>,
}

impl Condition {
    /// Whether it holds, as far as `assignment` goes.
    #[must_use]
    pub fn holds(&self, assignment: &HyperParameters) -> bool {
        assignment.get(&self.parent).is_some_and(|value| self.values.contains(value))
    }

    /// Whether never both hold.
    #[must_use]
    pub fn excludes(&self, other: &Self) -> bool {
        self.parent == other.parent && !self.values.iter().any(|value| other.values.contains(value))
    }
}

impl HyperParameter {
    /// Whether it has a value, given those before it.
    #[must_use]
    pub fn is_active(&self, assignment: &HyperParameters) -> bool {
        self.when.iter().all(|condition| condition.holds(assignment))
    }
}

impl Space {
    /// Every active hyperparameter at its default.
    #[must_use]
    pub fn defaults(&self) -> HyperParameters {
        self.completed(&HyperParameters::default())
    }

    /// `assignment` in the order of the space: without what is inactive or not
    /// in the space, and with defaults for what is missing.
    #[must_use]
    pub fn completed(&self, assignment: &HyperParameters) -> HyperParameters {
        self.assigned(|hyperparameter| {
            assignment
                .get(&hyperparameter.name)
                .cloned()
                .unwrap_or_else(|| hyperparameter.kind.default())
        })
    }

    /// Goes through the space in its order and gives each active hyperparameter
    /// a value.
    pub(crate) fn assigned(
        &self,
        mut value: impl FnMut(&HyperParameter) -> Value,
    ) -> HyperParameters {
        let mut assignment = HyperParameters::default();
        for hyperparameter in &self.hyperparameters {
            if hyperparameter.is_active(&assignment) {
                let value = value(hyperparameter);
                assignment.set(&hyperparameter.name, value);
            }
        }
        assignment
    }
}
