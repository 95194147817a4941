//! Broken files, made of good ones.

use crate::data::random::Random;
use crate::data::source::{arrays, recording};

/// Longest input, in bytes.
const MAX_BYTES: usize = 1 << 16;
/// Where headers are: half of all changes are made here.
const HEADER_BYTES: usize = 128;
/// So many inputs in a hundred keep their wrong checksums and lengths.
const UNREPAIRED: usize = 20;

/// Numbers at which readers trip.
const NUMBERS: [u64; 12] =
    [0, 1, 2, 0x7f, 0xff, 0x100, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff0, u64::MAX];

/// One of `seeds`, with one to eight changes, more often few than many.
pub(super) fn input(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    let most = random.below(8);
    for _ in 0..=random.below(most + 1) {
        change(&mut bytes, seeds, random);
    }
    bytes.truncate(MAX_BYTES);
    if random.below(100) >= UNREPAIRED {
        match bytes.first_chunk() {
            Some(b"PK") => arrays::testing::repair_checksums(&mut bytes),
            Some(b"\x93N") => arrays::testing::repair_length(&mut bytes, MAX_BYTES),
            Some(_) | None => recording::testing::repair_checksums(&mut bytes),
        }
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = place(bytes.len(), random);
    match random.below(14) {
        0..=2 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        3 | 4 if at < bytes.len() => bytes[at] = random.bits() as u8,
        5..=7 => overwrite(bytes, at, random),
        8 => bytes.truncate(at),
        9 => {
            let end = (at + 1 + random.below(64)).min(bytes.len());
            bytes.drain(at.min(end)..end);
        }
        10 => {
            let new: Vec<u8> = (0..1 + random.below(16)).map(|_| random.bits() as u8).collect();
            bytes.splice(at..at, new);
        }
        11 | 12 => {
            // Where numbers are text.
            if let Some(digit) = bytes[at..].iter_mut().find(|byte| byte.is_ascii_digit()) {
                *digit = b'0' + random.below(10) as u8;
            }
        }
        _ => {
            // A part of another file, or of this one again.
            let other = &seeds[random.below(seeds.len())];
            let start = place(other.len(), random);
            let end = (start + 1 + random.below(256)).min(other.len());
            let to = (at + end - start).min(bytes.len());
            bytes.splice(at..to, other[start..end].iter().copied());
        }
    }
}

/// A number of one to eight bytes in either order.
fn overwrite(bytes: &mut [u8], at: usize, random: &mut Random) {
    let mut number = NUMBERS[random.below(NUMBERS.len())];
    if random.below(4) == 0 {
        // Around the length of the file.
        number = (bytes.len() + random.below(16)).saturating_sub(8) as u64;
    }
    let width = 1 << random.below(4);
    let mut new = number.to_le_bytes()[..width].to_vec();
    if random.below(2) == 0 {
        new.reverse();
    }
    for (old, new) in bytes.iter_mut().skip(at).zip(new) {
        *old = new;
    }
}

/// A place in a file, or its end.
fn place(length: usize, random: &mut Random) -> usize {
    let limit = if random.below(2) == 0 { length.min(HEADER_BYTES) } else { length };
    random.below(limit + 1)
}
