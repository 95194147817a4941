//! Where a dataset lies on this machine, after fetching it once if need be.
//!
//! A dataset is a folder of plain files with a `manifest.json` that names its
//! digest. In the cache it appears under that digest, whole or not at all: it
//! is fetched into a hidden sibling and renamed. Whatever comes from the
//! network is checked before it becomes a path.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sweep_proto::connect::Client;
use sweep_proto::v1::{Dataset, DatasetChunk, FetchDatasetRequest};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tracing::info;

use crate::error::CallError;
use crate::fetching::{FetchError, Sink, fetch};
use crate::hex::is_digest;
use crate::link::{Call, Link};

const MANIFEST: &str = "manifest.json";

/// Most bytes of a manifest that are read, not all at once: it lists every row.
const MANIFEST_BYTES: u64 = 4 << 30;

/// Most files in a dataset; it has a handful.
const FILES_LIMIT: usize = 256;

/// Most bytes in a dataset: more than any that fits into memory for training.
const BYTES_LIMIT: u64 = 256 << 30;

/// Longest name of a file.
const NAME_LIMIT: usize = 100;

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
    #[error("what was fetched has no {MANIFEST} with digest {0}")]
    Manifest(String),
    #[error("{} is damaged; remove it, and it is fetched again", .0.display())]
    Damaged(PathBuf),
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
            Self::Damaged(_) | Self::Io { .. } => true,
            Self::Missing
            | Self::Digest(_)
            | Self::FileName(_)
            | Self::Order(_)
            | Self::Files
            | Self::Bytes
            | Self::Manifest(_)
            | Self::Interrupted(_)
            | Self::Call(_) => false,
        }
    }
}

/// Finds the folder of a dataset: where the coordinator keeps it, if this
/// machine sees that folder; else in the cache, fetching it first if need be.
///
/// Any number of workers may do this at once.
pub(crate) async fn locate(
    link: &Link,
    dataset: Option<&Dataset>,
    cache: &Path,
) -> Result<PathBuf, DatasetError> {
    let dataset = dataset.ok_or(DatasetError::Missing)?;
    let digest = &dataset.digest;
    if !is_digest(digest) {
        return Err(DatasetError::Digest(digest.clone()));
    }
    let shared = Path::new(&dataset.path);
    if shared.is_absolute() && holds(shared, digest) {
        return Ok(shared.to_owned());
    }
    let datasets = cache.join("datasets");
    let folder = datasets.join(digest);
    if !holds(&folder, digest) {
        if folder.exists() {
            return Err(DatasetError::Damaged(folder));
        }
        let fetched = fetch_dataset(link, digest, &datasets).await?;
        fetched.settle(&folder, digest)?;
        info!("dataset fetched into {}", folder.display());
    }
    Ok(folder)
}

/// Whether `folder` holds the dataset of this digest.
fn holds(folder: &Path, digest: &str) -> bool {
    /// The part of a manifest that matters here.
    #[derive(Deserialize)]
    struct Manifest {
        digest: String,
    }
    let Ok(file) = std::fs::File::open(folder.join(MANIFEST)) else { return false };
    let file = io::BufReader::new(io::Read::take(file, MANIFEST_BYTES));
    serde_json::from_reader(file).is_ok_and(|manifest: Manifest| manifest.digest == digest)
}

/// Fetches a dataset into a hidden folder of `datasets`.
async fn fetch_dataset(
    link: &Link,
    digest: &str,
    datasets: &Path,
) -> Result<Fetched, DatasetError> {
    let open = |mut client: Client| {
        let request = FetchDatasetRequest { digest: digest.to_owned() };
        async move { client.fetch_dataset(request).await }
    };
    let fetched = fetch(link, Call::FetchDataset, open, || Fetched::create(datasets, digest)).await;
    fetched.map_err(|error| match error {
        FetchError::Content(error) => error,
        FetchError::Call(error) => DatasetError::Call(error),
        interrupted @ FetchError::Interrupted(_) => {
            DatasetError::Interrupted(interrupted.to_string())
        }
    })
}

/// A dataset on its way into the cache; its folder is removed on drop.
struct Fetched {
    digest: String,
    folder: PathBuf,
    /// Of the files begun so far.
    names: HashSet<String>,
    /// The last of them, still open.
    open: Option<(String, File)>,
    bytes: u64,
}

impl Fetched {
    fn create(datasets: &Path, digest: &str) -> Result<Self, DatasetError> {
        let folder = datasets.join(format!(".{digest}-{:016x}", rand::random::<u64>()));
        std::fs::create_dir_all(&folder).map_err(io_error(&folder))?;
        let digest = digest.to_owned();
        Ok(Self { digest, folder, names: HashSet::new(), open: None, bytes: 0 })
    }

    /// Brings the open file onto the disk, so that a dataset that is there
    /// after a power failure is whole.
    async fn close(&mut self) -> Result<(), DatasetError> {
        let Some((name, mut file)) = self.open.take() else { return Ok(()) };
        let path = self.folder.join(name);
        file.flush().await.map_err(io_error(&path))?;
        file.sync_all().await.map_err(io_error(&path))
    }

    /// Gives the folder its name. Another worker may have been first.
    fn settle(self, folder: &Path, digest: &str) -> Result<(), DatasetError> {
        match std::fs::rename(&self.folder, folder) {
            Ok(()) => Ok(()),
            Err(_) if holds(folder, digest) => Ok(()),
            Err(source) => Err(io_error(folder)(source)),
        }
    }
}

impl Sink for Fetched {
    type Chunk = DatasetChunk;
    type Error = DatasetError;

    async fn write(&mut self, chunk: DatasetChunk) -> Result<(), DatasetError> {
        let DatasetChunk { file: name, data } = chunk;
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        if self.bytes > BYTES_LIMIT {
            return Err(DatasetError::Bytes);
        }
        if self.open.as_ref().is_none_or(|(open, _)| *open != name) {
            self.close().await?;
            if !is_plain_name(&name) {
                return Err(DatasetError::FileName(name));
            }
            if self.names.len() == FILES_LIMIT {
                return Err(DatasetError::Files);
            }
            if !self.names.insert(name.clone()) {
                return Err(DatasetError::Order(name));
            }
            let path = self.folder.join(&name);
            let file = File::create_new(&path).await.map_err(io_error(&path))?;
            self.open = Some((name, file));
        }
        if let Some((name, file)) = &mut self.open {
            file.write_all(&data).await.map_err(io_error(&self.folder.join(&*name)))?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), DatasetError> {
        self.close().await?;
        if holds(&self.folder, &self.digest) {
            Ok(())
        } else {
            Err(DatasetError::Manifest(self.digest.clone()))
        }
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // Gone already if it was renamed. One that cannot be removed is only
        // in nobody's way.
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// Whether a name from the network is safe as the name of a file.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_LIMIT
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> DatasetError {
    let path = path.to_owned();
    |source| DatasetError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn chunk(file: &str, data: &[u8]) -> DatasetChunk {
        DatasetChunk { file: file.to_owned(), data: data.to_vec() }
    }

    #[test]
    fn only_plain_names_are_accepted() {
        for name in ["manifest.json", "train_x.npy", "a", "A-1.bin", &"n".repeat(100)] {
            assert!(is_plain_name(name), "{name}");
        }
        for name in
            ["", ".", "..", ".hidden", "a/b", "/a", "a\\b", "a\0", "ä", "a b", &"n".repeat(101)]
        {
            assert!(!is_plain_name(name), "{name:?}");
        }
    }

    #[tokio::test]
    async fn chunks_of_a_file_follow_one_another() {
        let cache = tempfile::tempdir().expect("temporary folder");
        let mut fetched = Fetched::create(cache.path(), DIGEST).expect("a folder");
        fetched.write(chunk("a", b"1")).await.expect("first");
        fetched.write(chunk("a", b"2")).await.expect("second");
        fetched.write(chunk("b", b"3")).await.expect("another file");
        assert_eq!(std::fs::read(fetched.folder.join("a")).expect("closed by now"), b"12");
        let error = fetched.write(chunk("a", b"4")).await.expect_err("out of order");
        assert!(matches!(error, DatasetError::Order(name) if name == "a"));
        drop(fetched);
        assert_eq!(std::fs::read_dir(cache.path()).expect("there").count(), 0, "nothing left");
    }

    #[tokio::test]
    async fn the_number_of_files_is_bounded() {
        let cache = tempfile::tempdir().expect("temporary folder");
        let mut fetched = Fetched::create(cache.path(), DIGEST).expect("a folder");
        for index in 0..FILES_LIMIT {
            fetched.names.insert(index.to_string());
        }
        let error = fetched.write(chunk("one-more", b"")).await.expect_err("too many");
        assert!(matches!(error, DatasetError::Files));
    }

    #[test]
    fn the_second_of_two_workers_finds_the_first_ones_folder() {
        let cache = tempfile::tempdir().expect("temporary folder");
        let folder = cache.path().join(DIGEST);
        for _ in 0..2 {
            let fetched = Fetched::create(cache.path(), DIGEST).expect("a folder");
            std::fs::write(
                fetched.folder.join(MANIFEST),
                format!(r#"{{"digest": "{DIGEST}", "classes": []}}"#),
            )
            .expect("written");
            fetched.settle(&folder, DIGEST).expect("there");
            assert!(holds(&folder, DIGEST));
        }
        assert_eq!(std::fs::read_dir(cache.path()).expect("there").count(), 1);
        assert!(!holds(&folder, &DIGEST.replace('0', "1")));
    }
}
