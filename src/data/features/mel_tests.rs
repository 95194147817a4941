//! Spectrograms against librosa's own.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;

use super::super::bank::{Scratch, frames_of};
use super::super::filters::Scale;
use super::*;
use crate::data::npy::tests::read_f32;
use crate::data::source::recording::testing::decode;
use crate::data::source::recording::{Recording, resample};
use crate::data::{MelBands, Pad, Reference, Window};

const BANDS: MelBands =
    MelBands { sample_rate: 8000, n_fft: 64, hop_length: 32, n_mels: 5, ..MelBands::LIBROSA };
const SMALL: MelSettings = MelSettings { bands: BANDS, ..MelSettings::LIBROSA };

/// What `scripts/golden/mel.py` says about a golden file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    sample_rate: u32,
    n_fft: u32,
    hop_length: u32,
    n_mels: u32,
    #[serde(default = "yes")]
    db: bool,
    scale: Option<f32>,
    take: Option<usize>,
    from: Option<u32>,
    signal: Option<String>,
    win_length: Option<u32>,
    #[serde(default = "hann")]
    window: Window,
    #[serde(default)]
    fmin: f64,
    fmax: Option<f64>,
    #[serde(default)]
    htk: bool,
    #[serde(default = "two")]
    power: f64,
    reference: Option<f64>,
    #[serde(default = "eighty")]
    top_db: Option<f64>,
}

fn hann() -> Window {
    Window::Hann
}

fn two() -> f64 {
    2.0
}

fn eighty() -> Option<f64> {
    Some(80.0)
}

fn yes() -> bool {
    true
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/data/testdata")
}

fn signal() -> Vec<f32> {
    read_f32(&testdata().join("signal.npy")).1
}

/// A spectrogram by its bands.
#[derive(Debug, PartialEq)]
struct Frames {
    values: Vec<f32>,
    frames: usize,
}

/// One of the signals that are WAV files.
pub(in crate::data::features) fn named_signal(name: &str) -> Vec<f32> {
    let path = testdata().join(format!("signals/{name}.wav"));
    decode(std::fs::read(path).unwrap()).unwrap().samples
}

fn computed(samples: &[f32], settings: &MelSettings) -> Frames {
    let mel = Mel::new(settings);
    spectrogram(&mel, samples, &mut Scratch::default()).unwrap()
}

fn spectrogram(mel: &Mel, samples: &[f32], scratch: &mut Scratch) -> Result<Frames, Unusable> {
    let mut values = Vec::new();
    let frames = mel.append(samples, scratch, &mut values)?;
    Ok(Frames { values, frames })
}

impl Case {
    fn settings(&self) -> MelSettings {
        let Self { sample_rate, n_fft, hop_length, win_length, window, n_mels, .. } = *self;
        let Self { fmin, fmax, htk, power, db, top_db, .. } = *self;
        let bands = MelBands {
            sample_rate,
            n_fft,
            hop_length,
            win_length,
            window,
            n_mels,
            fmin,
            fmax,
            htk,
            power,
        };
        let reference = self.reference.map_or(Reference::Max, Reference::Power);
        MelSettings { bands, db, reference, top_db, ..MelSettings::LIBROSA }
    }

    fn samples(&self) -> Vec<f32> {
        let mut samples = self.signal.as_deref().map_or_else(signal, named_signal);
        if let Some(take) = self.take {
            samples = samples[3000..3000 + take].to_vec();
        }
        let scale = self.scale.unwrap_or(1.0);
        samples.iter_mut().for_each(|sample| *sample *= scale);
        match self.from {
            Some(sample_rate) => {
                let recording = Recording { samples, sample_rate, channels: 1 };
                resample(recording, self.sample_rate).unwrap()
            }
            None => samples,
        }
    }
}

#[test]
fn spectrograms_are_librosas() {
    let cases = std::fs::read(testdata().join("cases.json")).unwrap();
    let cases: BTreeMap<String, Case> = serde_json::from_slice(&cases).unwrap();
    assert_eq!(cases.len(), 51);
    for (name, case) in cases {
        let Frames { values, frames } = computed(&case.samples(), &case.settings());
        let (shape, golden) = read_f32(&testdata().join(format!("{name}.npy")));
        assert_eq!(shape, [case.n_mels as usize, frames], "{name}");

        // Resamplers differ in what they leave of the last tenth below the Nyquist
        // frequency, and in what they leave of what they remove.
        let (highest, lowest, tolerance) = match case.from {
            Some(from) => (0.45 * f64::from(from.min(case.sample_rate)), -60.0, 0.02),
            None => (f64::INFINITY, f32::NEG_INFINITY, 1e-3),
        };
        let mut worst = 0.0_f32;
        for (row, (value, &golden)) in values.iter().zip(&golden).enumerate() {
            let edge = (row / frames + 2) as f64 / f64::from(case.n_mels + 1);
            let upper = Scale::Slaney
                .hertz_of(edge * Scale::Slaney.mel_of(f64::from(case.sample_rate) / 2.0));
            if upper < highest && golden > lowest {
                // Power is compared as decibels are: by its ratio.
                let error =
                    if case.db || golden == 0.0 { value - golden } else { value / golden - 1.0 };
                worst = worst.max(error.abs());
            }
        }
        assert!(worst < tolerance, "{name}: {worst}");
    }
}

#[test]
fn a_frame_count_cuts_the_end_or_fills_it_with_the_floor() {
    let samples = &signal()[2400..7200];
    let bands = MelBands { sample_rate: 22_050, n_fft: 512, n_mels: 10, ..BANDS };
    let settings = MelSettings { bands, ..SMALL };
    for db in [true, false] {
        let settings = MelSettings { db, ..settings.clone() };
        let free = computed(samples, &settings);
        assert_eq!(free.frames, 151);
        let floor = if db { free.values.iter().copied().fold(0.0, f32::min) } else { 0.0 };
        for wanted in [7_usize, 151, 200] {
            let settings = MelSettings { frames: Some(wanted as u32), ..settings.clone() };
            let fixed = computed(samples, &settings);
            assert_eq!(fixed.frames, wanted);
            for (free, fixed) in free.values.chunks(151).zip(fixed.values.chunks(wanted)) {
                let kept = wanted.min(151);
                assert_eq!(fixed[..kept], free[..kept]);
                assert!(fixed[kept..].iter().all(|&value| value == floor));
            }
        }
    }
}

#[test]
fn a_crop_keeps_the_middle_or_the_end_and_a_number_fills() {
    let samples = &signal()[2400..7200];
    let bands = MelBands { sample_rate: 22_050, n_fft: 512, n_mels: 10, ..BANDS };
    for db in [true, false] {
        let settings = MelSettings { bands, db, pad: Pad::Value(-7.5), ..SMALL };
        let free = computed(samples, &settings);
        for (crop, first) in [(Crop::Start, 0), (Crop::Center, 70), (Crop::End, 141)] {
            let at = |frames| MelSettings { frames: Some(frames), crop, ..settings.clone() };
            let cut = computed(samples, &at(10));
            for (free, cut) in free.values.chunks(151).zip(cut.values.chunks(10)) {
                assert_eq!(*cut, free[first..first + 10]);
            }
            let filled = computed(samples, &at(153));
            for (free, filled) in free.values.chunks(151).zip(filled.values.chunks(153)) {
                assert_eq!(filled[..151], *free);
                assert_eq!(filled[151..], [-7.5; 2]);
            }
        }
    }
}

#[test]
fn what_is_beyond_all_numbers_is_refused() {
    let mel = Mel::new(&SMALL);
    let mut scratch = Scratch::default();
    let mut samples = [0.1; 100];
    samples[50] = 1e30;
    let error = spectrogram(&mel, &samples, &mut scratch).unwrap_err();
    assert_eq!(
        error.to_string(),
        "too loud: the power of its frames is beyond all numbers of 32 bits"
    );
    samples[50] = 1e15;
    let Frames { values, .. } = spectrogram(&mel, &samples, &mut scratch).unwrap();
    assert!(values.iter().all(|value| value.is_finite()));
}

#[test]
fn decibels_refer_to_the_whole_recording_also_where_it_is_cut() {
    let mut samples = vec![0.01_f32; 4000];
    samples[3900] = 1.0;
    let settings = MelSettings { frames: Some(2), ..SMALL };
    let quiet = computed(&samples, &settings);
    assert!(quiet.values.iter().all(|&value| value < -5.0), "{:?}", quiet.values);
}

#[test]
fn less_than_half_a_window_is_too_short() {
    let mel = Mel::new(&SMALL);
    let mut scratch = Scratch::default();
    let error = spectrogram(&mel, &[0.1; 31], &mut scratch).unwrap_err();
    assert_eq!(error.to_string(), "too short: 31 samples after resampling; at least 32 are needed");
    assert_eq!(spectrogram(&mel, &[0.1; 32], &mut scratch).unwrap().frames, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_settings_give_finite_numbers_of_the_promised_shape(
        n_fft in 2_u32..300,
        hop_length in 1_u32..400,
        n_mels in 1_u32..40,
        frames in prop::option::of(1_u32..20),
        db: bool,
        (win_share, fmin, width) in (0.0_f64..1.0, 0.0_f64..3000.0, 1.0_f64..1000.0),
        (htk, power) in (any::<bool>(), 0.1_f64..4.0),
        window in prop::sample::select(vec![Window::Hann, Window::Parzen, Window::Bohman, Window::Triang]),
        crop in prop::sample::select(vec![Crop::Start, Crop::Center, Crop::End]),
        top_db in prop::option::of(0.0_f64..200.0),
        samples in prop::collection::vec(-1.0_f32..1.0, 150..700),
    ) {
        let bands = MelBands {
            sample_rate: 8000,
            n_fft,
            hop_length,
            win_length: Some(1 + (f64::from(n_fft - 1) * win_share) as u32),
            window,
            n_mels,
            fmin,
            fmax: Some(fmin + width),
            htk,
            power,
        };
        let settings = MelSettings { bands, frames, crop, db, top_db, ..MelSettings::LIBROSA };
        let mel = Mel::new(&settings);
        let mut scratch = Scratch::default();
        let first = spectrogram(&mel, &samples, &mut scratch).unwrap();
        prop_assert_eq!(first.values.len(), n_mels as usize * first.frames);
        let expected = frames.map_or(frames_of(samples.len(), &settings.bands), |frames| frames as usize);
        prop_assert_eq!(first.frames, expected);
        prop_assert!(first.values.iter().all(|value| value.is_finite()));
        // Nothing is left in the buffers that changes the next result.
        prop_assert_eq!(spectrogram(&mel, &samples, &mut scratch).unwrap(), first);
    }
}
