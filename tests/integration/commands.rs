//! What the commands print, and their exit codes.
//!
//! Most are snapshots in `commands/*.trycmd`, each a page that reads like a
//! terminal. Those that need a run directory or a worker are here.

use std::net::TcpListener;

use crate::support::{EXPERIMENT, Running, Workplace, toy_worker};

#[test]
fn commands_print_what_they_should() {
    trycmd::TestCases::new().case("tests/integration/commands/*.trycmd");
}

/// Exit code and stderr of a study.
pub(crate) fn outcome(workplace: &Workplace, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = workplace.study(0);
    let output = command.args(arguments).output().expect("sweep starts");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

/// The error and its hint, without the progress before it.
pub(crate) fn error(stderr: &str) -> &str {
    stderr.find("error: ").map_or(stderr, |start| &stderr[start..])
}

#[test]
fn a_run_of_another_experiment_is_not_touched() {
    let workplace = Workplace::new(EXPERIMENT);
    workplace.finish();
    let trials = workplace.read("runs/toy/trials.csv");
    let changes = ["--set", "search.seed=4", "--set", "space.units={int: [4, 32]}"];
    let (code, stderr) = outcome(&workplace, &changes);
    assert_eq!(code, Some(2));
    assert_eq!(
        error(&stderr),
        "error: runs/toy was made by a different experiment:\n\
         search.seed: 3 in the run, 4 now\n\
         space.units.int[1]: 64 in the run, 32 now\n\n\
         hint: give this one another `study:` name, or `--overwrite` to delete the earlier run\n"
    );
    assert_eq!(workplace.read("runs/toy/trials.csv"), trials);

    let (code, stderr) = outcome(&workplace, &["--set", "search.seed=4", "--overwrite"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_ne!(workplace.read("runs/toy/trials.csv"), trials);
}

#[test]
fn more_trials_go_on_where_the_study_ended() {
    let workplace = Workplace::new(EXPERIMENT);
    workplace.finish();
    let (code, stderr) = outcome(&workplace, &["--set", "search.max_trials=16"]);
    assert_eq!(code, Some(0), "{stderr}");
    let results = workplace.sweep(&["results", "runs/toy"]).output().expect("sweep starts");
    let results = String::from_utf8(results.stdout).expect("text");
    assert!(results.contains("Ended: all 16 trials have ended"), "{results}");
    let uninterrupted = Workplace::new(&EXPERIMENT.replace("max_trials: 8", "max_trials: 16"));
    uninterrupted.finish();
    assert_eq!(workplace.settled("trials.csv"), uninterrupted.settled("trials.csv"));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let (code, stderr) = outcome(&Workplace::new(EXPERIMENT), &["--listen", &address]);
    assert_eq!(code, Some(2));
    assert_eq!(
        error(&stderr),
        format!(
            "error: cannot listen on {address}: Address already in use (os error 98)\n\n\
             hint: choose another port with --listen, or leave it out for a free one\n"
        )
    );
    let (code, stderr) = outcome(&Workplace::new(EXPERIMENT), &["--metrics", &address]);
    assert_eq!(code, Some(2));
    assert_eq!(
        error(&stderr),
        format!(
            "error: cannot serve metrics on {address}: Address already in use (os error 98)\n\n\
             hint: choose another port with --metrics\n"
        )
    );
}

#[test]
fn a_worker_program_that_dies_at_once_ends_the_run() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut command = workplace.sweep(&["toy.yaml", "--worker-program", "/bin/false"]);
    let output = command.output().expect("sweep starts");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("the worker program /bin/false ended 3 times at once (exit status: 1)"),
        "{stderr}"
    );

    let mut command = workplace.sweep(&["toy.yaml", "--worker-program", "nowhere/worker"]);
    let output = command.output().expect("sweep starts");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("there is no worker program nowhere/worker"), "{stderr}");
}

#[test]
fn what_needs_workers_of_other_machines_is_refused_without_them() {
    let workplace = Workplace::new(EXPERIMENT);
    for (option, value, problem) in [
        ("--local-workers", "0", "--local-workers 0 leaves nobody to train"),
        ("--wait-for-memory", "9", "--wait-for-memory: no larger worker can join"),
    ] {
        let mut command = workplace.sweep(&["toy.yaml", option, value]);
        let output = command.output().expect("sweep starts");
        assert_eq!(output.status.code(), Some(2));
        let expected =
            format!("error: {problem}\n\nhint: let others join with --listen 127.0.0.1:7077\n");
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
    }
}

/// A convolution whose kernel is searched; the input is 8 × 16.
fn with_kernel(values: &str) -> String {
    EXPERIMENT
        .replace(
            "  units: {int: [4, 64]}",
            &format!("  units: {{int: [4, 64]}}\n  kernel: {{choice: {values}}}"),
        )
        .replace("  - flatten", "  - conv2d: {filters: 2, kernel: $kernel}\n  - flatten")
}

#[test]
fn impossible_networks_are_infeasible_trials() {
    let workplace = Workplace::new(&with_kernel("[3, 9]"));
    workplace.finish();
    let trials = workplace.read("runs/toy/trials.csv");
    let infeasible: Vec<&str> =
        trials.lines().filter(|line| line.contains(",infeasible,")).collect();
    assert!(!infeasible.is_empty() && infeasible.len() < 8, "{trials}");
    for line in infeasible {
        assert!(
            line.contains("layer 1 `conv2d`: kernel (9, 9) is larger than its input (8, 16, 1)"),
            "{line}"
        );
    }

    let workplace = Workplace::new(&with_kernel("[9, 10]"));
    let (code, stderr) = outcome(&workplace, &[]);
    assert_eq!(code, Some(2), "no assignment works: {stderr}");
    assert!(!workplace.path("runs").exists(), "nothing was started");
}

#[test]
fn a_study_without_a_completed_trial_says_so() {
    // The toy worker never reports this metric.
    let experiment =
        EXPERIMENT.replace("val_accuracy", "val_auc").replace("executions_per_trial: 2, ", "");
    let workplace = Workplace::new(&experiment);
    let (code, stderr) = outcome(&workplace, &[]);
    assert_eq!(code, Some(3), "{stderr}");
    assert_eq!(
        error(&stderr),
        "error: no trial completed: the objective `val_auc` is not among the metrics (loss, \
         accuracy, val_loss, val_accuracy)\n\nhint: see runs/toy/trials.csv\n"
    );
    let trials = workplace.read("runs/toy/trials.csv");
    assert_eq!(trials.lines().filter(|line| line.contains(",failed,")).count(), 3, "{trials}");
}

#[test]
fn a_worker_of_elsewhere_can_join() {
    let workplace = Workplace::new(EXPERIMENT);
    let arguments = ["toy.yaml", "--listen", "127.0.0.1:0", "--local-workers", "0"];
    let mut command = workplace.sweep(&arguments);
    command.arg("--worker-program").arg(toy_worker());
    let mut running = Running::start(command);
    let line = running.wait_for("workers join with: sweep worker --coordinator ", 1);
    let (_, address) = line.trim_end().rsplit_once(' ').expect("it ends with the address");
    let worker = std::process::Command::new(toy_worker())
        .args(["--coordinator", address, "--name", "elsewhere"])
        .output()
        .expect("the worker starts");
    assert!(worker.status.success(), "{}", String::from_utf8_lossy(&worker.stderr));
    let (code, _, stderr) = running.end();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(workplace.read("runs/toy/trials.csv").contains(",elsewhere,"));
}
