//! `best/`: the best network of a study so far, ready to be used.
//!
//! Workers' weights are staged, one file an attempt; the best attempt's are
//! published together with its hyperparameters and its network. The folder is
//! replaced as a whole, so a reader finds files of one attempt only. Only one
//! process may publish at a time: the one that holds the study's store.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::{WriteError, sync_folder, write_atomically};
use crate::space::HyperParameters;
use crate::study::{AttemptId, Objective, Study, Trial, TrialId};

/// The folder within the run directory.
const BEST: &str = "best";
/// Its files.
const WEIGHTS: &str = "weights.safetensors";
const HYPERPARAMETERS: &str = "hyperparameters.json";
const NETWORK: &str = "network.json";

/// A best network that could not be published; what was published before is
/// still there, whole.
#[derive(Debug, thiserror::Error)]
pub enum BestError {
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A folder or a staged file could not be handled.
    #[error("cannot {action} {}: {source}", path.display())]
    Path {
        /// For people: `read`, `replace`.
        action: &'static str,
        /// What it was about.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// `hyperparameters.json`: a file format, to which fields may be added.
#[derive(Serialize)]
struct Description<'a> {
    trial: TrialId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    execution: u32,
    attempt: u32,
    /// The best one by the objective. The weights are of this epoch, unless early
    /// stopping restores those of what it monitors.
    epoch: u32,
    objective: &'a Objective,
    /// The objective at that epoch.
    value: f64,
    /// The trial's score: the mean over its executions.
    score: Option<f64>,
    hyperparameters: &'a HyperParameters,
}

/// The best epoch of the best trial.
struct Best<'a> {
    trial: &'a Trial,
    id: AttemptId,
    epoch: u32,
    value: f64,
}

/// Name of the file in which an attempt's weights are staged.
#[must_use]
pub fn weights_file(id: AttemptId) -> String {
    let AttemptId { trial: TrialId(trial), execution, attempt } = id;
    format!("trial-{trial}-execution-{execution}-attempt-{attempt}.safetensors")
}

/// Brings `best/` up to date and removes staged weights that nobody needs.
///
/// `best/` holds `weights.safetensors`, if the best execution of the best trial
/// handed weights in, `hyperparameters.json`, and `network.json`. If it holds
/// that attempt already, it is left alone. Staged weights are kept for trials
/// that have not ended and for the attempt in `best/`.
///
/// - `weights`: folder of the staged weights, named by [`weights_file`]; may
///   be missing
/// - `directory`: the run directory
/// - `network`: the best trial's network as JSON
///
/// Returns the attempt in `best/`, or `None` when no trial has a score.
///
/// # Errors
///
/// What could not be written, read or replaced. The former `best/` is then
/// still there.
pub fn publish_best(
    study: &Study,
    weights: &Path,
    directory: &Path,
    network: Option<&str>,
) -> Result<Option<AttemptId>, BestError> {
    remove_leftovers(directory)?;
    let best = find_best(study);
    if let Some(best) = &best {
        let staged = weights.join(weights_file(best.id));
        let staged = staged.is_file().then_some(staged);
        if !is_published(best.id, staged.is_some(), &directory.join(BEST)) {
            publish(study, best, staged.as_deref(), directory, network)?;
        }
    }
    let id = best.map(|best| best.id);
    prune(study, weights, id)?;
    Ok(id)
}

/// The first of the executions of the best trial with the best objective.
fn find_best(study: &Study) -> Option<Best<'_>> {
    let objective = &study.settings.objective;
    let trial = study.best()?;
    let mut best: Option<Best<'_>> = None;
    for (execution, index) in trial.executions.iter().zip(0..) {
        // Executions of a trial that the oracle stopped need not have finished.
        if let Some(attempt) = execution.current()
            && let Some((measurement, value)) = attempt.best(objective)
            && best.as_ref().is_none_or(|known| objective.is_better(value, known.value))
        {
            let id = AttemptId { trial: trial.id, execution: index, attempt: attempt.number };
            best = Some(Best { trial, id, epoch: measurement.epoch, value });
        }
    }
    best
}

/// Whether `best/` holds that attempt, with its weights if there are any. A
/// description that cannot be read counts as none.
fn is_published(id: AttemptId, with_weights: bool, best: &Path) -> bool {
    let published = fs::read(best.join(HYPERPARAMETERS))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Published>(&bytes).ok());
    published.is_some_and(|published| published.id == id)
        && (!with_weights || best.join(WEIGHTS).is_file())
}

#[derive(Deserialize)]
struct Published {
    #[serde(flatten)]
    id: AttemptId,
}

fn publish(
    study: &Study,
    best: &Best<'_>,
    staged: Option<&Path>,
    directory: &Path,
    network: Option<&str>,
) -> Result<(), BestError> {
    let new = directory.join(format!("{BEST}.tmp-{}", std::process::id()));
    let done = fs::create_dir(&new)
        .map_err(failed("create", &new))
        .and_then(|()| fill(study, best, staged, &new, network))
        .and_then(|()| swap(&new, directory).map_err(failed("replace", &directory.join(BEST))));
    if done.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_dir_all(&new);
    }
    done
}

fn fill(
    study: &Study,
    best: &Best<'_>,
    staged: Option<&Path>,
    folder: &Path,
    network: Option<&str>,
) -> Result<(), BestError> {
    if let Some(staged) = staged {
        // A staged file never changes, so a second name for it is as good as a copy
        // and takes no space; not every file system has links.
        let target = folder.join(WEIGHTS);
        if fs::hard_link(staged, &target).is_err() {
            let mut source = fs::File::open(staged).map_err(failed("read", staged))?;
            write_atomically(&target, |file| io::copy(&mut source, file).map(|_| ()))?;
        }
    }
    let description = Description {
        trial: best.id.trial,
        name: best.trial.name.as_deref(),
        execution: best.id.execution,
        attempt: best.id.attempt,
        epoch: best.epoch,
        objective: &study.settings.objective,
        value: best.value,
        score: best.trial.score,
        hyperparameters: &best.trial.hyperparameters,
    };
    let description = serde_json::to_string_pretty(&description).expect("keys are strings");
    write_atomically(&folder.join(HYPERPARAMETERS), |file| writeln!(file, "{description}"))?;
    if let Some(network) = network {
        write_atomically(&folder.join(NETWORK), |file| file.write_all(network.as_bytes()))?;
    }
    Ok(())
}

/// Puts the new folder in the place of the old one. Between the two renames
/// there is none; a reader never sees a mix.
fn swap(new: &Path, directory: &Path) -> io::Result<()> {
    let current = directory.join(BEST);
    let old = directory.join(format!("{BEST}.old-{}", std::process::id()));
    let replaced = match fs::rename(&current, &old) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    if let Err(error) = fs::rename(new, &current) {
        if replaced {
            fs::rename(&old, &current)?;
        }
        return Err(error);
    }
    sync_folder(directory)?;
    if replaced { fs::remove_dir_all(&old) } else { Ok(()) }
}

/// Ends what a killed process began: restores a folder that it had renamed
/// away, and removes what it was building.
fn remove_leftovers(directory: &Path) -> Result<(), BestError> {
    let best = directory.join(BEST);
    for (name, path) in entries(directory)? {
        if name.starts_with("best.old-") && !best.exists() {
            fs::rename(&path, &best).map_err(failed("restore", &best))?;
        } else if name.starts_with("best.old-") || name.starts_with("best.tmp-") {
            fs::remove_dir_all(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(())
}

/// Removes staged weights of trials that have ended, except `keep`. Files with
/// other names, and of trials that this study does not know, are left alone.
fn prune(study: &Study, weights: &Path, keep: Option<AttemptId>) -> Result<(), BestError> {
    let removable: HashSet<String> = study
        .trials
        .iter()
        .filter(|trial| trial.has_ended())
        .flat_map(attempts)
        .filter(|id| Some(*id) != keep)
        .map(weights_file)
        .collect();
    for (name, path) in entries(weights)? {
        if removable.contains(&name) {
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
    }
    Ok(())
}

/// Every lease that a trial has had.
fn attempts(trial: &Trial) -> impl Iterator<Item = AttemptId> {
    trial.executions.iter().zip(0..).flat_map(move |(execution, index)| {
        execution.attempts.iter().map(move |attempt| AttemptId {
            trial: trial.id,
            execution: index,
            attempt: attempt.number,
        })
    })
}

/// Names and paths in a folder; none if it is missing.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, BestError> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("read", folder)(error)),
    };
    listed
        .map(|entry| {
            entry.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        })
        .collect::<io::Result<_>>()
        .map_err(failed("read", folder))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BestError + use<> {
    let path = path.to_owned();
    move |source| BestError::Path { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::busy_study;

    struct Run {
        folder: tempfile::TempDir,
        study: Study,
    }

    /// A run with staged weights for every attempt; a file's content is its name.
    fn run() -> Run {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let study = busy_study();
        let run = Run { folder, study };
        fs::create_dir(run.weights()).expect("made");
        for id in run.study.trials.iter().flat_map(attempts) {
            fs::write(run.weights().join(weights_file(id)), weights_file(id)).expect("written");
        }
        run
    }

    impl Run {
        fn weights(&self) -> PathBuf {
            self.folder.path().join("weights")
        }

        fn publish(&self) -> Option<AttemptId> {
            publish_best(&self.study, &self.weights(), self.folder.path(), Some("[]\n"))
                .expect("published")
        }

        fn names(&self, folder: &str) -> Vec<String> {
            let mut names: Vec<String> = entries(&self.folder.path().join(folder))
                .expect("readable")
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            names.sort();
            names
        }

        fn best(&self, name: &str) -> String {
            fs::read_to_string(self.folder.path().join(BEST).join(name)).expect("there")
        }
    }

    fn id(trial: u32, execution: u32, attempt: u32) -> AttemptId {
        AttemptId { trial: TrialId(trial), execution, attempt }
    }

    #[test]
    fn the_best_execution_of_the_best_trial_is_published() {
        let run = run();
        assert_eq!(run.publish(), Some(id(2, 1, 2)));
        assert_eq!(
            run.names("best"),
            ["hyperparameters.json", "network.json", "weights.safetensors"]
        );
        assert_eq!(run.best(WEIGHTS), "trial-2-execution-1-attempt-2.safetensors");
        assert_eq!(run.best(NETWORK), "[]\n");
        assert_eq!(
            run.best(HYPERPARAMETERS),
            r#"{
  "trial": 2,
  "execution": 1,
  "attempt": 2,
  "epoch": 2,
  "objective": {
    "metric": "val_accuracy",
    "direction": "max"
  },
  "value": 0.9375,
  "score": 0.875,
  "hyperparameters": {
    "units": 16,
    "lr": 0.05,
    "activation": "relu",
    "normalize": false,
    "depth": 4
  }
}
"#
        );
    }

    #[test]
    fn staged_weights_are_kept_for_the_best_attempt_and_for_trials_that_go_on() {
        let run = run();
        fs::write(run.weights().join("trial-9-execution-0-attempt-1.safetensors"), "")
            .expect("made");
        fs::write(run.weights().join("notes.txt"), "").expect("made");
        run.publish();
        assert_eq!(
            run.names("weights"),
            [
                "notes.txt",
                "trial-2-execution-1-attempt-2.safetensors",
                "trial-3-execution-0-attempt-1.safetensors",
                "trial-9-execution-0-attempt-1.safetensors",
            ]
        );
    }

    #[test]
    fn a_better_trial_replaces_the_whole_folder() {
        let mut run = run();
        run.publish();
        fs::write(run.folder.path().join("best").join("stray"), "").expect("made");
        assert_eq!(run.publish(), Some(id(2, 1, 2)));
        assert!(run.names("best").contains(&"stray".to_owned()), "nothing was done");

        run.study.trials[3] = run.study.trials[2].clone();
        run.study.trials[3].id = TrialId(3);
        run.study.trials[3].score = Some(0.95);
        assert_eq!(run.publish(), Some(id(3, 1, 2)));
        // The worker handed in no weights for that attempt.
        assert_eq!(run.names("best"), ["hyperparameters.json", "network.json"]);
        assert_eq!(run.names(""), ["best", "weights"]);
        assert_eq!(run.names("weights"), [""; 0]);
    }

    #[test]
    fn weights_that_come_later_are_published_later() {
        let run = run();
        let staged = run.weights().join(weights_file(id(2, 1, 2)));
        fs::remove_file(&staged).expect("removed");
        run.publish();
        assert_eq!(run.names("best"), ["hyperparameters.json", "network.json"]);
        fs::write(&staged, "late").expect("written");
        run.publish();
        assert_eq!(run.best(WEIGHTS), "late");
    }

    #[test]
    fn nothing_is_published_before_there_is_a_score() {
        let mut run = run();
        run.study.trials.truncate(2);
        run.study.trials[0].score = None;
        assert_eq!(run.publish(), None);
        assert_eq!(run.names(""), ["weights"]);
        fs::remove_dir_all(run.weights()).expect("removed");
        assert_eq!(run.publish(), None);
    }

    #[test]
    fn what_a_killed_process_left_is_mended() {
        let run = run();
        run.publish();
        let path = |name: &str| run.folder.path().join(name);
        fs::rename(path("best"), path("best.old-1")).expect("renamed");
        fs::create_dir(path("best.tmp-1")).expect("made");
        fs::remove_dir_all(run.weights()).expect("removed");
        run.publish();
        assert_eq!(run.names(""), ["best"]);
        assert_eq!(run.best(WEIGHTS), "trial-2-execution-1-attempt-2.safetensors");
    }

    #[test]
    fn a_description_that_cannot_be_read_is_replaced() {
        let run = run();
        run.publish();
        fs::write(run.folder.path().join(BEST).join(HYPERPARAMETERS), "{").expect("written");
        run.publish();
        assert!(run.best(HYPERPARAMETERS).contains("\"trial\": 2"));
    }
}
