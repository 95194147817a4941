//! What recordings look and sound like: one of each class drawn, some measured.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;

use super::CHARTED;
use super::charts::{boxes, coefficients, spectrogram, waveform};
use super::page::{Page, Shown};
use super::sound::{Measures, measure};
use super::values::{Quartiles, spread};
use crate::data::drawn::Drawer;
use crate::data::{Features, Progress, RecordingSettings, Slices, Track};
use crate::results::time::duration;

/// What is drawn and measured of a recording: its beginning.
const SECONDS: f64 = 30.0;
/// Recordings that are measured of all classes together, and fewest of a class.
const MEASURED: usize = 200;
const FEWEST_MEASURED: usize = 3;
/// Classes of which a recording is drawn.
const DRAWN: usize = 40;
/// Columns of all spectrograms together, and of each at least and at most: it
/// keeps the page to a few MiB whatever the number of classes.
const COLUMNS: usize = 4400;
const COLUMNS_EACH: (usize, usize) = (110, 440);
/// Most slices that are marked.
const MARKED: usize = 120;

/// The recordings of a dataset.
pub(super) struct Recordings<'a> {
    pub(super) settings: &'a RecordingSettings,
    /// The folder of the classes.
    pub(super) folder: &'a Path,
    /// Names of the classes.
    pub(super) classes: &'a [String],
    pub(super) tracks: &'a [Track],
}

/// What was seen and heard of the recordings.
pub(super) struct Heard {
    /// Of each class that is drawn: the recording and its figures, or why there
    /// are none.
    drawn: Vec<Result<(String, Vec<Shown>), String>>,
    /// Of each class.
    measured: Vec<Vec<Measures>>,
}

impl Recordings<'_> {
    /// Draws and measures. What cannot be read any more is left out.
    pub(super) fn hear(&self, progress: &dyn Progress) -> Heard {
        let drawer = Drawer::new(&self.settings.features);
        let drawn = self.classes.len().min(DRAWN);
        let mut of_classes: HashMap<&str, Vec<&Track>> = HashMap::new();
        for track in self.tracks {
            of_classes.entry(&track.class).or_default().push(track);
        }
        let of_class = |class: &String| of_classes.remove(class.as_str()).unwrap_or_default();
        let tracks: Vec<Vec<&Track>> = self.classes.iter().map(of_class).collect();
        let at_most = (MEASURED / self.classes.len()).max(FEWEST_MEASURED);
        let chosen: Vec<Vec<&Track>> =
            tracks.iter().take(CHARTED).map(|tracks| spread(tracks, at_most)).collect();
        let steps = drawn + chosen.iter().map(Vec::len).sum::<usize>();
        progress.begin("drawing recordings", steps as u64);
        let figures = tracks[..drawn].par_iter().map(|tracks| {
            let figures = self.draw_class(tracks, &drawer);
            progress.step();
            figures
        });
        let drawn = figures.collect();
        let seconds = self.settings.clip.map_or(SECONDS, |clip| clip.min(SECONDS));
        let measured = chosen.par_iter().map(|tracks| {
            let heard = tracks.par_iter().map(|track| {
                let samples = drawer.load(&self.folder.join(&track.name), seconds);
                progress.step();
                samples.ok().map(|samples| measure(&samples, drawer.bands.sample_rate))
            });
            heard.collect::<Vec<_>>().into_iter().flatten().collect()
        });
        let measured = measured.collect();
        progress.end();
        Heard { drawn, measured }
    }

    /// Draws the first recording of a class that can be read.
    fn draw_class(
        &self,
        tracks: &[&Track],
        drawer: &Drawer,
    ) -> Result<(String, Vec<Shown>), String> {
        let mut reason = None;
        let seconds = self.settings.clip.map_or(SECONDS, |clip| clip.min(SECONDS));
        // More of them would all have the same fault: the folder is not there.
        for track in tracks.iter().take(5) {
            match drawer.load(&self.folder.join(&track.name), seconds) {
                Ok(samples) => return Ok(self.draw(track, &samples, drawer)),
                Err(problem) => {
                    reason.get_or_insert(format!("{}: {problem}", track.name));
                }
            }
        }
        Err(reason.unwrap_or_else(|| "no recording".to_owned()))
    }

    fn draw(&self, track: &Track, samples: &[f32], drawer: &Drawer) -> (String, Vec<Shown>) {
        let columns = (COLUMNS / self.classes.len()).clamp(COLUMNS_EACH.0, COLUMNS_EACH.1);
        let rate = drawer.bands.sample_rate;
        let seconds = samples.len() as f64 / f64::from(rate);
        let about = |what: &str| format!("{what} of {}", track.name);
        let cuts = self.cuts(track);
        let svg = waveform(&about("waveform"), samples, rate, &cuts);
        let caption = if cuts.is_empty() { "" } else { "Dashed: where slices begin and end." };
        let mut figures = vec![Shown::new("Waveform", svg, caption)];
        if let Some(picture) = drawer.mel(samples) {
            let svg = spectrogram(&about("mel spectrogram"), &picture, drawer, seconds, columns);
            figures.push(Shown::new("Mel spectrogram", svg, "Decibels below the loudest band."));
        }
        if let Some(picture) = drawer.mfcc(samples) {
            let svg = coefficients(&about("MFCCs"), &picture, seconds, columns);
            let title = format!("{} MFCCs", picture.rows);
            figures.push(Shown::new(
                &title,
                svg,
                "Coefficient 0, the loudness, may lie beyond the scale.",
            ));
        }
        let mut about = track.name.clone();
        if let Some(sound) = &track.sound {
            let channels = match sound.channels {
                1 => "mono".to_owned(),
                2 => "stereo".to_owned(),
                many => format!("{many} channels"),
            };
            about.push_str(&format!(
                ", {} at {} Hz, {channels}",
                duration(sound.seconds),
                sound.sample_rate
            ));
            if sound.seconds > seconds + 0.05 {
                about.push_str(&format!("; the first {} are drawn", duration(seconds)));
            }
        }
        (about, figures)
    }

    /// Seconds at which slices begin and end.
    fn cuts(&self, track: &Track) -> Vec<f64> {
        let clipped = track.sound.as_ref().map_or(0.0, |sound| sound.clipped_seconds);
        let each = match self.settings.slices {
            Slices::Whole => return Vec::new(),
            Slices::Seconds(seconds) => seconds,
            Slices::Count(count) => clipped / f64::from(count),
        };
        let slices = usize::try_from(track.examples).unwrap_or(MARKED).min(MARKED);
        (0..=slices).map(|slice| slice as f64 * each).collect()
    }

    /// How pictures are computed.
    fn how(&self) -> String {
        let bands = Drawer::new(&self.settings.features).bands;
        let of_file = match self.settings.features {
            Features::Mel(_) | Features::Mfcc(_) => "the settings of the file",
            Features::Raw(_) => "librosa's settings",
        };
        format!(
            "Resampled to {} Hz and drawn with {of_file}: {} mel bands, transforms of {} samples, \
             {} apart.",
            bands.sample_rate, bands.n_mels, bands.n_fft, bands.hop_length
        )
    }

    /// The section with a recording of each class.
    pub(super) fn show_drawn(&self, heard: &Heard, page: &mut Page) {
        page.section("A recording of each class", &self.how());
        for (class, drawn) in self.classes.iter().zip(&heard.drawn) {
            match drawn {
                Ok((about, figures)) => page.recording(class, about, figures),
                Err(reason) => page.recording(class, &format!("cannot be drawn: {reason}"), &[]),
            }
        }
        if self.classes.len() > heard.drawn.len() {
            page.paragraph(&format!(
                "{} more classes are not drawn.",
                self.classes.len() - heard.drawn.len()
            ));
        }
    }
}

impl Heard {
    /// Box plots of what was measured.
    ///
    /// - `classes`: their names
    pub(super) fn figures(&self, classes: &[String]) -> Vec<Shown> {
        let of = |what: &str, axis: &str, caption: &str, number: fn(&Measures) -> f64| {
            let rows: Vec<(&str, Quartiles)> = classes
                .iter()
                .zip(&self.measured)
                .filter_map(|(class, all)| {
                    let numbers: Vec<f64> = all.iter().map(number).collect();
                    Some((class.as_str(), Quartiles::of(&numbers)?))
                })
                .collect();
            (!rows.is_empty()).then(|| Shown::new(what, boxes(what, &rows, axis), caption))
        };
        let all = [
            of("Loudness", "RMS, full scale is 1", "Root of the mean square.", |one| one.loudness),
            of(
                "Zero crossings",
                "share of samples",
                "Where the sign changes: noise and high tones.",
                |one| one.crossings,
            ),
            of(
                "Spectral centroid",
                "Hz",
                "Mean frequency, weighted by magnitude: how bright it sounds.",
                |one| one.centroid_hz,
            ),
        ];
        all.into_iter().flatten().collect()
    }

    /// How many recordings were measured.
    pub(super) fn count(&self) -> usize {
        self.measured.iter().map(Vec::len).sum()
    }
}
