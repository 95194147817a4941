//! A study's results in words.
//!
//! [`results_summary`] is byte for byte Keras Tuner 1.4.8's
//! `tuner.results_summary()`, apart from names of trials, which Keras Tuner does
//! not have; [`study_summary`] says what that leaves out: how many trials came to
//! what end, the best one, and why the study is over.

use std::fmt::Write;
use std::path::Path;

use super::facts::{
    ExecutionState, best_trials, counted, ended_reason, execution_state, trial_seconds,
};
use super::pareto::pareto_front;
use super::time::duration;
use crate::space::value::python_float;
use crate::study::{Direction, Objective, Stage, Study, TrialState};

/// The `top` best trials, as Keras Tuner prints them: first those with a score,
/// best first, then, where there is room, the others with their errors. Ends
/// with a line break.
///
/// - `directory`: the run directory, for the line that names it
#[must_use]
pub fn results_summary(study: &Study, top: usize, directory: &Path) -> String {
    let mut lines = vec![
        "Results summary".to_owned(),
        format!("Results in {}", directory.display()),
        format!("Showing {top} best trials"),
        objective_line(&study.settings.objective),
    ];
    for trial in best_trials(study, top) {
        lines.push(String::new());
        lines.push(format!("Trial {} summary", study.display_id(trial.id)));
        lines.extend(trial.name.as_ref().map(|name| format!("Name: {name}")));
        lines.push("Hyperparameters:".to_owned());
        let before = lines.len();
        lines.extend(trial.hyperparameters.iter().map(|(name, value)| format!("{name}: {value}")));
        if let Some(stage) = &trial.stage {
            lines.extend(stage_lines(study, stage));
        }
        if lines.len() == before {
            lines.push("default configuration".to_owned());
        }
        lines.extend(trial.score.map(|score| format!("Score: {}", python_float(score))));
        lines.extend(trial.error.clone());
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The objective as Python prints it.
fn objective_line(objective: &Objective) -> String {
    let one = |name: &str, direction: Direction| {
        format!("Objective(name=\"{name}\", direction=\"{direction}\")")
    };
    let name = one(&objective.metric, objective.direction);
    if objective.terms.is_empty() {
        return name;
    }
    let terms: Vec<String> =
        objective.metrics().map(|(metric, direction)| one(metric, direction)).collect();
    format!("Multi{name}: [{}]", terms.join(", "))
}

/// A trial's place in a schedule, which Keras Tuner keeps among the hyperparameters.
fn stage_lines(study: &Study, stage: &Stage) -> Vec<String> {
    let source = stage.promoted_from.and_then(|source| study.trials.get(source.0 as usize));
    let trained = source.and_then(|source| source.stage.as_ref()).map_or(0, |stage| stage.epochs);
    let mut lines = vec![
        format!("tuner/epochs: {}", stage.epochs),
        format!("tuner/initial_epoch: {trained}"),
        format!("tuner/bracket: {}", stage.bracket),
        format!("tuner/round: {}", stage.round),
    ];
    lines.extend(source.map(|source| format!("tuner/trial_id: {}", study.display_id(source.id))));
    lines
}

/// The trials that no other one beats in one objective while losing in none, a
/// line each, with what they reached. Empty if there is one objective, or no trial has a score.
#[must_use]
pub fn pareto_summary(study: &Study) -> String {
    let front = pareto_front(study);
    if front.is_empty() {
        return String::new();
    }
    let mut rows = vec![
        std::iter::once("trial".to_owned())
            .chain(study.settings.objective.terms.iter().map(|term| match term.weight {
                1.0 => format!("{} ({})", term.metric, term.direction),
                weight => {
                    let weight = python_float(weight);
                    format!("{} ({}, weight {weight})", term.metric, term.direction)
                }
            }))
            .collect::<Vec<String>>(),
    ];
    rows.extend(front.iter().map(|(trial, values)| {
        std::iter::once(study.display_id(trial.id))
            .chain(values.iter().map(|value| python_float(*value)))
            .collect()
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let mut text =
        "Pareto front: trials that no other beats in one objective while losing in none\n"
            .to_owned();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// How many trials came to what end, the time they took, the best one, and why
/// the study is over. Ends with a line break.
#[must_use]
pub fn study_summary(study: &Study) -> String {
    let folds = study.settings.folds.map(|folds| format!(", cross-validated on {folds} folds"));
    let mut text = format!(
        "Study {}: {}{}",
        study.settings.study,
        trials_by_state(study),
        folds.unwrap_or_default()
    );
    let executions: usize = study.trials.iter().map(|trial| trial.executions.len()).sum();
    let in_state = |state: ExecutionState| {
        let executions = study
            .trials
            .iter()
            .flat_map(|trial| trial.executions.iter().map(move |execution| (trial, execution)));
        executions.filter(|(trial, execution)| execution_state(trial, execution) == state).count()
    };
    let finished = in_state(ExecutionState::Finished);
    let stopped = match in_state(ExecutionState::Stopped) {
        0 => String::new(),
        stopped => format!(", {stopped} stopped early"),
    };
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
        "\nExecutions: {finished} of {executions} finished{stopped}, {seconds:.1} seconds of training \
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
    use crate::results::testing::{busy_study, staged_study, study, trial, two_objectives};
    use crate::study::Ended;

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
        study.count();
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
        study.settings.folds = Some(2);
        let first = "Study crnn: 4 trials (2 completed, 1 failed, 1 running), cross-validated on \
                     2 folds\n";
        assert!(study_summary(&study).starts_with(first), "{}", study_summary(&study));
        study.settings.folds = None;
        study.trials.clear();
        study.count();
        study.ended = Some(Ended::SpaceExhausted);
        assert_eq!(
            study_summary(&study),
            "\
Study crnn: 0 trials
Executions: 0 of 0 finished, 0.0 seconds of training (0.0s)
Best: no trial has a score
Ended: nothing was left to try
"
        );
    }

    #[test]
    fn several_objectives_as_keras_tuner_prints_them() {
        let text = results_summary(&two_objectives(), 1, Path::new("r"));
        let line = "\nMultiObjective(name=\"multi_objective\", direction=\"min\"): \
                    [Objective(name=\"val_accuracy\", direction=\"max\"), \
                    Objective(name=\"loss\", direction=\"min\")]\n";
        assert!(text.contains(line), "{text}");
        assert!(text.ends_with("\nScore: -0.5\n"), "{text}");
    }

    #[test]
    fn the_pareto_front_is_a_table() {
        assert_eq!(
            pareto_summary(&two_objectives()),
            "\
Pareto front: trials that no other beats in one objective while losing in none
trial  val_accuracy (max)  loss (min, weight 0.5)
02     0.875               0.75
00     0.625               0.5
"
        );
        assert_eq!(pareto_summary(&busy_study()), "");
    }

    #[test]
    fn names_stages_and_stopped_trials_are_told() {
        let study = staged_study();
        let text = results_summary(&study, 10, Path::new("r"));
        let promoted = "depth: 4\ntuner/epochs: 9\ntuner/initial_epoch: 3\ntuner/bracket: 2\n\
                        tuner/round: 1\ntuner/trial_id: 00\n";
        assert!(text.contains(promoted), "{text}");
        assert!(text.contains("Trial 02 summary\nName: B-2\nHyperparameters:\n"), "{text}");
        assert_eq!(
            study_summary(&study),
            "\
Study crnn: 3 trials (1 completed, 1 stopped, 1 running)
Executions: 1 of 3 finished, 1 stopped early, 14.0 seconds of training (14.0s)
Best: trial 00, val_accuracy 0.5
Ended: not yet
"
        );
    }
}
