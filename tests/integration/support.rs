//! A folder with an experiment, and the processes that work on it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// Eight trials of two executions of four epochs, on data that is made in no time.
pub(crate) const EXPERIMENT: &str = "\
study: toy
objective: val_accuracy
search: {algorithm: random, max_trials: 8, executions_per_trial: 2, seed: 3}
space:
  units: {int: [4, 64]}
  activation: {choice: [relu, tanh]}
  learning_rate: {float: [1.0e-4, 1.0e-2], sampling: log}
data:
  synthetic: {classes: 2, clips: 6, seconds: 0.5}
  features: {mel: {n_fft: 512, hop_length: 512, n_mels: 8, frames: 16}}
  split: {test: 0.2, validation: 0.2, seed: 1}
train:
  epochs: 4
  batch_size: 4
  optimizer: {adam: {learning_rate: $learning_rate}}
model:
  - flatten
  - dense: {units: $units, activation: $activation}
  - dense: {units: classes, activation: softmax}
";

/// A folder with `toy.yaml`, a cache, and what `sweep` writes.
pub(crate) struct Workplace {
    folder: TempDir,
}

impl Workplace {
    pub(crate) fn new(experiment: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("toy.yaml"), experiment).expect("the experiment");
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// `sweep` with arguments, in the folder, with plain progress lines.
    pub(crate) fn sweep(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sweep"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("SWEEP_CACHE", shared_cache())
            .stdin(Stdio::null());
        command
    }

    /// `sweep toy.yaml` with two toy workers that take `epoch_ms` an epoch.
    pub(crate) fn study(&self, epoch_ms: u32) -> Command {
        self.study_with(2, epoch_ms)
    }

    fn study_with(&self, workers: u32, epoch_ms: u32) -> Command {
        let mut command = self.sweep(&["toy.yaml", "--local-workers", &workers.to_string()]);
        command
            .arg("--worker-program")
            .arg(toy_worker())
            .env("SWEEP_TOY_EPOCH_MS", epoch_ms.to_string());
        command
    }

    /// Runs the study to its end, which has to be a good one.
    pub(crate) fn finish(&self) -> Output {
        self.finish_with(2)
    }

    /// The same with so many workers.
    pub(crate) fn finish_with(&self, workers: u32) -> Output {
        let output = self.study_with(workers, 0).output().expect("sweep starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Columns of a table that do not depend on times, workers or how often
    /// an execution had to be leased.
    pub(crate) fn settled(&self, table: &str) -> String {
        let text = self.read(&format!("runs/toy/{table}"));
        let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let header = lines.next().expect("a header");
        let unsettled = ["seconds", "worker", "attempts", "attempt", "started", "ended"];
        let keep: Vec<usize> =
            (0..header.len()).filter(|index| !unsettled.contains(&header[*index])).collect();
        assert!(keep.len() < header.len(), "{header:?}");
        std::iter::once(header.clone())
            .chain(lines)
            .map(|row| {
                assert_eq!(row.len(), header.len(), "{row:?}");
                keep.iter().map(|index| row[*index]).collect::<Vec<_>>().join(",") + "\n"
            })
            .collect()
    }
}

/// A `sweep` under way, whose progress lines can be waited for.
pub(crate) struct Running {
    pub(crate) child: Child,
    stderr: BufReader<ChildStderr>,
    seen: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sweep starts");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        Self { child, stderr, seen: String::new() }
    }

    /// Reads progress until a line has `text` in it for the `times`th time;
    /// returns that line.
    pub(crate) fn wait_for(&mut self, text: &str, times: usize) -> String {
        let mut found = 0;
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).expect("text");
            self.seen.push_str(&line);
            assert!(read > 0, "sweep ended without {times} × `{text}`:\n{}", self.seen);
            found += usize::from(line.contains(text));
            if found == times {
                return line;
            }
        }
    }

    /// Process ids of its workers.
    pub(crate) fn workers(&self) -> Vec<u32> {
        let parent = self.child.id().to_string();
        fs::read_dir("/proc")
            .expect("Linux")
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|process| {
                let status = fs::read_to_string(format!("/proc/{process}/stat"));
                // pid (command) state parent ...
                status.is_ok_and(|status| {
                    status.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1))
                        == Some(parent.as_str())
                })
            })
            .collect()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for its end: exit code, stdout, all of stderr.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        self.stderr.read_to_string(&mut self.seen).expect("text");
        let output = self.child.wait_with_output().expect("sweep ends");
        let stdout = String::from_utf8(output.stdout).expect("text");
        (output.status.code(), stdout, self.seen)
    }
}

/// Sends a signal: `KILL`, `INT`, `TERM`.
pub(crate) fn signal(process: u32, name: &str) {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(process.to_string())
        .status()
        .expect("kill starts");
    assert!(status.success(), "no process {process}");
}

/// The toy worker, built when it is first needed: a plain `cargo test` builds
/// programs of the package under test only.
pub(crate) fn toy_worker() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "sweep-session", "--bin", "sweep-toy-worker"])
            .args(if cfg!(debug_assertions) { None } else { Some("--release") })
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo starts");
        assert!(status.success(), "the toy worker cannot be built");
        Path::new(env!("CARGO_BIN_EXE_sweep")).with_file_name("sweep-toy-worker")
    })
}

/// The data is the same in all tests, and safe to share.
fn shared_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}
