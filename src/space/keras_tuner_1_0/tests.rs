use serde_json::Value as Json;

use crate::oracle::RandomSearch;
use crate::oracle::testing::{propose, study};
use crate::space::sampling::tests::configured;
use crate::space::{HyperParameters, Kind, Rules, Space, Value};

const RULES: Rules = Rules::KerasTuner10;

/// What Keras Tuner 1.0.2 gave; `scripts/golden/keras_tuner_1_0_2.py` wrote it.
fn golden() -> Json {
    serde_json::from_str(include_str!("../testdata/keras-tuner-1.0.2.json"))
        .expect("the golden file is JSON")
}

fn list<'a>(json: &'a Json, key: &str) -> &'a [Json] {
    json[key].as_array().expect("a list")
}

fn kind(case: &Json) -> Kind {
    configured(&Json::Array(vec![case["hp"].clone()])).remove(0).kind
}

/// Keras Tuner makes 1 and 0 of a choice's booleans; so does the golden file.
fn value(json: &Json) -> Value {
    serde_json::from_value(json.clone()).expect("a value")
}

#[test]
fn random_searches_equal_keras_tuner() {
    let golden = golden();
    let searches = list(&golden, "searches");
    assert!(searches.len() > 20);
    for search in searches {
        let name = format!("{} with seed {}", search["name"], search["seed"]);
        let space = Space { hyperparameters: configured(&search["space"]), rules: RULES };
        let oracle = RandomSearch::new(space);
        let mut study = study(search["seed"].as_u64().expect("a seed"));
        for (number, expected) in list(search, "trials").iter().enumerate() {
            let trial = propose(&oracle, &mut study).expect("it goes on");
            let hyperparameters: HyperParameters =
                serde_json::from_value(expected["values"].clone()).expect("an assignment");
            let proposed = &study.trials[trial.0 as usize].hyperparameters;
            assert_eq!(*proposed, hyperparameters, "trial {number} of {name}");
            let state = expected["seed_state_after"].as_u64().expect("a state");
            assert_eq!(study.seed_state, state, "trial {number} of {name}");
        }
        let gave_up = search["gave_up"].as_bool().expect("a boolean");
        assert_eq!(propose(&oracle, &mut study).is_none(), gave_up, "end of {name}");
    }
}

#[test]
fn single_draws_equal_keras_tuner() {
    let golden = golden();
    for case in list(&golden, "draws") {
        let kind = kind(case);
        for (seed, expected) in (1..).zip(list(case, "values")) {
            match (kind.draw(RULES, seed), expected) {
                (Value::Bool(drawn), expected) => assert_eq!(Some(drawn), expected.as_bool()),
                (drawn, expected) => assert_eq!(drawn, value(expected), "{kind:?}, seed {seed}"),
            }
        }
    }
}

#[test]
fn probabilities_equal_keras_tuner() {
    let golden = golden();
    for case in list(&golden, "tables") {
        let kind = kind(case);
        for pair in list(case, "p2v") {
            let probability = pair[0].as_f64().expect("a probability");
            assert_eq!(kind.value_at(RULES, probability), value(&pair[1]), "{kind:?}");
        }
        for pair in list(case, "v2p") {
            let found = kind.probability_of(RULES, &value(&pair[0]));
            assert_eq!(found, pair[1].as_f64(), "{kind:?} of {}", pair[0]);
        }
    }
}

#[test]
fn what_is_drawn_is_counted_and_listed() {
    let golden = golden();
    for case in list(&golden, "draws") {
        let kind = kind(case);
        for seed in 1..500 {
            let drawn = kind.draw(RULES, seed);
            assert!(kind.can_be(RULES, &drawn), "{kind:?} gives {drawn}");
            if let Some(count) = kind.count(RULES) {
                assert!((0..count).any(|index| kind.nth(RULES, index) == drawn), "{kind:?}");
            }
        }
    }
}
