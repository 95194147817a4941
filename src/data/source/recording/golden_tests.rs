//! Files of every format, written by soundfile, against what librosa reads.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::testing::decode;
use super::*;
use crate::data::npy::tests::read_f32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    sample_rate: u32,
    samples: usize,
    exact: bool,
}

/// The folder of `scripts/golden/audio.py`.
pub(in crate::data) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/data/testdata/audio")
}

#[test]
fn every_format_is_read_as_librosa_reads_it() {
    let cases = fs::read(folder().join("cases.json")).unwrap();
    let cases: BTreeMap<String, Case> = serde_json::from_slice(&cases).unwrap();
    assert!(cases.len() > 30);
    for (name, case) in cases {
        let recording = decode(fs::read(folder().join(&name)).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let (_, golden) = read_f32(&folder().join(format!("{name}.npy")));
        assert_eq!(recording.sample_rate, case.sample_rate, "{name}");
        assert_eq!(recording.samples.len(), case.samples, "{name}");
        let worst = recording
            .samples
            .iter()
            .zip(&golden)
            .map(|(sample, golden)| (sample - golden).abs())
            .fold(0.0, f32::max);
        let tolerance = if case.exact { 0.0 } else { 2e-6 };
        assert!(worst <= tolerance, "{name}: {worst}");
    }
}

#[test]
fn noise_is_resampled_as_librosa_does_it() {
    let folder = folder().join("resample");
    let (_, noise) = read_f32(&folder.join("noise.npy"));
    // In other ratios soxr has a second filter, whose passband is not quite flat.
    for (from, to, tolerance) in [
        (44_100, 22_050, 1e-6),
        (22_050, 44_100, 1e-6),
        (96_000, 16_000, 1e-3),
        (48_000, 22_050, 1e-3),
        (16_000, 22_050, 1e-3),
        (22_050, 16_000, 1e-3),
    ] {
        let recording = Recording { samples: noise.clone(), sample_rate: from, channels: 1 };
        let resampled = resample(recording, to).unwrap();
        let (_, golden) = read_f32(&folder.join(format!("{from}-{to}.npy")));
        assert_eq!(resampled.len(), golden.len());
        // Where the sound begins, that filter is cut off: not imitated.
        let worst = resampled
            .iter()
            .zip(&golden)
            .skip(4)
            .map(|(sample, golden)| (sample - golden).abs())
            .fold(0.0, f32::max);
        assert!(worst <= tolerance, "{from} to {to}: {worst}");
    }
}
