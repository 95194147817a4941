//! The coordinator that is measured: `sweep` in a folder of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sweep_proto::address::Address;
use sweep_proto::connect::{Client, Credentials, client};

/// A study of trials of one epoch, in a space that is never used up.
fn experiment(trials: u32) -> String {
    format!(
        "\
study: bench
objective: val_accuracy
search: {{algorithm: random, max_trials: {trials}, seed: 1}}
space:
  units: {{int: [1, 1000]}}
  rate: {{float: [1.0e-4, 1.0e-1], sampling: log}}
  activation: {{choice: [relu, tanh, elu]}}
data:
  synthetic: {{classes: 2, clips: 6, seconds: 0.5}}
  features: {{mel: {{n_fft: 512, hop_length: 512, n_mels: 8, frames: 16}}}}
  split: {{test: 0.2, validation: 0.2, seed: 1}}
train: {{epochs: 1, batch_size: 4, optimizer: {{adam: {{learning_rate: $rate}}}}}}
model:
  - flatten
  - dense: {{units: $units, activation: $activation}}
  - dense: {{units: classes, activation: softmax}}
"
    )
}

/// A folder for a study.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        // On a disk, where being durable costs what it costs.
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        Self(tempfile::tempdir_in(target).expect("a temporary folder"))
    }

    /// Starts a coordinator on a study of so many trials, and waits until it
    /// listens.
    pub(crate) fn coordinator(&self, trials: u32) -> Coordinator {
        fs::write(self.0.path().join("bench.yaml"), experiment(trials)).expect("written");
        let begin = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_sweep"))
            .args(["bench.yaml", "--listen", "127.0.0.1:0", "--local-workers", "0"])
            .args(["--progress", "lines"])
            .env("SWEEP_CACHE", self.0.path().join("cache"))
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sweep starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let address = lines
            .by_ref()
            .map(|line| line.expect("text"))
            .inspect(|line| {
                if line.starts_with("error: ") {
                    eprintln!("sweep: {line}");
                }
            })
            .find_map(|line| {
                line.rsplit_once("--coordinator ").map(|(_, address)| address.to_owned())
            })
            .expect("sweep listens");
        let started_in = begin.elapsed();
        // Somebody has to read them.
        std::thread::spawn(move || lines.for_each(drop));
        let address: Address = address.trim().parse().expect("an address");
        Coordinator { child, address, started_in }
    }
}

/// A coordinator that listens.
pub(crate) struct Coordinator {
    child: Child,
    address: Address,
    /// From its start until it listened.
    pub(crate) started_in: Duration,
}

impl Coordinator {
    /// A connection of its own.
    pub(crate) fn client(&self) -> Client {
        client(&self.address, &Credentials::default()).expect("a client")
    }

    /// Most memory that it ever had, in MB.
    pub(crate) fn memory_mb(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024.0 / 1e6
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) {
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }

    /// Ends it at once.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}
