//! What the studies' settings say about their examples.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::data::{
    Channels, Features, Group, ImageSettings, MelBands, MelSettings, MfccSettings, RawSettings,
    Slices, SplitSettings, SynthSettings, TableSettings, Validation,
};

const BANDS: MelBands = MelBands {
    sample_rate: 22_050,
    n_fft: 2048,
    hop_length: 512,
    n_mels: 128,
    ..MelBands::LIBROSA
};

fn mfcc() -> Features {
    Features::Mfcc(MfccSettings { bands: BANDS, n_mfcc: 13, ..MfccSettings::LIBROSA })
}

fn raw() -> Features {
    Features::Raw(RawSettings { sample_rate: 22_050, samples: None })
}

fn settings(source: Source) -> DataSettings {
    DataSettings {
        source,
        classes: Some(vec!["rock".to_owned(), "jazz".to_owned()]),
        split: SplitSettings {
            test: 0.2,
            validation: Validation::Share(0.1),
            seed: 42,
            group: Group::Track,
        },
    }
}

fn recordings(features: Features, slices: Slices, clip: Option<f64>) -> DataSettings {
    let origin = Origin::Folder("data/gtzan".into());
    settings(Source::Recordings(RecordingSettings { origin, clip, slices, features }))
}

#[test]
fn the_studies_have_their_shapes() {
    let bands = MelBands { hop_length: 1024, ..BANDS };
    let study_a = Features::Mel(MelSettings { bands, frames: Some(660), ..MelSettings::LIBROSA });
    let bands = MelBands { n_mels: 80, ..BANDS };
    let study_e = Features::Mel(MelSettings { bands, frames: Some(80), ..MelSettings::LIBROSA });
    let three = Slices::Seconds(3.0);
    let table = TableSettings {
        file: "features_30_sec.csv".into(),
        label: "label".to_owned(),
        drop: vec!["filename".to_owned(), "length".to_owned()],
        columns: Some(57),
    };
    let images = ImageSettings {
        folder: "images_original".into(),
        height: 256,
        width: 256,
        channels: Channels::Rgb,
    };
    for (settings, shape) in [
        (recordings(study_a, Slices::Whole, None), vec![128, 660, 1]),
        (recordings(mfcc(), three, Some(29.0)), vec![130, 13, 1]),
        (recordings(raw(), three, None), vec![66_150, 1]),
        (recordings(mfcc(), three, None), vec![130, 13, 1]),
        (recordings(study_e, Slices::Count(15), None), vec![80, 80, 1]),
        (settings(Source::Table(table)), vec![57]),
        (settings(Source::Images(images)), vec![256, 256, 3]),
    ] {
        let classes = vec!["jazz".to_owned(), "rock".to_owned()];
        assert_eq!(known_ahead(&settings), Some((shape.clone(), classes.clone())));
        // No data are there, and none are needed.
        assert_eq!(survey(&settings).unwrap(), (shape, classes));
    }
}

#[test]
fn what_depends_on_the_data_is_not_known() {
    let whole = recordings(mfcc(), Slices::Whole, None);
    assert_eq!(known_ahead(&whole), None);
    // Shorter recordings stay as they are.
    assert_eq!(known_ahead(&recordings(mfcc(), Slices::Whole, Some(29.0))), None);
    assert_eq!(known_ahead(&recordings(raw(), Slices::Count(15), None)), None);
    let all = DataSettings { classes: None, ..recordings(raw(), Slices::Seconds(3.0), None) };
    assert_eq!(known_ahead(&all), None);
}

#[test]
fn all_of_what_is_made_up_is_known() {
    let made_up = SynthSettings { classes: 2, clips: 3, seconds: 6.0, seed: 0 };
    for (slices, clip, length) in [
        (Slices::Whole, None, 132_300),
        (Slices::Whole, Some(4.0), 88_200),
        (Slices::Whole, Some(29.0), 132_300),
        (Slices::Seconds(2.5), None, 55_125),
        (Slices::Count(4), Some(4.0), 22_050),
    ] {
        let origin = Origin::Synthetic(made_up);
        let recordings = RecordingSettings { origin, clip, slices, features: raw() };
        let settings = DataSettings { classes: None, ..settings(Source::Recordings(recordings)) };
        let (shape, classes) = known_ahead(&settings).unwrap();
        assert_eq!(shape, [length, 1]);
        assert_eq!(classes.len(), 2);
    }
}

#[test]
fn lengths_that_give_no_example_are_refused() {
    let made_up = SynthSettings { classes: 2, clips: 3, seconds: 2.0, seed: 0 };
    let origin = Origin::Synthetic(made_up);
    let slices = Slices::Seconds(3.0);
    let too_short = RecordingSettings { origin, clip: None, slices, features: mfcc() };
    for (settings, message) in [
        (
            settings(Source::Recordings(too_short)),
            "`data.synthetic.seconds`: 2 s are too short: 44100 samples after resampling; at \
             least 66150 are needed",
        ),
        (
            recordings(mfcc(), Slices::Seconds(3.0), Some(2.0)),
            "`data.clip`: 2 s are too short: 44100 samples after resampling; at least 66150 are \
             needed",
        ),
        (
            recordings(mfcc(), Slices::Seconds(0.01), None),
            "`data.slice.seconds`: 0.01 s are too short: 221 samples after resampling; at least \
             1024 are needed",
        ),
        (
            recordings(raw(), Slices::Seconds(-1.0), None),
            "`data.slice.seconds`: -1 is not in (0, 12000]",
        ),
        (recordings(raw(), Slices::Count(0), None), "`data.slices`: 0 is not in [1, 10000]"),
        (recordings(raw(), Slices::Whole, Some(f64::NAN)), "`data.clip`: NaN is not in (0, 12000]"),
    ] {
        assert_eq!(settings.check().unwrap_err().to_string(), message);
        assert_eq!(known_ahead(&settings), None);
        assert_eq!(survey(&settings).unwrap_err().to_string(), message);
    }
}
