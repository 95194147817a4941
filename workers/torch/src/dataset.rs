//! A prepared dataset, on the device where it is trained on.
//!
//! A dataset's folder holds `x.npy` (examples, channels last), `y.npy` (a class
//! for each), the row numbers of each part in `train.npy` and `validation.npy`,
//! and, where examples are parts of recordings, `groups.npy` (the track of each).
//! Both parts are copied to the device once, so that a batch is a selection of
//! rows there. The test part is never read: it is for the end, and nothing that
//! is measured here may depend on it.

use std::collections::HashMap;
use std::path::Path;

use tch::{Device, Kind, TchError, Tensor};

use crate::error::DatasetError;
use crate::npy;

/// The track of each example; not in every folder.
const GROUPS: &str = "groups.npy";

/// Examples and their classes.
#[derive(Debug)]
pub(crate) struct Examples {
    /// `[examples, ...]`, f32, channels last.
    pub(crate) inputs: Tensor,
    /// `[examples]`, i64, from 0.
    pub(crate) labels: Tensor,
    /// Absent if nothing can be measured of tracks: if every track has a single
    /// example, or if one has examples of several classes.
    pub(crate) tracks: Option<Tracks>,
}

/// Which examples belong together.
#[derive(Debug)]
pub(crate) struct Tracks {
    /// `[examples]`, i64: the track of each, from 0.
    pub(crate) of_examples: Tensor,
    /// `[tracks]`, i64: the class of each.
    pub(crate) classes: Tensor,
}

impl Tracks {
    /// Numbers the tracks in the order in which they appear.
    ///
    /// - `groups`, `labels`: `[examples]`, i64, on the CPU
    fn new(groups: &Tensor, labels: &Tensor, device: Device) -> Result<Option<Self>, TchError> {
        let groups = Vec::<i64>::try_from(groups)?;
        let labels = Vec::<i64>::try_from(labels)?;
        let mut numbers: HashMap<i64, usize> = HashMap::new();
        let mut of_examples = Vec::with_capacity(groups.len());
        let mut classes = Vec::new();
        for (group, label) in groups.into_iter().zip(labels) {
            let number = *numbers.entry(group).or_insert(classes.len());
            if number == classes.len() {
                classes.push(label);
            } else if classes[number] != label {
                return Ok(None);
            }
            of_examples.push(i64::try_from(number).expect("there are fewer than examples"));
        }
        if classes.len() == of_examples.len() {
            return Ok(None);
        }
        let tensor = |values: &[i64]| Tensor::f_from_slice(values)?.f_to(device);
        Ok(Some(Self { of_examples: tensor(&of_examples)?, classes: tensor(&classes)? }))
    }
}

impl Examples {
    /// How many there are; at least one.
    pub(crate) fn len(&self) -> i64 {
        self.labels.size()[0]
    }
}

/// The parts of a dataset that training needs.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) train: Examples,
    pub(crate) validation: Examples,
}

impl Dataset {
    /// Reads a dataset's folder and puts it onto `device`.
    ///
    /// - `input_shape`: shape of one example, channels last
    /// - `classes`: how many classes there are
    ///
    /// # Errors
    ///
    /// [`DatasetError`] if a file is missing or damaged, or if shapes, labels
    /// or row numbers are not what they must be.
    pub(crate) fn read(
        folder: &Path,
        input_shape: &[u32],
        classes: u32,
        device: Device,
    ) -> Result<Self, DatasetError> {
        let labels = read_integers(folder, "y.npy", i64::from(classes))?;
        let count = labels.size()[0];
        let path = folder.join("x.npy");
        let inputs = npy::read(&path)?;
        let mut wanted = vec![count];
        wanted.extend(input_shape.iter().copied().map(i64::from));
        if inputs.size() != wanted {
            let problem = format!("its shape is {:?} instead of {wanted:?}", inputs.size());
            return Err(DatasetError::Content { path, problem });
        }
        let groups = if folder.join(GROUPS).exists() {
            let groups = read_integers(folder, GROUPS, i64::MAX)?;
            if groups.size() != [count] {
                let problem = format!("its shape is {:?} instead of [{count}]", groups.size());
                return Err(DatasetError::Content { path: folder.join(GROUPS), problem });
            }
            Some(groups)
        } else {
            None
        };
        let part = |file| -> Result<Examples, DatasetError> {
            let rows = read_integers(folder, file, count)?;
            let inputs = inputs.f_index_select(0, &rows)?.f_to_kind(Kind::Float)?;
            let labels = labels.f_index_select(0, &rows)?;
            let tracks = match &groups {
                Some(groups) => Tracks::new(&groups.f_index_select(0, &rows)?, &labels, device)?,
                None => None,
            };
            Ok(Examples { inputs: inputs.f_to(device)?, labels: labels.f_to(device)?, tracks })
        };
        Ok(Self { train: part("train.npy")?, validation: part("validation.npy")? })
    }
}

/// Reads `[n]` integers in `0..limit`, `n` at least one, as i64 on the CPU.
fn read_integers(folder: &Path, file: &str, limit: i64) -> Result<Tensor, DatasetError> {
    let path = folder.join(file);
    let values = npy::read(&path)?;
    let problem = match (values.size().as_slice(), values.f_kind()?) {
        ([0], _) => "it is empty".to_owned(),
        ([_], Kind::Uint8 | Kind::Int16 | Kind::Int | Kind::Int64) => {
            let values = values.f_to_kind(Kind::Int64)?;
            let lowest = values.f_min()?.f_int64_value(&[])?;
            let highest = values.f_max()?.f_int64_value(&[])?;
            if lowest >= 0 && highest < limit {
                return Ok(values);
            }
            format!("its values are {lowest} to {highest}, but must be in 0..{limit}")
        }
        (shape, kind) => format!("expected a row of integers, not {kind:?} of shape {shape:?}"),
    };
    Err(DatasetError::Content { path, problem })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn parts_hold_their_rows() {
        let folder = testing::write_dataset(10, &[2, 2, 1], 2);
        let dataset =
            Dataset::read(folder.path(), &[2, 2, 1], 2, Device::Cpu).expect("just written");
        assert_eq!(dataset.train.len() + dataset.validation.len(), 9);
        assert_eq!(dataset.train.inputs.size()[1..], [2, 2, 1]);
        assert!(dataset.train.tracks.is_none());
    }

    #[test]
    fn tracks_are_numbered_within_their_part() {
        let folder = testing::write_dataset(10, &[2, 2, 1], 2);
        let read = |groups: [i64; 10]| {
            let groups = Tensor::from_slice(&groups);
            groups.write_npy(folder.path().join(GROUPS)).expect("the folder is writable");
            Dataset::read(folder.path(), &[2, 2, 1], 2, Device::Cpu)
        };
        // Rows 0 to 6 are to train on, 7 and 8 to validate on; classes alternate.
        let dataset = read([7, 3, 7, 9, 7, 3, 4, 9, 8, 0]).expect("just written");
        let tracks = dataset.train.tracks.expect("three rows are of track 7");
        assert_eq!(tracks.of_examples, Tensor::from_slice(&[0_i64, 1, 0, 2, 0, 1, 3]));
        assert_eq!(tracks.classes, Tensor::from_slice(&[0_i64, 1, 1, 0]));
        assert!(dataset.validation.tracks.is_none(), "one row a track");
        let mixed = read([7, 7, 1, 2, 3, 4, 5, 6, 8, 9]).expect("just written");
        assert!(mixed.train.tracks.is_none(), "one track of two classes");
        assert!(read([-1, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
        Tensor::from_slice(&[0_i64; 9]).write_npy(folder.path().join(GROUPS)).expect("writable");
        let error = Dataset::read(folder.path(), &[2, 2, 1], 2, Device::Cpu).expect_err("short");
        let error = error.to_string();
        assert!(error.ends_with("groups.npy: its shape is [9] instead of [10]"), "{error}");
    }

    #[test]
    fn files_that_contradict_the_specification_are_named() {
        let folder = testing::write_dataset(10, &[2, 2, 1], 2);
        let error = |shape: &[u32], classes| {
            Dataset::read(folder.path(), shape, classes, Device::Cpu)
                .expect_err("the specification is wrong")
                .to_string()
        };
        assert!(error(&[2, 3, 1], 2).contains("x.npy: its shape is [10, 2, 2, 1] instead of"));
        assert!(error(&[2, 2, 1], 1).contains("y.npy: its values are 0 to 1"));
        let rows = Tensor::from_slice(&[3_i64, 10]);
        rows.write_npy(folder.path().join("train.npy")).expect("the folder is writable");
        assert!(error(&[2, 2, 1], 2).contains("train.npy: its values are 3 to 10"));
        std::fs::remove_file(folder.path().join("y.npy")).expect("it is there");
        assert!(error(&[2, 2, 1], 2).contains("y.npy: No such file"));
    }
}
