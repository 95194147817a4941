//! Room for a dataset: what the cache may hold, and what the disk has left.
//!
//! What was not used for longest goes first: other datasets, and what is left of
//! transfers that nobody goes on with. Nothing goes that a process uses or makes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tracing::{info, warn};

use super::locks::{self, Purpose, Try, try_lock};
use super::{DatasetError, io_error, staging_digest};
use crate::size::shown;
use sweep_proto::digest::is_digest;

/// What is to be left free on the disk beside the dataset.
const RESERVE: u64 = 64 << 20;

/// Makes room for a dataset that is about to be fetched.
///
/// - `limit`: how many bytes of datasets are kept at most, this one included
/// - `total`: of the whole dataset, in bytes
/// - `missing`: what of it is not there yet
///
/// # Errors
///
/// [`DatasetError::NoRoom`] where the disk has too little left even so.
pub(super) fn make(
    cache: &Path,
    digest: &str,
    limit: Option<u64>,
    total: u64,
    missing: u64,
) -> Result<(), DatasetError> {
    let datasets = cache.join("datasets");
    let entries = entries(cache, digest);
    let kept = entries.iter().map(|entry| entry.bytes).sum();
    let free = free_bytes(&datasets);
    let excess = excess(limit, kept, total, missing, free);
    let mut freed = 0;
    for entry in entries {
        if freed >= excess {
            break;
        }
        if remove(cache, &entry)? {
            info!("removed {} ({}) from the cache", entry.path.display(), shown(entry.bytes));
            freed += entry.bytes;
        }
    }
    if let Some(limit) = limit
        && (kept - freed).saturating_add(total) > limit
    {
        warn!(
            "{} of datasets are more than the {} of --cache-size, but all are in use",
            shown((kept - freed).saturating_add(total)),
            shown(limit)
        );
    }
    match free_bytes(&datasets) {
        Some(free) if free < missing => {
            Err(DatasetError::NoRoom { folder: datasets, needed: missing, free })
        }
        Some(_) | None => Ok(()),
    }
}

/// How much has to go.
fn excess(limit: Option<u64>, kept: u64, total: u64, missing: u64, free: Option<u64>) -> u64 {
    let over_limit = limit.map_or(0, |limit| kept.saturating_add(total).saturating_sub(limit));
    let wanted = missing.saturating_add(RESERVE);
    let over_disk = free.map_or(0, |free| wanted.saturating_sub(free));
    over_limit.max(over_disk)
}

/// Something in the cache that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    digest: String,
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// Everything but what is of `digest`, least recently used first.
fn entries(cache: &Path, digest: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for found in fs::read_dir(cache.join("datasets")).into_iter().flatten().flatten() {
        let name = found.file_name().to_string_lossy().into_owned();
        let of = staging_digest(&name).unwrap_or(&name);
        if !is_digest(of) || of == digest {
            continue;
        }
        // Gone meanwhile, where there is none.
        let Ok(Ok(made)) = found.metadata().map(|metadata| metadata.modified()) else { continue };
        let used = (of == name).then(|| locks::last_used(cache, of)).flatten();
        let (path, used) = (found.path(), used.unwrap_or(made));
        entries.push(Entry { digest: of.to_owned(), bytes: bytes_of(&path), path, used });
    }
    entries.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
    entries
}

/// Bytes of the files in a folder; what cannot be read counts as nothing.
pub(super) fn bytes_of(folder: &Path) -> u64 {
    let bytes = |entry: fs::DirEntry| entry.metadata().map_or(0, |metadata| metadata.len());
    fs::read_dir(folder).into_iter().flatten().flatten().map(bytes).sum()
}

/// Removes something, unless a process uses or makes it; whether it did.
fn remove(cache: &Path, entry: &Entry) -> Result<bool, DatasetError> {
    let Entry { digest, path, .. } = entry;
    let locks =
        [Purpose::Making, Purpose::Removing].map(|purpose| try_lock(cache, digest, purpose));
    if locks.iter().any(|lock| !matches!(lock, Try::Held(_))) {
        return Ok(false);
    }
    // A rename frees the name at once: nobody sees half of it.
    let aside = path.with_file_name(format!(".staging-{digest}-removed-{}", std::process::id()));
    match fs::rename(path, &aside).and_then(|()| fs::remove_dir_all(&aside)) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(io_error(path)(error)),
    }
    locks::remove(cache, digest);
    Ok(true)
}

/// How much room is left on a folder's disk, in bytes, for who is not root. `None`
/// where the system does not say.
fn free_bytes(folder: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    // SAFETY: all bytes zero is a value of this plain structure.
    let mut system: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: a path that ends with a zero byte, and a structure to write to.
    let result = unsafe { libc::statvfs(path.as_ptr(), &raw mut system) };
    #[expect(clippy::useless_conversion, reason = "not 64 bits wide on every system")]
    (result == 0).then(|| u64::from(system.f_bavail).saturating_mul(u64::from(system.f_frsize)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn digest(letter: char) -> String {
        letter.to_string().repeat(64)
    }

    /// A dataset of a thousand bytes that was last used then.
    fn dataset(cache: &Path, letter: char, used_s: u64) -> PathBuf {
        let folder = cache.join("datasets").join(digest(letter));
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join("x.npy"), vec![0; 1000]).expect("written");
        let Try::Held(lock) = try_lock(cache, &digest(letter), Purpose::Using) else {
            panic!("nobody else")
        };
        let used = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + used_s);
        lock.set_modified(used).expect("ours");
        folder
    }

    #[test]
    fn how_much_has_to_go() {
        const MB: u64 = 1 << 20;
        for (limit, kept, total, missing, free, expected) in [
            (None, 100 * MB, 50 * MB, 50 * MB, None, 0),
            (Some(200 * MB), 100 * MB, 50 * MB, 50 * MB, None, 0),
            (Some(120 * MB), 100 * MB, 50 * MB, 10 * MB, None, 30 * MB),
            (None, 100 * MB, 50 * MB, 50 * MB, Some(114 * MB), 0),
            (None, 100 * MB, 50 * MB, 50 * MB, Some(100 * MB), 14 * MB),
            (Some(120 * MB), 100 * MB, 50 * MB, 50 * MB, Some(100 * MB), 30 * MB),
            (Some(0), u64::MAX, 1, 1, Some(0), u64::MAX),
        ] {
            assert_eq!(excess(limit, kept, total, missing, free), expected);
        }
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_and_nothing_that_is_in_use() {
        let cache = tempfile::tempdir().expect("a folder");
        let cache = cache.path();
        let [a, b, c, d] = [('a', 3), ('b', 1), ('c', 2), ('d', 4)]
            .map(|(letter, used_s)| dataset(cache, letter, used_s));
        let using = try_lock(cache, &digest('b'), Purpose::Using);
        // What is left of a transfer that was given up, and one that goes on.
        let left = cache.join("datasets").join(format!(".staging-{}-part", digest('e')));
        let going_on = cache.join("datasets").join(format!(".staging-{}-part", digest('f')));
        for folder in [&left, &going_on] {
            fs::create_dir(folder).expect("made");
            fs::write(folder.join(".x.npy"), vec![0; 1000]).expect("written");
        }
        let making = try_lock(cache, &digest('f'), Purpose::Making);
        assert_eq!(entries(cache, &digest('9')).len(), 6);
        // Two of six have to go: c, and then a, since b is in use.
        make(cache, &digest('9'), Some(6000), 2000, 2000).expect("room");
        assert!(b.exists() && d.exists() && !c.exists() && !a.exists());
        // Everything that can go.
        make(cache, &digest('9'), Some(10), 2000, 2000).expect("room on the disk");
        assert!(b.exists() && going_on.exists() && !d.exists() && !left.exists());
        drop((using, making));
        make(cache, &digest('b'), Some(10), 2000, 2000).expect("room on the disk");
        assert!(b.exists() && !going_on.exists(), "what is to be fetched stays");
        let locks = fs::read_dir(cache.join("locks")).expect("there").flatten();
        let locks: Vec<_> = locks.map(|lock| lock.file_name().into_string()).collect();
        let of_what_is_there =
            |name: &Result<String, _>| name.as_ref().is_ok_and(|name| name.starts_with('b'));
        assert!(locks.iter().all(of_what_is_there), "{locks:?}");
    }

    #[test]
    fn a_disk_that_has_no_room_is_told_before_anything_is_fetched() {
        let cache = tempfile::tempdir().expect("a folder");
        fs::create_dir(cache.path().join("datasets")).expect("made");
        let error = make(cache.path(), &digest('9'), None, 1 << 60, 1 << 60).expect_err("no room");
        let text = error.to_string();
        let folder = cache.path().join("datasets");
        let expected = format!("no room in {}: 1152921.5 TB are needed, ", folder.display());
        assert!(text.starts_with(&expected) && text.ends_with(" are free"), "{text}");
        assert!(error.is_local());
    }
}
