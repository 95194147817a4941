//! What was prepared, for reading: what it is, a table of classes, and what was
//! left out.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::Findings;
use crate::data::overview::{alike, origin};
use crate::data::{Overview, Skipped};
use crate::data_report::{ClassTable, class_table, shown};
use crate::results::time::duration;

/// Widest name of a class in the table, in columns.
const NAME: usize = 32;
/// Reasons for leaving something out that are shown, and names of each.
const REASONS: usize = 8;
const NAMES: usize = 3;
/// Widest line of a reason or a name.
const LINE: usize = 100;

impl Findings<'_> {
    pub(super) fn text(&self) -> String {
        let Self { experiment, prepared, overview, seconds, report } = *self;
        let manifest = &prepared.manifest;
        let digest: String = manifest.digest.chars().take(12).collect();
        let made = match prepared.cached {
            true => format!("earlier; found in {}", elapsed(seconds)),
            false => format!("now, in {}", elapsed(seconds)),
        };
        let mut lines = vec![
            ("source", origin(&experiment.data.source)),
            ("dataset", digest),
            ("folder", prepared.path.display().to_string()),
            ("shape", overview.shape(&manifest.input_shape)),
            ("made", made),
        ];
        lines.extend(recordings(overview).map(|text| ("recorded", text)));
        lines.extend(report.map(|path| ("report", path.display().to_string())));
        let mut text = String::new();
        for (name, value) in lines {
            let _ = writeln!(text, "{name:10}{}", shown(&value, usize::MAX).0);
        }
        text.push('\n');
        text.push_str(&table(&class_table(overview)));
        if overview.has_slices() {
            let _ = writeln!(text, "\n{} count examples.", listed(&overview.parts));
        }
        if !manifest.skipped.is_empty() {
            text.push('\n');
            let all = overview.total.tracks + overview.total.skipped;
            text.push_str(&skipped(&manifest.skipped, overview.unit, all));
        }
        text
    }
}

/// `37 ms`, or a duration.
fn elapsed(seconds: f64) -> String {
    match seconds < 0.95 {
        true => format!("{:.0} ms", seconds * 1e3),
        false => duration(seconds),
    }
}

/// `22050 Hz mono`, or how many recordings have which.
fn recordings(overview: &Overview) -> Option<String> {
    let channels = |channels: u32| match channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        many => format!("{many} channels"),
    };
    let clipped = overview
        .total
        .lengths
        .filter(|lengths| lengths.clipped_seconds < lengths.total_seconds - 0.05)
        .map_or_else(String::new, |lengths| {
            format!("; `clip` leaves {}", duration(lengths.clipped_seconds))
        });
    let formats = match overview.formats.as_slice() {
        [] => return None,
        [only] => format!("{} Hz {}", only.sample_rate, channels(only.channels)),
        several => {
            let each: Vec<String> = several
                .iter()
                .take(4)
                .map(|format| {
                    let channels = channels(format.channels);
                    format!("{} at {} Hz {channels}", format.recordings, format.sample_rate)
                })
                .collect();
            let more = if several.len() > 4 { ", others" } else { "" };
            format!("{}{more}", each.join(", "))
        }
    };
    Some(formats + &clipped)
}

/// Names to the left, numbers to the right, the total below a line.
fn table(table: &ClassTable) -> String {
    let cut =
        |row: &Vec<String>| -> Vec<String> { row.iter().map(|cell| shown(cell, NAME).0).collect() };
    let header = cut(&table.header);
    let rows: Vec<Vec<String>> = table.rows.iter().map(cut).collect();
    let total = cut(&table.total);
    let all = || rows.iter().chain([&header, &total]);
    let width = |column: usize| all().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let room = " ".repeat(width - cell.width());
            if column == 0 { format!("{cell}{room}") } else { format!("  {room}{cell}") }
        });
        cells.collect::<String>().trim_end().to_owned() + "\n"
    };
    let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1));
    let rows: String = rows.iter().map(line).collect();
    format!("{}{rows}{rule}\n{}", line(&header), line(&total))
}

/// What was left out, by reason.
fn skipped(skipped: &[Skipped], unit: &str, all: u64) -> String {
    let mut text = format!("Left out: {} of {all} {unit}\n", skipped.len());
    let groups = alike(skipped);
    let mut told = 0;
    for group in groups.iter().take(REASONS) {
        let reason = shown(group.reason, LINE).0;
        let _ = writeln!(text, "  {} x {reason}", group.skipped.len());
        for one in group.skipped.iter().take(NAMES) {
            let _ = writeln!(text, "      {}", shown(&one.path.to_string_lossy(), LINE).0);
            told += 1;
        }
    }
    if told < skipped.len() {
        let _ = writeln!(text, "  and {} more: in manifest.json", skipped.len() - told);
    }
    text
}

/// `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(row: &[&str]) -> Vec<String> {
        row.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn columns_are_aligned_whatever_the_names() {
        let wide = "x".repeat(50);
        let text = table(&ClassTable {
            header: cells(&["class", "rows", "train"]),
            rows: vec![
                cells(&["日本語", "7", "5"]),
                cells(&[&wide, "1234567", "1"]),
                cells(&["a\nb", "1", "1"]),
            ],
            total: cells(&["total", "8", "6"]),
        });
        assert_eq!(
            text,
            "\
class                                rows  train
日本語                                  7      5
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…  1234567      1
a\u{fffd}b                                     1      1
------------------------------------------------
total                                   8      6
"
        );
    }

    #[test]
    fn what_was_left_out_is_grouped_and_bounded() {
        let all: Vec<Skipped> = (0..5)
            .map(|number| Skipped {
                path: format!("a/{number}.wav").into(),
                reason: format!("too short: {number} samples"),
            })
            .chain([Skipped { path: "b/x.wav".into(), reason: "not a WAV file".to_owned() }])
            .collect();
        assert_eq!(
            skipped(&all, "recordings", 40),
            "\
Left out: 6 of 40 recordings
  5 x too short: 0 samples
      a/0.wav
      a/1.wav
      a/2.wav
  1 x not a WAV file
      b/x.wav
  and 2 more: in manifest.json
"
        );
    }

    #[test]
    fn names_are_listed() {
        assert_eq!(listed(&cells(&["train", "validation", "test"])), "train, validation and test");
    }
}
