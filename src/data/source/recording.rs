//! One recording: from the bytes of a WAV file to mono samples at the wanted rate.
//!
//! The same as `librosa.load`: integers are scaled to [-1, 1), channels are
//! averaged, and only then is the signal resampled. A file that ends before its
//! header says so gives what is there. Bytes are never trusted: whatever they
//! say, the result is samples or a reason.

use std::io::Cursor;
use std::panic;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

use crate::data::settings::SAMPLE_RATES;

/// Longest recording, in samples: three hours at 22 050 Hz, one GiB.
const MAX_SAMPLES: usize = 1 << 28;

/// Samples at the lower rate that the resampler transforms at once, at least:
/// its filter then begins less than 1 % below the Nyquist frequency.
const RESAMPLER_SAMPLES: u32 = 2048;

/// Mono samples.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) struct Recording {
    /// In [-1, 1] unless the file holds louder floats.
    pub(in crate::data) samples: Vec<f32>,
    /// In Hz.
    pub(in crate::data) sample_rate: u32,
    /// How many channels were averaged.
    pub(in crate::data) channels: u32,
}

/// Why a recording cannot be used; the `reason` in the manifest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(in crate::data) enum RecordingError {
    #[error("the file is empty")]
    EmptyFile,
    #[error("not a WAV file")]
    NotWav,
    #[error("{0}")]
    Damaged(String),
    #[error("the header makes no sense")]
    Header,
    #[error("no samples")]
    NoSamples,
    #[error("holds samples that are not finite numbers")]
    NotFinite,
    #[error("longer than {MAX_SAMPLES} samples")]
    TooLong,
    #[error("a sample rate of {0} Hz is not supported")]
    SampleRate(u32),
    #[error("cannot resample from {from} Hz to {to} Hz: {problem}")]
    Resampling { from: u32, to: u32, problem: String },
}

/// Decodes a WAV file: PCM of 8, 16, 24 or 32 bits, floats of 32 or 64 bits,
/// A-law or mu-law; any number of channels.
pub(in crate::data) fn decode(bytes: Vec<u8>) -> Result<Recording, RecordingError> {
    if bytes.is_empty() {
        return Err(RecordingError::EmptyFile);
    }
    if !bytes.starts_with(b"RIFF") {
        return Err(RecordingError::NotWav);
    }
    // The decoder computes with numbers of the header, and in debug builds an
    // overflow panics. A broken file must not end the whole preparation.
    panic::catch_unwind(|| decode_riff(bytes)).unwrap_or(Err(RecordingError::Header))
}

fn decode_riff(bytes: Vec<u8>) -> Result<Recording, RecordingError> {
    let damaged = |error: Error| RecordingError::Damaged(error.to_string());
    let source =
        MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default());
    let mut format: Box<dyn FormatReader> = symphonia::default::get_probe()
        .probe(
            Hint::new().with_extension("wav"),
            source,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(damaged)?;
    let parameters = format
        .default_track(TrackType::Audio)
        .and_then(|track| track.codec_params.as_ref())
        .and_then(|parameters| parameters.audio())
        .ok_or(RecordingError::Header)?;
    let sample_rate = parameters.sample_rate.ok_or(RecordingError::Header)?;
    if !SAMPLE_RATES.contains(&sample_rate) {
        return Err(RecordingError::SampleRate(sample_rate));
    }
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(damaged)?;
    let (samples, channels) = read_mono(&mut *format, &mut *decoder)?;
    if samples.is_empty() {
        return Err(RecordingError::NoSamples);
    }
    if !samples.iter().all(|sample| sample.is_finite()) {
        return Err(RecordingError::NotFinite);
    }
    Ok(Recording { samples, sample_rate, channels })
}

/// All samples, averaged over channels, and how many channels there were.
fn read_mono(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
) -> Result<(Vec<f32>, u32), RecordingError> {
    let mut samples = Vec::new();
    let mut most_channels = 0;
    let mut interleaved: Vec<f32> = Vec::new();
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok((samples, most_channels as u32)),
            // Truncated in the middle of a frame; memory has no other failure.
            Err(Error::IoError(_)) => return Ok((samples, most_channels as u32)),
            Err(error) => return Err(RecordingError::Damaged(error.to_string())),
        };
        let block = match decoder.decode(&packet) {
            Ok(block) => block,
            Err(error) => return Err(RecordingError::Damaged(error.to_string())),
        };
        let channels = block.num_planes();
        if channels == 0 {
            return Err(RecordingError::Header);
        }
        most_channels = most_channels.max(channels);
        block.copy_to_vec_interleaved(&mut interleaved);
        let mean = |frame: &[f32]| frame.iter().sum::<f32>() / channels as f32;
        samples.extend(interleaved.chunks_exact(channels).map(mean));
        if samples.len() > MAX_SAMPLES {
            return Err(RecordingError::TooLong);
        }
    }
}

/// Number of samples after resampling, rounded up as in librosa.
pub(in crate::data) fn resampled_len(samples: usize, from: u32, to: u32) -> usize {
    if from == to {
        return samples;
    }
    // The same floating-point operations as librosa's, for the same rounding.
    (samples as f64 * (f64::from(to) / f64::from(from))).ceil() as usize
}

/// Brings a recording to `sample_rate`, with a filter that passes all but the
/// last per cent below the lower of the two Nyquist frequencies.
///
/// The result is aligned with the input: no delay.
pub(in crate::data) fn resample(
    recording: Recording,
    sample_rate: u32,
) -> Result<Vec<f32>, RecordingError> {
    let Recording { samples, sample_rate: from, channels: _ } = recording;
    if from == sample_rate {
        return Ok(samples);
    }
    let length = resampled_len(samples.len(), from, sample_rate);
    if length > MAX_SAMPLES {
        return Err(RecordingError::TooLong);
    }
    let failed = |problem: String| RecordingError::Resampling { from, to: sample_rate, problem };
    let divisor = greatest_common_divisor(from, sample_rate);
    // The resampler's delay is half a transform. An even number of periods makes
    // it a whole number of samples on both sides, so that it can be cut off.
    let period = from.min(sample_rate) / divisor;
    let periods = RESAMPLER_SAMPLES.div_ceil(period).next_multiple_of(2);
    let mut resampler = Fft::<f32>::new_custom(
        from as usize,
        sample_rate as usize,
        (from / divisor * periods) as usize,
        1,
        1,
        WindowFunction::BlackmanHarris2,
        FixedSync::Both,
    )
    .map_err(|error| failed(error.to_string()))?;
    let input = InterleavedSlice::new(&samples, 1, samples.len())
        .map_err(|error| failed(error.to_string()))?;
    let mut output = resampler
        .process_all(&input, samples.len(), None)
        .map_err(|error| failed(error.to_string()))?
        .take_data();
    output.resize(length, 0.0);
    Ok(output)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
pub(in crate::data) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::f64::consts::TAU;
    use std::path::Path;

    use hound::{SampleFormat, WavSpec, WavWriter};
    use proptest::prelude::*;

    use super::*;
    use crate::data::npy::tests::read_f32;

    fn wav<S: hound::Sample + Copy>(spec: WavSpec, samples: &[S]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        for &sample in samples {
            writer.write_sample(sample).unwrap();
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn spec(
        channels: u16,
        sample_rate: u32,
        bits_per_sample: u16,
        format: SampleFormat,
    ) -> WavSpec {
        WavSpec { channels, sample_rate, bits_per_sample, sample_format: format }
    }

    /// A mono file of 16 bits.
    pub(in crate::data) fn wav_16(sample_rate: u32, samples: &[i16]) -> Vec<u8> {
        wav(spec(1, sample_rate, 16, SampleFormat::Int), samples)
    }

    #[test]
    fn samples_are_those_of_librosa_load() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/data/testdata/wav");
        for name in ["pcm_u8", "pcm_16", "pcm_24", "pcm_32", "float", "double", "alaw", "ulaw"] {
            let bytes = std::fs::read(folder.join(format!("{name}.wav"))).unwrap();
            let recording = decode(bytes).unwrap();
            let (_, golden) = read_f32(&folder.join(format!("{name}.npy")));
            assert_eq!(recording.sample_rate, 22_050);
            assert_eq!(recording.samples, golden, "{name}");
        }
    }

    #[test]
    fn every_depth_is_scaled_to_one() {
        let int = SampleFormat::Int;
        let half = |bytes: Vec<u8>| decode(bytes.clone()).unwrap().samples;
        assert_eq!(half(wav(spec(1, 8000, 8, int), &[64_i8, -128])), [0.5, -1.0]);
        assert_eq!(half(wav(spec(1, 8000, 16, int), &[1 << 14, i16::MIN])), [0.5, -1.0]);
        assert_eq!(half(wav(spec(1, 8000, 24, int), &[1_i32 << 22, -(1 << 23)])), [0.5, -1.0]);
        assert_eq!(half(wav(spec(1, 8000, 32, int), &[1_i32 << 30, i32::MIN])), [0.5, -1.0]);
        let float = spec(1, 8000, 32, SampleFormat::Float);
        assert_eq!(half(wav(float, &[0.5_f32, -1.5])), [0.5, -1.5]);
    }

    #[test]
    fn channels_are_averaged() {
        let bytes = wav(spec(2, 44_100, 16, SampleFormat::Int), &[8192_i16, 0, -8192, -16384]);
        let recording = decode(bytes.clone()).unwrap();
        let samples = vec![0.125, -0.375];
        assert_eq!(recording, Recording { samples, sample_rate: 44_100, channels: 2 });
        let six = wav(spec(6, 8000, 16, SampleFormat::Int), &[6144_i16, 0, 0, 0, 0, 0]);
        assert_eq!(decode(six).unwrap().samples, [6144.0 / 32768.0 / 6.0]);
    }

    #[test]
    fn bad_files_have_a_reason() {
        assert_eq!(decode(b"".to_vec()), Err(RecordingError::EmptyFile));
        assert_eq!(decode(b"ID3\x03 something else".to_vec()), Err(RecordingError::NotWav));
        assert_eq!(decode(wav_16(8000, &[])), Err(RecordingError::NoSamples));
        assert!(decode(b"RIFF".to_vec()).is_err());
        assert!(decode(b"RIFF\xff\xff\xff\xffWAVE".to_vec()).is_err());
        let nan = wav(spec(1, 8000, 32, SampleFormat::Float), &[0.0_f32, f32::NAN]);
        assert_eq!(decode(nan), Err(RecordingError::NotFinite));
        assert_eq!(decode(wav_16(4_000_000, &[1])), Err(RecordingError::SampleRate(4_000_000)));
    }

    #[test]
    fn a_header_that_promises_too_much_gives_what_is_there() {
        let mut bytes = wav_16(8000, &[16384; 3000]);
        for (at, value) in [(4, u32::MAX - 8), (40, u32::MAX - 64)] {
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        // Two bytes are left of the last sample but one, one of the last.
        bytes.truncate(bytes.len() - 1);
        assert_eq!(decode(bytes.clone()).unwrap().samples, [0.5; 2999]);
    }

    proptest! {
        #[test]
        fn no_header_brings_the_decoder_down(
            changes in prop::collection::vec((0_usize..60, any::<u8>()), 1..12),
            length in 0_usize..120,
        ) {
            let mut bytes = wav_16(8000, &[1000; 30]);
            for (at, value) in changes {
                bytes[at] = value;
            }
            bytes.truncate(length.max(20));
            if let Ok(recording) = decode(bytes.clone()) {
                prop_assert!(recording.samples.len() <= bytes.len());
            }
        }
    }

    fn sine(frequency: f64, sample_rate: u32, samples: usize) -> Vec<f32> {
        (0..samples)
            .map(|n| (TAU * frequency * n as f64 / f64::from(sample_rate)).sin() as f32)
            .collect()
    }

    fn resampled(samples: Vec<f32>, from: u32, to: u32) -> Vec<f32> {
        resample(Recording { samples, sample_rate: from, channels: 1 }, to).unwrap()
    }

    #[test]
    fn resampling_keeps_tones_where_they_are() {
        for (from, to) in [(44_100, 22_050), (48_000, 22_050), (16_000, 22_050), (22_050, 16_000)] {
            for frequency in [100.0, 1000.0, 7000.0] {
                let output = resampled(sine(frequency, from, from as usize), from, to);
                let ideal = sine(frequency, to, to as usize);
                assert_eq!(output.len(), ideal.len());
                // The ends see the silence around the recording.
                let inner = to as usize / 10..to as usize * 9 / 10;
                let worst = output[inner.clone()]
                    .iter()
                    .zip(&ideal[inner])
                    .map(|(a, b)| (a - b).abs())
                    .fold(0.0, f32::max);
                assert!(worst < 1e-4, "{from} to {to}, {frequency} Hz: {worst}");
            }
        }
    }

    #[test]
    fn resampling_down_removes_what_would_alias() {
        let output = resampled(sine(15_000.0, 44_100, 44_100), 44_100, 22_050);
        let loudest = output[2205..19_845].iter().fold(0.0_f32, |loudest, s| loudest.max(s.abs()));
        assert!(loudest < 1e-4, "{loudest}");
    }

    #[test]
    fn resampled_lengths_are_librosas() {
        // `int(np.ceil(n * (to / from)))` in Python.
        assert_eq!(resampled_len(661_500, 22_050, 16_000), 480_000);
        assert_eq!(resampled_len(661_501, 22_050, 16_000), 480_001);
        assert_eq!(resampled_len(1, 48_000, 22_050), 1);
        assert_eq!(resampled_len(1000, 44_100, 22_050), 500);
        assert_eq!(resampled(vec![0.0; 1001], 44_100, 22_050).len(), 501);
        assert_eq!(resampled(vec![0.5], 48_000, 22_050).len(), 1);
        assert_eq!(resampled(vec![0.5; 9], 44_100, 44_100), [0.5; 9]);
    }

    #[test]
    fn rates_without_a_common_divisor_work() {
        assert_eq!(resampled(sine(440.0, 44_101, 5000), 44_101, 22_051).len(), 2501);
    }
}
