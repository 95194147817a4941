//! What tests need: checksums that are right again after a change.

use super::{Recording, RecordingError, ogg};

/// Decodes a file.
pub(in crate::data) fn decode(bytes: Vec<u8>) -> Result<Recording, RecordingError> {
    super::decode(&bytes, Vec::new())
}

/// Puts right the checksums of Ogg pages, and of a FLAC file of one frame.
/// Without it, changes would get no further than there.
pub(in crate::data) fn repair_checksums(bytes: &mut [u8]) {
    if bytes.starts_with(b"fLaC") {
        repair_flac(bytes);
    }
    let mut at = 0;
    while let Some(start) = bytes[at..].windows(4).position(|window| window == b"OggS") {
        let page = &mut bytes[at + start..];
        at += start + 4;
        let segments = usize::from(page.get(26).copied().unwrap_or(0));
        let Some(table) = page.get(27..27 + segments) else { continue };
        let length = 27 + segments + table.iter().map(|&length| usize::from(length)).sum::<usize>();
        let Some(page) = page.get_mut(..length) else { continue };
        let sum = ogg::checksum_of(page);
        page[22..26].copy_from_slice(&sum.to_le_bytes());
        at += length - 4;
    }
}

fn repair_flac(bytes: &mut [u8]) {
    let Some(start) = bytes.windows(2).position(|pair| pair[0] == 0xff && pair[1] & 0xfc == 0xf8)
    else {
        return;
    };
    let frame = &mut bytes[start..];
    // Behind the fixed part: the number of the frame, and perhaps its length and its rate.
    let &[_, _, sizes, _, number, ..] = &*frame else { return };
    let number_bytes = match number.leading_ones() {
        0 => 1,
        ones => ones as usize,
    };
    let block_bytes = match sizes >> 4 {
        6 => 1,
        7 => 2,
        _ => 0,
    };
    let rate_bytes = match sizes & 15 {
        12 => 1,
        13 | 14 => 2,
        _ => 0,
    };
    let header = 4 + number_bytes + block_bytes + rate_bytes;
    let end = frame.len();
    if header + 3 > end {
        return;
    }
    frame[header] = crc(&frame[..header], 8, 0x07) as u8;
    let sum = crc(&frame[..end - 2], 16, 0x8005);
    frame[end - 2..].copy_from_slice(&sum.to_be_bytes());
}

/// A checksum of 8 or 16 bits, most significant bit first.
fn crc(bytes: &[u8], width: u32, polynomial: u16) -> u16 {
    let shift = 16 - width;
    let step = |sum: u16| if sum >> 15 == 1 { sum << 1 ^ polynomial << shift } else { sum << 1 };
    let sum = bytes
        .iter()
        .fold(0_u16, |sum, &byte| (0..8).fold(sum ^ u16::from(byte) << 8, |sum, _| step(sum)));
    sum >> shift
}

#[test]
fn golden_files_have_the_checksums_that_repair_gives_them() {
    for name in ["s8.flac", "s16.flac", "s24.flac", "mono.ogg", "stereo.ogg"] {
        let bytes = std::fs::read(super::golden::folder().join(name)).expect("a golden file");
        let mut repaired = bytes.clone();
        repair_checksums(&mut repaired);
        assert!(bytes == repaired, "{name}");
    }
}
