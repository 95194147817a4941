//! FLAC: what stands before the frames.

use super::RecordingError;
use super::format::{Format, without_id3};

/// Length of the magic bytes, and of a block's header.
const WORD: usize = 4;
/// Length of the block that describes the stream.
const STREAM_INFO: usize = 34;

/// Leaves only the description of the stream and the frames. Pictures and tags
/// announce lengths of their own, for which the library would take memory
/// without a look at the file.
pub(super) fn without_metadata(bytes: &[u8]) -> Result<Vec<u8>, RecordingError> {
    let bytes = without_id3(bytes);
    let damaged = |problem| RecordingError::damaged(Format::Flac, problem);
    let mut at = WORD;
    loop {
        let header = bytes.get(at..).and_then(|rest| rest.first_chunk::<WORD>());
        let &[kind, a, b, c] = header.ok_or_else(|| damaged("its header is cut off"))?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        // The description of the stream comes first, and has one length.
        if at == WORD && (kind & 0x7f != 0 || length != STREAM_INFO) {
            return Err(damaged("its header makes no sense"));
        }
        at += WORD + length;
        if kind & 0x80 != 0 {
            break;
        }
    }
    if at >= bytes.len() {
        return Err(damaged("it ends before its first sample"));
    }
    let mut kept = bytes[..WORD + WORD + STREAM_INFO].to_vec();
    // No block follows.
    kept[WORD] = 0x80;
    kept.extend_from_slice(&bytes[at..]);
    Ok(kept)
}
