//! A dataset as a page to look at: `sweep prepare FILE --report data.html`.
//!
//! The page says what preparation did: where the data come from, how many of
//! each class there are and in which part, what was left out and why; and it
//! shows what is in them: a recording or an image of each class, and how numbers
//! are distributed. It reads a prepared dataset and, for recordings, their
//! folder; it changes nothing. It is one file of a bounded size.

mod charts;
mod examples;
mod figure;
mod markup;
mod page;
mod picture;
mod place;
mod recordings;
mod sound;
mod table;
mod values;

use std::path::Path;

use image::imageops::FilterType;
use image::{DynamicImage, ExtendedColorType, GrayImage, RgbImage};

pub(crate) use markup::shown;
pub use place::{PlaceError, check_place, write};
pub use table::{ClassTable, class_table};

use crate::data::overview::{alike, origin};
use crate::data::{
    self, DataError, DataSettings, Overview, Prepared, Progress, RecordingSettings, Source,
    TableSettings, Track,
};
use crate::results::time::duration;
use charts::{bars, boxes, histogram, series};
use examples::Sample;
use figure::number;
use page::{Page, Shown};
use recordings::Recordings;
use values::{Histogram, Quartiles};

/// Classes that charts have a row for; the table has all of them.
const CHARTED: usize = 100;
/// Bars of a histogram.
const BINS: usize = 48;
/// Columns of a table that are shown: those that tell classes apart best.
const COLUMNS: usize = 10;
/// Classes of which an image is shown, and its longest side in pixels.
const IMAGES: usize = 60;
const IMAGE_SIDE: u32 = 160;
/// Names of what was skipped that are listed.
const SKIPPED: usize = 200;

/// What a page is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Name of the study.
    pub study: &'a str,
    /// What was asked for.
    pub settings: &'a DataSettings,
    /// What was made of it.
    pub prepared: &'a Prepared,
    /// What that consists of.
    pub overview: &'a Overview,
}

/// The page.
///
/// - `cache`: where made-up recordings are
///
/// # Errors
///
/// [`DataError::Io`] where the dataset cannot be read. Recordings that are gone
/// since are no error; the page says so.
pub fn render(
    subject: Subject<'_>,
    cache: &Path,
    progress: &dyn Progress,
) -> Result<String, DataError> {
    let Subject { study, settings, prepared, .. } = subject;
    let mut page = Page::new(&format!("{study}: the data"), &origin(&settings.source));
    subject.facts(&mut page);
    subject.classes(&mut page);
    match &settings.source {
        Source::Recordings(recordings) => {
            subject.recordings(recordings, cache, progress, &mut page)?;
        }
        Source::Table(table) => subject.table(table, &mut page)?,
        Source::Images(_) => subject.images(&mut page)?,
        Source::Arrays(_) => subject.arrays(&mut page)?,
    }
    subject.skipped(&mut page);
    let version = env!("CARGO_PKG_VERSION");
    Ok(page.finish(&format!(
        "Dataset {} in {}, shown by sweep {version}.",
        prepared.manifest.digest,
        prepared.path.display()
    )))
}

impl Subject<'_> {
    /// The first lines, and the settings.
    fn facts(&self, page: &mut Page) {
        let Self { settings, prepared, overview, .. } = *self;
        let manifest = &prepared.manifest;
        let total = &overview.total;
        let mut facts = vec![
            ("classes", overview.classes.len().to_string()),
            (overview.unit, total.tracks.to_string()),
        ];
        if overview.has_slices() {
            facts.push(("examples", total.examples.to_string()));
        }
        if let Some(lengths) = total.lengths {
            facts.push(("duration", duration(lengths.total_seconds)));
        }
        facts.push(("an example", overview.shape(&manifest.input_shape)));
        if total.skipped > 0 {
            facts.push(("left out", total.skipped.to_string()));
        }
        facts.push(("digest", manifest.digest.chars().take(12).collect()));
        page.facts(&facts);
        if settings.leaks() {
            page.warning(
                "Slices of one recording are in several parts (group: none): what is measured \
                 on validation and test examples looks better than it is.",
            );
        }
        page.details("Settings", |page| page.words(&["setting", "value"], &flat(settings)));
    }

    /// The table of classes, and its numbers as bars.
    fn classes(&self, page: &mut Page) {
        let overview = self.overview;
        let of_examples = match overview.has_slices() {
            true => "Sizes of parts count examples.",
            false => "",
        };
        page.section("Classes", of_examples);
        let ClassTable { header, rows, total } = class_table(overview);
        page.numbers(&header, &rows, &total);
        if overview.classes.len() > CHARTED {
            page.paragraph(&format!("Charts show the first {CHARTED} classes."));
        }
        let mut balance = vec![(overview.unit, "s0".to_owned())];
        if overview.total.skipped > 0 {
            balance.push(("left out", "s5".to_owned()));
        }
        let used: Vec<(&str, Vec<u64>)> = overview
            .classes
            .iter()
            .take(CHARTED)
            .map(|class| (class.name.as_str(), vec![class.tracks, class.skipped]))
            .collect();
        let sizes: Vec<(&str, Vec<u64>)> = overview
            .classes
            .iter()
            .take(CHARTED)
            .map(|class| (class.name.as_str(), class.parts.clone()))
            .collect();
        let parts = series(overview.parts.iter().map(String::as_str));
        let of_classes = format!("How many {} each class has.", overview.unit);
        let of_parts = "How many examples of each class are in each part.";
        let figures = [
            Shown::new("Class balance", bars(&of_classes, &balance, &used), "")
                .with_legend(&balance),
            Shown::new("Parts", bars(of_parts, &parts, &sizes), "").with_legend(&parts),
        ];
        page.figures(&figures);
    }

    fn recordings(
        &self,
        settings: &RecordingSettings,
        cache: &Path,
        progress: &dyn Progress,
        page: &mut Page,
    ) -> Result<(), DataError> {
        let tracks = data::stored::tracks(self.prepared)?;
        self.durations(&tracks, page);
        let (folder, _in_use) = data::recordings_folder(settings, cache, progress)?;
        let classes = &self.prepared.manifest.classes;
        let recordings = Recordings { settings, folder: &folder, classes, tracks: &tracks };
        let heard = recordings.hear(progress);
        recordings.show_drawn(&heard, page);

        let sample = Sample::read(self.prepared, false)?;
        page.section(
            "Distributions",
            &format!(
                "Of what a network gets: {} examples to train on. Of recordings as they are: the \
                 beginnings of {}. {BOXES}",
                sample.examples,
                heard.count()
            ),
        );
        let mut figures = self.numbers(&sample, "prepared value");
        figures.extend(heard.figures(classes));
        page.figures(&figures);
        Ok(())
    }

    fn durations(&self, tracks: &[Track], page: &mut Page) {
        let seconds: Vec<f64> = tracks
            .iter()
            .filter_map(|track| track.sound.as_ref().map(|sound| sound.seconds))
            .collect();
        let (Some(lengths), Some(counts)) =
            (self.overview.total.lengths, Histogram::of(&seconds, 24))
        else {
            return;
        };
        let total = duration(lengths.total_seconds);
        let [shortest, median, longest] =
            [lengths.shortest_seconds, lengths.median_seconds, lengths.longest_seconds]
                .map(duration);
        let mut lead = match shortest == longest {
            true => format!("Recordings as found: {total} in all, {median} each."),
            false => format!(
                "Recordings as found: {total} in all, from {shortest} to {longest}, half of them \
                 up to {median}."
            ),
        };
        if lengths.clipped_seconds < lengths.total_seconds - 0.05 {
            lead.push_str(&format!(
                " The clip setting leaves {}.",
                duration(lengths.clipped_seconds)
            ));
        }
        page.section("Durations", &lead);
        let formats = &self.overview.formats;
        if formats.len() > 1 {
            let rows: Vec<Vec<String>> = formats
                .iter()
                .map(|format| {
                    vec![
                        format!("{} Hz", format.sample_rate),
                        format.channels.to_string(),
                        format.recordings.to_string(),
                    ]
                })
                .collect();
            page.numbers(&["sample rate", "channels", "recordings"].map(str::to_owned), &rows, &[]);
        } else if let Some(format) = formats.first() {
            let channels = if format.channels == 1 { "channel" } else { "channels" };
            page.paragraph(&format!(
                "All have {} Hz and {} {channels}.",
                format.sample_rate, format.channels
            ));
        }
        if lengths.longest_seconds - lengths.shortest_seconds > 1e-3 {
            let about = "How long recordings are.";
            page.figures(&[Shown::new("Durations", histogram(about, &counts, "seconds"), "")]);
        }
    }

    fn table(&self, settings: &TableSettings, page: &mut Page) -> Result<(), DataError> {
        let classes = &self.prepared.manifest.classes;
        let sample = Sample::read(self.prepared, true)?;
        let columns = self.prepared.manifest.input_shape.first().copied().unwrap_or(0);
        // The file may be another one by now; numbers name columns as well.
        let names = data::column_names(settings, self.settings.classes.as_deref())
            .ok()
            .filter(|names| names.len() == columns as usize);
        let name = |column: usize| match &names {
            Some(names) => names[column].clone(),
            None => format!("column {}", column + 1),
        };
        let best = sample.best_columns(COLUMNS);
        let which = match columns as usize > best.len() {
            true => format!("The {} of {columns} columns", best.len()),
            false => "The columns".to_owned(),
        };
        page.section(
            "Columns",
            &format!(
                "{which} that tell classes apart best, by the F of an analysis of variance of {} \
                 rows to train on. {BOXES}",
                sample.examples
            ),
        );
        let figures: Vec<Shown> = best
            .iter()
            .map(|best| {
                let rows: Vec<(&str, Quartiles)> = classes
                    .iter()
                    .zip(&best.quartiles)
                    .take(CHARTED)
                    .filter_map(|(class, quartiles)| Some((class.as_str(), (*quartiles)?)))
                    .collect();
                let (name, f) = (name(best.column), number(best.f));
                Shown::new(&name, boxes(&name, &rows, ""), &format!("F = {f}"))
            })
            .collect();
        page.figures(&figures);
        page.section("Values", "All columns together, as they are in the file.");
        page.figures(&self.numbers(&sample, "value"));
        Ok(())
    }

    fn arrays(&self, page: &mut Page) -> Result<(), DataError> {
        let sample = Sample::read(self.prepared, false)?;
        page.section(
            "Distributions",
            &format!("Of the numbers of {} examples to train on. {BOXES}", sample.examples),
        );
        page.figures(&self.numbers(&sample, "value"));
        Ok(())
    }

    fn images(&self, page: &mut Page) -> Result<(), DataError> {
        let manifest = &self.prepared.manifest;
        let sample = Sample::read(self.prepared, false)?;
        page.section("An image of each class", "The first to train on, as a network gets it.");
        let pictures: Vec<(String, String)> = manifest
            .classes
            .iter()
            .zip(&sample.classes)
            .take(IMAGES)
            .filter_map(|(class, sampled)| {
                let uri = thumbnail(sampled.first.as_ref()?, &manifest.input_shape)?;
                Some((class.clone(), uri))
            })
            .collect();
        page.gallery(&pictures);
        if manifest.classes.len() > IMAGES {
            let more = manifest.classes.len() - IMAGES;
            page.paragraph(&format!("{more} more classes are not shown."));
        }
        page.section(
            "Distributions",
            &format!("Of the pixels of {} images to train on. {BOXES}", sample.examples),
        );
        let header = ["class", "mean", "standard deviation"].map(str::to_owned);
        let rows: Vec<Vec<String>> = manifest
            .classes
            .iter()
            .zip(&sample.classes)
            .map(|(class, sampled)| {
                vec![
                    class.clone(),
                    format!("{:.1}", sampled.mean),
                    format!("{:.1}", sampled.deviation),
                ]
            })
            .collect();
        page.numbers(&header, &rows, &[]);
        page.figures(&self.numbers(&sample, "pixel value"));
        Ok(())
    }

    /// Where the numbers of examples lie, and their means by class.
    ///
    /// - `axis`: what the numbers are
    fn numbers(&self, sample: &Sample, axis: &str) -> Vec<Shown> {
        let mut figures = Vec::new();
        // Whole numbers fill all bars or leave gaps between them.
        let bins = if sample.are_bytes { 64 } else { BINS };
        if let Some(counts) = Histogram::of(&sample.numbers, bins) {
            let all = Quartiles::of(&sample.numbers);
            let caption = all.map_or_else(String::new, |all| {
                format!(
                    "Mean {}, standard deviation {}, from {} to {}.",
                    number(all.mean),
                    number(all.deviation),
                    number(all.least),
                    number(all.greatest)
                )
            });
            let about = "How the numbers of examples are distributed.";
            figures.push(Shown::new("Values", histogram(about, &counts, axis), &caption));
        }
        let rows: Vec<(&str, Quartiles)> = self
            .prepared
            .manifest
            .classes
            .iter()
            .zip(&sample.classes)
            .take(CHARTED)
            .filter_map(|(class, sampled)| Some((class.as_str(), Quartiles::of(&sampled.means)?)))
            .collect();
        if !rows.is_empty() {
            let about = "The mean of each example.";
            figures.push(Shown::new("Means of examples", boxes(about, &rows, axis), about));
        }
        figures
    }

    fn skipped(&self, page: &mut Page) {
        let skipped = &self.prepared.manifest.skipped;
        if skipped.is_empty() {
            return;
        }
        let (unit, total) = (self.overview.unit, &self.overview.total);
        let all = total.tracks + total.skipped;
        page.section("Left out", &format!("{} of {all} {unit} could not be used.", skipped.len()));
        let groups = alike(skipped);
        let rows: Vec<Vec<String>> = groups
            .iter()
            .take(SKIPPED)
            .map(|group| vec![group.skipped.len().to_string(), group.reason.to_owned()])
            .collect();
        page.words(&[unit, "reason"], &rows);
        let all: Vec<Vec<String>> = skipped
            .iter()
            .take(SKIPPED)
            .map(|one| vec![one.path.display().to_string(), one.reason.clone()])
            .collect();
        page.details("Each of them", |page| page.words(&["file", "reason"], &all));
        if skipped.len() > SKIPPED {
            let more = skipped.len() - SKIPPED;
            page.paragraph(&format!("{more} more are in manifest.json beside the arrays."));
        }
    }
}

/// How box plots are read.
const BOXES: &str = "A box reaches from the lower to the upper quartile, with the median within \
                     it and a dot at the mean; lines reach out to the least and the greatest.";

/// Settings as names with dots and their values, as they are in the digest.
fn flat(settings: &DataSettings) -> Vec<Vec<String>> {
    fn visit(name: &str, value: &serde_json::Value, rows: &mut Vec<Vec<String>>) {
        let text = match value {
            serde_json::Value::Object(fields) => {
                for (key, value) in fields {
                    let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                    visit(&name, value, rows);
                }
                return;
            }
            serde_json::Value::Null => "-".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Array(items) => {
                let text = |item: &serde_json::Value| match item {
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                items.iter().map(text).collect::<Vec<_>>().join(", ")
            }
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => value.to_string(),
        };
        rows.push(vec![name.to_owned(), text]);
    }

    let value = serde_json::to_value(settings).expect("strings and finite numbers are JSON");
    let mut rows = Vec::new();
    visit("", &value, &mut rows);
    for row in &mut rows {
        for prefix in ["source.recordings.", "source.table.", "source.images.", "source.arrays."] {
            if let Some(rest) = row[0].strip_prefix(prefix) {
                row[0] = rest.to_owned();
            }
        }
    }
    rows
}

/// A small picture of an example; none of one that is no image.
fn thumbnail(example: &[f32], shape: &[u32]) -> Option<String> {
    let bytes: Vec<u8> = example.iter().map(|&value| value.round() as u8).collect();
    let &[height, width, channels] = shape else { return None };
    let image = match channels {
        1 => DynamicImage::ImageLuma8(GrayImage::from_raw(width, height, bytes)?),
        3 => DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, bytes)?),
        _ => return None,
    };
    let image = match width.max(height) > IMAGE_SIDE {
        true => image.resize(IMAGE_SIDE, IMAGE_SIDE, FilterType::Triangle),
        false => image,
    };
    let colours = match channels {
        1 => ExtendedColorType::L8,
        _ => ExtendedColorType::Rgb8,
    };
    Some(picture::png(image.as_bytes(), image.width(), image.height(), colours))
}

#[cfg(test)]
mod tests;
