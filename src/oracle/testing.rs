//! Studies without workers, for tests of oracles.

use super::{Oracle, Proposal, Suggestion};
use crate::space::{HyperParameter, Kind, Space};
use crate::study::{Direction, Objective, Record, Settings, Stamped, Study, TrialId, TrialState};

/// A study without trials that minimizes `loss`.
pub(crate) fn study(seed: u64) -> Study {
    Study::new(Settings {
        study: "test".to_owned(),
        objective: Objective::single("loss", Direction::Min),
        max_trials: 100_000,
        executions_per_trial: 1,
        folds: None,
        seed,
        max_retries: 0,
        max_consecutive_failures: 0,
        hours: None,
        epochs: None,
        keep_models: 1,
    })
}

/// A space without conditions.
pub(crate) fn space(kinds: impl IntoIterator<Item = (&'static str, Kind)>) -> Space {
    let hyperparameters = kinds.into_iter().map(|(name, kind)| hyperparameter(name, kind));
    Space { hyperparameters: hyperparameters.collect(), ..Space::default() }
}

/// A hyperparameter without conditions.
pub(crate) fn hyperparameter(name: &str, kind: Kind) -> HyperParameter {
    HyperParameter { name: name.to_owned(), kind, when: Vec::new() }
}

/// Takes the next proposal into the study; `None` when there is none.
pub(crate) fn propose(oracle: &dyn Oracle, study: &mut Study) -> Option<TrialId> {
    let Suggestion::Trial(proposal) = oracle.suggest(study) else { return None };
    Some(create(study, proposal))
}

/// Takes a proposal into the study.
pub(crate) fn create(study: &mut Study, proposal: Proposal) -> TrialId {
    let trial = TrialId(study.trials.len() as u32);
    let Proposal { hyperparameters, seed_state, name, stage } = proposal;
    let record = Record::TrialCreated { trial, hyperparameters, seed_state, name, stage };
    study.apply(&Stamped { at_ms: 0, record }).expect("trials are numbered in order");
    trial
}

/// Ends a trial with a score, or as failed without one.
pub(crate) fn end(study: &mut Study, trial: TrialId, score: Option<f64>) {
    let state = if score.is_some() { TrialState::Completed } else { TrialState::Failed };
    let record = Record::TrialEnded { trial, state, score, error: None };
    study.apply(&Stamped { at_ms: 0, record }).expect("the trial exists");
}
