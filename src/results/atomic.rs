//! Files that are always whole.
//!
//! A file is written beside its target under another name, synced and renamed,
//! so that a reader at any instant sees the old content or the new one. When
//! anything fails, the target stays as it was and nothing is left beside it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A temporary file this old belongs to a process that was killed: nothing
/// written here takes nearly as long.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// Tells apart the writers of one process.
static WRITERS: AtomicU32 = AtomicU32::new(0);

/// A file that could not be written; what was there before is unchanged.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct WriteError {
    /// The file that was to be written.
    pub path: PathBuf,
    /// Why it was not.
    pub source: io::Error,
}

impl WriteError {
    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        hint(&self.source)
    }
}

/// What to do about an error in a run directory, where that is known.
pub(super) fn hint(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some("free some space; the file that was there before is unchanged")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Some("the run directory has to be writable")
        }
        // A foreign enum that grows.
        _ => None,
    }
}

/// Writes a file whole or not at all.
///
/// - `path`: the file to create or replace; its folder exists
/// - `write`: puts the content into the file that it is given
///
/// # Errors
///
/// What `write` returns, and what goes wrong around it. The target is then
/// unchanged, and the temporary file is removed.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), WriteError> {
    replace(path, write).map_err(|source| WriteError { path: path.to_owned(), source })
}

fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy();
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let prefix = format!(".{name}.tmp-");
    remove_abandoned(folder, &prefix);

    let writer = WRITERS.fetch_add(1, Ordering::Relaxed);
    let temporary = folder.join(format!("{prefix}{}-{writer}", std::process::id()));
    let written = File::create(&temporary).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        // The first error is the one to report; there may be nothing to remove.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_folder(folder)
}

/// Makes a rename within a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Only Unix opens folders as files.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Removes what killed processes left. Not being able to is no reason not to write.
fn remove_abandoned(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let abandoned = entry.file_name().to_string_lossy().starts_with(prefix)
            && entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > ABANDONED_AFTER));
        if abandoned {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::SystemTime;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("the folder exists");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_the_whole_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("table.csv");
        for text in ["a long first version", "short"] {
            write_atomically(&path, |file| file.write_all(text.as_bytes())).expect("written");
            assert_eq!(fs::read_to_string(&path).expect("there"), text);
        }
        assert_eq!(names(folder.path()), ["table.csv"]);
    }

    #[test]
    fn a_writer_that_fails_midway_changes_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("table.csv");
        fs::write(&path, "old").expect("written");
        let error = write_atomically(&path, |file| {
            file.write_all(b"half of the ne")?;
            Err(io::Error::other("pulled the plug"))
        })
        .expect_err("the writer failed");
        assert_eq!(error.to_string(), format!("cannot write {}: pulled the plug", path.display()));
        assert_eq!(error.hint(), None);
        assert_eq!(fs::read_to_string(&path).expect("there"), "old");
        assert_eq!(names(folder.path()), ["table.csv"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_changes_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("table.csv");
        fs::write(&path, "old").expect("written");
        let error = write_atomically(&path, |file| {
            file.write_all(b"new")?;
            File::options().write(true).open("/dev/full")?.write_all(b"new")
        })
        .expect_err("there is never room in /dev/full");
        assert_eq!(error.path, path);
        assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
        assert!(error.hint().is_some_and(|hint| hint.starts_with("free some space")));
        assert_eq!(fs::read_to_string(&path).expect("there"), "old");
        assert_eq!(names(folder.path()), ["table.csv"]);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("none").join("table.csv");
        let error = write_atomically(&path, |_| Ok(())).expect_err("no folder");
        assert!(error.to_string().contains("table.csv"), "{error}");
    }

    #[test]
    fn what_killed_processes_left_is_removed_once_it_is_old() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let old = folder.path().join(".table.csv.tmp-1-0");
        let long_ago = SystemTime::now() - 2 * ABANDONED_AFTER;
        File::create(&old).and_then(|file| file.set_modified(long_ago)).expect("made");
        fs::write(folder.path().join(".table.csv.tmp-2-0"), "being written").expect("made");
        write_atomically(&folder.path().join("table.csv"), |_| Ok(())).expect("written");
        assert_eq!(names(folder.path()), [".table.csv.tmp-2-0", "table.csv"]);
    }
}
