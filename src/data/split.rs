//! Which examples train, validate, and stay out of sight until the end.
//!
//! What is divided are whole tracks, unless the settings have every row stand
//! for itself: then rows of one track may come to lie in several parts. The test
//! part takes its share of every class first; the rest is divided into shares of
//! every class, into folds, or at its tail. The division depends on the seed and
//! on the number of tracks, or rows, of each class, on nothing else.

use super::random::Random;
use super::{Group, SplitSettings, Validation};

/// Row numbers of each part, ascending; every row is in one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) learning: Learning,
    pub(super) test: Vec<i64>,
}

/// What is learnt from, and measured while learning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Learning {
    /// One part trains, and one validates.
    Once { train: Vec<i64>, validation: Vec<i64> },
    /// Each validates once, while all others train.
    Folds(Vec<Vec<i64>>),
}

/// A class that is too small to be divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shortage {
    pub(super) class: usize,
    pub(super) count: usize,
    pub(super) needed: usize,
}

/// Divides rows.
///
/// - `track_classes`: the class of each track, below `classes`
/// - `groups`: the track of each row
///
/// The test part takes its share of a class first, rounded to the nearest
/// number, at least 1 where the share is above zero. Then, of what is left:
///
/// - a share of each class validates, rounded in the same way, and at least 1 is
///   left to train on;
/// - or each class is dealt out to the folds one by one, so that no fold has more
///   than one of a class, or of all, more than another;
/// - or, as Keras's `validation_split` does with arrays that are in no order of
///   classes, the tail of a shuffled order of all validates, whatever its
///   classes: of `n` tracks, or rows, all but the first `floor(n * (1 - share))`,
///   and at least 1 on either side.
///
/// # Errors
///
/// [`Shortage`] where a class has fewer tracks, or rows, than must be divided.
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
            Ok(tracks.map(|chosen| rows_of(chosen, groups, track_classes.len())))
        }
    }
}

impl Split {
    /// The parts by the names of their files, in the order in which they are shown.
    pub(super) fn parts(&self) -> Vec<(String, &[i64])> {
        let mut parts: Vec<(String, &[i64])> = match &self.learning {
            Learning::Once { train, validation } => {
                vec![("train".to_owned(), train), ("validation".to_owned(), validation)]
            }
            Learning::Folds(folds) => {
                (1..).zip(folds).map(|(number, fold)| (fold_name(number), &fold[..])).collect()
            }
        };
        parts.push(("test".to_owned(), &self.test));
        parts
    }

    fn map(self, mut of_part: impl FnMut(Vec<i64>) -> Vec<i64>) -> Self {
        let learning = match self.learning {
            Learning::Once { train, validation } => {
                Learning::Once { train: of_part(train), validation: of_part(validation) }
            }
            Learning::Folds(folds) => {
                Learning::Folds(folds.into_iter().map(&mut of_part).collect())
            }
        };
        Self { learning, test: of_part(self.test) }
    }
}

/// Name of a fold's part, from 1.
pub(crate) fn fold_name(number: u32) -> String {
    format!("fold-{number}")
}

/// The rows of some of the tracks, ascending.
fn rows_of(chosen: Vec<i64>, groups: &[usize], tracks: usize) -> Vec<i64> {
    let mut is_chosen = vec![false; tracks];
    for track in chosen {
        is_chosen[track as usize] = true;
    }
    let rows = groups.iter().enumerate().filter(|&(_, &track)| is_chosen[track]);
    rows.map(|(row, _)| row as i64).collect()
}

/// Divides what has the classes `labels`.
fn divide(labels: &[usize], classes: usize, settings: &SplitSettings) -> Result<Split, Shortage> {
    let needed = needed(settings);
    let mut test = Vec::new();
    let mut rest_by_class = Vec::with_capacity(classes);
    for class in 0..classes {
        let mut members: Vec<i64> = labels
            .iter()
            .enumerate()
            .filter(|&(_, &label)| label == class)
            .map(|(member, _)| member as i64)
            .collect();
        if members.len() < needed {
            return Err(Shortage { class, count: members.len(), needed });
        }
        Random::new(&[settings.seed, class as u64]).shuffle(&mut members);
        let left = needed - usize::from(settings.test > 0.0);
        let share = if settings.test > 0.0 { share(members.len(), settings.test, left) } else { 0 };
        let rest = members.split_off(share);
        test.extend(members);
        rest_by_class.push(rest);
    }
    let learning = match settings.validation {
        Validation::Share(share) => shares(rest_by_class, share),
        Validation::Tail(share) => tail(rest_by_class, share, settings.seed),
        Validation::Folds(folds) => deal(rest_by_class, folds as usize),
    };
    let ascending = |mut members: Vec<i64>| {
        members.sort_unstable();
        members
    };
    Ok(Split { learning, test }.map(ascending))
}

/// Fewest tracks, or rows, of a class: one in each part that has to have one.
fn needed(settings: &SplitSettings) -> usize {
    let learning = match settings.validation {
        Validation::Share(_) => 2,
        // On whichever side of the cut it is.
        Validation::Tail(_) => 1,
        Validation::Folds(folds) => folds as usize,
    };
    learning + usize::from(settings.test > 0.0)
}

fn shares(rest_by_class: Vec<Vec<i64>>, validation_share: f64) -> Learning {
    let (mut train, mut validation) = (Vec::new(), Vec::new());
    for rest in rest_by_class {
        let count = share(rest.len(), validation_share, 1);
        validation.extend(&rest[..count]);
        train.extend(&rest[count..]);
    }
    Learning::Once { train, validation }
}

fn tail(rest_by_class: Vec<Vec<i64>>, share: f64, seed: u64) -> Learning {
    let mut train = rest_by_class.concat();
    // Beyond the number of any class, whose members were shuffled with it.
    Random::new(&[seed, u64::MAX]).shuffle(&mut train);
    // In this order of operations, as Keras: it decides how products are rounded.
    let kept = (train.len() as f64 * (1.0 - share)).floor() as usize;
    // Keras refuses to leave a side empty. Two classes have at least two members.
    let validation = train.split_off(kept.min(train.len() - 1).max(1));
    Learning::Once { train, validation }
}

/// Each class goes on with the fold after the one where the class before ended.
fn deal(rest_by_class: Vec<Vec<i64>>, count: usize) -> Learning {
    let mut folds = vec![Vec::new(); count];
    for (number, member) in rest_by_class.into_iter().flatten().enumerate() {
        folds[number % count].push(member);
    }
    Learning::Folds(folds)
}

/// `share` of `count`, at least 1, leaving at least `left`.
fn share(count: usize, share: f64, left: usize) -> usize {
    ((count as f64 * share).round() as usize).clamp(1, count - left)
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
