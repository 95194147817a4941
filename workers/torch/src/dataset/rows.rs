//! Rows of an array that stays in its file: reading them in batches, and reading
//! the next batch while one is trained on.
//!
//! Rows are read with plain loops on one thread, not with libtorch, whose
//! threads are training meanwhile.

use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use tch::{Device, Kind, TchError, Tensor};

use crate::npy::Array;

/// Batches that wait to be trained on. One more is being read, so that there are
/// two, which `sweep_proto::memory` counts with.
const WAITING: usize = 1;

/// How much is read at a time where all rows are, in bytes: little beside what
/// they take, much beside what a call costs.
const PIECE_BYTES: usize = 32 << 20;

/// Chosen rows of an array.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    array: Arc<Array>,
    /// Those of the array that are chosen; all of them are there.
    chosen: Arc<[usize]>,
    /// Where they are trained on.
    device: Device,
}

impl Rows {
    pub(super) fn new(array: Arc<Array>, chosen: Vec<usize>, device: Device) -> Self {
        Self { array, chosen: chosen.into(), device }
    }

    pub(super) fn len(&self) -> usize {
        self.chosen.len()
    }

    /// What all of them take as f32, in bytes; at most 2^64 - 1.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = self.row_values().saturating_mul(Kind::Float.elt_size_in_bytes());
        u64::try_from(bytes.saturating_mul(self.len())).unwrap_or(u64::MAX)
    }

    /// All of them, `[rows, ...]`, f32, on the device.
    pub(super) fn place(&self) -> Result<Tensor, TchError> {
        let placed = Tensor::f_empty(self.shape(self.len()), (Kind::Float, self.device))?;
        let row_bytes = self.row_values().saturating_mul(Kind::Float.elt_size_in_bytes());
        let length = (PIECE_BYTES / row_bytes.max(1)).clamp(1, self.len().max(1));
        let mut reader = Reader::new(self, length)?;
        for (number, piece) in self.chosen.chunks(length).enumerate() {
            let mut part = placed.f_narrow(0, size(number * length), size(piece.len()))?;
            if self.device == Device::Cpu {
                fill(&mut part, &self.array, piece);
            } else {
                part.f_copy_(&reader.read(piece)?)?;
            }
        }
        Ok(placed)
    }

    /// Batches of them, `[batch, ...]`, f32, on the device, which another thread
    /// reads ahead. The last one is as short as it comes.
    ///
    /// - `order`: numbers of rows among the chosen ones; all in order if absent
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub(super) fn read_ahead(
        &self,
        order: Option<Vec<usize>>,
        batch_size: usize,
    ) -> io::Result<Ahead> {
        let rows = self.clone();
        let (sender, batches) = sync_channel(WAITING);
        let read = move || {
            let mut reader = match Reader::new(&rows, batch_size) {
                Ok(reader) => reader,
                Err(error) => return drop(sender.send(Err(error))),
            };
            let order = match order {
                Some(order) => order.into_iter().map(|row| rows.chosen[row]).collect(),
                None => Arc::clone(&rows.chosen),
            };
            for batch in order.chunks(batch_size) {
                // Nobody waits any more.
                if sender.send(reader.read(batch)).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("examples".to_owned()).spawn(read)?;
        Ok(Ahead { batches: Some(batches), thread: Some(thread) })
    }

    /// How many values a row has.
    fn row_values(&self) -> usize {
        let sizes = self.array.shape().iter().skip(1);
        sizes.fold(1, |product, &size| product.saturating_mul(usize::try_from(size).unwrap_or(0)))
    }

    /// Shape of so many rows.
    fn shape(&self, rows: usize) -> Vec<i64> {
        [size(rows)].into_iter().chain(self.array.shape().iter().skip(1).copied()).collect()
    }
}

/// Batches that a thread reads, one after another.
#[derive(Debug)]
pub(super) struct Ahead {
    /// Always there but while this is dropped.
    batches: Option<Receiver<Result<Tensor, TchError>>>,
    /// There until it has ended.
    thread: Option<JoinHandle<()>>,
}

impl Iterator for Ahead {
    type Item = Result<Tensor, TchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batches.as_ref().and_then(|batches| batches.recv().ok());
        if batch.is_none()
            && let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
        {
            resume_unwind(panic);
        }
        batch
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // The thread ends when it finds that nobody takes its batches.
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it was told when a batch was missing, or nobody asks.
            let _ = thread.join();
        }
    }
}

/// Reads batches of rows.
#[derive(Debug)]
struct Reader {
    rows: Rows,
    /// Where a batch is put together for a GPU: memory that it copies from
    /// directly, used again for each batch.
    staged: Option<Tensor>,
}

impl Reader {
    /// - `length`: most rows of a batch
    fn new(rows: &Rows, length: usize) -> Result<Self, TchError> {
        let staged = if rows.device.is_cuda() {
            // Small types are made f32 on the GPU, so that less is copied.
            let kind = match rows.array.kind() {
                Kind::Uint8 => Kind::Uint8,
                Kind::Int16 => Kind::Int16,
                _ => Kind::Float,
            };
            let length = length.min(rows.len());
            let staged = Tensor::f_empty(rows.shape(length), (kind, Device::Cpu))?;
            // `pin_memory` warns whenever it is told the device, which it asks for.
            Some(staged.f_internal_pin_memory(rows.device)?)
        } else {
            None
        };
        rows.array.expect_no_order();
        Ok(Self { rows: rows.clone(), staged })
    }

    /// Rows of the array, `[rows, ...]`, f32, on the device.
    fn read(&mut self, rows: &[usize]) -> Result<Tensor, TchError> {
        let array = &self.rows.array;
        match &self.staged {
            Some(staged) => {
                let mut staged = staged.f_narrow(0, 0, size(rows.len()))?;
                fill(&mut staged, array, rows);
                // Waits for the copy, after which the memory is free again.
                staged.f_to(self.rows.device)?.f_to_kind(Kind::Float)
            }
            None => {
                let shape = self.rows.shape(rows.len());
                let mut batch = Tensor::f_empty(shape, (Kind::Float, self.rows.device))?;
                fill(&mut batch, array, rows);
                Ok(batch)
            }
        }
    }
}

/// Writes rows of an array to a tensor.
///
/// - `target`: `[rows, ...]` on the CPU, one value behind the other; f32, or of
///   the array's type
fn fill(target: &mut Tensor, array: &Array, rows: &[usize]) {
    let (kind, wanted) = (array.kind(), target.kind());
    let bytes = target.numel() * wanted.elt_size_in_bytes();
    assert!(target.device() == Device::Cpu && target.is_contiguous());
    // All are asked for at once, so that a disk works on many of them.
    rows.iter().for_each(|&row| array.expect(row));
    if bytes == 0 {
        return;
    }
    // SAFETY: the tensor is on the CPU, its values lie one behind the other, and
    // nobody else has it: it was made, or is used again, for this.
    let target = unsafe { std::slice::from_raw_parts_mut(target.data_ptr().cast::<u8>(), bytes) };
    for (&row, target) in rows.iter().zip(target.chunks_exact_mut(bytes / rows.len())) {
        let row = array.row(row);
        if kind == wanted {
            target.copy_from_slice(row);
        } else {
            to_floats(row, kind, target);
        }
    }
}

/// Makes f32 of values of another type, as libtorch does.
///
/// - `values`, `target`: as many values, low bytes first
fn to_floats(values: &[u8], kind: Kind, target: &mut [u8]) {
    macro_rules! convert {
        ($of:ty) => {
            for (value, target) in
                values.chunks_exact(size_of::<$of>()).zip(target.chunks_exact_mut(4))
            {
                let value = <$of>::from_le_bytes(value.try_into().expect("of this size"));
                target.copy_from_slice(&(value as f32).to_le_bytes());
            }
        };
    }
    match kind {
        Kind::Uint8 => convert!(u8),
        Kind::Int16 => convert!(i16),
        Kind::Int => convert!(i32),
        Kind::Int64 => convert!(i64),
        Kind::Float => convert!(f32),
        Kind::Double => convert!(f64),
        other => unreachable!("no file of {other:?} is opened"),
    }
}

/// A size as libtorch takes it.
fn size(size: usize) -> i64 {
    i64::try_from(size).expect("no array has more rows than a file has bytes")
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// An array of ten rows in a file, and rows 1, 4, 7 and 9 of it.
    fn some(kind: Kind) -> (TempDir, Tensor, Rows) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.npy");
        let values = Tensor::arange(60, (Kind::Double, Device::Cpu)).view([10, 2, 3]) * 1.7;
        let values = values.to_kind(kind);
        values.write_npy(&path).expect("the folder is writable");
        let chosen = vec![1, 4, 7, 9];
        let expected = values.index_select(0, &Tensor::from_slice(&[1_i64, 4, 7, 9]));
        let array = Arc::new(Array::open(&path).expect("just written"));
        (folder, expected.to_kind(Kind::Float), Rows::new(array, chosen, Device::Cpu))
    }

    #[test]
    fn rows_of_every_type_become_the_same_floats() {
        let kinds = [Kind::Uint8, Kind::Int16, Kind::Int, Kind::Int64, Kind::Float, Kind::Double];
        for kind in kinds {
            let (_folder, expected, rows) = some(kind);
            assert_eq!(rows.bytes(), 4 * 6 * 4);
            let placed = rows.place().expect("small");
            assert_eq!(placed.kind(), Kind::Float);
            assert_eq!(placed, expected, "{kind:?}");
            let batches = rows.read_ahead(None, 3).expect("a thread");
            let batches: Vec<_> = batches.map(|batch| batch.expect("small")).collect();
            assert_eq!(batches.len(), 2);
            assert_eq!(Tensor::cat(&batches, 0), expected, "{kind:?}");
        }
    }

    #[test]
    fn batches_come_in_the_order_that_is_asked_for() {
        let (_folder, expected, rows) = some(Kind::Float);
        let mut batches = rows.read_ahead(Some(vec![2, 0, 3]), 2).expect("a thread");
        let first = batches.next().expect("of three rows").expect("small");
        assert_eq!(first, expected.index_select(0, &Tensor::from_slice(&[2_i64, 0])));
        let second = batches.next().expect("of three rows").expect("small");
        assert_eq!(second, expected.narrow(0, 3, 1));
        assert!(batches.next().is_none() && batches.next().is_none());
    }

    #[test]
    fn batches_that_nobody_takes_are_not_waited_for() {
        let (_folder, _, rows) = some(Kind::Float);
        let mut batches = rows.read_ahead(None, 1).expect("a thread");
        assert!(batches.next().is_some());
        drop(batches);
    }
}
