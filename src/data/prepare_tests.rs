//! Folders of recordings, good and bad, brought into a cache.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::*;
use crate::data::npy::tests::{read_f32, read_i64, read_u8};
use crate::data::source::files::Extractor as _;
use crate::data::source::image::tests::png;
use crate::data::source::recording::tests::wav_16;
use crate::data::{
    ArrayFiles, ArraySettings, Channels, Features, ImageSettings, MelBands, MelSettings,
    MfccSettings, Pad, Quiet, RawSettings, RecordingSettings, Reference, Slices, Sound,
    SynthSettings, TableSettings, Validation, known_ahead, overview, survey,
};

const BANDS: MelBands =
    MelBands { sample_rate: 8000, n_fft: 128, hop_length: 64, n_mels: 10, ..MelBands::LIBROSA };

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
        self.with(mel(Some(12)), Slices::Whole)
    }

    fn with(&self, features: Features, slices: Slices) -> DataSettings {
        let origin = Origin::Folder(self.audio());
        DataSettings {
            source: Source::Recordings(RecordingSettings { origin, clip: None, slices, features }),
            classes: None,
            split: SplitSettings {
                test: 0.25,
                validation: Validation::Share(0.34),
                seed: 1,
                group: Group::Track,
            },
        }
    }

    fn prepare(&self, settings: &DataSettings) -> Result<Prepared, DataError> {
        prepare(settings, &self.cache(), &Quiet)
    }
}

fn mel(frames: Option<u32>) -> Features {
    Features::Mel(MelSettings { bands: BANDS, frames, ..MelSettings::LIBROSA })
}

fn raw() -> Features {
    Features::Raw(RawSettings { sample_rate: 8000, samples: None })
}

/// The settings with other bands.
fn with_bands(settings: &DataSettings, bands: MelBands) -> DataSettings {
    changed(settings, |recordings| {
        recordings.features =
            Features::Mel(MelSettings { bands, frames: Some(12), ..MelSettings::LIBROSA });
    })
}

/// The settings with another use of the recordings.
fn changed(settings: &DataSettings, change: impl FnOnce(&mut RecordingSettings)) -> DataSettings {
    let mut settings = settings.clone();
    let Source::Recordings(recordings) = &mut settings.source else { unreachable!() };
    change(recordings);
    settings
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
    stored_tracks(prepared).into_iter().map(|track| track.name).collect()
}

fn stored_tracks(prepared: &Prepared) -> Vec<Track> {
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
    let Prepared { path, manifest, cached, in_use } = place.prepare(&place.settings()).unwrap();
    assert!(!cached);
    assert_eq!(path, place.cache().join("datasets").join(&manifest.digest));
    assert_eq!(manifest.digest.len(), 64);
    assert_eq!(manifest.classes, ["blues", "folk", "jazz"]);
    assert_eq!(manifest.input_shape, [10, 12, 1]);
    assert_eq!((manifest.examples, manifest.tracks, manifest.learning()), (12, 12, 9));
    let parts = manifest.parts.iter().map(|part| (part.name.as_str(), &part.classes[..]));
    let sizes = [("train", &[2, 2, 2][..]), ("validation", &[1, 1, 1]), ("test", &[1, 1, 1])];
    assert!(parts.eq(sizes), "{:?}", manifest.parts);
    assert_eq!(manifest.skipped, []);

    let (shape, values) = read_f32(&path.join("x.npy"));
    assert_eq!(shape, [12, 10, 12, 1]);
    assert!(values.iter().all(|value| (-80.0..=0.0).contains(value)));
    assert_eq!(read_i64(&path.join("y.npy")), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    assert_eq!(read_i64(&path.join("groups.npy")), (0..12).collect::<Vec<i64>>());
    let mut rows = read_i64(&path.join("train.npy"));
    rows.extend(read_i64(&path.join("validation.npy")));
    rows.extend(read_i64(&path.join("test.npy")));
    rows.sort_unstable();
    assert_eq!(rows, (0..12).collect::<Vec<i64>>());
    let written: Manifest =
        serde_json::from_slice(&fs::read(path.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(written, manifest);

    // Rows are in the order of the tracks.
    let prepared = Prepared { path, manifest, cached, in_use };
    assert_eq!(tracks(&prepared)[5], "folk/1.wav");
    let settings = place.settings();
    let Source::Recordings(recordings) = &settings.source else { unreachable!() };
    let recordings = Recordings::new(recordings);
    let row = recordings.extract(&tone(8000, 201, 800), &mut recordings.scratch()).unwrap();
    assert_eq!(values[5 * 120..6 * 120], row.values);
}

/// How many examples are kept for the end.
fn tested(manifest: &Manifest) -> usize {
    manifest.part("test").unwrap().rows.len()
}

#[test]
fn parts_are_told_in_three_ways() {
    let place = Place::new();
    place.write("folk/a, \"b\".wav", &tone(8000, 100, 800));
    let mut settings = place.settings();
    settings.split.validation = Validation::Folds(3);
    let Prepared { path, manifest, .. } = place.prepare(&settings).unwrap();
    let names: Vec<&str> = manifest.parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["fold-1", "fold-2", "fold-3", "test"]);
    let lines = fs::read_to_string(path.join("splits.csv")).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[0], "row,track,class,part");
    for part in &manifest.parts {
        let rows = read_i64(&path.join(format!("{}.npy", part.name)));
        assert!(part.rows.iter().copied().eq(rows.iter().map(|row| row.cast_unsigned())));
        assert_eq!(part.classes.iter().sum::<u64>(), part.rows.len() as u64);
        for &row in &part.rows {
            let line = lines[row as usize + 1];
            assert!(line.starts_with(&format!("{row},")) && line.ends_with(&part.name), "{line}");
        }
    }
    assert!(lines.iter().any(|line| line.contains(r#","folk/a, ""b"".wav",folk,"#)), "{lines:?}");
    fs::remove_file(path.join("fold-2.npy")).unwrap();
    assert!(!place.prepare(&settings).unwrap().cached);

    settings.split.validation = Validation::Folds(4);
    let error = place.prepare(&settings).unwrap_err().to_string();
    assert!(error.ends_with("recordings for this split: 4 of at least 5"), "{error}");
}

#[test]
fn tracks_are_written_down_as_they_were_found() {
    let place = Place::new();
    place.write("folk/2.wav", &tone(16_000, 100, 4000));
    let settings = place.with(raw(), Slices::Seconds(0.0625));
    let prepared = place.prepare(&settings).unwrap();
    let tracks = stored_tracks(&prepared);
    assert_eq!(tracks.len(), 12);
    let sound = Sound { seconds: 0.1, clipped_seconds: 0.1, sample_rate: 8000, channels: 1 };
    assert_eq!(
        tracks[0],
        Track {
            name: "blues/0.wav".to_owned(),
            class: "blues".to_owned(),
            examples: 1,
            sound: Some(sound)
        }
    );
    let sound = Sound { seconds: 0.25, clipped_seconds: 0.25, sample_rate: 16_000, channels: 1 };
    assert_eq!((tracks[6].examples, tracks[6].sound.as_ref()), (4, Some(&sound)));

    let clipped = changed(&settings, |recordings| recordings.clip = Some(0.125));
    let tracks = stored_tracks(&place.prepare(&clipped).unwrap());
    let sound = tracks[6].sound.as_ref().unwrap();
    assert_eq!((sound.seconds, sound.clipped_seconds), (0.25, 0.125));
    assert_eq!(tracks[0].sound.as_ref().unwrap().clipped_seconds, 0.1);
}

#[test]
fn an_overview_counts_what_the_arrays_hold() {
    let place = Place::new();
    place.write("folk/2.wav", &tone(16_000, 100, 4000));
    place.write("jazz/0.wav", b"");
    let settings = place.with(raw(), Slices::Seconds(0.0625));
    let prepared = place.prepare(&settings).unwrap();
    let overview = overview(&settings.source, &prepared).unwrap();
    let labels = read_i64(&prepared.path.join("y.npy"));
    for (label, class) in overview.classes.iter().enumerate() {
        let count = |rows: &[i64]| {
            rows.iter().filter(|&&row| labels[row as usize] == label as i64).count() as u64
        };
        assert_eq!(class.examples, count(&(0..labels.len() as i64).collect::<Vec<_>>()));
        for (part, size) in overview.parts.iter().zip(&class.parts) {
            let rows = read_i64(&prepared.path.join(format!("{part}.npy")));
            assert_eq!(*size, count(&rows), "{part} of {}", class.name);
        }
    }
    let manifest = &prepared.manifest;
    let sizes = manifest.parts.iter().map(|part| part.rows.len() as u64);
    assert!(overview.total.parts.iter().copied().eq(sizes));
    let of = |class: usize| {
        let class = &overview.classes[class];
        (class.tracks, class.examples, class.skipped)
    };
    assert_eq!((of(0), of(1), of(2)), ((4, 4, 0), (4, 7, 0), (3, 3, 1)));
    let lengths = overview.classes[1].lengths.unwrap();
    assert!((lengths.total_seconds - 0.55).abs() < 1e-12);
    assert_eq!((lengths.shortest_seconds, lengths.median_seconds), (0.1, 0.1));
    assert_eq!(overview.formats[1].sample_rate, 16_000);
    assert_eq!(overview.shape(&manifest.input_shape), "500 samples x 1");
}

#[test]
fn slices_are_rows_that_know_their_recording() {
    let place = Place::new();
    place.write("folk/2.wav", &tone(8000, 100, 1700));
    let settings = place.with(raw(), Slices::Seconds(0.0625));
    let prepared = place.prepare(&settings).unwrap();
    let Prepared { path, manifest, .. } = &prepared;
    assert_eq!(manifest.input_shape, [500, 1]);
    assert_eq!((manifest.examples, manifest.tracks), (14, 12));
    let groups = read_i64(&path.join("groups.npy"));
    assert_eq!(groups, [0, 1, 2, 3, 4, 5, 6, 6, 6, 7, 8, 9, 10, 11]);
    assert_eq!(read_i64(&path.join("y.npy")), [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2]);
    assert_eq!(tracks(&prepared)[6], "folk/2.wav");

    let (shape, values) = read_f32(&path.join("x.npy"));
    assert_eq!(shape, [14, 500, 1]);
    let whole = place.prepare(&place.with(raw(), Slices::Whole)).unwrap_err().to_string();
    assert_eq!(
        whole,
        "`blues/0.wav` gives examples of shape (800, 1) and `folk/2.wav` of shape (1700, 1)"
    );
    // The third slice of `folk/2.wav` begins where the second ends.
    assert!((values[8 * 500] - values[7 * 500 + 499]).abs() < 0.1);

    // All rows of a recording are on one side.
    for set in ["train.npy", "validation.npy", "test.npy"] {
        let rows = read_i64(&path.join(set));
        let inside = rows.iter().filter(|row| (6..9).contains(*row)).count();
        assert!(inside == 0 || inside == 3, "{set}: {rows:?}");
    }
    assert!(place.prepare(&settings).unwrap().cached);
    fs::remove_file(path.join("groups.npy")).unwrap();
    assert!(!place.prepare(&settings).unwrap().cached);
}

#[test]
fn rows_are_divided_one_by_one_where_the_file_says_so() {
    let place = Place::new();
    let grouped = place.with(raw(), Slices::Count(8));
    let mut apart = grouped.clone();
    apart.split.group = Group::None;
    let leaks = [&grouped, &apart].map(|settings| {
        let manifest = place.prepare(settings).unwrap().manifest;
        (settings.leaks(), settings.leaks_in(&manifest))
    });
    assert_eq!(leaks, [(false, false), (true, true)]);
    let (grouped, apart) = (place.prepare(&grouped).unwrap(), place.prepare(&apart).unwrap());
    assert_ne!(grouped.manifest.digest, apart.manifest.digest);
    assert_eq!((apart.manifest.examples, tested(&apart.manifest)), (96, 24));
    let tracks_in = |prepared: &Prepared, set: &str| -> BTreeSet<i64> {
        let groups = read_i64(&prepared.path.join("groups.npy"));
        let rows = read_i64(&prepared.path.join(set));
        rows.iter().map(|&row| groups[row as usize]).collect()
    };
    let both = |prepared: &Prepared| {
        let test = tracks_in(prepared, "test.npy");
        tracks_in(prepared, "train.npy").intersection(&test).count()
    };
    assert_eq!(both(&grouped), 0);
    assert!(both(&apart) > 0);
}

#[test]
fn recordings_shorter_than_a_slice_are_skipped() {
    let place = Place::new();
    place.write("jazz/short.wav", &tone(8000, 100, 799));
    let prepared = place.prepare(&place.with(raw(), Slices::Seconds(0.1))).unwrap();
    assert_eq!(prepared.manifest.tracks, 12);
    assert_eq!(
        prepared.manifest.skipped[0].reason,
        "too short: 799 samples after resampling; at least 800 are needed"
    );
}

#[test]
fn a_clip_is_cut_before_it_is_sliced() {
    let place = Place::new();
    let settings = changed(&place.with(raw(), Slices::Seconds(0.025)), |recordings| {
        recordings.clip = Some(0.08);
    });
    let manifest = place.prepare(&settings).unwrap().manifest;
    // Three of four.
    assert_eq!((manifest.examples, manifest.tracks), (36, 12));
    assert_eq!(manifest.input_shape, [200, 1]);
}

#[test]
fn the_first_recording_tells_the_shape_where_the_file_does_not() {
    let place = Place::new();
    place.write("blues/0.wav", b"not audio");
    let mfcc = Features::Mfcc(MfccSettings { bands: BANDS, n_mfcc: 4, ..MfccSettings::LIBROSA });
    for (features, slices, shape) in [
        (mel(None), Slices::Whole, vec![10, 13, 1]),
        (mfcc, Slices::Count(2), vec![7, 4, 1]),
        (raw(), Slices::Count(3), vec![266, 1]),
    ] {
        let settings = place.with(features, slices);
        assert_eq!(known_ahead(&settings), None);
        let (surveyed, classes) = survey(&settings).unwrap();
        assert_eq!(surveyed, shape);
        let manifest = place.prepare(&settings).unwrap().manifest;
        assert_eq!((manifest.input_shape, manifest.classes), (surveyed, classes));
    }
    let settings = place.with(raw(), Slices::Seconds(1.0));
    let unusable = changed(&settings, |recordings| recordings.slices = Slices::Count(5000));
    let error = survey(&unusable).unwrap_err();
    assert!(error.to_string().starts_with("none of the recordings in `"), "{error}");
    assert_eq!(error.hint().unwrap(), "`blues/0.wav`: not a recording, or in an unknown format");
}

#[test]
fn the_second_time_nothing_is_computed() {
    let place = Place::new();
    let (first, second) = (Heard::default(), Heard::default());
    let made = prepare(&place.settings(), &place.cache(), &first).unwrap();
    let found = prepare(&place.settings(), &place.cache(), &second).unwrap();
    assert_eq!(found, Prepared { cached: true, ..made });
    let phase = |what: &str| (what.to_owned(), (12, 12));
    assert_eq!(first.phases(), [phase("computing features"), phase("reading recordings")]);
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

    let mut others = vec![settings.clone(); 2];
    others[0].split.seed = 2;
    others[1].classes = Some(vec!["jazz".to_owned(), "blues".to_owned()]);
    others.push(with_bands(&settings, MelBands { hop_length: 63, ..BANDS }));
    others.push(changed(&settings, |recordings| recordings.clip = Some(0.05)));
    others.push(changed(&settings, |recordings| recordings.slices = Slices::Count(1)));
    others.push(changed(&settings, |recordings| recordings.features = raw()));
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
    assert_eq!(skipped[1], ("blues/1-text.wav", "not a recording: its content is text"));
    assert_eq!(skipped[2].0, "folk/cut.wav");
    assert!(skipped[3].1.starts_with("too short: 20 samples"), "{skipped:?}");
    assert_eq!(skipped[4], ("jazz/song.mp3", "not a recording, or in an unknown format"));
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
        "class `folk` has too few usable recordings for this split: 2 of at least 3"
    );
    assert_eq!(error.hint().unwrap(), "skipped `folk/0.wav`: the file is empty");
    // Nothing half-made is left.
    assert_eq!(fs::read_dir(place.cache().join("datasets")).unwrap().count(), 0);
}

#[test]
fn different_lengths_need_a_frame_count() {
    let place = Place::new();
    place.write("jazz/1.wav", &tone(8000, 100, 1600));
    let settings = place.with(mel(None), Slices::Whole);
    let error = place.prepare(&settings).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`blues/0.wav` gives examples of shape (10, 13, 1) and `jazz/1.wav` of shape (10, 26, 1)"
    );
    assert!(error.hint().unwrap().contains("`frames: 13`"));

    place.write("jazz/1.wav", &tone(8000, 100, 800));
    assert_eq!(place.prepare(&settings).unwrap().manifest.input_shape, [10, 13, 1]);
}

#[test]
fn other_rates_are_resampled() {
    let place = Place::new();
    place.write("jazz/1.wav", &tone(44_100, 301, 4410));
    let settings = place.with(mel(None), Slices::Whole);
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
    let mut settings = place.with(mel(None), Slices::Whole);
    for (sample_rate, slices) in
        [(22_050, Slices::Whole), (16_000, Slices::Whole), (16_000, Slices::Seconds(0.07))]
    {
        let bands = MelBands { sample_rate, ..BANDS };
        settings = changed(&settings, |recordings| {
            recordings.origin = Origin::Synthetic(made_up);
            recordings.slices = slices;
            recordings.features = Features::Mel(MelSettings { bands, ..MelSettings::LIBROSA });
        });
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
fn made_up_recordings_go_through_the_pipelines_of_the_studies() {
    let place = Place::new();
    let bands = MelBands {
        sample_rate: 22_050,
        n_fft: 2048,
        hop_length: 512,
        n_mels: 128,
        ..MelBands::LIBROSA
    };
    let mfcc = Features::Mfcc(MfccSettings { bands, n_mfcc: 13, ..MfccSettings::LIBROSA });
    let raw = Features::Raw(RawSettings { sample_rate: 22_050, samples: None });
    let mel = |hop_length, n_mels, frames| {
        let bands = MelBands { hop_length, n_mels, ..bands };
        Features::Mel(MelSettings { bands, frames: Some(frames), ..MelSettings::LIBROSA })
    };
    let three = Slices::Seconds(3.0);
    let made_up = SynthSettings { classes: 2, clips: 3, seconds: 6.5, seed: 0 };
    for (features, slices, clip, group, shape, each) in [
        (mel(1024, 128, 660), Slices::Whole, None, Group::Track, vec![128, 660, 1], 1),
        (mfcc.clone(), three, Some(5.0), Group::None, vec![130, 13, 1], 1),
        (raw, three, None, Group::Track, vec![66_150, 1], 2),
        (mfcc, three, None, Group::None, vec![130, 13, 1], 2),
        (mel(512, 80, 80), Slices::Count(15), None, Group::Track, vec![80, 80, 1], 15),
    ] {
        let mut settings = changed(&place.with(features, slices), |recordings| {
            recordings.origin = Origin::Synthetic(made_up);
            recordings.clip = clip;
        });
        settings.split.group = group;
        let (known, _) = known_ahead(&settings).unwrap();
        let manifest = place.prepare(&settings).unwrap().manifest;
        assert_eq!((&manifest.input_shape, &known), (&shape, &shape));
        assert_eq!((manifest.tracks, manifest.examples), (6, 6 * each));
    }
}

#[test]
fn what_the_file_says_is_known_ahead() {
    let place = Place::new();
    let settings = place.settings();
    assert_eq!(known_ahead(&settings), None);
    let classes = Some(vec!["b".to_owned(), "a".to_owned()]);
    let named = DataSettings { classes, ..settings };
    assert_eq!(known_ahead(&named), Some((vec![10, 12, 1], vec!["a".to_owned(), "b".to_owned()])));
    let free = changed(&named, |recordings| recordings.features = mel(None));
    assert_eq!(known_ahead(&free), None);
    let broken = with_bands(&named, MelBands { hop_length: 0, ..BANDS });
    assert_eq!(known_ahead(&broken), None);
}

#[test]
fn impossible_settings_are_refused_with_their_name() {
    let place = Place::new();
    let settings = place.settings();
    let bands = |bands: MelBands| with_bands(&settings, bands);
    let with = |features: Features| changed(&settings, |recordings| recordings.features = features);
    let split = |split: SplitSettings| DataSettings { split, ..settings.clone() };
    for (field, settings) in [
        ("features.mel.hop_length", bands(MelBands { hop_length: 0, ..BANDS })),
        ("features.mel.n_fft", bands(MelBands { n_fft: u32::MAX, ..BANDS })),
        ("features.mel.n_mels", bands(MelBands { n_mels: 0, ..BANDS })),
        ("features.mel.sample_rate", bands(MelBands { sample_rate: 0, ..BANDS })),
        ("features.mel.win_length", bands(MelBands { win_length: Some(129), ..BANDS })),
        ("features.mel.fmax", bands(MelBands { fmax: Some(4001.0), ..BANDS })),
        ("features.mel.fmin", bands(MelBands { fmin: f64::NAN, ..BANDS })),
        ("features.mel.fmin", bands(MelBands { fmin: 9.0, fmax: Some(9.0), ..BANDS })),
        ("features.mel.power", bands(MelBands { power: 0.0, ..BANDS })),
        ("features.mel.frames", with(mel(Some(0)))),
        (
            "features.mel.reference",
            with(Features::Mel(MelSettings {
                reference: Reference::Power(0.0),
                ..MelSettings::LIBROSA
            })),
        ),
        (
            "features.mel.top_db",
            with(Features::Mel(MelSettings { top_db: Some(-1.0), ..MelSettings::LIBROSA })),
        ),
        (
            "features.mel.pad",
            with(Features::Mel(MelSettings {
                pad: Pad::Value(f32::INFINITY),
                ..MelSettings::LIBROSA
            })),
        ),
        (
            "features.mfcc.lifter",
            with(Features::Mfcc(MfccSettings { lifter: f64::NAN, ..MfccSettings::LIBROSA })),
        ),
        (
            "features.mfcc.n_mfcc",
            with(Features::Mfcc(MfccSettings {
                bands: BANDS,
                n_mfcc: 11,
                ..MfccSettings::LIBROSA
            })),
        ),
        (
            "features.raw.samples",
            with(Features::Raw(RawSettings { sample_rate: 8000, samples: Some(0) })),
        ),
        ("split.test", split(SplitSettings { test: 1.0, ..settings.split })),
        (
            "split.validation",
            split(SplitSettings { validation: Validation::Share(f64::NAN), ..settings.split }),
        ),
        ("classes", DataSettings { classes: Some(vec![]), ..settings.clone() }),
    ] {
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

/// A table of two classes of eight rows, with `features` features.
fn table(place: &Place, features: usize) -> DataSettings {
    let names: Vec<String> = (0..features).map(|feature| format!("f{feature}")).collect();
    let mut text = format!("filename,{},label\n", names.join(","));
    for row in 0..16 {
        let class = if row % 2 == 0 { "rock" } else { "blues" };
        let values: Vec<String> =
            (0..features).map(|feature| format!("{}.5", row * 100 + feature)).collect();
        text.push_str(&format!("{row}.wav,{},{class}\n", values.join(",")));
    }
    fs::create_dir_all(place.audio()).unwrap();
    fs::write(place.audio().join("t.csv"), text).unwrap();
    let table = TableSettings {
        file: place.audio().join("t.csv"),
        label: "label".to_owned(),
        drop: vec!["filename".to_owned()],
        columns: Some(features as u32),
    };
    DataSettings { source: Source::Table(table), ..place.settings() }
}

#[test]
fn a_table_becomes_arrays() {
    let place = Place::new();
    let settings = table(&place, 57);
    assert_eq!(known_ahead(&settings), None);
    let surveyed = survey(&settings).unwrap();
    assert_eq!(surveyed, (vec![57], vec!["blues".to_owned(), "rock".to_owned()]));
    let prepared = place.prepare(&settings).unwrap();
    let Prepared { path, manifest, .. } = &prepared;
    assert_eq!((manifest.input_shape.clone(), manifest.classes.clone()), surveyed);
    assert_eq!((manifest.examples, manifest.tracks, tested(manifest)), (16, 16, 4));
    let (shape, values) = read_f32(&path.join("x.npy"));
    assert_eq!(shape, [16, 57]);
    assert_eq!(values[57 * 3 + 2], 302.5);
    assert_eq!(read_i64(&path.join("y.npy"))[..4], [1, 0, 1, 0]);
    assert_eq!(read_i64(&path.join("groups.npy")), (0..16).collect::<Vec<i64>>());
    assert_eq!(tracks(&prepared)[3], "row 4");
    assert!(place.prepare(&settings).unwrap().cached);

    let classes = Some(vec!["rock".to_owned(), "blues".to_owned()]);
    let named = DataSettings { classes, ..settings.clone() };
    assert_eq!(known_ahead(&named), Some(surveyed));
    // The classes are all that there are.
    assert!(place.prepare(&named).unwrap().cached);

    // A row with its own features.
    let file = place.audio().join("t.csv");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("0.5,", "9.5,", 1)).unwrap();
    assert!(!place.prepare(&settings).unwrap().cached);
}

#[test]
fn a_table_with_too_few_rows_of_a_class_is_refused() {
    let place = Place::new();
    let settings = table(&place, 2);
    let file = place.audio().join("t.csv");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}x.wav,1,2,jazz\n")).unwrap();
    let error = place.prepare(&settings).unwrap_err();
    assert_eq!(
        error.to_string(),
        "class `jazz` has too few usable rows for this split: 1 of at least 3"
    );
    assert_eq!(error.hint().unwrap(), "add rows of `jazz`, or leave it out with `data.classes`");
}

#[test]
fn images_become_arrays() {
    let place = Place::new();
    for (class, name) in ["blues", "folk", "jazz"].into_iter().enumerate() {
        for image in 0_u32..4 {
            let colour = [10 * class as u8, 20 * image as u8, 200];
            place.write(&format!("{name}/{image}.png"), &png(30 + image, 20, colour));
        }
    }
    place.write("folk/4.jpg", b"broken");
    place.write("folk/5.webp", b"RIFF\x04\0\0\0WEBP");
    let images =
        ImageSettings { folder: place.audio(), height: 256, width: 256, channels: Channels::Rgb };
    let settings = DataSettings { source: Source::Images(images.clone()), ..place.settings() };
    assert_eq!(known_ahead(&settings), None);
    let surveyed = survey(&settings).unwrap();
    let heard = Heard::default();
    let prepared = prepare(&settings, &place.cache(), &heard).unwrap();
    let phase = |what: &str| (what.to_owned(), (14, 14));
    assert_eq!(heard.phases(), [phase("reading images"), phase("resizing images")]);
    let Prepared { path, manifest, .. } = &prepared;
    assert_eq!((manifest.input_shape.clone(), manifest.classes.clone()), surveyed);
    assert_eq!(manifest.input_shape, [256, 256, 3]);
    assert_eq!((manifest.examples, manifest.tracks, tested(manifest)), (12, 12, 3));
    let skipped: Vec<(&str, &str)> = manifest
        .skipped
        .iter()
        .map(|skipped| (skipped.path.to_str().unwrap(), skipped.reason.as_str()))
        .collect();
    let reason = "not a PNG or JPEG file";
    assert_eq!(skipped, [("folk/4.jpg", reason), ("folk/5.webp", reason)]);
    assert_eq!(tracks(&prepared)[5], "folk/1.png");

    let (shape, values) = read_u8(&path.join("x.npy"));
    assert_eq!(shape, [12, 256, 256, 3]);
    let row = 256 * 256 * 3;
    assert!(values[5 * row..6 * row].chunks(3).all(|pixel| pixel == [10, 20, 200]));
    assert!(place.prepare(&settings).unwrap().cached);

    // The same pictures in grey are another dataset.
    let gray = ImageSettings { height: 8, width: 16, channels: Channels::Gray, ..images };
    let gray = DataSettings { source: Source::Images(gray), ..settings };
    let gray = place.prepare(&gray).unwrap();
    assert_eq!(gray.manifest.input_shape, [8, 16, 1]);
    let (_, values) = read_u8(&gray.path.join("x.npy"));
    // 0.299 · 10 + 0.587 · 20 + 0.114 · 200
    assert!(values[5 * 128..6 * 128].iter().all(|&value| value == 38));
}

#[test]
fn arrays_become_a_dataset() {
    let place = Place::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/data/testdata/arrays/stored.npz");
    let archive = |file: PathBuf| {
        let (x, y) = ("x".to_owned(), "y".to_owned());
        let files = ArrayFiles::Archive { file, x, y, groups: None };
        let names = Some(["rock", "blues", "jazz"].map(str::to_owned).to_vec());
        let source = Source::Arrays(ArraySettings { files, names });
        let split = SplitSettings {
            test: 0.0,
            validation: Validation::Share(0.5),
            ..place.settings().split
        };
        DataSettings { source, split, ..place.settings() }
    };
    let settings = archive(file.clone());
    assert_eq!(known_ahead(&settings), None);
    let (shape, classes) = survey(&settings).unwrap();
    // In the order of their numbers.
    assert_eq!((shape.as_slice(), classes.join(" ")), (&[2, 5][..], "rock blues jazz".to_owned()));
    let prepared = place.prepare(&settings).unwrap();
    let Prepared { path, manifest, .. } = &prepared;
    assert_eq!((&manifest.input_shape, &manifest.classes), (&shape, &classes));
    assert_eq!((manifest.examples, manifest.tracks), (12, 6));
    assert_eq!(manifest.part("train").unwrap().rows.len(), 6);
    assert_eq!(read_i64(&path.join("y.npy"))[..4], [0, 1, 2, 0]);
    assert_eq!(read_i64(&path.join("groups.npy")), [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]);
    assert_eq!(tracks(&prepared)[3], "group 3");
    // Wherever the same file lies.
    let copy = place.audio().join("copy.npz");
    fs::copy(&file, &copy).unwrap();
    assert!(place.prepare(&archive(copy)).unwrap().cached);
    let mut apart = settings;
    apart.split.test = 0.3;
    let error = place.prepare(&apart).unwrap_err();
    assert_eq!(
        error.to_string(),
        "class `rock` has too few usable groups for this split: 2 of at least 3"
    );
}
