//! `sweep launch slurm`, with programs that behave as Slurm's do on one machine.
//! `scripts/test-slurm` does the same with a real one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::commands::error;
use crate::support::{EXPERIMENT, Running, Workplace, toy_worker};

/// Starts a task's script in a process group of its own, as a step of a job.
const SBATCH: &str = r#"#!/bin/bash
printf 'sbatch %s\n' "$*" >>"$FAKE/calls"
printf 'sees %s|%s|%s|%s\n' "$SWEEP_TOKEN" "$SWEEP_JOIN" "$SLURM_CPUS_PER_TASK" \
    "$SLURM_CONF" >>"$FAKE/calls"
if [[ -e $FAKE/refuses ]]; then
    echo 'sbatch: error: invalid partition specified: gold' >&2
    echo 'sbatch: error: Batch job submission failed: Invalid partition name specified' >&2
    exit 1
fi
job=$((4711 + $(grep -c '^sbatch' "$FAKE/calls") - 1))
while (($# > 0)) && [[ $1 == -* ]]; do
    case $1 in
        --array=1-*) count=${1#--array=1-} ;;
        --output=*) output=${1#--output=} ;;
    esac
    shift
done
mkdir -p "$FAKE/$job"
echo "$*" >"$FAKE/$job/command"
for ((task = 1; task <= count; task++)); do
    log=${output//%A/$job}
    log=${log//%a/$task}
    echo PENDING >"$FAKE/$job/$task"
    [[ ! -e $FAKE/is-full ]] || continue
    SLURM_ARRAY_JOB_ID=$job SLURM_ARRAY_TASK_ID=$task SLURMD_NODENAME=node-a \
        setsid "$@" >>"$log" 2>&1 </dev/null &
    echo $! >"$FAKE/$job/$task"
done
if [[ -e $FAKE/breaks ]]; then
    rm -r "${1%/slurm/*}/checkpoints"
    touch "${1%/slurm/*}/checkpoints"
fi
echo "$job"
"#;

/// Knows running tasks by their processes.
const SQUEUE: &str = r#"#!/bin/bash
for folder in "$FAKE"/4*; do
    [[ -e $folder/command ]] || continue
    job=${folder##*/}
    for file in "$folder"/[0-9]*; do
        process=$(<"$file")
        if [[ $process == PENDING || $process == CANCELLED ]]; then
            state=$process
        elif [[ -e /proc/$process ]] && ! grep -q '^State:.Z' "/proc/$process/status"; then
            state=RUNNING
        else
            state=FAILED
        fi
        [[ " $* " != *" --me "* || $state == RUNNING || $state == PENDING ]] || continue
        [[ "$*" != *--jobs=* || " $* " == *" --jobs=$job "* ]] || continue
        reason=None
        [[ $state != PENDING ]] || reason=Resources
        echo "$job|${file##*/}|$state|$reason|$(<"$folder/command")"
    done
done
"#;

/// Signals the script and what it started.
const SCANCEL: &str = r#"#!/bin/bash
printf 'scancel %s\n' "$*" >>"$FAKE/calls"
job=${!#}
[[ ! -e $FAKE/is-deaf ]] || exit 0
for file in "$FAKE/$job"/[0-9]*; do
    process=$(<"$file")
    if [[ $process == PENDING ]]; then echo CANCELLED >"$file"; continue; fi
    kill -TERM -- "-$process" 2>/dev/null
done
exit 0
"#;

/// A workplace with a Slurm that is none.
struct Cluster {
    workplace: Workplace,
}

impl Cluster {
    fn new() -> Self {
        let workplace = Workplace::new(EXPERIMENT);
        for folder in ["bin", "fake"] {
            fs::create_dir(workplace.path(folder)).expect("made");
        }
        for (name, text) in [("sbatch", SBATCH), ("squeue", SQUEUE), ("scancel", SCANCEL)] {
            let path = workplace.path("bin").join(name);
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
        }
        Self { workplace }
    }

    /// `sweep launch slurm toy.yaml` with two workers that take `epoch_ms` an epoch.
    fn launch(&self, epoch_ms: u32, arguments: &[&str]) -> Command {
        let bin = self.workplace.path("bin");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a path"));
        let mut first = vec!["launch", "slurm", "toy.yaml"];
        if !arguments.contains(&"--listen") {
            first.extend(["--listen", "127.0.0.1:0"]);
        }
        let mut command = self.workplace.sweep(&first);
        command
            .args(["--workers", "2", "--worker-program"])
            .arg(toy_worker())
            .args(["--lease", "3"])
            // None outlives a test for long.
            .arg("--worker-option=--give-up-after=5")
            .args(arguments)
            .env("PATH", path)
            .env("FAKE", self.workplace.path("fake"))
            .env("SWEEP_TOY_EPOCH_MS", epoch_ms.to_string());
        command
    }

    fn calls(&self, program: &str) -> Vec<String> {
        let calls = fs::read_to_string(self.workplace.path("fake/calls")).unwrap_or_default();
        let prefix = format!("{program} ");
        calls.lines().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
    }

    fn remembers(&self) -> bool {
        self.workplace.path("runs/toy/slurm/job.json").exists()
    }

    fn assert_same_results(&self) {
        let undisturbed = Workplace::new(EXPERIMENT);
        undisturbed.finish();
        assert_eq!(self.workplace.settled("trials.csv"), undisturbed.settled("trials.csv"));
    }
}

fn outcome(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().expect("sweep starts");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

#[test]
fn a_study_runs_with_workers_that_slurm_starts() {
    let cluster = Cluster::new();
    let mut command = cluster.launch(0, &["--", "--partition=gpu", "--gres=none"]);
    command.env("SWEEP_TOKEN", "a-token-that-stays-here");
    command.env("SLURM_CPUS_PER_TASK", "64").env("SLURM_CONF", "slurm.conf");
    let (code, stderr) = outcome(command);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("slurm: submitted job 4711 for 2 workers"), "{stderr}");
    let calls = cluster.calls("sbatch");
    let [call] = &calls[..] else { panic!("{calls:?}") };
    let run = fs::canonicalize(cluster.workplace.path("runs/toy")).expect("there");
    let run = run.display();
    assert_eq!(
        *call,
        format!(
            "--job-name=sweep-toy --output={run}/logs/slurm-%A_%a.log --partition=gpu --gres=none \
             --parsable --array=1-2 {run}/slurm/worker.sbatch {run}/join {} --give-up-after=5",
            toy_worker().display()
        )
    );
    assert_eq!(cluster.calls("sees"), ["|||slurm.conf"], "not all is for the nodes");
    assert!(!cluster.remembers());
    let trials = cluster.workplace.read("runs/toy/trials.csv");
    assert!(trials.contains("node-a-4711_1"), "{trials}");
    cluster.assert_same_results();

    let (code, stderr) = outcome(cluster.launch(0, &[]));
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(cluster.calls("sbatch").len(), 1, "nothing is left to do");
}

#[test]
fn what_slurm_refuses_is_shown_in_its_words() {
    let cluster = Cluster::new();
    fs::write(cluster.workplace.path("fake/refuses"), "").expect("written");
    let (code, stderr) = outcome(cluster.launch(0, &["--", "--partition=gold"]));
    assert_eq!(code, Some(2));
    assert_eq!(
        error(&stderr),
        "error: the job was refused: invalid partition specified: gold; Batch job submission \
         failed: Invalid partition name specified\n\n\
         hint: what follows `--` goes to sbatch as it is; each worker asks for one GPU, unless \
         --gres says otherwise: `-- --gres=none` where there is none\n"
    );
    assert!(!cluster.remembers());
    let mut command = cluster.launch(0, &[]);
    command.env("PATH", "/nowhere");
    let (code, stderr) = outcome(command);
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("error: sbatch is not on PATH"), "{stderr}");
    let (code, stderr) = outcome(cluster.launch(0, &["--", "--array=1-9"]));
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("error: --array cannot be given to sbatch here"), "{stderr}");
}

#[test]
fn an_interrupted_study_cancels_its_job_and_loses_nothing() {
    let cluster = Cluster::new();
    let mut running = Running::start(cluster.launch(100, &[]));
    running.wait_for("epoch", 3);
    assert!(cluster.remembers());
    running.signal("INT");
    let (code, _, stderr) = running.end();
    assert_eq!(code, Some(130), "{stderr}");
    assert_eq!(cluster.calls("scancel"), ["--quiet 4711"]);
    assert_eq!(stderr.matches("was given back").count(), 2, "{stderr}");
    assert!(!cluster.remembers());

    let (code, stderr) = outcome(cluster.launch(0, &[]));
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(cluster.calls("sbatch").len(), 2);
    cluster.assert_same_results();
}

#[test]
fn a_job_is_cancelled_however_the_run_ends() {
    let cluster = Cluster::new();
    fs::write(cluster.workplace.path("fake/breaks"), "").expect("written");
    let (code, stderr) = outcome(cluster.launch(0, &[]));
    assert_eq!(code, Some(4), "{stderr}");
    assert!(error(&stderr).contains("runs/toy/checkpoints: Not a directory"), "{stderr}");
    assert_eq!(cluster.calls("scancel"), ["--quiet 4711"]);
    assert!(!cluster.remembers());
}

#[test]
fn who_does_not_want_to_wait_for_checkpoints_need_not() {
    let cluster = Cluster::new();
    fs::write(cluster.workplace.path("fake/is-deaf"), "").expect("written");
    let mut running = Running::start(cluster.launch(100, &[]));
    running.wait_for("epoch", 1);
    running.signal("TERM");
    running.wait_for("slurm: waiting for checkpoints of 2 workers", 1);
    running.signal("TERM");
    let (code, _, stderr) = running.end();
    assert_eq!(code, Some(130), "{stderr}");
    assert_eq!(cluster.calls("scancel"), ["--quiet 4711"]);
}

#[test]
fn a_coordinator_that_was_killed_goes_on_with_its_job() {
    let cluster = Cluster::new();
    let mut running = Running::start(cluster.launch(200, &[]));
    running.wait_for("epoch", 3);
    running.signal("KILL");
    running.end();
    assert!(cluster.remembers());
    let line = cluster.workplace.read("runs/toy/join");
    let address = line.split('/').nth(2).expect("an address").to_owned();
    let (code, stderr) = outcome(cluster.launch(200, &["--listen", &address]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("slurm: going on with job 4711 of an earlier start"), "{stderr}");
    assert_eq!(cluster.calls("sbatch").len(), 1);
    cluster.assert_same_results();
}

#[test]
fn a_job_of_a_killed_coordinator_that_nobody_can_use_is_cancelled() {
    for arguments in [&["--overwrite"][..], &["--", "--time=60"]] {
        let cluster = Cluster::new();
        let mut running = Running::start(cluster.launch(100, &[]));
        running.wait_for("epoch", 1);
        running.signal("KILL");
        running.end();
        let mut running = Running::start(cluster.launch(0, arguments));
        running.wait_for("slurm: cancelled job 4711, which an earlier start has left", 1);
        running.wait_for("slurm: submitted job 4712", 1);
        let (code, _, stderr) = running.end();
        assert_eq!(code, Some(0), "{stderr}");
        assert_eq!(cluster.calls("scancel"), ["--quiet 4711"]);
    }
}

#[test]
fn a_job_whose_number_was_not_learnt_is_found() {
    let cluster = Cluster::new();
    let mut running = Running::start(cluster.launch(100, &[]));
    running.wait_for("epoch", 1);
    running.signal("KILL");
    running.end();
    // As when the coordinator is killed while sbatch is at it.
    let path = cluster.workplace.path("runs/toy/slurm/job.json");
    let text = fs::read_to_string(&path).expect("there");
    let text = text.replace("{\"number\":4711,\"cluster\":null}", "null");
    assert!(text.contains("\"job\":null"), "{text}");
    fs::write(&path, text).expect("written");
    let (code, stderr) = outcome(cluster.launch(0, &[]));
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(cluster.calls("scancel"), ["--quiet 4711"]);
}

#[test]
fn workers_that_wait_are_told_of_and_cancelled() {
    let cluster = Cluster::new();
    fs::write(cluster.workplace.path("fake/is-full"), "").expect("written");
    let mut running = Running::start(cluster.launch(0, &[]));
    running.wait_for("slurm: job 4711: 0 of 2 workers run, 2 pending (Resources)", 1);
    running.signal("TERM");
    let (code, _, stderr) = running.end();
    assert_eq!(code, Some(130), "{stderr}");
    assert_eq!(cluster.calls("scancel"), ["--quiet 4711"]);
}

#[test]
fn a_job_that_fails_ends_the_run_with_the_end_of_a_log() {
    let cluster = Cluster::new();
    let (code, stderr) = outcome(cluster.launch(0, &["--worker-option=--no-such-option"]));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        error(&stderr).starts_with(
            "error: no worker is left: job 4711 of Slurm has ended (2 FAILED); the end of \
             runs/toy/logs/slurm-4711_1.log:\n"
        ),
        "{stderr}"
    );
    assert!(stderr.contains("unexpected argument '--no-such-option'"), "{stderr}");
    assert!(!cluster.remembers());
}
