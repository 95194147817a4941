//! Worker processes on the coordinator's own machine: started, watched,
//! started again when they die, and ended with the study.
//!
//! A worker is told to end when its standard input closes, so that none
//! outlives a coordinator that was killed. A line on it asks for a checkpoint
//! before that, as when the user interrupts the study.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use sweep_proto::address::Address;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::decide::{Event, Reply};
use super::dispatcher::{Handle, Phase};
use crate::logging::{self, FORMAT_VARIABLE};

/// A worker that lived for less, and had no execution, died of its set-up.
const QUICK_DEATH: Duration = Duration::from_secs(5);

/// So many quick deaths in a row, and a worker is not started again.
const MAX_QUICK_DEATHS: u32 = 3;

/// Before a dead worker is started again; doubled by each quick death.
const RESTART_AFTER: Duration = Duration::from_millis(250);

/// How long workers may take to leave once the study is over.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// How long workers may take to leave with a checkpoint, in seconds: less than
/// the 30 after which schedulers kill.
const GRACE_SECONDS: u64 = 20;

/// How many threads a worker has; set for those that `sweep` starts, unless the user
/// has.
const THREADS: &str = "SWEEP_THREADS";

/// Lines of a dead worker's log that are worth repeating.
pub(crate) const LAST_LINES: usize = 10;

/// Most of a log that is looked at for its last lines, in bytes.
const LAST_BYTES: u64 = 4096;

/// What to start.
#[derive(Debug, Clone)]
pub struct LocalWorkers {
    /// The worker program.
    pub program: PathBuf,
    /// How many.
    pub count: u32,
    /// Where the coordinator listens.
    pub coordinator: Address,
    /// Folder for `local-1.log` and so on.
    pub logs: PathBuf,
}

/// No local worker can be kept alive.
#[derive(Debug, thiserror::Error)]
pub enum LocalWorkersError {
    /// The program cannot be started.
    #[error("cannot start the worker program {program}: {source}", program = program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The log cannot be opened.
    #[error("{path}: {source}", path = path.display())]
    Log {
        /// The log file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It dies as soon as it is started.
    #[error("the worker program {program} ended {MAX_QUICK_DEATHS} times at once ({status}); the end of {log}:\n{tail}", program = program.display(), log = log.display())]
    DiesAtOnce {
        /// The program.
        program: PathBuf,
        /// How it ended last.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
}

/// The name of a local worker, from 1.
#[must_use]
pub fn name(index: u32) -> String {
    format!("local-{index}")
}

/// Whether a worker of this name was started by a coordinator, and so ended with it.
#[must_use]
pub fn is_local(name: &str) -> bool {
    name.strip_prefix("local-").is_some_and(|index| index.parse::<u32>().is_ok())
}

/// How many graphics processors this machine shows to a worker.
#[must_use]
pub fn count_gpus() -> u32 {
    if let Ok(visible) = std::env::var("CUDA_VISIBLE_DEVICES") {
        return u32::try_from(visible_gpus(&visible).len()).unwrap_or(u32::MAX);
    }
    let devices = std::fs::read_dir("/dev").map_or(0, |entries| {
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter_map(|name| name.strip_prefix("nvidia")?.parse::<u32>().ok())
            .count()
    });
    u32::try_from(devices).unwrap_or(u32::MAX)
}

/// The devices of `CUDA_VISIBLE_DEVICES`, up to the first that is none. Slurm writes
/// `NoDevFiles` where it gives a task none.
fn visible_gpus(visible: &str) -> Vec<&str> {
    let is_one = |device: &&str| !matches!(*device, "" | "-1" | "NoDevFiles");
    visible.split(',').map(str::trim).take_while(is_one).collect()
}

impl LocalWorkers {
    /// Keeps the workers alive until the study is over or `leave` turns true,
    /// then ends them.
    ///
    /// # Errors
    ///
    /// When none of them can be kept alive.
    pub async fn supervise(
        self,
        handle: Handle,
        phase: watch::Receiver<Phase>,
        leave: watch::Receiver<bool>,
    ) -> Result<(), LocalWorkersError> {
        let mut slots = JoinSet::new();
        for index in 1..=self.count {
            let slot = Slot {
                workers: self.clone(),
                index,
                handle: handle.clone(),
                phase: phase.clone(),
                leave: leave.clone(),
            };
            slots.spawn(slot.keep_alive());
        }
        drop(handle);
        let mut failure = Ok(());
        let mut survivors = 0;
        while let Some(slot) = slots.join_next().await {
            match slot.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
                Ok(()) => survivors += 1,
                Err(error) => {
                    tracing::warn!("{error}");
                    failure = Err(error);
                }
            }
        }
        if survivors > 0 { Ok(()) } else { failure }
    }

    fn start(&self, index: u32) -> Result<Child, LocalWorkersError> {
        let path = self.log(index);
        let log = |source| LocalWorkersError::Log { path: path.clone(), source };
        let output = OpenOptions::new().create(true).append(true).open(&path).map_err(log)?;
        let errors = output.try_clone().map_err(log)?;
        let mut command = Command::new(&self.program);
        command
            .arg("--name")
            .arg(name(index))
            .arg("--supervised")
            .arg("--grace")
            .arg(GRACE_SECONDS.to_string())
            // Not as an argument: those are for all users of the machine to see.
            .env("SWEEP_JOIN", self.coordinator.line())
            .env(FORMAT_VARIABLE, logging::format().to_string())
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true);
        if std::env::var_os(THREADS).is_none() {
            let threads = threads_each(cores(), self.count);
            command.env(THREADS, threads.to_string());
        }
        if let Some(device) = self.device(index) {
            command.env("CUDA_VISIBLE_DEVICES", device);
        }
        command
            .spawn()
            .map_err(|source| LocalWorkersError::Start { program: self.program.clone(), source })
    }

    /// The graphics processor of a worker, where there are several.
    fn device(&self, index: u32) -> Option<String> {
        let gpus = count_gpus();
        if gpus < 2 {
            return None;
        }
        let position = ((index - 1) % gpus) as usize;
        match std::env::var("CUDA_VISIBLE_DEVICES") {
            Ok(visible) => visible_gpus(&visible).get(position).map(|device| (*device).to_owned()),
            Err(_) => Some(position.to_string()),
        }
    }

    fn log(&self, index: u32) -> PathBuf {
        self.logs.join(format!("{}.log", name(index)))
    }
}

/// How many cores this process may use. The system's answer heeds control groups;
/// Slurm need not bind a task to the cores that it gives it.
fn cores() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let slurm = std::env::var("SLURM_CPUS_PER_TASK").ok();
    let given = slurm.and_then(|text| text.trim().parse().ok()).filter(|given| *given > 0);
    given.map_or(cores, |given: usize| given.min(cores))
}

/// Workers share the cores evenly.
fn threads_each(cores: usize, workers: u32) -> usize {
    (cores / workers.max(1) as usize).max(1)
}

/// One worker and its successors.
struct Slot {
    workers: LocalWorkers,
    index: u32,
    handle: Handle,
    phase: watch::Receiver<Phase>,
    leave: watch::Receiver<bool>,
}

impl Slot {
    async fn keep_alive(mut self) -> Result<(), LocalWorkersError> {
        let mut quick_deaths = 0;
        loop {
            let started = Instant::now();
            let log = self.workers.log(self.index);
            // What its predecessors wrote is not its own.
            let log_start = std::fs::metadata(&log).map_or(0, |log| log.len());
            let mut child = self.workers.start(self.index)?;
            // Held open for as long as the worker shall live.
            let mut lifeline = child.stdin.take();
            let status = tokio::select! {
                status = child.wait() => status,
                () = is_over(&mut self.phase) => {
                    if tokio::time::timeout(LEAVE_WITHIN, child.wait()).await.is_err() {
                        kill(&mut child).await;
                    }
                    return Ok(());
                }
                () = is_told(&mut self.leave) => {
                    ask_to_leave(lifeline.as_mut()).await;
                    // A little more than it takes at most.
                    let patience = Duration::from_secs(GRACE_SECONDS + 2);
                    if tokio::time::timeout(patience, child.wait()).await.is_err() {
                        kill(&mut child).await;
                    }
                    return Ok(());
                }
            };
            drop(lifeline);
            if *self.phase.borrow() != Phase::Running || *self.leave.borrow() {
                return Ok(());
            }
            let status = describe(status);
            let name = name(self.index);
            let tail = last_lines(&log, log_start, LAST_LINES);
            let message = match tail.as_str() {
                "" => format!("its process ended: {status}"),
                tail => format!("its process ended: {status}; the end of its log:\n{tail}"),
            };
            let gone = |reply_to| Event::WorkerGone { reply_to, name, message };
            let Ok(reply) = self.handle.ask(gone).await else { return Ok(()) };
            // One that had an execution died of that one, which is dealt with.
            let was_idle = reply != Reply::Stop;
            let is_quick = was_idle && started.elapsed() < QUICK_DEATH;
            quick_deaths = if is_quick { quick_deaths + 1 } else { 0 };
            if quick_deaths >= MAX_QUICK_DEATHS {
                let program = self.workers.program.clone();
                return Err(LocalWorkersError::DiesAtOnce { program, status, log, tail });
            }
            let pause = RESTART_AFTER * 2_u32.pow(quick_deaths);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = is_over(&mut self.phase) => return Ok(()),
                () = is_told(&mut self.leave) => return Ok(()),
            }
        }
    }
}

/// Returns when the study is no longer running.
async fn is_over(phase: &mut watch::Receiver<Phase>) {
    // The sender's end is the study's end too.
    let _ = phase.wait_for(|phase| *phase != Phase::Running).await;
}

/// Returns when everyone is to leave; never if nobody can say so any more.
async fn is_told(leave: &mut watch::Receiver<bool>) {
    if leave.wait_for(|leave| *leave).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Asks a worker to hand in a checkpoint, and to leave.
async fn ask_to_leave(lifeline: Option<&mut ChildStdin>) {
    if let Some(lifeline) = lifeline
        && let Err(error) = lifeline.write_all(b"leave\n").await
    {
        // It has ended just now.
        tracing::debug!("a worker could not be asked to leave: {error}");
    }
}

async fn kill(child: &mut Child) {
    if let Err(error) = child.kill().await {
        tracing::warn!("a worker could not be ended: {error}");
    }
}

fn describe(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}

/// The last lines of a log, for an error message; not from before `start`, and
/// nothing where it cannot be read.
pub(crate) fn last_lines(path: &Path, start: u64, count: usize) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(start.max(length.saturating_sub(LAST_BYTES))))?;
        file.take(LAST_BYTES).read_to_end(&mut bytes)
    });
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_names_are_told_from_others() {
        assert!(is_local(&name(12)));
        for other in ["local-", "local-x", "node7-4711", "xlocal-1"] {
            assert!(!is_local(other), "{other}");
        }
    }

    #[test]
    fn gpus_that_a_scheduler_gives_are_counted() {
        for (visible, expected) in [
            ("", &[][..]),
            ("-1", &[]),
            ("NoDevFiles", &[]),
            ("0", &["0"]),
            ("2, 3", &["2", "3"]),
            ("0,-1,1", &["0"]),
            ("GPU-8f2e,MIG-1a", &["GPU-8f2e", "MIG-1a"]),
        ] {
            assert_eq!(visible_gpus(visible), expected, "{visible}");
        }
    }

    #[test]
    fn workers_share_the_cores() {
        for (cores, workers, each) in [(8, 1, 8), (8, 3, 2), (2, 4, 1), (8, 0, 8)] {
            assert_eq!(threads_each(cores, workers), each);
        }
    }

    #[test]
    fn the_end_of_a_log_is_its_last_lines() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log");
        std::fs::write(&path, "a\nb\nc\n").expect("written");
        assert_eq!(last_lines(&path, 0, 2), "b\nc");
        assert_eq!(last_lines(&path, 4, 2), "c", "not those from before");
        assert_eq!(last_lines(&path, 99, 2), "");
        assert_eq!(last_lines(&folder.path().join("none"), 0, 2), "");
        std::fs::write(&path, "x".repeat(10_000)).expect("written");
        assert_eq!(last_lines(&path, 0, 2).len(), LAST_BYTES as usize);
    }
}
