//! Made-up recordings: a labelled set to try things out with, as hard as music.
//!
//! Each class is a style of music (`style`, `styles`): how likely each speed,
//! chord, instrument (`voices`), rhythm and sound is. Each recording is of a song
//! that is drawn from it (`song`), played (`piece`, with the tones of `instrument`
//! and the strokes of `drums`) and recorded (`mix`). Styles overlap, songs differ,
//! and slices of one song are alike, as they are in music.
//!
//! The layout is GTZAN's: `<class>/<class>.00000.wav`, 22 050 Hz, mono, 16 bits
//! (`files`). A recording depends on the seed, its class and its number only, so
//! that files are written in parallel and are the same every time.

mod chance;
mod drums;
mod files;
mod instrument;
mod mix;
mod piece;
mod song;
mod style;
mod styles;
mod voices;

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::error::io_error;
use super::kept::{InUse, keep};
use super::prepare::hex;
use super::progress::Phase;
use super::random::Random;
use super::{DataError, Progress, SynthSettings};
pub use files::SynthFormat;
use files::WAV_HEADER_LEN;
use song::Song;
use style::Style;

/// Rate of made-up recordings, in Hz.
pub(super) const SAMPLE_RATE: u32 = 22_050;
/// The same, for arithmetic.
const RATE: f64 = SAMPLE_RATE as f64;

/// Number it up whenever the same settings give other bytes.
const VERSION: u32 = 2;

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
    format: SynthFormat,
    progress: &dyn Progress,
) -> Result<Synthesized, DataError> {
    settings.check()?;
    let is_new = !folder.exists();
    if is_new {
        fs::create_dir_all(folder).map_err(io_error("create", folder))?;
    } else {
        check_empty(folder)?;
    }
    let written = write_all(folder, settings, format, progress);
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
    format: SynthFormat,
    progress: &dyn Progress,
) -> Result<Synthesized, DataError> {
    let styles = styles(settings.classes);
    for (_, style) in &styles {
        let class = folder.join(&style.name);
        fs::create_dir(&class).map_err(io_error("create", &class))?;
    }
    let recordings: Vec<(&(u64, Style), u32)> = styles
        .iter()
        .flat_map(|style| (0..settings.clips).map(move |clip| (style, clip)))
        .collect();
    let phase = Phase::begin(progress, "making recordings", recordings.len());
    recordings.par_iter().try_for_each(|&((number, style), clip)| {
        let random = Random::new(&[settings.seed, *number, u64::from(clip)]);
        let samples = recording(style, settings.samples(), random);
        format.write(&folder.join(file_name(&style.name, clip, format)), &samples)?;
        phase.step();
        Ok(())
    })?;
    Ok(Synthesized {
        folder: folder.to_owned(),
        classes: class_names(settings.classes),
        recordings: recordings.len() as u64,
    })
}

/// A song of a style, so many samples of it.
fn recording(style: &Style, length: usize, mut random: Random) -> Vec<i16> {
    let song = Song::new(style, &mut random);
    let music = piece::perform(&song, length, &mut random);
    mix::record(music, &song.sound, &mut random)
}

/// The names of so many classes, sorted.
pub(super) fn class_names(classes: u32) -> Vec<String> {
    styles(classes).into_iter().map(|(_, style)| style.name).collect()
}

/// The styles of so many classes with their numbers, sorted by name.
fn styles(classes: u32) -> Vec<(u64, Style)> {
    let mut styles: Vec<(u64, Style)> =
        (0..classes).map(|class| (u64::from(class), Style::new(class as usize))).collect();
    styles.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    styles
}

/// Path of a recording in its set.
fn file_name(class: &str, clip: u32, format: SynthFormat) -> PathBuf {
    Path::new(class).join(format!("{class}.{clip:05}.{}", format.extension()))
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
    let make = |folder: &Path| synthesize(folder, settings, SynthFormat::Wav, progress).map(drop);
    let kept = keep(cache, "synthetic", &digest, progress, complete, make)?;
    Ok((kept.path, kept.in_use))
}

/// Whether all recordings are there at their full length.
fn is_complete(place: &Path, settings: &SynthSettings) -> bool {
    let length = WAV_HEADER_LEN + 2 * settings.samples() as u64;
    class_names(settings.classes).iter().all(|class| {
        (0..settings.clips).all(|clip| {
            fs::metadata(place.join(file_name(class, clip, SynthFormat::Wav)))
                .is_ok_and(|file| file.is_file() && file.len() == length)
        })
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
