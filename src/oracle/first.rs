//! `search.first`: assignments of the file that are tried before the oracle's own.

use super::{Assignment, Oracle, Proposal, Suggestion};
use crate::study::{Stage, Study, TrialId};

/// Another oracle, whose first proposals are replaced.
pub(super) struct First {
    first: Vec<Assignment>,
    then: Box<dyn Oracle>,
}

impl First {
    pub(super) fn new(first: Vec<Assignment>, then: Box<dyn Oracle>) -> Self {
        Self { first, then }
    }
}

impl Oracle for First {
    /// The oracle's own proposal gives the stage; its draw is not used up.
    /// Promotions are left alone: they are not fresh assignments.
    fn suggest(&self, study: &Study) -> Suggestion {
        let suggestion = self.then.suggest(study);
        let fresh = study.trials.iter().filter(|trial| !is_promotion(trial.stage.as_ref()));
        // More than there are in the file count for nothing.
        let fresh = fresh.take(self.first.len()).count();
        let Some(assignment) = self.first.get(fresh) else { return suggestion };
        let mut proposal = match suggestion {
            Suggestion::Trial(proposal) if !is_promotion(proposal.stage.as_ref()) => proposal,
            // A list or a grid can be over before all of the file's were tried.
            Suggestion::Exhausted => Proposal::default(),
            Suggestion::Trial(_) | Suggestion::Wait => return suggestion,
        };
        proposal.hyperparameters = assignment.hyperparameters.clone();
        proposal.name.clone_from(&assignment.name);
        proposal.seed_state = study.seed_state;
        Suggestion::Trial(proposal)
    }

    /// No more than the oracle's own, which may have promotions to make before
    /// all of the file's were tried.
    fn foreseeable(&self) -> Option<u32> {
        self.then.foreseeable()
    }

    fn may_promote(&self, study: &Study, trial: TrialId) -> bool {
        self.then.may_promote(study, trial)
    }
}

fn is_promotion(stage: Option<&Stage>) -> bool {
    stage.is_some_and(|stage| stage.promoted_from.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Setup;
    use crate::oracle::testing::{end, propose, space, study};
    use crate::space::{Kind, Value};

    #[test]
    fn assignments_of_the_file_come_first_and_only_once() {
        let values = (0..4).map(Value::Int).collect();
        let space = space([("a", Kind::Choice { values, default: None })]);
        let first = [2, 0].map(|value| Assignment {
            name: (value == 0).then(|| "none".to_owned()),
            hyperparameters: [("a".to_owned(), Value::Int(value))].into_iter().collect(),
        });
        let oracle = Setup { first: first.to_vec(), ..Setup::random() }.oracle(&space);
        let mut study = study(1);
        while let Some(trial) = propose(&*oracle, &mut study) {
            end(&mut study, trial, None);
        }
        let values: Vec<&Value> =
            study.trials.iter().filter_map(|trial| trial.hyperparameters.get("a")).collect();
        assert_eq!(values[..2], [&Value::Int(2), &Value::Int(0)]);
        assert_eq!(study.trials[1].name.as_deref(), Some("none"));
        assert_eq!(values.len(), 4, "each value once: {values:?}");
    }
}
