//! List: the assignments under `search.trials`, in their order.

use super::{Assignment, Oracle, Proposal, Suggestion};
use crate::study::Study;

/// Proposes what the experiment file gives, and nothing else.
#[derive(Debug, Clone)]
pub struct List {
    /// With their digests, by which they are known to the study.
    trials: Vec<([u8; 16], Assignment)>,
}

impl List {
    /// Tries `trials`.
    #[must_use]
    pub fn new(trials: Vec<Assignment>) -> Self {
        let with_digest = |trial: Assignment| (trial.hyperparameters.digest(), trial);
        Self { trials: trials.into_iter().map(with_digest).collect() }
    }
}

impl Oracle for List {
    /// The first one that was not tried, so that a list that has grown goes on
    /// with what is new.
    fn suggest(&self, study: &Study) -> Suggestion {
        let next = self.trials.iter().find(|(digest, _)| !study.proposed.contains(digest));
        let Some((_, Assignment { name, hyperparameters })) = next else {
            return Suggestion::Exhausted;
        };
        Suggestion::Trial(Proposal {
            hyperparameters: hyperparameters.clone(),
            seed_state: study.seed_state,
            name: name.clone(),
            stage: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::testing::{propose, space, study};
    use crate::oracle::{Algorithm, Setup};
    use crate::space::{Kind, Space, Value};

    fn assignment(name: &str, value: i64) -> Assignment {
        let hyperparameters = [("a".to_owned(), Value::Int(value))].into_iter().collect();
        Assignment { name: Some(name.to_owned()), hyperparameters }
    }

    fn ten() -> Space {
        let values = (0..10).map(Value::Int).collect();
        space([("a", Kind::Choice { values, default: None })])
    }

    /// Names of the trials that a study proposes to its end.
    fn names(setup: &Setup, study: &mut Study) -> Vec<String> {
        let oracle = setup.oracle(&ten());
        while propose(&*oracle, study).is_some() {}
        assert_eq!(oracle.suggest(study), Suggestion::Exhausted);
        study.trials.iter().map(|trial| trial.name.clone().expect("all have one")).collect()
    }

    #[test]
    fn trials_come_in_the_order_of_the_file_with_their_names() {
        let trials = [("wide", 7), ("narrow", 2), ("odd", 3)].map(|(n, v)| assignment(n, v));
        let mut setup =
            Setup { algorithm: Algorithm::List, trials: trials.to_vec(), ..Setup::random() };
        let mut study = study(1);
        assert_eq!(names(&setup, &mut study), ["wide", "narrow", "odd"]);
        assert_eq!(Algorithm::List.total(&setup, &ten()), Some(3));

        setup.trials.push(assignment("late", 9));
        assert_eq!(names(&setup, &mut study), ["wide", "narrow", "odd", "late"]);
    }

    #[test]
    fn what_was_tried_first_is_not_tried_again() {
        let trials = [("wide", 7), ("narrow", 2), ("odd", 3)].map(|(n, v)| assignment(n, v));
        let setup = Setup {
            algorithm: Algorithm::List,
            trials: trials.to_vec(),
            first: vec![assignment("known", 2), assignment("other", 5)],
            ..Setup::random()
        };
        assert_eq!(names(&setup, &mut study(1)), ["known", "other", "wide", "odd"]);
        assert_eq!(Algorithm::List.total(&setup, &ten()), Some(4));
    }
}
