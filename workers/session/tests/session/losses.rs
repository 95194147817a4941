//! Executions in a world of lost connections, lost answers and refusals.

use std::sync::mpsc;
use std::time::Duration;

use sweep_proto::v1::complete_request::Outcome;
use sweep_proto::v1::{Failed, FailureKind, Finished};
use sweep_session::{Ending, SessionError, Trained};
use tonic::Status;

use crate::coordinator::{Event, ScriptedCoordinator};
use crate::worker::{report, start, start_with, train_until_unwanted};

const FINISHED: Outcome = Outcome::Finished(Finished {});

#[tokio::test]
async fn training_goes_on_while_the_coordinator_is_away() {
    let mut coordinator = ScriptedCoordinator::start();
    let (go_on, gate) = mpsc::channel();
    let (trained, training) = mpsc::channel();
    let _worker = start(coordinator.address, move |_, epochs| {
        assert!(report(epochs, 1..=1));
        gate.recv().unwrap();
        assert!(report(epochs, 2..=200));
        trained.send(()).unwrap();
        Ok(Ending::Finished(Trained { weights: Some(vec![1, 2, 3]), checkpoint: None }))
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.event().await, Event::Report(id, vec![1]));
    coordinator.kill().await;
    go_on.send(()).unwrap();
    tokio::task::spawn_blocking(move || training.recv())
        .await
        .unwrap()
        .expect("trained to the end");
    assert!(coordinator.is_quiet());

    coordinator.restart();
    let (mut epochs, next) = coordinator.reported(id).await;
    // The acknowledgement of the first may have been lost with the connection.
    epochs.retain(|epoch| *epoch != 1);
    assert_eq!(epochs, (2..=200).collect::<Vec<_>>(), "all, once, in order");
    assert_eq!(next, Event::Weights(id, 3));
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
    coordinator.acquired().await;
}

#[tokio::test]
async fn a_call_without_an_answer_is_sent_again() {
    let mut coordinator = ScriptedCoordinator::start();
    let _worker = start(coordinator.address, |_, epochs| {
        assert!(report(epochs, 1..=1));
        Ok(Ending::Finished(Trained { weights: Some(vec![1]), checkpoint: None }))
    });
    coordinator.acquired().await;
    coordinator.fail_next(Status::unavailable("lost"));
    let id = coordinator.assign(0);
    for _ in 0..2 {
        assert_eq!(coordinator.event().await, Event::Report(id, vec![1]));
    }
    assert_eq!(coordinator.event().await, Event::Weights(id, 1));
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
    coordinator.acquired().await;

    coordinator.fail_next(Status::deadline_exceeded("lost"));
    coordinator.fail_next(Status::unavailable("lost"));
    coordinator.assign(0);
    for _ in 0..3 {
        assert_eq!(coordinator.event().await, Event::Report(id, vec![1]));
    }
}

#[tokio::test]
async fn a_refused_report_fails_the_attempt_with_the_reason() {
    let mut coordinator = ScriptedCoordinator::start();
    let _worker = start(coordinator.address, |_, epochs| {
        assert!(report(epochs, 1..=1));
        train_until_unwanted(epochs);
        Ok(Ending::Finished(Trained::default()))
    });
    coordinator.acquired().await;
    coordinator.fail_next(Status::invalid_argument("too many metrics"));
    let id = coordinator.assign(0);
    assert_eq!(coordinator.event().await, Event::Report(id, vec![1]), "once");
    let message = "the coordinator refused `Report`: too many metrics".to_owned();
    let failed = Failed { kind: FailureKind::Error.into(), message };
    assert_eq!(coordinator.event().await, Event::Complete(id, Outcome::Failed(failed)));
    coordinator.acquired().await;
}

#[tokio::test]
async fn an_attempt_that_is_not_this_workers_is_dropped() {
    for refusal in [Status::not_found("none such"), Status::permission_denied("another's")] {
        is_dropped(refusal).await;
    }
}

async fn is_dropped(refusal: Status) {
    let mut coordinator = ScriptedCoordinator::start();
    let _worker = start(coordinator.address, |_, epochs| {
        assert!(report(epochs, 1..=1));
        train_until_unwanted(epochs);
        Ok(Ending::Finished(Trained::default()))
    });
    coordinator.acquired().await;
    coordinator.fail_next(refusal);
    let id = coordinator.assign(0);
    assert_eq!(coordinator.event().await, Event::Report(id, vec![1]));
    coordinator.acquired().await;
}

#[tokio::test]
async fn a_worker_without_a_coordinator_gives_up() {
    let mut coordinator = ScriptedCoordinator::start();
    let cache = tempfile::tempdir().unwrap();
    let limit = Duration::from_millis(100);
    let (go_on, gate) = mpsc::channel();
    crate::worker::write_dataset(&cache.path().join("datasets").join(crate::coordinator::DIGEST));
    let worker = start_with(coordinator.address, cache, limit, move |_, epochs| {
        gate.recv().unwrap();
        train_until_unwanted(epochs);
        Ok(Ending::Finished(Trained::default()))
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.any_event().await, Event::Heartbeat(id));
    coordinator.kill().await;
    go_on.send(()).unwrap();
    match worker.ended().await {
        Err(SessionError::Unreachable { seconds: 0, message }) => {
            assert!(message.contains("refused"), "{message}");
        }
        end => panic!("expected to give up, not {end:?}"),
    }
}
