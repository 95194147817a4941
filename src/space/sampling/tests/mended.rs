//! The rules that are not Keras Tuner's.

use super::*;

const RULES: Rules = Rules::Mended;

fn all(kind: &Kind) -> Vec<f64> {
    (0..kind.count(RULES).expect("finite"))
        .map(|index| match kind.nth(RULES, index) {
            Value::Float(value) => value,
            value => panic!("{value} is not a float"),
        })
        .collect()
}

#[test]
fn steps_of_floats_reach_the_maximum_where_they_can() {
    for (min, max, step, count, last) in [
        (0.0, 1.0, 0.1, 11, 1.0),
        (0.0, 0.5, 0.1, 6, 0.5),
        (0.0, 1.0, 0.2, 6, 1.0),
        (0.0, 1.0, 0.25, 5, 1.0),
        (2.0, 8.0, 2.0, 4, 8.0),
        (-0.3, 0.3, 0.1, 7, 0.3),
        (0.7, 3.1, 0.01, 241, 3.1),
        (0.0, 1e8, 0.1, 1_000_000_001, 1e8),
        (1e9, 1e9 + 0.5, 0.1, 6, 1e9 + 0.5),
        (0.5, 0.5, 0.1, 1, 0.5),
        // Out of reach: never beyond.
        (0.0, 1.0, 0.3, 4, 3.0 * 0.3),
        (0.0, 0.99, 0.1, 10, 9.0 * 0.1),
        (0.0, 1.0, 2.0, 1, 0.0),
    ] {
        let kind = float(min, max, Some(step), Sampling::Linear);
        assert_eq!(kind.count(RULES), Some(count), "{min}..{max} by {step}");
        assert_eq!(kind.nth(RULES, count - 1), Value::Float(last), "{min}..{max} by {step}");
        assert_eq!(kind.value_at(RULES, 1.0), Value::Float(last), "{min}..{max} by {step}");
        assert_eq!(kind.value_at(RULES, 0.0), Value::Float(min), "{min}..{max} by {step}");
    }
}

#[test]
fn factors_reach_the_end_exactly() {
    let rates = all(&float(1e-4, 1e-1, Some(10.0), Sampling::Log));
    assert_eq!((rates.len(), rates[0], rates[3]), (4, 1e-4, 1e-1));
    // As small as this, neighbours are much closer than any absolute tolerance.
    let tiny = all(&float(1e-12, 1e-9, Some(10.0), Sampling::Log));
    assert_eq!((tiny.len(), tiny[0], tiny[3]), (4, 1e-12, 1e-9));
    assert!(tiny.windows(2).all(|pair| pair[0] < pair[1]), "{tiny:?}");
    let reversed = all(&float(1e-10, 1.0, Some(10.0), Sampling::ReverseLog));
    assert_eq!((reversed.len(), reversed[0], reversed[10]), (11, 1.0, 1e-10));
    let short = all(&float(1.0, 50.0, Some(10.0), Sampling::Log));
    assert_eq!(short, [1.0, 10.0]);
}

#[test]
fn continuous_ranges_keep_their_ends() {
    use Sampling::{Linear, Log, ReverseLog};
    // Keras Tuner gives one beyond the maximum.
    let wide = int(1, 100, None, Log);
    assert_eq!(wide.value_at(Rules::KerasTuner14, 1.0), Value::Int(101));
    assert_eq!(wide.value_at(RULES, 1.0), Value::Int(100));
    for sampling in [Linear, Log, ReverseLog] {
        for min in 1..200_i64 {
            for span in [0, 1, 7, 1000] {
                for probability in [0.0, 1.0] {
                    let ints = int(min, min + span, None, sampling);
                    assert!(ints.can_be(RULES, &ints.value_at(RULES, probability)), "{ints:?}");
                    let (low, high) = (min as f64 / 7.0, (min + span) as f64 / 7.0);
                    let floats = float(low, high, None, sampling);
                    assert!(
                        floats.can_be(RULES, &floats.value_at(RULES, probability)),
                        "{floats:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_widest_ranges_do_not_overflow() {
    for kind in [
        int(i64::MIN, i64::MAX, None, Sampling::Linear),
        int(i64::MIN, i64::MAX, Some(i64::MAX), Sampling::Linear),
        int(1, i64::MAX, None, Sampling::Log),
        int(i64::MAX - 1, i64::MAX, None, Sampling::ReverseLog),
        int(2, i64::MAX, Some(2), Sampling::Log),
        int(2, i64::MAX, Some(2), Sampling::ReverseLog),
        int(1, i64::MAX, Some(i64::MAX), Sampling::ReverseLog),
        float(-1e308, 7e307, Some(1e-300), Sampling::Linear),
        float(1e-300, 1e300, Some(1.0 + 1e-15), Sampling::Log),
    ] {
        for rules in [Rules::Mended, Rules::KerasTuner14] {
            for probability in [0.0, 0.3, 1.0 - f64::EPSILON, 1.0] {
                let value = kind.value_at(rules, probability);
                let back = kind.probability_of(rules, &value).expect("of its type");
                assert!(!back.is_nan(), "{kind:?} at {probability}");
            }
            let last = kind.count(rules).expect("finite") - 1;
            assert!(kind.can_be(Rules::Mended, &kind.nth(Rules::Mended, 0)), "{kind:?}");
            let _ = kind.nth(rules, last);
        }
    }
}

#[test]
fn only_what_is_drawn_can_be() {
    use Sampling::{Linear, Log, ReverseLog};
    let held = |kind: &Kind, yes: &[i64], no: &[i64]| {
        for rules in [RULES, Rules::KerasTuner14] {
            assert!(yes.iter().all(|value| kind.can_be(rules, &Value::Int(*value))), "{kind:?}");
            assert!(!no.iter().any(|value| kind.can_be(rules, &Value::Int(*value))), "{kind:?}");
        }
    };
    held(&int(6, 13, Some(3), Linear), &[6, 9, 12], &[3, 7, 13, 15]);
    held(&int(2, 40, Some(2), Log), &[2, 4, 8, 16, 32], &[1, 6, 40, 64]);
    held(&int(2, 32, Some(2), ReverseLog), &[32, 30, 26, 18, 2], &[4, 16, 34]);
    held(&int(2, 5, None, ReverseLog), &[2, 3, 4, 5], &[1, 6]);
    let rate = float(0.0, 1.0, Some(0.1), Linear);
    for (value, mended, theirs) in
        [(0.0, true, true), (0.1 * 3.0, true, true), (0.3, false, false), (1.0, true, false)]
    {
        assert_eq!(rate.can_be(RULES, &Value::Float(value)), mended, "{value}");
        assert_eq!(rate.can_be(Rules::KerasTuner14, &Value::Float(value)), theirs, "{value}");
    }
    assert!(!rate.can_be(RULES, &Value::Int(1)) && !rate.can_be(RULES, &Value::Float(f64::NAN)));
}

proptest! {
    #[test]
    fn every_step_comes_back_from_its_probability(
        min in prop_oneof![-100.0..100.0_f64, 1e-6..1.0_f64],
        step in 1e-3..10.0_f64,
        count in 1_u64..1000,
        beyond in 0.0..0.9_f64,
        factors in any::<bool>(),
        reverse in any::<bool>(),
    ) {
        let (min, step, count) = if factors {
            // Reversed, the steps of a range wider than this are finer than floats are.
            let step = 1.05 + step;
            (min.abs().max(1e-6), step, count.min((1e9_f64.ln() / step.ln()) as u64))
        } else {
            (min, step, count)
        };
        let (max, sampling) = match (factors, reverse) {
            (false, _) => (min + (count as f64 - 1.0 + beyond) * step, Sampling::Linear),
            (true, false) => (min * step.powf(count as f64 - 1.0 + beyond), Sampling::Log),
            (true, true) => (min * step.powf(count as f64 - 1.0 + beyond), Sampling::ReverseLog),
        };
        let kind = float(min, max, Some(step), sampling);
        prop_assert_eq!(kind.count(RULES), Some(count));
        for index in 0..count {
            let Value::Float(value) = kind.nth(RULES, index) else { panic!("a float") };
            prop_assert!((min..=max).contains(&value), "{} of {:?}", value, kind);
            let back = kind.probability_of(RULES, &Value::Float(value)).expect("a float");
            prop_assert!((0.0..=1.0).contains(&back));
            prop_assert_eq!(kind.index_of(RULES, &Value::Float(value)), Some(index));
            prop_assert_eq!(kind.value_at(RULES, back), Value::Float(value));
        }
    }

    #[test]
    fn draws_are_those_of_keras_tuner_where_it_has_no_fault(
        min in 1_i64..1000,
        span in 0_i64..10_000,
        step in proptest::option::of(2_i64..50),
        sampling in samplings(),
        seed in 1_u64..1_000_000,
    ) {
        let ints = int(min, min + span, step, sampling);
        prop_assert_eq!(ints.draw(RULES, seed), ints.draw(Rules::KerasTuner14, seed));
        let floats = float(min as f64 / 3.0, (min + span) as f64 / 3.0, None, sampling);
        prop_assert_eq!(floats.draw(RULES, seed), floats.draw(Rules::KerasTuner14, seed));
    }
}
