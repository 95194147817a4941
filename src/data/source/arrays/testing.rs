//! What tests need: archives of arrays, and files whose checksums and lengths are
//! right again after a change.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::header::Header;
use crate::data::npy::MAX_ROW_RANK;

/// The folder of arrays that NumPy has written.
pub(in crate::data) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/data/testdata/arrays")
}

/// An archive with an array as its `x`.
pub(in crate::data) fn pack(npy: &[u8], method: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    archive.start_file("x.npy", options).unwrap();
    archive.write_all(npy).unwrap();
    archive.finish().unwrap().into_inner()
}

/// Gives an array as many bytes of values as its header now speaks of, if that
/// makes it no longer than `most`. Without it, a change of its shape or type would
/// get no further than there.
pub(in crate::data) fn repair_length(npy: &mut Vec<u8>, most: usize) {
    let Ok(header) = Header::read(&mut npy.as_slice()) else { return };
    let length = header.check_rows(MAX_ROW_RANK).map(|()| header.offset + header.bytes());
    if let Ok(length) = length.map(|length| length as usize)
        && length <= most
    {
        npy.resize(length, 1);
    }
}

/// Puts right the checksums of members that are stored as they are. What is
/// compressed has to be packed after the change.
pub(in crate::data) fn repair_checksums(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(start) = bytes[at..].windows(4).position(|window| window == b"PK\x01\x02") {
        let entry = at + start;
        at = entry + 4;
        if let Some(sum) = checksum_of(bytes, entry) {
            bytes[entry + 16..entry + 20].copy_from_slice(&sum.to_le_bytes());
        }
    }
}

/// The checksum that a member should have by its entry in the directory; none
/// where it is compressed, or not where the entry says.
fn checksum_of(bytes: &[u8], entry: usize) -> Option<u32> {
    let long = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize);
    let short = |at: usize| Some(usize::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)));
    let (method, length, member) = (short(entry + 10)?, long(entry + 20)?, long(entry + 42)?);
    let data = member + 30 + short(member + 26)? + short(member + 28)?;
    let data = bytes.get(data..data.checked_add(length)?)?;
    (method == 0).then(|| crc_32(data))
}

/// Zip's checksum, least significant bit first.
fn crc_32(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, &byte| (0..8).fold(sum ^ u32::from(byte), |sum, _| step(sum)))
}

#[test]
fn checksums_of_numpys_archives_are_those_that_repair_gives_them() {
    for name in ["stored.npz", "stored_fortran.npz", "deflated.npz"] {
        let bytes = std::fs::read(folder().join(name)).unwrap();
        let mut repaired = bytes.clone();
        repair_checksums(&mut repaired);
        assert!(bytes == repaired, "{name}");
    }
}
