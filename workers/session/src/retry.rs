//! Sending a call again: when, how often, and until when.
//!
//! Pauses grow and are jittered, so that forty workers do not come back to a
//! restarted coordinator in the same instant. Every call of the protocol may be
//! sent again, so whether the first one arrived does not matter.

use std::time::Duration;

use rand::Rng as _;
use tokio::time::Instant;
use tonic::{Code, Status};

/// Pause before the first repetition.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause. A worker is back at most this long after its coordinator.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Pauses between repetitions: doubling from `first` to `longest`, each
/// shortened at random by up to half.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Before the first repetition.
    pub first: Duration,
    /// Upper bound.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: FIRST_PAUSE, longest: LONGEST_PAUSE }
    }
}

impl Backoff {
    /// The pause after `failures` failures in a row, without jitter.
    fn pause(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }

    /// Waits after `failures` failures in a row.
    pub(crate) async fn wait(self, failures: u32) {
        let share = rand::rng().random_range(0.5..=1.0);
        tokio::time::sleep(self.pause(failures).mul_f64(share)).await;
    }
}

/// Failures in a row of one call.
#[derive(Debug)]
pub(crate) struct Failures {
    backoff: Backoff,
    give_up_after: Duration,
    count: u32,
    since: Option<Instant>,
}

impl Failures {
    /// None so far.
    pub(crate) fn none(backoff: Backoff, give_up_after: Duration) -> Self {
        Self { backoff, give_up_after, count: 0, since: None }
    }

    /// The coordinator answered, if only in part.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.since = None;
    }

    /// Counts one more. Returns for how long the call has failed when that is
    /// too long, else waits until it may be sent again.
    pub(crate) async fn another(&mut self) -> Result<(), Duration> {
        let failing = self.since.get_or_insert_with(Instant::now).elapsed();
        if failing >= self.give_up_after {
            return Err(failing);
        }
        self.count = self.count.saturating_add(1);
        self.backoff.wait(self.count).await;
        Ok(())
    }
}

/// Whether the same call may succeed later.
pub(crate) fn may_pass(status: &Status) -> bool {
    // Made on this side, out of an error of the connection.
    if std::error::Error::source(status).is_some() {
        return true;
    }
    match status.code() {
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Aborted
        | Code::ResourceExhausted
        | Code::Internal
        | Code::Unknown => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let backoff = Backoff::default();
        let pauses: Vec<u128> = (1..=8).map(|count| backoff.pause(count).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(backoff.pause(u32::MAX), LONGEST_PAUSE);
    }

    #[tokio::test]
    async fn gives_up_after_the_limit_and_not_before() {
        let limit = Duration::from_millis(30);
        let backoff =
            Backoff { first: Duration::from_millis(1), longest: Duration::from_millis(5) };
        let mut failures = Failures::none(backoff, limit);
        let start = Instant::now();
        let failing = loop {
            if let Err(failing) = failures.another().await {
                break failing;
            }
        };
        assert!(failing >= limit && failing <= start.elapsed(), "{failing:?}");
        assert!(failures.count > 5, "the first pauses were short");
        failures.clear();
        assert!(failures.another().await.is_ok());
    }

    #[test]
    fn refusals_are_final() {
        for refusal in [
            Status::invalid_argument(""),
            Status::failed_precondition(""),
            Status::unauthenticated(""),
            Status::not_found(""),
        ] {
            assert!(!may_pass(&refusal), "{refusal}");
        }
        assert!(may_pass(&Status::unavailable("")));
        assert!(may_pass(&Status::deadline_exceeded("")));
    }
}
