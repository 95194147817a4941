//! A dataset in the cache: found there, or made.
//!
//! `<cache>/datasets/<digest>/` holds `manifest.json`, `x.npy` (`[N, ...]`,
//! examples with channels last: f32, or u8 for images), `y.npy` (`[N]`, i64,
//! index of the class), `groups.npy` (`[N]`, i64, index of the track), an array of
//! rows of `x.npy` (i64) for each part, `train.npy`, `validation.npy` and
//! `test.npy`, or with folds `fold-1.npy`, `fold-2.npy`, ... and `test.npy`,
//! `splits.csv` (the same for people: row, track, class and part) and
//! `tracks.json` (a [`Track`] for each recording, image or row of the table; of a
//! recording also what it was like). The digest covers everything that the arrays depend on, so a folder
//! of the right name is right.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use sha2::{Digest, Sha256};
use sweep_proto::digest::hexadecimal;

use super::ahead::lengths;
use super::error::io_error;
use super::features::Recordings;
use super::kept::{InUse, Kept, keep};
use super::npy::{self, Dtype};
use super::parts;
use super::source::arrays::Arrays;
use super::source::digests::Digests;
use super::source::files::Files;
use super::source::folder::Content;
use super::source::image::Images;
use super::source::table::Table;
use super::source::{self, Input, Outcome};
use super::split::{Shortage, split};
use super::{
    DataError, DataSettings, Group, Manifest, Origin, Prepared, Progress, RecordingSettings,
    Source, SplitSettings, TableSettings, Track, synth,
};

/// Number it up whenever the same settings and files give another folder.
const FORMAT: u32 = 4;

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
/// Files whose content is not known from an earlier time are read once to know it.
/// Those that cannot be used are left out and listed in the manifest.
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
    let (input, _recordings) = open(settings, cache, progress)?;
    let digest = digest(settings, &*input);
    let dtype = input.dtype();

    let dataset = Dataset { settings, input: &*input, digest: &digest };
    let complete = |place: &Path| read_complete(place, &digest, dtype);
    let make = |folder: &Path| dataset.write(folder, progress).map(drop);
    let Kept { path, value: manifest, cached, in_use } =
        keep(cache, "datasets", &digest, progress, complete, make)?;
    Ok(Prepared { path, manifest, cached, in_use })
}

/// Looks through a source; its recordings, where they are made up, are held.
fn open<'a>(
    settings: &'a DataSettings,
    cache: &Path,
    progress: &dyn Progress,
) -> Result<(Box<dyn Input + 'a>, InUse), DataError> {
    let classes = settings.classes.as_deref();
    let digests = |folder: &Path| Digests::open(cache, folder, SystemTime::now());
    match &settings.source {
        Source::Recordings(recordings) => {
            let (root, in_use) = recordings_folder(recordings, cache, progress)?;
            let (content, extractor) = (Content::Recordings, Recordings::new(recordings));
            let known = digests(&root);
            let files = Files::read(&root, content, classes, extractor, &known, progress)?;
            Ok((Box::new(files), in_use))
        }
        Source::Table(table) => Ok((Box::new(Table::read(table, classes)?), InUse::default())),
        Source::Arrays(arrays) => {
            let arrays = Arrays::read(arrays, classes, cache, progress)?;
            Ok((Box::new(arrays), InUse::default()))
        }
        Source::Images(images) => {
            let (root, content, extractor) = (&images.folder, Content::Images, Images(images));
            let files = Files::read(root, content, classes, extractor, &digests(root), progress)?;
            Ok((Box::new(files), InUse::default()))
        }
    }
}

/// The folder of the classes; made-up recordings are made where they are not
/// there yet.
pub(crate) fn recordings_folder(
    settings: &RecordingSettings,
    cache: &Path,
    progress: &dyn Progress,
) -> Result<(PathBuf, InUse), DataError> {
    match &settings.origin {
        Origin::Folder(folder) => Ok((folder.clone(), InUse::default())),
        Origin::Synthetic(made_up) => synth::in_cache(cache, made_up, progress),
    }
}

/// Names of the columns of a table's examples, read again from its file.
pub(crate) fn column_names(
    settings: &TableSettings,
    classes: Option<&[String]>,
) -> Result<Vec<String>, DataError> {
    Table::read(settings, classes).map(|table| table.feature_names().to_vec())
}

/// Digest over all that the arrays depend on, as JSON with its keys in this order.
fn digest(settings: &DataSettings, input: &dyn Input) -> String {
    #[derive(Serialize)]
    struct Content<'a> {
        format: u32,
        classes: Vec<String>,
        source: &'a Source,
        split: &'a SplitSettings,
        content: Vec<(&'a str, Option<&'a str>)>,
    }

    let content = Content {
        format: FORMAT,
        classes: input.classes(),
        source: &settings.source,
        split: &settings.split,
        content: input.content(),
    };
    let json = serde_json::to_vec(&content).expect("strings and finite numbers are JSON");
    hex(Sha256::new_with_prefix(json))
}

/// Lower-case hexadecimal digits of a finished hash.
pub(super) fn hex(hasher: Sha256) -> String {
    hexadecimal(&hasher.finalize())
}

/// The manifest of a folder that has all its arrays at their full lengths.
fn read_complete(place: &Path, digest: &str, dtype: Dtype) -> Option<Manifest> {
    let manifest: Manifest =
        serde_json::from_slice(&fs::read(place.join("manifest.json")).ok()?).ok()?;
    if manifest.digest != digest || manifest.input_shape.len() > npy::MAX_ROW_RANK {
        return None;
    }
    let shape: Vec<usize> = manifest.input_shape.iter().map(|&length| length as usize).collect();
    let arrays = [
        ("x.npy", dtype, manifest.examples, &shape[..]),
        ("y.npy", Dtype::I64, manifest.examples, &[]),
        ("groups.npy", Dtype::I64, manifest.examples, &[]),
    ];
    let whole = arrays.iter().all(|&(name, dtype, rows, row_shape)| {
        npy::is_complete(&place.join(name), dtype, rows, row_shape)
    });
    let divided = manifest.parts.iter().all(|part| {
        let rows = part.rows.len() as u64;
        npy::is_complete(&place.join(format!("{}.npy", part.name)), Dtype::I64, rows, &[])
    });
    let told = ["tracks.json", parts::SPLITS].iter().all(|name| place.join(name).is_file());
    (whole && divided && told).then_some(manifest)
}

/// A dataset that is to be written.
struct Dataset<'a> {
    settings: &'a DataSettings,
    input: &'a dyn Input,
    digest: &'a str,
}

impl Dataset<'_> {
    fn write(&self, folder: &Path, progress: &dyn Progress) -> Result<Manifest, DataError> {
        let outcome = self.input.write(&folder.join("x.npy"), progress)?;
        let classes = self.input.classes();
        let track_classes: Vec<usize> = outcome.tracks.iter().map(|track| track.class).collect();
        let split = split(&track_classes, &outcome.groups, classes.len(), &self.settings.split)
            .map_err(|shortage| self.too_few(shortage, &classes, &outcome))?;
        let labels: Vec<i64> =
            outcome.groups.iter().map(|&track| track_classes[track] as i64).collect();
        let groups: Vec<i64> = outcome.groups.iter().map(|&track| track as i64).collect();
        let tracks = tracks(&outcome, &classes);
        npy::write_i64(&folder.join("y.npy"), &labels)?;
        npy::write_i64(&folder.join("groups.npy"), &groups)?;
        for (name, rows) in split.parts() {
            npy::write_i64(&folder.join(format!("{name}.npy")), rows)?;
        }
        write_json(&folder.join("tracks.json"), &tracks)?;
        let parts = parts::of(&split, &labels, classes.len());
        parts::write(&folder.join(parts::SPLITS), &parts, &outcome, &classes)?;

        let manifest = Manifest {
            digest: self.digest.to_owned(),
            source: self.settings.source.key().to_owned(),
            classes,
            input_shape: lengths(&outcome.shape).expect("each length is below 2^32"),
            examples: labels.len() as u64,
            tracks: tracks.len() as u64,
            parts,
            skipped: outcome.skipped,
        };
        write_json(&folder.join("manifest.json"), &manifest)?;
        Ok(manifest)
    }

    fn too_few(&self, shortage: Shortage, classes: &[String], outcome: &Outcome) -> DataError {
        let class = classes[shortage.class].clone();
        let skipped = outcome
            .skipped
            .iter()
            .find(|skipped| skipped.path.starts_with(&class))
            .map(|skipped| format!("`{}`: {}", skipped.path.display(), skipped.reason));
        let what = match self.settings.split.group {
            Group::Track => self.input.tracks(),
            Group::None => "examples",
        };
        DataError::TooFew { class, what, count: shortage.count, needed: shortage.needed, skipped }
    }
}

/// What is said of the tracks in `tracks.json`.
fn tracks(outcome: &Outcome, classes: &[String]) -> Vec<Track> {
    let mut examples = vec![0; outcome.tracks.len()];
    for &track in &outcome.groups {
        examples[track] += 1;
    }
    let track = |(track, examples): (&source::Track, u64)| Track {
        name: track.name.clone(),
        class: classes[track.class].clone(),
        examples,
        sound: track.sound.clone(),
    };
    outcome.tracks.iter().zip(examples).map(track).collect()
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), DataError> {
    // Not spread over lines: a manifest has a number for each row.
    let mut json = serde_json::to_vec(value).expect("strings and finite numbers are JSON");
    json.push(b'\n');
    File::create(path)
        .and_then(|mut file| file.write_all(&json).and_then(|()| file.sync_all()))
        .map_err(io_error("write", path))
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
