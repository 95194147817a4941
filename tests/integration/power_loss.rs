//! Run directories as a loss of power leaves them: half-written files are ignored
//! or removed, a torn log costs nothing that was acknowledged, and a database that
//! was altered is refused and left alone.

use std::fs;

use crate::support::{EXPERIMENT, Running, Workplace};

const LOG: &str = "runs/toy/study.db-wal";
const DATABASE: &str = "runs/toy/study.db";

/// A study whose coordinator was killed after so many epochs, with its log.
fn killed(epochs: usize) -> Workplace {
    let workplace = Workplace::new(EXPERIMENT);
    let mut running = Running::start(workplace.study(20));
    running.wait_for("epoch", epochs);
    running.signal("KILL");
    running.end();
    workplace
}

fn assert_as_undisturbed(workplace: &Workplace) {
    let undisturbed = Workplace::new(EXPERIMENT);
    undisturbed.finish();
    for table in ["trials.csv", "executions.csv", "measurements.csv"] {
        assert_eq!(workplace.settled(table), undisturbed.settled(table), "{table}");
    }
}

#[test]
fn half_written_files_are_ignored_or_removed() {
    let workplace = killed(12);
    let removed = [
        "weights/trial-0-execution-0-attempt-1.safetensors.0000000100000002.tmp",
        "checkpoints/trial-0-execution-0-attempt-1-epoch-2.checkpoint.0000000100000003.tmp",
        "best.tmp-4/hyperparameters.json",
        "study.db-shm",
    ];
    let ignored = [".experiment.yaml.tmp-4-0", ".trials.csv.tmp-4-1"];
    for name in removed.iter().chain(&ignored) {
        let path = workplace.path(&format!("runs/toy/{name}"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, "half of it").expect("written");
    }
    workplace.finish();
    assert_as_undisturbed(&workplace);
    for name in removed {
        assert!(!workplace.path(&format!("runs/toy/{name}")).exists(), "{name} is left");
    }
}

#[test]
fn a_torn_log_costs_only_what_is_trained_again() {
    let workplace = killed(20);
    let log = fs::read(workplace.path(LOG)).expect("a killed coordinator leaves its log");
    let (whole, torn) = log.split_at(log.len() - log.len() / 3 - 77);
    // A disk whose pages were not written yet reads as zeros.
    let log = [whole, &vec![0; torn.len()]].concat();
    fs::write(workplace.path(LOG), log).expect("written");
    workplace.finish();
    assert_as_undisturbed(&workplace);
}

#[test]
fn an_altered_database_is_refused_and_left_alone() {
    let workplace = Workplace::new(EXPERIMENT);
    workplace.finish();
    let mut database = fs::read(workplace.path(DATABASE)).expect("there");
    // Everywhere, as some of the file is not in use.
    let digits = b"\"epoch\":2";
    for start in 0..database.len() - digits.len() {
        if database[start..].starts_with(digits) {
            database[start + digits.len() - 1] = b'3';
        }
    }
    fs::write(workplace.path(DATABASE), &database).expect("written");
    for command in [workplace.study(0), workplace.sweep(&["results", "runs/toy"])] {
        let mut command = command;
        let output = command.output().expect("sweep starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{stderr}");
        assert!(stderr.contains("is not what was written: the file is damaged"), "{stderr}");
        assert!(stderr.contains("hint: nothing in it was changed; put a copy"), "{stderr}");
        let now = fs::read(workplace.path(DATABASE)).expect("there");
        assert!(now == database, "the file was changed");
    }
}
