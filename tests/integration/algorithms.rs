//! Every algorithm to its end: under one, two and eight workers, and through a
//! killed coordinator.

use crate::support::{EXPERIMENT, Running, Workplace};

/// How a study may go.
#[derive(Debug, Clone, Copy)]
enum Course {
    Workers(u32),
    KilledCoordinator,
}

const COURSES: [Course; 4] =
    [Course::Workers(1), Course::Workers(2), Course::Workers(8), Course::KilledCoordinator];

/// A small finite space with a condition, for algorithms that count.
const SPACE: &str = "space:
  units: {int: [4, 12], step: 4, default: 8}
  activation: {choice: [relu, tanh]}
  learning_rate: {float: [1.0e-4, 1.0e-2], sampling: log, step: 10, when: {activation: relu}}
";

/// The usual experiment with another `search:` line, and perhaps another space.
fn experiment(search: &str, space: Option<&str>) -> String {
    let old = "search: {algorithm: random, max_trials: 8, executions_per_trial: 2, seed: 3}";
    assert!(EXPERIMENT.contains(old));
    let text = EXPERIMENT.replace(old, search);
    let Some(space) = space else { return text };
    let (start, end) = (text.find("space:"), text.find("data:"));
    let (Some(start), Some(end)) = (start, end) else { panic!("two sections") };
    let text = format!("{}{space}{}", &text[..start], &text[end..]);
    // A rate that may be absent cannot stand in the optimizer.
    text.replace("optimizer: {adam: {learning_rate: $learning_rate}}", "optimizer: adam")
}

/// Runs a study on a course to its good end.
fn run(experiment: &str, course: Course) -> Workplace {
    let workplace = Workplace::new(experiment);
    match course {
        Course::Workers(workers) => workplace.finish_with(workers),
        Course::KilledCoordinator => {
            for epochs in [3, 9] {
                let mut running = Running::start(workplace.study(20));
                running.wait_for("epoch", epochs);
                running.signal("KILL");
                running.end();
            }
            workplace.finish_with(2)
        }
    };
    workplace
}

/// Columns of the trials table.
fn column(workplace: &Workplace, name: &str) -> Vec<String> {
    let text = workplace.read("runs/toy/trials.csv");
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let index = header.iter().position(|known| *known == name);
    let index = index.unwrap_or_else(|| panic!("no column {name} in {header:?}"));
    lines.map(|row| row[index].to_owned()).collect()
}

/// The same tables whatever the course.
fn assert_independent(search: &str, space: Option<&str>, trials: usize) {
    let experiment = experiment(search, space);
    let mut expected = None;
    for course in COURSES {
        let workplace = run(&experiment, course);
        let table = workplace.settled("trials.csv");
        assert_eq!(table.lines().count(), trials + 1, "{course:?}: {table}");
        let expected = expected.get_or_insert_with(|| table.clone());
        assert_eq!(*expected, table, "{course:?}");
    }
}

/// Ends with so many trials, all of which have a score, on every course.
fn assert_ends(search: &str, trials: usize) -> Vec<Workplace> {
    let experiment = experiment(search, None);
    COURSES
        .map(|course| {
            let workplace = run(&experiment, course);
            let scores = column(&workplace, "score");
            assert_eq!(scores.len(), trials, "{course:?}");
            assert!(scores.iter().all(|score| score.parse::<f64>().is_ok()), "{scores:?}");
            workplace
        })
        .into()
}

#[test]
fn random_proposes_the_same_on_every_course() {
    let search = "search: {algorithm: random, max_trials: 8, executions_per_trial: 2, seed: 3}";
    assert_independent(search, None, 8);
}

#[test]
fn grid_goes_through_the_whole_space_on_every_course() {
    // 3 units × (relu with 3 rates, or tanh).
    assert_independent("search: {algorithm: grid, seed: 3}", Some(SPACE), 12);
}

#[test]
fn list_tries_what_the_file_lists_on_every_course() {
    let search = "search:
  algorithm: list
  executions_per_trial: 2
  trials:
    small: {units: 4, activation: tanh}
    large: {units: 12, activation: relu, learning_rate: 1.0e-3}";
    assert_independent(search, Some(SPACE), 2);
}

#[test]
fn hyperband_promotes_through_all_brackets() {
    // Four epochs by halves: 4, 2 and 1 trials; 3 and 2; 3.
    let search = "search: {algorithm: hyperband, factor: 2, executions_per_trial: 2, seed: 3}";
    for workplace in assert_ends(search, 15) {
        let promoted = column(&workplace, "promoted_from");
        assert_eq!(promoted.iter().filter(|from| !from.is_empty()).count(), 5, "{promoted:?}");
        let left = std::fs::read_dir(workplace.path("runs/toy/checkpoints"));
        assert_eq!(left.map_or(0, Iterator::count), 0, "no checkpoint is left");
    }
}

#[test]
fn tpe_runs_to_its_end() {
    let search = "search: {algorithm: tpe, startup_trials: 4, max_trials: 12, seed: 3}";
    assert_ends(search, 12);
}

#[test]
fn bayesian_runs_to_its_end() {
    let search = "search: {algorithm: bayesian, initial_points: 4, max_trials: 10, seed: 3}";
    assert_ends(search, 10);
}

#[test]
fn asha_stops_trials_and_keeps_their_scores() {
    let search = "search: {algorithm: random, max_trials: 16, seed: 3, stopping: asha}";
    for workplace in assert_ends(search, 16) {
        let states = column(&workplace, "state");
        assert!(states.iter().any(|state| state == "stopped"), "{states:?}");
        assert!(states.iter().any(|state| state == "completed"), "{states:?}");
    }
}
