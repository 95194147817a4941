//! Draws of whole assignments, and how many there are.

use super::{HyperParameter, HyperParameters, Rules, Space, Value};

/// A space whose connected conditions branch more often than this is not counted.
const MAX_BRANCHES: u32 = 100_000;

impl Space {
    /// Draws one assignment. Every active hyperparameter takes one seed from
    /// `seed_state` on, in order; returns where the next draw goes on.
    #[must_use]
    pub fn draw(&self, seed_state: u64) -> (HyperParameters, u64) {
        let mut next = seed_state;
        let assignment = self.assigned(|hyperparameter| {
            let value = hyperparameter.kind.draw(self.rules, next);
            next = next.wrapping_add(1);
            value
        });
        (assignment, next)
    }

    /// Number of distinct assignments; absent when it is not finite, beyond
    /// `u64`, or conditions branch too often to count.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.parts().iter().try_fold(1_u64, |size, part| {
            let named = part.iter().map(|parent| self.named_in_conditions(parent)).collect();
            let mut count = Count { part, named, rules: self.rules, branches_left: MAX_BRANCHES };
            size.checked_mul(count.from(0, &HyperParameters::default())?)
        })
    }

    /// Parts that no condition connects, each in the order of the space.
    fn parts(&self) -> Vec<Vec<&HyperParameter>> {
        let mut parts: Vec<Vec<&HyperParameter>> = Vec::new();
        for hyperparameter in &self.hyperparameters {
            let is_connected = |other: &&HyperParameter| {
                other.name == hyperparameter.name
                    || hyperparameter.when.iter().any(|condition| condition.parent == other.name)
            };
            let (connected, others): (Vec<_>, Vec<_>) =
                parts.into_iter().partition(|part| part.iter().any(is_connected));
            let mut connected = connected.concat();
            connected.push(hyperparameter);
            parts = others;
            parts.push(connected);
        }
        parts
    }

    /// Values of a hyperparameter that later conditions name, each once, as
    /// far as it can have them.
    fn named_in_conditions(&self, parent: &HyperParameter) -> Vec<Value> {
        let mut named: Vec<Value> = Vec::new();
        let conditions = self.hyperparameters.iter().flat_map(|child| &child.when);
        for value in conditions
            .filter(|condition| condition.parent == parent.name)
            .flat_map(|condition| &condition.values)
        {
            if !named.contains(value) && parent.kind.can_be(self.rules, value) {
                named.push(value.clone());
            }
        }
        named
    }
}

/// Counts the assignments of a part of a space.
struct Count<'a> {
    part: &'a [&'a HyperParameter],
    /// Of each hyperparameter, the values that conditions name.
    named: Vec<Vec<Value>>,
    rules: Rules,
    branches_left: u32,
}

impl Count<'_> {
    /// Number of ways to go on from hyperparameter number `first`.
    ///
    /// - `parents`: values of those before it on which conditions depend; one
    ///   that no condition names is left out
    fn from(&mut self, first: usize, parents: &HyperParameters) -> Option<u64> {
        let mut size = 1_u64;
        for (index, hyperparameter) in self.part.iter().enumerate().skip(first) {
            if !hyperparameter.is_active(parents) {
                continue;
            }
            let count = hyperparameter.kind.count(self.rules)?;
            let named = self.named[index].clone();
            if named.is_empty() {
                size = size.checked_mul(count)?;
                continue;
            }
            // One branch for each value that a condition names, one for all others.
            let others = count - named.len() as u64;
            let mut ways = 0_u64;
            for value in named.into_iter().map(Some).chain((others > 0).then_some(None)) {
                self.branches_left = self.branches_left.checked_sub(1)?;
                let times = if value.is_some() { 1 } else { others };
                let mut parents = parents.clone();
                if let Some(value) = value {
                    parents.set(&hyperparameter.name, value);
                }
                let further = self.from(index + 1, &parents)?;
                ways = ways.checked_add(times.checked_mul(further)?)?;
            }
            return size.checked_mul(ways);
        }
        Some(size)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::slice;

    use proptest::prelude::*;

    use super::*;
    use crate::oracle::testing::hyperparameter;
    use crate::space::{Condition, Kind, Numerical, Rules, Sampling};

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
