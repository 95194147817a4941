//! Options of an algorithm: declared beside it, read from `search:` by one reader.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// An option of an algorithm or a stopping rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Knob {
    /// Its key in the experiment file.
    pub name: &'static str,
    /// What it may be.
    pub range: Range,
    /// Its value where the file says nothing; of a [`Range::Word`], which of the words.
    pub default: f64,
}

/// Values of a [`Knob`].
#[derive(Debug, Clone, PartialEq)]
pub enum Range {
    /// Whole numbers.
    Whole(RangeInclusive<u32>),
    /// Real numbers.
    Real(RangeInclusive<f64>),
    /// One of several words.
    Word(&'static [&'static str]),
}

/// Values of the knobs of one algorithm.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Knobs {
    values: BTreeMap<&'static str, f64>,
}

impl Knobs {
    /// All at their defaults.
    #[must_use]
    pub fn defaults(knobs: &[Knob]) -> Self {
        Self { values: knobs.iter().map(|knob| (knob.name, knob.default)).collect() }
    }

    /// Sets one; a word is set by its number.
    pub fn set(&mut self, name: &'static str, value: f64) {
        self.values.insert(name, value);
    }

    /// A real number.
    ///
    /// # Panics
    ///
    /// If the algorithm has no knob of that name.
    #[must_use]
    pub fn real(&self, name: &str) -> f64 {
        self.values[name]
    }

    /// A whole number, or which of the words.
    ///
    /// # Panics
    ///
    /// As [`real`](Self::real).
    #[must_use]
    pub fn whole(&self, name: &str) -> u32 {
        self.values[name] as u32
    }
}
