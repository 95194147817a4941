//! A hyperparameter as one coordinate of a point.

use crate::space::{Kind, Rules, Value};

/// A range with more values is taken for continuous: each of them is far
/// narrower than the narrowest kernel.
const MAX_STEPS: u64 = 1000;

/// What a coordinate means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Axis {
    /// The probability of the value, in [0, 1].
    Continuous,
    /// The number of a value that has neighbours.
    Steps {
        /// Where the probabilities of each value begin, and 1 at the end.
        edges: Vec<f64>,
    },
    /// The number of a value of which only equality counts.
    Categories {
        /// How many there are.
        count: usize,
    },
}

impl Axis {
    /// `None` for a hyperparameter that has only one value.
    pub(super) fn of(kind: &Kind, rules: Rules) -> Option<Self> {
        let count = kind.count(rules);
        if count == Some(1) {
            return None;
        }
        Some(match kind {
            Kind::Choice { values, .. } => Self::Categories { count: values.len() },
            Kind::Boolean { .. } => Self::Categories { count: 2 },
            Kind::Int(_) | Kind::Float(_) | Kind::Fixed(_) => match count {
                Some(count @ ..=MAX_STEPS) => {
                    Self::Steps { edges: (0..=count).map(|n| kind.start_of(rules, n)).collect() }
                }
                Some(_) | None => Self::Continuous,
            },
        })
    }

    /// The coordinate of a value; `None` if the hyperparameter cannot have it.
    pub(super) fn coordinate(&self, kind: &Kind, rules: Rules, value: &Value) -> Option<f64> {
        let probability = kind.probability_of(rules, value)?;
        if !(0.0..=1.0).contains(&probability) {
            return None;
        }
        Some(match self {
            Self::Continuous => probability,
            Self::Steps { edges } => step_at(edges, probability) as f64,
            Self::Categories { count } => (probability * *count as f64).floor(),
        })
    }

    /// The value at a coordinate.
    pub(super) fn value(&self, kind: &Kind, rules: Rules, coordinate: f64) -> Value {
        match self {
            Self::Continuous => kind.value_at(rules, coordinate),
            Self::Steps { .. } | Self::Categories { .. } => kind.nth(rules, coordinate as u64),
        }
    }
}

/// The number of the step to which a probability belongs.
pub(super) fn step_at(edges: &[f64], probability: f64) -> usize {
    let inner = &edges[1..edges.len() - 1];
    inner.partition_point(|edge| *edge <= probability)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::{Numerical, Sampling};

    #[test]
    fn coordinates_and_values_are_inverse() {
        let int = |min, max, step, sampling| {
            Kind::Int(Numerical { min, max, step, sampling, default: None })
        };
        let float = |min, max, step, sampling| {
            Kind::Float(Numerical { min, max, step, sampling, default: None })
        };
        let texts = ["relu", "tanh", "elu"].map(|text| Value::Text(text.to_owned()));
        for (kind, steps) in [
            (int(16, 128, Some(16), Sampling::Linear), Some(8)),
            (int(-3, 3, None, Sampling::Linear), Some(7)),
            (int(1, 100, None, Sampling::Log), Some(100)),
            (int(1, 100, None, Sampling::ReverseLog), Some(100)),
            (int(2, 64, Some(2), Sampling::Log), Some(6)),
            (int(0, 5000, None, Sampling::Linear), None),
            (float(0.0, 0.9, Some(0.1), Sampling::Linear), Some(10)),
            (float(1e-4, 1e-1, Some(10.0), Sampling::ReverseLog), Some(4)),
            (float(1e-4, 1e-1, None, Sampling::Log), None),
            (Kind::Choice { values: texts.to_vec(), default: None }, None),
            (Kind::Boolean { default: false }, None),
        ] {
            let axis = Axis::of(&kind, Rules::Mended).expect("several values");
            if let Axis::Steps { edges } = &axis {
                assert_eq!(Some(edges.len() - 1), steps, "{kind:?}");
                assert_eq!((edges[0], *edges.last().expect("an edge")), (0.0, 1.0), "{kind:?}");
                assert!(edges.is_sorted(), "{kind:?}: {edges:?}");
                for step in 0..edges.len() - 1 {
                    let value = kind.nth(Rules::Mended, step as u64);
                    for inside in [0.01, 0.5, 0.99] {
                        let at = edges[step] + inside * (edges[step + 1] - edges[step]);
                        assert_eq!(kind.value_at(Rules::Mended, at), value, "{kind:?} at {at}");
                    }
                }
            } else {
                assert_eq!(steps, None, "{kind:?}");
            }
            for seed in 0..50 {
                let value = kind.draw(Rules::Mended, seed);
                let coordinate = axis.coordinate(&kind, Rules::Mended, &value).expect("valid");
                match (axis.value(&kind, Rules::Mended, coordinate), value) {
                    (Value::Float(a), Value::Float(b)) => assert!((a - b).abs() <= 1e-9 * b.abs()),
                    (a, b) => assert_eq!(a, b, "{kind:?}"),
                }
            }
        }
    }

    #[test]
    fn what_has_one_value_is_no_axis_and_foreign_values_have_no_coordinate() {
        assert_eq!(Axis::of(&Kind::Fixed(Value::Int(4)), Rules::Mended), None);
        let one = Numerical { min: 2, max: 2, step: None, sampling: Sampling::Log, default: None };
        assert_eq!(Axis::of(&Kind::Int(one), Rules::Mended), None);
        let kind = Kind::Int(Numerical { max: 8, ..one });
        let axis = Axis::of(&kind, Rules::Mended).expect("several values");
        for value in [Value::Int(9), Value::Int(1), Value::Int(-1), Value::Bool(true)] {
            assert_eq!(axis.coordinate(&kind, Rules::Mended, &value), None, "{value}");
        }
    }
}
