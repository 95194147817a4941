//! From a probability to a value and back, by the formulas of Keras Tuner 1.4.8.
//!
//! All sampling goes through one probability in [0, 1). Values with a step (and
//! choices) share it in equal buckets; continuous ranges stretch it. A float
//! range with a step counts its values by Python's floor division, which often
//! leaves `max` out, as in Keras Tuner.

use super::{HyperParameter, HyperParameters, Kind, Numerical, Sampling, Space, Value};
use crate::space::random::first_double;

impl Space {
    /// Draws one assignment. Every hyperparameter takes one seed from
    /// `seed_state` on, in order; returns where the next draw goes on.
    #[must_use]
    pub fn draw(&self, seed_state: u64) -> (HyperParameters, u64) {
        let mut next = seed_state;
        let values = self
            .hyperparameters
            .iter()
            .map(|HyperParameter { name, kind }| {
                let value = kind.value_at(first_double(next));
                next = next.wrapping_add(1);
                (name.clone(), value)
            })
            .collect();
        (values, next)
    }

    /// Number of distinct assignments; absent when it is not finite or beyond `u64`.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.hyperparameters
            .iter()
            .try_fold(1_u64, |size, hyperparameter| size.checked_mul(hyperparameter.kind.count()?))
    }
}

impl Kind {
    /// The value at a probability in [0, 1).
    #[must_use]
    pub fn value_at(&self, probability: f64) -> Value {
        match self {
            Self::Int(range) => Value::Int(int_at(range, probability)),
            Self::Float(range) => Value::Float(float_at(range, probability)),
            Self::Choice { values, .. } => {
                values[bucket(probability, values.len() as u64) as usize].clone()
            }
            Self::Boolean { .. } => Value::Bool(probability >= 0.5),
            Self::Fixed(value) => value.clone(),
        }
    }

    /// The middle of the probabilities that give `value`; absent when `value`
    /// is of another type or not among the choices.
    #[must_use]
    pub fn probability_of(&self, value: &Value) -> Option<f64> {
        match (self, value) {
            (Self::Int(range), Value::Int(value)) => Some(int_probability(range, *value)),
            (Self::Float(range), Value::Float(value)) => Some(float_probability(range, *value)),
            (Self::Choice { values, .. }, value) => values
                .iter()
                .position(|known| known == value)
                .map(|index| middle(index as f64, values.len() as u64)),
            (Self::Boolean { .. }, Value::Bool(value)) => Some(if *value { 0.75 } else { 0.25 }),
            (Self::Fixed(fixed), value) => (fixed == value).then_some(0.5),
            (Self::Int(_) | Self::Float(_) | Self::Boolean { .. }, _) => None,
        }
    }

    /// Value number `index` of those that [`count`](Self::count) counts, for a
    /// `Choice` of those listed; the smallest of a continuous range.
    #[must_use]
    pub fn nth(&self, index: u64) -> Value {
        match self {
            Self::Int(range) => Value::Int(match effective_step(range) {
                Some(step) => int_nth(range, step, index),
                None => range.min.saturating_add_unsigned(index).min(range.max),
            }),
            Self::Float(range) => Value::Float(match range.step {
                Some(step) => float_nth(range, step, index),
                None => range.min,
            }),
            Self::Choice { values, .. } => {
                let last = values.len().saturating_sub(1);
                values[usize::try_from(index).map_or(last, |index| index.min(last))].clone()
            }
            Self::Boolean { .. } => Value::Bool(index == 1),
            Self::Fixed(value) => value.clone(),
        }
    }

    /// Number of distinct values; absent for a continuous range of floats.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Int(range) => Some(match effective_step(range) {
                Some(step) => int_steps(range, step),
                None => (range.max as i128 - range.min as i128 + 1).try_into().unwrap_or(u64::MAX),
            }),
            Self::Float(range) if range.min == range.max => Some(1),
            Self::Float(range) => range.step.map(|step| float_steps(range, step)),
            Self::Choice { values, .. } => {
                let distinct = values
                    .iter()
                    .enumerate()
                    .filter(|(index, value)| !values[..*index].contains(value))
                    .count();
                Some(distinct as u64)
            }
            Self::Boolean { .. } => Some(2),
            Self::Fixed(_) => Some(1),
        }
    }
}

/// Which of `count` equal parts of [0, 1) a probability falls in.
fn bucket(probability: f64, count: u64) -> u64 {
    let width = 1.0 / count as f64;
    ((probability / width).floor() as u64).min(count - 1)
}

/// The middle of a bucket; `index` may lie between two of them.
fn middle(index: f64, count: u64) -> f64 {
    (index + 0.5) * (1.0 / count as f64)
}

/// A linear range of whole numbers has steps of 1 unless told otherwise.
fn effective_step(range: &Numerical<i64>) -> Option<i64> {
    match (range.step, range.sampling) {
        (None, Sampling::Linear) => Some(1),
        (step, Sampling::Linear | Sampling::Log | Sampling::ReverseLog) => step,
    }
}

fn int_steps(range: &Numerical<i64>, step: i64) -> u64 {
    match range.sampling {
        Sampling::Linear => {
            let span = range.max as i128 - range.min as i128;
            u64::try_from(span / i128::from(step) + 1).unwrap_or(u64::MAX)
        }
        Sampling::Log | Sampling::ReverseLog => {
            logarithmic_steps(range.min as f64, range.max as f64, step as f64)
        }
    }
}

fn float_steps(range: &Numerical<f64>, step: f64) -> u64 {
    match range.sampling {
        Sampling::Linear => (python_floor_division(range.max - range.min, step) + 1.0) as u64,
        Sampling::Log | Sampling::ReverseLog => logarithmic_steps(range.min, range.max, step),
    }
}

fn logarithmic_steps(min: f64, max: f64, step: f64) -> u64 {
    (logarithm(max / min, step) + 1e-8) as u64 + 1
}

/// Python's `math.log(value, base)`.
fn logarithm(value: f64, base: f64) -> f64 {
    value.ln() / base.ln()
}

/// Python's `//` for floats: exact where the rounded quotient is not.
fn python_floor_division(dividend: f64, divisor: f64) -> f64 {
    let remainder = dividend % divisor;
    let quotient = (dividend - remainder) / divisor;
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}

fn int_at(range: &Numerical<i64>, probability: f64) -> i64 {
    let Some(step) = effective_step(range) else {
        // One more than the largest, then cut off, so that each value has its share.
        let (min, end) = (range.min as f64, range.max as f64 + 1.0);
        let value = stretch(min, end, range.sampling, probability) as i64;
        return value.min(range.max);
    };
    int_nth(range, step, bucket(probability, int_steps(range, step)))
}

fn int_nth(range: &Numerical<i64>, step: i64, index: u64) -> i64 {
    let power = || step.saturating_pow(u32::try_from(index).unwrap_or(u32::MAX));
    match range.sampling {
        Sampling::Linear => (range.min as i128 + i128::from(index) * i128::from(step)) as i64,
        Sampling::Log => range.min.saturating_mul(power()),
        Sampling::ReverseLog => range.max + range.min - range.min.saturating_mul(power()),
    }
}

fn float_at(range: &Numerical<f64>, probability: f64) -> f64 {
    let Some(step) = range.step else {
        return stretch(range.min, range.max, range.sampling, probability);
    };
    float_nth(range, step, bucket(probability, float_steps(range, step)))
}

fn float_nth(range: &Numerical<f64>, step: f64, index: u64) -> f64 {
    let index = index as f64;
    match range.sampling {
        Sampling::Linear => range.min + index * step,
        Sampling::Log => range.min * step.powf(index),
        Sampling::ReverseLog => range.max + range.min - range.min * step.powf(index),
    }
}

/// A continuous range from `min` (at 0) to `end` (at 1).
fn stretch(min: f64, end: f64, sampling: Sampling, probability: f64) -> f64 {
    match sampling {
        Sampling::Linear => probability * (end - min) + min,
        Sampling::Log => min * (end / min).powf(probability),
        Sampling::ReverseLog => end + min - min * (end / min).powf(1.0 - probability),
    }
}

fn int_probability(range: &Numerical<i64>, value: i64) -> f64 {
    let (min, max, at) = (range.min as f64, range.max as f64, value as f64);
    match effective_step(range) {
        None => shrink(min, max + 1.0, range.sampling, at + 0.5),
        Some(step) => {
            let index = match range.sampling {
                Sampling::Linear => {
                    ((value as i128 - range.min as i128).div_euclid(step as i128)) as f64
                }
                Sampling::Log => logarithm(at / min, step as f64),
                Sampling::ReverseLog => logarithm((max - at + min) / min, step as f64),
            };
            middle(index, int_steps(range, step))
        }
    }
}

fn float_probability(range: &Numerical<f64>, value: f64) -> f64 {
    match range.step {
        None => shrink(range.min, range.max, range.sampling, value),
        Some(step) => {
            let index = match range.sampling {
                Sampling::Linear => python_floor_division(value - range.min, step),
                Sampling::Log => logarithm(value / range.min, step),
                Sampling::ReverseLog => {
                    logarithm((range.max - value + range.min) / range.min, step)
                }
            };
            middle(index, float_steps(range, step))
        }
    }
}

/// The inverse of [`stretch`].
fn shrink(min: f64, end: f64, sampling: Sampling, value: f64) -> f64 {
    if min == end {
        return 0.5;
    }
    match sampling {
        Sampling::Linear => (value - min) / (end - min),
        Sampling::Log => (value / min).ln() / (end / min).ln(),
        Sampling::ReverseLog => 1.0 - ((end + min - value) / min).ln() / (end / min).ln(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Keras Tuner 1.4.8 printed.
    pub(crate) fn golden() -> serde_json::Value {
        serde_json::from_str(include_str!("testdata/keras-tuner-1.4.8.json"))
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

    /// The unconditional part of the golden file's `space_config`.
    pub(crate) fn golden_space() -> Space {
        let golden = golden();
        let space = golden["space_config"]["space"].as_array().expect("a list");
        let hyperparameters = space
            .iter()
            .filter(|entry| entry["config"]["conditions"].as_array().is_none_or(Vec::is_empty))
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
                HyperParameter { name: config["name"].as_str().expect("a name").to_owned(), kind }
            })
            .collect();
        Space { hyperparameters }
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
                assert_eq!(kind.value_at(probability), expected, "{name} at {probability}");
            }
            for pair in table["v2p"].as_array().expect("a list") {
                let value: Value = serde_json::from_value(pair[0].clone()).expect("a value");
                assert_eq!(
                    kind.probability_of(&value),
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
        // `momentum` exists only under `opt: sgd`; the unconditional
        // hyperparameters before and after it are compared.
        let momentum_at = 3;
        let before = Space { hyperparameters: space.hyperparameters[..momentum_at].to_vec() };
        let after = Space { hyperparameters: space.hyperparameters[momentum_at..].to_vec() };
        let mut state = 1;
        let mut compared = 0;
        for trial in golden["random_search_seed1"].as_array().expect("a list") {
            let Some(values) = trial["values"].as_object() else { continue };
            let conditional = u64::from(values.contains_key("momentum"));
            let (head, next) = before.draw(state);
            let (rest, next) = after.draw(next + conditional);
            for (name, value) in head.iter().chain(rest.iter()) {
                let expected: Value =
                    serde_json::from_value(values[name].clone()).expect("a value");
                assert_eq!(*value, expected, "{name} of trial {}", trial["id"]);
                compared += 1;
            }
            state = next;
            assert_eq!(state, trial["seed_state_after"].as_u64().expect("a state"));
            if conditional == 0 {
                let digest: String = space
                    .draw(state - 10)
                    .0
                    .digest()
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                assert_eq!(digest, trial["hash"].as_str().expect("a hash"));
            }
        }
        assert_eq!(compared, 80);
    }

    #[test]
    fn sizes_count_distinct_assignments() {
        use Sampling::{Linear, Log};
        let space = |kinds: Vec<Kind>| Space {
            hyperparameters: kinds
                .into_iter()
                .enumerate()
                .map(|(index, kind)| HyperParameter { name: index.to_string(), kind })
                .collect(),
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
            space(vec![int(i64::MIN, i64::MAX, None, Linear), Kind::Boolean { default: true }])
                .size(),
            None
        );
    }

    #[test]
    fn finite_ranges_are_counted_and_listed() {
        use Sampling::{Linear, Log, ReverseLog};
        let all = |kind: &Kind| -> Vec<Value> {
            (0..kind.count().expect("finite")).map(|index| kind.nth(index)).collect()
        };
        let ints = |values: &[i64]| values.iter().copied().map(Value::Int).collect::<Vec<_>>();
        assert_eq!(all(&int(6, 13, Some(3), Linear)), ints(&[6, 9, 12]));
        assert_eq!(all(&int(2, 32, Some(2), Log)), ints(&[2, 4, 8, 16, 32]));
        assert_eq!(all(&int(2, 32, Some(2), ReverseLog)), ints(&[32, 30, 26, 18, 2]));
        assert_eq!(all(&int(3, 5, None, Log)), ints(&[3, 4, 5]));
        assert_eq!(float(0.0, 1.0, None, Linear).count(), None);
        assert_eq!(float(0.0, 1.0, Some(0.25), Linear).count(), Some(5));
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
            let Value::Int(value) = kind.value_at(probability) else { panic!("an int") };
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
            let value = kind.value_at(probability);
            let back = kind.probability_of(&value).expect("a value of the range");
            prop_assert!((0.0..1.0).contains(&back), "{back}");
            prop_assert_eq!(kind.value_at(back), value);
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
            let Value::Float(value) = kind.value_at(probability) else { panic!("a float") };
            let slack = 1e-9 * max;
            prop_assert!((min - slack..=max + slack).contains(&value), "{value}");
            let back = kind.probability_of(&Value::Float(value)).expect("a value of the range");
            let Value::Float(again) = kind.value_at(back.clamp(0.0, 1.0)) else { panic!("a float") };
            // A step at the very edge of floor division may round down to its neighbour.
            let tolerance = if step.is_some() && sampling == Sampling::Linear { step.expect("some") + slack } else { 1e-6 * max };
            prop_assert!((again - value).abs() <= tolerance, "{again} for {value}");
        }

        #[test]
        fn choices_come_back(count in 1_usize..60, probability in 0.0..1.0_f64) {
            let kind = Kind::Choice { values: (0..count as i64).map(Value::Int).collect(), default: None };
            let value = kind.value_at(probability);
            let back = kind.probability_of(&value).expect("a choice");
            prop_assert_eq!(kind.value_at(back), value);
        }
    }
}
