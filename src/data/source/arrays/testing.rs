//! What tests need: checksums of archives that are right again after a change.

/// Puts right the checksums of members that are not compressed. Without it,
/// changes would get no further than there.
pub(in crate::data) fn repair_checksums(archive: &mut [u8]) {
    let mut at = 0;
    while let Some(entry) = archive[at..].windows(4).position(|window| window == b"PK\x01\x02") {
        let entry = at + entry;
        at = entry + 4;
        repair_entry(archive, entry);
    }
}

/// Puts right what an entry of the directory says of its member, and what the
/// member says itself; none where they are not whole, or it is compressed.
fn repair_entry(archive: &mut [u8], entry: usize) -> Option<()> {
    let compressed = number::<2>(archive, entry + 10)? != 0;
    let (length, local) = (number::<4>(archive, entry + 20)?, number::<4>(archive, entry + 42)?);
    let (name, extra) = (number::<2>(archive, local + 26)?, number::<2>(archive, local + 28)?);
    let start = local + 30 + name + extra;
    let member = archive.get(start..start + length).filter(|_| !compressed)?;
    let checksum = crc32(member).to_le_bytes();
    for place in [entry + 16, local + 14] {
        archive.get_mut(place..place + 4)?.copy_from_slice(&checksum);
    }
    Some(())
}

/// A little-endian number of so many bytes.
fn number<const BYTES: usize>(bytes: &[u8], at: usize) -> Option<usize> {
    let number = bytes.get(at..at + BYTES)?;
    Some(number.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte)))
}

/// CRC-32 of ISO 3309, as archives have it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[test]
fn a_checksum_is_put_right_where_it_is() {
    for (original, member) in super::tests::seeds() {
        let mut archive = original.clone();
        repair_checksums(&mut archive);
        assert!(archive == original, "whole files stay as they are");
        let Some(entry) = archive.windows(4).position(|window| window == b"PK\x01\x02") else {
            assert_eq!(member, None);
            continue;
        };
        archive[entry + 16] ^= 1;
        repair_checksums(&mut archive);
        let compressed = number::<2>(&archive, entry + 10) != Some(0);
        assert_eq!(archive == original, !compressed);
    }
}
