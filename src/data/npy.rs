//! NumPy's array files, version 1.0: little-endian, C order.
//!
//! Rows are appended as they come, and their number is put into the header at
//! the end, so that an array never has to be whole in memory.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::DataError;
use super::error::io_error;

/// Length of every header we write: a multiple of 64, as the format asks, with
/// room for any shape of ours.
pub(super) const HEADER_LEN: usize = 128;

/// Most lengths in the shape of a row that a header has room for.
pub(super) const MAX_ROW_RANK: usize = 3;

/// Numbers that are turned into bytes at once, and bytes that are gathered before
/// they are written: whole blocks are written from where they are.
const BLOCK: usize = 1 << 14;

/// Bytes after which what is written is brought to the disk, while more is written.
const EAGER: u64 = 8 << 20;

/// Type of an array's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dtype {
    U8,
    F32,
    I64,
}

/// A number of an array that grows by rows.
pub(super) trait Element: Copy + Send {
    const DTYPE: Dtype;

    /// Appends the numbers' bytes, little-endian.
    fn append(numbers: &[Self], bytes: &mut Vec<u8>);
}

impl Element for u8 {
    const DTYPE: Dtype = Dtype::U8;

    fn append(numbers: &[Self], bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(numbers);
    }
}

impl Element for f32 {
    const DTYPE: Dtype = Dtype::F32;

    fn append(numbers: &[Self], bytes: &mut Vec<u8>) {
        // Numbers of known places in memory are copied many at a time.
        let begin = bytes.len();
        bytes.resize(begin + 4 * numbers.len(), 0);
        let places = bytes[begin..].as_chunks_mut::<4>().0;
        for (place, number) in places.iter_mut().zip(numbers) {
            *place = number.to_le_bytes();
        }
    }
}

impl Dtype {
    fn name(self) -> &'static str {
        match self {
            Self::U8 => "|u1",
            Self::F32 => "<f4",
            Self::I64 => "<i8",
        }
    }

    pub(super) fn bytes(self) -> u64 {
        match self {
            Self::U8 => 1,
            Self::F32 => 4,
            Self::I64 => 8,
        }
    }
}

/// The header of an array of shape `[rows, ...row_shape]`, with at most
/// [`MAX_ROW_RANK`] lengths of at most 32 bits in `row_shape`.
pub(super) fn header(dtype: Dtype, rows: u64, row_shape: &[usize]) -> [u8; HEADER_LEN] {
    let mut shape = format!("{rows},");
    for length in row_shape {
        shape.push_str(&format!(" {length},"));
    }
    // NumPy writes `(3, 4)` but `(3,)`.
    let shape = if row_shape.is_empty() { &shape } else { shape.trim_end_matches(',') };
    let text =
        format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({shape}), }}", dtype.name());

    let mut header = [b' '; HEADER_LEN];
    header[..8].copy_from_slice(b"\x93NUMPY\x01\x00");
    header[8..10].copy_from_slice(&((HEADER_LEN - 10) as u16).to_le_bytes());
    header[10..10 + text.len()].copy_from_slice(text.as_bytes());
    header[HEADER_LEN - 1] = b'\n';
    header
}

/// Whether a file is the array of shape `[rows, ...row_shape]`, by its header and
/// its length.
pub(super) fn is_complete(path: &Path, dtype: Dtype, rows: u64, row_shape: &[usize]) -> bool {
    let numbers =
        row_shape.iter().try_fold(rows, |product, &length| product.checked_mul(length as u64));
    let Some(bytes) = numbers.and_then(|numbers| numbers.checked_mul(dtype.bytes())) else {
        return false;
    };
    let read = || -> io::Result<(u64, [u8; HEADER_LEN])> {
        let mut file = File::open(path)?;
        let mut found = [0; HEADER_LEN];
        file.read_exact(&mut found)?;
        Ok((file.metadata()?.len(), found))
    };
    read().is_ok_and(|(length, found)| {
        length == bytes.saturating_add(HEADER_LEN as u64) && found == header(dtype, rows, row_shape)
    })
}

/// An array that grows by rows.
pub(super) struct Rows<T> {
    path: PathBuf,
    file: BufWriter<File>,
    /// Of one block.
    bytes: Vec<u8>,
    row_shape: Vec<usize>,
    rows: u64,
    /// Bytes since the disk was last told of.
    pending: u64,
    disk: Option<Disk>,
    numbers: PhantomData<T>,
}

impl<T: Element> Rows<T> {
    /// Starts the file.
    pub(super) fn create(path: &Path, row_shape: &[usize]) -> Result<Self, DataError> {
        let file = File::create(path).map_err(io_error("write", path))?;
        let mut file = BufWriter::with_capacity(BLOCK, file);
        let header = header(T::DTYPE, 0, row_shape);
        file.write_all(&header).map_err(io_error("write", path))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes: Vec::new(),
            row_shape: row_shape.to_vec(),
            rows: 0,
            pending: 0,
            disk: None,
            numbers: PhantomData,
        })
    }

    /// Appends whole rows, each of the shape the file was started with.
    pub(super) fn push(&mut self, rows: &[T]) -> Result<(), DataError> {
        let row_len = self.row_shape.iter().product::<usize>();
        assert_eq!(rows.len() % row_len, 0, "rows of another shape");
        for block in rows.chunks(BLOCK) {
            self.bytes.clear();
            T::append(block, &mut self.bytes);
            self.file.write_all(&self.bytes).map_err(io_error("write", &self.path))?;
        }
        self.rows += (rows.len() / row_len) as u64;
        self.pending += size_of_val(rows) as u64;
        if self.pending >= EAGER {
            self.pending = 0;
            self.write_through().map_err(io_error("write", &self.path))?;
        }
        Ok(())
    }

    /// Has the disk write what there is, and does not wait for it.
    fn write_through(&mut self) -> io::Result<()> {
        let disk = match &self.disk {
            Some(disk) => disk,
            None => self.disk.insert(Disk::start(self.file.get_ref().try_clone()?)?),
        };
        disk.write();
        Ok(())
    }

    /// Completes the header and waits until all is on disk.
    pub(super) fn finish(mut self) -> Result<(), DataError> {
        let header = header(T::DTYPE, self.rows, &self.row_shape);
        // A failure of the disk is told only once.
        let before = self.disk.take().map_or(Ok(()), Disk::finish);
        before
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.write_all(&header))
            .and_then(|()| self.file.flush())
            .and_then(|()| self.file.get_ref().sync_all())
            .map_err(io_error("write", &self.path))
    }
}

/// Brings a file to the disk beside the thread that writes it: else that thread
/// would have to wait for all of it at the end.
struct Disk {
    orders: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Disk {
    fn start(file: File) -> io::Result<Self> {
        let (orders, ordered): (_, Receiver<()>) = sync_channel(1);
        let write = move || ordered.iter().try_for_each(|()| file.sync_data());
        let thread = std::thread::Builder::new().name("disk".to_owned()).spawn(write)?;
        Ok(Self { orders, thread })
    }

    /// Begins to write, or goes on once what is being written is.
    fn write(&self) {
        // A full channel: it will. A closed one: it failed, which the end tells.
        let _ = self.orders.try_send(());
    }

    fn finish(self) -> io::Result<()> {
        drop(self.orders);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    }
}

/// Writes a list of whole numbers, and waits until it is on disk.
pub(super) fn write_i64(path: &Path, values: &[i64]) -> Result<(), DataError> {
    let mut bytes = header(Dtype::I64, values.len() as u64, &[]).to_vec();
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    File::create(path)
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
        .map_err(io_error("write", path))
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// The bytes behind the header, after a look at the header.
    fn body(path: &Path, dtype: &str) -> (Vec<usize>, Vec<u8>) {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert_eq!((10 + length) % 64, 0);
        let text = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
        assert!(text.ends_with('\n'));
        assert!(text.contains(&format!("'descr': '{dtype}'")), "{text}");
        assert!(text.contains("'fortran_order': False"), "{text}");
        let shape = text.split_once('(').unwrap().1.split_once(')').unwrap().0;
        let shape = shape
            .split(',')
            .map(str::trim)
            .filter(|length| !length.is_empty())
            .map(|length| length.parse().unwrap())
            .collect();
        (shape, bytes[10 + length..].to_vec())
    }

    /// Reads an array of `f32`: shape, values.
    pub(in crate::data) fn read_f32(path: &Path) -> (Vec<usize>, Vec<f32>) {
        let (shape, body) = body(path, "<f4");
        let values: Vec<f32> = body
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        assert_eq!(values.len(), shape.iter().product::<usize>());
        (shape, values)
    }

    /// Reads an array of `u8`: shape, values.
    pub(in crate::data) fn read_u8(path: &Path) -> (Vec<usize>, Vec<u8>) {
        let (shape, values) = body(path, "|u1");
        assert_eq!(values.len(), shape.iter().product::<usize>());
        (shape, values)
    }

    /// Reads a list of `i64`.
    pub(in crate::data) fn read_i64(path: &Path) -> Vec<i64> {
        let (shape, body) = body(path, "<i8");
        let values: Vec<i64> = body
            .chunks_exact(8)
            .map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        assert_eq!(shape, [values.len()]);
        values
    }

    #[test]
    fn rows_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let mut rows = Rows::create(&path, &[2, 3, 1]).unwrap();
        rows.push(&[0.0, 1.5, -2.0, 3.0, 4.0, 5.0]).unwrap();
        rows.push(&[6.0, 7.0, 8.0, 9.0, f32::MIN_POSITIVE, 11.0]).unwrap();
        rows.push(&[]).unwrap();
        rows.finish().unwrap();
        let (shape, values) = read_f32(&path);
        assert_eq!(shape, [2, 2, 3, 1]);
        assert_eq!(values[1], 1.5);
        assert_eq!(values[10], f32::MIN_POSITIVE);

        assert!(is_complete(&path, Dtype::F32, 2, &[2, 3, 1]));
        assert!(!is_complete(&path, Dtype::F32, 2, &[3, 2, 1]));
        assert!(!is_complete(&path, Dtype::F32, u64::MAX, &[2, 3, 1]));
        File::options().write(true).open(&path).unwrap().set_len(HEADER_LEN as u64 + 47).unwrap();
        assert!(!is_complete(&path, Dtype::F32, 2, &[2, 3, 1]));
    }

    #[test]
    fn long_arrays_are_brought_to_the_disk_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let mut rows = Rows::create(&path, &[1 << 10]).unwrap();
        let block: Vec<f32> = (0..EAGER / 4).map(|number| number as f32).collect();
        for _ in 0..3 {
            rows.push(&block).unwrap();
        }
        assert!(rows.disk.is_some());
        rows.finish().unwrap();
        let (shape, values) = read_f32(&path);
        assert_eq!(shape, [(3 * block.len()) >> 10, 1 << 10]);
        assert!(values.chunks(block.len()).all(|values| values == block));
    }

    #[test]
    fn several_rows_are_appended_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let mut rows = Rows::create(&path, &[2]).unwrap();
        rows.push(&[1_u8, 2, 3, 4]).unwrap();
        rows.push(&[5, 255]).unwrap();
        rows.finish().unwrap();
        assert_eq!(read_u8(&path), (vec![3, 2], vec![1, 2, 3, 4, 5, 255]));
        assert!(is_complete(&path, Dtype::U8, 3, &[2]));
        assert!(!is_complete(&path, Dtype::F32, 3, &[2]));
    }

    #[test]
    fn whole_numbers_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("y.npy");
        for values in [vec![], vec![1], vec![i64::MIN, 0, i64::MAX]] {
            write_i64(&path, &values).unwrap();
            assert_eq!(read_i64(&path), values);
        }
    }

    #[test]
    fn the_header_is_numpys() {
        let text =
            |header: [u8; HEADER_LEN]| String::from_utf8_lossy(&header[10..]).trim_end().to_owned();
        assert_eq!(
            text(header(Dtype::I64, 7, &[])),
            "{'descr': '<i8', 'fortran_order': False, 'shape': (7,), }"
        );
        assert_eq!(
            text(header(Dtype::F32, 7, &[128, 660, 1])),
            "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 128, 660, 1), }"
        );
        let widest = header(Dtype::F32, u64::MAX, &[u32::MAX as usize; 3]);
        assert_eq!(widest[HEADER_LEN - 1], b'\n');
    }

    #[test]
    fn a_failure_names_the_file() {
        let error = write_i64(Path::new("/nowhere/y.npy"), &[1]).unwrap_err();
        assert!(error.to_string().starts_with("cannot write `/nowhere/y.npy`: "), "{error}");
    }
}
