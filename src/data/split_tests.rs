//! Who comes to lie where.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn settings(test: f64, validation: f64, seed: u64) -> SplitSettings {
    let validation = Validation::Share(validation);
    SplitSettings { test, validation, seed, group: Group::Track }
}

impl Split {
    fn train(&self) -> &[i64] {
        let Learning::Once { train, .. } = &self.learning else { panic!("{self:?}") };
        train
    }

    fn validation(&self) -> &[i64] {
        let Learning::Once { validation, .. } = &self.learning else { panic!("{self:?}") };
        validation
    }

    fn folds(&self) -> &[Vec<i64>] {
        let Learning::Folds(folds) = &self.learning else { panic!("{self:?}") };
        folds
    }
}

/// How many rows there are of each class.
fn per_class(rows: &[i64], labels: &[usize], classes: usize) -> Vec<usize> {
    (0..classes)
        .map(|class| rows.iter().filter(|&&row| labels[row as usize] == class).count())
        .collect()
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
    assert_eq!((split.train().len(), split.validation().len(), split.test.len()), (720, 80, 200));
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
    assert_eq!((first.validation(), &first.test[..]), (&[3, 8][..], &[5, 10][..]));
}

/// The expected rows were computed apart, in Python.
#[test]
fn whatever_validates_the_test_part_is_the_same() {
    let labels = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1];
    let with = |validation| {
        let settings = SplitSettings { validation, ..settings(0.2, 0.5, 42) };
        let split = split_rows(&labels, 2, &settings).unwrap();
        assert_eq!(split.test, [5, 10]);
        split
    };
    assert_eq!(with(Validation::Share(0.2)).validation(), [3, 8]);
    assert_eq!(with(Validation::Tail(0.2)).validation(), [4, 6]);
    assert_eq!(with(Validation::Folds(2)).folds()[1], [1, 4, 7, 8, 9]);
}

/// Where rows of a table are in no order of classes, each goes where it would
/// as the n-th of its class.
#[test]
fn the_order_of_classes_among_rows_does_not_matter() {
    let sorted = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1];
    let mixed = [1, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 1];
    let nth = |labels: &[usize; 12], row: i64| {
        let class = labels[row as usize];
        (class, labels[..row as usize].iter().filter(|&&label| label == class).count())
    };
    for validation in [Validation::Share(0.3), Validation::Tail(0.3), Validation::Folds(3)] {
        let settings = SplitSettings { validation, ..settings(0.2, 0.5, 7) };
        let places = |labels: &[usize; 12]| -> Vec<(String, BTreeSet<(usize, usize)>)> {
            let split = split_rows(labels, 2, &settings).unwrap();
            let parts = split.parts().into_iter();
            parts
                .map(|(name, rows)| (name, rows.iter().map(|&row| nth(labels, row)).collect()))
                .collect()
        };
        assert_eq!(places(&mixed), places(&sorted));
    }
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
            [split.train(), split.validation(), &split.test].into_iter().flatten().copied().collect();
        prop_assert_eq!(all.len(), labels.len());
        prop_assert_eq!(
            split.train().len() + split.validation().len() + split.test.len(),
            labels.len()
        );
        for (class, &count) in counts.iter().enumerate() {
            let of = |rows: &[i64]| {
                rows.iter().filter(|&&row| labels[row as usize] == class).count()
            };
            prop_assert!(of(split.train()) >= 1);
            prop_assert!(of(split.validation()) >= 1);
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
            for (set, rows) in [split.train(), split.validation(), &split.test].into_iter().enumerate() {
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
            prop_assert_eq!(of(apart.train()) + of(apart.validation()) + of(&apart.test), count);
            prop_assert!((of(&apart.test) as f64 - count as f64 * 0.25).abs() <= 0.5 + 1e-9);
        }
    }
}

#[test]
fn the_tail_is_that_of_keras() {
    let labels: Vec<usize> = (0..1000).map(|row| row / 100).collect();
    let settings = SplitSettings { validation: Validation::Tail(0.1), ..settings(0.2, 0.5, 42) };
    let split = split_rows(&labels, 10, &settings).unwrap();
    assert_eq!((split.train().len(), split.validation().len(), split.test.len()), (720, 80, 200));
    assert_eq!(per_class(&split.test, &labels, 10), [20; 10]);
    // As likely as not, no class has its share.
    assert_ne!(per_class(split.validation(), &labels, 10), [8; 10]);

    // Of 799, int(799 * (1 - 0.1)) = 719 train.
    let one_less = split_rows(&labels[1..], 10, &settings).unwrap();
    assert_eq!((one_less.train().len(), one_less.validation().len()), (719, 80));
    // Both sides have something, however small the share.
    let few = SplitSettings { test: 0.0, validation: Validation::Tail(0.001), ..settings };
    let split = split_rows(&[0, 1], 2, &few).unwrap();
    assert_eq!((split.train().len(), split.validation().len()), (1, 1));
}

#[test]
fn a_class_is_in_every_fold() {
    let settings = SplitSettings { validation: Validation::Folds(3), ..settings(0.2, 0.5, 1) };
    let labels = [0, 0, 0, 0, 1, 1, 1];
    let shortage = split_rows(&labels, 2, &settings).unwrap_err();
    assert_eq!(shortage, Shortage { class: 1, count: 3, needed: 4 });
    let without_test = SplitSettings { test: 0.0, ..settings };
    let split = split_rows(&labels, 2, &without_test).unwrap();
    assert_eq!(split.folds().len(), 3);
    let parts: Vec<String> = split.parts().into_iter().map(|(name, _)| name).collect();
    assert_eq!(parts, ["fold-1", "fold-2", "fold-3", "test"]);
}

proptest! {
    #[test]
    fn folds_are_disjoint_complete_and_balanced(
        counts in prop::collection::vec(8_usize..40, 1..6),
        rows in 1_usize..4,
        folds in 2_u32..7,
        test in prop::sample::select(vec![0.0, 0.1, 0.5, 0.9]),
        seed: u64,
    ) {
        let track_classes: Vec<usize> = counts
            .iter()
            .enumerate()
            .flat_map(|(class, &count)| std::iter::repeat_n(class, count))
            .collect();
        let groups: Vec<usize> = (0..track_classes.len())
            .flat_map(|track| std::iter::repeat_n(track, rows))
            .collect();
        let settings =
            SplitSettings { validation: Validation::Folds(folds), ..settings(test, 0.5, seed) };
        let split = split(&track_classes, &groups, counts.len(), &settings).unwrap();

        let mut all: Vec<i64> =
            split.folds().iter().chain([&split.test]).flatten().copied().collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..groups.len() as i64).collect::<Vec<_>>());
        let tracks_of = |fold: &[i64]| -> BTreeSet<usize> {
            fold.iter().map(|&row| groups[row as usize]).collect()
        };
        let tracks: Vec<BTreeSet<usize>> =
            split.folds().iter().map(|fold| tracks_of(fold)).collect();
        for (fold, tracks) in split.folds().iter().zip(&tracks) {
            prop_assert_eq!(fold.len(), tracks.len() * rows, "a track is divided");
        }
        let spread = |counts: Vec<usize>| {
            counts.iter().max().unwrap() - counts.iter().min().unwrap()
        };
        prop_assert!(spread(tracks.iter().map(BTreeSet::len).collect()) <= 1);
        for class in 0..counts.len() {
            let of = |tracks: &BTreeSet<usize>| {
                tracks.iter().filter(|&&track| track_classes[track] == class).count()
            };
            prop_assert!(tracks.iter().all(|tracks| of(tracks) >= 1));
            prop_assert!(spread(tracks.iter().map(of).collect()) <= 1);
        }
    }

    #[test]
    fn a_tail_is_disjoint_complete_and_keeps_tracks_whole(
        tracks in prop::collection::vec((0_usize..3, 1_usize..6), 30..60),
        share in 0.01_f64..0.99,
        seed: u64,
    ) {
        let track_classes: Vec<usize> = tracks.iter().map(|&(class, _)| class).collect();
        let groups: Vec<usize> = tracks
            .iter()
            .enumerate()
            .flat_map(|(track, &(_, rows))| std::iter::repeat_n(track, rows))
            .collect();
        let settings =
            SplitSettings { validation: Validation::Tail(share), ..settings(0.25, 0.5, seed) };
        let Ok(split) = split(&track_classes, &groups, 3, &settings) else {
            // A class that was not drawn twice.
            return Ok(());
        };
        let mut all = [split.train(), split.validation(), &split.test].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..groups.len() as i64).collect::<Vec<_>>());
        let tracks_of = |rows: &[i64]| -> BTreeSet<usize> {
            rows.iter().map(|&row| groups[row as usize]).collect()
        };
        let (train, validation) = (tracks_of(split.train()), tracks_of(split.validation()));
        prop_assert!(train.is_disjoint(&validation));
        let count = train.len() + validation.len();
        let kept = ((count as f64 * (1.0 - share)).floor() as usize).clamp(1, count - 1);
        prop_assert_eq!(train.len(), kept);
    }
}
