//! Where a worker finds its dataset.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use sweep_proto::v1::acquire_response::Answer;
use sweep_proto::v1::complete_request::Outcome;
use sweep_proto::v1::{Failed, FailureKind, Finished};
use sweep_session::{Departure, End, Ending, SessionError, Settings, Trained};
use tonic::Status;

use crate::coordinator::{DIGEST, Event, ScriptedCoordinator, assignment};
use crate::worker::{Running, manifest, start_set, start_with, write_dataset};

const FINISHED: Outcome = Outcome::Finished(Finished {});

/// Asks for the dataset from a place in it on.
fn fetch(file: &str, offset: u64) -> Event {
    Event::Fetch(file.to_owned(), offset)
}

/// Where a transfer's files lie until all are there.
fn staging(cache: &Path) -> PathBuf {
    cache.join("datasets").join(format!(".staging-{DIGEST}-part"))
}

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
    assert_eq!(coordinator.event().await, fetch("", 0));
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
async fn a_fetch_that_broke_off_goes_on_where_it_was() {
    let mut coordinator = ScriptedCoordinator::start();
    let manifest = manifest();
    let files: [(&str, &[u8]); 3] =
        [("train.bin", b"one "), ("train.bin", b"two"), ("manifest.json", manifest.as_bytes())];
    coordinator.set_dataset(&files);
    let (worker, _folders) = start(&coordinator);
    coordinator.acquired().await;
    coordinator.fail_next(Status::unavailable("lost"));
    let id = coordinator.assign(0);
    assert_eq!(coordinator.event().await, fetch("", 0));
    assert_eq!(coordinator.event().await, fetch("train.bin", 4));
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
    let folder = worker.cache.path().join("datasets").join(DIGEST);
    assert_eq!(std::fs::read(folder.join("train.bin")).unwrap(), b"one two");
}

#[tokio::test]
async fn what_a_killed_worker_had_fetched_is_gone_on_with_if_it_is_right() {
    let manifest = manifest();
    let files: [(&str, &[u8]); 3] =
        [("a.bin", b"first"), ("train.bin", b"one two"), ("manifest.json", manifest.as_bytes())];
    for (left, asked) in [
        (&[("a.bin", "first"), (".train.bin", "one ")][..], vec![fetch("train.bin", 4)]),
        (&[("a.bin", "first")], vec![fetch("a.bin", 5)]),
        // Other bytes, or too many of them: all of it is fetched anew.
        (&[(".train.bin", "eno ")], vec![fetch("train.bin", 4), fetch("", 0)]),
        (&[("strange", ""), (".a.bin", ""), (".train.bin", "")], vec![fetch("", 0)]),
    ] {
        let mut coordinator = ScriptedCoordinator::start();
        coordinator.set_dataset(&files);
        let (worker, _folders) = start(&coordinator);
        let staging = staging(worker.cache.path());
        std::fs::create_dir_all(&staging).unwrap();
        for (name, text) in left {
            std::fs::write(staging.join(name), text).unwrap();
        }
        coordinator.acquired().await;
        let id = coordinator.assign(0);
        for fetch in asked {
            assert_eq!(coordinator.event().await, fetch, "{left:?}");
        }
        assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
        let folder = worker.cache.path().join("datasets").join(DIGEST);
        assert_eq!(std::fs::read(folder.join("train.bin")).unwrap(), b"one two");
        assert!(!staging.exists());
    }
}

#[tokio::test]
async fn what_was_not_used_for_long_makes_room() {
    let mut coordinator = ScriptedCoordinator::start();
    let manifest = manifest();
    coordinator.set_dataset(&[("manifest.json", manifest.as_bytes())]);
    let cache = tempfile::tempdir().unwrap();
    let old = cache.path().join("datasets").join("f".repeat(64));
    std::fs::create_dir_all(&old).unwrap();
    std::fs::write(old.join("x.npy"), vec![0; 10_000]).unwrap();
    let set = |settings: &mut Settings| settings.cache_bytes = Some(10_000);
    let worker =
        start_set(coordinator.address, cache, set, |_, _| Ok(Ending::Finished(Trained::default())));
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    assert_eq!(coordinator.event().await, fetch("", 0));
    assert_eq!(coordinator.event().await, Event::Complete(id, FINISHED));
    assert!(!old.exists());
    assert_eq!(std::fs::read_dir(worker.cache.path().join("datasets")).unwrap().count(), 1);
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
    let (mut finished, mut fetched) = (0, 0);
    while finished < 2 {
        match coordinator.event().await {
            Event::Complete(_, FINISHED) => finished += 1,
            Event::Fetch(..) => fetched += 1,
            Event::Acquire(_) => {}
            event => panic!("unexpected {event:?}"),
        }
    }
    assert_eq!(fetched, 1, "once a machine");
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
        assert_eq!(coordinator.event().await, fetch("", 0));
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
async fn a_machine_that_cannot_hold_it_says_so_and_leaves() {
    let mut coordinator = ScriptedCoordinator::start();
    let (worker, _folders) = start(&coordinator);
    std::fs::write(worker.cache.path().join("datasets"), "a file in the way").unwrap();
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    let Event::Complete(ended, Outcome::Failed(failed)) = coordinator.event().await else {
        panic!("not ended")
    };
    assert_eq!((ended, failed.kind()), (id, FailureKind::Host));
    assert!(failed.message.starts_with("dataset: "), "{failed:?}");
    let end = worker.ended().await;
    assert!(matches!(end, Err(SessionError::Cache { .. })), "not {end:?}");
}
