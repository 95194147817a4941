//! What rows belong to: the classes in `y`, or the groups in `groups`.
//!
//! Labels are whole numbers, text, or, for classes, rows with a single 1. Names
//! are kept once each; a row has the index of its own.

use std::collections::HashMap;
use std::io::{Read, Seek};
use std::path::Path;

use super::problem::ArrayProblem;
use super::stored::Array;
use super::values::Label;

/// What the rows of an array say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labels {
    /// Each once: numbers by their value, or text by the alphabet.
    pub(super) names: Names,
    /// For each row, an index into the names.
    pub(super) rows: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Names {
    Numbers(Vec<i64>),
    Text(Vec<String>),
}

impl Names {
    /// As text, in the same order.
    pub(super) fn shown(&self) -> Vec<String> {
        match self {
            Self::Numbers(numbers) => numbers.iter().map(i64::to_string).collect(),
            Self::Text(names) => names.clone(),
        }
    }
}

impl Labels {
    /// Reads an array of labels.
    ///
    /// - `reader`, `spool`: see [`Array::each_block`]
    /// - `most`: how many different ones there may be
    ///
    /// # Errors
    ///
    /// Where something stands that is no label, with its index.
    pub(super) fn read(
        array: &Array,
        reader: &mut (impl Read + Seek),
        spool: &Path,
        most: u32,
    ) -> Result<Self, ArrayProblem> {
        let header = &array.header;
        let (values, columns) = (header.values, header.row_len());
        if columns > 1 && (values.are_text() || header.shape.len() > 2) {
            return Err(ArrayProblem::LabelShape(header.shown()));
        }
        let mut found = Found { most, numbers: HashMap::new(), text: HashMap::new() };
        let mut rows = Vec::new();
        let (width, row_bytes) = (values.bytes() as usize, header.row_bytes() as usize);
        array.each_block(reader, spool, |block| {
            for (number, row) in (block.first..).zip(block.bytes.chunks_exact(row_bytes)) {
                let label = if columns > 1 {
                    let ones = row.chunks_exact(width).map(|value| values.number(value));
                    Label::Number(one_hot(ones).ok_or(ArrayProblem::NotOneHot { row: number })?)
                } else {
                    values.label(row).map_err(|value| ArrayProblem::NotALabel {
                        index: header.index(number),
                        value,
                    })?
                };
                rows.push(found.index(label)?);
            }
            Ok(())
        })?;
        Ok(found.sorted(rows))
    }
}

/// The index of the single 1 among zeros.
fn one_hot(values: impl Iterator<Item = f64>) -> Option<i64> {
    let mut found = None;
    for (index, value) in values.enumerate() {
        if value == 1.0 && found.is_none() {
            found = Some(index as i64);
        } else if value != 0.0 {
            return None;
        }
    }
    found
}

/// Labels in the order of their first appearance.
struct Found {
    most: u32,
    numbers: HashMap<i64, u32>,
    text: HashMap<String, u32>,
}

impl Found {
    fn index(&mut self, label: Label<'_>) -> Result<u32, ArrayProblem> {
        let known = match &label {
            Label::Number(number) => self.numbers.get(number),
            Label::Text(text) => self.text.get(&**text),
        };
        if let Some(&index) = known {
            return Ok(index);
        }
        // An array has labels of one kind.
        let next = (self.numbers.len() + self.text.len()) as u32;
        if next >= self.most {
            return Err(ArrayProblem::ManyLabels(self.most));
        }
        match label {
            Label::Number(number) => self.numbers.insert(number, next),
            Label::Text(text) => self.text.insert(text.into_owned(), next),
        };
        Ok(next)
    }

    fn sorted(self, mut rows: Vec<u32>) -> Labels {
        fn order<T: Ord>(found: HashMap<T, u32>, rows: &mut [u32]) -> Vec<T> {
            let mut names: Vec<(T, u32)> = found.into_iter().collect();
            names.sort_unstable();
            let mut places = vec![0; names.len()];
            for (place, (_, index)) in names.iter().enumerate() {
                places[*index as usize] = place as u32;
            }
            rows.iter_mut().for_each(|row| *row = places[*row as usize]);
            names.into_iter().map(|(name, _)| name).collect()
        }
        let names = if self.text.is_empty() {
            Names::Numbers(order(self.numbers, &mut rows))
        } else {
            Names::Text(order(self.text, &mut rows))
        };
        Labels { names, rows }
    }
}
