//! Where a worker finds its dataset.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use sweep_proto::v1::acquire_response::Answer;
use sweep_proto::v1::complete_request::Outcome;
use sweep_proto::v1::{Failed, FailureKind, Finished, Released};
use sweep_session::{Departure, End, Ending, SessionError, Trained};
use tonic::Status;

use crate::coordinator::{DIGEST, Event, ScriptedCoordinator, assignment};
use crate::worker::{Running, manifest, start_with, write_dataset};

const FINISHED: Outcome = Outcome::Finished(Finished {});

/// A worker with an empty cache whose trainer tells where its dataset is.
fn start(coordinator: &ScriptedCoordinator) -> (Running, mpsc::Receiver<PathBuf>) {
    let (sender, folders) = mpsc::channel();
    let cache = tempfile::tempdir().unwrap();
    let patience = Duration::from_secs(60);
    let worker = start_with(coordinator.address, cache, patience, move |execution, _| {
        sender.send(execution.dataset.clone()).unwrap();
        Ok(Ending::Finished(Trained::default()))
    });
    (worker, folders)
}

#[tokio::test]
async fn fetched_once_and_used_again() {
    let mut coordinator = ScriptedCoordinator::start();
    let manifest = manifest();
    coordinator.set_dataset(&[
        ("train.bin", b"one "),
        ("train.bin", b"two"),
        ("empty.bin", b""),
        ("manifest.json", manifest.as_bytes()),
    ]);
    let (worker, folders) = start(&coordinator);
    let expected = worker.cache.path().join("datasets").join(DIGEST);
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.event().await, Event::Fetch(DIGEST.to_owned()));
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
    assert_eq!(folders.recv().unwrap(), expected);
    assert_eq!(std::fs::read(expected.join("train.bin")).unwrap(), b"one two");
    assert_eq!(std::fs::read(expected.join("empty.bin")).unwrap(), b"");
    assert_eq!(std::fs::read_dir(expected.parent().unwrap()).unwrap().count(), 1);

    coordinator.acquired().await;
    let id = coordinator.assign(1);
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED), "not fetched again");
    assert_eq!(folders.recv().unwrap(), expected);
}

#[tokio::test]
async fn a_fetch_that_broke_off_begins_again() {
    let mut coordinator = ScriptedCoordinator::start();
    let manifest = manifest();
    coordinator.set_dataset(&[("manifest.json", manifest.as_bytes()), ("train.bin", b"data")]);
    let (worker, _folders) = start(&coordinator);
    coordinator.acquired().await;
    coordinator.fail_next(Status::unavailable("lost"));
    let id = coordinator.assign(0);
    for _ in 0..2 {
        assert_eq!(coordinator.event().await, Event::Fetch(DIGEST.to_owned()));
    }
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
    let folder = worker.cache.path().join("datasets").join(DIGEST);
    assert_eq!(std::fs::read(folder.join("train.bin")).unwrap(), b"data");
}

#[tokio::test]
async fn read_in_place_where_the_coordinator_keeps_it() {
    let mut coordinator = ScriptedCoordinator::start();
    let shared = tempfile::tempdir().unwrap();
    write_dataset(shared.path());
    let (_worker, folders) = start(&coordinator);
    coordinator.acquired().await;
    let mut assignment = assignment(0);
    let id = assignment.id.unwrap();
    let specification = assignment.specification.as_mut().unwrap();
    specification.dataset.as_mut().unwrap().path = shared.path().to_str().unwrap().to_owned();
    coordinator.answer(Answer::Assignment(assignment));
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED), "nothing fetched");
    assert_eq!(folders.recv().unwrap(), shared.path());
}

#[tokio::test]
async fn two_workers_with_one_cache_both_succeed() {
    let mut coordinator = ScriptedCoordinator::start();
    let manifest = manifest();
    coordinator.set_dataset(&[("train.bin", b"data"), ("manifest.json", manifest.as_bytes())]);
    let shared = tempfile::tempdir().unwrap();
    let workers: Vec<Running> = (0..2)
        .map(|_| {
            let cache = tempfile::tempdir_in(shared.path()).unwrap();
            // The same folder under another name.
            std::fs::remove_dir(cache.path()).unwrap();
            std::os::unix::fs::symlink(shared.path(), cache.path()).unwrap();
            start_with(coordinator.address, cache, Duration::from_secs(60), |_, _| {
                Ok(Ending::Finished(Trained::default()))
            })
        })
        .collect();
    coordinator.acquired().await;
    coordinator.acquired().await;
    coordinator.assign(0);
    coordinator.assign(1);
    let mut finished = 0;
    while finished < 2 {
        match coordinator.event().await {
            Event::Complete(_, FINISHED) => finished += 1,
            Event::Fetch(_) | Event::Acquire(_) => {}
            event => panic!("unexpected {event:?}"),
        }
    }
    let datasets = shared.path().join("datasets");
    assert_eq!(std::fs::read_dir(datasets).unwrap().count(), 1, "one folder, nothing left over");
    for worker in workers {
        worker.leave(Departure::WithCheckpoint);
        assert_eq!(worker.session.await.unwrap(), Ok(End::Left));
        std::fs::remove_file(worker.cache.path()).unwrap();
    }
}

#[tokio::test]
async fn what_is_not_a_dataset_is_refused() {
    let manifest = manifest();
    let other = manifest.replace(DIGEST, &DIGEST.replace('0', "f"));
    type Files<'a> = &'a [(&'a str, &'a [u8])];
    let cases: [(Files<'_>, &str); 5] = [
        (
            &[("../escaped", b"x"), ("manifest.json", manifest.as_bytes())],
            "dataset: `../escaped` is not an acceptable file name",
        ),
        (&[("/tmp/escaped", b"x")], "dataset: `/tmp/escaped` is not an acceptable file name"),
        (&[(".hidden", b"x")], "dataset: `.hidden` is not an acceptable file name"),
        (
            &[("manifest.json", other.as_bytes())],
            &format!("dataset: what was fetched has no manifest.json with digest {DIGEST}"),
        ),
        (&[], &format!("dataset: what was fetched has no manifest.json with digest {DIGEST}")),
    ];
    let mut coordinator = ScriptedCoordinator::start();
    let (worker, _folders) = start(&coordinator);
    let datasets = worker.cache.path().join("datasets");
    for (files, message) in cases {
        coordinator.acquired().await;
        coordinator.set_dataset(files);
        let id = coordinator.assign(0);
        assert_eq!(coordinator.event().await, Event::Fetch(DIGEST.to_owned()));
        let failed = Failed { kind: FailureKind::Error.into(), message: message.to_owned() };
        assert_eq!(coordinator.event().await, Event::Complete(id, Outcome::Failed(failed)));
        assert_eq!(std::fs::read_dir(&datasets).unwrap().count(), 0, "nothing is left");
        assert!(!worker.cache.path().join("escaped").exists());
    }
}

#[tokio::test]
async fn a_digest_that_is_a_path_is_refused() {
    let mut coordinator = ScriptedCoordinator::start();
    let (_worker, _folders) = start(&coordinator);
    coordinator.acquired().await;
    let mut assignment = assignment(0);
    let id = assignment.id.unwrap();
    let specification = assignment.specification.as_mut().unwrap();
    specification.dataset.as_mut().unwrap().digest = "../../etc".to_owned();
    coordinator.answer(Answer::Assignment(assignment));
    let message = "dataset: `../../etc` is not a digest".to_owned();
    let failed = Failed { kind: FailureKind::Error.into(), message };
    assert_eq!(coordinator.event().await, Event::Complete(id, Outcome::Failed(failed)));
}

#[tokio::test]
async fn a_machine_that_cannot_hold_it_gives_the_lease_back_and_leaves() {
    let mut coordinator = ScriptedCoordinator::start();
    let (worker, _folders) = start(&coordinator);
    std::fs::write(worker.cache.path().join("datasets"), "a file in the way").unwrap();
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    let released = Outcome::Released(Released {});
    assert_eq!(coordinator.event().await, Event::Complete(id, released));
    let end = worker.ended().await;
    assert!(matches!(end, Err(SessionError::Cache { .. })), "not {end:?}");
}
