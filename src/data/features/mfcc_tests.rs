//! MFCCs against librosa's own.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;

use super::super::bank::{Scratch, frames_of};
use super::super::mel::tests::named_signal;
use super::*;
use crate::data::npy::tests::read_f32;
use crate::data::{Crop, MelBands, Window};

/// What `scripts/golden/mfcc.py` says about a golden file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    sample_rate: u32,
    n_mfcc: u32,
    n_fft: u32,
    hop_length: u32,
    n_mels: u32,
    scale: Option<f32>,
    take: Option<usize>,
    signal: Option<String>,
    win_length: Option<u32>,
    window: Option<Window>,
    fmin: Option<f64>,
    fmax: Option<f64>,
    #[serde(default)]
    htk: bool,
    power: Option<f64>,
    #[serde(default)]
    lifter: f64,
    #[serde(default = "eighty")]
    top_db: Option<f64>,
}

fn eighty() -> Option<f64> {
    MfccSettings::LIBROSA.top_db
}

impl Case {
    fn settings(&self) -> MfccSettings {
        let Self { sample_rate, n_mfcc, n_fft, hop_length, win_length, n_mels, .. } = *self;
        let Self { fmax, htk, lifter, top_db, .. } = *self;
        let bands = MelBands {
            sample_rate,
            n_fft,
            hop_length,
            win_length,
            window: self.window.unwrap_or(Window::Hann),
            n_mels,
            fmin: self.fmin.unwrap_or(0.0),
            fmax,
            htk,
            power: self.power.unwrap_or(2.0),
        };
        MfccSettings { bands, n_mfcc, lifter, top_db, ..MfccSettings::LIBROSA }
    }
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/data/testdata")
}

/// Coefficients by their frames.
#[derive(Debug, PartialEq)]
struct Frames {
    values: Vec<f32>,
    frames: usize,
}

fn computed(samples: &[f32], settings: &MfccSettings) -> Frames {
    let mfcc = Mfcc::new(settings);
    let mut values = Vec::new();
    let frames = mfcc.append(samples, &mut Scratch::default(), &mut values).unwrap();
    Frames { values, frames }
}

#[test]
fn coefficients_are_librosas() {
    let signal = read_f32(&testdata().join("signal.npy")).1;
    let cases = std::fs::read(testdata().join("mfcc/cases.json")).unwrap();
    let cases: BTreeMap<String, Case> = serde_json::from_slice(&cases).unwrap();
    assert_eq!(cases.len(), 26);
    for (name, case) in cases {
        let Case { n_mfcc, scale, take, .. } = case;
        let samples = case.signal.as_deref().map_or_else(|| signal.clone(), named_signal);
        let samples = take.map_or(&samples[..], |take| &samples[3000..3000 + take]);
        let samples: Vec<f32> =
            samples.iter().map(|sample| sample * scale.unwrap_or(1.0)).collect();
        let Frames { values, frames } = computed(&samples, &case.settings());
        let (shape, golden) = read_f32(&testdata().join(format!("mfcc/{name}.npy")));
        assert_eq!(shape, [frames, n_mfcc as usize], "{name}");
        for (row, (value, golden)) in values.iter().zip(&golden).enumerate() {
            // Coefficients are sums that may cancel; a tenth of a decibel is
            // the least that is told apart relatively.
            let error = (value - golden).abs() / golden.abs().max(0.1);
            assert!(error < 1e-3, "{name}, {row}: {value} instead of {golden}");
        }
    }
}

#[test]
fn a_frame_count_cuts_the_end_or_fills_it_with_the_floor() {
    let samples = &read_f32(&testdata().join("signal.npy")).1[2400..7200];
    let bands = MelBands {
        sample_rate: 22_050,
        n_fft: 512,
        hop_length: 256,
        n_mels: 16,
        ..MelBands::LIBROSA
    };
    let settings = MfccSettings { bands, n_mfcc: 4, ..MfccSettings::LIBROSA };
    let free = computed(samples, &settings);
    assert_eq!(free.frames, 19);
    for wanted in [3_usize, 19, 25] {
        let fixed =
            computed(samples, &MfccSettings { frames: Some(wanted as u32), ..settings.clone() });
        assert_eq!((fixed.frames, fixed.values.len()), (wanted, 4 * wanted));
        let kept = 4 * wanted.min(19);
        assert_eq!(fixed.values[..kept], free.values[..kept]);
        for frame in fixed.values[kept..].chunks(4) {
            // Bands of one height have nothing but a mean.
            assert!(frame[0] < 0.0 && frame[0] <= free.values[0], "{frame:?}");
            assert!(frame[1..].iter().all(|value| value.abs() < 1e-4), "{frame:?}");
        }
    }
}

#[test]
fn a_crop_keeps_the_middle_or_the_end_and_a_number_fills() {
    let samples = &read_f32(&testdata().join("signal.npy")).1[2400..7200];
    let bands = MelBands {
        sample_rate: 22_050,
        n_fft: 512,
        hop_length: 256,
        n_mels: 16,
        ..MelBands::LIBROSA
    };
    let settings = MfccSettings { bands, n_mfcc: 4, pad: Pad::Value(0.5), ..MfccSettings::LIBROSA };
    let free = computed(samples, &settings);
    for (crop, first) in [(Crop::Start, 0), (Crop::Center, 4), (Crop::End, 9)] {
        let at = |frames| MfccSettings { frames: Some(frames), crop, ..settings.clone() };
        let cut = computed(samples, &at(10));
        assert_eq!(cut.values, free.values[4 * first..4 * (first + 10)]);
        let filled = computed(samples, &at(20));
        assert_eq!(filled.values[..76], free.values);
        assert_eq!(filled.values[76..], [0.5; 4]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_transform_keeps_all_that_the_bands_say(
        bands in prop::collection::vec(-80.0_f32..0.0, 1..40),
    ) {
        let n_mels = bands.len() as u32;
        let settings = MelBands { sample_rate: 8000, n_fft: 128, hop_length: 64, n_mels, ..MelBands::LIBROSA };
        let mfcc = Mfcc::new(&MfccSettings { bands: settings, n_mfcc: n_mels, ..MfccSettings::LIBROSA });
        let columns: Vec<[f64; LANES]> = bands.iter().map(|&band| [f64::from(band); LANES]).collect();
        let mut values = vec![0.0; bands.len()];
        transform(&mfcc.cosines, &columns, &mut values);
        // Orthonormal: the transposed matrix is the inverse.
        for (band, &original) in bands.iter().enumerate() {
            let cosines = mfcc.cosines.iter().skip(band).step_by(bands.len());
            let back: f64 = values.iter().zip(cosines).map(|(&value, c)| f64::from(value) * c).sum();
            prop_assert!((back - f64::from(original)).abs() < 1e-3);
        }
    }

    #[test]
    fn any_settings_give_finite_numbers_of_the_promised_shape(
        n_fft in 2_u32..300,
        hop_length in 1_u32..400,
        n_mels in 1_u32..40,
        share in 0.0_f64..1.0,
        frames in prop::option::of(1_u32..20),
        samples in prop::collection::vec(-1.0_f32..1.0, 150..700),
    ) {
        let n_mfcc = 1 + (f64::from(n_mels - 1) * share) as u32;
        let bands = MelBands { sample_rate: 8000, n_fft, hop_length, n_mels, ..MelBands::LIBROSA };
        let first = computed(&samples, &MfccSettings { bands, n_mfcc, frames, ..MfccSettings::LIBROSA });
        let expected = frames.map_or(frames_of(samples.len(), &bands), |frames| frames as usize);
        prop_assert_eq!(first.frames, expected);
        prop_assert_eq!(first.values.len(), expected * n_mfcc as usize);
        prop_assert!(first.values.iter().all(|value| value.is_finite()));
    }
}
