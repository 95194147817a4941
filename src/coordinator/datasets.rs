//! The dataset that workers fetch who do not see the coordinator's folder.
//!
//! Its files go in a fixed order, by name and the manifest last, so that a place in
//! the whole is a file and a number of bytes: a transfer that was cut off goes on
//! from there. After each file comes its checksum, which is computed once for all
//! workers. A file's name in a request is only compared with those that are there.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sweep_proto::CHUNK_BYTES;
use sweep_proto::digest::hexadecimal;
use sweep_proto::v1::DatasetChunk;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::Mutex;
use tonic::Status;

use super::transfer::{Sender, feed, unreadable};

/// Lies last in the order, so that a copy with a manifest is whole.
const MANIFEST: &str = "manifest.json";

/// While a checksum takes long, a sign of life is sent so often: well within the
/// minute that workers wait for one.
const ALIVE: Duration = Duration::from_secs(15);

/// A dataset's folder; clones share what is known of it.
#[derive(Debug, Clone)]
pub struct DatasetFiles {
    digest: String,
    folder: PathBuf,
    /// Of files that were sent.
    sums: Arc<Mutex<HashMap<String, String>>>,
}

/// A transfer that is about to begin, or to go on.
#[derive(Debug)]
pub(super) struct Transfer {
    dataset: DatasetFiles,
    /// What is left to be sent.
    names: Vec<String>,
    /// How much of the first is there already.
    offset: u64,
    total_bytes: u64,
}

impl DatasetFiles {
    /// The dataset of this digest in this folder.
    #[must_use]
    pub fn new(digest: String, folder: PathBuf) -> Self {
        Self { digest, folder, sums: Arc::default() }
    }

    /// Finds out what is left to be sent.
    ///
    /// - `file`, `offset`: what is there of it already; empty and 0: nothing is
    ///
    /// # Errors
    ///
    /// When there is no such dataset or no such place in it, or it cannot be read.
    pub(super) async fn transfer(
        &self,
        digest: &str,
        file: &str,
        offset: u64,
    ) -> Result<Transfer, Status> {
        if digest != self.digest {
            return Err(Status::not_found("no such dataset here"));
        }
        let files = self.files().await.map_err(unreadable)?;
        let total_bytes = files.iter().map(|(_, bytes)| bytes).sum();
        let first = match file {
            "" => 0,
            _ => files
                .iter()
                .position(|(name, _)| name == file)
                .ok_or_else(|| Status::invalid_argument("the dataset has no such file"))?,
        };
        if files.get(first).map_or(0, |(_, bytes)| *bytes) < offset {
            return Err(Status::out_of_range("the file has not so many bytes"));
        }
        let names = files.into_iter().skip(first).map(|(name, _)| name).collect();
        Ok(Transfer { dataset: self.clone(), names, offset, total_bytes })
    }

    /// Names and sizes, in the order in which they are sent.
    async fn files(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        let mut entries = tokio::fs::read_dir(&self.folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            if let Ok(name) = entry.file_name().into_string() {
                files.push((name, entry.metadata().await?.len()));
            }
        }
        files.sort_by(|(a, _), (b, _)| (a == MANIFEST, a).cmp(&(b == MANIFEST, b)));
        Ok(files)
    }

    /// SHA-256 of a file, lower-case hexadecimal.
    async fn sum(self, name: String) -> Result<String, Status> {
        let mut sums = self.sums.lock().await;
        if let Some(sum) = sums.get(&name) {
            return Ok(sum.clone());
        }
        let path = self.folder.join(&name);
        let hashed = tokio::task::spawn_blocking(move || hash(&path)).await;
        let sum = hashed
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
            .map_err(unreadable)?;
        sums.insert(name, sum.clone());
        Ok(sum)
    }
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut std::fs::File::open(path)?, &mut hasher)?;
    Ok(hexadecimal(&hasher.finalize()))
}

impl Transfer {
    /// Sends all of it; less if the worker has gone away.
    pub(super) async fn send(self, sender: &Sender<DatasetChunk>) -> Result<(), Status> {
        let mut offset = self.offset;
        let mut total_bytes = self.total_bytes;
        for name in self.names {
            let mut chunk = |data, sha256| {
                let file = name.clone();
                let total_bytes = std::mem::take(&mut total_bytes);
                DatasetChunk { file, data, sha256, total_bytes }
            };
            let mut sum = tokio::spawn(self.dataset.clone().sum(name.clone()));
            let mut file = File::open(self.dataset.folder.join(&name)).await.map_err(unreadable)?;
            file.seek(io::SeekFrom::Start(std::mem::take(&mut offset)))
                .await
                .map_err(unreadable)?;
            loop {
                let mut data = Vec::with_capacity(CHUNK_BYTES);
                let mut part = (&mut file).take(CHUNK_BYTES as u64);
                part.read_to_end(&mut data).await.map_err(unreadable)?;
                if data.is_empty() {
                    break;
                }
                if !feed(sender, chunk(data, String::new())).await {
                    return Ok(());
                }
            }
            let sum = loop {
                tokio::select! {
                    sum = &mut sum => break sum,
                    () = tokio::time::sleep(ALIVE) => {
                        if !feed(sender, chunk(Vec::new(), String::new())).await {
                            return Ok(());
                        }
                    }
                }
            };
            let sum = sum.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
            if !feed(sender, chunk(Vec::new(), sum)).await {
                return Ok(());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;
    use tonic::Code;

    fn dataset(folder: &Path) -> DatasetFiles {
        for (name, bytes) in [("x.npy", vec![7; CHUNK_BYTES + 3]), (MANIFEST, b"{}".to_vec())] {
            std::fs::write(folder.join(name), bytes).expect("written");
        }
        std::fs::write(folder.join("a.npy"), "").expect("written");
        DatasetFiles::new("digest".to_owned(), folder.to_owned())
    }

    /// Name, size and whether the checksum is there, of each chunk; and the totals.
    async fn sent(transfer: Transfer) -> (Vec<(String, usize, bool)>, Vec<u64>) {
        let (sender, mut receiver) = mpsc::channel(1);
        let sending = tokio::spawn(async move { transfer.send(&sender).await });
        let (mut chunks, mut totals) = (Vec::new(), Vec::new());
        while let Some(chunk) = receiver.recv().await {
            let chunk = chunk.expect("sent");
            chunks.push((chunk.file, chunk.data.len(), chunk.sha256.len() == 64));
            totals.push(chunk.total_bytes);
        }
        sending.await.expect("no panic").expect("sent");
        (chunks, totals)
    }

    #[tokio::test]
    async fn all_of_it_or_what_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let dataset = dataset(folder.path());
        let chunk = |name: &str, bytes, is_last| (name.to_owned(), bytes, is_last);
        let all = [
            chunk("a.npy", 0, true),
            chunk("x.npy", CHUNK_BYTES, false),
            chunk("x.npy", 3, false),
            chunk("x.npy", 0, true),
            chunk(MANIFEST, 2, false),
            chunk(MANIFEST, 0, true),
        ];
        let total = CHUNK_BYTES as u64 + 5;
        let transfer = dataset.transfer("digest", "", 0).await.expect("there");
        assert_eq!(sent(transfer).await, (all.to_vec(), vec![total, 0, 0, 0, 0, 0]));
        let cases = [("x.npy", CHUNK_BYTES as u64, 2), ("x.npy", CHUNK_BYTES as u64 + 3, 3)];
        for (name, offset, first) in cases {
            let transfer = dataset.transfer("digest", name, offset).await.expect("there");
            let (chunks, totals) = sent(transfer).await;
            assert_eq!((chunks, totals[0]), (all[first..].to_vec(), total));
        }
    }

    #[tokio::test]
    async fn places_that_are_not_in_it_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let dataset = dataset(folder.path());
        for (digest, file, offset, code) in [
            ("../etc", "", 0, Code::NotFound),
            ("digest", "../x.npy", 0, Code::InvalidArgument),
            ("digest", "/etc/passwd", 0, Code::InvalidArgument),
            ("digest", "a.npy", 1, Code::OutOfRange),
            ("digest", "x.npy", u64::MAX, Code::OutOfRange),
            ("digest", "", 1, Code::OutOfRange),
        ] {
            let error = dataset.transfer(digest, file, offset).await.expect_err("refused");
            assert_eq!(error.code(), code, "{digest} {file} {offset}");
        }
    }
}
