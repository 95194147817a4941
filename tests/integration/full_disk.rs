//! A disk that fills up: what was acknowledged is kept, the message says what to
//! do, and once there is space the same command goes on.
//!
//! Here no file may grow beyond a limit, which needs no rights; `scripts/chaos
//! --full-disk` does the same on a file system of its own.

use std::process::{Command, Stdio};

use sweep::store::Store;
use sweep::study::Record;

use crate::support::{EXPERIMENT, Workplace};

/// The same command, none of whose files may be longer than so many bytes.
fn limited(command: &Command, bytes: u64) -> Command {
    let mut limited = Command::new("sh");
    // In blocks of 512 bytes. Ignored, the signal gives way to an error.
    limited
        .args(["-c", r#"trap '' XFSZ; ulimit -f "$0"; exec "$@""#])
        .arg((bytes / 512).to_string())
        .arg(command.get_program())
        .args(command.get_args())
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null());
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    limited
}

/// Numbers of the trials that have ended, by the store.
fn ended(workplace: &Workplace) -> Vec<u32> {
    let store = Store::open_to_read(&workplace.path("runs/toy/study.db")).expect("a store");
    let records = store.records().expect("readable");
    let ended = records.into_iter().filter_map(|stamped| match stamped.record {
        Record::TrialEnded { trial, .. } => Some(trial.0),
        _ => None,
    });
    ended.collect()
}

#[test]
fn a_full_disk_ends_the_run_and_loses_nothing() {
    let undisturbed = Workplace::new(EXPERIMENT);
    undisturbed.finish();
    let workplace = Workplace::new(EXPERIMENT);
    let mut stops = 0;
    for limit in (200_000..).step_by(150_000) {
        let output = limited(&workplace.study(0), limit).output().expect("sh starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            break;
        }
        stops += 1;
        assert_eq!(output.status.code(), Some(4), "{stderr}");
        assert!(stderr.contains("error: the study's store cannot be used: "), "{stderr}");
        let hint = "hint: what was acknowledged is kept; free space on its disk, and run the \
                    same command again";
        assert!(stderr.trim_end().ends_with(hint), "{stderr}");
        // A line is shown only once what it says is on disk.
        let ended = ended(&workplace);
        for trial in 0..8 {
            let is_shown = stderr.contains(&format!("Trial {trial} Complete"));
            assert!(!is_shown || ended.contains(&trial), "trial {trial} was lost: {stderr}");
        }
    }
    assert!(stops > 0, "the disk was never full");
    for table in ["trials.csv", "executions.csv", "measurements.csv"] {
        assert_eq!(workplace.settled(table), undisturbed.settled(table), "{table}");
    }
}
