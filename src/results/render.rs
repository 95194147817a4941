//! Results of a run for `sweep results`: as text, CSV, JSON or Markdown.
//!
//! All formats show the same trials in the same order: those with a score, best
//! first, then the others in the order of proposal.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::facts::{best_trials, trial_attempts, trial_seconds, trial_workers};
use super::pareto::{objective_values, pareto_front};
use super::results_text;
use super::tables::{Provenance, TablesError, trials_table, write_csv};
use crate::space::value::python_float;
use crate::space::{HyperParameters, Space};
use crate::study::{Ended, Objective, Stage, Study, Trial, TrialId, TrialState};

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The results summary, for reading.
    Text,
    /// Rows of `trials.csv`.
    Csv,
    /// One object, for programs.
    Json,
    /// A table, for reports.
    Markdown,
}

/// What is shown, and where it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Results<'a> {
    /// The study.
    pub study: &'a Study,
    /// Its search space.
    pub space: &'a Space,
    /// Where its numbers come from.
    pub provenance: &'a Provenance,
    /// The run directory.
    pub directory: &'a Path,
}

/// The `top` best trials in a format; ends with a line break.
///
/// # Errors
///
/// [`TablesError::Table`] when Polars refuses the columns of the CSV.
pub fn render(results: &Results<'_>, top: usize, format: Format) -> Result<String, TablesError> {
    let Results { study, space, provenance, directory } = *results;
    match format {
        Format::Text => Ok(results_text(study, top, directory)),
        Format::Csv => {
            let trials = best_trials(study, top);
            let mut table = trials_table(study, space, provenance, &trials)?;
            let mut bytes = Vec::new();
            write_csv(&mut table, &mut bytes).expect("memory takes everything");
            Ok(String::from_utf8(bytes).expect("all cells are text or numbers"))
        }
        Format::Json => Ok(json(study, top)),
        Format::Markdown => {
            let mut text = markdown(study, space, top);
            if !study.settings.objective.terms.is_empty() {
                text.push_str(&markdown_pareto(study));
            }
            Ok(text)
        }
    }
}

/// Fields that a study has no use for are left out: names, stages of a
/// schedule, and what belongs to several objectives.
fn json(study: &Study, top: usize) -> String {
    #[derive(Serialize)]
    struct Report<'a> {
        study: &'a str,
        objective: &'a Objective,
        ended: Option<Ended>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pareto_front: Option<Vec<TrialId>>,
        trials: Vec<Row<'a>>,
    }

    #[derive(Serialize)]
    struct Row<'a> {
        trial: TrialId,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        state: TrialState,
        score: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        objectives: Option<serde_json::Map<String, serde_json::Value>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        stage: Option<&'a Stage>,
        hyperparameters: &'a HyperParameters,
        seconds: Option<f64>,
        worker: Option<String>,
        attempts: u32,
        error: Option<&'a str>,
    }

    let objective = &study.settings.objective;
    let are_several = !objective.terms.is_empty();
    let objectives = |trial: &Trial| {
        let values = objective_values(trial, objective).filter(|_| are_several)?;
        let names = objective.metrics().map(|(metric, _)| metric.to_owned());
        Some(names.zip(values.into_iter().map(Into::into)).collect())
    };
    let rows = best_trials(study, top).into_iter().map(|trial| Row {
        trial: trial.id,
        name: trial.name.as_deref(),
        state: trial.state,
        score: trial.score,
        objectives: objectives(trial),
        stage: trial.stage.as_ref(),
        hyperparameters: &trial.hyperparameters,
        seconds: trial_seconds(trial),
        worker: trial_workers(trial),
        attempts: trial_attempts(trial),
        error: trial.error.as_deref(),
    });
    let front = || pareto_front(study).into_iter().map(|(trial, _)| trial.id).collect();
    let report = Report {
        study: &study.settings.study,
        objective,
        ended: study.ended,
        pareto_front: are_several.then(front),
        trials: rows.collect(),
    };
    let mut text = serde_json::to_string_pretty(&report).expect("keys are strings");
    text.push('\n');
    text
}

/// A row a trial; one without a score has no rank, and its state for a score.
fn markdown(study: &Study, space: &Space, top: usize) -> String {
    let trials = best_trials(study, top);
    let mut names: Vec<&str> =
        space.hyperparameters.iter().map(|known| known.name.as_str()).collect();
    for (name, _) in trials.iter().flat_map(|trial| trial.hyperparameters.iter()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }

    let objective = &study.settings.objective;
    let metrics: Vec<&str> = objective.terms.iter().map(|term| &*term.metric).collect();
    let has_names = study.trials.iter().any(|trial| trial.name.is_some());
    let mut header = vec!["rank", "trial", &objective.metric];
    header.extend(&metrics);
    let numbers = header.len();
    header.extend(has_names.then_some("name"));
    header.extend(&names);
    let header: Vec<String> = header.into_iter().map(str::to_owned).collect();
    let mut text = markdown_row(&header);
    let rules: Vec<String> = (0..header.len())
        .map(|column| if column < numbers { "---:" } else { "---" }.to_owned())
        .collect();
    text.push_str(&markdown_row(&rules));
    for (trial, rank) in trials.into_iter().zip(1..) {
        let mut cells = match trial.score {
            Some(score) => vec![rank.to_string(), study.display_id(trial.id), python_float(score)],
            None => vec![String::new(), study.display_id(trial.id), trial.state.to_string()],
        };
        let values = objective_values(trial, objective).unwrap_or_default();
        cells.extend(
            (0..metrics.len()).map(|index| {
                values.get(index).map_or_else(String::new, |value| python_float(*value))
            }),
        );
        cells.extend(has_names.then(|| trial.name.clone().unwrap_or_default()));
        cells.extend(names.iter().map(|name| {
            trial.hyperparameters.get(name).map_or_else(String::new, ToString::to_string)
        }));
        text.push_str(&markdown_row(&cells));
    }
    text
}

/// What the trials of the Pareto front reached in each objective, under a heading.
fn markdown_pareto(study: &Study) -> String {
    let terms = &study.settings.objective.terms;
    let header: Vec<String> = std::iter::once("trial".to_owned())
        .chain(terms.iter().map(|term| format!("{} ({})", term.metric, term.direction)))
        .collect();
    let mut text = "\nPareto front\n\n".to_owned();
    text.push_str(&markdown_row(&header));
    text.push_str(&markdown_row(&vec!["---:".to_owned(); header.len()]));
    for (trial, values) in pareto_front(study) {
        let cells: Vec<String> = std::iter::once(study.display_id(trial.id))
            .chain(values.into_iter().map(python_float))
            .collect();
        text.push_str(&markdown_row(&cells));
    }
    text
}

fn markdown_row(cells: &[String]) -> String {
    let mut row = String::from("|");
    for cell in cells {
        let cell = cell.replace('|', "\\|").replace(['\r', '\n'], " ");
        write!(row, " {cell} |").expect("a string takes everything");
    }
    row.push('\n');
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{busy_study, space, staged_study, two_objectives};
    use crate::space::Value;

    fn rendered(study: &Study, top: usize, format: Format) -> String {
        let provenance = Provenance {
            seed: 2,
            dataset_digest: "0123abcd".to_owned(),
            version: "0.1.0".to_owned(),
        };
        let space = space();
        let results = Results {
            study,
            space: &space,
            provenance: &provenance,
            directory: Path::new("runs/crnn"),
        };
        render(&results, top, format).expect("rendered")
    }

    #[test]
    fn text_is_both_summaries() {
        let text = rendered(&busy_study(), 1, Format::Text);
        assert!(text.starts_with("Results summary\nResults in runs/crnn\n"), "{text}");
        assert!(text.contains("Score: 0.875\n\nStudy crnn: 4 trials ("), "{text}");
    }

    #[test]
    fn csv_is_the_best_rows_of_the_trials_table() {
        assert_eq!(
            rendered(&busy_study(), 2, Format::Csv),
            "\
trial,state,score,units,lr,activation,normalize,depth,seconds,worker,attempts,error,seed,dataset,sweep_version
2,completed,0.875,16,0.05,relu,false,4,40.0,local-2 node-7,3,,2,0123abcd,0.1.0
0,completed,0.6875,64,0.001,relu,false,4,20.0,local-1 local-2,2,,2,0123abcd,0.1.0
"
        );
    }

    #[test]
    fn json_is_one_object() {
        let mut study = busy_study();
        study.ended = Some(Ended::MaxTrials);
        study.trials.truncate(2);
        study.count();
        assert_eq!(
            rendered(&study, 5, Format::Json),
            r#"{
  "study": "crnn",
  "objective": {
    "metric": "val_accuracy",
    "direction": "max"
  },
  "ended": "max_trials",
  "trials": [
    {
      "trial": 0,
      "state": "completed",
      "score": 0.6875,
      "hyperparameters": {
        "units": 64,
        "lr": 0.001,
        "activation": "relu",
        "normalize": false,
        "depth": 4
      },
      "seconds": 20.0,
      "worker": "local-1 local-2",
      "attempts": 2,
      "error": null
    },
    {
      "trial": 1,
      "state": "failed",
      "score": null,
      "hyperparameters": {
        "units": 128,
        "lr": 0.00001,
        "activation": "tanh",
        "normalize": false,
        "depth": 4
      },
      "seconds": 3.0,
      "worker": "local-1",
      "attempts": 1,
      "error": "layer 3 `conv2d`: needs 3 rows, \"got\" 2,\nso it has no output"
    }
  ]
}
"#
        );
    }

    #[test]
    fn markdown_is_a_table() {
        let mut study = busy_study();
        study.trials[1].hyperparameters.set("activation", Value::Text("a|b\nc".to_owned()));
        assert_eq!(
            rendered(&study, 3, Format::Markdown),
            "\
| rank | trial | val_accuracy | units | lr | activation | normalize | depth |
| ---: | ---: | ---: | --- | --- | --- | --- | --- |
| 1 | 02 | 0.875 | 16 | 0.05 | relu | False | 4 |
| 2 | 00 | 0.6875 | 64 | 0.001 | relu | False | 4 |
|  | 01 | failed | 128 | 1e-05 | a\\|b c | False | 4 |
"
        );
    }

    #[test]
    fn several_objectives_are_shown_apart() {
        let text = rendered(&two_objectives(), 1, Format::Text);
        assert!(text.contains("\nScore: -0.5\n\nPareto front: trials that no other"), "{text}");
        let study = two_objectives();
        assert_eq!(
            rendered(&study, 2, Format::Markdown),
            "\
| rank | trial | multi_objective | val_accuracy | loss | units | lr | activation | normalize | depth |
| ---: | ---: | ---: | ---: | ---: | --- | --- | --- | --- | --- |
| 1 | 02 | -0.5 | 0.875 | 0.75 | 16 | 0.05 | relu | False | 4 |
| 2 | 00 | -0.375 | 0.625 | 0.5 | 64 | 0.001 | relu | False | 4 |

Pareto front

| trial | val_accuracy (max) | loss (min) |
| ---: | ---: | ---: |
| 02 | 0.875 | 0.75 |
| 00 | 0.625 | 0.5 |
"
        );
        let json: serde_json::Value =
            serde_json::from_str(&rendered(&study, 1, Format::Json)).expect("JSON");
        assert_eq!(json["pareto_front"], serde_json::json!([2, 0]));
        assert_eq!(json["objective"]["terms"][1]["weight"], 0.5);
        assert_eq!(json["trials"][0]["objectives"]["loss"], 0.75);
    }

    #[test]
    fn names_and_stages_are_shown_where_there_are_some() {
        let study = staged_study();
        let json: serde_json::Value =
            serde_json::from_str(&rendered(&study, 3, Format::Json)).expect("JSON");
        let trials = json["trials"].as_array().expect("trials");
        assert_eq!(trials[0]["stage"]["epochs"], 3);
        assert_eq!(trials[0].get("name"), None);
        assert_eq!((&trials[1]["name"], &trials[1]["state"]), (&"B-2".into(), &"stopped".into()));
        assert_eq!(trials[2]["stage"]["promoted_from"], 0);
        let text = rendered(&study, 2, Format::Markdown);
        assert!(text.contains("\n| 2 | 02 | 0.125 | B-2 | 16 |"), "{text}");
    }
}
