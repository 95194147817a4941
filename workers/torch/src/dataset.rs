//! A prepared dataset, as it is trained on.
//!
//! A dataset's folder holds `x.npy` (examples, channels last), `y.npy` (a class
//! for each), the row numbers of each part in `train.npy` and `validation.npy`, or
//! in `fold-1.npy`, `fold-2.npy`, ... where every fold validates once, and, where
//! examples are parts of recordings, `groups.npy` (the track of each).
//! The inputs, which may be more than fit into memory, are mapped; the rest is
//! small and read. The test part is never read: it is for the end, and nothing
//! that is measured here may depend on it.

mod examples;
mod rows;
mod tracks;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sweep_proto::v1;
use tch::{Device, Kind, Tensor};

pub(crate) use self::examples::{Batch, Examples, Placement};
use self::rows::Rows;
pub(crate) use self::tracks::Tracks;
use crate::error::DatasetError;
use crate::npy::{self, Array};

/// The track of each example; not in every folder.
const GROUPS: &str = "groups.npy";

/// The parts of a dataset that training needs.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) train: Examples,
    pub(crate) validation: Examples,
}

impl Dataset {
    /// Opens a dataset's folder; the inputs stay in their file until they are
    /// placed.
    ///
    /// - `specification`: what it must be, and the fold to validate on
    /// - `device`: where it is trained on
    ///
    /// # Errors
    ///
    /// [`DatasetError`] if a file is missing or damaged, or if shapes, labels
    /// or row numbers are not what they must be.
    pub(crate) fn open(
        folder: &Path,
        specification: &v1::Dataset,
        device: Device,
    ) -> Result<Self, DatasetError> {
        let v1::Dataset { input_shape, classes, folds, fold, .. } = specification;
        let labels = read_integers(&folder.join("y.npy"), i64::from(*classes))?;
        let count = labels.size()[0];
        let path = folder.join("x.npy");
        let inputs = Arc::new(Array::open(&path)?);
        let mut wanted = vec![count];
        wanted.extend(input_shape.iter().copied().map(i64::from));
        if inputs.shape() != wanted {
            let problem = format!("its shape is {:?} instead of {wanted:?}", inputs.shape());
            return Err(DatasetError::Content { path, problem });
        }
        let path = folder.join(GROUPS);
        let groups = if path.exists() {
            let groups = read_integers(&path, i64::MAX)?;
            if groups.size() != [count] {
                let problem = format!("its shape is {:?} instead of [{count}]", groups.size());
                return Err(DatasetError::Content { path, problem });
            }
            Some(groups)
        } else {
            None
        };
        let part = |files: &[PathBuf]| -> Result<Examples, DatasetError> {
            let rows: Vec<Tensor> =
                files.iter().map(|path| read_integers(path, count)).collect::<Result<_, _>>()?;
            // The order of the file, whatever the folds are.
            let (rows, _) = Tensor::f_cat(&rows, 0)?.f_sort(0, false)?;
            let labels = labels.f_index_select(0, &rows)?;
            let tracks = match &groups {
                Some(groups) => Tracks::new(&groups.f_index_select(0, &rows)?, &labels, device)?,
                None => None,
            };
            let row = |row| usize::try_from(row).expect("it is in range");
            let rows = Vec::<i64>::try_from(&rows)?.into_iter().map(row).collect();
            let rows = Rows::new(Arc::clone(&inputs), rows, device);
            Ok(Examples::new(rows, labels.f_to(device)?, tracks))
        };
        let [train, validation] = parts(folder, *folds, *fold);
        Ok(Self { train: part(&train)?, validation: part(&validation)? })
    }

    /// What the inputs of both parts take on the device, in bytes.
    pub(crate) fn input_bytes(&self) -> u64 {
        self.train.input_bytes().saturating_add(self.validation.input_bytes())
    }

    /// Puts the inputs where they are to lie; what lies there already stays.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Torch`] if the device has no room for them.
    pub(crate) fn place(&mut self, placement: Placement) -> Result<(), DatasetError> {
        self.train.place(placement)?;
        self.validation.place(placement)
    }
}

/// The files with the row numbers of what is trained on, and of what is validated
/// on.
///
/// - `folds`: how many there are, if any
/// - `fold`: the one to validate on, from 1
fn parts(folder: &Path, folds: u32, fold: u32) -> [Vec<PathBuf>; 2] {
    if folds == 0 {
        return ["train.npy", "validation.npy"].map(|file| vec![folder.join(file)]);
    }
    let file = |number| folder.join(format!("fold-{number}.npy"));
    [(1..=folds).filter(|number| *number != fold).map(file).collect(), vec![file(fold)]]
}

/// Reads `[n]` integers in `0..limit`, `n` at least one, as i64 on the CPU.
fn read_integers(path: &Path, limit: i64) -> Result<Tensor, DatasetError> {
    let values = npy::read(path)?;
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
    Err(DatasetError::Content { path: path.to_owned(), problem })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, specification};

    #[test]
    fn each_fold_validates_and_the_others_train() {
        let folder = testing::write_dataset(6, &[1], 2);
        for (fold, rows) in [(1, [5_i64, 0]), (2, [1, 3]), (3, [2, 4])] {
            let file = folder.path().join(format!("fold-{fold}.npy"));
            Tensor::from_slice(&rows).write_npy(file).expect("the folder is writable");
        }
        let labels = |examples: &Examples| {
            Vec::<i64>::try_from(&examples.labels).expect("a row of integers")
        };
        let read = |fold| {
            let specification = v1::Dataset { folds: 3, fold, ..specification(&[1], 2) };
            Dataset::open(folder.path(), &specification, Device::Cpu)
        };
        let second = read(2).expect("just written");
        // Rows 1 and 3 validate; 0, 2, 4 and 5 train, in this order.
        assert_eq!(labels(&second.validation), [1, 1]);
        assert_eq!(labels(&second.train), [0, 0, 0, 1]);
        let error = read(4).expect_err("there are three").to_string();
        assert!(error.contains("fold-4.npy: No such file"), "{error}");
    }

    #[test]
    fn parts_hold_their_rows() {
        let folder = testing::write_dataset(10, &[2, 2, 1], 2);
        let dataset = Dataset::open(folder.path(), &specification(&[2, 2, 1], 2), Device::Cpu)
            .expect("just written");
        assert_eq!(dataset.train.len() + dataset.validation.len(), 9);
        let batch = dataset.train.in_order(3).expect("a thread").next().expect("there are seven");
        assert_eq!(batch.expect("small").inputs.size(), [3, 2, 2, 1]);
        assert!(dataset.train.tracks.is_none());
    }

    #[test]
    fn tracks_are_numbered_within_their_part() {
        let folder = testing::write_dataset(10, &[2, 2, 1], 2);
        let read = |groups: [i64; 10]| {
            let groups = Tensor::from_slice(&groups);
            groups.write_npy(folder.path().join(GROUPS)).expect("the folder is writable");
            Dataset::open(folder.path(), &specification(&[2, 2, 1], 2), Device::Cpu)
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
        let error = Dataset::open(folder.path(), &specification(&[2, 2, 1], 2), Device::Cpu)
            .expect_err("short");
        let error = error.to_string();
        assert!(error.ends_with("groups.npy: its shape is [9] instead of [10]"), "{error}");
    }

    #[test]
    fn files_that_contradict_the_specification_are_named() {
        let folder = testing::write_dataset(10, &[2, 2, 1], 2);
        let error = |shape: &[u32], classes| {
            Dataset::open(folder.path(), &specification(shape, classes), Device::Cpu)
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
