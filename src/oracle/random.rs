//! Random search: independent draws, none proposed twice.

use super::{Oracle, Suggestion};
use crate::space::Space;
use crate::study::Study;

/// A space is taken for exhausted after so many draws in a row that were
/// proposed before; a finite space ends exactly, by its size, long before.
const MAX_COLLISIONS: u32 = 100_000;

/// Keras Tuner's `RandomSearch`: the same seed gives the same proposals as
/// version 1.4.8. Unlike there, a finite space is exhausted exactly, not after
/// 21 collisions.
#[derive(Debug, Clone)]
pub struct RandomSearch {
    space: Space,
    size: Option<u64>,
}

impl RandomSearch {
    /// Searches `space`.
    #[must_use]
    pub fn new(space: Space) -> Self {
        let size = space.size();
        Self { space, size }
    }
}

impl Oracle for RandomSearch {
    fn suggest(&self, study: &Study) -> Suggestion {
        if self.size.is_some_and(|size| study.proposed.len() as u64 >= size) {
            return Suggestion::Exhausted;
        }
        let mut seed_state = study.seed_state;
        for _ in 0..MAX_COLLISIONS {
            let (hyperparameters, next) = self.space.draw(seed_state);
            seed_state = next;
            if !study.proposed.contains(&hyperparameters.digest()) {
                return Suggestion::Assignment { hyperparameters, seed_state };
            }
        }
        Suggestion::Exhausted
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::space::{HyperParameter, Kind, Value};
    use crate::study::{Direction, Objective, Record, Settings, Stamped, TrialId};

    fn study(seed: u64) -> Study {
        Study::new(Settings {
            study: "test".to_owned(),
            objective: Objective { metric: "loss".to_owned(), direction: Direction::Min },
            max_trials: 1000,
            executions_per_trial: 1,
            seed,
            max_retries: 0,
            max_consecutive_failures: 0,
            hours: None,
        })
    }

    fn choices(sizes: &[usize]) -> Space {
        let hyperparameters = sizes.iter().enumerate().map(|(index, size)| {
            let values = (0..*size as i64).map(Value::Int).collect();
            HyperParameter {
                name: format!("h{index}"),
                kind: Kind::Choice { values, default: None },
            }
        });
        Space { hyperparameters: hyperparameters.collect() }
    }

    /// Takes the next proposal into the study; `None` when there is none.
    fn propose(oracle: &RandomSearch, study: &mut Study) -> Option<TrialId> {
        let Suggestion::Assignment { hyperparameters, seed_state } = oracle.suggest(study) else {
            return None;
        };
        let trial = TrialId(study.trials.len() as u32);
        let record = Record::TrialCreated { trial, hyperparameters, seed_state };
        study.apply(&Stamped { at_ms: 0, record }).expect("trials are numbered in order");
        Some(trial)
    }

    #[test]
    fn collisions_are_drawn_again_as_keras_tuner_does() {
        let golden = crate::space::sampling::tests::golden();
        let golden = golden["random_exhaustion_seed1_choice_xyz"].as_array().expect("a list");
        let values = ["x", "y", "z"].map(|name| Value::Text(name.to_owned())).to_vec();
        let kind = Kind::Choice { values, default: None };
        let space = Space { hyperparameters: vec![HyperParameter { name: "c".to_owned(), kind }] };
        let (oracle, mut study) = (RandomSearch::new(space), study(1));
        for expected in &golden[..3] {
            let trial = propose(&oracle, &mut study).expect("three values").0 as usize;
            let value = study.trials[trial].hyperparameters.get("c").expect("a value").to_string();
            assert_eq!(value, expected[1].as_str().expect("a value"));
            assert_eq!(study.seed_state, expected[2].as_u64().expect("a state"));
        }
        assert_eq!(propose(&oracle, &mut study), None);
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
