//! Records as lines for people: one line an event.
//!
//! Pure text; nothing is drawn here. What a line says of the study (the best
//! so far, whether an execution is tried again) is as of the commit that the
//! record was part of.

use crate::results::facts::{counted, ended_reason, outcome_message};
use crate::study::{
    Attempt, AttemptId, CheckpointId, Execution, Measurement, Objective, Outcome, Record, Stage,
    Study, Trial, TrialId, TrialState,
};

/// Most metrics of an epoch that are all shown.
const MAX_SHOWN: usize = 6;

/// Of more, those that are shown beside the objective's.
const SHOWN: [&str; 4] = ["loss", "accuracy", "val_loss", "val_accuracy"];

/// A line, and how much it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// One line, without a time.
    pub text: String,
    /// Whether it is worth a line even where bars show what goes on: a trial's
    /// or the study's end, or an attempt that ended badly.
    pub notable: bool,
}

/// The line for a record, if it deserves one.
#[must_use]
pub fn event(study: &Study, record: &Record) -> Option<Event> {
    match record {
        Record::Started { version } => Some(usual(started(study, version))),
        Record::TrialCreated { trial, hyperparameters, name, stage, .. } => {
            let values: Vec<String> =
                hyperparameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let values = if values.is_empty() {
                "default configuration".to_owned()
            } else {
                one_line(&values.join(", "))
            };
            let name = name.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
            let stage = stage.as_ref().map(|stage| place(study, stage)).unwrap_or_default();
            let trial = study.display_id(*trial);
            Some(usual(format!("Trial {trial}{name}{stage} proposed: {values}")))
        }
        Record::AttemptStarted { id, worker, from } => {
            let again = if id.attempt > 1 {
                format!(" again (attempt {})", id.attempt)
            } else {
                String::new()
            };
            let after = from.map(after).unwrap_or_default();
            let name = execution_name(study, *id);
            Some(usual(format!("{name} started{again}{after} on {worker}")))
        }
        Record::AttemptResumed { id } => {
            Some(notable(format!("{} goes on: its worker is back", execution_name(study, *id))))
        }
        Record::Measured { id, measurement } => Some(usual(format!(
            "{} epoch {}: {} ({:.1}s)",
            execution_name(study, *id),
            measurement.epoch,
            metrics(measurement, &study.settings.objective),
            measurement.seconds
        ))),
        Record::CheckpointKept { .. } | Record::CheckpointDropped { .. } => None,
        Record::AttemptEnded { id, outcome } => attempt_ended(study, *id, outcome),
        Record::TrialEnded { trial, state, score, error } => {
            Some(notable(trial_ended(study, *trial, *state, *score, error.as_deref())))
        }
        Record::StudyEnded { reason } => Some(notable(format!(
            "Study {} ended: {}",
            study.settings.study,
            ended_reason(study, *reason)
        ))),
    }
}

/// Where an attempt starts: ` after epoch 3`, ` after epoch 3, step 40`.
fn after(from: CheckpointId) -> String {
    match from.position() {
        (epoch, 0) => format!(" after epoch {epoch}"),
        (0, step) => format!(" after step {step}"),
        (epoch, step) => format!(" after epoch {epoch}, step {step}"),
    }
}

fn started(study: &Study, version: &str) -> String {
    let settings = &study.settings;
    let ended = study.tally().trials.ended();
    if study.trials.is_empty() {
        let each = match settings.folds {
            Some(folds) => format!("each cross-validated on {folds} folds"),
            None => format!("{} each", counted(settings.executions_per_trial, "execution")),
        };
        format!(
            "Study {} started by sweep {version}: at most {}, {each}",
            settings.study,
            counted(settings.max_trials, "trial"),
        )
    } else {
        format!(
            "Study {} taken up again by sweep {version}: {ended} of at most {} have ended",
            settings.study,
            counted(settings.max_trials, "trial")
        )
    }
}

/// ` (round 1 of bracket 2, from trial 03, until epoch 9)`, for after a trial's number.
fn place(study: &Study, stage: &Stage) -> String {
    let source =
        stage.promoted_from.map(|source| format!(", from trial {}", study.display_id(source)));
    format!(
        " (round {} of bracket {}{}, until epoch {})",
        stage.round,
        stage.bracket,
        source.unwrap_or_default(),
        stage.epochs
    )
}

fn attempt_ended(study: &Study, id: AttemptId, outcome: &Outcome) -> Option<Event> {
    let name = execution_name(study, id);
    let what = match outcome {
        Outcome::Finished => {
            // With one execution a trial, the trial's end says the same.
            if study.settings.executions_per_trial < 2 {
                return None;
            }
            let best = find_attempt(study, id)
                .and_then(|attempt| attempt.best(&study.settings.objective))
                .map_or_else(
                    || "nothing was measured".to_owned(),
                    |(measurement, value)| {
                        format!(
                            "best {} {} at epoch {}",
                            study.settings.objective.metric,
                            brief(value),
                            measurement.epoch
                        )
                    },
                );
            return Some(usual(format!("{name} finished: {best}")));
        }
        Outcome::Superseded => return Some(usual(format!("{name} is no longer needed"))),
        // The trial's end says the same.
        Outcome::Stopped => return None,
        Outcome::Released => "was given back",
        Outcome::Error { .. } => "failed",
        Outcome::Diverged { .. } => "diverged",
        Outcome::OutOfMemory { .. } => "ran out of memory",
        Outcome::Infeasible { .. } => "is infeasible",
        Outcome::WorkerLost { .. } | Outcome::WorkerDied { .. } => "lost its worker",
        Outcome::HostFailed { .. } => "failed for a reason of its machine",
    };
    let mut text = format!("{name} {what}");
    if let Some(attempt) = find_attempt(study, id) {
        text.push_str(&format!(" ({})", attempt.worker));
    }
    if let Some(message) = outcome_message(outcome) {
        text.push_str(": ");
        text.push_str(&one_line(message));
    }
    if is_tried_again(study, id) {
        text.push_str("; it will be tried again");
    }
    Some(notable(text))
}

fn trial_ended(
    study: &Study,
    id: TrialId,
    state: TrialState,
    score: Option<f64>,
    error: Option<&str>,
) -> String {
    let mut text = format!("Trial {} {state}", study.display_id(id));
    if let Some(epoch) = stopped_at(study, id) {
        text.push_str(&format!(" at epoch {epoch}"));
    }
    let metric = &study.settings.objective.metric;
    match (score, error) {
        (Some(score), _) => text.push_str(&format!(": {metric} {}", brief(score))),
        (None, Some(error)) => text.push_str(&format!(": {}", one_line(error))),
        (None, None) => {}
    }
    if let Some((best, score)) = study.best().and_then(|trial| Some((trial, trial.score?))) {
        let id = study.display_id(best.id);
        text.push_str(&format!(", best so far {} (trial {id})", brief(score)));
    }
    text
}

/// The epoch after which a trial was ended early, if it was.
fn stopped_at(study: &Study, id: TrialId) -> Option<u32> {
    let attempts = study
        .trials
        .get(id.0 as usize)?
        .executions
        .iter()
        .flat_map(|execution| &execution.attempts);
    let stopped = attempts.filter(|attempt| attempt.outcome == Some(Outcome::Stopped));
    stopped.map(Attempt::epochs).max()
}

/// `Trial 03`, or `Trial 03 execution 2/2` where a trial has several.
pub(super) fn execution_name(study: &Study, id: AttemptId) -> String {
    let trial = study.display_id(id.trial);
    match study.settings.executions_per_trial {
        0 | 1 => format!("Trial {trial}"),
        many => format!("Trial {trial} execution {}/{many}", id.execution + 1),
    }
}

pub(super) fn find_attempt(study: &Study, id: AttemptId) -> Option<&Attempt> {
    let (_, execution) = find_execution(study, id)?;
    execution.attempts.get(id.attempt.checked_sub(1)? as usize)
}

fn find_execution(study: &Study, id: AttemptId) -> Option<(&Trial, &Execution)> {
    let trial = study.trials.get(id.trial.0 as usize)?;
    Some((trial, trial.executions.get(id.execution as usize)?))
}

fn is_tried_again(study: &Study, id: AttemptId) -> bool {
    find_execution(study, id)
        .is_some_and(|(trial, execution)| !trial.has_ended() && execution.finished_by.is_none())
}

fn metrics(measurement: &Measurement, objective: &Objective) -> String {
    // Of many only those that everybody looks at; the tables have them all.
    let all = measurement.metrics.len() <= MAX_SHOWN;
    let metrics: Vec<String> = measurement
        .metrics
        .iter()
        .filter(|(name, _)| {
            all || SHOWN.contains(name) || objective.metrics().any(|(metric, _)| metric == *name)
        })
        .map(|(name, value)| format!("{name} {}", brief(value)))
        .collect();
    if metrics.is_empty() { "no metrics".to_owned() } else { metrics.join(", ") }
}

/// Five significant digits, as Python's `.5g` and Keras Tuner's tables.
pub(super) fn brief(value: f64) -> String {
    if !value.is_finite() {
        return crate::space::value::python_float(value);
    }
    let scientific = format!("{value:.4e}");
    let (digits, exponent) =
        scientific.split_once('e').expect("the LowerExp format of a finite float has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a whole number");
    let shorten = |digits: &str| {
        if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            digits.to_owned()
        }
    };
    match usize::try_from(4 - exponent) {
        Ok(decimals) if exponent >= -4 => shorten(&format!("{value:.decimals$}")),
        Ok(_) | Err(_) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", shorten(digits), exponent.abs())
        }
    }
}

/// Messages come from anywhere and may have line breaks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn usual(text: String) -> Event {
    Event { text, notable: false }
}

fn notable(text: String) -> Event {
    Event { text, notable: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{busy_study, measurement, staged_study, study};
    use crate::space::Value;
    use crate::study::Ended;

    fn id(trial: u32, execution: u32, attempt: u32) -> AttemptId {
        AttemptId { trial: TrialId(trial), execution, attempt }
    }

    fn line(study: &Study, record: Record) -> String {
        event(study, &record).expect("a line").text
    }

    #[test]
    fn a_study_starts_once_and_is_taken_up_again() {
        let record = Record::Started { version: "0.1.0".to_owned() };
        assert_eq!(
            line(&study(), record.clone()),
            "Study crnn started by sweep 0.1.0: at most 20 trials, 2 executions each"
        );
        assert_eq!(
            line(&busy_study(), record),
            "Study crnn taken up again by sweep 0.1.0: 3 of at most 20 trials have ended"
        );
    }

    #[test]
    fn a_trial_from_its_proposal_to_its_score() {
        let study = busy_study();
        let created = Record::TrialCreated {
            name: None,
            stage: None,
            trial: TrialId(2),
            hyperparameters: study.trials[2].hyperparameters.clone(),
            seed_state: 3,
        };
        assert_eq!(
            line(&study, created),
            "Trial 02 proposed: units=16, lr=0.05, activation=relu, normalize=False, depth=4"
        );
        let worker = "local-1".to_owned();
        assert_eq!(
            line(
                &study,
                Record::AttemptStarted { id: id(2, 1, 1), worker: worker.clone(), from: None }
            ),
            "Trial 02 execution 2/2 started on local-1"
        );
        assert_eq!(
            line(
                &study,
                Record::AttemptStarted { id: id(2, 1, 2), worker: worker.clone(), from: None }
            ),
            "Trial 02 execution 2/2 started again (attempt 2) on local-1"
        );
        let from = Some(CheckpointId { id: id(1, 1, 1), epoch: 3, step: 0 });
        assert_eq!(
            line(&study, Record::AttemptStarted { id: id(2, 1, 1), worker, from }),
            "Trial 02 execution 2/2 started after epoch 3 on local-1"
        );
        let name = |epoch, step| CheckpointId { id: id(1, 1, 1), epoch, step };
        assert_eq!(after(name(0, 7)), " after step 7");
        assert_eq!(after(name(3, 40)), " after epoch 3, step 40");
        let measured = measurement(4, 1.0 / 3.0, f64::NAN);
        assert_eq!(
            line(&study, Record::Measured { id: id(2, 1, 2), measurement: measured }),
            "Trial 02 execution 2/2 epoch 4: loss 0.33333, val_accuracy nan (1.2s)"
        );
        assert_eq!(
            line(&study, Record::AttemptEnded { id: id(2, 1, 2), outcome: Outcome::Finished }),
            "Trial 02 execution 2/2 finished: best val_accuracy 0.9375 at epoch 2"
        );
        let ended = Record::TrialEnded {
            trial: TrialId(0),
            state: TrialState::Completed,
            score: Some(0.6875),
            error: None,
        };
        assert_eq!(
            line(&study, ended),
            "Trial 00 completed: val_accuracy 0.6875, best so far 0.875 (trial 02)"
        );
    }

    #[test]
    fn names_and_places_in_a_schedule_are_told() {
        let study = staged_study();
        let proposed = |number: usize| {
            let trial = &study.trials[number];
            let record = Record::TrialCreated {
                trial: trial.id,
                hyperparameters: [("units".to_owned(), Value::Int(16))].into_iter().collect(),
                seed_state: 3,
                name: trial.name.clone(),
                stage: trial.stage.clone(),
            };
            line(&study, record)
        };
        assert_eq!(
            proposed(0),
            "Trial 00 (round 0 of bracket 2, until epoch 3) proposed: units=16"
        );
        assert_eq!(
            proposed(1),
            "Trial 01 (round 1 of bracket 2, from trial 00, until epoch 9) proposed: units=16"
        );
        assert_eq!(proposed(2), "Trial 02 `B-2` proposed: units=16");
    }

    #[test]
    fn a_trial_that_was_ended_early_says_when() {
        let study = staged_study();
        let stopped = Record::TrialEnded {
            trial: TrialId(2),
            state: TrialState::Stopped,
            score: Some(0.125),
            error: None,
        };
        assert_eq!(
            line(&study, stopped),
            "Trial 02 stopped at epoch 2: val_accuracy 0.125, best so far 0.5 (trial 00)"
        );
    }

    #[test]
    fn one_execution_a_trial_is_not_numbered() {
        let mut study = busy_study();
        study.settings.executions_per_trial = 1;
        let worker = "local-1".to_owned();
        assert_eq!(
            line(&study, Record::AttemptStarted { id: id(3, 0, 1), worker, from: None }),
            "Trial 03 started on local-1"
        );
        let finished = Record::AttemptEnded { id: id(3, 0, 1), outcome: Outcome::Finished };
        assert_eq!(event(&study, &finished), None);
    }

    #[test]
    fn bad_ends_say_why_and_what_follows() {
        let study = busy_study();
        let ended = |id, outcome| event(&study, &Record::AttemptEnded { id, outcome });
        let text = |id, outcome| ended(id, outcome).expect("a line").text;
        assert_eq!(
            text(id(3, 0, 1), Outcome::OutOfMemory { message: "needs\n 3 GiB".to_owned() }),
            "Trial 03 execution 1/2 ran out of memory (local-1): needs 3 GiB; \
             it will be tried again"
        );
        assert_eq!(
            text(id(1, 0, 1), Outcome::Error { message: "no such layer".to_owned() }),
            "Trial 01 execution 1/2 failed (local-1): no such layer"
        );
        assert_eq!(
            text(id(3, 0, 1), Outcome::Released),
            "Trial 03 execution 1/2 was given back (local-1); it will be tried again"
        );
        assert!(ended(id(3, 0, 1), Outcome::Released).is_some_and(|event| event.notable));
        assert!(ended(id(3, 0, 1), Outcome::Superseded).is_some_and(|event| !event.notable));
        let failed = Record::TrialEnded {
            trial: TrialId(1),
            state: TrialState::Failed,
            score: None,
            error: Some("no such layer".to_owned()),
        };
        assert_eq!(
            line(&study, failed),
            "Trial 01 failed: no such layer, best so far 0.875 (trial 02)"
        );
    }

    #[test]
    fn a_study_ends_with_a_reason() {
        let record = Record::StudyEnded { reason: Ended::ConsecutiveFailures };
        assert_eq!(line(&study(), record), "Study crnn ended: 3 trials failed one after another");
    }

    #[test]
    fn attempts_that_the_study_does_not_know_are_no_problem() {
        let message = "gone".to_owned();
        let record =
            Record::AttemptEnded { id: id(9, 9, 0), outcome: Outcome::WorkerLost { message } };
        assert_eq!(line(&study(), record), "Trial 09 execution 10/2 lost its worker: gone");
    }

    #[test]
    fn of_many_metrics_the_usual_ones_are_shown() {
        let names = ["loss", "accuracy", "f1", "recall", "precision", "val_loss", "val_f1", "x"];
        let metrics = names.into_iter().map(|name| (name, 0.5)).collect();
        let measurement = Measurement { epoch: 1, metrics, seconds: 1.0 };
        let objective = Objective::single("val_f1", crate::study::Direction::Max);
        let shown = super::metrics(&measurement, &objective);
        assert_eq!(shown, "loss 0.5, accuracy 0.5, val_loss 0.5, val_f1 0.5");
    }

    #[test]
    fn numbers_have_five_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-0.704_671_2, "-0.70467"),
            (12_345.6, "12346"),
            (99_999.6, "1e+05"),
            (123_456.0, "1.2346e+05"),
            (0.0001, "0.0001"),
            (0.000_012_3, "1.23e-05"),
            (100.0, "100"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(brief(value), text);
        }
    }
}
