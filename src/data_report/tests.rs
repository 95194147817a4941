//! Pages of small datasets, read back as XML.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use hound::{SampleFormat, WavSpec, WavWriter};
use roxmltree::{Document, ParsingOptions};

use super::*;
use crate::data::{
    Channels, Features, Group, ImageSettings, MelBands, MfccSettings, Origin, Quiet, Slices,
    SplitSettings, Validation, overview, prepare,
};

/// Names that would break out of markup or of a line.
const HOSTILE: [&str; 3] = ["<script>", "a \"b\" & 'c'", "x\u{1b}[31m\u{202e}"];

fn prepared(folder: &Path, source: Source) -> (DataSettings, Prepared, Overview) {
    let validation = Validation::Share(0.34);
    let split = SplitSettings { test: 0.25, validation, seed: 1, group: Group::Track };
    let settings = DataSettings { source, classes: None, split };
    let prepared = prepare(&settings, &folder.join("cache"), &Quiet).unwrap();
    let overview = overview(&settings.source, &prepared).unwrap();
    (settings, prepared, overview)
}

fn page(folder: &Path, source: Source) -> String {
    let (settings, prepared, overview) = prepared(folder, source);
    let subject = Subject {
        study: "</title>&\"<b>",
        settings: &settings,
        prepared: &prepared,
        overview: &overview,
    };
    render(subject, &folder.join("cache"), &Quiet).unwrap()
}

/// Checks that a page is well-formed and stands alone, and hands its elements to
/// `look`.
fn look(page: &str, look: impl FnOnce(&Document<'_>)) {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(page, options).unwrap();
    for node in document.descendants() {
        assert!(!["script", "link", "iframe", "b"].contains(&node.tag_name().name()));
        for attribute in node.attributes() {
            let name = attribute.name();
            assert!(!name.starts_with("on"), "{name}");
            if name == "src" || name == "href" {
                assert!(attribute.value().starts_with("data:image/png;base64,"));
            }
        }
    }
    assert!(!page.contains("http"), "nothing is fetched");
    look(&document);
}

fn texts<'a>(document: &'a Document<'_>, name: &str) -> Vec<&'a str> {
    let found = document.descendants().filter(|node| node.has_tag_name(name));
    found.filter_map(|node| node.text()).collect()
}

fn images(document: &Document<'_>) -> usize {
    document.descendants().filter(|node| node.has_tag_name("image")).count()
}

fn wav(samples: usize, step: usize) -> Vec<u8> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
    for sample in 0..samples {
        writer.write_sample((sample * step % 20_000) as i16).unwrap();
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

/// Four recordings of each of the hostile classes, and one that is none.
fn recordings(folder: &Path) -> PathBuf {
    let audio = folder.join("audio");
    for (index, class) in HOSTILE.iter().enumerate() {
        fs::create_dir_all(audio.join(class)).unwrap();
        for clip in 0..4 {
            let bytes = wav(4000 + 400 * clip, 70 * (index + 1) + clip);
            fs::write(audio.join(class).join(format!("<{clip}> & ''.wav")), bytes).unwrap();
        }
    }
    fs::write(audio.join(HOSTILE[0]).join("<img src=x>.wav"), b"").unwrap();
    audio
}

fn settings(audio: PathBuf, slices: Slices) -> RecordingSettings {
    let bands = MelBands { sample_rate: 8000, n_fft: 256, n_mels: 24, ..MelBands::LIBROSA };
    let mfcc = MfccSettings { bands, frames: Some(20), ..MfccSettings::LIBROSA };
    let features = Features::Mfcc(mfcc);
    RecordingSettings { origin: Origin::Folder(audio), clip: None, slices, features }
}

#[test]
fn a_page_of_recordings_is_well_formed_whatever_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let audio = recordings(folder.path());
    let slices = Slices::Seconds(0.25);
    let page = page(folder.path(), Source::Recordings(settings(audio, slices)));
    look(&page, |document| {
        assert_eq!(texts(document, "h1"), ["</title>&\"<b>: the data"]);
        let sections =
            ["Classes", "Durations", "A recording of each class", "Distributions", "Left out"];
        assert_eq!(texts(document, "h2"), sections);
        let classes: Vec<String> = ["<script>", "a \"b\" & 'c'", "x\u{fffd}[31m\u{fffd}"]
            .map(|class| format!("{class} "))
            .to_vec();
        assert_eq!(texts(document, "h3"), classes);
        // A spectrogram, coefficients, and a scale of colours with each.
        assert_eq!(images(document), 3 * 4);
        let cells = texts(document, "td");
        assert!(cells.contains(&"<script>/<img src=x>.wav"), "{cells:?}");
        assert!(cells.contains(&"the file is empty"), "{cells:?}");
    });
    assert!(page.len() < 500_000, "{}", page.len());

    // The arrays are there still, the recordings are not.
    let (settings, prepared, overview) = {
        let other = tempfile::tempdir().unwrap();
        let audio = recordings(other.path());
        prepared(folder.path(), Source::Recordings(settings(audio, slices)))
    };
    let subject =
        Subject { study: "gone", settings: &settings, prepared: &prepared, overview: &overview };
    let page = render(subject, folder.path(), &Quiet).unwrap();
    look(&page, |document| {
        assert_eq!(images(document), 0);
        assert!(page.contains("cannot be drawn: "), "{page}");
    });
}

#[test]
fn the_numbers_of_the_page_are_those_of_the_arrays() {
    let folder = tempfile::tempdir().unwrap();
    let audio = recordings(folder.path());
    let source = Source::Recordings(settings(audio, Slices::Whole));
    let (_, prepared, overview) = prepared(folder.path(), source.clone());
    let table = class_table(&overview);
    assert_eq!(
        table.header,
        [
            "class",
            "recordings",
            "duration",
            "shortest",
            "median",
            "longest",
            "train",
            "validation",
            "test",
            "skipped"
        ]
    );
    let manifest = &prepared.manifest;
    let sizes = manifest.parts.iter().map(|part| part.rows.len().to_string());
    let counts: Vec<String> = sizes.chain(["1".to_owned()]).collect();
    assert_eq!(table.total[6..], counts);
    assert_eq!(table.rows[0][1..], ["4", "2.3s", "0.5s", "0.6s", "0.7s", "2", "1", "1", "1"]);
    look(&page(folder.path(), source), |document| {
        let cells = texts(document, "td");
        for row in table.rows.iter().chain([&table.total]) {
            let shown: Vec<String> = row.iter().map(|cell| shown(cell, 99).0).collect();
            assert!(cells.windows(row.len()).any(|cells| cells == shown), "{row:?} {cells:?}");
        }
    });
}

#[test]
fn a_page_of_a_table_has_the_columns_that_matter() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("features.csv");
    let mut text = "filename,tempo <&>,noise,same,label\n".to_owned();
    for row in 0..24 {
        let (class, tempo) = if row % 2 == 0 { ("<i>slow", 60 + row) } else { ("fast", 160 + row) };
        text.push_str(&format!("{row}.wav,{tempo},{},1,{class}\n", row * 37 % 11));
    }
    fs::write(&file, text).unwrap();
    let table = TableSettings {
        file,
        label: "label".to_owned(),
        drop: vec!["filename".to_owned()],
        columns: None,
    };
    look(&page(folder.path(), Source::Table(table)), |document| {
        assert_eq!(texts(document, "h2"), ["Classes", "Columns", "Values"]);
        let titles = texts(document, "h4");
        // A column that is the same everywhere tells nothing apart.
        assert_eq!(titles[2..4], ["tempo <&>", "noise"]);
        assert!(!titles.contains(&"same"), "{titles:?}");
    });
}

#[test]
fn a_page_of_images_shows_them() {
    let folder = tempfile::tempdir().unwrap();
    for (index, class) in ["a", "b"].into_iter().enumerate() {
        fs::create_dir_all(folder.path().join("images").join(class)).unwrap();
        for number in 0..4 {
            let colour = [(40 * number) as u8, (200 * index) as u8, 7];
            let image = RgbImage::from_pixel(6, 4, image::Rgb(colour));
            image.save(folder.path().join(format!("images/{class}/{number}.png"))).unwrap();
        }
    }
    for channels in [Channels::Rgb, Channels::Gray] {
        let settings = ImageSettings {
            folder: folder.path().join("images"),
            height: 200,
            width: 300,
            channels,
        };
        look(&page(folder.path(), Source::Images(settings)), |document| {
            let shown = document.descendants().filter(|node| node.has_tag_name("img")).count();
            assert_eq!(shown, 2);
            assert_eq!(texts(document, "h2").len(), 3);
        });
    }
}

#[test]
fn a_page_of_many_classes_stays_small() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("features.csv");
    let mut text = "a,b,label\n".to_owned();
    for row in 0..900 {
        text.push_str(&format!("{row},{},class {}\n", row % 7, row % 300));
    }
    fs::write(&file, text).unwrap();
    let label = "label".to_owned();
    let table = TableSettings { file, label, drop: Vec::new(), columns: Some(2) };
    let page = page(folder.path(), Source::Table(table));
    look(&page, |document| {
        assert!(texts(document, "p").contains(&"Charts show the first 100 classes."));
        assert_eq!(
            texts(document, "td").iter().filter(|cell| cell.starts_with("class ")).count(),
            300
        );
    });
    assert!(page.len() < 400_000, "{}", page.len());
}
