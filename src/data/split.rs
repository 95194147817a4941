//! Which examples train, validate, and stay out of sight until the end.
//!
//! Every class is divided by the same shares, whole tracks only; here a track
//! is one recording. The division depends on the seed and on the number of
//! recordings of each class, on nothing else.

use super::SplitSettings;
use super::random::Random;

/// Row numbers of each set, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Split {
    pub(super) train: Vec<i64>,
    pub(super) validation: Vec<i64>,
    pub(super) test: Vec<i64>,
}

/// A class that is too small to be divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shortage {
    pub(super) class: usize,
    pub(super) count: usize,
    pub(super) needed: usize,
}

/// Divides rows by class.
///
/// - `labels`: the class of each row, below `classes`
///
/// The test set takes its share of a class first, then the validation set its
/// share of the rest, each rounded to the nearest number, at least 1 where the
/// share is above zero; at least 1 is left to train on.
pub(super) fn split(
    labels: &[usize],
    classes: usize,
    settings: &SplitSettings,
) -> Result<Split, Shortage> {
    let mut split = Split::default();
    for class in 0..classes {
        let mut rows: Vec<i64> = labels
            .iter()
            .enumerate()
            .filter(|&(_, &label)| label == class)
            .map(|(row, _)| row as i64)
            .collect();
        let needed = needed(settings);
        if rows.len() < needed {
            return Err(Shortage { class, count: rows.len(), needed });
        }
        Random::new(&[settings.seed, class as u64]).shuffle(&mut rows);

        let test = if settings.test > 0.0 { share(rows.len(), settings.test, 2) } else { 0 };
        let rest = rows.split_off(test);
        let validation = share(rest.len(), settings.validation, 1);
        split.test.extend(rows);
        split.validation.extend(&rest[..validation]);
        split.train.extend(&rest[validation..]);
    }
    for rows in [&mut split.train, &mut split.validation, &mut split.test] {
        rows.sort_unstable();
    }
    Ok(split)
}

/// Fewest recordings of a class: one in each set.
fn needed(settings: &SplitSettings) -> usize {
    if settings.test > 0.0 { 3 } else { 2 }
}

/// `share` of `count`, at least 1, leaving at least `left`.
fn share(count: usize, share: f64, left: usize) -> usize {
    ((count as f64 * share).round() as usize).clamp(1, count - left)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_those_of_the_file() {
        let labels: Vec<usize> = (0..1000).map(|row| row / 100).collect();
        let settings = SplitSettings { test: 0.2, validation: 0.1, seed: 42 };
        let split = split(&labels, 10, &settings).unwrap();
        assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (720, 80, 200));
        for class in 0..10 {
            let count = split.test.iter().filter(|&&row| labels[row as usize] == class).count();
            assert_eq!(count, 20);
        }
    }

    #[test]
    fn a_seed_is_a_promise() {
        let labels = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1];
        let settings = SplitSettings { test: 0.2, validation: 0.2, seed: 42 };
        let first = split(&labels, 2, &settings).unwrap();
        assert_eq!(first, split(&labels, 2, &settings).unwrap());
        assert_eq!((first.validation, first.test), (vec![3, 8], vec![5, 10]));
    }

    #[test]
    fn a_small_class_is_named() {
        let settings = SplitSettings { test: 0.2, validation: 0.1, seed: 0 };
        let shortage = split(&[0, 0, 0, 1, 1], 2, &settings).unwrap_err();
        assert_eq!(shortage, Shortage { class: 1, count: 2, needed: 3 });
        let without_test = SplitSettings { test: 0.0, ..settings };
        let split = split(&[0, 0, 0, 1, 1], 2, &without_test).unwrap();
        assert!(split.test.is_empty());
    }

    proptest! {
        #[test]
        fn sets_are_disjoint_complete_and_stratified(
            counts in prop::collection::vec(3_usize..40, 1..6),
            test in 0.0_f64..0.999,
            validation in 0.001_f64..0.999,
            seed: u64,
        ) {
            let labels: Vec<usize> = counts
                .iter()
                .enumerate()
                .flat_map(|(class, &count)| std::iter::repeat_n(class, count))
                .collect();
            let settings = SplitSettings { test, validation, seed };
            let split = split(&labels, counts.len(), &settings).unwrap();

            let all: BTreeSet<i64> =
                [&split.train, &split.validation, &split.test].into_iter().flatten().copied().collect();
            prop_assert_eq!(all.len(), labels.len());
            prop_assert_eq!(
                split.train.len() + split.validation.len() + split.test.len(),
                labels.len()
            );
            for (class, &count) in counts.iter().enumerate() {
                let of = |rows: &[i64]| {
                    rows.iter().filter(|&&row| labels[row as usize] == class).count()
                };
                prop_assert!(of(&split.train) >= 1);
                prop_assert!(of(&split.validation) >= 1);
                prop_assert!(test == 0.0 || of(&split.test) >= 1);
                let ideal = count as f64 * test;
                prop_assert!((of(&split.test) as f64 - ideal).abs() <= 2.0);
            }
        }
    }
}
