//! Files on their way to and from workers, in chunks.
//!
//! A file that comes in is written beside its place, and moved there when it
//! was whole: whoever finds a file finds all of it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sweep_proto::digest::hexadecimal;
use sweep_proto::v1::UploadChunk;
use sweep_proto::{CHUNK_BYTES, MAX_FILE_BYTES};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Status, Streaming};

/// What a stream of chunks is fed through.
pub(super) type Sender<T> = mpsc::Sender<Result<T, Status>>;

/// Ending of the names of files that are being written.
pub(super) const UNFINISHED: &str = "tmp";

/// How long a worker may take with a chunk, whichever way it goes: one that is there
/// and does nothing holds no call, and no file, for longer.
pub(super) const CHUNK_LIMIT: Duration = Duration::from_secs(60);

/// Why an upload was not taken in.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Because of what was sent, or of the way that it came.
    Sender(Status),
    /// Because the system refused.
    System {
        /// What it was about.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Sender(status)
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Sender(status) => status,
            Refusal::System { path, source } => {
                tracing::error!("{}: {source}", path.display());
                // Workers try again: there may be space again.
                Self::unavailable(format!("the coordinator cannot keep the file: {source}"))
            }
        }
    }
}

/// The next chunk of an upload; `None` at its end.
///
/// # Errors
///
/// The stream's, and when no chunk comes within the limit.
pub(super) async fn next_chunk(
    chunks: &mut (impl Stream<Item = Result<UploadChunk, Status>> + Unpin),
    limit: Duration,
) -> Result<Option<UploadChunk>, Status> {
    match tokio::time::timeout(limit, chunks.next()).await {
        Ok(chunk) => chunk.transpose(),
        Err(_) => {
            let message = format!("no chunk came for {} s", limit.as_secs());
            Err(Status::deadline_exceeded(message))
        }
    }
}

/// Hands a chunk on to a worker; whether it takes more.
pub(super) async fn feed<T>(sender: &Sender<T>, chunk: T) -> bool {
    sender.send_timeout(Ok(chunk), CHUNK_LIMIT).await.is_ok()
}

/// Takes in an upload of which the first chunk was read already.
///
/// - `path`: its place; what is there is replaced
/// - `sha256`: the digest it was sent with
/// - `first`: data of the first chunk
///
/// Returns its size in bytes.
///
/// # Errors
///
/// When the digest does not fit, or the file is too large, or the disk full.
/// What was at `path` before is then still there.
pub(super) async fn receive(
    path: &Path,
    sha256: &str,
    first: Vec<u8>,
    mut chunks: Streaming<UploadChunk>,
) -> Result<u64, Refusal> {
    let system = |source| Refusal::System { path: path.to_owned(), source };
    let temporary = Temporary(path.with_added_extension(format!("{:016x}.tmp", fresh_number())));
    let mut file = File::create(&temporary.0).await.map_err(system)?;
    let mut hasher = Sha256::new();
    let mut bytes = 0_u64;
    let mut data = first;
    loop {
        bytes += data.len() as u64;
        if bytes > MAX_FILE_BYTES {
            let message = format!("the file has more than {MAX_FILE_BYTES} bytes");
            return Err(Status::invalid_argument(message).into());
        }
        hasher.update(&data);
        file.write_all(&data).await.map_err(system)?;
        match next_chunk(&mut chunks, CHUNK_LIMIT).await? {
            Some(UploadChunk { file: Some(_), .. }) => {
                let message = "only the first chunk says which file it is";
                return Err(Status::invalid_argument(message).into());
            }
            Some(chunk) => data = chunk.data,
            None => break,
        }
    }
    let digest = hexadecimal(&hasher.finalize());
    if digest != sha256 {
        let message = "the file does not have the digest it was sent with";
        return Err(Status::data_loss(message).into());
    }
    file.sync_all().await.map_err(system)?;
    tokio::fs::rename(&temporary.0, path).await.map_err(system)?;
    // A record of the file may follow; it must not outlive the file's name.
    if cfg!(unix)
        && let Some(folder) = path.parent()
    {
        let folder = File::open(folder).await.map_err(system)?;
        folder.sync_all().await.map_err(system)?;
    }
    Ok(bytes)
}

/// A file that is removed unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Removes the files of a folder that were being written when their coordinator was
/// killed.
///
/// # Errors
///
/// When the folder cannot be read, or a file not removed.
pub fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == UNFINISHED) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Tells two uploads of the same file apart.
fn fresh_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    (u64::from(std::process::id()) << 32) | NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Sends an open file, an empty one as one chunk; less of it if the worker has
/// gone away.
pub(super) async fn send_file<T>(
    mut file: File,
    chunk: impl Fn(Vec<u8>) -> T,
    sender: &Sender<T>,
) -> Result<(), Status> {
    loop {
        let mut data = Vec::with_capacity(CHUNK_BYTES);
        (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut data).await.map_err(unreadable)?;
        let is_last = data.len() < CHUNK_BYTES;
        if !feed(sender, chunk(data)).await || is_last {
            return Ok(());
        }
    }
}

/// What a worker is told when a file cannot be read; it tries again.
pub(super) fn unreadable(error: io::Error) -> Status {
    Status::unavailable(format!("the coordinator cannot read the file: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_upload_that_stalls_is_given_up() {
        let first = UploadChunk { file: None, data: vec![7] };
        let mut chunks = tokio_stream::once(Ok(first.clone())).chain(tokio_stream::pending());
        let next = next_chunk(&mut chunks, CHUNK_LIMIT).await;
        assert_eq!(next.expect("it is there"), Some(first));
        let stalled = next_chunk(&mut chunks, Duration::ZERO).await.expect_err("nothing comes");
        assert_eq!(stalled.code(), tonic::Code::DeadlineExceeded);
        let mut over = tokio_stream::empty();
        assert_eq!(next_chunk(&mut over, CHUNK_LIMIT).await.expect("it is over"), None);
    }
}
