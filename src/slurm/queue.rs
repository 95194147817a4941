//! What `squeue` prints: the tasks of array jobs, a line each.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Asks `squeue` for lines that [`Task::read`] reads: array's job, index, state,
/// reason, command. The command comes last, because it may have bars in it.
pub(super) const FORMAT: &str = "%F|%K|%T|%r|%o";

/// A task of a job, as `squeue` knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    /// Number of its job.
    pub(super) job: u64,
    /// Its index in the array.
    pub(super) index: u32,
    /// How it is.
    pub(super) state: State,
    /// Why it waits.
    reason: String,
    /// The script and its arguments.
    pub(super) command: String,
}

/// How a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for a node.
    Pending,
    /// It has a node.
    Running,
    /// It is over, but its processes are not gone yet.
    Ending,
    /// It is over, in Slurm's word for how: `COMPLETED`, `FAILED`.
    Ended(String),
}

impl State {
    fn of(word: &str) -> Self {
        match word {
            "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "SPECIAL_EXIT" => {
                Self::Pending
            }
            "RUNNING" | "CONFIGURING" | "SUSPENDED" | "RESIZING" | "SIGNALING" | "STAGE_OUT"
            | "STOPPED" => Self::Running,
            "COMPLETING" => Self::Ending,
            word => Self::Ended(word.to_owned()),
        }
    }
}

impl Task {
    /// Reads a line; `None` where it is about something else than a task of an array.
    pub(super) fn read(line: &str) -> Option<Self> {
        let mut fields = line.splitn(5, '|').map(str::trim);
        Some(Self {
            job: fields.next()?.parse().ok()?,
            index: fields.next()?.parse().ok()?,
            state: State::of(fields.next()?),
            reason: fields.next()?.to_owned(),
            command: fields.next()?.to_owned(),
        })
    }

    /// Whether it may still work.
    pub(super) fn is_left(&self) -> bool {
        match self.state {
            State::Pending | State::Running | State::Ending => true,
            State::Ended(_) => false,
        }
    }
}

/// How many tasks are how, in words; the same words as long as nothing changes.
///
/// - `wanted`: how many were submitted
pub(super) fn describe(tasks: &[Task], wanted: u32) -> String {
    let running = tasks.iter().filter(|task| task.state == State::Running).count();
    let mut text = format!("{running} of {wanted} workers run");
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for task in tasks.iter().filter(|task| task.state == State::Pending) {
        *reasons.entry(&task.reason).or_default() += 1;
    }
    let pending: usize = reasons.values().sum();
    if pending > 0 {
        let reasons: Vec<&str> =
            reasons.into_keys().filter(|reason| !matches!(*reason, "" | "None")).collect();
        let _ = write!(text, ", {pending} pending");
        if !reasons.is_empty() {
            let _ = write!(text, " ({})", reasons.join(", "));
        }
    }
    text
}

/// How tasks have ended, in words: `2 CANCELLED, 6 FAILED`.
pub(super) fn describe_ends<'a>(ends: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for end in ends {
        *counts.entry(end).or_default() += 1;
    }
    let counts: Vec<String> =
        counts.into_iter().map(|(end, count)| format!("{count} {end}")).collect();
    counts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_task() {
        let line = "12|3|PENDING|QOSMaxGRESPerUser|/home/a/runs/x|y/slurm/worker.sbatch j p";
        let task = Task::read(line).expect("a task");
        assert_eq!((task.job, task.index), (12, 3));
        assert_eq!((&task.state, task.reason.as_str()), (&State::Pending, "QOSMaxGRESPerUser"));
        assert_eq!(task.command, "/home/a/runs/x|y/slurm/worker.sbatch j p");
        for other in ["", "12|N/A|RUNNING|None|bash", "CLUSTER: west", "12|3|RUNNING"] {
            assert_eq!(Task::read(other), None, "{other}");
        }
    }

    #[test]
    fn only_what_waits_or_runs_is_left() {
        let left =
            |word: &str| Task::read(&format!("12|3|{word}|None|x")).expect("a task").is_left();
        for word in ["PENDING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUE_HOLD"] {
            assert!(left(word), "{word}");
        }
        for word in ["COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"] {
            assert!(!left(word), "{word}");
        }
    }

    #[test]
    fn tasks_are_counted_in_words() {
        let tasks: Vec<Task> = [
            "12|1|RUNNING|None|x",
            "12|2|PENDING|Resources|x",
            "12|3|PENDING|Priority|x",
            "12|4|PENDING|Priority|x",
            "12|5|FAILED|NonZeroExitCode|x",
        ]
        .iter()
        .filter_map(|line| Task::read(line))
        .collect();
        assert_eq!(describe(&tasks, 8), "1 of 8 workers run, 3 pending (Priority, Resources)");
        assert_eq!(describe(&tasks[..1], 1), "1 of 1 workers run");
        assert_eq!(
            describe_ends(["FAILED", "CANCELLED", "FAILED"].into_iter()),
            "1 CANCELLED, 2 FAILED"
        );
    }
}
