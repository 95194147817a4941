//! What those who watch a study see: status, metrics, health, and logs as JSON.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use sweep::coordinator::decide::Event;
use sweep::coordinator::metrics::Metrics;
use sweep::metrics_server;
use sweep_proto::v1;
use sweep_proto::v1::worker_status::Doing;
use tokio::net::TcpListener;

use crate::exposition::Page;
use crate::service::{Site, acquire};
use crate::support::{EXPERIMENT, Running, Workplace};

/// Sends bytes and reads until the other side closes.
fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("connected");
    // The other side may have answered and closed before it has read all.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Status line and body of an answer.
fn get(address: SocketAddr, path: &str) -> (String, String) {
    let answer = exchange(address, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.lines().next().expect("a status line").to_owned(), body.to_owned())
}

fn status(workplace: &Workplace, of: &str) -> Value {
    let output =
        workplace.sweep(&["status", of, "--format", "json"]).output().expect("sweep starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_study_is_watched_while_it_runs_and_after() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut command = workplace.study(500);
    command.args(["--listen", "127.0.0.1:0", "--metrics", "0"]);
    let mut running = Running::start(command);
    let line = running.wait_for("--coordinator ", 1);
    let coordinator = line.trim_end().rsplit_once(' ').expect("an address").1.to_owned();
    let line = running.wait_for("metrics: http://", 1);
    let metrics = line.trim_end().trim_end_matches("/metrics").rsplit_once('/').expect("it").1;
    let metrics: SocketAddr = metrics.parse().expect("an address");
    running.wait_for(" epoch 2", 2);

    let (head, body) = get(metrics, "/healthz");
    assert_eq!((head.as_str(), body.as_str()), ("HTTP/1.1 200 OK", "ok\n"));
    let (head, body) = get(metrics, "/metrics");
    assert_eq!(head, "HTTP/1.1 200 OK");
    let page = Page::read(&body);
    assert_eq!(page.value("sweep_workers", &[("state", "busy")]), 2.0, "{body}");
    assert_eq!(page.value("sweep_study_info", &[("study", "toy")]), 1.0);
    assert_eq!(page.value("sweep_trials_limit", &[]), 8.0);
    assert_eq!(page.value("sweep_executions", &[("state", "leased")]), 2.0, "{body}");
    assert!(page.value("sweep_epochs_measured_total", &[]) >= 4.0, "{body}");
    assert!(page.sum("sweep_trials") >= 1.0, "{body}");
    assert_eq!(page.value("sweep_retries_total", &[]), 0.0, "{body}");
    assert_eq!(page.family("sweep_attempts_ended_total").samples.len(), 11, "all outcomes");
    let commits = &page.family("sweep_commit_duration_seconds").samples;
    assert!(commits.last().expect("a count").value >= 3.0, "{body}");
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/workers/README.md");
    let manual = std::fs::read_to_string(manual).expect("the manual");
    for name in page.names() {
        assert!(manual.contains(&format!("`{name}")), "{name} is not in the manual");
    }
    let records = page.value("sweep_records_committed_total", &[]);
    let again = Page::read(&get(metrics, "/metrics").1);
    assert!(again.value("sweep_records_committed_total", &[]) >= records);

    for of in [coordinator.as_str(), "runs/toy"] {
        let seen = status(&workplace, of);
        assert_eq!(seen["phase"], "running", "{seen}");
        assert_eq!(seen["coordinator"], coordinator.as_str(), "a run's coordinator is asked");
        let workers = seen["workers"].as_array().expect("workers");
        let names: Vec<&Value> = workers.iter().map(|worker| &worker["name"]).collect();
        assert_eq!(names, ["local-1", "local-2"], "{seen}");
        for worker in workers {
            assert_eq!((&worker["device"], &worker["state"]), (&"toy".into(), &"busy".into()));
            assert!(worker["lease"]["attempt"] == 1, "{seen}");
            assert!(worker["host"].as_str().is_some_and(|host| !host.is_empty()), "{seen}");
            assert_eq!(worker["memory_bytes"], Value::Null, "a toy has no memory");
            assert!(worker["silent_seconds"].as_f64().expect("heard of") < 20.0, "{seen}");
        }
    }
    assert_eq!(status(&workplace, &coordinator)["hosts"], serde_json::json!([]));
    let text = workplace.sweep(&["status", &coordinator]).output().expect("sweep starts").stdout;
    let text = String::from_utf8(text).expect("text");
    assert!(text.starts_with("Study toy: running (sweep "), "{text}");
    let row = text.lines().find(|line| line.starts_with("local-1  ")).expect("a row");
    assert!(row.contains("  toy     trial 0 execution "), "{text}");

    running.signal("KILL");
    running.end();
    let seen = status(&workplace, "runs/toy");
    assert_eq!((&seen["phase"], &seen["run"]), (&"left".into(), &"runs/toy".into()), "{seen}");
    assert_eq!(seen["workers"].as_array().map(Vec::len), Some(2), "whose leases are open: {seen}");
    let gone = workplace.sweep(&["status", &coordinator]).output().expect("sweep starts");
    let stderr = String::from_utf8_lossy(&gone.stderr);
    assert_eq!(gone.status.code(), Some(1), "{stderr}");
    let expected =
        format!("error: no coordinator was reached at {coordinator}: Connection refused");
    assert!(stderr.starts_with(&expected) && stderr.contains("\n\nhint: "), "{stderr}");

    workplace.finish();
    let seen = status(&workplace, "runs/toy");
    assert_eq!((&seen["phase"], &seen["process"]), (&"ended".into(), &Value::Null), "{seen}");
    assert_eq!(seen["reason"], "all 8 trials have ended");
    assert_eq!(seen["trials"]["completed"], 8, "{seen}");
    assert_eq!(seen["executions"]["finished"], 16, "{seen}");
    assert_eq!(seen["workers"], serde_json::json!([]));
    assert!(!workplace.path("runs/toy/address").exists());
}

#[test]
fn with_a_json_log_all_of_stderr_is_json() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut command = workplace.study(0);
    command.args(["--log-format", "json", "--listen", "127.0.0.1:0", "--fix", "units=8"]);
    let output = command.output().expect("sweep starts");
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).expect("text");
    let read = |text: &str| -> Vec<Value> {
        let object = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        text.lines().map(object).collect()
    };
    let lines = read(&stderr);
    for line in &lines {
        let time = line["timestamp"].as_str().expect("a time");
        assert!(time.len() > 20 && time.ends_with('Z'), "{line}");
        assert!(line["message"].is_string() && line["level"].is_string(), "{line}");
    }
    let kinds: HashSet<&str> =
        lines.iter().filter_map(|line| line["record"]["kind"].as_str()).collect();
    for kind in ["started", "trial_created", "attempt_started", "measured", "trial_ended"] {
        assert!(kinds.contains(kind), "{kind}: {stderr}");
    }
    assert!(
        lines.iter().any(|line| line["message"].as_str().expect("text").starts_with("listening"))
    );

    let failing = |arguments: &[&str]| {
        let output = workplace.sweep(arguments).output().expect("sweep starts");
        let stderr = String::from_utf8(output.stderr).expect("text");
        (output.status.code(), read(&stderr).pop().expect("a line"))
    };
    let (code, line) = failing(&["check", "nowhere.yaml", "--log-format", "json"]);
    assert_eq!((code, &line["exit_code"]), (Some(2), &2.into()), "{line}");
    assert_eq!(line["message"], "nowhere.yaml: there is no such file");
    assert!(line["hint"].as_str().expect("a hint").starts_with("name an experiment"), "{line}");
    let (code, line) = failing(&["check", "--nonsense", "--log-format", "json"]);
    assert_eq!((code, &line["exit_code"]), (Some(2), &2.into()), "{line}");
    let (code, line) = failing(&["toy.yaml", "--log-format", "json", "--progress", "bars"]);
    assert_eq!((code, &line["level"]), (Some(2), &"ERROR".into()), "{line}");
}

#[tokio::test]
async fn the_status_call_tells_and_changes_nothing() {
    let site = Site::open().await;
    let mut client = site.client().await;
    let before = client.status(v1::StatusRequest {}).await.expect("answered").into_inner();
    assert_eq!(before.study, "service");
    assert_eq!(before.version, sweep_proto::VERSION);
    assert!(before.workers.is_empty() && before.best.is_none(), "{before:?}");
    let assignment = acquire(&mut client).await;
    for _ in 0..100 {
        client.status(v1::StatusRequest {}).await.expect("answered");
    }
    let seen = client.status(v1::StatusRequest {}).await.expect("answered").into_inner();
    assert_eq!(seen.trials.expect("counted").running, 1);
    let [worker] = &seen.workers[..] else { panic!("{seen:?}") };
    assert_eq!(worker.name, "w");
    let Some(Doing::Lease(lease)) = &worker.doing else { panic!("{worker:?}") };
    assert_eq!((lease.id, lease.epoch), (assignment.id, 0));
    let study = site.dispatcher.close().await.expect("the store works");
    assert_eq!(study.trials.len(), 1);
    let late = client.status(v1::StatusRequest {}).await.expect_err("it has ended");
    assert_eq!(late.code(), tonic::Code::Unavailable);
}

/// Serves the metrics of a site.
async fn serve_metrics(site: &Site) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let metrics = Metrics::new("service");
    let served = metrics_server::Site { metrics, handle: site.dispatcher.handle.clone() };
    tokio::spawn(served.serve(listener));
    address
}

async fn head_of(address: SocketAddr, request: Vec<u8>) -> String {
    let answer = tokio::task::spawn_blocking(move || exchange(address, &request)).await;
    answer.expect("no panic").lines().next().unwrap_or_default().to_owned()
}

async fn page_of(address: SocketAddr, path: &'static str) -> (String, String) {
    tokio::task::spawn_blocking(move || get(address, path)).await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_read_only_and_bounded() {
    let site = Site::open().await;
    let address = serve_metrics(&site).await;
    let many = |count: usize| "X-A: b\r\n".repeat(count);
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "HTTP/1.1 404 Not Found"),
        ("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "HTTP/1.1 200 OK"),
        ("GET /metrics?a=b HTTP/1.0\r\n\r\n".to_owned(), "HTTP/1.0 200 OK"),
        (
            "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx".to_owned(),
            "HTTP/1.1 405 Method Not Allowed",
        ),
        ("\u{7f}\u{1}\u{2} nonsense\r\n\r\n".to_owned(), "HTTP/1.1 400 Bad Request"),
        (
            format!("GET /metrics HTTP/1.1\r\n{}\r\n", many(65)),
            "HTTP/1.1 431 Request Header Fields Too Large",
        ),
        (
            format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(16 << 10)),
            "HTTP/1.1 431 Request Header Fields Too Large",
        ),
    ] {
        assert_eq!(head_of(address, request.clone().into_bytes()).await, expected, "{request}");
    }
    // One request, one answer: the second is not looked at.
    let twice = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2);
    let answer = tokio::task::spawn_blocking(move || exchange(address, twice.as_bytes()));
    assert_eq!(answer.await.expect("no panic").matches("HTTP/1.1 200").count(), 1);

    // Connections that say nothing take all places, until they are closed.
    let silent: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(address).expect("connected")).collect();
    let answer = tokio::spawn(page_of(address, "/healthz"));
    drop(silent);
    assert_eq!(answer.await.expect("no panic").0, "HTTP/1.1 200 OK");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_ends_with_the_coordinator() {
    let site = Site::open().await;
    let address = serve_metrics(&site).await;
    assert_eq!(page_of(address, "/healthz").await.1, "ok\n");
    site.dispatcher.handle.tell(Event::Interrupt).await.expect("running");
    let unwell = |text: &str| ("HTTP/1.1 503 Service Unavailable".to_owned(), text.to_owned());
    assert_eq!(page_of(address, "/healthz").await, unwell("the coordinator is stopping\n"));
    assert_eq!(page_of(address, "/metrics").await.0, "HTTP/1.1 200 OK");
    site.dispatcher.close().await.expect("the store works");
    assert_eq!(page_of(address, "/healthz").await, unwell("the coordinator is ending\n"));
    assert_eq!(page_of(address, "/metrics").await, unwell("the coordinator is ending\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_ends_when_the_store_fails() {
    let site = Site::open().await;
    let address = serve_metrics(&site).await;
    let database = site.folder.path().join("study.db");
    let connection = rusqlite::Connection::open(database).expect("the file");
    connection.execute_batch("DROP TABLE records").expect("dropped");
    let mut client = site.client().await;
    let worker = v1::Worker {
        name: "w".to_owned(),
        instance: 1,
        version: sweep_proto::VERSION.to_owned(),
        ..Default::default()
    };
    let request = v1::AcquireRequest { worker: Some(worker) };
    let refused = client.acquire(request).await.expect_err("nothing is acknowledged");
    assert_eq!(refused.code(), tonic::Code::Unavailable);
    assert_eq!(page_of(address, "/healthz").await.0, "HTTP/1.1 503 Service Unavailable");
}
