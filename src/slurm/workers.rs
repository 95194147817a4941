//! An array job of workers, from its submission to its end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::memory::{JobId, Memory, Submission};
use super::programs::{Canceller, Slurm};
use super::queue::{State, Task, describe, describe_ends};
use super::{Request, SlurmError};
use crate::coordinator::local_workers::{LAST_LINES, last_lines};
use crate::results::atomic::write_atomically;
use crate::run_directory::RunDirectory;

/// What a task does.
const SCRIPT: &str = include_str!("../../workers/slurm/worker.sbatch");

/// When the queue is looked at first, and again when something has changed.
const SOON: Duration = Duration::from_secs(1);

/// How often it is looked at when nothing changes: `squeue` is work for the
/// controller, which all users of a cluster share.
const SELDOM: Duration = Duration::from_secs(30);

/// How long cancelled workers may take to hand in checkpoints: somewhat more than
/// `--grace` of a worker and than Slurm's `KillWait`, 30 s.
const LEAVE_WITHIN: Duration = Duration::from_secs(40);

/// How often the queue is looked at meanwhile.
const WHILE_LEAVING: Duration = Duration::from_millis(500);

/// Shows a line.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// The workers of a run. Dropped, it cancels them.
pub struct SlurmWorkers {
    slurm: Slurm,
    job: JobId,
    wanted: u32,
    memory: Memory,
    canceller: Canceller,
    logs: PathBuf,
    say: Say,
    /// How each task was when the queue was looked at last, by its index.
    known: BTreeMap<u32, State>,
    /// What was said last about them.
    said: String,
    interval: Duration,
    /// Whether the last look failed.
    is_blind: bool,
}

/// None of the workers is left.
#[derive(Debug, thiserror::Error)]
#[error("no worker is left: job {job} of Slurm has ended ({ends}){tail}")]
pub struct Gone {
    job: u64,
    /// How many tasks ended how.
    ends: String,
    /// The end of a log, where there is one.
    tail: String,
}

impl SlurmWorkers {
    /// Goes on with the job of an earlier start, if its workers can join and the
    /// same is wanted; else cancels it, and submits one.
    ///
    /// - `line_holds`: whether the line to join with is that of the earlier start
    ///
    /// # Errors
    ///
    /// When Slurm refuses, or is not there.
    pub async fn start(
        request: &Request,
        directory: &RunDirectory,
        study: &str,
        line_holds: bool,
        say: Say,
    ) -> Result<Self, SlurmError> {
        let place = Place::of(directory)?;
        let mut submission = Submission::of(request);
        let earlier = place.memory.read()?;
        let may_stay = line_holds && earlier.as_ref().is_some_and(|old| old.is_like(&submission));
        let earlier_job = earlier.as_ref().and_then(|earlier| earlier.job.clone());
        let left = place.left(&request.slurm, earlier.as_ref()).await?;
        let (stays, others): (Vec<JobId>, Vec<JobId>) =
            left.into_iter().partition(|job| may_stay && earlier_job.as_ref() == Some(job));
        cancel_all(&request.slurm, &others, &say).await?;
        let job = match stays.into_iter().next() {
            Some(job) => {
                say(&format!("slurm: going on with job {} of an earlier start", job.number));
                job
            }
            None => {
                place.memory.write(&submission)?;
                let arguments = place.arguments(request, study);
                let (job, words) = match request.slurm.submit(&arguments).await {
                    Ok(answer) => answer,
                    Err(error) => {
                        if let SlurmError::Refused { .. } = error {
                            place.memory.forget();
                        }
                        return Err(error);
                    }
                };
                for line in words.lines() {
                    say(&format!("slurm: {line}"));
                }
                submission.job = Some(job.clone());
                job
            }
        };
        let canceller = Canceller::new(request.slurm.clone(), job.clone(), place.memory.clone());
        // From here on, the job is cancelled whatever happens.
        let workers = Self {
            slurm: request.slurm.clone(),
            job,
            wanted: request.workers,
            memory: place.memory,
            canceller,
            logs: directory.logs(),
            say,
            known: BTreeMap::new(),
            said: String::new(),
            interval: SOON,
            is_blind: false,
        };
        if submission.job.is_some() {
            workers.memory.write(&submission)?;
            let (job, count) = (workers.job.number, workers.wanted);
            let log = workers.log("*");
            (workers.say)(&format!(
                "slurm: submitted job {job} for {count} workers, whose output is in {}",
                log.display()
            ));
        }
        Ok(workers)
    }

    /// Cancels what an earlier start of the run has left, where nothing is to be
    /// trained any more.
    ///
    /// # Errors
    ///
    /// When Slurm cannot be asked.
    pub async fn clear(
        slurm: &Slurm,
        directory: &RunDirectory,
        say: Say,
    ) -> Result<(), SlurmError> {
        let place = Place::of(directory)?;
        let earlier = place.memory.read()?;
        let left = place.left(slurm, earlier.as_ref()).await?;
        cancel_all(slurm, &left, &say).await?;
        place.memory.forget();
        Ok(())
    }

    /// What cancels the job from elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Looks at the queue now and then, and tells what changes. Returns when no
    /// worker is left; may be dropped, and called again.
    pub async fn watch(&mut self) -> Gone {
        loop {
            sleep(self.interval).await;
            let tasks = match self.slurm.tasks(&self.job).await {
                Ok(tasks) => tasks,
                Err(error) => {
                    // The workers need no controller.
                    if !self.is_blind {
                        (self.say)(&format!("warning: slurm: {error}; asking again"));
                    }
                    self.is_blind = true;
                    self.interval = SELDOM;
                    continue;
                }
            };
            self.is_blind = false;
            let has_changed = self.take_note(&tasks);
            self.interval = if has_changed { SOON } else { (self.interval * 2).min(SELDOM) };
            if !tasks.iter().any(Task::is_left) {
                return self.gone();
            }
        }
    }

    /// Tells what is new. Returns whether anything is.
    fn take_note(&mut self, tasks: &[Task]) -> bool {
        let mut ended = Vec::new();
        let mut now: BTreeMap<u32, State> =
            tasks.iter().map(|task| (task.index, task.state.clone())).collect();
        for (index, before) in &self.known {
            // Slurm forgets what ended some minutes ago.
            now.entry(*index).or_insert_with(|| match before {
                State::Ended(_) => before.clone(),
                State::Pending | State::Running | State::Ending => State::Ended("GONE".to_owned()),
            });
        }
        for (index, state) in &now {
            if let State::Ended(how) = state
                && self.known.get(index) != Some(state)
            {
                ended.push((*index, how.clone()));
            }
        }
        let has_changed = now != self.known;
        self.known = now;
        if let Some((first, _)) = ended.first() {
            let ends = describe_ends(ended.iter().map(|(_, how)| how.as_str()));
            let log = self.log(&first.to_string());
            let (job, log) = (self.job.number, log.display());
            (self.say)(&format!("slurm: job {job}: workers have ended: {ends}; see {log}"));
        }
        let text = describe(tasks, self.wanted);
        if text != self.said && tasks.iter().any(Task::is_left) {
            (self.say)(&format!("slurm: job {}: {text}", self.job.number));
            self.said = text;
        }
        has_changed
    }

    fn gone(&self) -> Gone {
        let ends = self.known.values().filter_map(|state| match state {
            State::Ended(how) => Some(how.as_str()),
            State::Pending | State::Running | State::Ending => None,
        });
        let ends = match describe_ends(ends) {
            ends if ends.is_empty() => "Slurm knows it no longer".to_owned(),
            ends => ends,
        };
        let failed = self.known.iter().find(|(_, state)| match state {
            State::Ended(how) => how != "COMPLETED",
            State::Pending | State::Running | State::Ending => false,
        });
        let index = failed.or_else(|| self.known.first_key_value()).map_or(1, |(index, _)| *index);
        let log = self.log(&index.to_string());
        let mut tail = String::new();
        let lines = last_lines(&log, 0, LAST_LINES);
        if !lines.is_empty() {
            let _ = write!(tail, "; the end of {}:\n{lines}", log.display());
        }
        Gone { job: self.job.number, ends, tail }
    }

    /// Cancels what is left.
    ///
    /// - `wait`: whether workers may hand in checkpoints before this returns
    pub async fn leave(mut self, wait: bool) {
        let job = self.job.number;
        let left = match self.slurm.tasks(&self.job).await {
            Ok(tasks) => tasks.iter().any(Task::is_left),
            // Cancelling what is not there does no harm.
            Err(_) => true,
        };
        self.canceller.disarm();
        if left && let Err(error) = self.slurm.cancel(&self.job).await {
            (self.say)(&format!(
                "warning: slurm: {error}; job {job} may be left: cancel it with `scancel {job}`, \
                 or run the same command again"
            ));
            return;
        }
        self.memory.forget();
        if left {
            (self.say)(&format!("slurm: cancelled job {job}"));
        }
        if left && wait {
            self.wait_until_left().await;
        }
    }

    async fn wait_until_left(&mut self) {
        let begun = Instant::now();
        let mut is_told = false;
        while begun.elapsed() < LEAVE_WITHIN {
            let Ok(tasks) = self.slurm.tasks(&self.job).await else { return };
            let works = |task: &&Task| match task.state {
                State::Running | State::Ending => true,
                State::Pending | State::Ended(_) => false,
            };
            let count = tasks.iter().filter(works).count();
            if count == 0 {
                return;
            }
            if !is_told {
                (self.say)(&format!("slurm: waiting for checkpoints of {count} workers"));
            }
            is_told = true;
            sleep(WHILE_LEAVING).await;
        }
    }

    /// - `index`: of a task, or a star for all
    fn log(&self, index: &str) -> PathBuf {
        self.logs.join(format!("slurm-{}_{index}.log", self.job.number))
    }
}

impl Drop for SlurmWorkers {
    fn drop(&mut self) {
        self.canceller.cancel_now();
    }
}

async fn cancel_all(slurm: &Slurm, jobs: &[JobId], say: &Say) -> Result<(), SlurmError> {
    for job in jobs {
        slurm.cancel(job).await?;
        say(&format!("slurm: cancelled job {}, which an earlier start has left", job.number));
    }
    Ok(())
}

/// Where things of a run are, as the nodes find them, too.
struct Place {
    memory: Memory,
    script: PathBuf,
    join: PathBuf,
    logs: PathBuf,
}

impl Place {
    fn of(directory: &RunDirectory) -> Result<Self, SlurmError> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| SlurmError::Io { path, source }
        };
        let absolute = |path: PathBuf| {
            std::path::absolute(&path).map_err(|source| SlurmError::Io { path, source })
        };
        let folder = absolute(directory.slurm())?;
        fs::create_dir_all(&folder).map_err(fail(&folder))?;
        let script = folder.join("worker.sbatch");
        write_atomically(&script, |file| {
            use std::io::Write as _;
            file.set_permissions(fs::Permissions::from_mode(0o755))?;
            file.write_all(SCRIPT.as_bytes())
        })
        .map_err(|error| SlurmError::Io { path: script.clone(), source: error.source })?;
        let (join, logs) = (absolute(directory.join_line())?, absolute(directory.logs())?);
        Ok(Self { memory: Memory::new(&folder), script, join, logs })
    }

    /// Jobs of this run that wait or run.
    ///
    /// - `earlier`: what is remembered; nothing is left where that is nothing
    async fn left(
        &self,
        slurm: &Slurm,
        earlier: Option<&Submission>,
    ) -> Result<Vec<JobId>, SlurmError> {
        let Some(earlier) = earlier else { return Ok(Vec::new()) };
        let cluster = earlier.job.as_ref().and_then(|job| job.cluster.clone());
        let command = format!("{} ", self.script.display());
        let mut jobs = Vec::new();
        for task in slurm.mine(cluster.as_deref()).await? {
            let job = JobId { number: task.job, cluster: cluster.clone() };
            // Numbers begin anew when a Slurm is set up anew.
            if task.command.starts_with(&command) && !jobs.contains(&job) {
                jobs.push(job);
            }
        }
        Ok(jobs)
    }

    /// For `sbatch`. What the user gives comes after what may be otherwise, and
    /// before what may not.
    fn arguments(&self, request: &Request, study: &str) -> Vec<OsString> {
        // A percent sign stands for something there.
        let logs = self.logs.display().to_string().replace('%', "%%");
        let mut arguments: Vec<OsString> = vec![
            format!("--job-name=sweep-{study}").into(),
            format!("--output={logs}/slurm-%A_%a.log").into(),
        ];
        arguments.extend(request.options.iter().cloned());
        arguments.push("--parsable".into());
        arguments.push(format!("--array=1-{}", request.workers).into());
        arguments.push(self.script.clone().into());
        arguments.push(self.join.clone().into());
        arguments.push(request.program.clone().into());
        arguments.extend(request.worker_options.iter().map(OsString::from));
        arguments
    }
}
