//! Calls of `sbatch`, `squeue` and `scancel`, each within a limit of time.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::process::Command;

use super::SlurmError;
use super::memory::{JobId, Memory};
use super::queue::{self, Task};

/// How long `sbatch` may take: the controller answers late when it is busy.
const SUBMIT_LIMIT: Duration = Duration::from_secs(120);

/// How long the others may take.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// How long `scancel` may take where nothing else waits for the end any more.
const LAST_LIMIT: Duration = Duration::from_secs(10);

/// Options of `sbatch` that are given already, or with which it would not submit
/// a job and return.
const TAKEN: [&str; 7] = ["--array", "-a", "--parsable", "--wait", "-W", "--test-only", "--wrap"];

/// Variables with this prefix are about the job that this is a part of, if it is one,
/// and would be mistaken on the nodes for those of theirs.
const OF_A_JOB: &str = "SLURM_";

/// But for these, which are about Slurm itself.
const OF_SLURM: [&str; 4] = ["SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT", "SLURM_TIME_FORMAT"];

/// What `squeue` says of a job that ended long ago.
const UNKNOWN_JOB: &str = "Invalid job id";

/// The way to Slurm.
#[derive(Debug, Clone)]
pub struct Slurm {
    sbatch: PathBuf,
    squeue: PathBuf,
    scancel: PathBuf,
}

impl Slurm {
    /// Finds the programs on `PATH`.
    ///
    /// # Errors
    ///
    /// When one of them is not there.
    pub fn find() -> Result<Self, SlurmError> {
        Ok(Self { sbatch: find("sbatch")?, squeue: find("squeue")?, scancel: find("scancel")? })
    }

    /// Looks at options for `sbatch` before anything else is done.
    ///
    /// # Errors
    ///
    /// When one is not the user's to give.
    pub fn check(options: &[OsString]) -> Result<(), SlurmError> {
        for option in options {
            let option = option.to_string_lossy();
            let name = option.split('=').next().unwrap_or_default();
            // A short option may have its value right behind it.
            let short = name.starts_with("-a") || name.starts_with("-W");
            if TAKEN.contains(&name) || short {
                return Err(SlurmError::Option { option: name.to_owned() });
            }
        }
        Ok(())
    }

    /// Submits an array job.
    ///
    /// Returns its number, and what else Slurm had to say.
    ///
    /// - `arguments`: the script's included
    ///
    /// # Errors
    ///
    /// Slurm's refusal.
    pub(super) async fn submit(
        &self,
        arguments: &[OsString],
    ) -> Result<(JobId, String), SlurmError> {
        let mut command = Command::new(&self.sbatch);
        // Whatever is in the environment goes to the nodes; workers have the line.
        command.args(arguments).env_remove("SWEEP_TOKEN").env_remove("SWEEP_JOIN");
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with(OF_A_JOB) && !OF_SLURM.contains(&&*text) {
                command.env_remove(&name);
            }
        }
        let output = call("sbatch", command, SUBMIT_LIMIT).await?;
        if !output.status.success() {
            let said = words("sbatch", &output);
            // Nobody refused it.
            let unreached = said.contains("contact slurm controller");
            return Err(match unreached {
                true => SlurmError::Failed { program: "sbatch", said },
                false => SlurmError::Refused { said },
            });
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let (number, cluster) = match text.trim().split_once(';') {
            Some((number, cluster)) => (number, Some(cluster.to_owned())),
            None => (text.trim(), None),
        };
        let Ok(number) = number.parse() else {
            return Err(SlurmError::Answer { program: "sbatch", said: text.trim().to_owned() });
        };
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Ok((JobId { number, cluster }, said))
    }

    /// All tasks of this user that wait or run, of any job.
    pub(super) async fn mine(&self, cluster: Option<&str>) -> Result<Vec<Task>, SlurmError> {
        let mut tasks = self.queue(cluster, &[OsStr::new("--me")]).await?;
        tasks.retain(Task::is_left);
        Ok(tasks)
    }

    /// The tasks of a job, those that ended a little while ago included.
    pub(super) async fn tasks(&self, job: &JobId) -> Result<Vec<Task>, SlurmError> {
        let number = OsString::from(format!("--jobs={}", job.number));
        let arguments = [OsStr::new("--states=all"), &number];
        match self.queue(job.cluster.as_deref(), &arguments).await {
            Err(SlurmError::Failed { said, .. }) if said.contains(UNKNOWN_JOB) => Ok(Vec::new()),
            answer => answer,
        }
    }

    async fn queue(
        &self,
        cluster: Option<&str>,
        arguments: &[&OsStr],
    ) -> Result<Vec<Task>, SlurmError> {
        let mut command = Command::new(&self.squeue);
        command
            .args(["--noheader", "--array", &format!("--format={}", queue::FORMAT)])
            .args(of_cluster(cluster))
            .args(arguments);
        let output = call("squeue", command, CALL_LIMIT).await?;
        if !output.status.success() {
            return Err(SlurmError::Failed { program: "squeue", said: words("squeue", &output) });
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(Task::read).collect())
    }

    /// Cancels a job, all tasks of it.
    pub(super) async fn cancel(&self, job: &JobId) -> Result<(), SlurmError> {
        let mut command = Command::new(&self.scancel);
        command.args(cancel_arguments(job));
        let output = call("scancel", command, CALL_LIMIT).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(SlurmError::Failed { program: "scancel", said: words("scancel", &output) })
    }
}

/// Cancels a job at the last moment, unless that was done already.
#[derive(Debug, Clone)]
pub struct Canceller {
    slurm: Slurm,
    job: JobId,
    memory: Memory,
    is_done: Arc<AtomicBool>,
}

impl Canceller {
    pub(super) fn new(slurm: Slurm, job: JobId, memory: Memory) -> Self {
        Self { slurm, job, memory, is_done: Arc::default() }
    }

    /// Nothing is left to cancel.
    pub(super) fn disarm(&self) {
        self.is_done.store(true, Ordering::SeqCst);
    }

    /// Cancels the job and blocks meanwhile, for ten seconds at most. Without
    /// success, the next start of the run does it.
    pub fn cancel_now(&self) {
        if self.is_done.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut command = std::process::Command::new(&self.slurm.scancel);
        command.args(cancel_arguments(&self.job));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(mut child) = command.spawn() else { return };
        let begun = Instant::now();
        while begun.elapsed() < LAST_LIMIT {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return self.memory.forget(),
                Ok(Some(_)) | Err(_) => return,
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        // It is waited for by whoever waits for orphans.
        let _ = child.kill();
    }
}

fn cancel_arguments(job: &JobId) -> Vec<String> {
    let cluster = of_cluster(job.cluster.as_deref());
    let mut arguments = vec!["--quiet".to_owned()];
    arguments.extend(cluster);
    arguments.push(job.number.to_string());
    arguments
}

fn of_cluster(cluster: Option<&str>) -> Option<String> {
    cluster.map(|cluster| format!("--clusters={cluster}"))
}

async fn call(
    program: &'static str,
    mut command: Command,
    limit: Duration,
) -> Result<Output, SlurmError> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(limit, command.output()).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(source)) => Err(SlurmError::Start { program, source }),
        Err(_) => Err(SlurmError::Silent { program, limit }),
    }
}

/// What a program said when it failed, without its name before every line.
fn words(program: &str, output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let prefix = format!("{program}: ");
    let line = |line: &str| {
        let line = line.strip_prefix(&prefix).unwrap_or(line);
        line.strip_prefix("error: ").unwrap_or(line).to_owned()
    };
    let lines: Vec<String> = text.lines().filter(|text| !text.is_empty()).map(line).collect();
    if lines.is_empty() { output.status.to_string() } else { lines.join("; ") }
}

fn find(program: &'static str) -> Result<PathBuf, SlurmError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| is_program(file))
        .ok_or(SlurmError::Missing { program })
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_are_taken_are_told_from_others() {
        let check = |option: &str| Slurm::check(&[option.into()]);
        for option in ["--array=1-3", "--array", "-a1-3", "-W", "--wait", "--wrap=x"] {
            let text = check(option).expect_err(option).to_string();
            assert!(text.ends_with("cannot be given to sbatch here"), "{text}");
        }
        for option in ["--gres=gpu:1", "-A", "account", "--wait-all-nodes=1", "--job-name=a"] {
            assert!(check(option).is_ok(), "{option}");
        }
    }
}
