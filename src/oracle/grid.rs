//! Grid search: every assignment of a finite space, in Keras Tuner's order.
//!
//! The defaults come first. Each hyperparameter goes through its default, then
//! its other values in their order; the last one varies fastest, and those that
//! a change makes active begin at their defaults. A default between two steps
//! is a value of its own.
//!
//! The next point follows from the last one that was proposed, so nothing is
//! remembered: a study that is taken up goes on as if it had never stopped,
//! and one whose space has grown goes on with what is new.

use std::iter::successors;

use super::{Oracle, Proposal, Suggestion};
use crate::space::{HyperParameters, Kind, Rules, Space, Value};
use crate::study::Study;

/// Keras Tuner's `GridSearch`.
#[derive(Debug, Clone)]
pub struct GridSearch {
    space: Space,
    /// One for each hyperparameter of the space.
    axes: Vec<Axis>,
    /// How many of the study's first trials are not the grid's.
    first: usize,
}

/// The values of one hyperparameter, the default at position 0.
#[derive(Debug, Clone)]
struct Axis {
    kind: Kind,
    rules: Rules,
    /// How many values the kind has.
    count: u64,
    default: Value,
    /// Number of the default among the kind's values; absent when it is none of them.
    default_index: Option<u64>,
}

/// A position for each hyperparameter; absent where it is inactive.
type Point = Vec<Option<u64>>;

impl GridSearch {
    /// Searches `space`, whose ranges have steps: of one without, only the
    /// default is tried.
    ///
    /// - `first`: how many of the study's first trials come from elsewhere
    #[must_use]
    pub fn new(space: Space, first: usize) -> Self {
        let axis = |kind: &Kind| Axis::new(kind.clone(), space.rules);
        let axes =
            space.hyperparameters.iter().map(|hyperparameter| axis(&hyperparameter.kind)).collect();
        Self { space, axes, first }
    }

    /// Number of its points; absent when it is beyond `u64`, or conditions
    /// branch too often to count.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.space.size_of(&|index| Some(self.axes[index].len()), &|index, value| {
            self.axes[index].position(value).is_some()
        })
    }

    /// Whether an assignment is one of its points.
    #[must_use]
    pub fn contains(&self, assignment: &HyperParameters) -> bool {
        self.point(assignment).is_some()
    }

    /// The point that begins with `point` and goes on with defaults.
    fn completed(&self, mut point: Point) -> Point {
        let mut known = self.assignment(&point);
        let from = point.len();
        for (hyperparameter, axis) in self.space.hyperparameters.iter().zip(&self.axes).skip(from) {
            let position = hyperparameter.is_active(&known).then_some(0);
            if position.is_some() {
                known.set(&hyperparameter.name, axis.default.clone());
            }
            point.push(position);
        }
        point
    }

    /// The next point, if there is one.
    fn successor(&self, point: &Point) -> Option<Point> {
        let can_move = |index: &usize| {
            point[*index].is_some_and(|position| position + 1 < self.axes[*index].len())
        };
        let moved = (0..point.len()).rev().find(can_move)?;
        let mut next = point[..=moved].to_vec();
        next[moved] = next[moved].map(|position| position + 1);
        Some(self.completed(next))
    }

    /// - `point`: may be the beginning of one
    fn assignment(&self, point: &[Option<u64>]) -> HyperParameters {
        let mut assignment = HyperParameters::default();
        for ((hyperparameter, axis), position) in
            self.space.hyperparameters.iter().zip(&self.axes).zip(point)
        {
            if let Some(position) = position {
                assignment.set(&hyperparameter.name, axis.value(*position));
            }
        }
        assignment
    }

    /// The inverse of [`assignment`](Self::assignment).
    fn point(&self, assignment: &HyperParameters) -> Option<Point> {
        let mut known = HyperParameters::default();
        let mut point = Point::with_capacity(self.axes.len());
        for (hyperparameter, axis) in self.space.hyperparameters.iter().zip(&self.axes) {
            if !hyperparameter.is_active(&known) {
                point.push(None);
                continue;
            }
            let value = assignment.get(&hyperparameter.name)?;
            point.push(Some(axis.position(value)?));
            known.set(&hyperparameter.name, value.clone());
        }
        (known.iter().count() == assignment.iter().count()).then_some(point)
    }
}

impl Oracle for GridSearch {
    fn suggest(&self, study: &Study) -> Suggestion {
        let own = study.trials.get(self.first..).unwrap_or_default();
        let last = own.last().and_then(|trial| self.point(&trial.hyperparameters));
        let after_last = last.and_then(|point| self.successor(&point));
        let onwards = |point| successors(point, |point| self.successor(point));
        // From the start again: a space that has grown has new points before the last, too.
        let start = Some(self.completed(Point::new()));
        let next = onwards(after_last)
            .chain(onwards(start))
            .map(|point| self.assignment(&point))
            .find(|assignment| !study.proposed.contains(&assignment.digest()));
        let Some(hyperparameters) = next else { return Suggestion::Exhausted };
        let seed_state = study.seed_state;
        Suggestion::Trial(Proposal { hyperparameters, seed_state, ..Proposal::default() })
    }
}

impl Axis {
    fn new(mut kind: Kind, rules: Rules) -> Self {
        if let Kind::Choice { values, .. } = &mut kind {
            let mut distinct: Vec<Value> = Vec::with_capacity(values.len());
            for value in values.drain(..) {
                if !distinct.contains(&value) {
                    distinct.push(value);
                }
            }
            *values = distinct;
        }
        let count = kind.count(rules).unwrap_or(0);
        let default = kind.default();
        let mut axis = Self { kind, rules, count, default, default_index: None };
        axis.default_index = axis.index(&axis.default);
        axis
    }

    /// How many positions it has.
    fn len(&self) -> u64 {
        self.count.saturating_add(u64::from(self.default_index.is_none()))
    }

    /// The value at a position below [`len`](Self::len).
    fn value(&self, position: u64) -> Value {
        let Some(index) = position.checked_sub(1) else { return self.default.clone() };
        let is_after_default = self.default_index.is_some_and(|default| index >= default);
        self.kind.nth(self.rules, index + u64::from(is_after_default))
    }

    /// The position of a value, if it has one.
    fn position(&self, value: &Value) -> Option<u64> {
        if *value == self.default {
            return Some(0);
        }
        let index = self.index(value)?;
        let is_after_default = self.default_index.is_some_and(|default| index > default);
        Some(index + 1 - u64::from(is_after_default))
    }

    /// Number of a value among those of the kind.
    fn index(&self, value: &Value) -> Option<u64> {
        let probability = self.kind.probability_of(self.rules, value)?;
        // In the middle of its bucket, up to rounding.
        let near = (probability * self.count as f64 - 0.5).round() as u64;
        (near.saturating_sub(1)..=near.saturating_add(1))
            .find(|index| *index < self.count && self.kind.nth(self.rules, *index) == *value)
    }
}

#[cfg(test)]
mod tests;
