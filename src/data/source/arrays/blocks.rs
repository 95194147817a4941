//! The values of an array, some rows at a time.
//!
//! Rows come in C order whatever the order of the file, so that an array never
//! has to be whole in memory. An array in Fortran order is gathered from all
//! over the file, a piece of each column at a time.

use std::io::{self, Read, Seek, SeekFrom};

use super::header::Header;
use super::problem::ArrayProblem;

/// Rows are read so many bytes at a time.
const BLOCK_BYTES: u64 = 4 << 20;

/// The same in Fortran order, where larger blocks mean longer pieces.
const GATHERED_BYTES: u64 = 64 << 20;

/// Some rows of an array.
pub(super) struct Block<'a> {
    /// Number of the first, from 0.
    pub(super) first: u64,
    /// Whole rows in C order, in the array's own type.
    pub(super) bytes: &'a [u8],
}

/// Number of blocks that [`in_order`] or [`gathered`] makes of an array.
pub(super) fn count(header: &Header) -> u64 {
    let block_bytes = if header.is_c_order() { BLOCK_BYTES } else { GATHERED_BYTES };
    header.rows().div_ceil(rows_at_once(header, block_bytes))
}

fn rows_at_once(header: &Header, block_bytes: u64) -> u64 {
    (block_bytes / header.row_bytes()).clamp(1, header.rows())
}

/// Reads an array in C order.
///
/// - `reader`: at the first value; at its end after the last
///
/// # Errors
///
/// What `take` returns, or that there are more or fewer bytes than the header
/// says.
pub(super) fn in_order(
    header: &Header,
    reader: &mut impl Read,
    mut take: impl FnMut(Block<'_>) -> Result<(), ArrayProblem>,
) -> Result<(), ArrayProblem> {
    let at_once = rows_at_once(header, BLOCK_BYTES);
    let mut bytes = Vec::new();
    let mut first = 0;
    while first < header.rows() {
        let rows = at_once.min(header.rows() - first);
        let expected = rows * header.row_bytes();
        bytes.clear();
        // Grows as bytes come: a header that lies costs no memory.
        reader.by_ref().take(expected).read_to_end(&mut bytes).map_err(ArrayProblem::unreadable)?;
        if (bytes.len() as u64) < expected {
            let found = first * header.row_bytes() + bytes.len() as u64;
            return Err(ArrayProblem::Length { expected: header.bytes(), found });
        }
        take(Block { first, bytes: &bytes })?;
        first += rows;
    }
    let more = io::copy(&mut reader.by_ref().take(1), &mut io::sink());
    match more.map_err(ArrayProblem::unreadable)? {
        0 => Ok(()),
        _ => Err(ArrayProblem::Longer { expected: header.bytes() }),
    }
}

/// Reads an array in Fortran order.
///
/// - `reader`: what the array is in
/// - `start`: where in it the values begin; as many as the header says are there
///
/// # Errors
///
/// What `take` returns.
pub(super) fn gathered(
    header: &Header,
    reader: &mut (impl Read + Seek),
    start: u64,
    mut take: impl FnMut(Block<'_>) -> Result<(), ArrayProblem>,
) -> Result<(), ArrayProblem> {
    let at_once = rows_at_once(header, GATHERED_BYTES);
    let (width, row_len) = (header.values.bytes() as usize, header.row_len() as usize);
    let mut columns = Columns::new(header.row_shape());
    let (mut piece, mut bytes) = (Vec::new(), Vec::new());
    let mut first = 0;
    while first < header.rows() {
        let rows = at_once.min(header.rows() - first) as usize;
        piece.resize(rows * width, 0);
        bytes.resize(rows * row_len * width, 0);
        for (place, column) in columns.by_ref().take(row_len).enumerate() {
            let offset = (column * header.rows() + first) * width as u64;
            reader
                .seek(SeekFrom::Start(start + offset))
                .and_then(|_| reader.read_exact(&mut piece))
                .map_err(ArrayProblem::unreadable)?;
            for (row, value) in piece.chunks_exact(width).enumerate() {
                let to = (row * row_len + place) * width;
                bytes[to..to + width].copy_from_slice(value);
            }
        }
        take(Block { first, bytes: &bytes })?;
        first += rows as u64;
    }
    Ok(())
}

/// Goes through a row in C order, and says which column of Fortran order each
/// value is in.
struct Columns {
    shape: Vec<usize>,
    index: Vec<usize>,
}

impl Columns {
    fn new(shape: Vec<usize>) -> Self {
        Self { index: vec![0; shape.len()], shape }
    }
}

impl Iterator for Columns {
    type Item = u64;

    /// Starts again after the last one.
    fn next(&mut self) -> Option<u64> {
        let (mut column, mut stride) = (0, 1);
        for (&index, &length) in self.index.iter().zip(&self.shape) {
            column += index as u64 * stride;
            stride *= length as u64;
        }
        for (index, &length) in self.index.iter_mut().zip(&self.shape).rev() {
            *index += 1;
            if *index < length {
                break;
            }
            *index = 0;
        }
        Some(column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_fortran_order() {
        let columns = |shape: &[usize]| -> Vec<u64> {
            Columns::new(shape.to_vec()).take(shape.iter().product()).collect()
        };
        assert_eq!(columns(&[]), [0]);
        assert_eq!(columns(&[4]), [0, 1, 2, 3]);
        // [a, b] is at a + 2 b.
        assert_eq!(columns(&[2, 3]), [0, 2, 4, 1, 3, 5]);
        assert_eq!(columns(&[1, 3, 1]), [0, 1, 2]);
        let again: Vec<u64> = Columns::new(vec![2, 2]).take(8).collect();
        assert_eq!(again, [0, 2, 1, 3, 0, 2, 1, 3]);
    }
}
