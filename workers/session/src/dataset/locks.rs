//! Locks of the cache's folders, the same as the coordinator's `sweep cache` takes.
//!
//! Beside the datasets are two lock files for each digest: `<digest>.making` is held
//! by the process that makes or fetches the dataset, and `<digest>.used`, shared, by
//! all that use it; its time is when it was last used. Locks end with their process,
//! however that ends. Where the system has none, a dataset may be fetched twice.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

/// Folder of the lock files, in the cache.
const LOCKS: &str = "locks";

/// How often it is looked whether a lock that others hold is free.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a lock is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Making or fetching it: one process at a time.
    Making,
    /// Using it: any number, and nobody removes it.
    Using,
    /// Removing it: nobody uses it.
    Removing,
}

impl Purpose {
    fn path(self, cache: &Path, digest: &str) -> PathBuf {
        let ending = match self {
            Self::Making => "making",
            Self::Using | Self::Removing => "used",
        };
        cache.join(LOCKS).join(format!("{digest}.{ending}"))
    }
}

/// What came of trying to get a lock.
#[derive(Debug)]
pub(super) enum Try {
    /// It is held until this is dropped.
    Held(File),
    /// Others hold it.
    Busy,
    /// The system has no locks there, or no room for their files.
    Without,
}

/// Tries to get a lock, without waiting for it.
pub(super) fn try_lock(cache: &Path, digest: &str, purpose: Purpose) -> Try {
    let path = purpose.path(cache, digest);
    loop {
        let file = match open(&path) {
            Ok(file) => file,
            Err(_) => return Try::Without,
        };
        let locked = match purpose {
            Purpose::Making | Purpose::Removing => file.try_lock(),
            Purpose::Using => file.try_lock_shared(),
        };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Try::Busy,
            Err(TryLockError::Error(_)) => return Try::Without,
        }
        // Whoever held it before may have removed it: then it is nobody's lock.
        let here = file.metadata().map(|metadata| metadata.ino()).ok();
        if here.is_some() && fs::metadata(&path).map(|there| there.ino()).ok() == here {
            return Try::Held(file);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::options().create(true).truncate(false).read(true).write(true).open(path)
}

/// Gets a lock, once others have let it go; none where the system has none.
///
/// - `waiting`: called when it has to be waited for
pub(super) async fn lock(
    cache: &Path,
    digest: &str,
    purpose: Purpose,
    waiting: impl FnOnce(),
) -> Option<File> {
    let mut waiting = Some(waiting);
    loop {
        match try_lock(cache, digest, purpose) {
            Try::Held(file) => return Some(file),
            Try::Without => return None,
            Try::Busy => {
                if let Some(waiting) = waiting.take() {
                    waiting();
                }
                sleep(LOOK_EVERY).await;
            }
        }
    }
}

/// Notes that a dataset is used now.
pub(super) fn touch(used: &File) {
    // A cache that cannot be written is one of which nothing is removed either.
    used.set_modified(SystemTime::now()).ok();
}

/// When a dataset was last used, if it is known.
pub(super) fn last_used(cache: &Path, digest: &str) -> Option<SystemTime> {
    fs::metadata(Purpose::Using.path(cache, digest)).ok()?.modified().ok()
}

/// Removes the lock files of a dataset that is gone; to be called with both held.
pub(super) fn remove(cache: &Path, digest: &str) {
    for purpose in [Purpose::Making, Purpose::Removing] {
        fs::remove_file(purpose.path(cache, digest)).ok();
    }
}
