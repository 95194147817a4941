//! The toy worker as a process: exit codes, signals, supervision.

use std::io::Write as _;
use std::process::{Child, Command, ExitStatus, Stdio};

use sweep_proto::v1::complete_request::Outcome;
use sweep_proto::v1::{Finished, Released};
use tonic::Status;

use crate::coordinator::{DIGEST, Event, ScriptedCoordinator};
use crate::worker::write_dataset;

/// Starts a toy worker; ends it when dropped.
struct Process(Child, #[expect(dead_code, reason = "removed on drop")] tempfile::TempDir);

impl Process {
    fn start(coordinator: &ScriptedCoordinator, arguments: &[&str]) -> Self {
        let cache = tempfile::tempdir().unwrap();
        write_dataset(&cache.path().join("datasets").join(DIGEST));
        let child = Command::new(env!("CARGO_BIN_EXE_sweep-toy-worker"))
            .arg("--coordinator")
            .arg(coordinator.address.to_string())
            .arg("--cache")
            .arg(cache.path())
            .args(arguments)
            .env_remove("SWEEP_LOG")
            .env_remove("SWEEP_LOG_FORMAT")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.unwrap(), cache)
    }

    fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.0.id()).unwrap();
        // SAFETY: sends a signal to a child that was not waited for yet.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Waits for the end. Returns how it ended and what it wrote.
    async fn ended(mut self) -> (ExitStatus, String) {
        tokio::task::spawn_blocking(move || {
            let stderr = self.0.stderr.take().unwrap();
            let written = std::io::read_to_string(stderr).unwrap();
            (self.0.wait().unwrap(), written)
        })
        .await
        .unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn says_what_it_was_told_about_itself() {
    let mut coordinator = ScriptedCoordinator::start();
    let arguments = ["--host", "node-7", "--label", "gpu=a100", "--label", "rack=3"];
    let _worker = Process::start(&coordinator, &arguments);
    let said = coordinator.acquired().await;
    assert_eq!((said.host.as_str(), said.device_memory_bytes), ("node-7", 0));
    let labels: Vec<_> = said.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["gpu=a100", "rack=3"]);

    let twice = Process::start(&coordinator, &["--label", "gpu=a100", "--label", "gpu=h100"]);
    let (status, stderr) = twice.ended().await;
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("--label: a label is given twice"), "{stderr}");
    let bad = Process::start(&coordinator, &["--label", "a100", "--cache-size", "50"]);
    let (status, stderr) = bad.ended().await;
    assert_eq!(status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("expected KEY=VALUE, such as gpu=a100"), "{stderr}");
}

#[tokio::test]
async fn leaves_with_0_when_the_study_is_over() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = Process::start(&coordinator, &["--name", "toy-1"]);
    assert_eq!(coordinator.acquired().await.name, "toy-1");
    let id = coordinator.assign(0);
    let (epochs, next) = coordinator.reported(id).await;
    assert_eq!(epochs, (1..=10).collect::<Vec<_>>());
    assert!(matches!(next, Event::Weights(_, size) if size > 32), "not {next:?}");
    assert_eq!(coordinator.event().await, Event::Complete(id, Outcome::Finished(Finished {})));
    coordinator.end_study();
    assert_eq!(worker.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn sigterm_hands_in_a_checkpoint_gives_the_lease_back_and_leaves_with_0() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = Process::start(&coordinator, &["--epoch-ms", "3600000"]);
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    // Some steps of its first, very long epoch have passed.
    for _ in 0..2 {
        assert_eq!(coordinator.any_event().await, Event::Heartbeat(id));
    }
    worker.signal(libc::SIGTERM);
    match coordinator.event().await {
        Event::Checkpoint(from, 0, step, _) => assert!(from == id && step > 0, "{from:?} {step}"),
        event => panic!("expected a checkpoint, not {event:?}"),
    }
    assert_eq!(coordinator.event().await, Event::Complete(id, Outcome::Released(Released {})));
    assert_eq!(worker.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn sigint_gives_the_lease_back_at_once() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = Process::start(&coordinator, &["--epoch-ms", "3600000"]);
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    for _ in 0..2 {
        assert_eq!(coordinator.any_event().await, Event::Heartbeat(id));
    }
    worker.signal(libc::SIGINT);
    assert_eq!(coordinator.event().await, Event::Complete(id, Outcome::Released(Released {})));
    assert_eq!(worker.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn a_supervised_worker_ignores_sigint_and_ends_with_its_standard_input() {
    let mut coordinator = ScriptedCoordinator::start();
    let mut worker = Process::start(&coordinator, &["--supervised", "--epoch-ms", "3600000"]);
    coordinator.acquired().await;
    worker.signal(libc::SIGINT);
    let id = coordinator.assign(0);
    assert_eq!(coordinator.any_event().await, Event::Heartbeat(id), "still there");
    drop(worker.0.stdin.take());
    assert_eq!(worker.ended().await.0.code(), Some(1));
    assert!(coordinator.is_quiet(), "it ended at once");
}

#[tokio::test]
async fn a_supervised_worker_leaves_with_a_checkpoint_when_its_supervisor_asks() {
    let mut coordinator = ScriptedCoordinator::start();
    let mut worker = Process::start(&coordinator, &["--supervised", "--epoch-ms", "3600000"]);
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    for _ in 0..2 {
        assert_eq!(coordinator.any_event().await, Event::Heartbeat(id));
    }
    worker.0.stdin.as_mut().unwrap().write_all(b"leave\n").unwrap();
    assert!(matches!(coordinator.event().await, Event::Checkpoint(_, 0, 1.., _)));
    assert_eq!(coordinator.event().await, Event::Complete(id, Outcome::Released(Released {})));
    let stdin = worker.0.stdin.take();
    assert_eq!(worker.ended().await.0.code(), Some(0));
    drop(stdin);
}

#[tokio::test]
async fn a_refused_worker_says_why_and_what_helps() {
    let coordinator = ScriptedCoordinator::start();
    coordinator.refuse(Status::failed_precondition("this is version 0.2.0"));
    let worker = Process::start(&coordinator, &[]);
    let (status, written) = worker.ended().await;
    assert_eq!(status.code(), Some(1));
    assert!(
        written.contains("error: the coordinator refused this worker: this is version 0.2.0\n"),
        "{written}"
    );
    assert!(written.contains("\n\nhint: "), "{written}");
}

#[tokio::test]
async fn with_a_json_log_every_line_is_an_object() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = Process::start(&coordinator, &["--log-format", "json"]);
    coordinator.acquired().await;
    let id = coordinator.assign(0);
    coordinator.reported(id).await;
    coordinator.refuse(Status::failed_precondition("this is version 0.2.0"));
    let (status, written) = worker.ended().await;
    assert_eq!(status.code(), Some(1));
    let lines: Vec<serde_json::Value> = written
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    for line in &lines {
        let time = line["timestamp"].as_str().unwrap();
        assert!(time.len() > 20 && time.ends_with('Z'), "{line}");
        assert!(line["level"].is_string() && line["target"].is_string(), "{line}");
    }
    assert!(lines.len() > 1, "the log before the end: {written}");
    let last = lines.last().unwrap();
    assert_eq!(last["level"], "ERROR");
    assert_eq!(last["message"], "the coordinator refused this worker: this is version 0.2.0");
    assert!(last["hint"].as_str().unwrap().starts_with("coordinator and workers"), "{last}");
}

#[test]
fn a_slip_in_the_command_line_is_told_in_the_format_of_the_log() {
    for (arguments, variable) in
        [(&["--log-format", "json", "--nonsense"][..], ""), (&["--nonsense"], "json")]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sweep-toy-worker"));
        command.args(arguments).env_remove("SWEEP_LOG_FORMAT");
        if !variable.is_empty() {
            command.env("SWEEP_LOG_FORMAT", variable);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let line: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        let message = line["message"].as_str().unwrap();
        assert!(message.starts_with("unexpected argument '--nonsense' found"), "{line}");
    }
}

#[tokio::test]
async fn a_crash_for_tests_is_one() {
    let mut coordinator = ScriptedCoordinator::start();
    let worker = Process::start(&coordinator, &["--crash-after-epochs", "1"]);
    coordinator.acquired().await;
    coordinator.assign(0);
    let (status, _) = worker.ended().await;
    assert_eq!(status.code(), None, "ended by a signal");
}
