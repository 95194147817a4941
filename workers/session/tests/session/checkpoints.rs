//! Checkpoints on their way from one attempt to another.

use sweep_proto::v1::acquire_response::Answer;
use sweep_proto::v1::complete_request::Outcome;
use sweep_proto::v1::{self, AttemptId, Failed, FailureKind, Finished};
use sweep_session::{Checkpoint, Ending, Trained};
use tonic::Status;

use crate::coordinator::{Event, ScriptedCoordinator, assignment, sha256};
use crate::worker::{report, start};

const FINISHED: Outcome = Outcome::Finished(Finished {});

/// Another trial's attempt.
const SOURCE: AttemptId = AttemptId { trial: 3, execution: 0, attempt: 2 };

/// As the coordinator announces a checkpoint of these bytes.
fn announced(bytes: &[u8]) -> v1::Checkpoint {
    let (epoch, sha256) = (4, sha256(bytes));
    v1::Checkpoint { id: Some(SOURCE), epoch, sha256, bytes: bytes.len() as u64, step: 9 }
}

/// Assigns an execution that starts from a checkpoint.
fn assign(coordinator: &ScriptedCoordinator, trial: u32, checkpoint: v1::Checkpoint) -> AttemptId {
    let mut assignment = assignment(trial);
    assignment.checkpoint = Some(checkpoint);
    assignment.keep_checkpoint = true;
    let id = assignment.id.unwrap();
    coordinator.answer(Answer::Assignment(assignment));
    id
}

/// Some more than two chunks.
fn large() -> Vec<u8> {
    (0..2 * sweep_proto::CHUNK_BYTES + 1000).map(|index| (index / 7) as u8).collect()
}

#[tokio::test]
async fn fetched_before_training_and_handed_in_before_the_end() {
    let mut coordinator = ScriptedCoordinator::start();
    let bytes = large();
    coordinator.set_checkpoint(&bytes);
    let expected = bytes.clone();
    let _worker = start(coordinator.address, move |execution, epochs| {
        let from = execution.checkpoint.as_ref().expect("assigned");
        let from_expected = (from.epoch, from.step, &from.bytes) == (4, 9, &expected);
        assert!(from_expected, "not what was handed in");
        assert!(execution.keep_checkpoint);
        assert!(report(epochs, 5..=10));
        let bytes = from.bytes.iter().rev().copied().collect();
        Ok(Ending::Finished(Trained {
            weights: Some(vec![1]),
            checkpoint: Some(Checkpoint { epoch: 10, step: 0, bytes }),
        }))
    });
    coordinator.acquired().await;
    let id = assign(&coordinator, 0, announced(&bytes));
    assert_eq!(coordinator.event().await, Event::FetchCheckpoint(SOURCE, 4, 9));
    let (epochs, next) = coordinator.reported(id).await;
    assert_eq!(epochs, (5..=10).collect::<Vec<_>>());
    assert_eq!(next, Event::Weights(id, 1));
    let reversed = bytes.iter().rev().copied().collect();
    assert!(coordinator.event().await == Event::Checkpoint(id, 10, 0, reversed));
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
}

#[tokio::test]
async fn a_fetch_that_broke_off_begins_again() {
    let mut coordinator = ScriptedCoordinator::start();
    let bytes = large();
    coordinator.set_checkpoint(&bytes);
    let expected = bytes.clone();
    let _worker = start(coordinator.address, move |execution, _| {
        assert!(execution.checkpoint.as_ref().expect("assigned").bytes == expected);
        Ok(Ending::Finished(Trained::default()))
    });
    coordinator.acquired().await;
    coordinator.fail_next(Status::unavailable("lost"));
    let id = assign(&coordinator, 0, announced(&bytes));
    for _ in 0..2 {
        assert_eq!(coordinator.event().await, Event::FetchCheckpoint(SOURCE, 4, 9));
    }
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
}

#[tokio::test]
async fn what_was_not_handed_in_is_refused() {
    let mut coordinator = ScriptedCoordinator::start();
    coordinator.set_checkpoint(b"state");
    let _worker = start(coordinator.address, |_, _| panic!("nothing to start from"));
    let other = v1::Checkpoint { sha256: sha256(b"stare"), ..announced(b"state") };
    let checksum = format!(
        "its checksum is {}, not {} as when it was handed in",
        sha256(b"state"),
        sha256(b"stare")
    );
    let cases = [
        (other, checksum.as_str()),
        (announced(b"a longer state"), "it has not the 14 bytes that were handed in"),
        (announced(b"stat"), "it has not the 4 bytes that were handed in"),
    ];
    for (trial, (checkpoint, problem)) in (0..).zip(cases) {
        coordinator.acquired().await;
        let id = assign(&coordinator, trial, checkpoint);
        assert_eq!(coordinator.event().await, Event::FetchCheckpoint(SOURCE, 4, 9));
        let message = format!("checkpoint of epoch 4: {problem}");
        let failed = Failed { kind: FailureKind::Error.into(), message };
        assert_eq!(coordinator.event().await, Event::Complete(id, Outcome::Failed(failed)));
    }

    // Not even asked for.
    coordinator.acquired().await;
    let id = assign(&coordinator, 9, v1::Checkpoint { bytes: u64::MAX, ..announced(b"") });
    let message = format!(
        "checkpoint of epoch 4: {} bytes are more than the {} that a worker accepts",
        u64::MAX,
        sweep_proto::MAX_FILE_BYTES
    );
    let failed = Failed { kind: FailureKind::Error.into(), message };
    assert_eq!(coordinator.event().await, Event::Complete(id, Outcome::Failed(failed)));
}

#[tokio::test]
async fn a_checkpoint_that_is_gone_fails_the_attempt_with_the_reason() {
    let mut coordinator = ScriptedCoordinator::start();
    let _worker = start(coordinator.address, |_, _| panic!("nothing to start from"));
    coordinator.acquired().await;
    coordinator.fail_next(Status::not_found("it is not here any more"));
    let id = assign(&coordinator, 0, announced(b"state"));
    assert_eq!(coordinator.event().await, Event::FetchCheckpoint(SOURCE, 4, 9));
    let message = "the coordinator refused `FetchCheckpoint`: it is not here any more".to_owned();
    let failed = Failed { kind: FailureKind::Error.into(), message };
    assert_eq!(coordinator.event().await, Event::Complete(id, Outcome::Failed(failed)));
    coordinator.acquired().await;
}
