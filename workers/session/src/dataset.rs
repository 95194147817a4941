//! Where a dataset lies on this machine, after fetching it once if need be.
//!
//! A dataset is a folder of plain files with a `manifest.json` that names its
//! digest. In the cache it appears under that digest, whole or not at all: it
//! arrives in a hidden sibling ([`arriving`]), which is renamed. Of all processes
//! that share the cache one fetches it, and the others wait ([`locks`]). What is
//! kept is bounded ([`room`]).

mod arriving;
mod locks;
mod room;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use sweep_proto::connect::Client;
use sweep_proto::v1::Dataset;
use tonic::Code;
use tracing::{info, warn};

use self::arriving::{Arriving, BYTES_LIMIT, FILES_LIMIT};
use self::locks::Purpose;
use crate::error::CallError;
use crate::fetching::{FetchError, fetch};
use crate::link::{Call, Link};
use crate::size::shown;
use sweep_proto::digest::is_digest;

const MANIFEST: &str = "manifest.json";

/// Most bytes of a manifest that are read, not all at once: it lists every row.
const MANIFEST_BYTES: u64 = 4 << 30;

/// So often a dataset is fetched that is gone before it can be used, or whose
/// checksums are wrong.
const MAX_ATTEMPTS: u32 = 3;

/// A dataset that cannot be made available.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatasetError {
    #[error("the specification names none")]
    Missing,
    #[error("`{0}` is not a digest")]
    Digest(String),
    #[error("`{0}` is not an acceptable file name")]
    FileName(String),
    #[error("the chunks of `{0}` do not follow one another")]
    Order(String),
    #[error("more than {FILES_LIMIT} files")]
    Files,
    #[error("more than {BYTES_LIMIT} bytes")]
    Bytes,
    #[error("`{0}` was altered on its way: its checksum is another one")]
    Checksum(String),
    #[error("not all of its files are there")]
    Incomplete,
    #[error("what was fetched has no {MANIFEST} with digest {0}")]
    Manifest(String),
    #[error("{} is damaged; remove it, and it is fetched again", .0.display())]
    Damaged(PathBuf),
    #[error("{} is removed again and again", .0.display())]
    Removed(PathBuf),
    #[error("no room in {}: {} are needed, {} are free", folder.display(), shown(*needed), shown(*free))]
    NoRoom { folder: PathBuf, needed: u64, free: u64 },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{0}")]
    Interrupted(String),
    #[error("{0}")]
    Call(#[from] CallError),
}

impl DatasetError {
    /// Whether this machine is the cause, not the dataset.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::Removed(_) | Self::NoRoom { .. } | Self::Io { .. } => true,
            Self::Missing
            | Self::Digest(_)
            | Self::FileName(_)
            | Self::Order(_)
            | Self::Files
            | Self::Bytes
            | Self::Checksum(_)
            | Self::Incomplete
            | Self::Manifest(_)
            | Self::Interrupted(_)
            | Self::Call(_) => false,
        }
    }
}

/// The folder of fetched datasets, shared with all workers of the machine, and
/// with coordinators, which keep there what they prepare.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    /// How many bytes of datasets are kept at most.
    limit: Option<u64>,
    /// Held for as long as the dataset is used that was located last.
    in_use: Mutex<Option<File>>,
}

impl Cache {
    pub(crate) fn new(folder: PathBuf, limit: Option<u64>) -> Self {
        Self { folder, limit, in_use: Mutex::default() }
    }

    /// Nobody removes a dataset from here on, until the next one is used.
    fn use_only(&self, lock: Option<File>) {
        if let Some(lock) = &lock {
            locks::touch(lock);
        }
        // Nothing panics while it is held.
        *self.in_use.lock().unwrap_or_else(PoisonError::into_inner) = lock;
    }
}

/// Finds the folder of a dataset: where the coordinator keeps it, if this
/// machine sees that folder; else in the cache, fetching it first if need be.
///
/// Any number of workers may do this at once.
pub(crate) async fn locate(
    link: &Link,
    dataset: Option<&Dataset>,
    cache: &Cache,
) -> Result<PathBuf, DatasetError> {
    let dataset = dataset.ok_or(DatasetError::Missing)?;
    let digest = &dataset.digest;
    if !is_digest(digest) {
        return Err(DatasetError::Digest(digest.clone()));
    }
    let shared = Path::new(&dataset.path);
    if shared.is_absolute() && holds(shared, digest) {
        cache.use_only(None);
        return Ok(shared.to_owned());
    }
    let folder = cache.folder.join("datasets").join(digest);
    for _ in 0..MAX_ATTEMPTS {
        // First held, then looked at, so that what is seen stays.
        let using = locks::lock(&cache.folder, digest, Purpose::Using, || {}).await;
        if holds(&folder, digest) {
            cache.use_only(using);
            return Ok(folder);
        }
        drop(using);
        let waiting =
            || info!("waiting for another worker of this machine, which fetches the dataset");
        let making = locks::lock(&cache.folder, digest, Purpose::Making, waiting).await;
        if holds(&folder, digest) {
            continue;
        }
        if folder.exists() {
            return Err(DatasetError::Damaged(folder));
        }
        fetch_dataset(link, digest, cache, making.is_some()).await?.settle(&folder)?;
        info!("dataset fetched into {}", folder.display());
    }
    Err(DatasetError::Removed(folder))
}

/// Whether `folder` holds the dataset of this digest.
fn holds(folder: &Path, digest: &str) -> bool {
    /// The part of a manifest that matters here.
    #[derive(Deserialize)]
    struct Manifest {
        digest: String,
    }
    let Ok(file) = File::open(folder.join(MANIFEST)) else { return false };
    let file = io::BufReader::new(io::Read::take(file, MANIFEST_BYTES));
    serde_json::from_reader(file).is_ok_and(|manifest: Manifest| manifest.digest == digest)
}

/// Fetches a dataset into a hidden folder of the cache, or the rest of it. What has
/// come stays there if that breaks off, unless it is not to be trusted, or this
/// machine has no room for the rest.
///
/// - `alone`: whether no other process may do the same
async fn fetch_dataset(
    link: &Link,
    digest: &str,
    cache: &Cache,
    alone: bool,
) -> Result<Arriving, DatasetError> {
    let which = if alone { "part".to_owned() } else { format!("{:016x}", rand::random::<u64>()) };
    let staging = cache.folder.join("datasets").join(format!("{STAGING}{digest}-{which}"));
    let begin = || Arriving::take_up(cache, digest, &staging);
    let open = |mut client: Client, arriving: &Arriving| {
        let request = arriving.request();
        if arriving.taken_up_bytes() > 0 {
            info!("going on with the dataset: {} are there", shown(arriving.taken_up_bytes()));
        }
        async move { client.fetch_dataset(request).await }
    };
    let mut attempts = 0;
    loop {
        attempts += 1;
        let error = match fetch(link, Call::FetchDataset, open, begin).await {
            Ok(arrived) => return Ok(arrived),
            Err(FetchError::Call(error @ CallError::Refused { .. })) => DatasetError::Call(error),
            // What is there is what to go on with.
            Err(FetchError::Call(error)) => return Err(DatasetError::Call(error)),
            Err(error @ FetchError::Interrupted(_)) => {
                return Err(DatasetError::Interrupted(error.to_string()));
            }
            Err(FetchError::Content(error)) => error,
        };
        // One that cannot be removed is only in nobody's way.
        std::fs::remove_dir_all(&staging).ok();
        match error {
            // What was there was not the beginning of it.
            DatasetError::Checksum(_)
            | DatasetError::Incomplete
            | DatasetError::Call(CallError::Refused { code: Code::OutOfRange, .. })
                if attempts < MAX_ATTEMPTS =>
            {
                warn!("dataset: {error}; fetching it anew");
            }
            error => return Err(error),
        }
    }
}

/// Begins the name of a folder in which something is made, as a coordinator's
/// `sweep cache` knows it too.
const STAGING: &str = ".staging-";

/// The digest in the name of a folder in the making.
fn staging_digest(name: &str) -> Option<&str> {
    let (digest, _) = name.strip_prefix(STAGING)?.split_once('-')?;
    Some(digest)
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> DatasetError {
    let path = path.to_owned();
    |source| DatasetError::Io { path, source }
}
