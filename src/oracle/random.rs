//! Random search: independent draws, none proposed twice.

use std::collections::HashSet;

use super::{Oracle, Proposal, Suggestion};
use crate::space::{HyperParameters, Rules, Space};
use crate::study::Study;

/// Keras Tuner's `RandomSearch`: by the [`Rules`] of a version, the same seed
/// gives the same proposals as that version.
#[derive(Debug, Clone)]
pub struct RandomSearch {
    draws: Draws,
}

impl RandomSearch {
    /// Searches `space`.
    #[must_use]
    pub fn new(space: Space) -> Self {
        Self { draws: Draws::new(space) }
    }
}

impl Oracle for RandomSearch {
    fn suggest(&self, study: &Study) -> Suggestion {
        self.draws.next(study).map_or(Suggestion::Exhausted, Suggestion::Trial)
    }
}

/// Draws that were not proposed before, for all oracles that need some.
#[derive(Debug, Clone)]
pub(super) struct Draws {
    space: Space,
    size: Option<u64>,
    max_collisions: u32,
}

impl Draws {
    pub(super) fn new(space: Space) -> Self {
        let (size, max_collisions) = match space.rules {
            // Ends exactly, by its size; the limit is for spaces too large to count.
            Rules::Mended => (space.size(), 100_000),
            Rules::KerasTuner14 => (None, 20),
            Rules::KerasTuner10 => (None, 5),
        };
        Self { space, size, max_collisions }
    }

    /// The next one; `None` when the space is taken for exhausted.
    pub(super) fn next(&self, study: &Study) -> Option<Proposal> {
        if self.size.is_some_and(|size| self.has_proposed_all(size, study)) {
            return None;
        }
        let mut seed_state = study.seed_state;
        for _ in 0..=self.max_collisions {
            let (hyperparameters, next) = self.space.draw(seed_state);
            seed_state = next;
            if !study.proposed.contains(&hyperparameters.digest()) {
                return Some(Proposal { hyperparameters, seed_state, ..Proposal::default() });
            }
        }
        None
    }

    /// Whether all `size` assignments of the space were proposed. Trials of a
    /// space that was extended since, and assignments of the file that no draw
    /// gives, are none of them.
    fn has_proposed_all(&self, size: u64, study: &Study) -> bool {
        if (study.proposed.len() as u64) < size {
            return false;
        }
        let drawable = study.trials.iter().map(|trial| &trial.hyperparameters);
        let drawable = drawable.filter(|assignment| self.is_drawable(assignment));
        let distinct: HashSet<[u8; 16]> = drawable.map(HyperParameters::digest).collect();
        distinct.len() as u64 >= size
    }

    fn is_drawable(&self, assignment: &HyperParameters) -> bool {
        let rules = self.space.rules;
        let mut fits = true;
        let completed = self.space.assigned(|hyperparameter| {
            let value = assignment.get(&hyperparameter.name);
            fits &= value.is_some_and(|value| hyperparameter.kind.can_be(rules, value));
            value.cloned().unwrap_or_else(|| hyperparameter.kind.default())
        });
        fits && completed == *assignment
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oracle::testing::{propose, space, study};
    use crate::space::{Kind, Value};

    fn choices(sizes: &[usize]) -> Space {
        const NAMES: [&str; 4] = ["a", "b", "c", "d"];
        space(sizes.iter().enumerate().map(|(index, size)| {
            let values = (0..*size as i64).map(Value::Int).collect();
            (NAMES[index], Kind::Choice { values, default: None })
        }))
    }

    fn xyz(rules: Rules) -> Space {
        let values = ["x", "y", "z"].map(|name| Value::Text(name.to_owned())).to_vec();
        Space { rules, ..space([("c", Kind::Choice { values, default: None })]) }
    }

    #[test]
    fn collisions_are_drawn_again_as_keras_tuner_does() {
        let golden = crate::space::sampling::tests::golden();
        let golden = golden["random_exhaustion_seed1_choice_xyz"].as_array().expect("a list");
        for rules in [Rules::Mended, Rules::KerasTuner14] {
            let (oracle, mut study) = (RandomSearch::new(xyz(rules)), study(1));
            for expected in &golden[..3] {
                let trial = propose(&oracle, &mut study).expect("three values").0 as usize;
                let value = study.trials[trial].hyperparameters.get("c").expect("a value");
                assert_eq!(value.to_string(), expected[1].as_str().expect("a value"));
                assert_eq!(study.seed_state, expected[2].as_u64().expect("a state"));
            }
            assert_eq!(propose(&oracle, &mut study), None);
        }
    }

    #[test]
    fn an_extended_space_is_proposed_whole() {
        let mut study = study(1);
        let earlier = RandomSearch::new(choices(&[3]));
        while propose(&earlier, &mut study).is_some() {}
        assert_eq!(study.trials.len(), 3);
        // Another value, then another hyperparameter: 4 and 4 × 2 assignments.
        let wider = RandomSearch::new(choices(&[4]));
        while propose(&wider, &mut study).is_some() {}
        assert_eq!(study.trials.len(), 4);
        let deeper = RandomSearch::new(choices(&[4, 2]));
        while propose(&deeper, &mut study).is_some() {}
        assert_eq!(study.trials.len(), 12);
    }

    proptest! {
        #[test]
        fn a_finite_space_is_proposed_once_and_whole(
            sizes in proptest::collection::vec(1_usize..5, 0..4),
            seed in 0_u64..1000,
        ) {
            let space = choices(&sizes);
            let size = space.size().expect("finite");
            let (oracle, mut study) = (RandomSearch::new(space), study(seed));
            while propose(&oracle, &mut study).is_some() {}
            let distinct: HashSet<String> =
                study.trials.iter().map(|trial| format!("{:?}", trial.hyperparameters)).collect();
            prop_assert_eq!(study.trials.len() as u64, size);
            prop_assert_eq!(distinct.len() as u64, size);
        }
    }
}
