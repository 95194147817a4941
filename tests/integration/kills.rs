//! Workers and coordinators that are killed: nothing is lost, nothing counts twice.

use std::collections::BTreeMap;

use crate::support::{EXPERIMENT, Running, Workplace, signal};

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
    assert!(trials.iter().any(|trial| trial["state"] == "running"), "{results}");
    running.signal("KILL");
    running.end();
}
