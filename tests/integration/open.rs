//! A coordinator that is open to other machines, and the processes that join it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use crate::support::{EXPERIMENT, Running, Workplace, toy_worker};

/// A worker that joins with a line, as on another machine.
fn worker(workplace: &Workplace, line: &str) -> Command {
    let mut command = Command::new(toy_worker());
    command
        .args(["--name", "elsewhere", "--cache"])
        .arg(workplace.path("cache-of-the-worker"))
        .env("SWEEP_JOIN", line)
        .stdin(Stdio::null());
    command
}

/// Starts the study without workers; returns it and the line that it keeps.
fn open(workplace: &Workplace, arguments: &[&str]) -> (Running, String) {
    let mut command = workplace.sweep(&["toy.yaml", "--local-workers", "0"]);
    command.args(["--listen", "127.0.0.1:0"]).args(arguments);
    let mut running = Running::start(command);
    running.wait_for("listening on", 1);
    let line = workplace.read("runs/toy/join").trim().to_owned();
    (running, line)
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn who_has_the_line_takes_part_and_nobody_else() {
    let workplace = Workplace::new(EXPERIMENT);
    let (running, line) = open(&workplace, &["--tls"]);
    let (rest, fingerprint) = line.rsplit_once('/').expect("a fingerprint");
    let (address, _) = rest.rsplit_once('/').expect("a token");
    assert!(address.starts_with("sweep://127.0.0.1:"), "{address}");

    let other = format!("{rest}/{}", "0".repeat(64));
    let stderr = refused(&worker(&workplace, &other).output().expect("starts"));
    assert!(stderr.contains(&format!("has the fingerprint {fingerprint}, not 0000")), "{stderr}");
    let other = format!("{address}/another-token-than-that/{fingerprint}");
    let stderr = refused(&worker(&workplace, &other).output().expect("starts"));
    assert!(stderr.contains("the token is not this coordinator's"), "{stderr}");
    let bare = address.replace("sweep://", "");
    let mut plain = worker(&workplace, &bare);
    let output = plain.args(["--give-up-after", "0"]).output().expect("starts");
    assert!(refused(&output).contains("was not reached"));

    let output = worker(&workplace, &line).output().expect("starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (code, _, stderr) = running.end();
    assert_eq!(code, Some(0), "{stderr}");
    let token = line.split('/').nth(3).expect("a token");
    assert_eq!(stderr.matches(token).count(), 1, "shown once: {stderr}");

    let undisturbed = Workplace::new(EXPERIMENT);
    undisturbed.finish();
    assert_eq!(workplace.settled("trials.csv"), undisturbed.settled("trials.csv"));
    for name in ["join", "token", "key.pem", "certificate.pem"] {
        let path = workplace.path("runs/toy").join(name);
        let mode = fs::metadata(path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn the_line_holds_across_restarts_and_is_not_shown_again() {
    let workplace = Workplace::new(EXPERIMENT);
    let (running, first) = open(&workplace, &["--tls"]);
    running.signal("TERM");
    assert_eq!(running.end().0, Some(130));
    let (running, second) = open(&workplace, &["--tls", "--advertise", "node-7"]);
    let secret = |line: &str| line.split('/').skip(3).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(secret(&first), secret(&second));
    assert!(second.starts_with("sweep://node-7:"), "{second}");
    running.signal("TERM");
    let (_, _, stderr) = running.end();
    assert!(!stderr.contains(&secret(&second)[0]), "{stderr}");
    assert!(stderr.contains("SWEEP_JOIN=$(cat runs/toy/join) sweep worker"), "{stderr}");
}

#[test]
fn without_tls_there_is_a_token_and_a_warning() {
    let workplace = Workplace::new(EXPERIMENT);
    fs::write(workplace.path("token"), "a-token-of-the-users-own\n").expect("written");
    let (running, line) = open(&workplace, &["--insecure", "--token-file", "token"]);
    assert!(line.starts_with("http://127.0.0.1:"), "{line}");
    assert!(line.ends_with("/a-token-of-the-users-own"), "{line}");
    let (bare, _) = line.rsplit_once('/').expect("a token");
    let stderr = refused(&worker(&workplace, bare).output().expect("starts"));
    assert!(stderr.contains("no token was presented"), "{stderr}");
    let output = worker(&workplace, bare)
        .arg("--token-file")
        .arg(workplace.path("token"))
        .output()
        .expect("starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (code, _, stderr) = running.end();
    assert_eq!(code, Some(0));
    assert!(stderr.contains("warning: --insecure: whoever listens in"), "{stderr}");
}

#[test]
fn local_workers_of_an_open_coordinator_get_in() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut command = workplace.study(0);
    command.args(["--listen", "127.0.0.1:0", "--tls"]);
    let output = command.output().expect("sweep starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_cannot_be_opened_with_is_named() {
    let workplace = Workplace::new(EXPERIMENT);
    fs::write(workplace.path("short"), "short\n").expect("written");
    for (arguments, message) in [
        (&["--token-file", "short"][..], "error: short: a token has 16 to 128 letters"),
        (&["--token-file", "nowhere"], "error: nowhere: No such file or directory"),
        (&["--tls-cert", "short", "--tls-key", "short"], "error: short: holds no certificate"),
        (&["--tls", "--client-ca", "short"], "error: short: holds no certificate"),
        (&["--tls", "--advertise", "a b"], "error: --advertise a b: not a name of a machine"),
        (&["--tls", "--insecure"], "error: the argument '--tls' cannot be used with '--insecure'"),
    ] {
        let mut command = workplace.sweep(&["toy.yaml", "--local-workers", "0"]);
        let output =
            command.args(["--listen", "127.0.0.1:0"]).args(arguments).output().expect("starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    }
}
