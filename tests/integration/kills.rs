//! Workers and coordinators that are killed: nothing is lost, nothing counts twice.

use std::collections::BTreeMap;

use sweep::store::Store;
use sweep::study::{Record, TrialId, TrialState};

use crate::support::{EXPERIMENT, Running, Workplace, signal, toy_worker};

/// What an undisturbed run leaves.
fn undisturbed() -> Workplace {
    let workplace = Workplace::new(EXPERIMENT);
    workplace.finish();
    workplace
}

fn assert_same_results(disturbed: &Workplace, reason: &str) {
    let undisturbed = undisturbed();
    for table in ["trials.csv", "executions.csv", "measurements.csv"] {
        assert_eq!(disturbed.settled(table), undisturbed.settled(table), "{table} after {reason}");
    }
}

/// Trial, execution → number of attempts.
fn attempts(workplace: &Workplace) -> BTreeMap<(String, String), u32> {
    let text = workplace.read("runs/toy/executions.csv");
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let column = |name: &str| header.iter().position(|known| *known == name).expect("a column");
    let (trial, execution, attempts) = (column("trial"), column("execution"), column("attempts"));
    lines
        .map(|row| {
            let key = (row[trial].to_owned(), row[execution].to_owned());
            (key, row[attempts].parse().expect("a number"))
        })
        .collect()
}

#[test]
fn a_killed_worker_changes_no_result() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut running = Running::start(workplace.study(30));
    running.wait_for("epoch", 5);
    let workers = running.workers();
    assert_eq!(workers.len(), 2);
    signal(workers[0], "KILL");
    running.wait_for("Trial", 3);
    let (code, _, stderr) = running.end();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("its process ended: signal: 9 (SIGKILL)"), "{stderr}");
    let attempts = attempts(&workplace);
    assert_eq!(attempts.len(), 16);
    assert_eq!(attempts.values().sum::<u32>(), 17, "one execution was leased twice");
    assert_same_results(&workplace, "a killed worker");
}

/// All that happened to the study.
fn records(workplace: &Workplace) -> Vec<Record> {
    let store = Store::open_to_read(&workplace.path("runs/toy/study.db")).expect("a store");
    let records = store.records().expect("readable");
    records.into_iter().map(|stamped| stamped.record).collect()
}

/// Where attempts started that did not begin with epoch 1: epoch and step.
fn starts(workplace: &Workplace) -> Vec<(u32, u32)> {
    let from = |record: Record| match record {
        Record::AttemptStarted { from: Some(from), .. } => Some(from.position()),
        _ => None,
    };
    records(workplace).into_iter().filter_map(from).collect()
}

/// No checkpoint is left of a study that has ended.
fn assert_nothing_is_left(workplace: &Workplace) {
    let left = std::fs::read_dir(workplace.path("runs/toy/checkpoints")).expect("there");
    assert_eq!(left.count(), 0, "checkpoints are left");
}

/// Kills `sweep`, and goes on in no time.
fn finish_after_kill(running: Running, workplace: &Workplace) {
    running.signal("KILL");
    running.end();
    workplace.finish();
}

#[test]
fn a_worker_told_to_leave_in_mid_epoch_loses_nothing() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut running = Running::start(workplace.study(2000));
    // Both workers are in the middle of their first execution.
    running.wait_for("epoch 2", 1);
    signal(running.workers()[0], "TERM");
    running.wait_for("was given back", 1);
    finish_after_kill(running, &workplace);
    let starts = starts(&workplace);
    assert!(starts.iter().any(|start| *start > (0, 0)), "{starts:?}");
    assert_same_results(&workplace, "SIGTERM");
    assert_nothing_is_left(&workplace);
}

#[test]
fn what_a_killed_worker_trained_is_gone_on_with_from_its_periodic_checkpoint() {
    let often = EXPERIMENT.replace("epochs: 4", "epochs: 4\n  checkpoint_minutes: 1.0e-6");
    let workplace = Workplace::new(&often);
    let mut running = Running::start(workplace.study(1000));
    // Both have handed in a checkpoint of the epoch before, at least.
    running.wait_for("epoch 3", 2);
    signal(running.workers()[0], "KILL");
    running.wait_for("lost its worker", 1);
    finish_after_kill(running, &workplace);
    let starts = starts(&workplace);
    assert!(!starts.is_empty(), "none went on from a checkpoint");
    let at_an_end = starts.iter().all(|(epoch, step)| (1..=3).contains(epoch) && *step == 0);
    assert!(at_an_end, "not at the end of an epoch: {starts:?}");
    assert_same_results(&workplace, "a killed worker");
    assert_nothing_is_left(&workplace);
    // How often checkpoints are made may change.
    std::fs::write(workplace.path("toy.yaml"), EXPERIMENT).expect("written");
    workplace.finish();
}

#[test]
fn a_trial_that_kills_its_worker_twice_has_failed_and_the_study_goes_on() {
    let workplace = Workplace::new(EXPERIMENT);
    // The first two worker processes die in training.
    let program = workplace.path("worker");
    let script = format!(
        "#!/bin/sh\n\
         if mkdir first 2>&- || mkdir second 2>&-; then\n\
         echo 'a kernel went wrong' >&2\n\
         exec '{worker}' \"$@\" --crash-after-epochs 1\n\
         fi\n\
         exec '{worker}' \"$@\"\n",
        worker = toy_worker().display()
    );
    std::fs::write(&program, script).expect("written");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, executable).expect("ours");
    let mut command = workplace.sweep(&["toy.yaml", "--local-workers", "1"]);
    command.arg("--worker-program").arg(&program);
    let output = command.output().expect("sweep starts");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let error = records(&workplace).into_iter().find_map(|record| match record {
        Record::TrialEnded { trial: TrialId(0), error, .. } => error,
        _ => None,
    });
    let error = error.expect("it has failed");
    let expected = "killed its worker twice: its process ended: signal: 6 (SIGABRT)";
    assert!(error.starts_with(expected), "{error}");
    assert!(error.ends_with("; the end of its log:\na kernel went wrong"), "{error}");
    let ended = records(&workplace)
        .into_iter()
        .filter(|record| matches!(record, Record::TrialEnded { state: TrialState::Completed, .. }));
    assert_eq!(ended.count(), 7);
}

#[test]
fn a_machine_on_which_worker_after_worker_dies_has_a_rest_and_the_study_goes_on() {
    let workplace = Workplace::new(EXPERIMENT);
    // Five deaths of three executions, of which two die twice.
    let program = workplace.path("worker");
    let script = format!(
        "#!/bin/sh\n\
         for death in 1 2 3 4 5; do\n\
         if mkdir $death 2>&-; then exec '{worker}' \"$@\" --crash-after-epochs 1; fi\n\
         done\n\
         exec '{worker}' \"$@\"\n",
        worker = toy_worker().display()
    );
    std::fs::write(&program, script).expect("written");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, executable).expect("ours");
    let mut command = workplace.sweep(&["toy.yaml", "--local-workers", "1", "--quarantine", "1"]);
    command.arg("--worker-program").arg(&program);
    let output = command.output().expect("sweep starts");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let told: Vec<&str> =
        stderr.lines().filter(|line| line.contains("gets no executions for 1 s")).collect();
    assert_eq!(told.len(), 1, "{stderr}");
    assert!(told[0].contains("warning: host "), "{stderr}");
    let expected = ", because 3 in a row failed there: its process ended: signal: 6 (SIGABRT)";
    assert!(told[0].contains(expected), "{stderr}");
    let ended = records(&workplace)
        .into_iter()
        .filter(|record| matches!(record, Record::TrialEnded { state: TrialState::Completed, .. }));
    assert_eq!(ended.count(), 6);
}

#[test]
fn an_interrupted_study_keeps_what_its_workers_trained() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut running = Running::start(workplace.study(2000));
    running.wait_for("epoch 2", 1);
    running.signal("INT");
    let (code, _, stderr) = running.end();
    assert_eq!(code, Some(130), "{stderr}");
    workplace.finish();
    assert!(!starts(&workplace).is_empty(), "it went on from checkpoints");
    assert_same_results(&workplace, "an interruption");
    assert_nothing_is_left(&workplace);
}

#[test]
fn a_killed_coordinator_goes_on_where_it_was() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut running = Running::start(workplace.study(30));
    running.wait_for("epoch", 20);
    running.signal("KILL");
    let (code, ..) = running.end();
    assert_eq!(code, None, "killed");

    let output = workplace.finish();
    let stdout = String::from_utf8(output.stdout).expect("text");
    assert!(stdout.contains("Showing 10 best trials"), "{stdout}");
    let attempts = attempts(&workplace);
    assert_eq!(attempts.len(), 16);
    let again = attempts.values().filter(|attempts| **attempts > 1).count();
    assert!(again <= 2, "only what was under way is done again: {attempts:?}");
    assert_same_results(&workplace, "a killed coordinator");
}

#[test]
fn coordinators_killed_again_and_again_lose_nothing() {
    let workplace = Workplace::new(EXPERIMENT);
    for epochs in [1, 2, 7, 9] {
        let mut running = Running::start(workplace.study(20));
        running.wait_for("epoch", epochs);
        running.signal("KILL");
        running.end();
    }
    workplace.finish();
    assert_same_results(&workplace, "four killed coordinators");
}

#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut running = Running::start(workplace.study(50));
    running.wait_for("epoch", 10);
    let workers = running.workers();
    running.signal("INT");
    let (code, _, stderr) = running.end();
    assert_eq!(code, Some(130), "{stderr}");
    assert!(stderr.contains("run the same command again to go on where it was"), "{stderr}");
    for worker in workers {
        assert!(!std::path::Path::new(&format!("/proc/{worker}")).exists(), "a worker is left");
    }
    assert_eq!(
        workplace.read("runs/toy/trials.csv").lines().next(),
        undisturbed().read("runs/toy/trials.csv").lines().next()
    );
    workplace.finish();
    assert_same_results(&workplace, "an interruption");
}

#[test]
fn a_finished_study_is_not_run_again() {
    let workplace = undisturbed();
    let trials = workplace.read("runs/toy/trials.csv");
    let output = workplace.finish();
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(stderr.contains("nothing is left to do"), "{stderr}");
    assert_eq!(workplace.read("runs/toy/trials.csv"), trials);
}

#[test]
fn files_left_by_a_kill_after_the_last_record_are_removed() {
    let workplace = undisturbed();
    let left =
        workplace.path("runs/toy/checkpoints/trial-7-execution-1-attempt-1-epoch-4.checkpoint");
    let foreign = workplace.path("runs/toy/checkpoints/notes.txt");
    for path in [&left, &foreign] {
        std::fs::write(path, "written before the kill").expect("the folder is there");
    }
    workplace.finish();
    assert!(!left.exists(), "no record names it");
    assert!(foreign.exists(), "it is somebody else's");
}

#[test]
fn a_run_directory_has_one_coordinator() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut running = Running::start(workplace.study(50));
    running.wait_for("epoch", 1);
    let second = workplace.study(0).output().expect("sweep starts");
    let stderr = String::from_utf8(second.stderr).expect("text");
    assert_eq!(second.status.code(), Some(2), "{stderr}");
    let expected = format!("runs/toy is in use by another sweep (process {})", running.child.id());
    assert!(stderr.contains(&expected), "{stderr}");
    running.signal("KILL");
    running.end();
}

#[test]
fn results_can_be_read_while_the_study_goes_on() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut running = Running::start(workplace.study(50));
    running.wait_for("epoch", 20);
    let output = workplace
        .sweep(&["results", "runs/toy", "--format", "json"])
        .output()
        .expect("sweep starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let results: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let trials = results["trials"].as_array().expect("trials");
    assert!(trials.iter().any(|trial| trial["state"] == "completed"), "{results}");
    // Between two trials none may be running.
    assert!(results["ended"].is_null() && trials.len() < 8, "{results}");
    running.signal("KILL");
    running.end();
}
