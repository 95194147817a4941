//! Values of hyperparameters, and their text.
//!
//! Keras Tuner identifies an assignment by Python's `str()` of its values, and
//! prints them so; [`Value`]'s `Display` is that text.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// The value of one hyperparameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `true`, `false`; Python's `True`, `False`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite real number.
    Float(f64),
    /// Text.
    Text(String),
}

/// One assignment: a value for every hyperparameter, in the order of the space.
///
/// As JSON: an object in that order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HyperParameters {
    values: Vec<(String, Value)>,
}

impl HyperParameters {
    /// Looks a value up.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Names and values in the order of the space.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Identifies the assignment: the first half of the SHA-256 over
    /// `name=value` of all values in the order of their names, as Keras Tuner
    /// 1.4.8 identifies it.
    #[must_use]
    pub fn digest(&self) -> [u8; 16] {
        let mut sorted: Vec<&(String, Value)> = self.values.iter().collect();
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut hasher = Sha256::new();
        for (name, value) in sorted {
            hasher.update(format!("{name}={value}"));
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&hasher.finalize()[..16]);
        digest
    }

    /// Sets a value, at the end if its name is new.
    pub fn set(&mut self, name: &str, value: Value) {
        match self.values.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.values.push((name.to_owned(), value)),
        }
    }
}

impl FromIterator<(String, Value)> for HyperParameters {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(values: I) -> Self {
        Self { values: values.into_iter().collect() }
    }
}

impl Serialize for HyperParameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for HyperParameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = HyperParameters;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of hyperparameters")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    values.push(entry);
                }
                Ok(HyperParameters { values })
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(true) => formatter.write_str("True"),
            Self::Bool(false) => formatter.write_str("False"),
            Self::Int(value) => write!(formatter, "{value}"),
            Self::Float(value) => formatter.write_str(&python_float(*value)),
            Self::Text(value) => formatter.write_str(value),
        }
    }
}

/// Python's `repr` of a float: the shortest digits that read back equal, with
/// an exponent below 1e-4 and from 1e16.
#[must_use]
pub fn python_float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) =
        scientific.split_once('e').expect("the LowerExp format of a finite float has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a whole number");
    if value != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{value}");
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_look_as_python_prints_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.25e300, "1.25e+300"),
            (0.7000000000000001, "0.7000000000000001"),
        ] {
            assert_eq!(python_float(value), text);
        }
    }
}
