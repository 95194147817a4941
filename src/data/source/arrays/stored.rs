//! Where an array lies: in a file of its own, or in an archive that `np.savez`
//! has written.
//!
//! An array in C order is read as it comes. One in Fortran order is read from
//! all over; where it is compressed, it is first written to a temporary file
//! without a name. The checksum of a member is compared either way.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::blocks::{self, Block};
use super::header::Header;
use super::problem::ArrayProblem;

/// Most names of an archive that are shown.
const NAMES_SHOWN: usize = 8;

/// An array whose header is read and has the bytes it speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Array {
    pub(super) header: Header,
    lies: Lies,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lies {
    /// In a file of its own.
    Alone,
    /// In this member of an archive; where that is not compressed, its values
    /// begin at `start` of the file.
    Member { index: usize, start: Option<u64> },
}

impl Array {
    /// Reads the header of an array.
    ///
    /// - `member`: its name in an archive; else `reader` is a `.npy` file
    /// - `most`: how many lengths a row may have
    ///
    /// # Errors
    ///
    /// What is wrong with the array or with the archive.
    pub(super) fn open(
        reader: &mut (impl Read + Seek),
        member: Option<&str>,
        most: usize,
    ) -> Result<Self, ArrayProblem> {
        let length = reader.seek(SeekFrom::End(0)).map_err(ArrayProblem::unreadable)?;
        reader.rewind().map_err(ArrayProblem::unreadable)?;
        let Some(member) = member else {
            let header = Header::read(reader)?;
            header.check_rows(most)?;
            check_length(&header, length)?;
            return Ok(Self { header, lies: Lies::Alone });
        };
        let mut archive = ZipArchive::new(reader).map_err(broken)?;
        let index = find(&archive, member)?;
        let mut file = archive.by_index(index).map_err(broken)?;
        let header = Header::read(&mut file)?;
        header.check_rows(most)?;
        check_length(&header, file.size())?;
        let start = match (file.compression(), file.data_start()) {
            (CompressionMethod::Stored, Some(start)) => start.checked_add(header.offset),
            (_, _) => None,
        };
        // Only what is in the file can be read out of order.
        let end = start.and_then(|start| start.checked_add(header.bytes()));
        let start = start.filter(|_| end.is_some_and(|end| end <= length));
        drop(file);
        Ok(Self { header, lies: Lies::Member { index, start } })
    }

    /// Calls `take` with all rows.
    ///
    /// - `reader`: what the array was opened from
    /// - `spool`: a folder with room for the array, made if it is not there
    ///
    /// # Errors
    ///
    /// What `take` returns, and what goes wrong in reading.
    pub(super) fn each_block(
        &self,
        reader: &mut (impl Read + Seek),
        spool: &Path,
        take: impl FnMut(Block<'_>) -> Result<(), ArrayProblem>,
    ) -> Result<(), ArrayProblem> {
        let header = &self.header;
        match self.lies {
            Lies::Alone if header.is_c_order() => {
                reader.seek(SeekFrom::Start(header.offset)).map_err(ArrayProblem::unreadable)?;
                blocks::in_order(header, &mut reader.take(header.bytes()), take)
            }
            Lies::Alone => blocks::gathered(header, reader, header.offset, take),
            Lies::Member { index, start } => {
                let mut archive = ZipArchive::new(&mut *reader).map_err(broken)?;
                let mut file = archive.by_index(index).map_err(broken)?;
                let skipped = io::copy(&mut file.by_ref().take(header.offset), &mut io::sink());
                skipped.map_err(ArrayProblem::unreadable)?;
                if header.is_c_order() {
                    return blocks::in_order(header, &mut file, take);
                }
                if let Some(start) = start {
                    // Only a look at the checksum, which reading out of order has not.
                    copy_values(&mut file, header, &mut io::sink())?;
                    drop(file);
                    return blocks::gathered(header, reader, start, take);
                }
                let mut unpacked = std::fs::create_dir_all(spool)
                    .and_then(|()| tempfile::tempfile_in(spool))
                    .map_err(ArrayProblem::unreadable)?;
                copy_values(&mut file, header, &mut unpacked)?;
                blocks::gathered(header, &mut unpacked, 0, take)
            }
        }
    }
}

fn check_length(header: &Header, length: u64) -> Result<(), ArrayProblem> {
    let (expected, found) = (header.bytes(), length.saturating_sub(header.offset));
    match found.cmp(&expected) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(ArrayProblem::Length { expected, found }),
        std::cmp::Ordering::Greater => Err(ArrayProblem::Longer { expected }),
    }
}

/// Copies all values of a member, to its end, where its checksum is compared.
fn copy_values(
    member: &mut impl Read,
    header: &Header,
    into: &mut impl Write,
) -> Result<(), ArrayProblem> {
    let expected = header.bytes();
    let found = io::copy(&mut member.take(expected), into).map_err(ArrayProblem::unreadable)?;
    if found < expected {
        return Err(ArrayProblem::Length { expected, found });
    }
    match io::copy(&mut member.take(1), &mut io::sink()).map_err(ArrayProblem::unreadable)? {
        0 => Ok(()),
        _ => Err(ArrayProblem::Longer { expected }),
    }
}

/// Whether an archive has such an array.
///
/// # Errors
///
/// When it is no archive.
pub(super) fn has(reader: &mut (impl Read + Seek), member: &str) -> Result<bool, ArrayProblem> {
    let archive = ZipArchive::new(reader).map_err(broken)?;
    Ok(find(&archive, member).is_ok())
}

fn find<R: Read + Seek>(archive: &ZipArchive<R>, member: &str) -> Result<usize, ArrayProblem> {
    let index =
        archive.index_for_name(&format!("{member}.npy")).or_else(|| archive.index_for_name(member));
    index.ok_or_else(|| {
        let names: Vec<String> = archive
            .file_names()
            .flatten()
            .map(|name| name.strip_suffix(".npy").unwrap_or(&name).to_owned())
            .take(NAMES_SHOWN)
            .collect();
        let more = archive.len() > names.len();
        ArrayProblem::NoMember { member: member.to_owned(), names, more }
    })
}

fn broken(error: ZipError) -> ArrayProblem {
    match error {
        ZipError::Io(cause) => ArrayProblem::unreadable(cause),
        // A foreign enum that grows.
        other => ArrayProblem::NotNpz(other.to_string()),
    }
}
