//! What is in the cache, and what of it may go.
//!
//! Datasets and made-up sets of recordings lie in folders named by their
//! digests; what a killed process left has its digest in its name. Nothing else
//! is touched. What is chosen to go is a pure matter of sizes and times.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::io_error;
use super::{DataError, Manifest, kept, staging};

/// Folders of the cache, and what they hold.
const FOLDERS: [(&str, Kind); 2] = [("datasets", Kind::Dataset), ("synthetic", Kind::Recordings)];

/// What something in the cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Arrays that networks are trained on.
    Dataset,
    /// Recordings that were made up.
    Recordings,
    /// What a process left that was killed.
    Leftover,
}

/// Something in the cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Lower-case hexadecimal SHA-256.
    pub digest: String,
    /// Its folder.
    pub path: PathBuf,
    /// Bytes of its files.
    pub bytes: u64,
    /// When it was made.
    pub made: SystemTime,
    /// When it was last used.
    pub used: SystemTime,
    /// Whether a process uses or makes it now.
    pub in_use: bool,
    /// What is in a dataset; none where it is damaged.
    pub manifest: Option<Manifest>,
}

/// What is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rule {
    /// What was not used for so long.
    pub older_than: Option<Duration>,
    /// What is too much, least recently used first.
    pub max_bytes: Option<u64>,
    /// All that is not in use.
    pub all: bool,
}

/// Lists what is in a cache, least recently used first.
///
/// # Errors
///
/// When a folder cannot be read; one that is not there is empty.
pub fn entries(cache: &Path) -> Result<Vec<Entry>, DataError> {
    let mut entries = Vec::new();
    for (folder, kind) in FOLDERS {
        let folder = cache.join(folder);
        let Ok(true) = folder.try_exists() else { continue };
        for found in fs::read_dir(&folder).map_err(io_error("read", &folder))? {
            let name = found.map_err(io_error("read", &folder))?.file_name();
            let Some(name) = name.to_str() else { continue };
            let (kind, digest) = match staging::digest_of(name) {
                Some(digest) => (Kind::Leftover, digest),
                None => (kind, name),
            };
            if is_digest(digest) {
                // Gone meanwhile, where there is none.
                entries.extend(entry(cache, kind, digest, folder.join(name)));
            }
        }
    }
    entries.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
    Ok(entries)
}

fn entry(cache: &Path, kind: Kind, digest: &str, path: PathBuf) -> Option<Entry> {
    let made = fs::metadata(&path).ok()?.modified().ok()?;
    let (used, in_use, manifest) = match kind {
        Kind::Dataset => {
            let manifest = fs::read(path.join("manifest.json")).ok();
            let manifest = manifest.and_then(|json| serde_json::from_slice(&json).ok());
            (kept::last_used(cache, digest), kept::is_in_use(cache, digest), manifest)
        }
        Kind::Recordings => (kept::last_used(cache, digest), kept::is_in_use(cache, digest), None),
        Kind::Leftover => (None, kept::is_in_the_making(cache, digest), None),
    };
    let (digest, used, bytes) = (digest.to_owned(), used.unwrap_or(made), bytes_of(&path));
    Some(Entry { kind, digest, path, bytes, made, used, in_use, manifest })
}

fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Bytes of all files in a folder; what cannot be read counts as nothing.
fn bytes_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_of(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(bytes).sum()
}

impl Rule {
    /// What goes by this rule, in this order; nothing that is in use.
    ///
    /// - `entries`: least recently used first
    #[must_use]
    pub fn choose<'a>(&self, entries: &'a [Entry], now: SystemTime) -> Vec<&'a Entry> {
        let mut left: u64 = entries.iter().map(|entry| entry.bytes).sum();
        let mut chosen = Vec::new();
        for entry in entries.iter().filter(|entry| !entry.in_use) {
            // A time in the future is no age.
            let age = now.duration_since(entry.used).unwrap_or_default();
            let goes = self.all
                || self.older_than.is_some_and(|limit| age > limit)
                || self.max_bytes.is_some_and(|most| left > most);
            if goes {
                left = left.saturating_sub(entry.bytes);
                chosen.push(entry);
            }
        }
        chosen
    }
}

/// Removes something from the cache, unless it is in use by now.
///
/// Returns whether it was removed.
///
/// # Errors
///
/// The system's refusal.
pub fn remove(cache: &Path, entry: &Entry) -> Result<bool, DataError> {
    kept::remove(cache, &entry.digest, &entry.path)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn entry(digest: &str, bytes: u64, days: u64, now: SystemTime) -> Entry {
        let used = now - Duration::from_secs(days * 86_400);
        Entry {
            kind: Kind::Dataset,
            digest: digest.to_owned(),
            path: digest.into(),
            bytes,
            made: used,
            used,
            in_use: digest == "busy",
            manifest: None,
        }
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let now = SystemTime::now();
        let entries = [
            entry("old", 10, 40, now),
            entry("busy", 30, 35, now),
            entry("middle", 20, 20, now),
            entry("new", 5, 0, now),
        ];
        let chosen = |rule: Rule| -> Vec<&str> {
            rule.choose(&entries, now).iter().map(|entry| entry.digest.as_str()).collect()
        };
        let days = |days: u64| Some(Duration::from_secs(days * 86_400));
        let none = Rule::default();
        assert_eq!(chosen(none), <[&str; 0]>::default());
        assert_eq!(chosen(Rule { older_than: days(30), ..none }), ["old"]);
        assert_eq!(chosen(Rule { older_than: days(0), ..none }), ["old", "middle"]);
        assert_eq!(chosen(Rule { max_bytes: Some(65), ..none }), <[&str; 0]>::default());
        assert_eq!(chosen(Rule { max_bytes: Some(55), ..none }), ["old"]);
        assert_eq!(chosen(Rule { max_bytes: Some(54), ..none }), ["old", "middle"]);
        assert_eq!(chosen(Rule { max_bytes: Some(0), ..none }), ["old", "middle", "new"]);
        assert_eq!(chosen(Rule { all: true, ..none }), ["old", "middle", "new"]);
        let both = Rule { older_than: days(30), max_bytes: Some(54), all: false };
        assert_eq!(chosen(both), ["old", "middle"]);
    }

    #[test]
    fn only_what_is_ours_is_listed() {
        let cache = tempfile::tempdir().unwrap();
        assert_eq!(entries(cache.path()).unwrap(), []);
        let digest = "0f".repeat(32);
        for folder in [
            format!("datasets/{digest}"),
            format!("datasets/.staging-{digest}-77-0"),
            format!("synthetic/{digest}/rock"),
            "datasets/notes".to_owned(),
            "datasets/.git".to_owned(),
        ] {
            let folder = cache.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("file"), b"12345").unwrap();
        }
        let mut found: Vec<(Kind, u64)> =
            entries(cache.path()).unwrap().iter().map(|entry| (entry.kind, entry.bytes)).collect();
        found.sort_by_key(|(kind, _)| *kind as u8);
        assert_eq!(found, [(Kind::Dataset, 5), (Kind::Recordings, 5), (Kind::Leftover, 5)]);
        for entry in entries(cache.path()).unwrap() {
            assert!(remove(cache.path(), &entry).unwrap());
        }
        assert_eq!(entries(cache.path()).unwrap(), []);
        assert!(cache.path().join("datasets/notes/file").exists());
        assert!(cache.path().join("datasets/.git/file").exists());
    }
}
