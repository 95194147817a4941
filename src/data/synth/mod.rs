//! Made-up recordings: a small labelled set to try things out with.
//!
//! Each class is a style of music (`style`); each recording is a piece in that
//! style (`piece`), at a random speed, key, loudness and mix. The layout
//! is GTZAN's: `<class>/<class>.00000.wav`, 22 050 Hz, mono, 16 bits. A
//! recording depends on the seed, its class and its number only, so that files
//! are written in parallel and are the same every time.

mod instrument;
mod piece;
mod style;

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::error::io_error;
use super::kept::{InUse, keep};
use super::prepare::hex;
use super::progress::Phase;
use super::random::Random;
use super::{DataError, Progress, SynthSettings};
use piece::Band;
use style::Style;

/// Rate of made-up recordings, in Hz.
pub(super) const SAMPLE_RATE: u32 = 22_050;

/// Number it up whenever the same settings give other bytes.
const VERSION: u32 = 1;

/// Bytes of a WAV file before its samples.
const WAV_HEADER_LEN: u64 = 44;

/// What [`synthesize`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synthesized {
    /// The folder with a folder for each class.
    pub folder: PathBuf,
    /// Sorted.
    pub classes: Vec<String>,
    /// Number of recordings of all classes together.
    pub recordings: u64,
}

/// Writes a made-up set of recordings into a folder that is new or empty.
///
/// # Errors
///
/// [`DataError::NotEmpty`] when something is there already,
/// [`DataError::Settings`] for impossible numbers, and [`DataError::Io`]; what
/// was written is then removed again.
pub fn synthesize(
    folder: &Path,
    settings: &SynthSettings,
    progress: &dyn Progress,
) -> Result<Synthesized, DataError> {
    settings.check()?;
    let is_new = !folder.exists();
    if is_new {
        fs::create_dir_all(folder).map_err(io_error("create", folder))?;
    } else {
        check_empty(folder)?;
    }
    let written = write_all(folder, settings, progress);
    if written.is_err() {
        for class in class_names(settings.classes) {
            // The first failure is the one to report.
            let _ = fs::remove_dir_all(folder.join(class));
        }
        if is_new {
            let _ = fs::remove_dir(folder);
        }
    }
    written
}

fn check_empty(folder: &Path) -> Result<(), DataError> {
    let is_empty =
        folder.is_dir() && fs::read_dir(folder).map_err(io_error("read", folder))?.next().is_none();
    if is_empty { Ok(()) } else { Err(DataError::NotEmpty { path: folder.to_owned() }) }
}

fn write_all(
    folder: &Path,
    settings: &SynthSettings,
    progress: &dyn Progress,
) -> Result<Synthesized, DataError> {
    let bands: Vec<Band> = styles(settings.classes).into_iter().map(Band::new).collect();
    for band in &bands {
        let class = folder.join(band.name());
        fs::create_dir(&class).map_err(io_error("create", &class))?;
    }
    let recordings: Vec<(usize, u32)> = (0..bands.len())
        .flat_map(|class| (0..settings.clips).map(move |clip| (class, clip)))
        .collect();
    let phase = Phase::begin(progress, "making recordings", recordings.len());
    recordings.par_iter().try_for_each(|&(class, clip)| {
        let random = Random::new(&[settings.seed, class as u64, u64::from(clip)]);
        let samples = bands[class].perform(settings.samples(), random);
        write_wav(&folder.join(file_name(bands[class].name(), clip)), &samples)?;
        phase.step();
        Ok(())
    })?;
    Ok(Synthesized {
        folder: folder.to_owned(),
        classes: class_names(settings.classes),
        recordings: recordings.len() as u64,
    })
}

/// The names of so many classes, sorted.
pub(super) fn class_names(classes: u32) -> Vec<String> {
    styles(classes).into_iter().map(|style| style.name).collect()
}

/// The styles of so many classes, sorted by name.
fn styles(classes: u32) -> Vec<Style> {
    let mut styles: Vec<Style> = (0..classes as usize).map(Style::new).collect();
    styles.sort_by(|a, b| a.name.cmp(&b.name));
    styles
}

/// Path of a recording in its set.
fn file_name(class: &str, clip: u32) -> PathBuf {
    Path::new(class).join(format!("{class}.{clip:05}.wav"))
}

fn write_wav(path: &Path, samples: &[i16]) -> Result<(), DataError> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let write = || -> Result<(), hound::Error> {
        let file = File::create(path)?;
        let mut writer = WavWriter::new(BufWriter::new(file), spec)?;
        let mut block = writer.get_i16_writer(samples.len() as u32);
        for &sample in samples {
            block.write_sample(sample);
        }
        block.flush()?;
        writer.finalize()
    };
    write().map_err(|error| {
        let cause = match error {
            hound::Error::IoError(cause) => cause,
            // A foreign enum; none of the others happens on writing this format.
            other => io::Error::other(other),
        };
        io_error("write", path)(cause)
    })
}

/// The folder of a made-up set in the cache, written unless it is there.
pub(super) fn in_cache(
    cache: &Path,
    settings: &SynthSettings,
    progress: &dyn Progress,
) -> Result<(PathBuf, InUse), DataError> {
    let SynthSettings { classes, clips, seconds, seed } = settings;
    let key = format!("sweep synth {VERSION}: {classes} {clips} {seconds:?} {seed}");
    let digest = hex(Sha256::new_with_prefix(key));
    let complete = |place: &Path| is_complete(place, settings).then_some(());
    let make = |folder: &Path| synthesize(folder, settings, progress).map(drop);
    let kept = keep(cache, "synthetic", &digest, progress, complete, make)?;
    Ok((kept.path, kept.in_use))
}

/// Whether all recordings are there at their full length.
fn is_complete(place: &Path, settings: &SynthSettings) -> bool {
    let length = WAV_HEADER_LEN + 2 * settings.samples() as u64;
    class_names(settings.classes).iter().all(|class| {
        (0..settings.clips).all(|clip| {
            fs::metadata(place.join(file_name(class, clip)))
                .is_ok_and(|file| file.is_file() && file.len() == length)
        })
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
