//! Executions in a world without losses.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use sweep_proto::v1::acquire_response::Answer;
use sweep_proto::v1::complete_request::Outcome;
use sweep_proto::v1::{Failed, FailureKind, Finished, Released, Verdict, Wait};
use sweep_session::{Departure, End, Ending, Failure, SessionError, Trained};
use tonic::Status;

use crate::coordinator::{Event, ScriptedCoordinator};
use crate::worker::{report, start, train_until_unwanted};

const FINISHED: Outcome = Outcome::Finished(Finished {});

#[tokio::test]
async fn execution_after_execution_until_the_study_is_over() {
    let mut coordinator = ScriptedCoordinator::start();
    // Two whole chunks and a part of one.
    let size = 2 * sweep_proto::CHUNK_BYTES + 1000;
    let worker = start(coordinator.address, move |execution, epochs| {
        assert_eq!(execution.seed, 7);
        assert!(report(epochs, 1..=10));
        Ok(Ending::Finished(Trained {
            weights: Some((0..size).map(|index| index as u8).collect()),
            checkpoint: None,
        }))
    });
    let said = coordinator.acquired().await;
    assert_eq!(said.name, "test");
    assert_eq!(said.version, sweep_proto::VERSION);
    assert_eq!((said.device.as_str(), said.host.as_str()), ("scripted", "host"));
    assert_eq!((said.device_memory_bytes, said.labels["gpu"].as_str()), (24 << 30, "none"));
    coordinator.answer(Answer::Wait(Wait {}));
    assert_eq!(coordinator.acquired().await, said, "asked again");
    for trial in [0, 1] {
        let id = coordinator.assign(trial);
        let (epochs, next) = coordinator.reported(id).await;
        assert_eq!(epochs, (1..=10).collect::<Vec<_>>());
        assert_eq!(next, Event::Weights(id, size), "reports, then weights");
        assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
        assert_eq!(coordinator.acquired().await, said, "the same worker");
    }
    coordinator.end_study();
    assert_eq!(worker.ended().await, Ok(End::StudyOver));
    assert!(coordinator.is_quiet());
}

#[tokio::test]
async fn a_trainer_without_weights_uploads_none() {
    let mut coordinator = ScriptedCoordinator::start();
    let _worker = start(coordinator.address, |_, _| Ok(Ending::Finished(Trained::default())));
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
}

#[tokio::test]
async fn a_worker_whose_machine_fails_says_so_and_leaves() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = start(coordinator.address, |_, _| {
        let message = "CUDA error: device lost".to_owned();
        Err(Failure { kind: FailureKind::Host, message })
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    let message = "CUDA error: device lost".to_owned();
    let failed = Failed { kind: FailureKind::Host.into(), message: message.clone() };
    assert_eq!(coordinator.event().await, Event::Complete(id, Outcome::Failed(failed)));
    assert_eq!(worker.ended().await, Err(SessionError::Host { message }));
}

#[tokio::test]
async fn heartbeats_go_on_during_a_long_epoch() {
    let mut coordinator = ScriptedCoordinator::start();
    let (go_on, gate) = mpsc::channel();
    let _worker = start(coordinator.address, move |_, _| {
        gate.recv().unwrap();
        Ok(Ending::Finished(Trained::default()))
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    for _ in 0..3 {
        assert_eq!(coordinator.any_event().await, Event::Heartbeat(id));
    }
    go_on.send(()).unwrap();
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
}

#[tokio::test]
async fn a_stop_in_a_heartbeat_ends_a_long_epoch() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = start(coordinator.address, |_, epochs| {
        train_until_unwanted(epochs);
        assert!(!report(epochs, 1..=1), "what is reported now is not wanted");
        Ok(Ending::Finished(Trained { weights: Some(vec![1]), checkpoint: None }))
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.any_event().await, Event::Heartbeat(id));
    coordinator.set_verdict(Verdict::Stop);
    coordinator.acquired().await;
    coordinator.end_study();
    assert_eq!(worker.ended().await, Ok(End::StudyOver));
    assert!(coordinator.is_quiet(), "neither weights nor Complete");
}

#[tokio::test]
async fn a_stop_in_a_report_ends_the_attempt() {
    let mut coordinator = ScriptedCoordinator::start();
    coordinator.set_verdict(Verdict::Stop);
    let reported = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reported);
    let worker = start(coordinator.address, move |_, epochs| {
        while report(epochs, 1..=1) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Ending::Finished(Trained::default()))
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    let (epochs, next) = coordinator.reported(id).await;
    assert!(matches!(next, Event::Acquire(_)), "not {next:?}");
    assert!(epochs.len() <= 64, "one message, not {} epochs", epochs.len());
    coordinator.end_study();
    assert_eq!(worker.ended().await, Ok(End::StudyOver));
}

#[tokio::test]
async fn a_panic_fails_the_execution_and_the_worker_lives_on() {
    let mut coordinator = ScriptedCoordinator::start();
    let mut executions = 0;
    let _worker = start(coordinator.address, move |_, epochs| {
        executions += 1;
        assert!(report(epochs, 1..=2));
        assert!(executions > 1, "boom in execution {executions}");
        Ok(Ending::Finished(Trained::default()))
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    let (epochs, next) = coordinator.reported(id).await;
    assert_eq!(epochs, [1, 2]);
    let message = "panic: boom in execution 1".to_owned();
    let failed = Failed { kind: FailureKind::Error.into(), message };
    assert_eq!(next, Event::Complete(id, Outcome::Failed(failed)));
    coordinator.acquired().await;
    let id = coordinator.assign(1);
    assert_eq!(coordinator.reported(id).await, (vec![1, 2], Event::Complete(id, FINISHED)));
}

#[tokio::test]
async fn a_failure_keeps_its_kind_and_follows_its_measurements() {
    let mut coordinator = ScriptedCoordinator::start();
    let _worker = start(coordinator.address, |_, epochs| {
        assert!(report(epochs, 1..=3));
        let message = "the loss of epoch 4 is NaN".to_owned();
        Err(Failure { kind: FailureKind::Diverged, message })
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    let message = "the loss of epoch 4 is NaN".to_owned();
    let failed = Failed { kind: FailureKind::Diverged.into(), message };
    let expected = Event::Complete(id, Outcome::Failed(failed));
    assert_eq!(coordinator.reported(id).await, (vec![1, 2, 3], expected));
}

#[tokio::test]
async fn a_worker_told_to_leave_gives_its_lease_back() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = start(coordinator.address, |_, epochs| {
        assert!(report(epochs, 1..=1));
        train_until_unwanted(epochs);
        Ok(Ending::Finished(Trained { weights: Some(vec![1]), checkpoint: None }))
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.event().await, Event::Report(id, vec![1]));
    worker.leave(Departure::AtOnce);
    let released = Outcome::Released(Released {});
    assert_eq!(coordinator.event().await, Event::Complete(id, released));
    let trainer = Arc::clone(&worker.trainer);
    assert_eq!(worker.ended().await, Ok(End::Left));
    assert!(coordinator.is_quiet(), "no weights, no other Complete");
    let trainer = Arc::into_inner(trainer).expect("the session is gone");
    assert!(trainer.finish(), "the trainer has stopped");
}

#[tokio::test]
async fn a_worker_told_to_leave_still_hands_a_result_in() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = start(coordinator.address, |_, _| {
        Ok(Ending::Finished(Trained { weights: Some(vec![1]), checkpoint: None }))
    });
    coordinator.acquired().await;
    for _ in 0..3 {
        coordinator.fail_next(Status::unavailable("busy"));
    }
    let id = coordinator.assign(0);
    assert_eq!(coordinator.event().await, Event::Weights(id, 1));
    worker.leave(Departure::WithCheckpoint);
    for _ in 0..3 {
        assert_eq!(coordinator.event().await, Event::Weights(id, 1), "sent again");
    }
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
    assert_eq!(worker.ended().await, Ok(End::Left));
}

#[tokio::test]
async fn an_idle_worker_leaves_at_once() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = start(coordinator.address, |_, _| panic!("nothing to train"));
    coordinator.acquired().await;
    worker.leave(Departure::WithCheckpoint);
    assert_eq!(worker.ended().await, Ok(End::Left));
}

#[tokio::test]
async fn another_version_is_refused_once_and_for_all() {
    let mut coordinator = ScriptedCoordinator::start();
    coordinator.refuse(Status::failed_precondition("this is version 0.2.0, not 0.1.0"));
    let worker = start(coordinator.address, |_, _| panic!("nothing to train"));
    coordinator.acquired().await;
    let message = "this is version 0.2.0, not 0.1.0".to_owned();
    assert_eq!(worker.ended().await, Err(SessionError::VersionRefused { message }));
    assert!(coordinator.is_quiet(), "not asked again");
}
