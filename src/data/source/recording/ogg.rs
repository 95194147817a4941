//! Ogg: pages that hold the packets of one or several streams.
//!
//! The library trusts lengths in Vorbis's headers and takes memory for them. So
//! the headers are looked at here first, and what is handed on is one stream
//! of whole pages whose checksums are right.

use super::RecordingError;
use super::format::Format;

/// Length of a page's header without its table of segments.
const PAGE_HEADER: usize = 27;
/// Set where a page is the first of its stream.
const FIRST: u8 = 2;
/// Set where a page begins with the rest of a packet.
const CONTINUED: u8 = 1;

/// Most numbers that all tables of a stream may have together: many times what
/// encoders write.
const MAX_TABLE_VALUES: u64 = 1 << 22;
/// Most bytes of headers: pictures may be among them.
const MAX_HEADER_BYTES: usize = 1 << 26;

/// A page whose checksum is right.
struct Page<'a> {
    bytes: &'a [u8],
}

impl<'a> Page<'a> {
    /// The page that begins here, if it is whole.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let segments = usize::from(*bytes.get(PAGE_HEADER - 1)?);
        let table = bytes.get(PAGE_HEADER..PAGE_HEADER + segments)?;
        let body: usize = table.iter().map(|&length| usize::from(length)).sum();
        let bytes = bytes.get(..PAGE_HEADER + segments + body)?;
        let checksum = bytes[22..26].try_into().map(u32::from_le_bytes).ok()?;
        (bytes.starts_with(b"OggS") && checksum == checksum_of(bytes)).then_some(Self { bytes })
    }

    fn flags(&self) -> u8 {
        self.bytes[5]
    }

    fn serial(&self) -> &'a [u8] {
        &self.bytes[14..18]
    }

    fn segments(&self) -> &'a [u8] {
        &self.bytes[PAGE_HEADER..][..usize::from(self.bytes[PAGE_HEADER - 1])]
    }

    fn body(&self) -> &'a [u8] {
        &self.bytes[PAGE_HEADER + self.segments().len()..]
    }
}

/// The first Vorbis stream of a file, and nothing else; its headers make sense.
pub(super) fn vorbis_alone(bytes: &[u8]) -> Result<Vec<u8>, RecordingError> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut serial = None;
    let mut headers = Packets::default();
    let mut rest = bytes;
    while let Some(start) = rest.windows(4).position(|window| window == b"OggS") {
        rest = &rest[start..];
        let Some(page) = Page::read(rest) else {
            rest = &rest[4..];
            continue;
        };
        rest = &rest[page.bytes.len()..];
        if page.flags() & FIRST != 0 {
            if headers.complete() {
                // What begins now follows this stream.
                break;
            }
            if serial.is_some() || !page.body().starts_with(b"\x01vorbis") {
                continue;
            }
            serial = Some(page.serial());
        }
        if serial != Some(page.serial()) {
            continue;
        }
        headers.add(&page)?;
        kept.extend_from_slice(page.bytes);
    }
    let damaged = |problem| RecordingError::damaged(Format::Vorbis, problem);
    let [_, comments, setup] = headers.whole.as_slice() else {
        return Err(damaged("its header is cut off or damaged"));
    };
    if !comments_fit(comments) || !tables_fit(setup) {
        return Err(damaged("its header makes no sense"));
    }
    Ok(kept)
}

/// The first three packets of a stream.
#[derive(Default)]
struct Packets {
    whole: Vec<Vec<u8>>,
    open: Vec<u8>,
}

impl Packets {
    fn complete(&self) -> bool {
        self.whole.len() == 3
    }

    fn add(&mut self, page: &Page<'_>) -> Result<(), RecordingError> {
        let damaged = || RecordingError::damaged(Format::Vorbis, "its header makes no sense");
        // A packet whose beginning or end was lost would shift all that follow.
        if !self.complete() && (page.flags() & CONTINUED == 0) != self.open.is_empty() {
            return Err(damaged());
        }
        let mut body = page.body();
        for &length in page.segments() {
            if self.complete() {
                return Ok(());
            }
            let (segment, rest) = body.split_at(usize::from(length));
            body = rest;
            self.open.extend_from_slice(segment);
            if self.open.len() > MAX_HEADER_BYTES {
                return Err(damaged());
            }
            // A packet ends with a segment that is not full.
            if length < u8::MAX {
                self.whole.push(std::mem::take(&mut self.open));
            }
        }
        Ok(())
    }
}

/// Whether the lengths in the header of comments stay within it.
fn comments_fit(packet: &[u8]) -> bool {
    fn skip(bytes: &[u8]) -> Option<&[u8]> {
        let (length, rest) = bytes.split_first_chunk()?;
        rest.get(u32::from_le_bytes(*length) as usize..)
    }
    let fit = || {
        let rest = skip(packet.strip_prefix(b"\x03vorbis")?)?;
        let (count, mut rest) = rest.split_first_chunk()?;
        for _ in 0..u32::from_le_bytes(*count) {
            rest = skip(rest)?;
        }
        Some(())
    };
    fit().is_some()
}

/// Whether the tables in the setup header are of a size that one can take
/// memory for.
fn tables_fit(packet: &[u8]) -> bool {
    let fit = || {
        let mut bits = Bits { bytes: packet.strip_prefix(b"\x05vorbis")?, at: 0 };
        let tables = bits.take(8)? + 1;
        let mut values = 0;
        for _ in 0..tables {
            values += skip_table(&mut bits)?;
            if values > MAX_TABLE_VALUES {
                return None;
            }
        }
        Some(())
    };
    fit().is_some()
}

/// Reads over one table, called codebook in the specification of Vorbis
/// (section 3.2.1); returns how many numbers it has.
fn skip_table(bits: &mut Bits<'_>) -> Option<u64> {
    const MAGIC: u64 = 0x56_43_42;

    if bits.take(24)? != MAGIC {
        return None;
    }
    let dimensions = bits.take(16)?;
    let entries = bits.take(24)?;
    let values = entries * dimensions.max(1);
    if dimensions == 0 || values > MAX_TABLE_VALUES {
        return None;
    }
    let ordered = bits.take(1)? == 1;
    if ordered {
        let mut length = bits.take(5)? + 1;
        let mut known = 0;
        while known < entries {
            known += bits.take(u64::BITS - (entries - known).leading_zeros())?;
            length += 1;
            if known > entries || length > 33 {
                return None;
            }
        }
    } else {
        let sparse = bits.take(1)? == 1;
        for _ in 0..entries {
            if !sparse || bits.take(1)? == 1 {
                bits.take(5)?;
            }
        }
    }
    let kind = bits.take(4)?;
    let multiplicands = match kind {
        0 => return Some(values),
        1 => root(entries, dimensions),
        2 => values,
        _ => return None,
    };
    // The smallest value and the step, then the width of a multiplicand.
    bits.skip(64)?;
    let width = bits.take(4)? + 1;
    bits.skip(1)?;
    bits.skip(multiplicands * width)?;
    Some(values)
}

/// The largest number whose power is not above `entries`.
fn root(entries: u64, power: u64) -> u64 {
    if power == 1 {
        return entries;
    }
    let power = u32::try_from(power).expect("16 bits");
    (1..)
        .take_while(|base: &u64| base.checked_pow(power).is_some_and(|product| product <= entries))
        .count() as u64
}

/// Numbers of any width, low bits first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl Bits<'_> {
    /// The next number, of at most 32 bits.
    fn take(&mut self, width: u32) -> Option<u64> {
        let mut number = 0;
        for index in 0..width {
            let byte = *self.bytes.get(usize::try_from(self.at / 8).ok()?)?;
            number |= u64::from(byte >> (self.at % 8) & 1) << index;
            self.at += 1;
        }
        Some(number)
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        self.at += count;
        (self.at <= self.bytes.len() as u64 * 8).then_some(())
    }
}

/// The checksum of a page, in which its own place counts as zero.
pub(super) fn checksum_of(page: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();

    page.iter().enumerate().fold(0, |sum, (index, &byte)| {
        let byte = if (22..26).contains(&index) { 0 } else { byte };
        sum << 8 ^ TABLE[usize::from((sum >> 24) as u8 ^ byte)]
    })
}

/// CRC-32 with the usual polynomial, but neither reflected nor inverted.
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut sum = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum >> 31 == 1 { sum << 1 ^ 0x04c1_1db7 } else { sum << 1 };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
}
