use proptest::prelude::*;
use sweep_proto::digest::hexadecimal;

use super::*;
use crate::space::{Condition, HyperParameter, HyperParameters, Numerical, Space};

mod mended;

/// Rules of the golden file.
const RULES: Rules = Rules::KerasTuner14;

/// What Keras Tuner 1.4.8 printed.
pub(crate) fn golden() -> serde_json::Value {
    serde_json::from_str(include_str!("../testdata/keras-tuner-1.4.8.json"))
        .expect("the golden file is JSON")
}

fn int(min: i64, max: i64, step: Option<i64>, sampling: Sampling) -> Kind {
    Kind::Int(Numerical { min, max, step, sampling, default: None })
}

fn float(min: f64, max: f64, step: Option<f64>, sampling: Sampling) -> Kind {
    Kind::Float(Numerical { min, max, step, sampling, default: None })
}

fn choice<const N: usize>(values: [Value; N]) -> Kind {
    Kind::Choice { values: values.into(), default: None }
}

/// The golden file's `space_config`, which has a conditional hyperparameter.
pub(crate) fn golden_space() -> Space {
    Space { hyperparameters: configured(&golden()["space_config"]["space"]), rules: RULES }
}

/// Hyperparameters as Keras Tuner stores them.
pub(crate) fn configured(configurations: &serde_json::Value) -> Vec<HyperParameter> {
    configurations
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| {
            let config = &entry["config"];
            let sampling = match config["sampling"].as_str() {
                Some("log") => Sampling::Log,
                Some("reverse_log") => Sampling::ReverseLog,
                _ => Sampling::Linear,
            };
            let value = |value: &serde_json::Value| -> Value {
                serde_json::from_value(value.clone()).expect("a value")
            };
            let kind = match entry["class_name"].as_str().expect("a class") {
                "Int" => int(
                    config["min_value"].as_i64().expect("min"),
                    config["max_value"].as_i64().expect("max"),
                    config["step"].as_i64(),
                    sampling,
                ),
                "Float" => float(
                    config["min_value"].as_f64().expect("min"),
                    config["max_value"].as_f64().expect("max"),
                    config["step"].as_f64(),
                    sampling,
                ),
                "Choice" => Kind::Choice {
                    values: config["values"]
                        .as_array()
                        .expect("values")
                        .iter()
                        .map(value)
                        .collect(),
                    default: None,
                },
                "Boolean" => Kind::Boolean { default: false },
                "Fixed" => Kind::Fixed(value(&config["value"])),
                other => panic!("unknown class {other}"),
            };
            let conditions = config["conditions"].as_array().map_or(&[][..], Vec::as_slice);
            let when = conditions.iter().map(|condition| Condition {
                parent: condition["config"]["name"].as_str().expect("a name").to_owned(),
                values: condition["config"]["values"]
                    .as_array()
                    .expect("values")
                    .iter()
                    .map(value)
                    .collect(),
            });
            HyperParameter {
                name: config["name"].as_str().expect("a name").to_owned(),
                kind,
                when: when.collect(),
            }
        })
        .collect()
}

#[test]
fn probability_tables_equal_keras_tuner() {
    use Sampling::{Linear, Log, ReverseLog};
    let golden = golden();
    let tables = golden["prob_tables"].as_object().expect("an object");
    let kinds = [
        ("Int(1,8)", int(1, 8, None, Linear)),
        ("Int(1,8,3)", int(1, 8, Some(3), Linear)),
        ("Int(1,100,log)", int(1, 100, None, Log)),
        ("Int(1,100,reverse_log)", int(1, 100, None, ReverseLog)),
        ("Int(2,32,2,log)", int(2, 32, Some(2), Log)),
        ("Int(2,32,2,reverse_log)", int(2, 32, Some(2), ReverseLog)),
        ("Float(0,1)", float(0.0, 1.0, None, Linear)),
        ("Float(0,1,.25)", float(0.0, 1.0, Some(0.25), Linear)),
        ("Float(0,1,.1)", float(0.0, 1.0, Some(0.1), Linear)),
        ("Float(1e-4,1e-2,log)", float(1e-4, 1e-2, None, Log)),
    ];
    assert_eq!(tables.len(), kinds.len());
    for (name, kind) in kinds {
        let table = &tables[name];
        for pair in table["p2v"].as_array().expect("a list") {
            let probability = pair[0].as_f64().expect("a probability");
            let expected: Value = serde_json::from_value(pair[1].clone()).expect("a value");
            assert_eq!(kind.value_at(RULES, probability), expected, "{name} at {probability}");
        }
        for pair in table["v2p"].as_array().expect("a list") {
            let value: Value = serde_json::from_value(pair[0].clone()).expect("a value");
            assert_eq!(
                kind.probability_of(RULES, &value),
                Some(pair[1].as_f64().expect("a probability")),
                "{name} of {value}"
            );
        }
    }
}

#[test]
fn random_search_equals_keras_tuner() {
    let golden = golden();
    let space = golden_space();
    let mut state = 1;
    let mut conditional = 0;
    for trial in golden["random_search_seed1"].as_array().expect("a list") {
        let Some(values) = trial["values"].as_object() else { continue };
        let (drawn, next) = space.draw(state);
        state = next;
        let expected: HyperParameters =
            serde_json::from_value(trial["values"].clone()).expect("an assignment");
        assert_eq!(drawn, expected, "trial {}", trial["id"]);
        assert_eq!(state, trial["seed_state_after"].as_u64().expect("a state"));
        let digest = hexadecimal(&drawn.digest());
        assert_eq!(digest, trial["hash"].as_str().expect("a hash"));
        conditional += usize::from(values.contains_key("momentum"));
    }
    assert!(conditional > 0, "some trial has the conditional hyperparameter");
}

#[test]
fn sizes_count_distinct_assignments() {
    use Sampling::{Linear, Log};
    let space = |kinds: Vec<Kind>| Space {
        hyperparameters: kinds
            .into_iter()
            .enumerate()
            .map(|(index, kind)| HyperParameter { name: index.to_string(), kind, when: Vec::new() })
            .collect(),
        rules: Rules::default(),
    };
    assert_eq!(space(vec![]).size(), Some(1));
    assert_eq!(
        space(vec![int(16, 128, Some(16), Linear), Kind::Boolean { default: true }]).size(),
        Some(16)
    );
    assert_eq!(space(vec![float(0.0, 1.0, None, Linear)]).size(), None);
    assert_eq!(space(vec![float(0.5, 0.5, None, Linear)]).size(), Some(1));
    assert_eq!(space(vec![int(1, 100, None, Log)]).size(), Some(100));
    let repeated = choice([Value::Int(3), Value::Int(3), Value::Int(5)]);
    assert_eq!(space(vec![repeated, Kind::Fixed(Value::Int(1))]).size(), Some(2));
    assert_eq!(
        space(vec![int(i64::MIN, i64::MAX, None, Linear), Kind::Boolean { default: true }]).size(),
        None
    );
}

#[test]
fn finite_ranges_are_counted_and_listed() {
    use Sampling::{Linear, Log, ReverseLog};
    let all = |kind: &Kind| -> Vec<Value> {
        (0..kind.count(RULES).expect("finite")).map(|index| kind.nth(RULES, index)).collect()
    };
    let ints = |values: &[i64]| values.iter().copied().map(Value::Int).collect::<Vec<_>>();
    assert_eq!(all(&int(6, 13, Some(3), Linear)), ints(&[6, 9, 12]));
    assert_eq!(all(&int(2, 32, Some(2), Log)), ints(&[2, 4, 8, 16, 32]));
    assert_eq!(all(&int(2, 32, Some(2), ReverseLog)), ints(&[32, 30, 26, 18, 2]));
    assert_eq!(all(&int(3, 5, None, Log)), ints(&[3, 4, 5]));
    assert_eq!(float(0.0, 1.0, None, Linear).count(RULES), None);
    assert_eq!(float(0.0, 1.0, Some(0.25), Linear).count(RULES), Some(5));
    assert_eq!(all(&Kind::Boolean { default: true }).len(), 2);
}

fn samplings() -> impl Strategy<Value = Sampling> {
    prop_oneof![Just(Sampling::Linear), Just(Sampling::Log), Just(Sampling::ReverseLog)]
}

proptest! {
    #[test]
    fn ints_stay_in_bounds_and_on_their_steps(
        min in 1_i64..1000,
        span in 0_i64..10_000,
        step in proptest::option::of(2_i64..50),
        sampling in samplings(),
        probability in 0.0..1.0_f64,
    ) {
        let kind = int(min, min + span, step, sampling);
        let Value::Int(value) = kind.value_at(RULES, probability) else { panic!("an int") };
        prop_assert!((min..=min + span).contains(&value), "{value}");
        match (sampling, step) {
            (Sampling::Linear, Some(step)) => prop_assert_eq!((value - min) % step, 0),
            (Sampling::Log, Some(step)) => {
                let mut power = min;
                while power < value { power *= step; }
                prop_assert_eq!(power, value);
            }
            (Sampling::ReverseLog, Some(step)) => {
                let mut power = min;
                while power < min + span + min - value { power *= step; }
                prop_assert_eq!(power, min + span + min - value);
            }
            (_, None) => {}
        }
    }

    #[test]
    fn ints_come_back_from_their_probability(
        min in 1_i64..1000,
        span in 0_i64..10_000,
        step in proptest::option::of(2_i64..50),
        sampling in samplings(),
        probability in 0.0..1.0_f64,
    ) {
        let kind = int(min, min + span, step, sampling);
        let value = kind.value_at(RULES, probability);
        let back = kind.probability_of(RULES, &value).expect("a value of the range");
        prop_assert!((0.0..1.0).contains(&back), "{back}");
        prop_assert_eq!(kind.value_at(RULES, back), value);
    }

    #[test]
    fn floats_stay_in_bounds_and_come_back(
        min in 0.001..10.0_f64,
        span in 0.0..100.0_f64,
        step in proptest::option::of(1.1..3.0_f64),
        sampling in samplings(),
        probability in 0.0..1.0_f64,
    ) {
        let max = min + span;
        let kind = float(min, max, step, sampling);
        let Value::Float(value) = kind.value_at(RULES, probability) else { panic!("a float") };
        let slack = 1e-9 * max;
        prop_assert!((min - slack..=max + slack).contains(&value), "{value}");
        prop_assert!(kind.can_be(RULES, &Value::Float(value)));
        let back = kind.probability_of(RULES, &Value::Float(value)).expect("a value of the range");
        let Value::Float(again) = kind.value_at(RULES, back.clamp(0.0, 1.0)) else { panic!("a float") };
        // A step at the very edge of floor division may round down to its neighbour.
        let tolerance = if step.is_some() && sampling == Sampling::Linear { step.expect("some") + slack } else { 1e-6 * max };
        prop_assert!((again - value).abs() <= tolerance, "{again} for {value}");
    }

    #[test]
    fn choices_come_back(count in 1_usize..60, probability in 0.0..1.0_f64) {
        let kind = Kind::Choice { values: (0..count as i64).map(Value::Int).collect(), default: None };
        let value = kind.value_at(RULES, probability);
        let back = kind.probability_of(RULES, &value).expect("a choice");
        prop_assert_eq!(kind.value_at(RULES, back), value);
    }
}
