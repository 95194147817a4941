//! FLAC, Vorbis and MP3, by way of symphonia.
//!
//! What an encoder put before and behind the sound is cut off, where the file
//! says how much. Of a lossy file a few frames may be damaged: they become
//! silence, so that what follows stays where it is. FLAC has no such frames,
//! but its last one may be cut off.

use std::io::Cursor;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::default::formats::{FlacReader, MpaReader, OggReader};

use super::format::Format;
use super::{MAX_SAMPLES, Recording, RecordingError, check_finite, check_rate};
use crate::data::source::panics;

/// A lossy file may have this share of damaged frames, one in so many.
const DAMAGED_SHARE: usize = 10;

/// Longest frame of any codec, in samples.
const MAX_FRAME: u64 = 1 << 16;

/// What a file is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Flac,
    Vorbis,
    Mp3,
}

impl Codec {
    fn format(self) -> Format {
        match self {
            Self::Flac => Format::Flac,
            Self::Vorbis => Format::Vorbis,
            Self::Mp3 => Format::Mp3,
        }
    }

    fn damaged(self, problem: impl Into<String>) -> RecordingError {
        RecordingError::damaged(self.format(), problem)
    }

    /// What the library says, without its name for the format in front.
    fn failed(self, error: &Error) -> RecordingError {
        let text = error.to_string();
        let text = text.rsplit_once(": ").map_or(text.as_str(), |(_, reason)| reason);
        self.damaged(text)
    }
}

/// Decodes a file; its header must have been looked at.
///
/// - `memory`: where samples go, whatever it holds
pub(super) fn read(
    codec: Codec,
    bytes: Vec<u8>,
    memory: Vec<f32>,
) -> Result<Recording, RecordingError> {
    panics::contain(|| decode(codec, bytes, memory))
        .unwrap_or_else(|_| Err(codec.damaged("it makes no sense")))
}

fn decode(codec: Codec, bytes: Vec<u8>, memory: Vec<f32>) -> Result<Recording, RecordingError> {
    let source =
        MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default());
    let options = FormatOptions::default();
    let format: Result<Box<dyn FormatReader>, Error> = match codec {
        Codec::Flac => FlacReader::try_new(source, options).map(|reader| Box::new(reader) as _),
        Codec::Vorbis => OggReader::try_new(source, options).map(|reader| Box::new(reader) as _),
        Codec::Mp3 => MpaReader::try_new(source, options).map(|reader| Box::new(reader) as _),
    };
    let mut format = match format {
        Ok(format) => format,
        // Cut off before the first sample.
        Err(Error::IoError(_)) => return Err(codec.damaged("it ends before its first sample")),
        Err(error) => return Err(codec.failed(&error)),
    };
    let senseless = || codec.damaged("its header makes no sense");
    let track = format.default_track(TrackType::Audio).ok_or_else(senseless)?;
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let parameters = parameters.ok_or_else(senseless)?;
    let sample_rate = check_rate(parameters.sample_rate.ok_or_else(senseless)?)?;
    let mut options = AudioDecoderOptions::default();
    options.gapless = knows_gaps(codec, track);
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &options)
        .map_err(|error| codec.failed(&error))?;
    let (samples, channels) = samples(codec, &mut *format, &mut *decoder, memory)?;
    Ok(Recording { samples, sample_rate, channels })
}

/// Whether what is to be cut off comes from the file, and is no estimate.
fn knows_gaps(codec: Codec, track: &Track) -> bool {
    match codec {
        Codec::Flac | Codec::Vorbis => true,
        Codec::Mp3 => track.delay.is_some(),
    }
}

/// All samples, averaged over channels, and how many channels there were.
fn samples(
    codec: Codec,
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    mut samples: Vec<f32>,
) -> Result<(Vec<f32>, u32), RecordingError> {
    samples.clear();
    let mut most_channels = 0;
    let mut interleaved: Vec<f32> = Vec::new();
    let (mut frames, mut damaged) = (0_usize, 0_usize);
    // What is wrong with the last frame, if it is.
    let mut failure = None;
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            // The end, or one in the middle of a frame: memory has no other failure. Another
            // stream that follows is not part of this recording.
            Ok(None) | Err(Error::IoError(_) | Error::ResetRequired) => break,
            Err(error) => return Err(codec.failed(&error)),
        };
        if let Some(error) = failure.take().filter(|_| codec == Codec::Flac) {
            return Err(codec.failed(&error));
        }
        frames += 1;
        match decoder.decode(&packet) {
            Ok(block) => {
                let channels = block.num_planes();
                if channels == 0 {
                    return Err(codec.damaged("it has no channels"));
                }
                most_channels = most_channels.max(channels);
                block.copy_to_vec_interleaved(&mut interleaved);
                let mean = |frame: &[f32]| frame.iter().sum::<f32>() / channels as f32;
                samples.extend(interleaved.chunks_exact(channels).map(mean));
            }
            Err(error) => {
                damaged += 1;
                failure = Some(error);
                if codec != Codec::Flac {
                    let silence = packet.dur.get().min(MAX_FRAME) as usize;
                    samples.resize(samples.len() + silence, 0.0);
                }
            }
        }
        if samples.len() > MAX_SAMPLES {
            return Err(RecordingError::TooLong);
        }
    }
    if damaged * DAMAGED_SHARE > frames && codec != Codec::Flac {
        return Err(codec.damaged(format!("{damaged} of {frames} frames cannot be decoded")));
    }
    Ok((check_finite(samples)?, most_channels as u32))
}
