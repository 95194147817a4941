//! Assignments as points, between which distances mean something.
//!
//! A point has one coordinate for each hyperparameter that can vary:
//!
//! - Numbers: the probability at which their sampling gives them, in [0, 1];
//!   so a learning rate is even in its logarithm. Choices of numbers are put in
//!   their order and spread as evenly: neighbours (16 and 32 units) behave more
//!   alike than the ends, and where they do not, a short length scale says so.
//! - Booleans and choices of text: which one, as a whole number of which only
//!   equality counts. Two that differ are at distance 1, whichever they are;
//!   that is one-hot coding with one length scale for all its columns.
//! - Inactive ones stand at their default, as in Keras Tuner. No coordinate
//!   says that they are inactive: the parent's coordinate does already.

use crate::oracle::randomness::Random;
use crate::space::{HyperParameter, HyperParameters, Kind, Rules, Space, Value};

/// A number with more values than this moves as if it were continuous.
const MAX_LISTED: u64 = 24;

/// How one space's assignments are points.
pub(super) struct Encoding {
    space: Space,
    /// In the order of the space, without those that cannot vary.
    dimensions: Vec<Dimension>,
    /// Which dimension each hyperparameter of the space has.
    dimension_of: Vec<Option<usize>>,
}

/// What one coordinate means.
pub(super) struct Dimension {
    pub(super) scale: Scale,
    /// Coordinate of the default.
    default: f64,
}

/// Which coordinates a dimension has.
pub(super) enum Scale {
    /// All of [0, 1].
    Continuous,
    /// Few, of values in order; the coordinates ascend.
    Ordered(Vec<(f64, Value)>),
    /// 0, 1, 2 and so on, of values without order.
    Categories(Vec<Value>),
}

impl Encoding {
    pub(super) fn new(space: Space) -> Self {
        let mut dimensions = Vec::new();
        let dimension_of = space.hyperparameters.iter().map(|hyperparameter| {
            let dimension = Dimension::of(&hyperparameter.kind, space.rules)?;
            dimensions.push(dimension);
            Some(dimensions.len() - 1)
        });
        let dimension_of = dimension_of.collect();
        Self { space, dimensions, dimension_of }
    }

    pub(super) fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// The point of an assignment; a value that the space does not have stands
    /// as near as it can.
    pub(super) fn point(&self, assignment: &HyperParameters) -> Vec<f64> {
        let mut point: Vec<f64> =
            self.dimensions.iter().map(|dimension| dimension.default).collect();
        let mut seen = HyperParameters::default();
        for (hyperparameter, index) in self.with_dimensions() {
            if !hyperparameter.is_active(&seen) {
                continue;
            }
            let Some(value) = assignment.get(&hyperparameter.name) else { continue };
            if let Some(index) = index {
                let coordinate = self.dimensions[index].coordinate(
                    &hyperparameter.kind,
                    self.space.rules,
                    value,
                );
                point[index] = coordinate.unwrap_or(point[index]);
            }
            seen.set(&hyperparameter.name, value.clone());
        }
        point
    }

    /// The assignment nearest to a point.
    pub(super) fn assignment(&self, point: &[f64]) -> HyperParameters {
        let mut assignment = HyperParameters::default();
        for (hyperparameter, index) in self.with_dimensions() {
            if hyperparameter.is_active(&assignment) {
                let value = match index {
                    Some(index) => self.dimensions[index].value(
                        &hyperparameter.kind,
                        self.space.rules,
                        point[index],
                    ),
                    None => hyperparameter.kind.nth(self.space.rules, 0),
                };
                assignment.set(&hyperparameter.name, value);
            }
        }
        assignment
    }

    /// Which dimensions are active at a point.
    pub(super) fn active(&self, point: &[f64]) -> Vec<bool> {
        let assignment = self.assignment(point);
        let mut active = vec![false; self.dimensions.len()];
        for (hyperparameter, index) in self.with_dimensions() {
            if let Some(index) = index {
                active[index] = hyperparameter.is_active(&assignment);
            }
        }
        active
    }

    /// A point spread evenly over the coordinates; not of an assignment yet.
    pub(super) fn anywhere(&self, random: &mut Random) -> Vec<f64> {
        self.dimensions.iter().map(|dimension| dimension.anywhere(random)).collect()
    }

    /// A point near another; not of an assignment yet.
    ///
    /// - `by`: how far numbers go, typically; each coordinate moves with
    ///   probability `chance`
    pub(super) fn near(
        &self,
        point: &[f64],
        by: f64,
        chance: f64,
        random: &mut Random,
    ) -> Vec<f64> {
        let mut moved = point.to_vec();
        for (coordinate, dimension) in moved.iter_mut().zip(&self.dimensions) {
            if random.unit() >= chance {
                continue;
            }
            match &dimension.scale {
                Scale::Continuous => {
                    *coordinate = (*coordinate + by * random.normal()).clamp(0.0, 1.0)
                }
                Scale::Ordered(_) | Scale::Categories(_) => {
                    *coordinate = dimension.anywhere(random)
                }
            }
        }
        moved
    }

    fn with_dimensions(&self) -> impl Iterator<Item = (&HyperParameter, Option<usize>)> {
        self.space.hyperparameters.iter().zip(self.dimension_of.iter().copied())
    }
}

impl Dimension {
    /// Whether differences between coordinates mean something.
    pub(super) fn is_number(&self) -> bool {
        match self.scale {
            Scale::Continuous | Scale::Ordered(_) => true,
            Scale::Categories(_) => false,
        }
    }

    /// Whether it can follow a slope.
    pub(super) fn is_continuous(&self) -> bool {
        match self.scale {
            Scale::Continuous => true,
            Scale::Ordered(_) | Scale::Categories(_) => false,
        }
    }

    /// Absent for what has one value only.
    fn of(kind: &Kind, rules: Rules) -> Option<Self> {
        let count = kind.count(rules);
        if count == Some(1) {
            return None;
        }
        let scale = match kind {
            Kind::Int(_) | Kind::Float(_) => match count {
                Some(count) if count <= MAX_LISTED => {
                    let values = (0..count).map(|index| kind.nth(rules, index));
                    let placed = values.filter_map(|value| {
                        Some((kind.probability_of(rules, &value)?.clamp(0.0, 1.0), value))
                    });
                    Scale::Ordered(placed.collect())
                }
                Some(_) | None => Scale::Continuous,
            },
            Kind::Choice { values, .. } => of_choice(values),
            Kind::Boolean { .. } => Scale::Categories([false, true].map(Value::Bool).to_vec()),
            Kind::Fixed(_) => return None,
        };
        let mut dimension = Self { scale, default: 0.0 };
        dimension.default = dimension.coordinate(kind, rules, &kind.default()).unwrap_or(0.0);
        Some(dimension)
    }

    /// Absent if the value is of another type or not a category.
    fn coordinate(&self, kind: &Kind, rules: Rules, value: &Value) -> Option<f64> {
        let between = || {
            let probability = kind.probability_of(rules, value)?;
            probability.is_finite().then_some(probability.clamp(0.0, 1.0))
        };
        match &self.scale {
            Scale::Continuous => between(),
            Scale::Ordered(placed) => {
                let known = placed.iter().find(|(_, known)| known == value);
                known.map(|(coordinate, _)| *coordinate).or_else(between)
            }
            Scale::Categories(values) => {
                values.iter().position(|known| known == value).map(|index| index as f64)
            }
        }
    }

    fn value(&self, kind: &Kind, rules: Rules, coordinate: f64) -> Value {
        match &self.scale {
            Scale::Continuous => within_range(kind, kind.value_at(rules, coordinate)),
            Scale::Ordered(placed) => {
                let nearest = placed.iter().min_by(|(a, _), (b, _)| {
                    (a - coordinate).abs().total_cmp(&(b - coordinate).abs())
                });
                nearest.map_or_else(|| kind.default(), |(_, value)| value.clone())
            }
            Scale::Categories(values) => {
                values[(coordinate as usize).min(values.len() - 1)].clone()
            }
        }
    }

    fn anywhere(&self, random: &mut Random) -> f64 {
        match &self.scale {
            Scale::Continuous => random.unit(),
            Scale::Ordered(placed) => placed[random.below(placed.len())].0,
            Scale::Categories(values) => random.below(values.len()) as f64,
        }
    }
}

/// At 0 and 1, where searches like to end, rounding may lead past an end.
fn within_range(kind: &Kind, value: Value) -> Value {
    match (kind, value) {
        (Kind::Int(range), Value::Int(value)) => Value::Int(value.clamp(range.min, range.max)),
        (Kind::Float(range), Value::Float(value)) => {
            Value::Float(value.clamp(range.min, range.max))
        }
        (_, value) => value,
    }
}

/// Distinct values: in their order if they are numbers.
fn of_choice(values: &[Value]) -> Scale {
    let mut distinct: Vec<Value> = Vec::new();
    for value in values {
        if !distinct.contains(value) {
            distinct.push(value.clone());
        }
    }
    let numbers: Option<Vec<f64>> = distinct.iter().map(number).collect();
    let Some(numbers) = numbers else { return Scale::Categories(distinct) };
    let mut sorted: Vec<(f64, Value)> = numbers.into_iter().zip(distinct).collect();
    sorted.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let count = sorted.len() as f64;
    let placed = sorted.into_iter().enumerate();
    Scale::Ordered(
        placed.map(|(index, (_, value))| ((index as f64 + 0.5) / count, value)).collect(),
    )
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Bool(_) | Value::Text(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::testing::{hyperparameter, space};
    use crate::space::{Condition, Numerical, Sampling};

    fn log(min: f64, max: f64) -> Kind {
        let sampling = Sampling::Log;
        Kind::Float(Numerical { min, max, step: None, sampling, default: None })
    }

    fn int(min: i64, max: i64, step: Option<i64>) -> Kind {
        let sampling = Sampling::Linear;
        Kind::Int(Numerical { min, max, step, sampling, default: None })
    }

    fn texts<const N: usize>(values: [&str; N]) -> Kind {
        let values = values.map(|value| Value::Text(value.to_owned())).to_vec();
        Kind::Choice { values, default: None }
    }

    fn assignment<const N: usize>(values: [(&str, Value); N]) -> HyperParameters {
        values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    #[test]
    fn coordinates_mean_what_sampling_means() {
        let numbers = Kind::Choice { values: [64, 16, 32].map(Value::Int).to_vec(), default: None };
        let encoding = Encoding::new(space([
            ("rate", log(1e-4, 1e-2)),
            ("units", int(16, 64, Some(16))),
            ("fixed", Kind::Fixed(Value::Int(3))),
            ("size", numbers),
            ("activation", texts(["relu", "elu", "tanh"])),
            ("bias", Kind::Boolean { default: true }),
        ]));
        let assignment = assignment([
            ("rate", Value::Float(1e-3)),
            ("units", Value::Int(48)),
            ("fixed", Value::Int(3)),
            ("size", Value::Int(16)),
            ("activation", Value::Text("tanh".to_owned())),
            ("bias", Value::Bool(true)),
        ]);
        let point = encoding.point(&assignment);
        let expected = [0.5, 0.625, 1.0 / 6.0, 2.0, 1.0];
        assert!(point.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{point:?}");
        let numbers: Vec<bool> = encoding.dimensions().iter().map(Dimension::is_number).collect();
        assert_eq!(numbers, [true, true, true, false, false]);
        let rounded = encoding.assignment(&[0.5, 0.7, 0.2, 2.0, 1.0]);
        assert_eq!(rounded.iter().skip(1).collect::<Vec<_>>(), {
            assignment.iter().skip(1).collect::<Vec<_>>()
        });
    }

    #[test]
    fn inactive_ones_stand_at_their_default() {
        let momentum = Numerical {
            min: 0.0,
            max: 1.0,
            step: None,
            sampling: Sampling::Linear,
            default: Some(0.9),
        };
        let mut child = hyperparameter("momentum", Kind::Float(momentum));
        let values = vec![Value::Text("sgd".to_owned())];
        child.when = vec![Condition { parent: "optimizer".to_owned(), values }];
        let mut space = space([("optimizer", texts(["adam", "sgd"]))]);
        space.hyperparameters.push(child);
        let encoding = Encoding::new(space);
        let adam = assignment([("optimizer", Value::Text("adam".to_owned()))]);
        assert_eq!(encoding.point(&adam), [0.0, 0.9]);
        assert_eq!(encoding.assignment(&[0.0, 0.3]), adam);
        assert_eq!(encoding.active(&[0.0, 0.3]), [true, false]);
        assert_eq!(encoding.active(&[1.0, 0.3]), [true, true]);
        let sgd = encoding.assignment(&[1.0, 0.3]);
        assert_eq!(sgd.get("momentum"), Some(&Value::Float(0.3)));
    }

    #[test]
    fn ends_of_ranges_are_not_passed() {
        for (min, max) in [(1e-4, 1e-2), (0.1, 0.7), (3e-5, 0.9)] {
            let encoding = Encoding::new(space([("a", log(min, max))]));
            for end in [0.0, 1.0] {
                let assignment = encoding.assignment(&[end]);
                let Some(Value::Float(value)) = assignment.get("a") else { panic!("no float") };
                assert!((min..=max).contains(value), "{value}");
            }
        }
    }
}
