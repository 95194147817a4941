//! The metrics of an epoch: names, which many epochs share, and values.
//!
//! A worker reports the same names for every epoch, so that a study of a
//! thousand trials keeps each list of names once, and of an epoch only numbers.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names of metrics in the order of reporting.
pub(super) type Names = Arc<[Box<str>]>;

/// Names and values in the order of reporting.
///
/// As JSON an object, in which a value that is not finite is `null` and comes
/// back as NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    names: Names,
    /// One for each name.
    values: Box<[f64]>,
}

impl Metrics {
    /// The value of a metric.
    #[must_use]
    pub fn get(&self, metric: &str) -> Option<f64> {
        let index = self.names.iter().position(|name| **name == *metric)?;
        Some(self.values[index])
    }

    /// As [`get`](Self::get) for many epochs: the name is looked for once in
    /// each list of names.
    pub fn getter(metric: &str) -> impl Fn(&Self) -> Option<f64> {
        let last: RefCell<Option<(Names, Option<usize>)>> = RefCell::new(None);
        move |metrics| {
            let mut last = last.borrow_mut();
            let index = match &*last {
                Some((names, index)) if Arc::ptr_eq(names, &metrics.names) => *index,
                Some(_) | None => {
                    let index = metrics.names.iter().position(|name| **name == *metric);
                    *last = Some((Arc::clone(&metrics.names), index));
                    index
                }
            };
            index.map(|index| metrics.values[index])
        }
    }

    /// Whether both have one list of names, not only equal ones.
    #[must_use]
    pub fn shares_names_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.names, &other.names)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.names.iter().map(AsRef::as_ref).zip(self.values.iter().copied())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Takes the list of names from `known` if it is there, else adds it.
    pub(super) fn share_names(&mut self, known: &mut HashSet<Names>) {
        match known.get(&self.names) {
            Some(names) => self.names = Arc::clone(names),
            None => drop(known.insert(Arc::clone(&self.names))),
        }
    }
}

impl<N: Into<Box<str>>> FromIterator<(N, f64)> for Metrics {
    fn from_iter<I: IntoIterator<Item = (N, f64)>>(metrics: I) -> Self {
        let (names, values): (Vec<Box<str>>, Vec<f64>) =
            metrics.into_iter().map(|(name, value)| (name.into(), value)).unzip();
        Self { names: names.into(), values: values.into() }
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Metrics;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of metrics")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metrics, A::Error> {
                let mut metrics = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Option<f64>>()? {
                    metrics.push((name, value.unwrap_or(f64::NAN)));
                }
                Ok(metrics.into_iter().collect())
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_are_kept_once() {
        let metrics = |value: f64| Metrics::from_iter([("loss", value), ("accuracy", 0.5)]);
        let mut known = HashSet::new();
        let (mut first, mut second) = (metrics(1.0), metrics(2.0));
        first.share_names(&mut known);
        second.share_names(&mut known);
        assert!(first.shares_names_with(&second));
        let accuracy = Metrics::getter("accuracy");
        let other = Metrics::from_iter([("accuracy", 0.25), ("loss", 1.0)]);
        let found = [&first, &second, &other, &Metrics::from_iter([("loss", 1.0)])].map(accuracy);
        assert_eq!(found, [Some(0.5), Some(0.5), Some(0.25), None]);
        assert_eq!((first.get("loss"), second.get("loss")), (Some(1.0), Some(2.0)));
        Metrics::from_iter([("loss", 3.0)]).share_names(&mut known);
        assert_eq!(known.len(), 2);
    }
}
