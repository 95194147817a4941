//! The checkpoint that an attempt starts from, fetched into memory.
//!
//! What it holds is the trainer's affair. Here it is only made sure that it is
//! the very file that was handed in.

use sha2::{Digest as _, Sha256};
use sweep_proto::MAX_FILE_BYTES;
use sweep_proto::connect::Client;
use sweep_proto::v1::{self, CheckpointChunk, FetchCheckpointRequest};
use tracing::info;

use crate::fetching::{FetchError, Sink, fetch};
use crate::link::{Call, Link};
use crate::trainer::Checkpoint;
use sweep_proto::digest::hexadecimal;

/// A checkpoint that is not what the assignment says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CheckpointError {
    /// The assignment does not say whose it is.
    #[error("the assignment does not say which attempt made it")]
    Nameless,
    /// Larger than any that is accepted.
    #[error("{0} bytes are more than the {MAX_FILE_BYTES} that a worker accepts")]
    TooLarge(u64),
    /// Not as long as announced.
    #[error("it has not the {expected} bytes that were handed in")]
    Size {
        /// How many were announced.
        expected: u64,
    },
    /// Altered on its way or on the coordinator's disk.
    #[error("its checksum is {found}, not {expected} as when it was handed in")]
    Checksum {
        /// SHA-256 as announced.
        expected: String,
        /// SHA-256 of what came.
        found: String,
    },
}

/// Fetches a checkpoint.
///
/// # Errors
///
/// When it is not the one announced, or the coordinator cannot send it.
pub(crate) async fn fetch_checkpoint(
    link: &Link,
    announced: &v1::Checkpoint,
) -> Result<Checkpoint, FetchError<CheckpointError>> {
    let id = announced.id.ok_or(FetchError::Content(CheckpointError::Nameless))?;
    if announced.bytes > MAX_FILE_BYTES {
        return Err(FetchError::Content(CheckpointError::TooLarge(announced.bytes)));
    }
    let (epoch, step) = (announced.epoch, announced.step);
    let open = |mut client: Client, _: &Arriving<'_>| async move {
        client.fetch_checkpoint(FetchCheckpointRequest { id: Some(id), epoch, step }).await
    };
    let begin = || Ok(Arriving { announced, bytes: Vec::new(), digest: Sha256::new() });
    let arrived = fetch(link, Call::FetchCheckpoint, open, begin).await?;
    info!("checkpoint of epoch {epoch}, step {step} fetched, {} bytes", arrived.bytes.len());
    Ok(Checkpoint { epoch, step, bytes: arrived.bytes })
}

/// A checkpoint on its way. It takes memory as it comes, not as announced.
struct Arriving<'a> {
    announced: &'a v1::Checkpoint,
    bytes: Vec<u8>,
    digest: Sha256,
}

impl Sink for Arriving<'_> {
    type Chunk = CheckpointChunk;
    type Error = CheckpointError;

    async fn write(&mut self, chunk: CheckpointChunk) -> Result<(), CheckpointError> {
        self.digest.update(&chunk.data);
        self.bytes.extend_from_slice(&chunk.data);
        let expected = self.announced.bytes;
        if self.bytes.len() as u64 > expected {
            return Err(CheckpointError::Size { expected });
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), CheckpointError> {
        let v1::Checkpoint { bytes: expected, sha256, .. } = self.announced;
        if self.bytes.len() as u64 != *expected {
            return Err(CheckpointError::Size { expected: *expected });
        }
        let found = hexadecimal(&self.digest.finalize_reset());
        if found != *sha256 {
            return Err(CheckpointError::Checksum { expected: sha256.clone(), found });
        }
        Ok(())
    }
}
