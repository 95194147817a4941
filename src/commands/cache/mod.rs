//! `sweep cache`: what prepared data there is, and removing some of it.

mod units;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};

use super::Failure;
use crate::data::cache::{self, Entry, Kind, Rule};
use crate::data::cache_dir;
use crate::logging;
use crate::results::time::iso8601;

/// So many digits of a digest are shown: enough to tell datasets apart.
const DIGITS: usize = 12;

/// Options of `sweep cache`.
#[derive(Debug, Args)]
pub(super) struct CacheArgs {
    #[command(subcommand)]
    command: Option<CacheCommand>,
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    /// Lists what is there, least recently used first (`sweep cache` does the same)
    List,
    /// Removes what was not used for a time, or what is too much; never what is in use
    Prune(PruneArgs),
}

/// Options of `sweep cache prune`.
#[derive(Debug, Args)]
struct PruneArgs {
    /// Removes what was not used for so long, for example 30d
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    older_than: Option<Duration>,
    /// Removes what was not used for longest, until the rest is no larger, for example 20GB
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_size: Option<u64>,
    /// Removes all
    #[arg(long, conflicts_with_all = ["older_than", "max_size"])]
    all: bool,
    /// Only says what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn execute(arguments: &CacheArgs) -> Result<(), Failure> {
    match &arguments.command {
        None | Some(CacheCommand::List) => list(),
        Some(CacheCommand::Prune(arguments)) => prune(arguments),
    }
}

fn list() -> Result<(), Failure> {
    let folder = cache_dir();
    let entries = cache::entries(&folder)?;
    if !entries.is_empty() {
        let header = ["dataset", "size", "made", "last used", "source", "classes", "examples"];
        let rows = entries.iter().map(row);
        print!("{}", table(std::iter::once(header.map(str::to_owned)).chain(rows)));
        println!();
    }
    println!("{} in {}", total(entries.iter()), folder.display());
    Ok(())
}

fn prune(arguments: &PruneArgs) -> Result<(), Failure> {
    let &PruneArgs { older_than, max_size, all, dry_run } = arguments;
    if older_than.is_none() && max_size.is_none() && !all {
        return Err(Failure::bad_input("nothing says what is to be removed")
            .with_hint("give --older-than 30d, --max-size 20GB or --all"));
    }
    let folder = cache_dir();
    let entries = cache::entries(&folder)?;
    let rule = Rule { older_than, max_bytes: max_size, all };
    let mut removed: Vec<&Entry> = Vec::new();
    for entry in rule.choose(&entries, SystemTime::now()) {
        if dry_run {
            println!("would remove {}", described(entry));
        } else if cache::remove(&folder, entry)? {
            println!("removed {}", described(entry));
        } else {
            logging::warning(format_args!("{} is in use by now", described(entry)));
            continue;
        }
        removed.push(entry);
    }
    let kept = entries.iter().filter(|entry| !removed.iter().any(|gone| gone.path == entry.path));
    let verb = if dry_run { "would be removed" } else { "removed" };
    println!(
        "{} {verb}, {} kept in {}",
        total(removed.iter().copied()),
        total(kept),
        folder.display()
    );
    Ok(())
}

fn total<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    let (count, bytes) =
        entries.fold((0, 0_u64), |(count, bytes), entry| (count + 1, bytes + entry.bytes));
    format!("{count} ({})", units::shown(bytes))
}

fn described(entry: &Entry) -> String {
    let source = match (entry.kind, &entry.manifest) {
        (Kind::Dataset, Some(manifest)) if !manifest.source.is_empty() => {
            format!("{}, ", manifest.source)
        }
        (Kind::Dataset, _) => String::new(),
        (Kind::Recordings, _) => "recordings, ".to_owned(),
        (Kind::Leftover, _) => "unfinished, ".to_owned(),
    };
    format!("{} ({source}{})", &entry.digest[..DIGITS], units::shown(entry.bytes))
}

fn row(entry: &Entry) -> [String; 7] {
    let unknown = || "-".to_owned();
    let used = match (entry.kind, entry.in_use) {
        (Kind::Leftover, false) => unknown(),
        (Kind::Leftover, true) => "being made".to_owned(),
        (_, true) => "in use".to_owned(),
        (_, false) => minute(entry.used),
    };
    let (source, classes, examples) = match (entry.kind, &entry.manifest) {
        (Kind::Dataset, Some(manifest)) => (
            if manifest.source.is_empty() { unknown() } else { manifest.source.clone() },
            manifest.classes.len().to_string(),
            manifest.examples.to_string(),
        ),
        (Kind::Dataset, None) => ("damaged".to_owned(), unknown(), unknown()),
        (Kind::Recordings, _) => ("(recordings)".to_owned(), unknown(), unknown()),
        (Kind::Leftover, _) => ("(unfinished)".to_owned(), unknown(), unknown()),
    };
    let (digest, size) = (entry.digest[..DIGITS].to_owned(), units::shown(entry.bytes));
    [digest, size, minute(entry.made), used, source, classes, examples]
}

/// `2026-03-01 12:03`, UTC.
fn minute(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = iso8601(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    text.and_then(|text| Some(text.get(..16)?.replace('T', " "))).unwrap_or_else(|| "-".to_owned())
}

/// Columns of equal width, two spaces between them.
fn table<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_there_is() {
        let at = UNIX_EPOCH + Duration::from_secs(1_772_366_584);
        let mut entry = Entry {
            kind: Kind::Dataset,
            digest: "0123456789abcdef".repeat(4),
            path: "there".into(),
            bytes: 12_345_678,
            made: at,
            used: at + Duration::from_secs(3600),
            in_use: false,
            manifest: None,
        };
        let shown = |entry: &Entry| table(std::iter::once(row(entry)));
        assert_eq!(
            shown(&entry),
            "0123456789ab  12.3 MB  2026-03-01 12:03  2026-03-01 13:03  damaged  -  -\n"
        );
        assert_eq!(described(&entry), "0123456789ab (12.3 MB)");
        entry.kind = Kind::Recordings;
        entry.in_use = true;
        assert_eq!(
            shown(&entry),
            "0123456789ab  12.3 MB  2026-03-01 12:03  in use  (recordings)  -  -\n"
        );
        entry.kind = Kind::Leftover;
        assert_eq!(described(&entry), "0123456789ab (unfinished, 12.3 MB)");
    }
}
