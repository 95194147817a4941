//! What the cache keeps: made once, however many processes want it, and not
//! removed while one of them uses it.
//!
//! Beside the folders are two lock files for each digest. `<digest>.making` is
//! held by the process that makes the folder; others wait for it. `<digest>.used`
//! is held, shared, by all that use the folder, and its time is when it was last
//! used. Locks end with their process, however that ends. Where the system has no
//! locks, all is still right: folders appear at once or not at all (`staging`);
//! only work may be done twice.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::error::io_error;
use super::progress::Phase;
use super::staging::{self, Staging};
use super::{DataError, Progress};

/// Folder of the lock files, in the cache.
const LOCKS: &str = "locks";

/// A folder that was made and is gone before it can be used is made again so
/// often.
const MAX_ATTEMPTS: u32 = 3;

/// A folder of the cache in use: `sweep cache prune` leaves it alone until the
/// last copy of this is dropped.
#[derive(Debug, Clone, Default)]
pub struct InUse(Option<Arc<File>>);

/// Whether it is held says nothing of what is used.
impl PartialEq for InUse {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Something in the cache.
pub(super) struct Kept<T> {
    pub(super) path: PathBuf,
    /// What `complete` told of it.
    pub(super) value: T,
    /// Whether it was there already.
    pub(super) cached: bool,
    pub(super) in_use: InUse,
}

/// Finds `<cache>/<folder>/<digest>`, or makes it.
///
/// - `complete`: what is there, if it can be used
/// - `make`: fills an empty folder
///
/// # Errors
///
/// What `make` returns, and the system's refusals.
pub(super) fn keep<T>(
    cache: &Path,
    folder: &str,
    digest: &str,
    progress: &dyn Progress,
    complete: impl Fn(&Path) -> Option<T>,
    make: impl Fn(&Path) -> Result<(), DataError>,
) -> Result<Kept<T>, DataError> {
    let parent = cache.join(folder);
    let path = parent.join(digest);
    let mut cached = true;
    for _ in 0..MAX_ATTEMPTS {
        // First held, then looked at, so that what is seen stays.
        let in_use = InUse::of(cache, digest);
        if let Some(value) = complete(&path) {
            in_use.touch();
            return Ok(Kept { path, value, cached, in_use });
        }
        drop(in_use);
        let lock = lock_making(cache, digest, progress);
        if complete(&path).is_some() {
            // Another process has made it meanwhile.
            continue;
        }
        if lock.is_some() {
            staging::remove_leftovers(&parent, digest);
        }
        cached = false;
        let staging = Staging::new(&parent, digest)?;
        make(staging.path())?;
        staging.publish(&path, |path| complete(path).is_some())?;
    }
    let cause = io::Error::other("it is removed again and again");
    Err(io_error("keep", &path)(cause))
}

impl InUse {
    fn of(cache: &Path, digest: &str) -> Self {
        let lock = lock(&used(cache, digest), |file| file.lock_shared());
        Self(lock.map(Arc::new))
    }

    /// Notes that it is used now.
    fn touch(&self) {
        if let Some(file) = &self.0 {
            // A cache that cannot be written is one that is not pruned either.
            let _ = file.set_modified(SystemTime::now());
        }
    }
}

fn used(cache: &Path, digest: &str) -> PathBuf {
    cache.join(LOCKS).join(format!("{digest}.used"))
}

fn making(cache: &Path, digest: &str) -> PathBuf {
    cache.join(LOCKS).join(format!("{digest}.making"))
}

/// Waits until nobody else makes it.
fn lock_making(cache: &Path, digest: &str, progress: &dyn Progress) -> Option<File> {
    lock(&making(cache, digest), |file| match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let what = "waiting for another process that prepares the same";
            let phase = Phase::begin(progress, what, 1);
            file.lock()?;
            phase.step();
            Ok(())
        }
        Err(TryLockError::Error(cause)) => Err(cause),
        Ok(()) => Ok(()),
    })
}

/// Opens and locks a file; none where the system does not let us.
fn lock(path: &Path, take: impl Fn(&File) -> io::Result<()>) -> Option<File> {
    fs::create_dir_all(path.parent()?).ok()?;
    loop {
        let file =
            File::options().create(true).truncate(false).read(true).write(true).open(path).ok()?;
        take(&file).ok()?;
        // Whoever held it before may have removed it: then it is nobody's lock.
        let same = |there: fs::Metadata| Some(there.ino() == file.metadata().ok()?.ino());
        if fs::metadata(path).ok().and_then(same) == Some(true) {
            return Some(file);
        }
    }
}

/// Since when nobody uses it; none where nobody has yet.
pub(super) fn last_used(cache: &Path, digest: &str) -> Option<SystemTime> {
    fs::metadata(used(cache, digest)).ok()?.modified().ok()
}

/// Whether a process uses it now.
pub(super) fn is_in_use(cache: &Path, digest: &str) -> bool {
    held(&used(cache, digest))
}

/// Whether a process makes it now.
pub(super) fn is_in_the_making(cache: &Path, digest: &str) -> bool {
    held(&making(cache, digest))
}

fn held(path: &Path) -> bool {
    // The lock, if we get it, ends with the file.
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Removes a folder of the cache, unless it is in use or in the making.
///
/// - `path`: the folder itself, or what is left of making it
///
/// Returns whether it was removed.
///
/// # Errors
///
/// The system's refusal.
pub(super) fn remove(cache: &Path, digest: &str, path: &Path) -> Result<bool, DataError> {
    let take = |path: &Path| {
        lock(path, |file| match file.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(cause)) => Err(cause),
        })
    };
    let (making, used) = (making(cache, digest), used(cache, digest));
    let Some(_making) = take(&making) else { return Ok(false) };
    // What is left of making it is used by nobody.
    let is_whole = path.file_name().is_some_and(|name| name == digest);
    let _used = match is_whole.then(|| take(&used)) {
        Some(None) => return Ok(false),
        lock => lock.flatten(),
    };
    // A rename frees the name at once: nobody sees half of it.
    let parent = path.parent().unwrap_or(cache);
    let aside = Staging::new(parent, digest)?;
    fs::rename(path, aside.path().join("removed")).map_err(io_error("remove", path))?;
    fs::remove_dir_all(aside.path()).map_err(io_error("remove", path))?;
    // Still held, so that who waits for them sees that they are gone.
    let _ = fs::remove_file(making);
    if is_whole {
        let _ = fs::remove_file(used);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::cell::Cell;

    use super::*;
    use crate::data::Quiet;

    const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn text(path: &Path) -> Option<String> {
        fs::read_to_string(path.join("file")).ok()
    }

    fn kept(cache: &Path) -> Kept<String> {
        let make = |path: &Path| {
            fs::write(path.join("file"), "made").unwrap();
            Ok(())
        };
        keep(cache, "things", DIGEST, &Quiet, text, make).unwrap()
    }

    #[test]
    fn what_is_in_use_is_not_removed() {
        let cache = tempfile::tempdir().unwrap();
        let first = kept(cache.path());
        assert!(!first.cached && first.value == "made");
        let second = kept(cache.path());
        assert!(second.cached);
        assert!(is_in_use(cache.path(), DIGEST));
        let copy = first.in_use.clone();
        drop(first);
        assert!(!remove(cache.path(), DIGEST, &second.path).unwrap());
        drop(second.in_use);
        assert!(!remove(cache.path(), DIGEST, &second.path).unwrap());
        drop(copy);
        assert!(!is_in_use(cache.path(), DIGEST));
        assert!(remove(cache.path(), DIGEST, &second.path).unwrap());
        assert_eq!(fs::read_dir(cache.path().join("things")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(cache.path().join(LOCKS)).unwrap().count(), 0);
        assert!(!kept(cache.path()).cached);
    }

    #[test]
    fn what_a_killed_process_left_is_removed_with_the_next() {
        let cache = tempfile::tempdir().unwrap();
        let left = Staging::new(&cache.path().join("things"), DIGEST).unwrap();
        let other = Staging::new(&cache.path().join("things"), &DIGEST.replace('0', "1")).unwrap();
        let (path, other_path) = (left.path().to_owned(), other.path().to_owned());
        std::mem::forget(left);
        kept(cache.path());
        assert!(!path.exists() && other_path.exists());
    }

    #[test]
    fn one_makes_it_and_the_others_find_it() {
        let cache = tempfile::tempdir().unwrap();
        let made = std::sync::atomic::AtomicU32::new(0);
        let make = |path: &Path| {
            made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            fs::write(path.join("file"), "made").unwrap();
            Ok(())
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    keep(cache.path(), "things", DIGEST, &Quiet, text, make).unwrap();
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn what_never_becomes_whole_is_given_up() {
        let cache = tempfile::tempdir().unwrap();
        let made = Cell::new(0);
        let make = |_: &Path| {
            made.set(made.get() + 1);
            Ok(())
        };
        let kept = keep(cache.path(), "things", DIGEST, &Quiet, text, make);
        let error = kept.err().unwrap().to_string();
        assert!(error.starts_with("cannot keep `"), "{error}");
        assert_eq!(made.get(), 3);
    }
}
