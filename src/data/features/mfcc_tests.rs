//! MFCCs against librosa's own.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;

use super::super::bank::frames_of;
use super::*;
use crate::data::MelBands;
use crate::data::npy::tests::read_f32;

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
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/data/testdata")
}

fn computed(samples: &[f32], settings: &MfccSettings) -> Frames {
    let mfcc = Mfcc::new(settings);
    mfcc.coefficients(samples, &mut mfcc.scratch()).unwrap()
}

#[test]
fn coefficients_are_librosas() {
    let signal = read_f32(&testdata().join("signal.npy")).1;
    let cases = std::fs::read(testdata().join("mfcc/cases.json")).unwrap();
    let cases: BTreeMap<String, Case> = serde_json::from_slice(&cases).unwrap();
    assert_eq!(cases.len(), 7);
    for (name, case) in cases {
        let Case { sample_rate, n_mfcc, n_fft, hop_length, n_mels, scale, take } = case;
        let bands = MelBands { sample_rate, n_fft, hop_length, n_mels };
        let samples = take.map_or(&signal[..], |take| &signal[3000..3000 + take]);
        let samples: Vec<f32> =
            samples.iter().map(|sample| sample * scale.unwrap_or(1.0)).collect();
        let Frames { values, frames } =
            computed(&samples, &MfccSettings { bands, n_mfcc, frames: None });
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
    let bands = MelBands { sample_rate: 22_050, n_fft: 512, hop_length: 256, n_mels: 16 };
    let settings = MfccSettings { bands, n_mfcc: 4, frames: None };
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_transform_keeps_all_that_the_bands_say(
        bands in prop::collection::vec(-80.0_f32..0.0, 1..40),
    ) {
        let n_mels = bands.len() as u32;
        let settings = MelBands { sample_rate: 8000, n_fft: 128, hop_length: 64, n_mels };
        let mfcc = Mfcc::new(&MfccSettings { bands: settings, n_mfcc: n_mels, frames: None });
        let mut values = Vec::new();
        mfcc.push_transformed(&bands, &mut values);
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
        let bands = MelBands { sample_rate: 8000, n_fft, hop_length, n_mels };
        let first = computed(&samples, &MfccSettings { bands, n_mfcc, frames });
        let expected = frames.map_or(frames_of(samples.len(), &bands), |frames| frames as usize);
        prop_assert_eq!(first.frames, expected);
        prop_assert_eq!(first.values.len(), expected * n_mfcc as usize);
        prop_assert!(first.values.iter().all(|value| value.is_finite()));
    }
}
