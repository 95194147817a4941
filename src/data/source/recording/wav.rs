//! WAV: a list of chunks, of which `fmt ` and `data` matter.
//!
//! Lengths are taken for what they are worth: a chunk reaches as far as its
//! header says, or to the end of the file.

use super::format::Format;
use super::pcm::{Encoding, Layout, Order};
use super::{Recording, RecordingError};

/// Lengths that writers to a pipe leave behind, who cannot know better.
const UNKNOWN: u32 = u32::MAX;

pub(super) fn read(bytes: &[u8], memory: Vec<f32>) -> Result<Recording, RecordingError> {
    let order = if bytes.starts_with(b"RIFX") { Order::Big } else { Order::Little };
    let mut layout = None;
    let mut data = None;
    // The length of `data` where 32 bits do not hold it.
    let mut long = None;
    for chunk in Chunks::new(bytes, order) {
        match &chunk.name {
            b"fmt " => layout = Some(format_chunk(chunk.body, order)?),
            b"ds64" => {
                let number = chunk.body.get(8..).and_then(|rest| rest.first_chunk());
                long = number.map(|&length| u64::from_le_bytes(length));
            }
            b"data" if data.is_none() => data = Some(sample_bytes(bytes, &chunk, long)),
            _ => {}
        }
        if let (Some(layout), Some(data)) = (&layout, data) {
            return layout.decode(data, memory);
        }
    }
    let missing = if layout.is_none() { "it has no header" } else { "it has no samples" };
    Err(RecordingError::damaged(Format::Wav, missing))
}

/// Samples of a `data` chunk.
fn sample_bytes<'a>(bytes: &'a [u8], chunk: &Chunk<'a>, long: Option<u64>) -> &'a [u8] {
    let rest = &bytes[chunk.start..];
    match (chunk.length, long) {
        (UNKNOWN, Some(length)) => {
            &rest[..usize::try_from(length).map_or(rest.len(), |length| length.min(rest.len()))]
        }
        // Nobody came back to fill it in.
        (0, _) if Order::Little.u32(bytes, 4).is_some_and(|riff| riff <= 36) => rest,
        _ => chunk.body,
    }
}

/// Reads a `fmt ` chunk.
fn format_chunk(body: &[u8], order: Order) -> Result<Layout, RecordingError> {
    const PCM: u16 = 1;
    const FLOAT: u16 = 3;
    const A_LAW: u16 = 6;
    const MU_LAW: u16 = 7;
    const EXTENSIBLE: u16 = 0xfffe;

    let header = || {
        Some((
            order.u16(body, 0)?,
            usize::from(order.u16(body, 2)?),
            order.u32(body, 4)?,
            usize::from(order.u16(body, 12)?),
            usize::from(order.u16(body, 14)?),
        ))
    };
    let damaged = |problem| RecordingError::damaged(Format::Wav, problem);
    let (mut tag, channels, sample_rate, frame_bytes, bits) =
        header().ok_or_else(|| damaged("its header is cut off"))?;
    if channels == 0 {
        return Err(damaged("it has no channels"));
    }
    if tag == EXTENSIBLE {
        // The first two bytes of the sub-format, the rest of which is always the same.
        tag = order.u16(body, 24).ok_or_else(|| damaged("its header is cut off"))?;
    }
    // 20 bits may lie in three bytes or in four.
    let least = bits.div_ceil(8);
    let bytes = Some(frame_bytes / channels).filter(|bytes| (least..=4).contains(bytes));
    let bytes = bytes.unwrap_or(least);
    let encoding = match (tag, bytes) {
        (PCM, 1) => Some(Encoding::Unsigned8),
        (PCM, bytes) => Encoding::signed(bytes),
        (FLOAT, 4) => Some(Encoding::Float32),
        (FLOAT, 8) => Some(Encoding::Float64),
        (A_LAW, _) => Some(Encoding::ALaw),
        (MU_LAW, _) => Some(Encoding::MuLaw),
        _ => None,
    };
    let encoding = encoding.ok_or_else(|| RecordingError::Encoding {
        format: Format::Wav,
        encoding: match tag {
            PCM | FLOAT => format!("samples of {bits} bits"),
            2 | 0x11 => "ADPCM compression".to_owned(),
            0x31 => "GSM compression".to_owned(),
            0x50 | 0x55 => "MPEG compression".to_owned(),
            tag => format!("compression {tag:#06x}"),
        },
    })?;
    Ok(Layout { encoding, order, channels, sample_rate })
}

/// A chunk of a RIFF or an IFF file.
pub(super) struct Chunk<'a> {
    pub(super) name: [u8; 4],
    /// As the file says.
    pub(super) length: u32,
    /// Where its body begins.
    pub(super) start: usize,
    /// What there is of it.
    pub(super) body: &'a [u8],
}

/// The chunks of a RIFF or an IFF file, as far as there are whole headers.
pub(super) struct Chunks<'a> {
    bytes: &'a [u8],
    order: Order,
    at: usize,
}

impl<'a> Chunks<'a> {
    pub(super) fn new(bytes: &'a [u8], order: Order) -> Self {
        // Behind `RIFF`, the length of all, and `WAVE`.
        Self { bytes, order, at: 12 }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let name = *self.bytes.get(self.at..)?.first_chunk()?;
        let length = self.order.u32(self.bytes, self.at + 4)?;
        let start = self.at + 8;
        let end = start.saturating_add(length as usize);
        // Chunks begin at even places.
        self.at = end.saturating_add(length as usize & 1);
        let body = &self.bytes[start..end.min(self.bytes.len())];
        Some(Chunk { name, length, start, body })
    }
}
