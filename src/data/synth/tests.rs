//! Made-up recordings: layout, sameness, variety, and what is refused.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use super::*;
use crate::data::Quiet;

const SMALL: SynthSettings = SynthSettings { classes: 3, clips: 2, seconds: 0.3, seed: 7 };

fn made(settings: &SynthSettings) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    synthesize(folder.path(), settings, SynthFormat::Wav, &Quiet).unwrap();
    folder
}

fn bytes(folder: &Path, class: &str, clip: u32) -> Vec<u8> {
    fs::read(folder.join(file_name(class, clip, SynthFormat::Wav))).unwrap()
}

#[test]
fn the_layout_is_gtzans() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new/set");
    let written = synthesize(&folder, &SMALL, SynthFormat::Wav, &Quiet).unwrap();
    assert_eq!(written.classes, ["ambient", "blues", "chiptune"]);
    assert_eq!(written.recordings, 6);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3);
    assert_eq!(fs::read_dir(folder.join("blues")).unwrap().count(), 2);

    let reader = hound::WavReader::open(folder.join("blues/blues.00001.wav")).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 22_050, 16));
    assert_eq!(reader.duration(), 6615);
    let samples: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
    let loudest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
    assert!((10_000..=32_767).contains(&loudest), "{loudest}");
    assert!(is_complete(&folder, &SMALL));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let (first, second) = (made(&SMALL), one_thread.install(|| made(&SMALL)));
    let other = made(&SynthSettings { seed: 8, ..SMALL });
    let mut seen = BTreeSet::new();
    for class in class_names(SMALL.classes) {
        for clip in 0..SMALL.clips {
            let recording = bytes(first.path(), &class, clip);
            assert_eq!(recording, bytes(second.path(), &class, clip));
            assert_ne!(recording, bytes(other.path(), &class, clip));
            seen.insert(recording);
        }
    }
    assert_eq!(seen.len(), 6);
}

#[test]
fn a_recording_does_not_depend_on_the_others() {
    let (few, many) = (made(&SMALL), made(&SynthSettings { classes: 10, clips: 3, ..SMALL }));
    assert_eq!(bytes(few.path(), "blues", 1), bytes(many.path(), "blues", 1));
}

#[test]
fn any_number_of_classes_has_sorted_names_of_its_own() {
    assert_eq!(class_names(10).len(), 10);
    let names = class_names(35);
    assert!(names.is_sorted());
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 35);
    assert_eq!(names[..4], ["ambient", "ambient-2", "ambient-3", "ambient-4"]);
    made(&SynthSettings { classes: 25, clips: 1, seconds: 0.1, seed: 0 });
}

#[test]
fn an_au_file_has_the_samples_of_the_wav_file() {
    let (wav, au) = (made(&SMALL), tempfile::tempdir().unwrap());
    synthesize(au.path(), &SMALL, SynthFormat::Au, &Quiet).unwrap();
    let bytes = fs::read(au.path().join("blues/blues.00001.au")).unwrap();
    let (header, data) = bytes.split_at(28);
    let numbers: Vec<u32> =
        header.chunks(4).map(|four| u32::from_be_bytes(four.try_into().unwrap())).collect();
    let magic = u32::from_be_bytes(*b".snd");
    assert_eq!(numbers, [magic, 28, 2 * 6615, 3, 22_050, 1, 0]);
    let samples: Vec<i16> =
        data.chunks(2).map(|two| i16::from_be_bytes(two.try_into().unwrap())).collect();
    let reader = hound::WavReader::open(wav.path().join("blues/blues.00001.wav")).unwrap();
    assert_eq!(samples, reader.into_samples().map(Result::unwrap).collect::<Vec<i16>>());
    assert_eq!(fs::read_dir(au.path().join("blues")).unwrap().count(), 2);
}

#[test]
fn tables_of_styles_are_well_formed() {
    for (_, style) in styles(10) {
        let Style { chords, bass, lead, pad, drums, .. } = &style;
        let mut rhythms: Vec<&str> = Vec::new();
        for role in [chords, bass, lead, pad] {
            rhythms.extend(role.rhythms.iter().map(|(_, rhythm)| rhythm));
            assert!((0.0..=1.0).contains(&role.presence) && role.level_db <= 6.0);
        }
        for (_, groove) in drums.grooves {
            rhythms.extend([groove.0, groove.1, groove.2]);
        }
        for rhythm in rhythms {
            assert_eq!(rhythm.len(), 16, "{}: {rhythm}", style.name);
            assert!(rhythm.bytes().all(|step| step == b'x' || step == b'.'), "{rhythm}");
        }
        assert!(style.neighbours.iter().all(|neighbour| neighbour().name != style.name));
    }
}

#[test]
fn songs_of_a_style_differ_and_styles_overlap() {
    const SONGS: usize = 40;
    let (mut tempos, mut drummed) = (Vec::new(), Vec::new());
    for (number, style) in styles(10) {
        let songs: Vec<Song> = (0..SONGS as u64)
            .map(|clip| Song::new(&style, &mut Random::new(&[1, number, clip])))
            .collect();
        let scales: BTreeSet<&[i32]> = songs.iter().map(|song| song.scale).collect();
        let parts: BTreeSet<usize> = songs.iter().map(|song| song.parts.len()).collect();
        assert!(scales.len() > 1 && parts.len() > 1, "{}: {scales:?} {parts:?}", style.name);
        assert!(songs.iter().all(|song| !song.parts.is_empty()));
        drummed.push(songs.iter().filter(|song| song.drums.is_some()).count());
        let mut sorted: Vec<f64> = songs.iter().map(|song| song.tempo).collect();
        sorted.sort_by(f64::total_cmp);
        tempos.push((sorted[SONGS / 10], sorted[SONGS - 1 - SONGS / 10]));
    }
    assert!(drummed.iter().filter(|count| (4..36).contains(*count)).count() > 3, "{drummed:?}");
    for (slow, fast) in &tempos {
        assert!(fast / slow > 1.15, "{slow} {fast}");
        let shared = tempos.iter().filter(|other| other.0 < *fast && *slow < other.1).count();
        assert!(shared > 3, "{slow} to {fast} is the speed of {shared} styles");
    }
}

/// Power above about 3 kHz as a part of all, in decibels: a single number that
/// tells mixes apart.
fn brightness_db(samples: &[i16]) -> f64 {
    let power = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum();
    let all: f64 = power(&mut samples.iter().map(|&sample| f64::from(sample)));
    let differences = samples.windows(2).map(|two| f64::from(two[1]) - f64::from(two[0]));
    let high: f64 = power(&mut differences.into_iter());
    10.0 * (high / all.max(1.0)).max(1e-9).log10()
}

#[test]
fn halves_of_a_song_are_more_alike_than_songs_of_a_style() {
    let (mut within, mut between) = (0.0, 0.0);
    for (number, style) in styles(3) {
        let halves: Vec<[f64; 2]> = (0..6)
            .map(|clip| {
                let random = Random::new(&[2, number, clip]);
                let samples = recording(&style, 2 * SAMPLE_RATE as usize, random);
                let (first, second) = samples.split_at(samples.len() / 2);
                [brightness_db(first), brightness_db(second)]
            })
            .collect();
        within += halves.iter().map(|[first, second]| (first - second).abs()).sum::<f64>();
        let next = halves.iter().skip(1).chain(&halves[..1]);
        between +=
            halves.iter().zip(next).map(|(one, other)| (one[0] - other[1]).abs()).sum::<f64>();
    }
    assert!(between > 1.5 * within, "{within} {between}");
}

#[test]
fn other_peoples_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "all of it").unwrap();
    let error = synthesize(folder.path(), &SMALL, SynthFormat::Wav, &Quiet).unwrap_err();
    assert!(error.to_string().ends_with("exists already and is not an empty folder"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let error = synthesize(&folder.path().join("thesis.txt"), &SMALL, SynthFormat::Wav, &Quiet)
        .unwrap_err();
    assert!(error.to_string().ends_with("exists already and is not an empty folder"), "{error}");
}

#[test]
fn impossible_numbers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set");
    for (settings, field) in [
        (SynthSettings { classes: 0, ..SMALL }, "data.synthetic.classes"),
        (SynthSettings { clips: 0, ..SMALL }, "data.synthetic.clips"),
        (SynthSettings { seconds: f64::NAN, ..SMALL }, "data.synthetic.seconds"),
        (SynthSettings { seconds: -1.0, ..SMALL }, "data.synthetic.seconds"),
        (SynthSettings { seconds: f64::INFINITY, ..SMALL }, "data.synthetic.seconds"),
    ] {
        let error = synthesize(&path, &settings, SynthFormat::Wav, &Quiet).unwrap_err();
        assert!(error.to_string().starts_with(&format!("`{field}`: ")), "{error}");
    }
    assert!(!path.exists());
}

#[test]
fn a_set_in_the_cache_is_made_once_and_mended() {
    let cache = tempfile::tempdir().unwrap();
    let place = in_cache(cache.path(), &SMALL, &Quiet).unwrap().0;
    let recording = place.join(file_name("blues", 0, SynthFormat::Wav));
    let written = fs::metadata(&recording).unwrap().modified().unwrap();
    assert_eq!(in_cache(cache.path(), &SMALL, &Quiet).unwrap().0, place);
    assert_eq!(fs::metadata(&recording).unwrap().modified().unwrap(), written);

    fs::remove_file(&recording).unwrap();
    assert_eq!(in_cache(cache.path(), &SMALL, &Quiet).unwrap().0, place);
    assert!(recording.is_file());
    let other = SynthSettings { seed: 8, ..SMALL };
    assert_ne!(in_cache(cache.path(), &other, &Quiet).unwrap().0, place);
    assert_eq!(fs::read_dir(cache.path().join("synthetic")).unwrap().count(), 2);
}
