use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::oracle::testing::{create, end, hyperparameter, propose, space, study};
use crate::oracle::{Algorithm, Assignment, Setup};
use crate::space::{Condition, HyperParameter, Numerical, Sampling};

fn grid(space: &Space) -> GridSearch {
    GridSearch::new(space.clone(), 0)
}

fn choice(values: &[i64], default: Option<i64>) -> Kind {
    let values = values.iter().copied().map(Value::Int).collect();
    Kind::Choice { values, default: default.map(Value::Int) }
}

fn int(min: i64, max: i64, step: i64, default: Option<i64>) -> Kind {
    Kind::Int(Numerical { min, max, step: Some(step), sampling: Sampling::Linear, default })
}

fn float(min: f64, max: f64, step: f64, sampling: Sampling, default: Option<f64>) -> Kind {
    Kind::Float(Numerical { min, max, step: Some(step), sampling, default })
}

/// Everything that the grid proposes.
fn proposals(oracle: &dyn Oracle, study: &mut Study) -> Vec<HyperParameters> {
    let before = study.trials.len();
    while let Some(trial) = propose(oracle, study) {
        end(study, trial, None);
    }
    assert_eq!(oracle.suggest(study), Suggestion::Exhausted);
    study.trials[before..].iter().map(|trial| trial.hyperparameters.clone()).collect()
}

/// Values of `name`, as text.
fn column(proposals: &[HyperParameters], name: &str) -> Vec<String> {
    let value = |proposal: &HyperParameters| proposal.get(name).map(ToString::to_string);
    proposals.iter().filter_map(value).collect()
}

#[test]
fn the_order_is_keras_tuner_s() {
    let text = |name: &str| Value::Text(name.to_owned());
    let mut space = space([
        ("m", Kind::Choice { values: vec![text("x"), text("y")], default: None }),
        ("k", int(1, 3, 1, None)),
        ("c", choice(&[1, 2, 3], Some(2))),
        ("b", Kind::Boolean { default: true }),
    ]);
    space.hyperparameters[1].when =
        vec![Condition { parent: "m".to_owned(), values: vec![text("y")] }];
    let golden = crate::space::sampling::tests::golden();
    let golden = golden["grid_order"].as_array().expect("a list");
    let (last, golden) = golden.split_last().expect("not empty");
    let proposed = proposals(&grid(&space), &mut study(1));
    assert_eq!(last, "STOPPED");
    assert_eq!(proposed.len(), golden.len());
    assert_eq!(grid(&space).size(), Some(golden.len() as u64));
    for (proposed, expected) in proposed.iter().zip(golden) {
        assert_eq!(serde_json::to_value(proposed).expect("it is JSON"), *expected);
    }
}

#[test]
fn a_default_between_two_steps_is_a_value_of_its_own() {
    for (kind, expected) in [
        (int(0, 6, 2, Some(2)), vec!["2", "0", "4", "6"]),
        (int(0, 6, 2, Some(3)), vec!["3", "0", "2", "4", "6"]),
        (int(0, 6, 2, Some(9)), vec!["9", "0", "2", "4", "6"]),
        (float(0.0, 0.3, 0.1, Sampling::Linear, Some(0.3)), vec!["0.3", "0.0", "0.1", "0.2"]),
        (float(0.001, 0.1, 10.0, Sampling::Log, None), vec!["0.001", "0.01", "0.1"]),
        (choice(&[5, 5, 7, 5], Some(7)), vec!["7", "5"]),
        (Kind::Boolean { default: false }, vec!["False", "True"]),
        (Kind::Fixed(Value::Int(4)), vec!["4"]),
    ] {
        let space = space([("a", kind)]);
        assert_eq!(grid(&space).size(), Some(expected.len() as u64), "{space:?}");
        let proposed = proposals(&grid(&space), &mut study(1));
        assert_eq!(column(&proposed, "a"), expected, "{space:?}");
    }
}

#[test]
fn the_same_name_under_two_conditions_is_two_axes() {
    let mut space = space([
        ("m", choice(&[1, 2], None)),
        ("a", int(10, 12, 1, None)),
        ("a", choice(&[7, 10], Some(10))),
    ]);
    for (index, value) in [(1, 1), (2, 2)] {
        space.hyperparameters[index].when =
            vec![Condition { parent: "m".to_owned(), values: vec![Value::Int(value)] }];
    }
    let proposed = proposals(&grid(&space), &mut study(1));
    assert_eq!(column(&proposed, "m"), ["1", "1", "1", "2", "2"]);
    assert_eq!(column(&proposed, "a"), ["10", "11", "12", "10", "7"]);
    assert_eq!(grid(&space).size(), Some(5));
}

#[test]
fn a_vast_grid_is_walked_without_being_built() {
    let space = space([
        ("a", int(0, i64::MAX, 1, Some(3))),
        ("b", int(i64::MIN, i64::MAX, 1, Some(0))),
        ("c", int(0, 1, 1, None)),
    ]);
    let oracle = grid(&space);
    assert_eq!(oracle.size(), None);
    assert_eq!(Algorithm::Grid.total(&Setup::random(), &space), None);
    let mut study = study(1);
    for _ in 0..5 {
        propose(&oracle, &mut study).expect("there is no end to it");
    }
    let proposed: Vec<HyperParameters> =
        study.trials.iter().map(|trial| trial.hyperparameters.clone()).collect();
    assert_eq!(column(&proposed, "c"), ["0", "1", "0", "1", "0"]);
    assert_eq!(column(&proposed, "a"), ["3"; 5]);
    assert_eq!(
        column(&proposed, "b")[..4],
        ["0", "0", &i64::MIN.to_string(), &i64::MIN.to_string()]
    );
}

#[test]
fn what_was_tried_first_is_left_out_and_decides_nothing() {
    let space = space([("a", choice(&[0, 1, 2], None)), ("b", choice(&[0, 1], None))]);
    let first = [(2, 0), (0, 1), (9, 9)].map(|(a, b)| Assignment {
        name: None,
        hyperparameters: [("a", a), ("b", b)]
            .map(|(name, value)| (name.to_owned(), Value::Int(value)))
            .into_iter()
            .collect(),
    });
    let setup = Setup { algorithm: Algorithm::Grid, first: first.to_vec(), ..Setup::random() };
    let proposed = proposals(&*setup.oracle(&space), &mut study(1));
    assert_eq!(column(&proposed, "a"), ["2", "0", "9", "0", "1", "1", "2"]);
    assert_eq!(column(&proposed, "b"), ["0", "1", "9", "0", "0", "1", "1"]);
    // (9, 9) is not on the grid.
    assert_eq!(Algorithm::Grid.total(&setup, &space), Some(7));
}

#[test]
fn a_grid_that_is_over_leaves_the_file_s_own_assignments() {
    let space = space([("a", choice(&[0], None))]);
    let first = [0, 7, 8].map(|value| Assignment {
        name: None,
        hyperparameters: [("a".to_owned(), Value::Int(value))].into_iter().collect(),
    });
    let setup = Setup { algorithm: Algorithm::Grid, first: first.to_vec(), ..Setup::random() };
    let proposed = proposals(&*setup.oracle(&space), &mut study(1));
    assert_eq!(column(&proposed, "a"), ["0", "7", "8"]);
}

#[test]
fn a_space_that_has_grown_goes_on_with_what_is_new() {
    let small = space([("a", choice(&[0, 1], None)), ("b", choice(&[0, 1], None))]);
    let mut study = study(1);
    proposals(&grid(&small), &mut study);

    // The last trial is on the new grid, but so are points before it.
    let wider = space([("a", choice(&[0, 1], None)), ("b", choice(&[0, 5, 1], None))]);
    let proposed = proposals(&grid(&wider), &mut study);
    assert_eq!(column(&proposed, "a"), ["0", "1"]);
    assert_eq!(column(&proposed, "b"), ["5", "5"]);

    // No trial is on the new grid.
    let mut deeper = wider;
    deeper.hyperparameters.push(hyperparameter("c", Kind::Boolean { default: false }));
    assert_eq!(proposals(&grid(&deeper), &mut study).len(), 12);
}

/// Kinds with few values, among them defaults off the grid.
fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        (1_i64..4, 0_i64..4).prop_map(|(count, default)| {
            let values: Vec<i64> = (0..count).collect();
            choice(&values, (default < count).then_some(default))
        }),
        (-2_i64..2, 0_i64..5, 1_i64..3, proptest::option::of(-3_i64..7))
            .prop_map(|(min, span, step, default)| int(min, min + span, step, default)),
        (0_u8..4, proptest::option::of(0_u8..8)).prop_map(|(steps, default)| {
            let default = default.map(|default| f64::from(default) * 0.05);
            float(0.0, f64::from(steps) * 0.1, 0.1, Sampling::Linear, default)
        }),
        any::<bool>().prop_map(|default| Kind::Boolean { default }),
        Just(Kind::Fixed(Value::Int(1))),
    ]
}

/// Up to four hyperparameters, each perhaps on a condition on one before.
fn conditional_space() -> impl Strategy<Value = Space> {
    let parent = proptest::option::of((any::<prop::sample::Index>(), 0_u64..3, 0_u64..3));
    proptest::collection::vec((kind(), parent), 0..5).prop_map(|drawn| {
        const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
        let mut hyperparameters: Vec<HyperParameter> = Vec::new();
        for (index, (kind, parent)) in drawn.into_iter().enumerate() {
            let mut next = hyperparameter(NAMES[index], kind);
            if let Some((parent, a, b)) = parent.filter(|_| index > 0) {
                let parent = parent.get(&hyperparameters);
                let axis = Axis::new(parent.kind.clone(), Rules::Mended);
                let values = [a, b].map(|position| axis.value(position % axis.len())).to_vec();
                next.when = vec![Condition { parent: parent.name.clone(), values }];
            }
            hyperparameters.push(next);
        }
        Space { hyperparameters, rules: Rules::Mended }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_point_comes_once_and_any_prefix_goes_on_as_if_undisturbed(
        space in conditional_space(),
    ) {
        let oracle = grid(&space);
        let proposed = proposals(&oracle, &mut study(1));
        let distinct: HashSet<[u8; 16]> = proposed.iter().map(HyperParameters::digest).collect();
        prop_assert_eq!(distinct.len(), proposed.len());
        prop_assert_eq!(oracle.size(), Some(proposed.len() as u64));
        prop_assert_eq!(&proposed[0], &space.defaults());
        for point in &proposed {
            prop_assert_eq!(&space.completed(point), point, "only what is active");
            prop_assert!(oracle.contains(point));
        }

        let mut study = study(1);
        for expected in proposed {
            let Suggestion::Trial(next) = grid(&space).suggest(&study) else {
                return Err(TestCaseError::fail("there is more"));
            };
            prop_assert_eq!(&next.hyperparameters, &expected);
            create(&mut study, next);
        }
    }

    #[test]
    fn positions_and_values_are_each_other_s_inverse(kind in kind()) {
        let axis = Axis::new(kind, Rules::Mended);
        for position in 0..axis.len() {
            prop_assert_eq!(axis.position(&axis.value(position)), Some(position));
        }
        prop_assert_eq!(axis.position(&Value::Text("none of them".to_owned())), None);
    }
}
