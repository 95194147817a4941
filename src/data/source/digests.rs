//! Digests of files, remembered from one preparation to the next.
//!
//! A file is taken for unchanged where its length, its times, its inode and its
//! device are those it had when it was hashed. A file whose times were so near
//! then that a later change might have left them as they were is hashed again:
//! such an entry is never written. An index that is damaged or gone costs time,
//! and nothing else. The clock is the caller's.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::prepare::hex;
use crate::results::atomic::write_atomically;

/// Number it up whenever an index reads differently.
const VERSION: u32 = 1;

/// Times of files may be this coarse: FAT keeps even seconds only.
const COARSEST_TIME: Duration = Duration::from_secs(2);

/// A larger index is not read: it would hold some millions of files.
const MAX_INDEX_BYTES: u64 = 1 << 30;

/// Which content of a file was seen, as far as the system tells without
/// reading it. Times are in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    length: u64,
    modified_ns: i64,
    changed_ns: i64,
    inode: u64,
    device: u64,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            length: metadata.len(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }

    /// Whether any change after `now` gives the file another time.
    fn is_settled(&self, now: SystemTime) -> bool {
        let Some(before) = now.checked_sub(COARSEST_TIME) else { return false };
        let before = before.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos());
        let last = self.modified_ns.max(self.changed_ns);
        i128::from(last) < i128::try_from(before).unwrap_or(i128::MAX)
    }
}

/// A file whose content is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::data) struct Known {
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub(in crate::data) digest: String,
    identity: Identity,
    settled: bool,
}

impl Known {
    /// Whether `bytes` are what was hashed.
    ///
    /// - `file`: from which all of `bytes` were read just now
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub(in crate::data) fn is_of(&self, file: &File, bytes: &[u8]) -> io::Result<bool> {
        Ok(self.is_untouched(file)? || hex(Sha256::new_with_prefix(bytes)) == self.digest)
    }

    /// Whether a file that may be too long for memory is what was hashed.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(in crate::data) fn is_still(&self, path: &Path) -> io::Result<bool> {
        let mut file = File::open(path)?;
        if self.is_untouched(&file)? {
            return Ok(true);
        }
        let mut hasher = Sha256::new();
        io::copy(&mut file, &mut hasher)?;
        Ok(hex(hasher) == self.digest)
    }

    /// Whether the system tells that the file has not been written to since it
    /// was hashed; where it does not, it may be unchanged all the same.
    fn is_untouched(&self, file: &File) -> io::Result<bool> {
        Ok(self.settled && Identity::of(&file.metadata()?) == self.identity)
    }
}

/// What is known of the files of one folder.
#[derive(Debug)]
pub(in crate::data) struct Digests {
    /// Where the index is.
    path: PathBuf,
    folder: PathBuf,
    /// When this preparation began: what changes later is not settled.
    now: SystemTime,
    known: HashMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    version: u32,
    /// For people.
    folder: String,
    files: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Within the folder.
    name: String,
    digest: String,
    identity: Identity,
}

impl Digests {
    /// What earlier preparations know of the files of `folder`.
    ///
    /// - `now`: when this preparation begins
    pub(in crate::data) fn open(cache: &Path, folder: &Path, now: SystemTime) -> Self {
        // Not canonical, where that fails: nothing is found there then.
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = hex(Sha256::new_with_prefix(folder.as_os_str().as_encoded_bytes()));
        let path = cache.join("digests").join(format!("{name}.json"));
        let known = read_index(&path).unwrap_or_default();
        Self { path, folder, now, known }
    }

    /// The digest of a file, which is read unless it is known.
    ///
    /// - `name`: what it is called in the index
    /// - `max_bytes`: a longer file is refused
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is too long.
    pub(in crate::data) fn of(&self, name: &str, path: &Path, max_bytes: u64) -> io::Result<Known> {
        let mut file = open(path)?;
        // Before it is read: a change meanwhile gives it another identity.
        let identity = Identity::of(&file.metadata()?);
        if identity.length > max_bytes {
            return Err(io::Error::other(format!("larger than {max_bytes} bytes")));
        }
        let settled = identity.is_settled(self.now);
        if let Some(entry) = self.known.get(name)
            && entry.identity == identity
        {
            return Ok(Known { digest: entry.digest.clone(), identity, settled });
        }
        let mut hasher = Sha256::new();
        io::copy(&mut file.by_ref().take(max_bytes), &mut hasher)?;
        Ok(Known { digest: hex(hasher), identity, settled })
    }

    /// Remembers what was seen, and of the rest what `keep` wants.
    ///
    /// That it cannot be written costs the next preparation time, so that it is
    /// no error.
    ///
    /// - `seen`: names and what is known of them
    /// - `keep`: whether a file that was not looked at this time is kept in mind
    pub(in crate::data) fn remember<'a>(
        &self,
        seen: impl IntoIterator<Item = (&'a str, &'a Known)>,
        keep: impl Fn(&str) -> bool,
    ) {
        let mut files: Vec<Entry> = seen
            .into_iter()
            .filter(|(_, known)| known.settled)
            .map(|(name, known)| Entry {
                name: name.to_owned(),
                digest: known.digest.clone(),
                identity: known.identity,
            })
            .collect();
        files.extend(self.known.values().filter(|entry| keep(&entry.name)).cloned());
        files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let is_new = files.len() != self.known.len()
            || files.iter().any(|entry| self.known.get(&entry.name) != Some(entry));
        if is_new && let Err(cause) = self.write(files) {
            tracing::debug!("{}: {cause}", self.path.display());
        }
    }

    fn write(&self, files: Vec<Entry>) -> io::Result<()> {
        let folder = self.path.parent().ok_or(io::ErrorKind::InvalidFilename)?;
        fs::create_dir_all(folder)?;
        let of = self.folder.to_string_lossy().into_owned();
        let index = Index { version: VERSION, folder: of, files };
        let bytes = serde_json::to_vec(&index)?;
        write_atomically(&self.path, |file| io::Write::write_all(file, &bytes))
            .map_err(|error| error.source)
    }
}

/// Opens a file that is one: a pipe would be waited for without end.
pub(in crate::data) fn open(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    File::open(path)
}

/// None where there is no index of this version that is whole.
fn read_index(path: &Path) -> Option<HashMap<String, Entry>> {
    let file = File::open(path).ok()?;
    let mut bytes = Vec::new();
    BufReader::new(file).take(MAX_INDEX_BYTES).read_to_end(&mut bytes).ok()?;
    let index: Index = serde_json::from_slice(&bytes).ok()?;
    let is_digest = |text: &str| {
        text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    if index.version != VERSION || !index.files.iter().all(|entry| is_digest(&entry.digest)) {
        return None;
    }
    Some(index.files.into_iter().map(|entry| (entry.name.clone(), entry)).collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const LIMIT: u64 = 1 << 20;

    /// A file of some age, and a cache.
    struct Place {
        folder: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            let place = Self { folder: tempfile::tempdir().unwrap() };
            place.write(b"first", Duration::from_secs(3600));
            place
        }

        fn file(&self) -> PathBuf {
            self.folder.path().join("a.wav")
        }

        fn write(&self, text: &[u8], age: Duration) {
            fs::write(self.file(), text).unwrap();
            let modified = SystemTime::now() - age;
            File::options().write(true).open(self.file()).unwrap().set_modified(modified).unwrap();
        }

        /// As seen well after all that happened so far, which cannot be made older.
        fn later(&self) -> Digests {
            let now = SystemTime::now() + Duration::from_secs(10);
            Digests::open(&self.folder.path().join("cache"), self.folder.path(), now)
        }

        fn of(&self, digests: &Digests) -> Known {
            digests.of("a.wav", &self.file(), LIMIT).unwrap()
        }

        fn remember(&self, digests: &Digests) {
            digests.remember([("a.wav", &self.of(digests))], |_| false);
        }
    }

    fn sha256(bytes: &[u8]) -> String {
        hex(Sha256::new_with_prefix(bytes))
    }

    #[test]
    fn what_is_known_is_not_read_again() {
        let place = Place::new();
        let digests = place.later();
        assert_eq!(place.of(&digests).digest, sha256(b"first"));
        place.remember(&digests);

        // Another digest in the index shows that the file is not looked into.
        let mut digests = place.later();
        assert_eq!(digests.known.len(), 1);
        digests.known.get_mut("a.wav").unwrap().digest = sha256(b"as remembered");
        assert_eq!(place.of(&digests).digest, sha256(b"as remembered"));
    }

    #[test]
    fn other_content_of_the_same_length_is_noticed() {
        let place = Place::new();
        place.remember(&place.later());
        place.write(b"other", Duration::from_secs(1800));
        assert_eq!(place.of(&place.later()).digest, sha256(b"other"));

        // Also where the new file has the old one's time of modification.
        let place = Place::new();
        place.remember(&place.later());
        let modified = fs::metadata(place.file()).unwrap().modified().unwrap();
        let new = place.folder.path().join("new");
        fs::write(&new, b"other").unwrap();
        File::options().write(true).open(&new).unwrap().set_modified(modified).unwrap();
        fs::rename(new, place.file()).unwrap();
        assert_eq!(place.of(&place.later()).digest, sha256(b"other"));
    }

    #[test]
    fn a_file_that_was_just_written_is_not_trusted() {
        let place = Place::new();
        let cache = place.folder.path().join("cache");
        let now = || Digests::open(&cache, place.folder.path(), SystemTime::now());
        // Its time of change is now, whatever its time of modification.
        place.remember(&now());
        assert!(now().known.is_empty());
        assert!(!place.of(&now()).settled);
    }

    #[test]
    fn a_damaged_index_costs_time_only() {
        let place = Place::new();
        place.remember(&place.later());
        let index = place.later().path;
        let whole = fs::read_to_string(&index).unwrap();
        let other_version = whole.replace("\"version\":1", "\"version\":2");
        let no_digest = whole.replace(&sha256(b"first"), "");
        for damaged in ["", "{", &whole[..whole.len() / 2], "[]", &other_version, &no_digest] {
            fs::write(&index, damaged).unwrap();
            assert!(place.later().known.is_empty(), "{damaged}");
            place.remember(&place.later());
            assert_eq!(fs::read_to_string(&index).unwrap(), whole);
        }
        fs::remove_file(&index).unwrap();
        assert_eq!(place.of(&place.later()).digest, sha256(b"first"));
    }

    #[test]
    fn what_is_not_looked_at_is_kept_where_it_is_wanted() {
        let place = Place::new();
        place.remember(&place.later());
        place.later().remember([], |name| name == "a.wav");
        assert_eq!(place.later().known.len(), 1);
        place.later().remember([], |_| false);
        assert_eq!(place.later().known.len(), 0);
    }

    #[test]
    fn a_file_touched_meanwhile_is_looked_into() {
        let place = Place::new();
        let known = place.of(&place.later());
        let is_of = |text: &[u8]| known.is_of(&File::open(place.file()).unwrap(), text).unwrap();
        assert!(known.settled && is_of(b"first"));
        // Touched, and the same.
        place.write(b"first", Duration::from_secs(1));
        assert!(is_of(b"first"));
        place.write(b"other", Duration::from_secs(1));
        assert!(!is_of(b"other"));
    }

    #[test]
    fn a_file_that_is_too_long_is_refused() {
        let place = Place::new();
        let error = place.later().of("a.wav", &place.file(), 4).unwrap_err();
        assert_eq!(error.to_string(), "larger than 4 bytes");
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_no_error() {
        let place = Place::new();
        fs::write(place.folder.path().join("cache"), b"a file").unwrap();
        place.remember(&place.later());
        assert!(place.later().known.is_empty());
    }
}
