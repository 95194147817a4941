//! AU, the format of Sun and NeXT, in which GTZAN came.
//!
//! Six numbers, big-endian unless the first says otherwise: `.snd`, where the
//! samples begin, their length in bytes, the encoding, the rate, the channels.
//! A note follows, then the samples.

use super::format::Format;
use super::pcm::{Encoding, Layout, Order};
use super::{Recording, RecordingError};

/// Length of the six numbers.
const HEADER_BYTES: usize = 24;

pub(super) fn read(bytes: &[u8], memory: Vec<f32>) -> Result<Recording, RecordingError> {
    let order = if bytes.starts_with(b"dns.") { Order::Little } else { Order::Big };
    let damaged = |problem| RecordingError::damaged(Format::Au, problem);
    let number =
        |index: usize| order.u32(bytes, 4 * index).ok_or_else(|| damaged("its header is cut off"));
    let (start, length) = (number(1)? as usize, number(2)?);
    let (code, sample_rate, channels) = (number(3)?, number(4)?, number(5)?);
    if channels == 0 {
        return Err(damaged("it has no channels"));
    }
    let encoding = encoding(code)?;
    // A broken header might begin within itself.
    let rest = bytes.get(start.max(HEADER_BYTES)..).unwrap_or_default();
    let data = match length {
        // Unknown to a writer to a pipe.
        u32::MAX => rest,
        length => &rest[..rest.len().min(length as usize)],
    };
    Layout { encoding, order, channels: channels as usize, sample_rate }.decode(data, memory)
}

fn encoding(code: u32) -> Result<Encoding, RecordingError> {
    let named = |encoding: String| Err(RecordingError::Encoding { format: Format::Au, encoding });
    Ok(match code {
        1 => Encoding::MuLaw,
        2 => Encoding::Signed8,
        3 => Encoding::Signed16,
        4 => Encoding::Signed24,
        5 => Encoding::Signed32,
        6 => Encoding::Float32,
        7 => Encoding::Float64,
        27 => Encoding::ALaw,
        23..=26 => return named("ADPCM compression".to_owned()),
        code => return named(format!("encoding {code}")),
    })
}
