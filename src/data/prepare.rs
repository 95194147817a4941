//! A dataset in the cache: found there, or made.
//!
//! `<cache>/datasets/<digest>/` holds `manifest.json`, `x.npy`
//! (`[N, n_mels, frames, 1]`, f32), `y.npy` (`[N]`, i64, index of the class),
//! `train.npy`, `validation.npy`, `test.npy` (i64, rows of `x.npy`) and
//! `tracks.json` (the recording of each row). The digest covers everything that
//! the arrays depend on, so a folder of the right name is right.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::error::io_error;
use super::folder::{self, Class};
use super::mel::{Mel, Scratch, Spectrogram};
use super::npy::{self, Dtype, Rows};
use super::progress::Phase;
use super::split::{Shortage, Split, split};
use super::staging::Staging;
use super::{
    DataError, DataSettings, Manifest, MelSettings, Prepared, Progress, Skipped, Source,
    SplitSettings, recording, synth,
};

/// Number it up whenever the same settings and recordings give other arrays.
const FORMAT: u32 = 1;

/// Recordings are computed in parallel and written in order, this many at a
/// time: enough for many cores, and few enough for any memory.
const BATCH: usize = 128;

/// Larger files are skipped: this is more than an hour of any format, and each
/// thread holds one file.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// Where datasets are kept: `$SWEEP_CACHE`, else `$XDG_CACHE_HOME/sweep`, else
/// `$HOME/.cache/sweep`, else a folder for temporary files.
#[must_use]
pub fn cache_dir() -> PathBuf {
    cache_dir_of(|name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
}

fn cache_dir_of(variable: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    let in_home = || Some(variable("HOME")?.join(".cache"));
    // The XDG specification has relative paths ignored.
    let user_cache =
        || variable("XDG_CACHE_HOME").filter(|path| path.is_absolute()).or_else(in_home);
    variable("SWEEP_CACHE")
        .or_else(|| Some(user_cache()?.join("sweep")))
        .unwrap_or_else(|| env::temp_dir().join("sweep-cache"))
}

/// Brings a dataset into the cache, unless it is there.
///
/// Either way all recordings are read once, to know their content. Those that
/// cannot be used are left out and listed in the manifest.
///
/// # Errors
///
/// When there is no usable dataset: see [`DataError`].
pub fn prepare(
    settings: &DataSettings,
    cache: &Path,
    progress: &dyn Progress,
) -> Result<Prepared, DataError> {
    settings.check()?;
    let made_up;
    let root = match &settings.source {
        Source::Audio(folder) => folder.as_path(),
        Source::Synthetic(settings) => {
            made_up = synth::in_cache(cache, settings, progress)?;
            made_up.as_path()
        }
    };
    let classes = folder::list(root, settings.classes.as_deref())?;
    let candidates = hash_all(root, &classes, progress);
    let digest = digest(settings, &classes, &candidates);

    let datasets = cache.join("datasets");
    let place = datasets.join(&digest);
    if let Some(manifest) = read_complete(&place, &digest) {
        return Ok(Prepared { path: place, manifest, cached: true });
    }
    let staging = Staging::new(&datasets)?;
    let dataset = Dataset { settings, classes: &classes, candidates: &candidates, digest: &digest };
    let manifest = dataset.write(staging.path(), progress)?;
    staging.publish(&place, |place| read_complete(place, &digest).is_some())?;
    Ok(Prepared { path: place, manifest, cached: false })
}

/// A recording that may be used.
struct Candidate {
    /// Index of its class.
    class: usize,
    /// `class/file`, whatever the system's separator.
    name: String,
    path: PathBuf,
    /// SHA-256 of its bytes, or why they cannot be read.
    content: Result<String, String>,
}

fn hash_all(root: &Path, classes: &[Class], progress: &dyn Progress) -> Vec<Candidate> {
    let files: Vec<(usize, &Class, &String)> = classes
        .iter()
        .enumerate()
        .flat_map(|(index, class)| class.recordings.iter().map(move |file| (index, class, file)))
        .collect();
    let phase = Phase::begin(progress, "reading recordings", files.len());
    files
        .into_par_iter()
        .map(|(class, folder, file)| {
            let path = root.join(&folder.name).join(file);
            let content = hash_file(&path);
            phase.step();
            Candidate { class, name: format!("{}/{file}", folder.name), path, content }
        })
        .collect()
}

fn hash_file(path: &Path) -> Result<String, String> {
    let hash = || -> io::Result<String> {
        let mut file = File::open(path)?;
        if file.metadata()?.len() > MAX_FILE_BYTES {
            return Err(io::Error::other(format!("larger than {MAX_FILE_BYTES} bytes")));
        }
        let mut hasher = Sha256::new();
        io::copy(&mut file, &mut hasher)?;
        Ok(hex(hasher))
    };
    hash().map_err(|cause| format!("cannot be read: {cause}"))
}

/// Digest over all that the arrays depend on, as JSON with its keys in this order.
fn digest(settings: &DataSettings, classes: &[Class], candidates: &[Candidate]) -> String {
    #[derive(Serialize)]
    struct Content<'a> {
        format: u32,
        classes: Vec<&'a str>,
        features: &'a MelSettings,
        split: &'a SplitSettings,
        recordings: Vec<(&'a str, Option<&'a str>)>,
    }

    let content = Content {
        format: FORMAT,
        classes: classes.iter().map(|class| class.name.as_str()).collect(),
        features: &settings.features,
        split: &settings.split,
        recordings: candidates
            .iter()
            .map(|candidate| (candidate.name.as_str(), candidate.content.as_deref().ok()))
            .collect(),
    };
    let json = serde_json::to_vec(&content).expect("strings and finite numbers are JSON");
    hex(Sha256::new_with_prefix(json))
}

/// Lower-case hexadecimal digits of a finished hash.
pub(super) fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The manifest of a folder that has all its arrays at their full lengths.
fn read_complete(place: &Path, digest: &str) -> Option<Manifest> {
    let manifest: Manifest =
        serde_json::from_slice(&fs::read(place.join("manifest.json")).ok()?).ok()?;
    if manifest.digest != digest {
        return None;
    }
    let &[n_mels, frames, channels] = manifest.input_shape.as_slice() else { return None };
    let row_shape = [n_mels, frames, channels].map(|length| length as usize);
    let arrays = [
        ("x.npy", Dtype::F32, manifest.examples, &row_shape[..]),
        ("y.npy", Dtype::I64, manifest.examples, &[]),
        ("train.npy", Dtype::I64, manifest.train, &[]),
        ("validation.npy", Dtype::I64, manifest.validation, &[]),
        ("test.npy", Dtype::I64, manifest.test, &[]),
    ];
    let whole = arrays.iter().all(|&(name, dtype, rows, row_shape)| {
        npy::is_complete(&place.join(name), dtype, rows, row_shape)
    });
    (whole && place.join("tracks.json").is_file()).then_some(manifest)
}

/// A dataset that is to be written.
struct Dataset<'a> {
    settings: &'a DataSettings,
    classes: &'a [Class],
    candidates: &'a [Candidate],
    digest: &'a str,
}

/// The recordings that became rows, and those that did not.
#[derive(Default)]
struct Outcome {
    frames: usize,
    labels: Vec<usize>,
    tracks: Vec<String>,
    skipped: Vec<Skipped>,
}

impl Dataset<'_> {
    fn write(&self, folder: &Path, progress: &dyn Progress) -> Result<Manifest, DataError> {
        let outcome = self.write_features(&folder.join("x.npy"), progress)?;
        let split = split(&outcome.labels, self.classes.len(), &self.settings.split)
            .map_err(|shortage| self.too_few(shortage, &outcome.skipped))?;
        let labels: Vec<i64> = outcome.labels.iter().map(|&label| label as i64).collect();
        let Split { train, validation, test } = &split;
        npy::write_i64(&folder.join("y.npy"), &labels)?;
        npy::write_i64(&folder.join("train.npy"), train)?;
        npy::write_i64(&folder.join("validation.npy"), validation)?;
        npy::write_i64(&folder.join("test.npy"), test)?;
        write_json(&folder.join("tracks.json"), &outcome.tracks)?;

        let frames = u32::try_from(outcome.frames).expect("a recording has less than 2^28 samples");
        let manifest = Manifest {
            digest: self.digest.to_owned(),
            classes: self.classes.iter().map(|class| class.name.clone()).collect(),
            input_shape: vec![self.settings.features.n_mels, frames, 1],
            examples: labels.len() as u64,
            train: train.len() as u64,
            validation: validation.len() as u64,
            test: test.len() as u64,
            skipped: outcome.skipped,
        };
        write_json(&folder.join("manifest.json"), &manifest)?;
        Ok(manifest)
    }

    /// Writes `x.npy`, a batch of recordings at a time.
    fn write_features(&self, path: &Path, progress: &dyn Progress) -> Result<Outcome, DataError> {
        let mel = Mel::new(&self.settings.features);
        let phase = Phase::begin(progress, "computing spectrograms", self.candidates.len());
        let mut outcome = Outcome::default();
        let mut rows: Option<Rows> = None;
        for batch in self.candidates.chunks(BATCH) {
            let computed: Vec<Result<Spectrogram, Failure>> = batch
                .par_iter()
                .map_init(
                    || mel.scratch(),
                    |scratch, candidate| {
                        let result = self.compute(candidate, &mel, scratch);
                        phase.step();
                        result
                    },
                )
                .collect();
            for (candidate, result) in batch.iter().zip(computed) {
                let spectrogram = match result {
                    Ok(spectrogram) => spectrogram,
                    Err(Failure::Skip(reason)) => {
                        let path = PathBuf::from(&candidate.name);
                        outcome.skipped.push(Skipped { path, reason });
                        continue;
                    }
                    Err(Failure::Abort(error)) => return Err(error),
                };
                outcome.add(candidate, spectrogram.frames)?;
                let rows = match &mut rows {
                    Some(rows) => rows,
                    None => {
                        let n_mels = self.settings.features.n_mels as usize;
                        rows.insert(Rows::create(path, &[n_mels, spectrogram.frames, 1])?)
                    }
                };
                rows.push(&spectrogram.values)?;
            }
        }
        if let Some(rows) = rows {
            rows.finish()?;
        }
        Ok(outcome)
    }

    fn compute(
        &self,
        candidate: &Candidate,
        mel: &Mel,
        scratch: &mut Scratch,
    ) -> Result<Spectrogram, Failure> {
        let content = candidate.content.as_ref().map_err(|reason| Failure::Skip(reason.clone()))?;
        let bytes = read(&candidate.path)
            .map_err(|cause| Failure::Abort(io_error("read", &candidate.path)(cause)))?;
        if hex(Sha256::new_with_prefix(&bytes)) != *content {
            return Err(Failure::Abort(DataError::Changed { path: candidate.path.clone() }));
        }
        let skip = |reason: String| Failure::Skip(reason);
        let recording = recording::decode(bytes).map_err(|error| skip(error.to_string()))?;
        let samples = recording::resample(recording, self.settings.features.sample_rate)
            .map_err(|error| skip(error.to_string()))?;
        mel.spectrogram(&samples, scratch).map_err(|error| skip(error.to_string()))
    }

    fn too_few(&self, shortage: Shortage, skipped: &[Skipped]) -> DataError {
        let class = self.classes[shortage.class].name.clone();
        let skipped = skipped
            .iter()
            .find(|skipped| skipped.path.starts_with(&class))
            .map(|skipped| format!("`{}`: {}", skipped.path.display(), skipped.reason));
        DataError::TooFewRecordings {
            class,
            count: shortage.count,
            needed: shortage.needed,
            skipped,
        }
    }
}

/// Why a recording gives no row.
enum Failure {
    /// The others go on.
    Skip(String),
    /// Nothing goes on.
    Abort(DataError),
}

impl Outcome {
    fn add(&mut self, candidate: &Candidate, frames: usize) -> Result<(), DataError> {
        if let Some(first) = self.tracks.first()
            && frames != self.frames
        {
            return Err(DataError::FramesDiffer {
                first: first.clone(),
                first_frames: self.frames,
                other: candidate.name.clone(),
                other_frames: frames,
            });
        }
        self.frames = frames;
        self.labels.push(candidate.class);
        self.tracks.push(candidate.name.clone());
        Ok(())
    }
}

/// The bytes of a file, at most as many as were allowed when it was hashed.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), DataError> {
    let mut json = serde_json::to_vec_pretty(value).expect("strings and finite numbers are JSON");
    json.push(b'\n');
    File::create(path)
        .and_then(|mut file| file.write_all(&json).and_then(|()| file.sync_all()))
        .map_err(io_error("write", path))
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
