//! AIFF and AIFC: a list of chunks, of which `COMM` and `SSND` matter.

use super::format::Format;
use super::pcm::{Encoding, Layout, Order};
use super::wav::Chunks;
use super::{Recording, RecordingError};

pub(super) fn read(bytes: &[u8], memory: Vec<f32>) -> Result<Recording, RecordingError> {
    let compressed = bytes[8..].starts_with(b"AIFC");
    let mut layout = None;
    let mut data = None;
    for chunk in Chunks::new(bytes, Order::Big) {
        match &chunk.name {
            b"COMM" => layout = Some(common_chunk(chunk.body, compressed)?),
            b"SSND" if data.is_none() => {
                // Before the samples: an offset, and the size of blocks.
                let offset = Order::Big.u32(chunk.body, 0).unwrap_or(0);
                data = chunk.body.get(8_usize.saturating_add(offset as usize)..);
            }
            _ => {}
        }
        if let (Some(layout), Some(data)) = (&layout, data) {
            return layout.decode(data, memory);
        }
    }
    let missing = if layout.is_none() { "it has no header" } else { "it has no samples" };
    Err(RecordingError::damaged(Format::Aiff, missing))
}

/// Reads a `COMM` chunk.
fn common_chunk(body: &[u8], compressed: bool) -> Result<Layout, RecordingError> {
    let damaged = |problem| RecordingError::damaged(Format::Aiff, problem);
    let cut_off = || damaged("its header is cut off");
    let channels = usize::from(Order::Big.u16(body, 0).ok_or_else(cut_off)?);
    let bits = usize::from(Order::Big.u16(body, 6).ok_or_else(cut_off)?);
    let rate = body.get(8..).and_then(|rest| rest.first_chunk()).ok_or_else(cut_off)?;
    if channels == 0 {
        return Err(damaged("it has no channels"));
    }
    let sample_rate = extended(rate).ok_or_else(|| damaged("its sample rate makes no sense"))?;
    let mut kind = if compressed {
        *body.get(18..).and_then(|rest| rest.first_chunk()).ok_or_else(cut_off)?
    } else {
        *b"NONE"
    };
    kind.make_ascii_lowercase();
    let signed = Encoding::signed(bits.div_ceil(8));
    let (encoding, order) = match &kind {
        b"none" | b"twos" => (signed, Order::Big),
        b"sowt" => (signed, Order::Little),
        b"in24" => (Some(Encoding::Signed24), Order::Big),
        b"in32" => (Some(Encoding::Signed32), Order::Big),
        b"42ni" => (Some(Encoding::Signed24), Order::Little),
        b"23ni" => (Some(Encoding::Signed32), Order::Little),
        b"raw " => (Some(Encoding::Unsigned8), Order::Big),
        b"fl32" => (Some(Encoding::Float32), Order::Big),
        b"fl64" => (Some(Encoding::Float64), Order::Big),
        b"alaw" => (Some(Encoding::ALaw), Order::Big),
        b"ulaw" => (Some(Encoding::MuLaw), Order::Big),
        other => {
            let encoding = format!("compression `{}`", other.escape_ascii());
            return Err(RecordingError::Encoding { format: Format::Aiff, encoding });
        }
    };
    let encoding = encoding.ok_or_else(|| RecordingError::Encoding {
        format: Format::Aiff,
        encoding: format!("samples of {bits} bits"),
    })?;
    Ok(Layout { encoding, order, channels, sample_rate })
}

/// A float of 80 bits, rounded to a whole number; none where that is negative
/// or beyond 32 bits.
fn extended(bytes: &[u8; 10]) -> Option<u32> {
    let [a, b, mantissa @ ..] = *bytes;
    // Above it, the number has more than 32 bits; the sign is part of it.
    let exponent = i32::from(u16::from_be_bytes([a, b])) - 16_383;
    if !(0..32).contains(&exponent) {
        return None;
    }
    let number = u64::from_be_bytes(mantissa) as f64 / f64::from(63 - exponent).exp2();
    Some(number.round() as u32)
}
