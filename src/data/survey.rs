//! What an experiment's examples will look like, without preparing them.

use std::fs;
use std::path::Path;

use super::folder::{self, Class};
use super::{DataError, DataSettings, MelSettings, Source, known_ahead, mel, recording};

/// Shape of one example, `[n_mels, frames, 1]`, and the classes in sorted order.
///
/// Folders are listed where the classes are not named, and the first recording
/// that can be read is decoded where `frames` is not given.
///
/// # Errors
///
/// When there is no usable folder, or no recording that can be read.
pub fn survey(settings: &DataSettings) -> Result<(Vec<u32>, Vec<String>), DataError> {
    settings.check()?;
    if let Some(known) = known_ahead(settings) {
        return Ok(known);
    }
    let root = match &settings.source {
        Source::Audio(folder) => folder.as_path(),
        Source::Synthetic(_) => unreachable!("all of a made-up set is known ahead"),
    };
    let classes = folder::list(root, settings.classes.as_deref())?;
    let features = &settings.features;
    let frames = match features.frames {
        Some(frames) => frames,
        None => first_frames(root, &classes, features)?,
    };
    let names = classes.into_iter().map(|class| class.name).collect();
    Ok((vec![features.n_mels, frames, 1], names))
}

fn first_frames(root: &Path, classes: &[Class], features: &MelSettings) -> Result<u32, DataError> {
    let files = classes
        .iter()
        .flat_map(|class| class.recordings.iter().map(|file| root.join(&class.name).join(file)));
    files
        .filter_map(|path| recording::decode(fs::read(path).ok()?).ok())
        .find_map(|recording| {
            let samples = recording::resample(recording, features.sample_rate).ok()?.len();
            u32::try_from(mel::frames_of(samples, features)).ok()
        })
        .ok_or_else(|| DataError::NoClasses { path: root.to_owned(), nested: None })
}
