//! Which examples train, validate, and stay out of sight until the end.
//!
//! Every class is divided by the same shares. What is divided are whole tracks,
//! unless the settings have every row stand for itself: then rows of one track
//! may come to lie in several sets. The division depends on the seed and on the
//! number of tracks, or rows, of each class, on nothing else.

use super::random::Random;
use super::{Group, SplitSettings};

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
/// - `track_classes`: the class of each track, below `classes`
/// - `groups`: the track of each row
///
/// The test set takes its share of a class first, then the validation set its
/// share of the rest, each rounded to the nearest number, at least 1 where the
/// share is above zero; at least 1 is left to train on.
pub(super) fn split(
    track_classes: &[usize],
    groups: &[usize],
    classes: usize,
    settings: &SplitSettings,
) -> Result<Split, Shortage> {
    match settings.group {
        Group::None => {
            let row_classes: Vec<usize> =
                groups.iter().map(|&track| track_classes[track]).collect();
            divide(&row_classes, classes, settings)
        }
        Group::Track => {
            let tracks = divide(track_classes, classes, settings)?;
            Ok(Split {
                train: rows_of(&tracks.train, groups, track_classes.len()),
                validation: rows_of(&tracks.validation, groups, track_classes.len()),
                test: rows_of(&tracks.test, groups, track_classes.len()),
            })
        }
    }
}

/// The rows of some of the tracks, ascending.
fn rows_of(chosen: &[i64], groups: &[usize], tracks: usize) -> Vec<i64> {
    let mut is_chosen = vec![false; tracks];
    for &track in chosen {
        is_chosen[track as usize] = true;
    }
    let rows = groups.iter().enumerate().filter(|&(_, &track)| is_chosen[track]);
    rows.map(|(row, _)| row as i64).collect()
}

/// Divides what has the classes `labels`.
fn divide(labels: &[usize], classes: usize, settings: &SplitSettings) -> Result<Split, Shortage> {
    let mut split = Split::default();
    for class in 0..classes {
        let mut members: Vec<i64> = labels
            .iter()
            .enumerate()
            .filter(|&(_, &label)| label == class)
            .map(|(member, _)| member as i64)
            .collect();
        let needed = needed(settings);
        if members.len() < needed {
            return Err(Shortage { class, count: members.len(), needed });
        }
        Random::new(&[settings.seed, class as u64]).shuffle(&mut members);

        let test = if settings.test > 0.0 { share(members.len(), settings.test, 2) } else { 0 };
        let rest = members.split_off(test);
        let validation = share(rest.len(), settings.validation, 1);
        split.test.extend(members);
        split.validation.extend(&rest[..validation]);
        split.train.extend(&rest[validation..]);
    }
    for members in [&mut split.train, &mut split.validation, &mut split.test] {
        members.sort_unstable();
    }
    Ok(split)
}

/// Fewest tracks, or rows, of a class: one in each set.
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

    fn settings(test: f64, validation: f64, seed: u64) -> SplitSettings {
        SplitSettings { test, validation, seed, group: Group::Track }
    }

    /// Divides rows that are tracks of their own.
    fn split_rows(
        labels: &[usize],
        classes: usize,
        settings: &SplitSettings,
    ) -> Result<Split, Shortage> {
        let groups: Vec<usize> = (0..labels.len()).collect();
        let split = split(labels, &groups, classes, settings);
        let ungrouped = SplitSettings { group: Group::None, ..*settings };
        assert_eq!(super::split(labels, &groups, classes, &ungrouped), split);
        split
    }

    #[test]
    fn shares_are_those_of_the_file() {
        let labels: Vec<usize> = (0..1000).map(|row| row / 100).collect();
        let settings = settings(0.2, 0.1, 42);
        let split = split_rows(&labels, 10, &settings).unwrap();
        assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (720, 80, 200));
        for class in 0..10 {
            let count = split.test.iter().filter(|&&row| labels[row as usize] == class).count();
            assert_eq!(count, 20);
        }
    }

    #[test]
    fn a_seed_is_a_promise() {
        let labels = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1];
        let settings = settings(0.2, 0.2, 42);
        let first = split_rows(&labels, 2, &settings).unwrap();
        assert_eq!(first, split_rows(&labels, 2, &settings).unwrap());
        assert_eq!((first.validation, first.test), (vec![3, 8], vec![5, 10]));
    }

    #[test]
    fn a_small_class_is_named() {
        let settings = settings(0.2, 0.1, 0);
        let shortage = split_rows(&[0, 0, 0, 1, 1], 2, &settings).unwrap_err();
        assert_eq!(shortage, Shortage { class: 1, count: 2, needed: 3 });
        let without_test = SplitSettings { test: 0.0, ..settings };
        let split = split_rows(&[0, 0, 0, 1, 1], 2, &without_test).unwrap();
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
            let settings = settings(test, validation, seed);
            let split = split_rows(&labels, counts.len(), &settings).unwrap();

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

        #[test]
        fn tracks_stay_whole_or_are_divided_like_rows(
            tracks in prop::collection::vec((0_usize..3, 1_usize..6), 30..60),
            seed: u64,
        ) {
            let track_classes: Vec<usize> = tracks.iter().map(|&(class, _)| class).collect();
            let groups: Vec<usize> = tracks
                .iter()
                .enumerate()
                .flat_map(|(track, &(_, rows))| std::iter::repeat_n(track, rows))
                .collect();
            let whole = settings(0.25, 0.25, seed);
            let Ok(together) = split(&track_classes, &groups, 3, &whole) else {
                // A class that was drawn fewer than three times.
                return Ok(());
            };
            let set_of = |split: &Split| {
                let mut sets = vec![usize::MAX; groups.len()];
                for (set, rows) in [&split.train, &split.validation, &split.test].into_iter().enumerate() {
                    for &row in rows {
                        sets[row as usize] = set;
                    }
                }
                sets
            };
            let sets = set_of(&together);
            prop_assert!(sets.iter().all(|&set| set < 3));
            for (track, &(_, rows)) in tracks.iter().enumerate() {
                let of_track: BTreeSet<usize> = (0..groups.len())
                    .filter(|&row| groups[row] == track)
                    .map(|row| sets[row])
                    .collect();
                prop_assert_eq!(of_track.len(), 1, "track {} of {} rows", track, rows);
            }
            // The sets hold the tracks that a division of tracks alone gives.
            let alone: Vec<usize> = (0..tracks.len()).collect();
            let alone = set_of(&split(&track_classes, &alone, 3, &whole).unwrap());
            for (row, &track) in groups.iter().enumerate() {
                prop_assert_eq!(sets[row], alone[track]);
            }

            let apart = split(&track_classes, &groups, 3, &SplitSettings { group: Group::None, ..whole });
            let apart = apart.unwrap();
            for class in 0..3 {
                let of = |rows: &[i64]| rows.iter().filter(|&&row| track_classes[groups[row as usize]] == class).count();
                let count = groups.iter().filter(|&&track| track_classes[track] == class).count();
                prop_assert_eq!(of(&apart.train) + of(&apart.validation) + of(&apart.test), count);
                prop_assert!((of(&apart.test) as f64 - count as f64 * 0.25).abs() <= 0.5 + 1e-9);
            }
        }
    }
}
