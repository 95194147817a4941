//! A space as groups of axes.
//!
//! Hyperparameters with the same conditions are active together, so they form
//! a group, which has a density of its own.

use super::axis::Axis;
use crate::space::{Condition, HyperParameters, Space};

/// A space and its groups.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) space: Space,
    /// One for each hyperparameter that has several values.
    pub(super) axes: Vec<Option<Axis>>,
    /// In the order of their first hyperparameters, so that the parents of a
    /// group are in groups before it.
    pub(super) groups: Vec<Group>,
    /// Of each hyperparameter.
    pub(super) places: Vec<Place>,
}

/// Hyperparameters with the same conditions.
#[derive(Debug, Clone)]
pub(super) struct Group {
    when: Vec<Condition>,
    /// Numbers, in the space, of those that have several values.
    pub(super) members: Vec<usize>,
}

/// Where a hyperparameter is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) group: usize,
    /// Which of the group's members it is, or would be.
    pub(super) member: usize,
}

impl Layout {
    pub(super) fn new(space: Space) -> Self {
        let mut layout = Self { space, axes: Vec::new(), groups: Vec::new(), places: Vec::new() };
        for (number, hyperparameter) in layout.space.hyperparameters.iter().enumerate() {
            let when = &hyperparameter.when;
            let known = layout.groups.iter().position(|group| group.when == *when);
            let group = known.unwrap_or(layout.groups.len());
            if known.is_none() {
                layout.groups.push(Group { when: when.clone(), members: Vec::new() });
            }
            let members = &mut layout.groups[group].members;
            layout.places.push(Place { group, member: members.len() });
            let axis = Axis::of(&hyperparameter.kind, layout.space.rules);
            if axis.is_some() {
                members.push(number);
            }
            layout.axes.push(axis);
        }
        layout
    }

    /// The axes of a group.
    pub(super) fn axes_of(&self, group: usize) -> Vec<&Axis> {
        let members = self.groups[group].members.iter();
        members.filter_map(|member| self.axes[*member].as_ref()).collect()
    }
}

impl Group {
    /// Whether its hyperparameters have values in an assignment.
    pub(super) fn is_active(&self, assignment: &HyperParameters) -> bool {
        self.when.iter().all(|condition| condition.holds(assignment))
    }
}
