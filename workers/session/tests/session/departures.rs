//! Workers that leave: with a checkpoint, without one, and by themselves.

use std::sync::mpsc;
use std::time::Duration;

use sweep_proto::v1::acquire_response::Answer;
use sweep_proto::v1::complete_request::Outcome;
use sweep_proto::v1::{Finished, Released, Verdict, Wait};
use sweep_session::{Checkpoint, Course, Departure, End, Ending, Trained};

use crate::coordinator::{DIGEST, Event, ScriptedCoordinator, assignment};
use crate::worker::{
    measurement, report, start, start_set, train_until_told, train_until_unwanted, write_dataset,
};

const FINISHED: Outcome = Outcome::Finished(Finished {});
const RELEASED: Outcome = Outcome::Released(Released {});

fn cache() -> tempfile::TempDir {
    let cache = tempfile::tempdir().unwrap();
    write_dataset(&cache.path().join("datasets").join(DIGEST));
    cache
}

fn state() -> Checkpoint {
    Checkpoint { epoch: 2, step: 5, bytes: b"state".to_vec() }
}

#[tokio::test]
async fn a_checkpoint_is_handed_in_before_the_lease_is_given_back() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = start(coordinator.address, |_, epochs| {
        assert!(report(epochs, 1..=1));
        assert_eq!(train_until_told(epochs), Course::Leave);
        // What is measured on the way out counts too.
        assert_eq!(epochs.report(measurement(2)), Course::Leave);
        Ok(Ending::Left(Some(state())))
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.event().await, Event::Report(id, vec![1]));
    worker.leave(Departure::WithCheckpoint);
    assert_eq!(coordinator.event().await, Event::Report(id, vec![2]));
    assert_eq!(coordinator.event().await, Event::Checkpoint(id, 2, 5, b"state".to_vec()));
    assert_eq!(coordinator.event().await, Event::Complete(id, RELEASED));
    assert_eq!(worker.ended().await, Ok(End::Left));
    assert!(coordinator.is_quiet());
}

#[tokio::test]
async fn nothing_trained_is_given_back_as_it_is() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = start(coordinator.address, |_, epochs| {
        assert_eq!(train_until_told(epochs), Course::Leave);
        Ok(Ending::Left(None))
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.any_event().await, Event::Heartbeat(id));
    worker.leave(Departure::WithCheckpoint);
    assert_eq!(coordinator.event().await, Event::Complete(id, RELEASED));
    assert_eq!(worker.ended().await, Ok(End::Left));
}

#[tokio::test]
async fn what_is_finished_anyway_is_a_result() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = start(coordinator.address, |_, epochs| {
        assert_eq!(train_until_told(epochs), Course::Leave);
        Ok(Ending::Finished(Trained { weights: Some(vec![1]), checkpoint: None }))
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.any_event().await, Event::Heartbeat(id));
    worker.leave(Departure::WithCheckpoint);
    assert_eq!(coordinator.event().await, Event::Weights(id, 1));
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
    assert_eq!(worker.ended().await, Ok(End::Left));
}

#[tokio::test]
async fn a_step_that_takes_too_long_costs_the_checkpoint_but_not_the_lease() {
    let mut coordinator = ScriptedCoordinator::start();
    let grace = Duration::from_millis(100);
    let worker = start_set(
        coordinator.address,
        cache(),
        |settings| settings.grace = grace,
        |_, epochs| {
            assert!(report(epochs, 1..=1));
            train_until_unwanted(epochs);
            Ok(Ending::Left(Some(state())))
        },
    );
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.event().await, Event::Report(id, vec![1]));
    worker.leave(Departure::WithCheckpoint);
    assert_eq!(coordinator.event().await, Event::Complete(id, RELEASED), "no checkpoint");
    assert_eq!(worker.ended().await, Ok(End::Left));
}

#[tokio::test]
async fn an_upload_that_takes_too_long_is_given_up() {
    let mut coordinator = ScriptedCoordinator::start();
    let grace = Duration::from_millis(100);
    let worker = start_set(
        coordinator.address,
        cache(),
        |settings| settings.grace = grace,
        |_, epochs| {
            assert_eq!(train_until_told(epochs), Course::Leave);
            Ok(Ending::Left(Some(state())))
        },
    );
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.any_event().await, Event::Heartbeat(id));
    coordinator.hold_uploads();
    worker.leave(Departure::WithCheckpoint);
    assert_eq!(coordinator.event().await, Event::Checkpoint(id, 2, 5, b"state".to_vec()));
    assert_eq!(coordinator.event().await, Event::Complete(id, RELEASED));
    assert_eq!(worker.ended().await, Ok(End::Left));
}

#[tokio::test]
async fn told_again_it_leaves_at_once() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = start(coordinator.address, |_, epochs| {
        assert!(report(epochs, 1..=1));
        train_until_unwanted(epochs);
        Ok(Ending::Stopped)
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.event().await, Event::Report(id, vec![1]));
    worker.leave(Departure::WithCheckpoint);
    // The lease is renewed meanwhile.
    assert_eq!(coordinator.any_event().await, Event::Heartbeat(id));
    assert_eq!(coordinator.any_event().await, Event::Heartbeat(id));
    worker.leave(Departure::AtOnce);
    assert_eq!(coordinator.event().await, Event::Complete(id, RELEASED));
    assert_eq!(worker.ended().await, Ok(End::Left));
}

#[tokio::test]
async fn a_leaving_worker_that_nobody_waits_for_just_leaves() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = start(coordinator.address, |_, epochs| {
        assert!(report(epochs, 1..=1));
        train_until_unwanted(epochs);
        Ok(Ending::Left(Some(state())))
    });
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.event().await, Event::Report(id, vec![1]));
    worker.leave(Departure::WithCheckpoint);
    coordinator.set_verdict(Verdict::Stop);
    assert_eq!(worker.ended().await, Ok(End::Left));
    assert!(coordinator.is_quiet(), "neither a checkpoint nor Complete");
}

#[tokio::test]
async fn checkpoints_are_handed_in_beside_training_after_what_they_follow() {
    let mut coordinator = ScriptedCoordinator::start();
    let (go_on, gate) = mpsc::channel();
    let _worker = start(coordinator.address, move |_, epochs| {
        let keep = |epochs: &mut dyn sweep_session::Epochs, epoch: u32| {
            while !epochs.wants_checkpoint() {
                std::thread::sleep(Duration::from_millis(1));
            }
            epochs.keep(Checkpoint { epoch, step: 0, bytes: vec![epoch as u8] });
        };
        assert!(report(epochs, 1..=2));
        keep(epochs, 2);
        gate.recv().unwrap();
        assert!(report(epochs, 3..=4));
        keep(epochs, 4);
        gate.recv().unwrap();
        Ok(Ending::Finished(Trained::default()))
    });
    coordinator.acquired().await;
    let mut assigned = assignment(0);
    assigned.specification.as_mut().unwrap().training.as_mut().unwrap().checkpoint_ms = 1;
    let id = assigned.id.unwrap();
    coordinator.answer(Answer::Assignment(assigned));
    let (epochs, next) = coordinator.reported(id).await;
    assert_eq!((epochs, next), (vec![1, 2], Event::Checkpoint(id, 2, 0, vec![2])));
    go_on.send(()).unwrap();
    let (epochs, next) = coordinator.reported(id).await;
    assert_eq!((epochs, next), (vec![3, 4], Event::Checkpoint(id, 4, 0, vec![4])));
    go_on.send(()).unwrap();
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
}

#[tokio::test]
async fn a_worker_leaves_after_as_many_executions_as_it_was_told() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = start_set(
        coordinator.address,
        cache(),
        |settings| settings.max_trials = Some(2),
        |_, epochs| {
            assert!(report(epochs, 1..=1));
            Ok(Ending::Finished(Trained::default()))
        },
    );
    for trial in 0..2 {
        coordinator.acquired().await;
        let id = coordinator.assign(trial);
        assert_eq!(coordinator.reported(id).await, (vec![1], Event::Complete(id, FINISHED)));
    }
    assert_eq!(worker.ended().await, Ok(End::EnoughTrials));
    assert!(coordinator.is_quiet(), "not asked again");
}

#[tokio::test]
async fn a_worker_without_work_leaves_after_its_timeout() {
    let mut coordinator = ScriptedCoordinator::start();
    let timeout = Duration::from_millis(200);
    let id = coordinator.assign(0);
    coordinator.answer(Answer::Wait(Wait {}));
    let worker = start_set(
        coordinator.address,
        cache(),
        |settings| settings.idle_timeout = Some(timeout),
        move |_, epochs| {
            // Longer than the timeout: it counts from the end.
            let started = std::time::Instant::now();
            while started.elapsed() < 2 * timeout {
                assert_eq!(epochs.course(), Course::GoOn);
                std::thread::yield_now();
            }
            Ok(Ending::Finished(Trained::default()))
        },
    );
    coordinator.acquired().await;
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
    coordinator.acquired().await;
    assert_eq!(worker.ended().await, Ok(End::Idle));
}
