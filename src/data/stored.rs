//! A dataset's folder, read back for people: tracks, labels, parts, some rows.
//!
//! Only files of our own making are read. One that is not as preparation wrote
//! it is an error; nothing here trusts a length before it has seen the file's.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::io_error;
use super::npy::{self, Dtype, HEADER_LEN};
use super::{DataError, Prepared, Track};

/// What came of each track, in the order of their numbers.
pub(crate) fn tracks(prepared: &Prepared) -> Result<Vec<Track>, DataError> {
    let path = prepared.path.join("tracks.json");
    let bytes = fs::read(&path).map_err(io_error("read", &path))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| io_error("read", &path)(io::Error::new(io::ErrorKind::InvalidData, error)))
}

/// The class of each row, as an index.
pub(crate) fn labels(prepared: &Prepared) -> Result<Vec<i64>, DataError> {
    read_i64(&prepared.path.join("y.npy"))
}

/// Rows by their class, in order.
///
/// - `labels`: the class of each row
/// - `classes`: how many there are
pub(crate) fn by_class(rows: &[i64], labels: &[i64], classes: usize) -> Vec<Vec<i64>> {
    let mut by_class = vec![Vec::new(); classes];
    for &row in rows {
        let label = usize::try_from(row).ok().and_then(|row| labels.get(row));
        let class = label.and_then(|&label| usize::try_from(label).ok());
        if let Some(rows) = class.and_then(|class| by_class.get_mut(class)) {
            rows.push(row);
        }
    }
    by_class
}

/// A list of whole numbers.
pub(crate) fn read_i64(path: &Path) -> Result<Vec<i64>, DataError> {
    let bytes = fs::read(path).map_err(io_error("read", path))?;
    let (header, body) = bytes.split_at_checked(HEADER_LEN).ok_or_else(|| strange(path))?;
    let (numbers, rest) = body.as_chunks::<8>();
    if header != npy::header(Dtype::I64, numbers.len() as u64, &[]) || !rest.is_empty() {
        return Err(strange(path));
    }
    Ok(numbers.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect())
}

/// Most bytes of an example that are read: of a longer one, its beginning.
const MAX_ROW_BYTES: usize = 1 << 26;

/// The examples, of which single ones are read.
pub(crate) struct Examples {
    path: PathBuf,
    file: File,
    dtype: Dtype,
    rows: u64,
    /// Numbers of an example.
    pub(crate) row_len: usize,
    bytes: Vec<u8>,
}

impl Examples {
    /// Opens `x.npy`.
    pub(crate) fn open(prepared: &Prepared) -> Result<Self, DataError> {
        let path = prepared.path.join("x.npy");
        let (rows, shape) = (prepared.manifest.examples, &prepared.manifest.input_shape);
        let shape: Vec<usize> = shape.iter().map(|&length| length as usize).collect();
        let dtype = [Dtype::F32, Dtype::U8]
            .into_iter()
            .find(|&dtype| npy::is_complete(&path, dtype, rows, &shape))
            .ok_or_else(|| strange(&path))?;
        let file = File::open(&path).map_err(io_error("read", &path))?;
        let row_len = shape.iter().product();
        Ok(Self { path, file, dtype, rows, row_len, bytes: Vec::new() })
    }

    /// Whether numbers are whole and in 0..=255.
    pub(crate) fn are_bytes(&self) -> bool {
        self.dtype == Dtype::U8
    }

    /// One example, in C order; of a very long one the beginning.
    pub(crate) fn row(&mut self, row: i64) -> Result<Vec<f32>, DataError> {
        let row = u64::try_from(row).ok().filter(|&row| row < self.rows);
        let row = row.ok_or_else(|| strange(&self.path))?;
        let row_bytes = self.row_len as u64 * self.dtype.bytes();
        self.bytes
            .resize(usize::try_from(row_bytes).unwrap_or(MAX_ROW_BYTES).min(MAX_ROW_BYTES), 0);
        self.file
            .seek(SeekFrom::Start(HEADER_LEN as u64 + row * row_bytes))
            .and_then(|_| self.file.read_exact(&mut self.bytes))
            .map_err(io_error("read", &self.path))?;
        Ok(match self.dtype {
            Dtype::U8 => self.bytes.iter().map(|&byte| f32::from(byte)).collect(),
            Dtype::F32 => {
                let (numbers, _) = self.bytes.as_chunks::<4>();
                numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
            Dtype::I64 => {
                let (numbers, _) = self.bytes.as_chunks::<8>();
                numbers.iter().map(|bytes| i64::from_le_bytes(*bytes) as f32).collect()
            }
        })
    }
}

fn strange(path: &Path) -> DataError {
    let cause = io::Error::new(io::ErrorKind::InvalidData, "not what `sweep` wrote there");
    io_error("read", path)(cause)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::data::npy::{Rows, write_i64};
    use crate::data::{InUse, Manifest};

    fn prepared(folder: &Path, examples: u64, input_shape: &[u32]) -> Prepared {
        let manifest = serde_json::json!({
            "digest": "", "classes": ["a"], "input_shape": input_shape, "examples": examples,
            "tracks": 0, "parts": [], "skipped": [],
        });
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        Prepared { path: folder.to_owned(), manifest, cached: true, in_use: InUse::default() }
    }

    #[test]
    fn rows_are_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let mut rows = Rows::create(&path, &[2, 1]).unwrap();
        rows.push(&[0.5_f32, 1.5, -2.0, f32::MAX]).unwrap();
        rows.finish().unwrap();
        let mut examples = Examples::open(&prepared(folder.path(), 2, &[2, 1])).unwrap();
        assert_eq!((examples.row_len, examples.are_bytes()), (2, false));
        assert_eq!(examples.row(1).unwrap(), [-2.0, f32::MAX]);
        assert_eq!(examples.row(0).unwrap(), [0.5, 1.5]);
        assert!(examples.row(2).is_err() && examples.row(-1).is_err());
        assert!(Examples::open(&prepared(folder.path(), 3, &[2, 1])).is_err());

        let mut rows = Rows::create(&path, &[3]).unwrap();
        rows.push(&[0_u8, 7, 255]).unwrap();
        rows.finish().unwrap();
        let mut examples = Examples::open(&prepared(folder.path(), 1, &[3])).unwrap();
        assert!(examples.are_bytes());
        assert_eq!(examples.row(0).unwrap(), [0.0, 7.0, 255.0]);
    }

    #[test]
    fn lists_are_what_was_written_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("y.npy");
        write_i64(&path, &[3, -1, i64::MAX]).unwrap();
        assert_eq!(read_i64(&path).unwrap(), [3, -1, i64::MAX]);
        let bytes = fs::read(&path).unwrap();
        for broken in [&bytes[..bytes.len() - 8], &bytes[..bytes.len() - 1], &bytes[..50], b""] {
            fs::write(&path, broken).unwrap();
            let error = read_i64(&path).unwrap_err().to_string();
            assert!(error.ends_with("y.npy`: not what `sweep` wrote there"), "{error}");
        }
    }
}
