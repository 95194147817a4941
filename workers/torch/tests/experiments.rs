//! Every shipped experiment file is trained: by the `sweep` command, a worker
//! process and libtorch, on data that are made up here.
//!
//! The data lie where the files look for them. Settings make less of it, so that
//! all takes a minute or two: an epoch, few trials, smaller inputs or fewer
//! filters where those of the study are large. `scripts/train-experiments`
//! trains them as they are.

mod support;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use safetensors::tensor::{Dtype, TensorView};
use sweep_proto::mobilenet_v2::Architecture;

/// GTZAN's.
const GENRES: [&str; 10] =
    ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"];

/// Columns of `measurements.csv` that are not about training.
const NO_METRICS: [&str; 7] =
    ["trial", "execution", "attempt", "epoch", "seed", "dataset", "sweep_version"];

/// Loss, accuracy of two kinds, precision, recall and F1, recall of eight classes
/// and their variance; all of it for both sets.
const LEAST_METRICS: usize = 2 * (6 + 8 + 1);

/// A shipped file, and how less is made of it.
struct Shrunk {
    /// Without its ending.
    name: &'static str,
    /// `--set` and `--fix`, and their values.
    settings: &'static [(&'static str, &'static str)],
    /// How many trials are completed then.
    trials: usize,
}

const OF_RECORDINGS: [Shrunk; 11] = [
    Shrunk {
        name: "cnn",
        settings: &[
            ("--set", "data.features.mel.frames=128"),
            ("--set", "search.max_trials=2"),
            ("--set", "search.executions_per_trial=1"),
        ],
        trials: 2,
    },
    Shrunk {
        name: "cnn-baseline",
        settings: &[("--set", "data.features.mel.frames=128")],
        trials: 1,
    },
    Shrunk {
        name: "crnn",
        settings: &[
            ("--set", "data.features.mel.frames=128"),
            ("--set", "search.max_trials=2"),
            ("--set", "search.executions_per_trial=1"),
        ],
        trials: 2,
    },
    Shrunk {
        name: "crnn-baseline",
        settings: &[("--set", "data.features.mel.frames=256")],
        trials: 1,
    },
    Shrunk { name: "mlp-series", settings: &[], trials: 13 },
    Shrunk { name: "cnn-series", settings: &[], trials: 10 },
    // Shorter slices than those of the study would not fill its dilated kernels.
    Shrunk {
        name: "wavenet",
        settings: &[
            ("--set", "search.max_trials=2"),
            ("--fix", "batch_size=16"),
            ("--fix", "filters_1=8"),
            ("--fix", "filters_2=8"),
            ("--fix", "filters_3=8"),
            ("--fix", "filters_4=8"),
            ("--fix", "filters_5=8"),
            ("--fix", "filters_6=8"),
        ],
        trials: 2,
    },
    Shrunk { name: "cnn-mfcc", settings: &[], trials: 1 },
    Shrunk { name: "resnet-mfcc", settings: &[], trials: 1 },
    Shrunk { name: "parallel-cnn", settings: &[], trials: 1 },
    Shrunk { name: "cnn-lstm", settings: &[], trials: 1 },
];

const OF_OTHERS: [Shrunk; 4] = [
    Shrunk { name: "mlp-features", settings: &[], trials: 1 },
    Shrunk { name: "cnn-images", settings: &[("--set", "data.images.size=64")], trials: 1 },
    Shrunk { name: "mobilenet", settings: &[("--set", "data.images.size=64")], trials: 1 },
    Shrunk {
        name: "quickstart",
        settings: &[("--set", "search.max_trials=2"), ("--set", "data.synthetic.clips=4")],
        trials: 2,
    },
];

#[test]
fn files_of_recordings_are_trained() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    make_recordings(folder.path());
    train_each(&OF_RECORDINGS, folder.path());
}

#[test]
fn files_of_tables_and_images_are_trained() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("data")).expect("a new folder");
    make_table(&folder.path().join("data/features_30_sec.csv"));
    make_images(&folder.path().join("data/images"));
    make_weights(&folder.path().join("data/mobilenet_v2.safetensors"));
    train_each(&OF_OTHERS, folder.path());
}

#[test]
fn every_shipped_file_is_trained() {
    let mut names: Vec<String> = fs::read_dir(experiments())
        .expect("the folder is there")
        .filter_map(|entry| entry.expect("it can be read").file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_suffix(".yaml")?.to_owned()))
        .collect();
    names.sort();
    let mut trained: Vec<&str> =
        OF_RECORDINGS.iter().chain(&OF_OTHERS).map(|file| file.name).collect();
    trained.sort_unstable();
    assert_eq!(names, trained);
}

fn experiments() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../experiments"))
}

/// All of them are tried before the test fails.
fn train_each(files: &[Shrunk], folder: &Path) {
    let failures: Vec<String> = files.iter().filter_map(|file| train(file, folder).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// # Errors
///
/// What is wrong with the run.
fn train(file: &Shrunk, folder: &Path) -> Result<(), String> {
    let mut command = support::sweep(folder);
    command
        .arg(experiments().join(file.name).with_extension("yaml"))
        .args(["--local-workers", "1", "--progress", "lines", "--set", "train.epochs=1"])
        .args(file.settings.iter().flat_map(|(option, value)| [option, value]));
    let output = command.output().expect("sweep starts");
    let name = file.name;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(0) {
        return Err(format!("{name}: {}\n{stderr}", output.status));
    }
    let run = folder.join("runs").join(name);
    let trials = Table::read(&run.join("trials.csv"));
    let states = trials.columns(|column| column == "state");
    if states != vec!["completed"; file.trials] {
        return Err(format!("{name}: trials are {states:?}\n{stderr}"));
    }
    let measurements = Table::read(&run.join("measurements.csv"));
    let metrics = measurements.columns(|column| !NO_METRICS.contains(&column));
    let is_finite = |cell: &&str| cell.parse().is_ok_and(f64::is_finite);
    if let Some(cell) = metrics.iter().find(|cell| !is_finite(cell)) {
        return Err(format!("{name}: `{cell}` is measured\n{stderr}"));
    }
    let rows = measurements.rows.len();
    if rows != file.trials || metrics.len() < rows * LEAST_METRICS {
        return Err(format!("{name}: {rows} epochs and {} metrics\n{stderr}", metrics.len()));
    }
    Ok(())
}

/// A table of a run; no cell of these has a comma in it.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a table of the run");
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect());
        Self { header: lines.next().expect("a header"), rows: lines.collect() }
    }

    /// Cells of some of the columns, row by row.
    fn columns(&self, chosen: impl Fn(&str) -> bool) -> Vec<&str> {
        let cells = self.rows.iter().flat_map(|row| self.header.iter().zip(row));
        cells.filter(|(name, _)| chosen(name)).map(|(_, cell)| cell.as_str()).collect()
    }
}

/// `data/gtzan`: three recordings of 6 s a genre.
fn make_recordings(folder: &Path) {
    let made_up = folder.join("made-up");
    let mut command = support::sweep(folder);
    command.args(["synth", "made-up", "--clips", "3", "--seconds", "6"]);
    let output = command.output().expect("sweep starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut classes: Vec<_> = fs::read_dir(&made_up)
        .expect("recordings are made")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    classes.sort();
    assert_eq!(classes.len(), GENRES.len());
    let gtzan = folder.join("data/gtzan");
    fs::create_dir_all(&gtzan).expect("a new folder");
    for (class, genre) in classes.iter().zip(GENRES) {
        fs::rename(class, gtzan.join(genre)).expect("renamed");
    }
}

/// Numbers of no meaning, in [0, 1), always the same.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }
}

/// A table as GTZAN's: 60 columns, of which 57 are features of very different
/// sizes.
fn make_table(path: &Path) {
    let mut noise = Noise(1);
    let mut text = "filename,length".to_owned();
    for column in 1..=57 {
        let _ = write!(text, ",feature_{column}");
    }
    text.push_str(",label\n");
    for (class, genre) in GENRES.iter().enumerate() {
        for clip in 0..8 {
            let _ = write!(text, "{genre}.{clip:05}.wav,661794");
            for column in 0..57 {
                let size = 10_f32.powi(column % 8 - 3);
                let _ = write!(text, ",{}", size * (class as f32 + noise.next()));
            }
            let _ = writeln!(text, ",{genre}");
        }
    }
    fs::write(path, text).expect("written");
}

/// Four pictures a genre, larger than what is made of them in one direction.
fn make_images(folder: &Path) {
    let mut noise = Noise(2);
    for (class, genre) in GENRES.iter().enumerate() {
        let folder = folder.join(genre);
        fs::create_dir_all(&folder).expect("a new folder");
        for number in 0..4 {
            let shade = |x: u32| (25 * class) as f32 + (x % 20) as f32;
            let pixel = |x, _| Rgb([0, 1, 2].map(|_| (shade(x) + 10.0 * noise.next()) as u8));
            let picture = RgbImage::from_fn(90, 60, pixel);
            picture.save(folder.join(format!("{genre}{number:05}.png"))).expect("written");
        }
    }
}

/// MobileNetV2's weights under torchvision's names, by chance.
fn make_weights(path: &Path) {
    let mut noise = Noise(3);
    let tensors = Architecture::new(1.0).expect("1 is possible").tensors();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, shape)| {
            let shape: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
            let inputs: usize = shape.iter().skip(1).product();
            let scale = (12.0 / inputs as f32).sqrt();
            let mut value = || match name.rsplit('.').next() {
                Some("running_var") => 1.0,
                _ => (noise.next() - 0.5) * scale,
            };
            let count: usize = shape.iter().product();
            let bytes = (0..count).flat_map(|_| value().to_le_bytes()).collect();
            (name, shape, bytes)
        })
        .collect();
    let views: HashMap<&str, TensorView<'_>> = tensors
        .iter()
        .map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("they fit");
            (name.as_str(), view)
        })
        .collect();
    safetensors::serialize_to_file(views, &None, path).expect("written");
}
