//! `best/`: the best networks of a study so far, ready to be used.
//!
//! Workers' weights are staged, one file an attempt; the best attempt's are
//! published together with its hyperparameters and its network. Where more than
//! one model is kept, those of the second best trial are in `best/2`, and so on.
//! The folder is replaced as a whole, so that a reader never finds files of
//! several attempts side by side, nor a trial twice. Only one process may publish
//! at a time: the one that holds the study's store.

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

/// What to keep of the best trials.
pub struct Models<'a> {
    /// Of how many trials; at least 1.
    pub count: u32,
    /// A trial's network as JSON, for `network.json`.
    pub network: &'a dyn Fn(&Trial) -> String,
}

/// The best epoch of one of the best trials.
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
/// handed weights in, `hyperparameters.json`, and `network.json`; `best/2` and so
/// on hold the same of the trials after it. If it holds those attempts already,
/// it is left alone. Staged weights are kept for trials that have not ended and
/// for the attempts in `best/`.
///
/// - `weights`: folder of the staged weights, named by [`weights_file`]; may
///   be missing
/// - `directory`: the run directory
///
/// Returns the attempts in `best/`, best first; none when no trial has a score.
///
/// # Errors
///
/// What could not be written, read or replaced. The former `best/` is then
/// still there.
pub fn publish_best(
    study: &Study,
    weights: &Path,
    directory: &Path,
    models: &Models<'_>,
) -> Result<Vec<AttemptId>, BestError> {
    remove_leftovers(directory)?;
    let ranked = study.ranked().into_iter().take(models.count.max(1) as usize);
    let best: Vec<Best<'_>> = ranked.filter_map(|trial| best_of(trial, study)).collect();
    if !best.is_empty() && !are_published(&best, weights, &directory.join(BEST)) {
        publish(study, &best, weights, directory, models)?;
    }
    let ids: Vec<AttemptId> = best.into_iter().map(|best| best.id).collect();
    prune(study, weights, &ids)?;
    Ok(ids)
}

/// The first of a trial's executions with the best objective.
fn best_of<'a>(trial: &'a Trial, study: &Study) -> Option<Best<'a>> {
    let objective = &study.settings.objective;
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

/// The folder of the model of this rank, from 0.
fn folder_of(rank: usize, best: &Path) -> PathBuf {
    if rank == 0 { best.to_owned() } else { best.join((rank + 1).to_string()) }
}

/// The staged weights of an attempt, if it handed some in.
fn staged(id: AttemptId, weights: &Path) -> Option<PathBuf> {
    let staged = weights.join(weights_file(id));
    staged.is_file().then_some(staged)
}

/// Whether `best/` holds these attempts, each with its weights if there are any,
/// and no more.
fn are_published(best: &[Best<'_>], weights: &Path, folder: &Path) -> bool {
    let is_there = |(rank, best): (usize, &Best<'_>)| {
        is_published(best.id, staged(best.id, weights).is_some(), &folder_of(rank, folder))
    };
    best.iter().enumerate().all(is_there) && !folder_of(best.len(), folder).exists()
}

/// Whether a folder holds that attempt, with its weights if there are any. A
/// description that cannot be read counts as none.
fn is_published(id: AttemptId, with_weights: bool, folder: &Path) -> bool {
    let published = fs::read(folder.join(HYPERPARAMETERS))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Published>(&bytes).ok());
    published.is_some_and(|published| published.id == id)
        && (!with_weights || folder.join(WEIGHTS).is_file())
}

#[derive(Deserialize)]
struct Published {
    #[serde(flatten)]
    id: AttemptId,
}

fn publish(
    study: &Study,
    best: &[Best<'_>],
    weights: &Path,
    directory: &Path,
    models: &Models<'_>,
) -> Result<(), BestError> {
    let new = directory.join(format!("{BEST}.tmp-{}", std::process::id()));
    let done = best
        .iter()
        .enumerate()
        .try_for_each(|(rank, best)| {
            let folder = folder_of(rank, &new);
            fs::create_dir(&folder).map_err(failed("create", &folder))?;
            let staged = staged(best.id, weights);
            fill(study, best, staged.as_deref(), &folder, &(models.network)(best.trial))
        })
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
    network: &str,
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
    write_atomically(&folder.join(NETWORK), |file| file.write_all(network.as_bytes()))?;
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
fn prune(study: &Study, weights: &Path, keep: &[AttemptId]) -> Result<(), BestError> {
    let removable: HashSet<String> = study
        .trials
        .iter()
        .filter(|trial| trial.has_ended())
        .flat_map(attempts)
        .filter(|id| !keep.contains(id))
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
            self.publish_some(1).first().copied()
        }

        fn publish_some(&self, count: u32) -> Vec<AttemptId> {
            let models = Models { count, network: &|trial| format!("[{}]\n", trial.id.0) };
            publish_best(&self.study, &self.weights(), self.folder.path(), &models)
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
        assert_eq!(run.best(NETWORK), "[2]\n");
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
        run.study.count();
        assert_eq!(run.publish(), Some(id(3, 1, 2)));
        // The worker handed in no weights for that attempt.
        assert_eq!(run.names("best"), ["hyperparameters.json", "network.json"]);
        assert_eq!(run.names(""), ["best", "weights"]);
        assert_eq!(run.names("weights"), [""; 0]);
    }

    #[test]
    fn as_many_models_are_kept_as_wanted() {
        let mut run = run();
        assert_eq!(run.publish_some(3), [id(2, 1, 2), id(0, 0, 1)], "two have a score");
        let files = ["hyperparameters.json", "network.json", "weights.safetensors"];
        assert_eq!(run.names("best"), [&["2"][..], &files].concat());
        assert_eq!(run.names("best/2"), files);
        assert_eq!(run.best("weights.safetensors"), weights_file(id(2, 1, 2)));
        assert_eq!(run.best("2/weights.safetensors"), weights_file(id(0, 0, 1)));
        assert_eq!(run.best("2/network.json"), "[0]\n");
        let staged = [id(0, 0, 1), id(2, 1, 2), id(3, 0, 1)].map(weights_file);
        assert_eq!(run.names("weights"), staged, "those of a trial that goes on too");

        // Another one gets in between.
        run.study.trials[3] = run.study.trials[0].clone();
        run.study.trials[3].id = TrialId(3);
        run.study.trials[3].score = Some(0.87);
        run.study.count();
        assert_eq!(run.publish_some(2), [id(2, 1, 2), id(3, 0, 1)]);
        assert_eq!(run.best("2/weights.safetensors"), weights_file(id(3, 0, 1)));
        assert_eq!(run.names("weights"), [id(2, 1, 2), id(3, 0, 1)].map(weights_file));

        // Fewer are wanted.
        assert_eq!(run.publish_some(1), [id(2, 1, 2)]);
        assert_eq!(run.names("best"), files);
        assert_eq!(run.names("weights"), [weights_file(id(2, 1, 2))]);
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
        run.study.count();
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
