//! The `data` section: what its words mean, and what of it is odd.

use super::{FILE, good};
use crate::data::{
    ArrayFiles, ArraySettings, Channels, Crop, DataSettings, Features, Group, ImageSettings,
    MelBands, MelSettings, MfccSettings, Origin, Pad, RawSettings, RecordingSettings, Reference,
    Slices, Source, SplitSettings, TableSettings, Validation, Window, known_ahead,
};
use crate::experiment::Warning;

const BANDS: MelBands = MelBands {
    sample_rate: 22_050,
    n_fft: 2048,
    hop_length: 512,
    n_mels: 128,
    ..MelBands::LIBROSA
};

/// The good file with another `data` section; `data` is indented by two.
fn with_data(data: &str) -> String {
    let (before, rest) = FILE.split_once("data:\n").expect("the file has data");
    let (_, after) = rest.split_once("train:").expect("the file has training");
    format!("{before}data:\n{data}\ntrain:{after}")
}

fn data(data: &str) -> DataSettings {
    good(&with_data(data)).data
}

fn of_recordings(settings: &DataSettings) -> &RecordingSettings {
    let Source::Recordings(recordings) = &settings.source else { panic!("{settings:?}") };
    recordings
}

#[test]
fn what_is_left_out_is_as_in_librosa() {
    let expected = DataSettings {
        source: Source::Recordings(RecordingSettings {
            origin: Origin::Folder("clips".into()),
            clip: None,
            slices: Slices::Whole,
            features: Features::Mel(MelSettings { bands: BANDS, ..MelSettings::LIBROSA }),
        }),
        classes: None,
        split: SplitSettings {
            test: 0.2,
            validation: Validation::Share(0.1),
            seed: 42,
            group: Group::Track,
        },
    };
    assert_eq!(data("  audio: clips"), expected);
    assert_eq!(data("  audio: clips\n  features: mel\n  split: {}"), expected);
    for (features, expected) in [
        (
            "mfcc",
            Features::Mfcc(MfccSettings { bands: BANDS, n_mfcc: 20, ..MfccSettings::LIBROSA }),
        ),
        (
            "{mfcc: {n_mfcc: 13, n_fft: 1024, hop_length: 256, n_mels: 40, frames: 9}}",
            Features::Mfcc(MfccSettings {
                bands: MelBands { n_fft: 1024, hop_length: 256, n_mels: 40, ..BANDS },
                n_mfcc: 13,
                frames: Some(9),
                ..MfccSettings::LIBROSA
            }),
        ),
        (
            "{mel: {win_length: 400, window: ones, fmin: 20, fmax: 8000, htk: true, power: 1, \
             reference: 1, top_db: none, frames: 9, crop: center, pad: 0}}",
            Features::Mel(MelSettings {
                bands: MelBands {
                    win_length: Some(400),
                    window: Window::Rectangular,
                    fmin: 20.0,
                    fmax: Some(8000.0),
                    htk: true,
                    power: 1.0,
                    ..BANDS
                },
                frames: Some(9),
                crop: Crop::Center,
                pad: Pad::Value(0.0),
                db: true,
                reference: Reference::Power(1.0),
                top_db: None,
            }),
        ),
        // Said another way, and so the same dataset.
        (
            "{mel: {win_length: 2048, window: hann, fmin: 0, fmax: 11025, htk: false, power: 2, \
             reference: max, top_db: 80.0, db: true}}",
            Features::Mel(MelSettings::LIBROSA),
        ),
        (
            "{mel: {db: false, power: 0.5}}",
            Features::Mel(MelSettings {
                bands: MelBands { power: 0.5, ..BANDS },
                db: false,
                ..MelSettings::LIBROSA
            }),
        ),
        (
            "{mfcc: {lifter: 22, top_db: null, window: hamming, frames: 9, crop: end, pad: floor}}",
            Features::Mfcc(MfccSettings {
                bands: MelBands { window: Window::Hamming, ..BANDS },
                lifter: 22.0,
                frames: Some(9),
                crop: Crop::End,
                top_db: None,
                ..MfccSettings::LIBROSA
            }),
        ),
        ("raw", Features::Raw(RawSettings { sample_rate: 22_050, samples: None })),
        (
            "{raw: {sample_rate: 16000, samples: 100}}",
            Features::Raw(RawSettings { sample_rate: 16_000, samples: Some(100) }),
        ),
    ] {
        let settings = data(&format!("  audio: clips\n  features: {features}"));
        assert_eq!(of_recordings(&settings).features, expected);
    }
}

#[test]
fn a_table_is_a_file_or_a_file_with_options() {
    let expected = TableSettings {
        file: "t.csv".into(),
        label: "label".to_owned(),
        drop: Vec::new(),
        columns: None,
    };
    assert_eq!(data("  csv: t.csv").source, Source::Table(expected.clone()));
    assert_eq!(data("  csv: {file: t.csv}").source, Source::Table(expected.clone()));
    let table = TableSettings {
        label: "genre".to_owned(),
        drop: vec![String::new(), "length".to_owned()],
        columns: Some(57),
        ..expected
    };
    let lines = "  csv: {file: t.csv, label: genre, drop: [length, ''], columns: 57}";
    assert_eq!(data(lines).source, Source::Table(table));
    // What a class may be called is the table's matter.
    let classes = data("  csv: t.csv\n  classes: [R&B/soul, .hidden]").classes;
    assert_eq!(classes, Some(vec![".hidden".to_owned(), "R&B/soul".to_owned()]));
}

#[test]
fn images_are_square_or_of_height_and_width() {
    let settings = |options: &str| data(&format!("  images: {{folder: p, {options}}}")).source;
    let expected =
        ImageSettings { folder: "p".into(), height: 256, width: 256, channels: Channels::Rgb };
    assert_eq!(settings("size: 256"), Source::Images(expected.clone()));
    assert_eq!(settings("size: [256, 256], channels: 3"), Source::Images(expected.clone()));
    let other = ImageSettings { width: 432, channels: Channels::Gray, ..expected };
    assert_eq!(settings("size: [256, 432], channels: 1"), Source::Images(other));
}

#[test]
fn arrays_are_an_archive_or_files() {
    let settings = |value: &str| match data(&format!("  npy: {value}")).source {
        Source::Arrays(settings) => settings,
        other => panic!("{other:?}"),
    };
    let archive = |x: &str, groups: Option<&str>| ArraySettings {
        files: ArrayFiles::Archive {
            file: "a.npz".into(),
            x: x.to_owned(),
            y: "y".to_owned(),
            groups: groups.map(str::to_owned),
        },
        names: None,
    };
    assert_eq!(settings("a.npz"), archive("x", None));
    assert_eq!(settings("{file: a.npz}"), archive("x", None));
    assert_eq!(settings("{file: a.npz, x: X_train, groups: g}"), archive("X_train", Some("g")));
    let (x, y) = ("x.npy".into(), "y.npy".into());
    assert_eq!(
        settings("{x: x.npy, y: y.npy, names: [b, a]}"),
        ArraySettings {
            files: ArrayFiles::Apart { x, y, groups: None },
            names: Some(vec!["b".to_owned(), "a".to_owned()]),
        }
    );
}

#[test]
fn slices_are_given_by_length_or_by_number() {
    for (line, expected) in [
        ("slice: {seconds: 3}", Slices::Seconds(3.0)),
        ("slice: {seconds: 2.5}", Slices::Seconds(2.5)),
        ("slices: 15", Slices::Count(15)),
    ] {
        let settings = data(&format!("  audio: clips\n  clip: 29\n  {line}"));
        let recordings = of_recordings(&settings);
        assert_eq!((recordings.slices, recordings.clip), (expected, Some(29.0)));
    }
}

#[test]
fn the_pipelines_of_the_studies_are_known_without_their_data() {
    for (lines, shape) in [
        (
            "audio: data/gtzan
  features: {mel: {sample_rate: 22050, n_fft: 2048, hop_length: 1024, n_mels: 128, frames: 660}}",
            vec![128, 660, 1],
        ),
        (
            "audio: data/gtzan
  clip: 29
  slice: {seconds: 3}
  features: {mfcc: {n_mfcc: 13}}
  split: {group: none}",
            vec![130, 13, 1],
        ),
        ("audio: data/gtzan\n  slice: {seconds: 3}\n  features: raw", vec![66_150, 1]),
        ("csv: {file: features_30_sec.csv, drop: [filename, length], columns: 57}", vec![57]),
        ("images: {folder: images, size: [256, 256], channels: 3}", vec![256, 256, 3]),
        (
            "audio: data/gtzan
  slices: 15
  features: {mel: {n_mels: 80, frames: 80}}",
            vec![80, 80, 1],
        ),
    ] {
        let settings = data(&format!("  {lines}\n  classes: [blues, jazz, rock]"));
        let (known, classes) = known_ahead(&settings).expect("the file says it all");
        assert_eq!((known, classes.len()), (shape, 3));
    }
}

#[test]
fn a_leaky_split_is_one_warning_that_names_the_effect() {
    let warnings = |lines: &str| -> Vec<String> {
        let warnings = good(&with_data(lines)).warnings;
        warnings.iter().map(Warning::to_string).collect()
    };
    let leaky = "  audio: clips\n  slice: {seconds: 3}\n  split: {group: none}";
    let message = "slices of one recording come to lie on both sides of the split: the network is \
                   tested on music that it was trained on, and every `val_` metric looks better \
                   than it is; `group: track` keeps them together";
    assert_eq!(warnings(leaky), [format!("x.yaml:11: {message}")]);
    let made_up = "synthetic: {classes: 2, clips: 5, seconds: 6}";
    assert_eq!(warnings(&leaky.replace("audio: clips", made_up)).len(), 1);
    let arrays = "  npy: {x: x.npy, y: y.npy, groups: g.npy}\n  split: {group: none}";
    let message = "rows of one group come to lie on both sides of the split: the network is \
                   tested on rows that belong to those that it was trained on, and every `val_` \
                   metric looks better than it is; `group: track` keeps them together";
    assert_eq!(warnings(arrays), [format!("x.yaml:10: {message}")]);
    for harmless in [
        leaky.replace("none", "track"),
        leaky.replace("  slice: {seconds: 3}\n", ""),
        leaky.replace("slice: {seconds: 3}", "slices: 1"),
        arrays.replace("none", "track"),
        arrays.replace(", groups: g.npy", ""),
    ] {
        assert_eq!(warnings(&harmless), <[String; 0]>::default());
    }
}

#[test]
fn a_split_has_one_way_to_validate() {
    let validation =
        |split: &str| data(&format!("  audio: clips\n  split: {split}")).split.validation;
    assert_eq!(validation("{validation: 0.3}"), Validation::Share(0.3));
    assert_eq!(validation("{validation_split: 0.1}"), Validation::Tail(0.1));
    assert_eq!(validation("{folds: 5}"), Validation::Folds(5));
}

#[test]
fn with_folds_each_trial_is_trained_on_each() {
    let folds = FILE.replace("test: 0.2", "test: 0.2, folds: 4");
    assert_eq!(good(&folds).settings.executions_per_trial, 4);
    let said = folds.replace("algorithm: random", "algorithm: random, executions_per_trial: 4");
    assert_eq!(good(&said).settings.executions_per_trial, 4);
    let other = said.replace("executions_per_trial: 4", "executions_per_trial: 3");
    let error = crate::experiment::parse(&other, "x.yaml".as_ref());
    let error = error.expect_err("three are not four");
    assert_eq!(
        error.to_string(),
        "x.yaml:3: each trial is trained once on each of the 4 folds of `data.split`"
    );
    assert_eq!(error.hint.as_deref(), Some("leave it out"));
}
