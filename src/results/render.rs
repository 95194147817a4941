//! Results of a run for `sweep results`: as text, CSV, JSON or Markdown.
//!
//! All formats show the same trials in the same order: those with a score, best
//! first, then the others in the order of proposal.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::facts::{best_trials, trial_attempts, trial_seconds, trial_workers};
use super::summary::{results_summary, study_summary};
use super::tables::{Provenance, TablesError, trials_table, write_csv};
use crate::space::value::python_float;
use crate::space::{HyperParameters, Space};
use crate::study::{Ended, Objective, Study, Trial, TrialId, TrialState};

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
        Format::Text => {
            Ok(format!("{}\n{}", results_summary(study, top, directory), study_summary(study)))
        }
        Format::Csv => {
            let trials = best_trials(study, top);
            let mut table = trials_table(study, space, provenance, &trials)?;
            let mut bytes = Vec::new();
            write_csv(&mut table, &mut bytes).expect("memory takes everything");
            Ok(String::from_utf8(bytes).expect("all cells are text or numbers"))
        }
        Format::Json => Ok(json(study, top)),
        Format::Markdown => Ok(markdown(study, space, top)),
    }
}

fn json(study: &Study, top: usize) -> String {
    #[derive(Serialize)]
    struct Report<'a> {
        study: &'a str,
        objective: &'a Objective,
        ended: Option<Ended>,
        trials: Vec<Row<'a>>,
    }

    #[derive(Serialize)]
    struct Row<'a> {
        trial: TrialId,
        state: TrialState,
        score: Option<f64>,
        hyperparameters: &'a HyperParameters,
        seconds: Option<f64>,
        worker: Option<String>,
        attempts: u32,
        error: Option<&'a str>,
    }

    fn row(trial: &Trial) -> Row<'_> {
        Row {
            trial: trial.id,
            state: trial.state,
            score: trial.score,
            hyperparameters: &trial.hyperparameters,
            seconds: trial_seconds(trial),
            worker: trial_workers(trial),
            attempts: trial_attempts(trial),
            error: trial.error.as_deref(),
        }
    }

    let report = Report {
        study: &study.settings.study,
        objective: &study.settings.objective,
        ended: study.ended,
        trials: best_trials(study, top).into_iter().map(row).collect(),
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

    let mut header =
        vec!["rank".to_owned(), "trial".to_owned(), study.settings.objective.metric.clone()];
    header.extend(names.iter().map(|name| (*name).to_owned()));
    let mut text = markdown_row(&header);
    let rules: Vec<String> = (0..header.len())
        .map(|column| if column < 3 { "---:" } else { "---" }.to_owned())
        .collect();
    text.push_str(&markdown_row(&rules));
    for (trial, rank) in trials.into_iter().zip(1..) {
        let mut cells = match trial.score {
            Some(score) => vec![rank.to_string(), study.display_id(trial.id), python_float(score)],
            None => vec![String::new(), study.display_id(trial.id), trial.state.to_string()],
        };
        cells.extend(names.iter().map(|name| {
            trial.hyperparameters.get(name).map_or_else(String::new, ToString::to_string)
        }));
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
    use crate::results::testing::{busy_study, space};
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
}
