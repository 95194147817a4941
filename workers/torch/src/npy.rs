//! Reads NumPy's `.npy` files: small ones into tensors, large ones row by row.
//!
//! tch has a reader too, but it trusts the header: a file that is cut short
//! makes it read beyond its buffer. Here the header must fit the file.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Seek};
use std::path::Path;

use memmap2::{Advice, Mmap};
use tch::{Kind, Tensor};

use crate::error::DatasetError;

/// Longest header that is read, in bytes; NumPy's own limit is 10 000.
const MAX_HEADER_BYTES: usize = 1 << 16;

/// What an `.npy` file says of itself.
#[derive(Debug, PartialEq)]
struct Header {
    kind: Kind,
    shape: Vec<i64>,
}

impl Header {
    /// Size of the array, in bytes; `None` beyond `usize`.
    fn array_bytes(&self) -> Option<usize> {
        self.shape.iter().try_fold(self.kind.elt_size_in_bytes(), |bytes, &size| {
            bytes.checked_mul(usize::try_from(size).ok()?)
        })
    }
}

/// An array that stays in its file, of which rows are read.
///
/// The file is mapped into memory: the system keeps as much of it as it has room
/// for, and reads the rest again when it is needed. A dataset's folder is
/// written under another name and renamed, and never written to thereafter. If
/// somebody cuts a file short all the same while it is mapped, the system ends
/// this process with SIGBUS, and its execution is tried again elsewhere.
#[derive(Debug)]
pub(crate) struct Array {
    map: Mmap,
    /// Where in the file the rows begin.
    start: usize,
    header: Header,
    row_bytes: usize,
}

impl Array {
    /// Maps an array of at least one axis.
    ///
    /// # Errors
    ///
    /// As [`read`]; and if the file cannot be mapped.
    pub(crate) fn open(path: &Path) -> Result<Self, DatasetError> {
        let unreadable = |source| DatasetError::Read { path: path.to_owned(), source };
        let malformed = |problem: &str| DatasetError::Content {
            path: path.to_owned(),
            problem: problem.to_owned(),
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let header = read_header(&mut file).map_err(unreadable)?;
        let header = parse_header(&header).map_err(malformed)?;
        let start = file.stream_position().map_err(unreadable)?;
        let start = usize::try_from(start).expect("a header is short");
        // SAFETY: the bytes must not change while they are borrowed. Nobody
        // writes to a dataset's folder once it has its name; whoever does gets
        // wrong numbers, and cutting the file short ends the process.
        let map = unsafe { Mmap::map(&file) }.map_err(unreadable)?;
        if header.array_bytes() != map.len().checked_sub(start) {
            return Err(malformed("its length does not fit the shape in its header"));
        }
        let Some((_, row)) = header.shape.split_first() else {
            return Err(malformed("it is a single number"));
        };
        let row = Header { kind: header.kind, shape: row.to_vec() };
        let row_bytes = row.array_bytes().ok_or_else(|| malformed("its rows are too long"))?;
        Ok(Self { map, start, header, row_bytes })
    }

    pub(crate) fn shape(&self) -> &[i64] {
        &self.header.shape
    }

    pub(crate) fn kind(&self) -> Kind {
        self.header.kind
    }

    /// The bytes of a row, in the file's type, low bytes first; the row must be
    /// there.
    pub(crate) fn row(&self, row: usize) -> &[u8] {
        let start = self.start + row * self.row_bytes;
        &self.map[start..start + self.row_bytes]
    }

    /// Tells the system that rows are read in no order, so that it reads nothing
    /// that is not asked for.
    pub(crate) fn expect_no_order(&self) {
        // A refusal is worth only speed; here and below.
        let _ = self.map.advise(Advice::Random);
    }

    /// Tells the system that a row is about to be read.
    pub(crate) fn expect(&self, row: usize) {
        let start = self.start + row * self.row_bytes;
        let _ = self.map.advise_range(Advice::WillNeed, start, self.row_bytes);
    }
}

/// Reads a whole array onto the CPU, in the file's own type.
///
/// # Errors
///
/// [`DatasetError`] if the file cannot be read, is not a little-endian
/// row-major array of numbers, or is shorter or longer than its header says.
pub(crate) fn read(path: &Path) -> Result<Tensor, DatasetError> {
    let unreadable = |source| DatasetError::Read { path: path.to_owned(), source };
    let malformed = |problem: &str| DatasetError::Content {
        path: path.to_owned(),
        problem: problem.to_owned(),
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let header = read_header(&mut file).map_err(unreadable)?;
    let header = parse_header(&header).map_err(malformed)?;
    let mut data = Vec::new();
    file.read_to_end(&mut data).map_err(unreadable)?;
    if header.array_bytes() != Some(data.len()) {
        return Err(malformed("its length does not fit the shape in its header"));
    }
    Ok(Tensor::f_from_data_size(&data, &header.shape, header.kind)?)
}

/// The text of the header, which leaves `file` at the array.
fn read_header(file: &mut impl Read) -> Result<String, Error> {
    let malformed = |problem: &str| Error::new(ErrorKind::InvalidData, problem);
    let mut start = [0; 8];
    file.read_exact(&mut start)?;
    if &start[..6] != b"\x93NUMPY" {
        return Err(malformed("this is not an .npy file"));
    }
    let length = match start[6] {
        1 => {
            let mut length = [0; 2];
            file.read_exact(&mut length)?;
            usize::from(u16::from_le_bytes(length))
        }
        2 | 3 => {
            let mut length = [0; 4];
            file.read_exact(&mut length)?;
            u32::from_le_bytes(length) as usize
        }
        _ => return Err(malformed("unknown version of the .npy format")),
    };
    if length > MAX_HEADER_BYTES {
        return Err(malformed("the header is too long"));
    }
    let mut header = vec![0; length];
    file.read_exact(&mut header)?;
    String::from_utf8(header).map_err(|_| malformed("the header is not text"))
}

/// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn parse_header(header: &str) -> Result<Header, &'static str> {
    let after = |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start());
    let kind = after("'descr':").and_then(|rest| rest.strip_prefix('\''));
    let kind = match kind.and_then(|rest| rest.split_once('\'')) {
        Some(("<f4", _)) => Kind::Float,
        Some(("<f8", _)) => Kind::Double,
        Some(("<i8", _)) => Kind::Int64,
        Some(("<i4", _)) => Kind::Int,
        Some(("<i2", _)) => Kind::Int16,
        // A byte has no order; tch writes the latter.
        Some(("|u1" | "<u1", _)) => Kind::Uint8,
        Some(_) => return Err("its element type is not supported"),
        None => return Err("its header names no element type"),
    };
    if !after("'fortran_order':").is_some_and(|rest| rest.starts_with("False")) {
        return Err("its order is not row-major");
    }
    let shape = after("'shape':").and_then(|rest| rest.strip_prefix('('));
    let (shape, _) = shape.and_then(|rest| rest.split_once(')')).ok_or("it has no shape")?;
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let shape = sizes.map(|size| size.parse::<u32>().map(i64::from)).collect::<Result<_, _>>();
    Ok(Header { kind, shape: shape.map_err(|_| "its shape is malformed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.npy");
        let written = Tensor::arange(24, (Kind::Float, tch::Device::Cpu)).view([2, 3, 4]);
        written.write_npy(&path).expect("the folder is writable");
        let read = read(&path).expect("just written");
        assert_eq!(read.size(), [2, 3, 4]);
        assert_eq!(read, written);
    }

    #[test]
    fn rows_are_those_of_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.npy");
        let written = Tensor::arange(24, (Kind::Int, tch::Device::Cpu)).view([4, 3, 2]);
        written.write_npy(&path).expect("the folder is writable");
        let array = Array::open(&path).expect("just written");
        assert_eq!((array.shape(), array.kind()), ([4, 3, 2].as_slice(), Kind::Int));
        array.expect_no_order();
        array.expect(3);
        assert_eq!(array.row(0)[..8], [0, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(array.row(3)[..4], [18, 0, 0, 0]);
        assert_eq!(array.row(3).len(), 24);
        Tensor::from(3.0).write_npy(&path).expect("the folder is writable");
        let error = Array::open(&path).expect_err("no rows").to_string();
        assert!(error.ends_with("x.npy: it is a single number"), "{error}");
    }

    #[test]
    fn a_file_of_another_length_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.npy");
        let written = Tensor::zeros([100], (Kind::Float, tch::Device::Cpu));
        written.write_npy(&path).expect("the folder is writable");
        let whole = std::fs::read(&path).expect("just written");
        for end in 0..whole.len() {
            std::fs::write(&path, &whole[..end]).expect("the folder is writable");
            assert!(read(&path).is_err(), "cut after {end} bytes");
            assert!(Array::open(&path).is_err(), "cut after {end} bytes");
        }
        std::fs::write(&path, [&whole[..], &[0]].concat()).expect("the folder is writable");
        assert!(Array::open(&path).is_err());
        let error = read(&path).expect_err("one byte too many").to_string();
        assert!(error.ends_with("its length does not fit the shape in its header"), "{error}");
    }

    #[test]
    fn headers() {
        let header = |descr: &str, order: &str, shape: &str| {
            let text =
                format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
            parse_header(&text)
        };
        assert_eq!(
            header("<i8", "False", "(7,)"),
            Ok(Header { kind: Kind::Int64, shape: vec![7] })
        );
        assert!(header(">f4", "False", "(7,)").is_err());
        assert!(header("<f4", "True", "(7, 2)").is_err());
        assert!(header("<f4", "False", "(-7, 2)").is_err());
        assert!(header("<f4", "False", "(7, 2").is_err());
        assert!(parse_header("").is_err());
        let huge = Header { kind: Kind::Double, shape: vec![i64::from(u32::MAX); 3] };
        assert_eq!(huge.array_bytes(), None);
    }
}
