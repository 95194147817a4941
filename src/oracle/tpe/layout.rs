//! A space as groups of axes.
//!
//! Hyperparameters that are active together form a group, which has a density
//! of its own. They are told by their conditions, of which those do not count
//! that every value of the parent fulfils: the units of a first layer belong to
//! the number of layers, since there always is one (Optuna, which learns from
//! trials what occurs together, has the same groups).

use super::axis::Axis;
use crate::space::{Condition, HyperParameter, HyperParameters, Kind, Space, Value};

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

/// Hyperparameters that are active together.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Where they are; without conditions that say nothing.
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
            let when = telling(&layout.space, &hyperparameter.when);
            let known = layout.groups.iter().position(|group| group.when == when);
            let group = known.unwrap_or(layout.groups.len());
            if known.is_none() {
                layout.groups.push(Group { when, members: Vec::new() });
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

/// The conditions that decide where a hyperparameter is active: in place of one
/// that every value of its parent fulfils, those of the parent.
fn telling(space: &Space, when: &[Condition]) -> Vec<Condition> {
    let mut telling = Vec::new();
    for condition in when {
        let decisive = match always_active_with(space, condition) {
            Some(parent) => self::telling(space, &parent.when),
            None => vec![condition.clone()],
        };
        for condition in decisive {
            if !telling.contains(&condition) {
                telling.push(condition);
            }
        }
    }
    telling
}

/// The parent of a condition that holds wherever the parent is active.
fn always_active_with<'a>(space: &'a Space, condition: &Condition) -> Option<&'a HyperParameter> {
    let mut declared = space.hyperparameters.iter().filter(|known| known.name == condition.parent);
    // Of a name that is declared twice neither one is the parent.
    let (Some(parent), None) = (declared.next(), declared.next()) else { return None };
    let holds = |value: &Value| condition.values.contains(value);
    let all = match &parent.kind {
        Kind::Choice { values, .. } => values.iter().all(holds),
        kind @ (Kind::Int(_) | Kind::Float(_) | Kind::Boolean { .. } | Kind::Fixed(_)) => {
            let count = kind.count(space.rules)?;
            count <= condition.values.len() as u64
                && (0..count).all(|n| holds(&kind.nth(space.rules, n)))
        }
    };
    all.then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::testing::hyperparameter;
    use crate::space::{Numerical, Sampling};

    fn int(min: i64, max: i64) -> Kind {
        Kind::Int(Numerical { min, max, step: None, sampling: Sampling::Linear, default: None })
    }

    fn ints(values: &[i64]) -> Vec<Value> {
        values.iter().map(|value| Value::Int(*value)).collect()
    }

    /// Name, kind and conditions.
    type Declared<'a> = (&'a str, Kind, &'a [(&'a str, Vec<Value>)]);

    /// Names of each group.
    fn groups(declared: &[Declared]) -> Vec<String> {
        let condition = |(parent, values): &(&str, Vec<Value>)| Condition {
            parent: (*parent).to_owned(),
            values: values.clone(),
        };
        let hyperparameters = declared.iter().map(|(name, kind, when)| HyperParameter {
            when: when.iter().map(condition).collect(),
            ..hyperparameter(name, kind.clone())
        });
        let space = Space { hyperparameters: hyperparameters.collect(), ..Space::default() };
        let layout = Layout::new(space);
        let name = |member: &usize| layout.space.hyperparameters[*member].name.clone();
        let names =
            |group: &Group| group.members.iter().map(name).collect::<Vec<String>>().join(" ");
        layout.groups.iter().map(names).collect()
    }

    #[test]
    fn what_is_always_active_together_is_a_group() {
        let two = || Kind::Choice { values: ints(&[1, 2]), default: None };
        let declared: &[Declared] = &[
            ("layers", int(1, 3), &[]),
            ("units_1", int(1, 9), &[("layers", ints(&[3, 2, 1]))]),
            ("units_2", int(1, 9), &[("layers", ints(&[2, 3]))]),
            ("units_3", int(1, 9), &[("layers", ints(&[3]))]),
            ("norm", Kind::Boolean { default: true }, &[("layers", ints(&[2, 3]))]),
            // Every value of a parent with a condition: as the parent.
            ("slope", int(1, 9), &[("norm", vec![Value::Bool(false), Value::Bool(true)])]),
            ("shift", int(1, 9), &[("norm", vec![Value::Bool(true)])]),
            (
                "pool",
                two(),
                &[("layers", ints(&[1, 2, 3])), ("units_1", (1..=9).map(Value::Int).collect())],
            ),
            ("rate", two(), &[("pool", ints(&[1, 2, 3]))]),
        ];
        assert_eq!(
            groups(declared),
            ["layers units_1 pool rate", "units_2 norm slope", "units_3", "shift"]
        );
    }

    #[test]
    fn a_parent_that_is_declared_twice_keeps_its_condition() {
        let declared: &[Declared] = &[
            ("a", int(1, 2), &[]),
            ("b", int(1, 2), &[("a", ints(&[1]))]),
            ("b", int(1, 3), &[("a", ints(&[2]))]),
            ("c", int(1, 3), &[("b", ints(&[1, 2]))]),
        ];
        assert_eq!(groups(declared), ["a", "b", "b", "c"]);
    }

    #[test]
    fn a_range_without_end_decides() {
        let range =
            Numerical { min: 0.0, max: 1.0, step: None, sampling: Sampling::Linear, default: None };
        let declared: &[Declared] =
            &[("x", Kind::Float(range), &[]), ("y", int(1, 2), &[("x", vec![Value::Float(0.5)])])];
        assert_eq!(groups(declared), ["x", "y"]);
    }
}
