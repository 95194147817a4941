//! Handing measurements in while training goes on.
//!
//! The channel from the trainer is the queue of what was not handed in yet: a
//! batch leaves it, is sent until it is acknowledged, and only then is the next
//! one taken. So measurements arrive in order, and after an outage many of them
//! travel in one message.

use sweep_proto::v1::{AttemptId, Measurement, Verdict};
use tokio::sync::mpsc;

use crate::error::CallError;
use crate::link::Link;

/// How many measurements one message carries at most: with hundreds of metrics
/// each, still far below the largest message.
const BATCH_LIMIT: usize = 64;

/// Hands in all measurements until the trainer has ended. Returns `Stop` as
/// soon as nobody waits for the attempt any more, else `Continue` when all of
/// them were acknowledged.
pub(crate) async fn report_all(
    link: &Link,
    id: AttemptId,
    mut measurements: mpsc::Receiver<Measurement>,
) -> Result<Verdict, CallError> {
    let mut batch = Vec::new();
    loop {
        batch.clear();
        if measurements.recv_many(&mut batch, BATCH_LIMIT).await == 0 {
            return Ok(Verdict::Continue);
        }
        match link.report(id, &batch).await? {
            Verdict::Stop => return Ok(Verdict::Stop),
            Verdict::Continue | Verdict::Unspecified => {}
        }
    }
}
