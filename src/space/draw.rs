//! Draws of whole assignments, and how many there are.

use super::random::first_doubles_from;
use super::{HyperParameter, HyperParameters, Rules, Space, Value};

/// A space whose connected conditions branch more often than this is not counted.
const MAX_BRANCHES: u32 = 100_000;

/// Nor is one whose conditions branch more often than this in a row: each takes
/// some of the stack.
const MAX_DEPTH: usize = 500;

impl Space {
    /// Draws one assignment. Every active hyperparameter takes one seed from
    /// `seed_state` on, in order; returns where the next draw goes on.
    #[must_use]
    pub fn draw(&self, seed_state: u64) -> (HyperParameters, u64) {
        let mut next = seed_state;
        let mut doubles = first_doubles_from(seed_state);
        let assignment = self.assigned(|hyperparameter| {
            let value = match self.rules {
                Rules::Mended | Rules::KerasTuner14 => {
                    let double = doubles.next().expect("they have no end");
                    hyperparameter.kind.value_at(self.rules, double)
                }
                Rules::KerasTuner10 => hyperparameter.kind.draw(self.rules, next),
            };
            next = next.wrapping_add(1);
            value
        });
        (assignment, next)
    }

    /// Number of distinct assignments; absent when it is not finite, beyond
    /// `u64`, or conditions branch too often to count.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        let kind = |index: usize| &self.hyperparameters[index].kind;
        self.size_of(&|index| kind(index).count(self.rules), &|index, value| {
            kind(index).can_be(self.rules, value)
        })
    }

    /// As [`size`](Self::size), where hyperparameters may have other values
    /// than a draw gives them.
    ///
    /// - `count`: how many values the hyperparameter of a number has
    /// - `can_be`: whether a value is one of them
    pub(crate) fn size_of(
        &self,
        count: &dyn Fn(usize) -> Option<u64>,
        can_be: &dyn Fn(usize, &Value) -> bool,
    ) -> Option<u64> {
        self.parts().into_iter().try_fold(1_u64, |size, part| {
            let members = part.into_iter().map(|index| {
                let hyperparameter = &self.hyperparameters[index];
                let mut named = self.named_in_conditions(&hyperparameter.name);
                named.retain(|value| can_be(index, value));
                Some(Member { hyperparameter, count: count(index)?, named })
            });
            let members = members.collect::<Option<Vec<_>>>()?;
            let mut branches_left = MAX_BRANCHES;
            size.checked_mul(ways(&members, &HyperParameters::default(), &mut branches_left)?)
        })
    }

    /// Numbers of hyperparameters, in the parts that no condition connects.
    fn parts(&self) -> Vec<Vec<usize>> {
        let mut parts: Vec<Vec<usize>> = Vec::new();
        for (number, hyperparameter) in self.hyperparameters.iter().enumerate() {
            let is_connected = |other: &usize| {
                let other = &self.hyperparameters[*other].name;
                *other == hyperparameter.name
                    || hyperparameter.when.iter().any(|condition| condition.parent == *other)
            };
            let (connected, others): (Vec<_>, Vec<_>) =
                parts.into_iter().partition(|part| part.iter().any(is_connected));
            let mut part = connected.concat();
            part.push(number);
            parts = others;
            parts.push(part);
        }
        parts
    }

    /// Values of a hyperparameter that conditions name, each once.
    fn named_in_conditions(&self, parent: &str) -> Vec<Value> {
        let mut named: Vec<Value> = Vec::new();
        let conditions = self.hyperparameters.iter().flat_map(|child| &child.when);
        for value in conditions
            .filter(|condition| condition.parent == parent)
            .flat_map(|condition| &condition.values)
        {
            if !named.contains(value) {
                named.push(value.clone());
            }
        }
        named
    }
}

/// A hyperparameter whose values are counted.
struct Member<'a> {
    hyperparameter: &'a HyperParameter,
    /// How many values it has.
    count: u64,
    /// Those of them that conditions name.
    named: Vec<Value>,
}

/// Number of ways to give `members` values.
///
/// - `parents`: values of those before them on which conditions depend; one
///   that no condition names is left out
fn ways(members: &[Member<'_>], parents: &HyperParameters, branches_left: &mut u32) -> Option<u64> {
    let mut size = 1_u64;
    for (index, member) in members.iter().enumerate() {
        if !member.hyperparameter.is_active(parents) {
            continue;
        }
        if member.named.is_empty() {
            size = size.checked_mul(member.count)?;
            continue;
        }
        if parents.iter().count() >= MAX_DEPTH {
            return None;
        }
        // One branch for each value that a condition names, one for all others.
        let others = member.count - member.named.len() as u64;
        let branches = member.named.iter().map(|value| (Some(value), 1)).chain([(None, others)]);
        let mut sum = 0_u64;
        for (value, times) in branches.filter(|(_, times)| *times > 0) {
            *branches_left = branches_left.checked_sub(1)?;
            let mut parents = parents.clone();
            if let Some(value) = value {
                parents.set(&member.hyperparameter.name, value.clone());
            }
            let further = ways(&members[index + 1..], &parents, branches_left)?;
            sum = sum.checked_add(times.checked_mul(further)?)?;
        }
        return size.checked_mul(sum);
    }
    Some(size)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::slice;

    use proptest::prelude::*;

    use super::*;
    use crate::oracle::testing::hyperparameter;
    use crate::space::{Condition, Kind, Numerical, Sampling};

    /// All assignments, one by one.
    fn listed(
        space: &Space,
        assignment: &HyperParameters,
        index: usize,
        all: &mut HashSet<String>,
    ) {
        let Some(hyperparameter) = space.hyperparameters.get(index) else {
            all.insert(format!("{assignment:?}"));
            return;
        };
        if !hyperparameter.is_active(assignment) {
            return listed(space, assignment, index + 1, all);
        }
        let values = match &hyperparameter.kind {
            Kind::Choice { values, .. } => values.clone(),
            kind => (0..kind.count(space.rules).expect("finite"))
                .map(|index| kind.nth(space.rules, index))
                .collect(),
        };
        for value in values {
            let mut assignment = assignment.clone();
            assignment.set(&hyperparameter.name, value);
            listed(space, &assignment, index + 1, all);
        }
    }

    fn kinds() -> impl Strategy<Value = Kind> {
        let int = |(min, span, step)| {
            let sampling = if step > 2 { Sampling::Log } else { Sampling::Linear };
            let step = Some(step).filter(|step| *step != 3);
            Kind::Int(Numerical { min, max: min + span, step, sampling, default: None })
        };
        let float = |(steps, step)| {
            let (max, step) = (f64::from(steps) * 0.1, Some(step));
            let sampling = Sampling::Linear;
            Kind::Float(Numerical { min: 0.0, max, step, sampling, default: None })
        };
        prop_oneof![
            proptest::collection::vec(0_i64..4, 1..5).prop_map(|values| Kind::Choice {
                values: values.into_iter().map(Value::Int).collect(),
                default: None,
            }),
            any::<bool>().prop_map(|default| Kind::Boolean { default }),
            (1_i64..3, 0_i64..4, 1_i64..5).prop_map(int),
            (0_u8..4, 0.1..0.3_f64).prop_map(float),
            (0_i64..3).prop_map(|value| Kind::Fixed(Value::Int(value))),
        ]
    }

    /// A space whose hyperparameters hang on up to two earlier ones each; some
    /// stand there twice, under conditions that exclude each other.
    fn spaces() -> impl Strategy<Value = Space> {
        let condition = (any::<proptest::sample::Index>(), 0_u64..6, 0_u64..6, any::<bool>());
        let entry = (kinds(), kinds(), proptest::collection::vec(condition, 0..3), any::<bool>());
        let rules = prop_oneof![Just(Rules::Mended), Just(Rules::KerasTuner14)];
        (proptest::collection::vec(entry, 0..6), rules).prop_map(|(entries, rules)| {
            let mut space = Space { hyperparameters: Vec::new(), rules };
            for (number, (kind, other, conditions, twice)) in entries.into_iter().enumerate() {
                let earlier = space.hyperparameters.clone();
                let mut made = hyperparameter(&number.to_string(), kind);
                for (parent, first, second, never) in conditions {
                    if earlier.is_empty() {
                        continue;
                    }
                    let parent = parent.get(&earlier);
                    let mut values: Vec<Value> =
                        [first, second].map(|index| parent.kind.nth(rules, index)).into();
                    if never {
                        values[0] = Value::Text("never".to_owned());
                    }
                    made.when.push(Condition { parent: parent.name.clone(), values });
                }
                let exclusive = made.when.first().filter(|_| twice).map(|condition| {
                    let parent = space.named(&condition.parent).next().expect("declared before");
                    let values = (0..4)
                        .map(|index| parent.kind.nth(rules, index))
                        .filter(|value| !condition.values.contains(value))
                        .collect();
                    Condition { parent: condition.parent.clone(), values }
                });
                let second = exclusive.map(|condition| HyperParameter {
                    when: vec![condition],
                    ..hyperparameter(&made.name, other)
                });
                space.hyperparameters.push(made);
                space.hyperparameters.extend(second);
            }
            space
        })
    }

    #[test]
    fn inactive_hyperparameters_take_no_seed() {
        let boolean = Kind::Boolean { default: false };
        let when = |value| vec![Condition { parent: "a".to_owned(), values: vec![value] }];
        let child = |value| HyperParameter {
            when: when(Value::Bool(value)),
            ..hyperparameter("b", boolean.clone())
        };
        let int =
            Numerical { min: 0, max: 999, step: None, sampling: Sampling::Linear, default: None };
        let last = hyperparameter("c", Kind::Int(int));
        let space = |middle: Vec<HyperParameter>| Space {
            hyperparameters: [
                vec![hyperparameter("a", boolean.clone())],
                middle,
                vec![last.clone()],
            ]
            .concat(),
            ..Space::default()
        };
        for seed in 1..20 {
            let (alone, next) = space(Vec::new()).draw(seed);
            let drawn = alone.get("a") == Some(&Value::Bool(true));
            let (inactive, next_inactive) = space(vec![child(!drawn)]).draw(seed);
            assert_eq!((inactive, next_inactive), (alone, next));
            let (active, next_active) = space(vec![child(drawn)]).draw(seed);
            assert_eq!(next_active, next + 1);
            assert_eq!(active.get("c"), Some(&last.kind.draw(Rules::Mended, seed + 2)));
        }
    }

    #[test]
    fn branches_multiply_only_where_conditions_connect_them() {
        let boolean = |name: String, parents: &[String]| {
            let condition = |parent: &String| {
                let values = vec![Value::Bool(true)];
                Condition { parent: parent.clone(), values }
            };
            let when = parents.iter().map(condition).collect();
            HyperParameter { name, kind: Kind::Boolean { default: false }, when }
        };
        let parents: Vec<String> = (0..40).map(|number| format!("parent{number}")).collect();
        let mut space = Space::default();
        space.hyperparameters.extend(parents.iter().map(|name| boolean(name.clone(), &[])));
        let child = |name: &String| boolean(format!("child of {name}"), slice::from_ref(name));
        space.hyperparameters.extend(parents.iter().map(child));
        assert_eq!(space.size(), Some(3_u64.pow(40)));
        space.hyperparameters.push(boolean("of all".to_owned(), &parents));
        assert_eq!(space.size(), None);
        let chain = |length: u32| {
            let link = |number: u32| match number {
                0 => boolean("0".to_owned(), &[]),
                _ => boolean(number.to_string(), slice::from_ref(&(number - 1).to_string())),
            };
            Space { hyperparameters: (0..length).map(link).collect(), ..Space::default() }
        };
        assert_eq!(chain(300).size(), Some(301));
        assert_eq!(chain(5000).size(), None);
    }

    proptest! {
        #[test]
        fn sizes_equal_the_number_of_assignments(space in spaces()) {
            let mut all = HashSet::new();
            listed(&space, &HyperParameters::default(), 0, &mut all);
            prop_assert_eq!(space.size(), Some(all.len() as u64));
        }

        #[test]
        fn draws_are_assignments_of_the_space(space in spaces(), seed in 1_u64..1_000_000) {
            let mut all = HashSet::new();
            listed(&space, &HyperParameters::default(), 0, &mut all);
            let (drawn, next) = space.draw(seed);
            let text = format!("{drawn:?}");
            prop_assert!(all.contains(&text), "{}", text);
            prop_assert_eq!(next - seed, drawn.iter().count() as u64);
            prop_assert_eq!(space.completed(&drawn), drawn);
            let text = format!("{:?}", space.defaults());
            prop_assert!(all.contains(&text), "{}", text);
        }
    }
}
