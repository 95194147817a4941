//! Where slices begin and end, and what examples of them look like.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::data::{MelBands, MelSettings, MfccSettings, Origin};

fn raw(slices: Slices, clip: Option<f64>) -> RecordingSettings {
    let features = Features::Raw(RawSettings { sample_rate: 1000, samples: None });
    RecordingSettings { origin: Origin::Folder("audio".into()), clip, slices, features }
}

/// What slices of a recording hold: its samples are numbered from 0.
fn sliced(settings: &RecordingSettings, samples: usize) -> Result<Vec<Vec<f32>>, String> {
    let samples: Vec<f32> = (0..samples).map(|n| n as f32).collect();
    let recordings = Recordings::new(settings);
    let examples = recordings
        .examples(&samples, &mut recordings.scratch())
        .map_err(|error| error.to_string())?;
    let length = examples.shape[0];
    assert_eq!(examples.shape, [length, 1]);
    Ok(examples.values.chunks(length).map(<[f32]>::to_vec).collect())
}

fn range(range: std::ops::Range<u16>) -> Vec<f32> {
    range.map(f32::from).collect()
}

#[test]
fn slices_follow_one_another_from_the_beginning() {
    let by_length = |samples, clip| sliced(&raw(Slices::Seconds(0.003), clip), samples);
    assert_eq!(by_length(8, None).unwrap(), [range(0..3), range(3..6)]);
    assert_eq!(by_length(9, None).unwrap(), [range(0..3), range(3..6), range(6..9)]);
    assert_eq!(by_length(9, Some(0.0088)).unwrap().len(), 3, "rounded to 9 samples");
    assert_eq!(by_length(9, Some(0.007)).unwrap(), [range(0..3), range(3..6)]);
    assert_eq!(by_length(3, Some(1.0)).unwrap(), [range(0..3)]);
    let error = by_length(2, None).unwrap_err();
    assert_eq!(error, "too short: 2 samples after resampling; at least 3 are needed");

    let by_count = |samples, clip| sliced(&raw(Slices::Count(3), clip), samples);
    assert_eq!(by_count(8, None).unwrap(), [range(0..2), range(2..4), range(4..6)]);
    // Five would fit.
    assert_eq!(by_count(5, None).unwrap(), [range(0..1), range(1..2), range(2..3)]);
    assert_eq!(by_count(9, Some(0.006)).unwrap(), [range(0..2), range(2..4), range(4..6)]);
    let error = by_count(2, None).unwrap_err();
    assert_eq!(error, "too short: 2 samples after resampling; at least 3 are needed");

    let whole = |samples, clip| sliced(&raw(Slices::Whole, clip), samples);
    assert_eq!(whole(7, None).unwrap(), [range(0..7)]);
    assert_eq!(whole(7, Some(0.004)).unwrap(), [range(0..4)]);
}

#[test]
fn a_sample_count_cuts_or_pads_with_silence() {
    let mut settings = raw(Slices::Seconds(0.003), None);
    settings.features = Features::Raw(RawSettings { sample_rate: 1000, samples: Some(2) });
    assert_eq!(sliced(&settings, 7).unwrap(), [range(0..2), range(3..5)]);
    settings.features = Features::Raw(RawSettings { sample_rate: 1000, samples: Some(4) });
    assert_eq!(sliced(&settings, 7).unwrap(), [vec![0.0, 1.0, 2.0, 0.0], vec![3.0, 4.0, 5.0, 0.0]]);
    assert_eq!(shape_ahead(&settings, None), Some(vec![4, 1]));
}

#[test]
fn a_slice_is_as_if_it_were_a_file_of_its_own() {
    let samples: Vec<f32> =
        (0..4000).map(|n| (n as f32 / 4000.0) * (n as f32 * 0.3).sin()).collect();
    let bands =
        MelBands { sample_rate: 1000, n_fft: 128, hop_length: 64, n_mels: 10, ..MelBands::LIBROSA };
    for features in [
        Features::Mel(MelSettings { bands, ..MelSettings::LIBROSA }),
        Features::Mfcc(MfccSettings { bands, n_mfcc: 4, ..MfccSettings::LIBROSA }),
    ] {
        let settings = RecordingSettings { features, ..raw(Slices::Count(4), None) };
        let recordings = Recordings::new(&settings);
        let mut scratch = recordings.scratch();
        let all = recordings.examples(&samples, &mut scratch).unwrap();
        let alone = RecordingSettings { slices: Slices::Whole, ..settings.clone() };
        let alone = Recordings::new(&alone);
        let expected: Vec<f32> = samples
            .chunks(1000)
            .flat_map(|slice| alone.examples(slice, &mut scratch).unwrap().values)
            .collect();
        assert_eq!(all.values, expected);
        assert_eq!(Some(all.shape), shape_ahead(&settings, Some(4000)));
    }
}

proptest! {
    #[test]
    fn the_shape_ahead_is_the_shape_that_comes_out(
        samples in 1_usize..3000,
        clip in prop::option::of(0.001_f64..3.0),
        slices in prop_oneof![
            Just(Slices::Whole),
            (0.001_f64..3.0).prop_map(Slices::Seconds),
            (1_u32..40).prop_map(Slices::Count),
        ],
        kind in 0..3,
        length in prop::option::of(1_u32..300),
    ) {
        let bands = MelBands { sample_rate: 1000, n_fft: 32, hop_length: 20, n_mels: 6, ..MelBands::LIBROSA };
        let features = match kind {
            0 => Features::Mel(MelSettings { bands, frames: length, ..MelSettings::LIBROSA }),
            1 => Features::Mfcc(MfccSettings { bands, n_mfcc: 3, frames: length, ..MfccSettings::LIBROSA }),
            _ => Features::Raw(RawSettings { sample_rate: 1000, samples: length }),
        };
        let settings = RecordingSettings { features, ..raw(slices, clip) };
        let recordings = Recordings::new(&settings);
        let waveform = vec![0.1; samples];
        let result = recordings.examples(&waveform, &mut recordings.scratch());
        prop_assert_eq!(result.is_ok(), example_samples(&settings, samples).is_ok());
        if let Ok(examples) = result {
            let ahead = shape_ahead(&settings, Some(samples));
            prop_assert_eq!(Some(&examples.shape), ahead.as_ref());
            let rows = examples.values.len() / examples.shape.iter().product::<usize>();
            prop_assert_eq!(rows * examples.shape.iter().product::<usize>(), examples.values.len());
            let expected = match slices {
                Slices::Whole => 1,
                Slices::Count(count) => count as usize,
                Slices::Seconds(seconds) => {
                    clipped(&settings, samples) / samples_of(&settings, seconds)
                }
            };
            prop_assert_eq!(rows, expected);
        }
    }
}
