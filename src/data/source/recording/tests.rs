//! What is decoded is what librosa decodes; what is not, says why.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::f64::consts::TAU;
use std::io::Cursor;
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};
use proptest::prelude::*;

use super::testing::decode;
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

fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16, format: SampleFormat) -> WavSpec {
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
