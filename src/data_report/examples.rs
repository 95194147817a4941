//! Examples to train on, a bounded number of each class, and what is counted of
//! their numbers.
//!
//! Only examples to train on are looked at: what a report tells must not be
//! learnt from those that judge a network.

use super::values::{Quartiles, anova_f, spread};
use crate::data::stored::{Examples, by_class, labels};
use crate::data::{DataError, Prepared};

/// About how many numbers are read of all classes together.
const NUMBERS: usize = 1 << 23;
/// Fewest examples of a class, where there are so many.
const FEWEST: usize = 4;
/// Numbers that go into a histogram.
const IN_HISTOGRAM: usize = 200_000;

/// What is known of some examples to train on.
pub(super) struct Sample {
    /// Numbers of all classes, evenly spread.
    pub(super) numbers: Vec<f64>,
    /// Of each class, in the order of labels.
    pub(super) classes: Vec<ClassSample>,
    /// How many examples were read.
    pub(super) examples: usize,
    /// Whether numbers are whole and in 0..=255.
    pub(super) are_bytes: bool,
}

/// What is known of some examples of a class.
#[derive(Default)]
pub(super) struct ClassSample {
    /// The first of them.
    pub(super) first: Option<Vec<f32>>,
    /// Mean of each example's numbers.
    pub(super) means: Vec<f64>,
    /// Of all numbers.
    pub(super) mean: f64,
    /// Of all numbers.
    pub(super) deviation: f64,
    /// The examples themselves, where they are rows of a table.
    pub(super) rows: Vec<Vec<f32>>,
}

impl Sample {
    /// Reads examples of each class.
    ///
    /// - `keep_rows`: whether the examples are wanted themselves
    pub(super) fn read(prepared: &Prepared, keep_rows: bool) -> Result<Self, DataError> {
        let labels = labels(prepared)?;
        let train = prepared.manifest.trained_on();
        let train: Vec<i64> = train.into_iter().map(u64::cast_signed).collect();
        let mut examples = Examples::open(prepared)?;
        let classes = prepared.manifest.classes.len();
        let row_len = examples.row_len.max(1);
        let per_class = (NUMBERS / row_len / classes.max(1)).max(FEWEST);
        let mut sample = Self {
            numbers: Vec::new(),
            classes: Vec::new(),
            examples: 0,
            are_bytes: examples.are_bytes(),
        };
        let rows = by_class(&train, &labels, classes);
        let chosen: Vec<Vec<i64>> = rows.iter().map(|rows| spread(rows, per_class)).collect();
        sample.examples = chosen.iter().map(Vec::len).sum();
        // A step that shares no factor with usual widths reaches all columns.
        let step = (sample.examples * row_len / IN_HISTOGRAM).max(1) | 1;
        for rows in chosen {
            let class = sample.read_class(&mut examples, &rows, step, keep_rows)?;
            sample.classes.push(class);
        }
        Ok(sample)
    }

    fn read_class(
        &mut self,
        examples: &mut Examples,
        rows: &[i64],
        step: usize,
        keep_rows: bool,
    ) -> Result<ClassSample, DataError> {
        let mut class = ClassSample::default();
        let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
        for &row in rows {
            let example = examples.row(row)?;
            let own: f64 = example.iter().map(|&value| f64::from(value)).sum();
            class.means.push(own / example.len().max(1) as f64);
            sum += own;
            squares += example.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
            count += example.len() as f64;
            let offset = row.unsigned_abs() as usize % step;
            let some = example.iter().skip(offset).step_by(step);
            self.numbers.extend(some.map(|&value| f64::from(value)));
            if class.first.is_none() {
                class.first = Some(example.clone());
            }
            if keep_rows {
                class.rows.push(example);
            }
        }
        if count > 0.0 {
            class.mean = sum / count;
            class.deviation = (squares / count - class.mean.powi(2)).max(0.0).sqrt();
        }
        Ok(class)
    }

    /// The columns of a table that tell classes apart best, with their F, best
    /// first, and the quartiles of each class.
    pub(super) fn best_columns(&self, at_most: usize) -> Vec<BestColumn> {
        let columns = self.classes.iter().filter_map(|class| class.first.as_ref()).map(Vec::len);
        let values = |column: usize| -> Vec<Vec<f64>> {
            let of =
                |class: &ClassSample| class.rows.iter().map(|row| f64::from(row[column])).collect();
            self.classes.iter().map(of).collect()
        };
        let mut columns: Vec<(usize, f64)> = (0..columns.min().unwrap_or(0))
            .filter_map(|column| Some((column, anova_f(&values(column))?)))
            .collect();
        columns.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        columns.truncate(at_most);
        let best = |(column, f)| BestColumn {
            column,
            f,
            quartiles: values(column).iter().map(|values| Quartiles::of(values)).collect(),
        };
        columns.into_iter().map(best).collect()
    }
}

/// A column of a table.
pub(super) struct BestColumn {
    /// Its place among the features.
    pub(super) column: usize,
    /// Of the analysis of variance.
    pub(super) f: f64,
    /// Of each class; none where there is no example.
    pub(super) quartiles: Vec<Option<Quartiles>>,
}
