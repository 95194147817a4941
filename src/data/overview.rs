//! What a dataset consists of, class by class: tracks, examples, durations, the
//! sizes of its parts, and what was skipped.
//!
//! Counts come from the arrays themselves, not from the settings that they were
//! made with.

use std::collections::BTreeMap;

use super::stored::{self, by_class};
use super::{ArrayFiles, DataError, Features, Origin, Prepared, Skipped, Sound, Source, Track};

/// What a dataset consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// What a track is, in the plural.
    pub unit: &'static str,
    /// What each length of an example counts; empty where it counts nothing.
    pub axes: Vec<&'static str>,
    /// What the parts are for: to train, to validate, to test.
    pub parts: Vec<String>,
    /// In the order of labels.
    pub classes: Vec<ClassOverview>,
    /// All of them together.
    pub total: ClassOverview,
    /// Rates and channels of recordings as found, the most frequent first.
    pub formats: Vec<SoundFormat>,
}

/// What there is of a class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassOverview {
    /// Its name.
    pub name: String,
    /// Recordings, images, rows of a table that gave examples.
    pub tracks: u64,
    /// Examples of them.
    pub examples: u64,
    /// How long the recordings are; none of other sources.
    pub lengths: Option<Lengths>,
    /// How many of the examples are in each part.
    pub parts: Vec<u64>,
    /// Recordings or images that could not be used.
    pub skipped: u64,
}

/// How long recordings are, as found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lengths {
    /// All of them.
    pub total_seconds: f64,
    /// What `data.clip` leaves of all of them.
    pub clipped_seconds: f64,
    /// The shortest.
    pub shortest_seconds: f64,
    /// As many are longer as are shorter.
    pub median_seconds: f64,
    /// The longest.
    pub longest_seconds: f64,
}

/// How many recordings have a rate and a number of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoundFormat {
    /// In Hz.
    pub sample_rate: u32,
    /// One is mono.
    pub channels: u32,
    /// How many.
    pub recordings: u64,
}

/// Counts what is in a dataset's folder.
///
/// - `source`: what it was made of
///
/// # Errors
///
/// [`DataError::Io`] where the folder cannot be read.
pub fn overview(source: &Source, prepared: &Prepared) -> Result<Overview, DataError> {
    let tracks = stored::tracks(prepared)?;
    let labels = stored::labels(prepared)?;
    let manifest = &prepared.manifest;
    let names = &manifest.classes;
    let class_of: BTreeMap<&str, usize> =
        names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let mut tracks_of: Vec<Vec<&Track>> = vec![Vec::new(); names.len()];
    for track in &tracks {
        if let Some(&class) = class_of.get(track.class.as_str()) {
            tracks_of[class].push(track);
        }
    }
    let mut skipped_of = vec![0; names.len()];
    for skipped in &manifest.skipped {
        let folder = skipped.path.iter().next().and_then(|folder| folder.to_str());
        if let Some(&class) = folder.and_then(|folder| class_of.get(folder)) {
            skipped_of[class] += 1;
        }
    }
    let all: Vec<i64> = (0..labels.len() as i64).collect();
    let examples_of = by_class(&all, &labels, names.len());
    let classes: Vec<ClassOverview> = names
        .iter()
        .enumerate()
        .map(|(index, name)| ClassOverview {
            name: name.clone(),
            tracks: tracks_of[index].len() as u64,
            examples: examples_of[index].len() as u64,
            lengths: lengths(&tracks_of[index]),
            parts: manifest.parts.iter().map(|part| part.classes[index]).collect(),
            skipped: skipped_of[index],
        })
        .collect();
    let total = ClassOverview {
        name: "total".to_owned(),
        tracks: tracks.len() as u64,
        examples: labels.len() as u64,
        lengths: lengths(&tracks.iter().collect::<Vec<_>>()),
        parts: manifest.parts.iter().map(|part| part.rows.len() as u64).collect(),
        skipped: manifest.skipped.len() as u64,
    };
    Ok(Overview {
        unit: unit(source),
        axes: axes(source),
        parts: manifest.parts.iter().map(|part| part.name.clone()).collect(),
        classes,
        total,
        formats: formats(&tracks),
    })
}

impl Overview {
    /// An example's shape with its meaning: `128 mels x 660 frames x 1`.
    ///
    /// - `shape`: channels last
    #[must_use]
    pub fn shape(&self, shape: &[u32]) -> String {
        let length = |(axis, length): (usize, &u32)| match self.axes.get(axis).copied() {
            Some(name) if !name.is_empty() => format!("{length} {name}"),
            Some(_) | None => length.to_string(),
        };
        shape.iter().enumerate().map(length).collect::<Vec<_>>().join(" x ")
    }

    /// Whether some track gave several examples.
    #[must_use]
    pub fn has_slices(&self) -> bool {
        self.total.tracks != self.total.examples
    }
}

/// Where the data come from: `audio: data/gtzan`.
pub(crate) fn origin(source: &Source) -> String {
    match source {
        Source::Recordings(settings) => match &settings.origin {
            Origin::Folder(folder) => format!("audio: {}", folder.display()),
            Origin::Synthetic(made_up) => format!(
                "synthetic: {} classes, {} recordings each, {} s",
                made_up.classes, made_up.clips, made_up.seconds
            ),
        },
        Source::Table(settings) => format!("csv: {}", settings.file.display()),
        Source::Images(settings) => format!("images: {}", settings.folder.display()),
        Source::Arrays(settings) => {
            let (ArrayFiles::Apart { x: file, .. } | ArrayFiles::Archive { file, .. }) =
                &settings.files;
            format!("npy: {}", file.display())
        }
    }
}

fn unit(source: &Source) -> &'static str {
    match source {
        Source::Recordings(_) => "recordings",
        Source::Table(_) => "rows",
        Source::Images(_) => "images",
        // Groups, or rows where the files have none.
        Source::Arrays(_) => "tracks",
    }
}

fn axes(source: &Source) -> Vec<&'static str> {
    match source {
        Source::Recordings(settings) => match &settings.features {
            Features::Mel(_) => vec!["mels", "frames"],
            Features::Mfcc(_) => vec!["frames", "coefficients"],
            Features::Raw(_) => vec!["samples"],
        },
        Source::Table(_) => vec!["columns"],
        Source::Images(_) => vec!["", "pixels", "channels"],
        Source::Arrays(_) => Vec::new(),
    }
}

/// None where there is no recording.
fn lengths(tracks: &[&Track]) -> Option<Lengths> {
    let sounds: Vec<&Sound> = tracks.iter().filter_map(|track| track.sound.as_ref()).collect();
    let mut seconds: Vec<f64> = sounds.iter().map(|sound| sound.seconds).collect();
    seconds.sort_unstable_by(f64::total_cmp);
    let middle = seconds.len() / 2;
    let median = match seconds.len() % 2 {
        0 => (seconds.get(middle.checked_sub(1)?)? + seconds.get(middle)?) / 2.0,
        _ => *seconds.get(middle)?,
    };
    Some(Lengths {
        total_seconds: seconds.iter().sum(),
        clipped_seconds: sounds.iter().map(|sound| sound.clipped_seconds).sum(),
        shortest_seconds: *seconds.first()?,
        median_seconds: median,
        longest_seconds: *seconds.last()?,
    })
}

fn formats(tracks: &[Track]) -> Vec<SoundFormat> {
    let mut counts: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for sound in tracks.iter().filter_map(|track| track.sound.as_ref()) {
        *counts.entry((sound.sample_rate, sound.channels)).or_default() += 1;
    }
    let mut formats: Vec<SoundFormat> = counts
        .into_iter()
        .map(|((sample_rate, channels), recordings)| SoundFormat {
            sample_rate,
            channels,
            recordings,
        })
        .collect();
    formats.sort_by_key(|format| std::cmp::Reverse(format.recordings));
    formats
}

/// What was skipped for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SkippedAlike<'a> {
    /// The reason of the first; others may have other numbers in theirs.
    pub(crate) reason: &'a str,
    /// All of them.
    pub(crate) skipped: Vec<&'a Skipped>,
}

/// Groups what was skipped by reason, numbers in it aside; the most frequent
/// reason first.
pub(crate) fn alike(skipped: &[Skipped]) -> Vec<SkippedAlike<'_>> {
    let mut groups: Vec<(String, SkippedAlike<'_>)> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for one in skipped {
        let key: String =
            one.reason.chars().filter(|character| !character.is_ascii_digit()).collect();
        let group = *known.entry(key.clone()).or_insert(groups.len());
        if group == groups.len() {
            groups.push((key, SkippedAlike { reason: &one.reason, skipped: Vec::new() }));
        }
        groups[group].1.skipped.push(one);
    }
    let mut groups: Vec<_> = groups.into_iter().map(|(_, group)| group).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.skipped.len()));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(class: &str, seconds: f64, sample_rate: u32) -> Track {
        let sound = Sound { seconds, clipped_seconds: seconds.min(2.0), sample_rate, channels: 1 };
        Track { name: String::new(), class: class.to_owned(), examples: 1, sound: Some(sound) }
    }

    #[test]
    fn lengths_of_recordings() {
        let tracks = [track("a", 3.0, 1), track("a", 1.0, 1), track("a", 2.5, 1)];
        let lengths_of = |count: usize| lengths(&tracks[..count].iter().collect::<Vec<_>>());
        assert_eq!(lengths_of(0), None);
        let all = lengths_of(3).expect("some");
        assert_eq!((all.total_seconds, all.clipped_seconds), (6.5, 5.0));
        assert_eq!(
            (all.shortest_seconds, all.median_seconds, all.longest_seconds),
            (1.0, 2.5, 3.0)
        );
        assert_eq!(lengths_of(2).expect("some").median_seconds, 2.0);
    }

    #[test]
    fn mixed_rates_are_counted() {
        let tracks = [track("a", 1.0, 44_100), track("b", 1.0, 22_050), track("b", 1.0, 22_050)];
        let found: Vec<(u32, u64)> =
            formats(&tracks).iter().map(|format| (format.sample_rate, format.recordings)).collect();
        assert_eq!(found, [(22_050, 2), (44_100, 1)]);
    }

    #[test]
    fn reasons_are_alike_whatever_their_numbers() {
        let skipped =
            |path: &str, reason: &str| Skipped { path: path.into(), reason: reason.to_owned() };
        let all = [
            skipped("a/1", "not a WAV file"),
            skipped("a/2", "too short: 12 samples"),
            skipped("b/3", "too short: 7 samples"),
        ];
        let groups = alike(&all);
        let counts: Vec<(&str, usize)> =
            groups.iter().map(|group| (group.reason, group.skipped.len())).collect();
        assert_eq!(counts, [("too short: 12 samples", 2), ("not a WAV file", 1)]);
    }
}
