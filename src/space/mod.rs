//! The search space: what may be searched, and one assignment of it.
//!
//! A [`Space`] declares [`HyperParameter`]s in sampling order; a
//! [`HyperParameters`] gives each that is active a [`Value`]. Which are active
//! is in [`condition`], the arithmetic between a probability and a value in
//! [`sampling`], draws of whole assignments in [`draw`]; how values look in
//! text is in [`value`].

pub mod condition;
pub mod draw;
pub mod keras_tuner_1_0;
pub mod random;
pub mod sampling;
pub mod value;

pub use condition::Condition;
use serde_json::json;
pub use value::{HyperParameters, Value};

/// All that may be searched, in sampling order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Space {
    /// In the order of the experiment file, which is the order of sampling. A
    /// hyperparameter comes after those that its conditions name.
    pub hyperparameters: Vec<HyperParameter>,
    /// How values are drawn.
    pub rules: Rules,
}

/// A name and what it ranges over.
#[derive(Debug, Clone, PartialEq)]
pub struct HyperParameter {
    /// Several may have one name if their conditions exclude each other.
    pub name: String,
    /// Type, range and default.
    pub kind: Kind,
    /// It exists only where all of these hold.
    pub when: Vec<Condition>,
}

/// How a space is sampled and exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rules {
    /// Keras Tuner 1.4.8's formulas without their faults: a stepped range of
    /// floats includes its maximum where steps reach it, seed 0 is a seed, and
    /// a finite space is exhausted exactly.
    #[default]
    Mended,
    /// Keras Tuner 1.4.8, bit for bit.
    KerasTuner14,
    /// Keras Tuner 1.0.2, value for value.
    KerasTuner10,
}

/// Types of hyperparameters, with Keras Tuner's arguments.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Whole numbers from `min` to `max`.
    Int(Numerical<i64>),
    /// Real numbers from `min` to `max`.
    Float(Numerical<f64>),
    /// One of several values of one type; not empty.
    Choice {
        /// In the order of the file.
        values: Vec<Value>,
        /// The first value if absent.
        default: Option<Value>,
    },
    /// True or false.
    Boolean {
        /// The value where none is chosen.
        default: bool,
    },
    /// Always the same.
    Fixed(Value),
}

/// A range of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Numerical<T> {
    /// Smallest value.
    pub min: T,
    /// Largest value; at least `min`.
    pub max: T,
    /// Distance (linear) or factor (log, reverse_log) between neighbouring
    /// values; absent for a continuous range.
    pub step: Option<T>,
    /// How the range is covered.
    pub sampling: Sampling,
    /// `min` if absent.
    pub default: Option<T>,
}

/// How a range of numbers is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Evenly.
    Linear,
    /// Evenly in the logarithm: dense near `min`.
    Log,
    /// Log turned round: dense near `max`.
    ReverseLog,
}

impl Space {
    /// Looks the hyperparameters of a name up: several where conditions
    /// exclude each other.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a HyperParameter> + 'a {
        self.hyperparameters.iter().filter(move |hyperparameter| hyperparameter.name == name)
    }
}

impl Kind {
    /// The value where none is chosen: as declared, else the smallest or first.
    #[must_use]
    pub fn default(&self) -> Value {
        match self {
            Self::Int(range) => Value::Int(range.default.unwrap_or(range.min)),
            Self::Float(range) => Value::Float(range.default.unwrap_or(range.min)),
            Self::Choice { values, default } => default
                .as_ref()
                .or(values.first())
                .cloned()
                .expect("a choice is read with at least one value"),
            Self::Boolean { default } => Value::Bool(*default),
            Self::Fixed(value) => value.clone(),
        }
    }
}

impl HyperParameter {
    /// Name, type and arguments, as JSON for programs.
    #[must_use]
    pub fn describe(&self) -> serde_json::Value {
        let sampling = |sampling: Sampling| match sampling {
            Sampling::Linear => "linear",
            Sampling::Log => "log",
            Sampling::ReverseLog => "reverse_log",
        };
        let name = &self.name;
        let default = self.kind.default();
        let mut description = match &self.kind {
            Kind::Int(range) => json!({
                "name": name, "type": "int", "min": range.min, "max": range.max,
                "step": range.step, "sampling": sampling(range.sampling), "default": default,
            }),
            Kind::Float(range) => json!({
                "name": name, "type": "float", "min": range.min, "max": range.max,
                "step": range.step, "sampling": sampling(range.sampling), "default": default,
            }),
            Kind::Choice { values, .. } => {
                json!({ "name": name, "type": "choice", "values": values, "default": default })
            }
            Kind::Boolean { .. } => json!({ "name": name, "type": "boolean", "default": default }),
            Kind::Fixed(value) => json!({ "name": name, "type": "fixed", "value": value }),
        };
        if !self.when.is_empty() {
            let when = self
                .when
                .iter()
                .map(|condition| (condition.parent.clone(), json!(condition.values)));
            description["when"] = when.collect::<serde_json::Map<_, _>>().into();
        }
        description
    }
}
