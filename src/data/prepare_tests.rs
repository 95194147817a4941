//! Folders of recordings, good and bad, brought into a cache.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::super::npy::tests::{read_f32, read_i64};
use super::super::recording::tests::wav_16;
use super::super::{Quiet, SynthSettings, known_ahead};
use super::*;

/// Three classes of four recordings, each of 0.1 s, and a cache.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        for (class, name) in ["blues", "folk", "jazz"].into_iter().enumerate() {
            for clip in 0..4 {
                place.write(
                    &format!("{name}/{clip}.wav"),
                    &tone(8000, 100 * (class + 1) + clip, 800),
                );
            }
        }
        place
    }

    fn audio(&self) -> PathBuf {
        self.folder.path().join("audio")
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.audio().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn settings(&self) -> DataSettings {
        DataSettings {
            source: Source::Audio(self.audio()),
            classes: None,
            features: MelSettings {
                sample_rate: 8000,
                n_fft: 128,
                hop_length: 64,
                n_mels: 10,
                frames: Some(12),
                db: true,
            },
            split: SplitSettings { test: 0.25, validation: 0.34, seed: 1 },
        }
    }

    fn prepare(&self, settings: &DataSettings) -> Result<Prepared, DataError> {
        prepare(settings, &self.cache(), &Quiet)
    }
}

fn tone(sample_rate: u32, frequency: usize, samples: usize) -> Vec<u8> {
    let samples: Vec<i16> = (0..samples)
        .map(|n| {
            let angle = std::f64::consts::TAU * (frequency * n) as f64 / f64::from(sample_rate);
            (angle.sin() * 20_000.0) as i16
        })
        .collect();
    wav_16(sample_rate, &samples)
}

fn tracks(prepared: &Prepared) -> Vec<String> {
    serde_json::from_slice(&fs::read(prepared.path.join("tracks.json")).unwrap()).unwrap()
}

/// Counts what preparation tells.
#[derive(Default)]
struct Heard(Mutex<BTreeMap<String, (u64, u64)>>, Mutex<String>);

impl Progress for Heard {
    fn begin(&self, what: &str, total: u64) {
        *self.1.lock().unwrap() = what.to_owned();
        self.0.lock().unwrap().insert(what.to_owned(), (0, total));
    }

    fn step(&self) {
        let what = self.1.lock().unwrap().clone();
        self.0.lock().unwrap().get_mut(&what).unwrap().0 += 1;
    }

    fn end(&self) {
        self.1.lock().unwrap().clear();
    }
}

impl Heard {
    fn phases(&self) -> Vec<(String, (u64, u64))> {
        assert!(self.1.lock().unwrap().is_empty(), "a phase was left open");
        self.0.lock().unwrap().clone().into_iter().collect()
    }
}

#[test]
fn a_folder_becomes_arrays() {
    let place = Place::new();
    let Prepared { path, manifest, cached } = place.prepare(&place.settings()).unwrap();
    assert!(!cached);
    assert_eq!(path, place.cache().join("datasets").join(&manifest.digest));
    assert_eq!(manifest.digest.len(), 64);
    assert_eq!(manifest.classes, ["blues", "folk", "jazz"]);
    assert_eq!(manifest.input_shape, [10, 12, 1]);
    assert_eq!((manifest.examples, manifest.train), (12, 6));
    assert_eq!((manifest.validation, manifest.test), (3, 3));
    assert_eq!(manifest.skipped, []);

    let (shape, values) = read_f32(&path.join("x.npy"));
    assert_eq!(shape, [12, 10, 12, 1]);
    assert!(values.iter().all(|value| (-80.0..=0.0).contains(value)));
    assert_eq!(read_i64(&path.join("y.npy")), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    let mut rows = read_i64(&path.join("train.npy"));
    rows.extend(read_i64(&path.join("validation.npy")));
    rows.extend(read_i64(&path.join("test.npy")));
    rows.sort_unstable();
    assert_eq!(rows, (0..12).collect::<Vec<i64>>());
    let written: Manifest =
        serde_json::from_slice(&fs::read(path.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(written, manifest);

    // Rows are in the order of the tracks.
    let prepared = Prepared { path, manifest, cached };
    assert_eq!(tracks(&prepared)[5], "folk/1.wav");
    let mel = Mel::new(&place.settings().features);
    let samples = recording::decode(tone(8000, 201, 800)).unwrap().samples;
    let row = mel.spectrogram(&samples, &mut mel.scratch()).unwrap();
    assert_eq!(values[5 * 120..6 * 120], row.values);
}

#[test]
fn the_second_time_nothing_is_computed() {
    let place = Place::new();
    let (first, second) = (Heard::default(), Heard::default());
    let made = prepare(&place.settings(), &place.cache(), &first).unwrap();
    let found = prepare(&place.settings(), &place.cache(), &second).unwrap();
    assert_eq!(found, Prepared { cached: true, ..made });
    let phase = |what: &str| (what.to_owned(), (12, 12));
    assert_eq!(first.phases(), [phase("computing spectrograms"), phase("reading recordings")]);
    assert_eq!(second.phases(), [phase("reading recordings")]);
}

#[test]
fn the_digest_follows_content_and_settings_but_not_the_place() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let settings = place.settings();
    let digest =
        |place: &Place, settings: &DataSettings| place.prepare(settings).unwrap().manifest.digest;
    let original = digest(&place, &settings);
    assert_eq!(digest(&elsewhere, &elsewhere.settings()), original);

    let mut others = vec![settings.clone(); 3];
    others[0].features.hop_length = 63;
    others[1].split.seed = 2;
    others[2].classes = Some(vec!["jazz".to_owned(), "blues".to_owned()]);
    for other in &others {
        assert_ne!(digest(&place, other), original);
    }
    let all = Some(["jazz", "folk", "blues"].map(str::to_owned).to_vec());
    assert_eq!(digest(&place, &DataSettings { classes: all, ..settings.clone() }), original);

    place.write("folk/1.wav", &tone(8000, 999, 800));
    assert_ne!(digest(&place, &settings), original);
}

#[test]
fn only_the_asked_classes_are_used() {
    let place = Place::new();
    let classes = Some(vec!["jazz".to_owned(), "blues".to_owned()]);
    let settings = DataSettings { classes, ..place.settings() };
    let manifest = place.prepare(&settings).unwrap().manifest;
    assert_eq!(manifest.classes, ["blues", "jazz"]);
    assert_eq!(manifest.examples, 8);
}

#[test]
fn unreadable_recordings_are_skipped_and_listed() {
    let place = Place::new();
    place.write("blues/0-empty.wav", b"");
    place.write("blues/1-text.wav", b"not audio at all");
    place.write("folk/cut.wav", &tone(8000, 100, 800)[..30]);
    place.write("folk/short.wav", &tone(8000, 100, 20));
    place.write("jazz/song.mp3", b"ID3");
    place.write("jazz/notes.txt", b"left in silence");
    let prepared = place.prepare(&place.settings()).unwrap();
    assert_eq!(prepared.manifest.examples, 12);
    let skipped: Vec<(&str, &str)> = prepared
        .manifest
        .skipped
        .iter()
        .map(|skipped| (skipped.path.to_str().unwrap(), skipped.reason.as_str()))
        .collect();
    assert_eq!(skipped.len(), 5, "{skipped:?}");
    assert_eq!(skipped[0], ("blues/0-empty.wav", "the file is empty"));
    assert_eq!(skipped[1], ("blues/1-text.wav", "not a WAV file"));
    assert_eq!(skipped[2].0, "folk/cut.wav");
    assert!(skipped[3].1.starts_with("too short: 20 samples"), "{skipped:?}");
    assert_eq!(skipped[4], ("jazz/song.mp3", "not a WAV file"));
    assert!(place.prepare(&place.settings()).unwrap().cached);
}

#[test]
fn a_class_left_with_too_little_is_named_with_a_reason() {
    let place = Place::new();
    place.write("folk/0.wav", b"");
    place.write("folk/1.wav", b"");
    let error = place.prepare(&place.settings()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "class `folk` has too few readable recordings for this split: 2 of at least 3"
    );
    assert_eq!(error.hint().unwrap(), "skipped `folk/0.wav`: the file is empty");
    // Nothing half-made is left.
    assert_eq!(fs::read_dir(place.cache().join("datasets")).unwrap().count(), 0);
}

#[test]
fn different_lengths_need_a_frame_count() {
    let place = Place::new();
    place.write("jazz/1.wav", &tone(8000, 100, 1600));
    let mut settings = place.settings();
    settings.features.frames = None;
    let error = place.prepare(&settings).unwrap_err();
    assert_eq!(error.to_string(), "`blues/0.wav` has 13 frames and `jazz/1.wav` has 26");
    assert!(error.hint().unwrap().contains("`frames: 13`"));

    place.write("jazz/1.wav", &tone(8000, 100, 800));
    assert_eq!(place.prepare(&settings).unwrap().manifest.input_shape, [10, 13, 1]);
}

#[test]
fn other_rates_are_resampled() {
    let place = Place::new();
    place.write("jazz/1.wav", &tone(44_100, 301, 4410));
    let mut settings = place.settings();
    settings.features.frames = None;
    let prepared = place.prepare(&settings).unwrap();
    assert_eq!(prepared.manifest.input_shape, [10, 13, 1]);
}

#[test]
fn a_damaged_dataset_is_made_again() {
    let place = Place::new();
    let prepare = || place.prepare(&place.settings()).unwrap();
    let made = prepare();
    let whole = fs::read(made.path.join("x.npy")).unwrap();
    let damages: [&dyn Fn(&Path); 6] = [
        &|path| fs::write(path.join("manifest.json"), b"{").unwrap(),
        &|path| fs::remove_file(path.join("manifest.json")).unwrap(),
        &|path| fs::remove_file(path.join("train.npy")).unwrap(),
        &|path| fs::remove_file(path.join("tracks.json")).unwrap(),
        &|path| fs::write(path.join("x.npy"), &whole[..whole.len() - 1]).unwrap(),
        &|path| {
            let other = Manifest { digest: "0".repeat(64), ..made.manifest.clone() };
            write_json(&path.join("manifest.json"), &other).unwrap();
        },
    ];
    for damage in damages {
        damage(&made.path);
        assert_eq!(prepare(), made);
        assert_eq!(fs::read(made.path.join("x.npy")).unwrap(), whole);
        assert!(prepare().cached);
    }
    assert_eq!(fs::read_dir(place.cache().join("datasets")).unwrap().count(), 1);
}

#[test]
fn preparing_at_once_succeeds_everywhere() {
    let place = Place::new();
    let settings = place.settings();
    let all: Vec<Prepared> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| place.prepare(&settings).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.windows(2).all(|two| two[0].manifest == two[1].manifest));
    assert_eq!(fs::read_dir(place.cache().join("datasets")).unwrap().count(), 1);
    assert!(place.prepare(&settings).unwrap().cached);
}

#[test]
fn made_up_recordings_take_the_same_way() {
    let place = Place::new();
    let made_up = SynthSettings { classes: 3, clips: 3, seconds: 0.3, seed: 4 };
    let mut settings = DataSettings { source: Source::Synthetic(made_up), ..place.settings() };
    settings.features.frames = None;
    for sample_rate in [22_050, 16_000] {
        settings.features.sample_rate = sample_rate;
        let made = place.prepare(&settings).unwrap();
        assert!(place.prepare(&settings).unwrap().cached);
        let known = known_ahead(&settings).unwrap();
        assert_eq!(known, (made.manifest.input_shape.clone(), made.manifest.classes.clone()));
        assert_eq!(known.1, ["ambient", "blues", "chiptune"]);
        assert_eq!(tracks(&made)[8], "chiptune/chiptune.00002.wav");
    }
    settings.classes = Some(vec!["blues".to_owned(), "ambient".to_owned()]);
    let made = place.prepare(&settings).unwrap();
    assert_eq!(known_ahead(&settings).unwrap().1, made.manifest.classes);
}

#[test]
fn what_the_file_says_is_known_ahead() {
    let place = Place::new();
    let settings = place.settings();
    assert_eq!(known_ahead(&settings), None);
    let classes = Some(vec!["b".to_owned(), "a".to_owned()]);
    let named = DataSettings { classes, ..settings };
    assert_eq!(known_ahead(&named), Some((vec![10, 12, 1], vec!["a".to_owned(), "b".to_owned()])));
    let mut free = named.clone();
    free.features.frames = None;
    assert_eq!(known_ahead(&free), None);
    let mut broken = named;
    broken.features.hop_length = 0;
    assert_eq!(known_ahead(&broken), None);
}

#[test]
fn impossible_settings_are_refused_with_their_name() {
    let place = Place::new();
    type Change = fn(&mut DataSettings);
    let changes: [(&str, Change); 8] = [
        ("features.mel.hop_length", |settings| settings.features.hop_length = 0),
        ("features.mel.n_fft", |settings| settings.features.n_fft = u32::MAX),
        ("features.mel.n_mels", |settings| settings.features.n_mels = 0),
        ("features.mel.sample_rate", |settings| settings.features.sample_rate = 0),
        ("features.mel.frames", |settings| settings.features.frames = Some(0)),
        ("split.test", |settings| settings.split.test = 1.0),
        ("split.validation", |settings| settings.split.validation = f64::NAN),
        ("classes", |settings| settings.classes = Some(vec![])),
    ];
    for (field, change) in changes {
        let mut settings = place.settings();
        change(&mut settings);
        let error = place.prepare(&settings).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`data.{field}`: ")), "{error}");
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let place = Place::new();
    fs::write(place.cache(), b"a file").unwrap();
    let error = place.prepare(&place.settings()).unwrap_err().to_string();
    assert!(error.starts_with("cannot create `") && error.contains("cache"), "{error}");
}

#[test]
fn the_cache_is_where_the_environment_says() {
    let with = |variables: &[(&str, &str)]| {
        cache_dir_of(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| PathBuf::from(value))
        })
    };
    let all = [("SWEEP_CACHE", "/s"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
    assert_eq!(with(&all), Path::new("/s"));
    assert_eq!(with(&all[1..]), Path::new("/x/sweep"));
    assert_eq!(with(&all[2..]), Path::new("/h/.cache/sweep"));
    assert_eq!(with(&[("XDG_CACHE_HOME", "relative"), all[2]]), Path::new("/h/.cache/sweep"));
    assert_eq!(with(&[]), env::temp_dir().join("sweep-cache"));
}
