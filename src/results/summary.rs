//! A study's results in words.
//!
//! [`results_summary`] is byte for byte Keras Tuner 1.4.8's
//! `tuner.results_summary()`; [`study_summary`] says what that leaves out: how
//! many trials came to what end, the best one, and why the study is over.

use std::fmt::Write;
use std::path::Path;

use super::facts::{
    ExecutionState, best_trials, counted, ended_reason, execution_state, trial_seconds,
};
use super::time::duration;
use crate::space::value::python_float;
use crate::study::{Study, TrialState};

/// The `top` best trials, as Keras Tuner prints them: first those with a score,
/// best first, then, where there is room, the others with their errors. Ends
/// with a line break.
///
/// - `directory`: the run directory, for the line that names it
#[must_use]
pub fn results_summary(study: &Study, top: usize, directory: &Path) -> String {
    let objective = &study.settings.objective;
    let mut lines = vec![
        "Results summary".to_owned(),
        format!("Results in {}", directory.display()),
        format!("Showing {top} best trials"),
        format!("Objective(name=\"{}\", direction=\"{}\")", objective.metric, objective.direction),
    ];
    for trial in best_trials(study, top) {
        lines.push(String::new());
        lines.push(format!("Trial {} summary", study.display_id(trial.id)));
        lines.push("Hyperparameters:".to_owned());
        let before = lines.len();
        lines.extend(trial.hyperparameters.iter().map(|(name, value)| format!("{name}: {value}")));
        if lines.len() == before {
            lines.push("default configuration".to_owned());
        }
        lines.extend(trial.score.map(|score| format!("Score: {}", python_float(score))));
        lines.extend(trial.error.clone());
    }
    lines.push(String::new());
    lines.join("\n")
}

/// How many trials came to what end, the time they took, the best one, and why
/// the study is over. Ends with a line break.
#[must_use]
pub fn study_summary(study: &Study) -> String {
    let mut text = format!("Study {}: {}", study.settings.study, trials_by_state(study));
    let executions: usize = study.trials.iter().map(|trial| trial.executions.len()).sum();
    let finished = study
        .trials
        .iter()
        .flat_map(|trial| {
            trial.executions.iter().map(|execution| execution_state(trial, execution))
        })
        .filter(|state| *state == ExecutionState::Finished)
        .count();
    // Not `sum`, which makes -0.0 of nothing.
    let seconds = study.trials.iter().filter_map(trial_seconds).fold(0.0, |sum, part| sum + part);
    let best = match study.best().and_then(|trial| Some((trial, trial.score?))) {
        Some((trial, score)) => format!(
            "trial {}, {} {}",
            study.display_id(trial.id),
            study.settings.objective.metric,
            python_float(score)
        ),
        None => "no trial has a score".to_owned(),
    };
    let ended = match study.ended {
        Some(ended) => ended_reason(study, ended),
        None => "not yet".to_owned(),
    };
    write!(
        text,
        "\nExecutions: {finished} of {executions} finished, {seconds:.1} seconds of training \
         ({})\nBest: {best}\nEnded: {ended}\n",
        duration(seconds)
    )
    .expect("a string takes everything");
    text
}

/// `4 trials (2 completed, 1 failed, 1 running)`; ends that no trial came to are
/// left out.
fn trials_by_state(study: &Study) -> String {
    let states = [
        TrialState::Completed,
        TrialState::Stopped,
        TrialState::Infeasible,
        TrialState::Failed,
        TrialState::Running,
        TrialState::Waiting,
    ];
    let counts: Vec<String> = states
        .into_iter()
        .map(|state| (state, study.trials.iter().filter(|trial| trial.state == state).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let trials = counted(u32::try_from(study.trials.len()).unwrap_or(u32::MAX), "trial");
    if counts.is_empty() { trials } else { format!("{trials} ({})", counts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{busy_study, study, trial};
    use crate::study::{Direction, Ended};

    #[test]
    fn results_as_keras_tuner_prints_them() {
        assert_eq!(
            results_summary(&busy_study(), 10, Path::new("runs/crnn")),
            "\
Results summary
Results in runs/crnn
Showing 10 best trials
Objective(name=\"val_accuracy\", direction=\"max\")

Trial 02 summary
Hyperparameters:
units: 16
lr: 0.05
activation: relu
normalize: False
depth: 4
Score: 0.875

Trial 00 summary
Hyperparameters:
units: 64
lr: 0.001
activation: relu
normalize: False
depth: 4
Score: 0.6875

Trial 01 summary
Hyperparameters:
units: 128
lr: 1e-05
activation: tanh
normalize: False
depth: 4
layer 3 `conv2d`: needs 3 rows, \"got\" 2,
so it has no output

Trial 03 summary
Hyperparameters:
units: 32
lr: 0.01
activation: tanh
normalize: False
depth: 4
"
        );
    }

    #[test]
    fn only_as_many_as_asked_for_and_the_best_by_direction() {
        let mut study = busy_study();
        study.settings.objective.direction = Direction::Min;
        let text = results_summary(&study, 1, Path::new("runs/crnn"));
        assert!(text.contains("Showing 1 best trials\n"), "{text}");
        assert!(text.contains("direction=\"min\")\n\nTrial 00 summary\n"), "{text}");
        assert_eq!(text.matches(" summary\nHyper").count(), 1);
    }

    #[test]
    fn a_trial_without_hyperparameters_has_the_default_configuration() {
        let mut study = study();
        study.trials = vec![trial(0, &[])];
        let text = results_summary(&study, 1, Path::new("r"));
        assert!(text.ends_with("Hyperparameters:\ndefault configuration\n"), "{text}");
    }

    #[test]
    fn the_study_in_four_lines() {
        let mut study = busy_study();
        assert_eq!(
            study_summary(&study),
            "\
Study crnn: 4 trials (2 completed, 1 failed, 1 running)
Executions: 4 of 8 finished, 63.0 seconds of training (1m 03s)
Best: trial 02, val_accuracy 0.875
Ended: not yet
"
        );
        study.trials.clear();
        study.ended = Some(Ended::SpaceExhausted);
        assert_eq!(
            study_summary(&study),
            "\
Study crnn: 0 trials
Executions: 0 of 0 finished, 0.0 seconds of training (0.0s)
Best: no trial has a score
Ended: every assignment of the search space was tried
"
        );
    }
}
