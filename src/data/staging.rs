//! Folders that appear at once or not at all.
//!
//! A folder is filled under a temporary name beside its place and renamed when
//! it is complete. When two processes make the same folder, one rename wins and
//! the other finds a complete folder in its place; both are right. The name says
//! what is made there, so that who knows that nobody makes it may remove it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::DataError;
use super::error::io_error;

const PREFIX: &str = ".staging-";

/// What a killed process left behind is removed after this long; no preparation
/// takes a week.
const ABANDONED_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How often a broken folder in the way is moved aside before giving up.
const MAX_ATTEMPTS: u32 = 5;

/// A folder in the making; removed when dropped before [`Staging::publish`].
pub(super) struct Staging {
    path: PathBuf,
}

impl Staging {
    /// Makes an empty folder that can be renamed to another name in `parent`.
    ///
    /// - `digest`: of what is made
    pub(super) fn new(parent: &Path, digest: &str) -> Result<Self, DataError> {
        fs::create_dir_all(parent).map_err(io_error("create", parent))?;
        remove_abandoned(parent);
        for number in 0_u32.. {
            let path = parent.join(format!("{PREFIX}{digest}-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(io_error("create", &path)(cause)),
            }
        }
        unreachable!("four billion folders of this process")
    }

    /// Where to put the files.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the folder its place, or leaves a complete one there.
    ///
    /// - `complete`: tells whether a folder at `place` can be used
    pub(super) fn publish(
        self,
        place: &Path,
        complete: impl Fn(&Path) -> bool,
    ) -> Result<(), DataError> {
        let mut last = None;
        for _ in 0..MAX_ATTEMPTS {
            match fs::rename(&self.path, place) {
                Ok(()) => return Ok(()),
                Err(_) if complete(place) => return Ok(()),
                Err(cause) => last = Some(cause),
            }
            // Something broken is in the way: a rename frees the name at once.
            if let Some(parent) = place.parent() {
                let aside = Self::new(parent, "aside")?;
                let _ = fs::rename(place, aside.path.join("broken"));
            }
        }
        let cause = last.expect("there was at least one attempt");
        Err(io_error("create", place)(cause))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After `publish` there is nothing under this name any more.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The digest in the name of a folder in the making.
pub(super) fn digest_of(name: &str) -> Option<&str> {
    let (digest, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    Some(digest)
}

/// Removes all folders in which `digest` was made; nobody makes it now.
pub(super) fn remove_leftovers(parent: &Path, digest: &str) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if digest_of(&entry.file_name().to_string_lossy()) == Some(digest) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let abandoned = || {
            let modified = entry.metadata().ok()?.modified().ok()?;
            let age = SystemTime::now().duration_since(modified).ok()?;
            Some(age > ABANDONED_AFTER)
        };
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && abandoned() == Some(true) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn staged(parent: &Path, text: &str) -> Staging {
        let staging = Staging::new(parent, "d").unwrap();
        fs::write(staging.path().join("file"), text).unwrap();
        staging
    }

    fn entries(parent: &Path) -> usize {
        fs::read_dir(parent).unwrap().count()
    }

    #[test]
    fn a_complete_folder_stays_and_a_broken_one_is_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let place = parent.path().join("place");
        let text = || fs::read_to_string(place.join("file")).unwrap();

        staged(parent.path(), "first").publish(&place, |_| false).unwrap();
        assert_eq!(text(), "first");
        staged(parent.path(), "second").publish(&place, |_| true).unwrap();
        assert_eq!(text(), "first");
        staged(parent.path(), "third").publish(&place, |_| false).unwrap();
        assert_eq!(text(), "third");
        assert_eq!(entries(parent.path()), 1);
    }

    #[test]
    fn a_file_in_the_way_is_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let place = parent.path().join("place");
        fs::write(&place, "file").unwrap();
        staged(parent.path(), "folder").publish(&place, |path| path.is_dir()).unwrap();
        assert!(place.join("file").is_file());
    }

    #[test]
    fn what_is_not_published_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        drop(staged(parent.path(), "text"));
        assert_eq!(entries(parent.path()), 0);
    }

    #[test]
    fn only_old_leftovers_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let [old, new] = [".staging-1-0", ".staging-2-0"].map(|name| parent.path().join(name));
        fs::create_dir(&old).unwrap();
        fs::create_dir(&new).unwrap();
        let long_ago = SystemTime::now() - ABANDONED_AFTER * 2;
        fs::File::open(&old).unwrap().set_modified(long_ago).unwrap();
        drop(Staging::new(parent.path(), "d").unwrap());
        assert!(!old.exists());
        assert!(new.exists());
    }
}
