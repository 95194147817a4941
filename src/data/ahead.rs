//! What an experiment's examples will look like, without preparing them.

use std::env;

use super::features::{self, Recordings};
use super::settings::selected;
use super::source::Input as _;
use super::source::arrays::Arrays;
use super::source::files;
use super::source::folder::{self, Content};
use super::source::table::Table;
use super::{DataError, DataSettings, Origin, RecordingSettings, Source, synth};

/// What is known of a dataset without touching its data: the shape of an
/// example, channels last, and the class names in sorted order.
///
/// None where either follows from the data only: `classes` is absent, or
/// nothing says how long a recording or a slice is or how many columns a table
/// has, and the recordings are not made up.
#[must_use]
pub fn known_ahead(settings: &DataSettings) -> Option<(Vec<u32>, Vec<String>)> {
    settings.check().ok()?;
    let (shape, all_classes) = match &settings.source {
        Source::Recordings(recordings) => match &recordings.origin {
            Origin::Folder(_) => (features::shape_ahead(recordings, None), None),
            Origin::Synthetic(made_up) => {
                let samples = recordings.synthetic_samples(made_up);
                (
                    features::shape_ahead(recordings, Some(samples)),
                    Some(synth::class_names(made_up.classes)),
                )
            }
        },
        Source::Table(table) => (table.columns.map(|columns| vec![columns as usize]), None),
        Source::Images(images) => (Some(images.shape()), None),
        Source::Arrays(_) => (None, None),
    };
    let classes = selected(settings.classes.as_deref()).or(all_classes)?;
    Some((lengths(&shape?)?, classes))
}

/// Shape of one example, channels last, and the classes in sorted order.
///
/// A table is read, of arrays the labels; folders are listed where the classes are not named, and the first recording
/// that can be used is decoded where its length decides the shape.
///
/// # Errors
///
/// When there is no usable folder, or nothing in it can be used.
pub fn survey(settings: &DataSettings) -> Result<(Vec<u32>, Vec<String>), DataError> {
    settings.check()?;
    if let Some(known) = known_ahead(settings) {
        return Ok(known);
    }
    match &settings.source {
        Source::Recordings(recordings) => survey_recordings(settings, recordings),
        Source::Table(table) => {
            let table = Table::read(table, settings.classes.as_deref())?;
            let shape = lengths(&[table.features()]).expect("a file has less than 2^32 columns");
            Ok((shape, table.classes()))
        }
        Source::Arrays(arrays) => {
            let arrays = Arrays::look(arrays, settings.classes.as_deref(), &env::temp_dir())?;
            let shape = lengths(&arrays.shape()).expect("each length is below 2^32");
            Ok((shape, arrays.classes()))
        }
        Source::Images(images) => {
            let classes =
                folder::list(&images.folder, Content::Images, settings.classes.as_deref())?;
            let names = classes.into_iter().map(|class| class.name).collect();
            Ok((lengths(&images.shape()).expect("sizes are checked"), names))
        }
    }
}

fn survey_recordings(
    settings: &DataSettings,
    recordings: &RecordingSettings,
) -> Result<(Vec<u32>, Vec<String>), DataError> {
    let root = match &recordings.origin {
        Origin::Folder(folder) => folder.as_path(),
        Origin::Synthetic(_) => unreachable!("all of a made-up set is known ahead"),
    };
    let classes = folder::list(root, Content::Recordings, settings.classes.as_deref())?;
    let shape = match features::shape_ahead(recordings, None) {
        Some(shape) => shape,
        None => {
            let extractor = Recordings::new(recordings);
            files::first_shape(root, Content::Recordings, &classes, &extractor)?
        }
    };
    let names = classes.into_iter().map(|class| class.name).collect();
    Ok((lengths(&shape).expect("a recording has less than 2^32 samples"), names))
}

/// A shape as the wire has it; none where a length is beyond 32 bits.
pub(super) fn lengths(shape: &[usize]) -> Option<Vec<u32>> {
    shape.iter().map(|&length| u32::try_from(length).ok()).collect()
}

#[cfg(test)]
#[path = "ahead_tests.rs"]
mod tests;
