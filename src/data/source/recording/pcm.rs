//! Plain samples, as WAV, AIFF and AU hold them.

use super::{MAX_SAMPLES, Recording, RecordingError, check_finite, check_rate};

/// What a sample is made of. Integers of fewer bits than a whole number of
/// bytes fill their high bits, so that only the bytes matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Unsigned8,
    Signed8,
    Signed16,
    Signed24,
    Signed32,
    Float32,
    Float64,
    MuLaw,
    ALaw,
}

impl Encoding {
    /// A signed integer of so many bytes.
    pub(super) fn signed(bytes: usize) -> Option<Self> {
        Some(match bytes {
            1 => Self::Signed8,
            2 => Self::Signed16,
            3 => Self::Signed24,
            4 => Self::Signed32,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 | Self::Signed8 | Self::MuLaw | Self::ALaw => 1,
            Self::Signed16 => 2,
            Self::Signed24 => 3,
            Self::Signed32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }
}

/// Which byte of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// Two bytes at `at`; none where the bytes end before.
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let number = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(number),
            Self::Big => u16::from_be_bytes(number),
        })
    }

    /// Four bytes at `at`; none where the bytes end before.
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let number = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(number),
            Self::Big => u32::from_be_bytes(number),
        })
    }
}

/// How samples follow one another: frame by frame, in each the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) encoding: Encoding,
    pub(super) order: Order,
    /// Not zero.
    pub(super) channels: usize,
    /// In Hz.
    pub(super) sample_rate: u32,
}

impl Layout {
    /// The mean over channels of each whole frame.
    ///
    /// - `memory`: where they go, whatever it holds
    pub(super) fn decode(
        &self,
        data: &[u8],
        memory: Vec<f32>,
    ) -> Result<Recording, RecordingError> {
        let sample_rate = check_rate(self.sample_rate)?;
        if data.len() / (self.encoding.bytes() * self.channels) > MAX_SAMPLES {
            return Err(RecordingError::TooLong);
        }
        let little = self.order == Order::Little;
        let samples = match self.encoding {
            Encoding::Unsigned8 => {
                self.mono(data, memory, |[byte]| (f32::from(byte) - 128.0) / 128.0)
            }
            Encoding::Signed8 => {
                self.mono(data, memory, |byte| f32::from(i8::from_le_bytes(byte)) / 128.0)
            }
            Encoding::Signed16 if little => {
                self.mono(data, memory, |bytes| from_16(i16::from_le_bytes(bytes)))
            }
            Encoding::Signed16 => {
                self.mono(data, memory, |bytes| from_16(i16::from_be_bytes(bytes)))
            }
            Encoding::Signed24 if little => {
                self.mono(data, memory, |[a, b, c]| from_32(i32::from_le_bytes([0, a, b, c])))
            }
            Encoding::Signed24 => {
                self.mono(data, memory, |[a, b, c]| from_32(i32::from_be_bytes([a, b, c, 0])))
            }
            Encoding::Signed32 if little => {
                self.mono(data, memory, |bytes| from_32(i32::from_le_bytes(bytes)))
            }
            Encoding::Signed32 => {
                self.mono(data, memory, |bytes| from_32(i32::from_be_bytes(bytes)))
            }
            Encoding::Float32 if little => {
                check_finite(self.mono(data, memory, f32::from_le_bytes))?
            }
            Encoding::Float32 => check_finite(self.mono(data, memory, f32::from_be_bytes))?,
            Encoding::Float64 if little => {
                check_finite(self.mono(data, memory, |bytes| f64::from_le_bytes(bytes) as f32))?
            }
            Encoding::Float64 => {
                check_finite(self.mono(data, memory, |bytes| f64::from_be_bytes(bytes) as f32))?
            }
            Encoding::MuLaw => self.mono(data, memory, |[byte]| from_16(mu_law(byte))),
            Encoding::ALaw => self.mono(data, memory, |[byte]| from_16(a_law(byte))),
        };
        Ok(Recording { samples, sample_rate, channels: self.channels as u32 })
    }

    fn mono<const BYTES: usize>(
        &self,
        data: &[u8],
        mut memory: Vec<f32>,
        sample: impl Fn([u8; BYTES]) -> f32,
    ) -> Vec<f32> {
        let (samples, _) = data.as_chunks::<BYTES>();
        memory.clear();
        if self.channels == 1 {
            memory.extend(samples.iter().map(|&bytes| sample(bytes)));
        } else {
            let count = self.channels as f32;
            let mean = |frame: &[[u8; BYTES]]| {
                frame.iter().map(|&bytes| sample(bytes)).sum::<f32>() / count
            };
            memory.extend(samples.chunks_exact(self.channels).map(mean));
        }
        memory
    }
}

fn from_16(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

/// Rounded to the nearest float, as `libsndfile` does.
fn from_32(sample: i32) -> f32 {
    sample as f32 / 2_147_483_648.0
}

/// ITU-T G.711: sign, three bits of exponent and four of mantissa, all inverted.
fn mu_law(byte: u8) -> i16 {
    let code = !byte;
    let magnitude = ((i16::from(code & 0x0f) << 3) + 0x84) << (code >> 4 & 7);
    if code & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}

/// ITU-T G.711: the same, with every other bit inverted, and linear below the
/// second step.
fn a_law(byte: u8) -> i16 {
    let code = byte ^ 0x55;
    let mantissa = (i16::from(code & 0x0f) << 4) + 8;
    let magnitude = match code >> 4 & 7 {
        0 => mantissa,
        exponent => (mantissa + 0x100) << (exponent - 1),
    };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}
