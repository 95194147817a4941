//! A run directory, `runs/<study>/`: locked by one coordinator at a time, and
//! made for one experiment on one dataset.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sweep_proto::address::Address;

use crate::coordinator::door::keys::{KeysError, write_secret};
use crate::data::SPLITS;
use crate::results::WEIGHTS;
use crate::results::atomic::write_atomically;
use crate::store::{Origin, Store, StoreError};

/// Holds the lock; also names the process that has it.
const LOCK: &str = "lock";
/// Where the coordinator that has the lock listens.
const ADDRESS: &str = "address";
const DATABASE: &str = "study.db";
const EXPERIMENT: &str = "experiment.yaml";
/// Folder of the checkpoints from which training may go on.
const CHECKPOINTS: &str = "checkpoints";
/// What workers of other machines are started with.
const JOIN: &str = "join";
/// Folder of the local workers' output.
const LOGS: &str = "logs";
/// Folder of what is known of workers that Slurm starts.
const SLURM: &str = "slurm";

/// A run directory in this process's hands.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    /// Held for as long as the directory is.
    _lock: File,
}

/// Why a run directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunDirectoryError {
    /// Another coordinator has it.
    #[error("{path} is in use by another sweep{}", owner.as_ref().map(|id| format!(" (process {id})")).unwrap_or_default(), path = path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Process id of the other one, if it is known.
        owner: Option<String>,
    },
    /// Made by a different experiment.
    #[error("{path} was made by a different experiment:\n{}", differences.join("\n"), path = path.display())]
    Different {
        /// The directory.
        path: PathBuf,
        /// What differs, a line each.
        differences: Vec<String>,
        /// Whether `--extend` would take all of it.
        extends: bool,
    },
    /// Made on different data.
    #[error("{path} was made on a different dataset: {earlier} then, {now} now", path = path.display())]
    DifferentData {
        /// The directory.
        path: PathBuf,
        /// Digest of the earlier dataset.
        earlier: String,
        /// Digest of the present one.
        now: String,
    },
    /// Not a run directory.
    #[error("{path} is no run directory: it has no {DATABASE}", path = path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// What it was about.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RunDirectoryError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InUse { .. } => Some(
                "wait for it, end it with Ctrl-C, or give this one another `study:` name"
                    .to_owned(),
            ),
            Self::Different { extends: true, .. } => Some(
                "`--extend` goes on with the changed space and keeps the trials; else give this \
                 one another `study:` name, or `--overwrite` to delete the earlier run"
                    .to_owned(),
            ),
            Self::Different { .. } | Self::DifferentData { .. } => Some(
                "give this one another `study:` name, or `--overwrite` to delete the earlier run"
                    .to_owned(),
            ),
            Self::NotARun { .. } => Some(
                "name a directory that `sweep FILE` has made, for example `runs/quickstart`"
                    .to_owned(),
            ),
            Self::Io { .. } | Self::Store(_) => None,
        }
    }
}

impl RunDirectory {
    /// Makes the directory if it is not there, and locks it.
    ///
    /// - `overwrite`: deletes what an earlier run left
    ///
    /// # Errors
    ///
    /// When another coordinator has it, or the system refuses.
    pub fn lock(path: &Path, overwrite: bool) -> Result<Self, RunDirectoryError> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| RunDirectoryError::Io { path, source }
        };
        fs::create_dir_all(path).map_err(fail(path))?;
        let lock_path = path.join(LOCK);
        let mut lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&lock_path)
            .map_err(fail(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let owner = lock.read_to_string(&mut owner).ok().map(|_| owner.trim().to_owned());
                let owner = owner.filter(|owner| !owner.is_empty());
                return Err(RunDirectoryError::InUse { path: path.to_owned(), owner });
            }
            Err(TryLockError::Error(source)) => return Err(fail(&lock_path)(source)),
        }
        if overwrite {
            empty(path).map_err(fail(path))?;
        }
        // Of one that was killed; somebody else may listen there by now.
        let address = path.join(ADDRESS);
        match fs::remove_file(&address) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(fail(&address)(error)),
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(fail(&lock_path))?;
        for folder in [WEIGHTS, CHECKPOINTS, LOGS] {
            let folder = path.join(folder);
            fs::create_dir_all(&folder).map_err(fail(&folder))?;
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where staged weights are kept.
    #[must_use]
    pub fn weights(&self) -> PathBuf {
        self.path.join(WEIGHTS)
    }

    /// Where checkpoints are kept.
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    /// Where the local workers' output is kept.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.path.join(LOGS)
    }

    /// Where the line is kept that lets workers of other machines in.
    #[must_use]
    pub fn join_line(&self) -> PathBuf {
        self.path.join(JOIN)
    }

    /// Where it is kept what Slurm was asked for; may not be there.
    #[must_use]
    pub fn slurm(&self) -> PathBuf {
        self.path.join(SLURM)
    }

    /// Opens the store; makes it if it is not there.
    ///
    /// # Errors
    ///
    /// The store's refusal.
    pub fn store(&self) -> Result<Store, RunDirectoryError> {
        Ok(Store::open(&self.path.join(DATABASE))?)
    }

    /// Writes what the run is started with, into the store and, as
    /// `experiment.yaml`, for people.
    ///
    /// # Errors
    ///
    /// When the store or the system refuses.
    pub fn set_origin(&self, store: &mut Store, origin: &Origin) -> Result<(), RunDirectoryError> {
        let path = self.path.join(EXPERIMENT);
        write_atomically(&path, |file| file.write_all(origin.experiment.as_bytes()))
            .map_err(|error| RunDirectoryError::Io { path, source: error.source })?;
        Ok(store.set_origin(origin)?)
    }

    /// Writes how this machine reaches the coordinator, for `sweep status`; the
    /// file goes with the lock, and only its owner may read it.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn set_address(&self, address: &Address) -> Result<(), KeysError> {
        write_secret(&self.path.join(ADDRESS), format!("{}\n", address.line()).as_bytes())
    }

    /// Copies the dataset's `splits.csv` for those who read the run's tables.
    ///
    /// - `dataset`: the dataset's folder
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn copy_splits(&self, dataset: &Path) -> Result<(), RunDirectoryError> {
        let path = self.path.join(SPLITS);
        let copy = |to: &mut File| io::copy(&mut File::open(dataset.join(SPLITS))?, to).map(drop);
        write_atomically(&path, copy)
            .map_err(|error| RunDirectoryError::Io { path, source: error.source })
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        // One that is left is not looked at: nobody holds the lock then.
        let _ = fs::remove_file(self.path.join(ADDRESS));
    }
}

/// The process on this machine that holds the lock of a run, if there is one.
///
/// Looks without touching: who tried the lock might keep a coordinator from it
/// that starts at this moment.
#[must_use]
pub fn holder(path: &Path) -> Option<u32> {
    let inode = fs::metadata(path.join(LOCK)).ok()?.ino();
    holder_in(&fs::read_to_string("/proc/locks").ok()?, inode)
}

/// - `locks`: the text of `/proc/locks`
fn holder_in(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        // 1: FLOCK  ADVISORY  WRITE 4711 fd:01:262147 0 EOF
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", process, file, ..] = fields[..] else { return None };
        let (_, number) = file.rsplit_once(':')?;
        (number.parse() == Ok(inode)).then(|| process.parse().ok())?
    })
}

/// Where the coordinator listens that holds the lock, or held it when it was killed.
#[must_use]
pub fn address(path: &Path) -> Option<Address> {
    fs::read_to_string(path.join(ADDRESS)).ok()?.trim().parse().ok()
}

/// Opens the store of a run for reading, whoever runs it.
///
/// # Errors
///
/// When there is no run at `path`, or the store refuses.
pub fn open_to_read(path: &Path) -> Result<Store, RunDirectoryError> {
    let database = path.join(DATABASE);
    if !database.is_file() {
        return Err(RunDirectoryError::NotARun { path: path.to_owned() });
    }
    Ok(Store::open_to_read(&database)?)
}

/// Removes everything but the lock, which is held, and the memory of jobs that may
/// still have to be cancelled; refuses a directory that is no run's.
fn empty(path: &Path) -> io::Result<()> {
    let names: Vec<_> = fs::read_dir(path)?.collect::<io::Result<_>>()?;
    let is_run = names.iter().any(|entry| entry.file_name() == DATABASE);
    if !is_run && names.iter().any(|entry| entry.file_name() != LOCK) {
        return Err(io::Error::other("not emptied, because it holds no study.db"));
    }
    for entry in names {
        if entry.file_name() == LOCK || entry.file_name() == SLURM {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("runs/one");
        let held = RunDirectory::lock(&path, false).expect("locked");
        let error = RunDirectory::lock(&path, false).expect_err("held");
        let expected = format!("in use by another sweep (process {})", std::process::id());
        assert!(error.to_string().ends_with(&expected), "{error}");
        drop(held);
        RunDirectory::lock(&path, false).expect("free again");
    }

    #[test]
    fn who_has_a_directory_is_seen_without_touching_its_lock() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run");
        assert_eq!(holder(&path), None, "there is none");
        let held = RunDirectory::lock(&path, false).expect("locked");
        let known: Address = "127.0.0.1:7077".parse().expect("an address");
        held.set_address(&known).expect("written");
        assert_eq!(holder(&path), Some(std::process::id()));
        assert_eq!(address(&path), Some(known));
        drop(held);
        assert_eq!(holder(&path), None);
        assert_eq!(address(&path), None);
        fs::write(path.join(ADDRESS), "127.0.0.1:1").expect("left by one that was killed");
        let _held = RunDirectory::lock(&path, false).expect("locked");
        assert_eq!(address(&path), None, "it does not listen yet");
    }

    #[test]
    fn of_all_locks_only_that_of_the_file_counts() {
        let locks = "\
1: POSIX  ADVISORY  WRITE 11 fd:01:77 0 EOF
2: FLOCK  ADVISORY  WRITE 12 fd:01:78 0 EOF
2: -> FLOCK  ADVISORY  WRITE 13 fd:01:77 0 EOF
3: FLOCK  ADVISORY  READ 14 fd:01:77 0 EOF
4: FLOCK  ADVISORY  WRITE 15 fd:01:77 0 EOF
";
        assert_eq!(holder_in(locks, 77), Some(15));
        assert_eq!(holder_in(locks, 76), None);
        assert_eq!(holder_in("nonsense\n", 77), None);
    }

    #[test]
    fn overwriting_deletes_an_earlier_run_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("run");
        let held = RunDirectory::lock(&path, false).expect("locked");
        held.store().expect("a store");
        drop(held);
        fs::write(path.join("trials.csv"), "old").expect("written");
        let job = path.join("slurm/job.json");
        fs::create_dir(path.join("slurm")).expect("made");
        fs::write(&job, "{}").expect("written");
        drop(RunDirectory::lock(&path, true).expect("locked"));
        assert!(job.exists(), "its job may have to be cancelled");
        assert!(!path.join("trials.csv").exists());
        assert!(!path.join(DATABASE).exists());

        let other = folder.path().join("precious");
        fs::create_dir(&other).expect("made");
        fs::write(other.join("thesis.tex"), "years").expect("written");
        assert!(RunDirectory::lock(&other, true).is_err());
        assert!(other.join("thesis.tex").exists());
    }

    #[test]
    fn a_folder_without_a_store_is_no_run() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(matches!(open_to_read(folder.path()), Err(RunDirectoryError::NotARun { .. })));
    }
}
