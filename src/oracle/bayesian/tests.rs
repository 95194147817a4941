//! The oracle as the search uses it.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::oracle::RandomSearch;
use crate::oracle::testing::{create, end, hyperparameter, propose, space, study};
use crate::space::{Condition, Numerical, Sampling, Value};
use crate::study::{Direction, Record, Stamped, TrialId, TrialState};

fn knobs(values: &[(&'static str, f64)]) -> Knobs {
    let mut knobs = Knobs::defaults(BayesianOptimization::KNOBS);
    for (name, value) in values {
        knobs.set(name, *value);
    }
    knobs
}

fn oracle(space: &Space, values: &[(&'static str, f64)]) -> BayesianOptimization {
    BayesianOptimization::new(space.clone(), &knobs(values))
}

fn float(sampling: Sampling, min: f64, max: f64) -> Kind {
    Kind::Float(Numerical { min, max, step: None, sampling, default: None })
}

fn square() -> Space {
    space(["x", "y"].map(|name| (name, float(Sampling::Linear, -1.0, 1.0))))
}

fn number(study: &Study, trial: TrialId, name: &str) -> f64 {
    match study.trials[trial.0 as usize].hyperparameters.get(name) {
        Some(Value::Float(value)) => *value,
        value => panic!("`{name}` is {value:?}"),
    }
}

/// A bowl with its bottom, 0, at (0.3, -0.6).
fn bowl(study: &Study, trial: TrialId) -> f64 {
    (number(study, trial, "x") - 0.3).powi(2) + (number(study, trial, "y") + 0.6).powi(2)
}

/// The best of the bowl after some trials, one after the other.
fn best_of_bowl(oracle: &dyn Oracle, seed: u64, trials: u32) -> f64 {
    let mut study = study(seed);
    for _ in 0..trials {
        let trial = propose(oracle, &mut study).expect("the space is endless");
        let score = bowl(&study, trial);
        end(&mut study, trial, Some(score));
    }
    study.best().and_then(|trial| trial.score).expect("all have scores")
}

#[test]
fn finds_the_bottom_of_a_bowl() {
    let space = square();
    for seed in [0, 1000, 2000] {
        let random = best_of_bowl(&RandomSearch::new(space.clone()), seed, 18);
        for acquisition in [0.0, 1.0] {
            let found = best_of_bowl(&oracle(&space, &[("acquisition", acquisition)]), seed, 18);
            assert!(found < 1e-3 && found < random, "seed {seed}: {found}, at random {random}");
        }
    }
}

#[test]
fn a_finite_space_is_exhausted_exactly() {
    let values = ["x", "y", "z"].map(|name| Value::Text(name.to_owned())).to_vec();
    let space = space([("c", Kind::Choice { values, default: None })]);
    let oracle = oracle(&space, &[("initial_points", 2.0)]);
    let mut study = study(1);
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let trial = propose(&oracle, &mut study).expect("three values");
        end(&mut study, trial, Some(f64::from(trial.0)));
        seen.insert(study.trials[trial.0 as usize].hyperparameters.digest());
    }
    assert_eq!(seen.len(), 3);
    assert_eq!(oracle.suggest(&study), Suggestion::Exhausted);
}

#[test]
fn nothing_to_vary_is_one_trial() {
    let space = space([("a", Kind::Fixed(Value::Int(1)))]);
    let (oracle, mut study) = (oracle(&space, &[("initial_points", 1.0)]), study(1));
    let trial = propose(&oracle, &mut study).expect("the only one");
    end(&mut study, trial, Some(1.0));
    assert_eq!(oracle.suggest(&study), Suggestion::Exhausted);
}

#[test]
fn begins_as_random_search_does() {
    let space = square();
    let (bayesian, random) = (oracle(&space, &[]), RandomSearch::new(space));
    assert_eq!(bayesian.foreseeable(), Some(6));
    let mut study = study(5);
    for _ in 0..6 {
        assert_eq!(bayesian.suggest(&study), random.suggest(&study));
        let trial = propose(&bayesian, &mut study).expect("the space is endless");
        let score = bowl(&study, trial);
        end(&mut study, trial, Some(score));
    }
    assert_ne!(bayesian.suggest(&study), random.suggest(&study));
}

#[test]
fn waits_for_scores_at_random() {
    let space = square();
    let (bayesian, random) = (oracle(&space, &[]), RandomSearch::new(space));
    let mut study = study(5);
    for _ in 0..20 {
        assert_eq!(bayesian.suggest(&study), random.suggest(&study));
        propose(&bayesian, &mut study).expect("the space is endless");
    }
}

#[test]
fn more_of_the_opposite_is_the_same() {
    let oracle = oracle(&square(), &[]);
    let (mut less, mut more) = (study(7), study(7));
    more.settings.objective.direction = Direction::Max;
    for _ in 0..9 {
        let trial = propose(&oracle, &mut less).expect("the space is endless");
        assert_eq!(propose(&oracle, &mut more), Some(trial));
        let score = bowl(&less, trial);
        end(&mut less, trial, Some(score));
        end(&mut more, trial, Some(-score));
    }
    let [less, more] = [less, more].map(|study| {
        study.trials.into_iter().map(|trial| trial.hyperparameters).collect::<Vec<_>>()
    });
    assert_eq!(less, more);
}

#[test]
fn workers_at_the_same_time_try_different_places() {
    let oracle = oracle(&square(), &[]);
    let mut study = study(3);
    for _ in 0..10 {
        let trial = propose(&oracle, &mut study).expect("the space is endless");
        let score = bowl(&study, trial);
        end(&mut study, trial, Some(score));
    }
    let trials: Vec<TrialId> =
        (0..4).map(|_| propose(&oracle, &mut study).expect("the space is endless")).collect();
    for (index, &a) in trials.iter().enumerate() {
        for &b in &trials[..index] {
            let apart = ["x", "y"].map(|name| number(&study, a, name) - number(&study, b, name));
            assert!(apart[0].hypot(apart[1]) > 1e-3, "{a:?} and {b:?}: {apart:?}");
        }
    }
}

#[test]
fn too_many_values_are_the_best_and_the_latest() {
    let values: Vec<f64> = (0..1000).map(|index| f64::from((index * 37) % 1000)).collect();
    let kept = best_and_latest(&values);
    assert_eq!(kept.len(), MAX_OBSERVED);
    assert!(kept.is_sorted());
    let best = |index: &usize| values[*index] < (MAX_OBSERVED / 2) as f64;
    assert!((0..1000).filter(best).all(|index| kept.contains(&index)));
    let latest = (0..1000).rev().filter(|index| !best(index)).take(MAX_OBSERVED / 2);
    assert!(latest.into_iter().all(|index| kept.contains(&index)));
}

/// How a trial may end.
#[derive(Debug, Clone)]
enum End {
    Score(f64),
    Failed,
    Infeasible,
    UnderWay,
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => (-10.0..10.0).prop_map(End::Score),
        1 => prop_oneof![Just(0.0), Just(1e308), Just(-1e308), Just(f64::INFINITY), Just(f64::NAN)]
            .prop_map(End::Score),
        1 => Just(End::Failed),
        1 => Just(End::Infeasible),
        1 => Just(End::UnderWay),
    ]
}

fn kinds() -> impl Strategy<Value = Kind> {
    let sampling =
        prop_oneof![Just(Sampling::Linear), Just(Sampling::Log), Just(Sampling::ReverseLog)];
    let sampling = sampling.boxed();
    prop_oneof![
        (
            sampling.clone(),
            1_i64..50,
            0_i64..100,
            prop_oneof![Just(None), (2_i64..5).prop_map(Some)]
        )
            .prop_map(|(sampling, min, more, step)| {
                Kind::Int(Numerical { min, max: min + more, step, sampling, default: None })
            }),
        (sampling, 0.001..1.0, 0.0..10.0)
            .prop_map(|(sampling, min, more)| { float(sampling, min, min + more) }),
        (0.0..1.0, 0.05..0.4).prop_map(|(min, step)| {
            let (step, sampling) = (Some(step), Sampling::Linear);
            Kind::Float(Numerical { min, max: min + 1.0, step, sampling, default: None })
        }),
        proptest::collection::vec(0_i64..100, 1..5).prop_map(|values| {
            Kind::Choice { values: values.into_iter().map(Value::Int).collect(), default: None }
        }),
        proptest::collection::vec("[a-z]", 1..4).prop_map(|values| {
            Kind::Choice { values: values.into_iter().map(Value::Text).collect(), default: None }
        }),
        any::<bool>().prop_map(|default| Kind::Boolean { default }),
        Just(Kind::Fixed(Value::Int(3))),
    ]
}

/// Up to five hyperparameters, some of which depend on the one before.
fn spaces() -> impl Strategy<Value = Space> {
    proptest::collection::vec((kinds(), any::<bool>()), 1..6).prop_map(|kinds| {
        let mut space = Space::default();
        for (index, (kind, depends)) in kinds.into_iter().enumerate() {
            let mut hyperparameter = hyperparameter(&format!("h{index}"), kind);
            if let Some(parent) = space.hyperparameters.last().filter(|_| depends) {
                let values = vec![parent.kind.value_at(space.rules, 0.7)];
                hyperparameter.when = vec![Condition { parent: parent.name.clone(), values }];
            }
            space.hyperparameters.push(hyperparameter);
        }
        space
    })
}

fn end_as(study: &mut Study, trial: TrialId, how: &End) {
    match how {
        End::Score(score) => end(study, trial, Some(*score)),
        End::Failed => end(study, trial, None),
        End::Infeasible => {
            let (state, score, error) = (TrialState::Infeasible, None, None);
            let record = Record::TrialEnded { trial, state, score, error };
            study.apply(&Stamped { at_ms: 0, record }).expect("the trial exists");
        }
        End::UnderWay => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn proposals_are_valid_new_and_repeatable(
        space in spaces(),
        seed in any::<u32>(),
        acquisition in 0..2,
        ends in proptest::collection::vec(ends(), 1..14),
    ) {
        let values = [("initial_points", 2.0), ("acquisition", f64::from(acquisition))];
        let [oracle, again] = [0; 2].map(|_| oracle(&space, &values));
        let mut study = study(u64::from(seed));
        for (number, how) in ends.iter().enumerate() {
            let suggestion = oracle.suggest(&study);
            prop_assert_eq!(&suggestion, &again.suggest(&study));
            let Suggestion::Trial(proposal) = suggestion else {
                prop_assert_eq!(suggestion, Suggestion::Exhausted);
                prop_assert_eq!(space.size(), Some(number as u64));
                break;
            };
            prop_assert!(!study.proposed.contains(&proposal.hyperparameters.digest()));
            prop_assert_eq!(&space.completed(&proposal.hyperparameters), &proposal.hyperparameters);
            for (name, value) in proposal.hyperparameters.iter() {
                let kind = &space.named(name).next().expect("a name of the space").kind;
                prop_assert!(kind.can_be(space.rules, value), "{} of {:?}", value, kind);
            }
            let trial = create(&mut study, proposal);
            end_as(&mut study, trial, how);
        }
    }
}
