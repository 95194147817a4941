//! The cache under several processes, killed ones among them, and `sweep cache`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{EXPERIMENT, Running, Workplace, signal};

/// Long enough for another process to come in between.
fn experiment() -> String {
    EXPERIMENT.replace("clips: 6, seconds: 0.5", "clips: 60, seconds: 2")
}

/// `sweep` with a cache of its own.
fn sweep(workplace: &Workplace, arguments: &[&str]) -> Command {
    let mut command = workplace.sweep(arguments);
    command.env("SWEEP_CACHE", workplace.path("cache"));
    command
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn run(workplace: &Workplace, arguments: &[&str]) -> String {
    stdout(&sweep(workplace, arguments).output().expect("sweep starts"))
}

/// Whether `sweep prepare` has made what it tells of, or found it.
fn made_now(told: &str) -> bool {
    let made = told.lines().find_map(|line| line.strip_prefix("made ")).expect("it tells");
    made.trim().starts_with("now")
}

/// Names in a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("there").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn two_processes_prepare_the_same_once() {
    let workplace = Workplace::new(&experiment());
    let start = || Running::start(sweep(&workplace, &["prepare", "toy.yaml"]));
    let both = [start(), start()].map(Running::end);
    let mut made = Vec::new();
    for (code, stdout, stderr) in &both {
        assert_eq!(*code, Some(0), "{stderr}");
        made.push(made_now(stdout));
    }
    made.sort_unstable();
    assert_eq!(made, [false, true]);
    assert_eq!(names(&workplace.path("cache/datasets")).len(), 1);
    assert_eq!(names(&workplace.path("cache/synthetic")).len(), 1);
}

#[test]
fn what_a_killed_process_leaves_is_made_anew_and_removed() {
    let workplace = Workplace::new(&experiment());
    let mut running = Running::start(sweep(&workplace, &["prepare", "toy.yaml"]));
    running.wait_for("computing features: 0 of", 1);
    running.signal("KILL");
    let (code, _, _) = running.end();
    assert_eq!(code, None);
    let datasets = workplace.path("cache/datasets");
    let left = names(&datasets);
    assert!(matches!(left.as_slice(), [only] if only.starts_with(".staging-")), "{left:?}");
    let listed = run(&workplace, &["cache"]);
    assert!(listed.contains("(unfinished)"), "{listed}");

    let text = run(&workplace, &["prepare", "toy.yaml"]);
    assert!(made_now(&text), "{text}");
    let there = names(&datasets);
    assert!(matches!(there.as_slice(), [only] if only.len() == 64), "{there:?}");
    assert!(!made_now(&run(&workplace, &["prepare", "toy.yaml"])));

    // As a process without a kill makes it.
    let other = Workplace::new(&experiment());
    run(&other, &["prepare", "toy.yaml"]);
    let folder = |workplace: &Workplace| workplace.path("cache/datasets").join(&there[0]);
    for file in ["x.npy", "y.npy", "groups.npy", "train.npy", "tracks.json", "manifest.json"] {
        let read = |workplace| fs::read(folder(workplace).join(file)).expect("a file");
        assert!(read(&workplace) == read(&other), "{file}");
    }
}

#[test]
fn the_cache_is_listed_and_pruned() {
    let workplace = Workplace::new(EXPERIMENT);
    let cache = workplace.path("cache");
    let empty = run(&workplace, &["cache"]);
    assert_eq!(empty, format!("0 (0 B) in {}\n", cache.display()));
    run(&workplace, &["prepare", "toy.yaml"]);
    let listed = run(&workplace, &["cache", "list"]);
    assert_eq!(run(&workplace, &["cache"]), listed);
    let lines: Vec<Vec<&str>> =
        listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 5, "{listed}");
    assert_eq!(
        lines[0],
        ["dataset", "size", "made", "last", "used", "source", "classes", "examples"]
    );
    let dataset = lines.iter().find(|line| line.contains(&"synthetic")).expect("a dataset");
    assert_eq!(dataset[dataset.len() - 3..], ["synthetic", "2", "12"]);
    assert!(listed.contains("(recordings)"), "{listed}");

    let kept = run(&workplace, &["cache", "prune", "--older-than", "1d", "--max-size", "1GB"]);
    assert!(kept.starts_with("0 (0 B) removed, 2 ("), "{kept}");
    let would = run(&workplace, &["cache", "prune", "--all", "--dry-run"]);
    assert_eq!(would.lines().filter(|line| line.starts_with("would remove ")).count(), 2);
    assert_eq!(run(&workplace, &["cache"]), listed);
    let gone = run(&workplace, &["cache", "prune", "--max-size", "0"]);
    assert!(gone.contains("2 (") && gone.contains(") removed, 0 (0 B) kept in "), "{gone}");
    assert_eq!(run(&workplace, &["cache"]), empty);
    assert!(names(&cache.join("locks")).is_empty());
}

#[test]
fn what_a_study_trains_on_stays() {
    let workplace = Workplace::new(EXPERIMENT);
    let mut command = workplace.study(100);
    command.env("SWEEP_CACHE", workplace.path("cache"));
    let mut running = Running::start(command);
    running.wait_for("epoch", 1);
    let listed = run(&workplace, &["cache"]);
    assert!(listed.contains("in use"), "{listed}");
    let pruned = run(&workplace, &["cache", "prune", "--all"]);
    assert!(pruned.contains("1 (") && pruned.contains(" kept in "), "{pruned}");
    assert_eq!(names(&workplace.path("cache/datasets")).len(), 1);
    signal(running.child.id(), "INT");
    running.end();
    run(&workplace, &["cache", "prune", "--all"]);
    assert_eq!(names(&workplace.path("cache/datasets")).len(), 0);
}
