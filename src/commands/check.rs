//! `sweep check FILE`: what an experiment would do, without doing it.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::json;
use sweep_proto::shape::{self, LayerSummary};

use super::{ExperimentArgs, Failure};
use crate::data;
use crate::experiment::Experiment;
use crate::oracle::{Proposal, Suggestion};
use crate::results::search_space_summary;
use crate::space::HyperParameters;
use crate::study::{Record, Stage, Stamped, Study, Trial, TrialId};

/// Options of `sweep check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// How many proposals to show
    #[arg(long, value_name = "N", default_value_t = 0)]
    trials: u32,
    /// How to show it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For reading
    Text,
    /// One object, for programs
    Json,
}

/// A proposal, for programs.
#[derive(Serialize)]
struct Proposed<'a> {
    trial: TrialId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'a Stage>,
    hyperparameters: &'a HyperParameters,
}

impl<'a> Proposed<'a> {
    fn of(trial: &'a Trial) -> Self {
        Self {
            trial: trial.id,
            name: trial.name.as_deref(),
            stage: trial.stage.as_ref(),
            hyperparameters: &trial.hyperparameters,
        }
    }
}

/// What there is to show.
struct Findings<'a> {
    experiment: &'a Experiment,
    input_shape: Vec<u32>,
    layers: Vec<LayerSummary>,
    /// Whose trials are the proposals.
    study: Study,
    /// Why there are no more of them than asked for.
    shortage: Option<&'static str>,
}

pub(super) fn execute(arguments: &CheckArgs) -> Result<(), Failure> {
    let experiment = arguments.experiment.read()?;
    let (input_shape, classes) =
        data::survey(&experiment.data).map_err(|error| Failure::of_data(error, &experiment))?;
    experiment.check(&input_shape, &classes)?;
    let (study, shortage) = propose(&experiment, arguments.trials);
    let layers = default_layers(&experiment, &study.trials, &input_shape, &classes);
    let findings = Findings { experiment: &experiment, input_shape, layers, study, shortage };
    let text = match arguments.format {
        Format::Text => findings.text(),
        Format::Json => findings.json(),
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::unexpected)
}

/// A study with the first `count` proposals as its trials and, if they are fewer,
/// the reason.
fn propose(experiment: &Experiment, count: u32) -> (Study, Option<&'static str>) {
    const DEPEND: &str = "The proposals after these depend on results.";
    const ALL: &str = "There are no more: every assignment is proposed.";
    let oracle = experiment.search.oracle(&experiment.space);
    let foreseeable = oracle.foreseeable().unwrap_or(u32::MAX);
    let mut study = Study::new(experiment.settings.clone());
    for number in 0..count {
        if number >= foreseeable {
            return (study, Some(DEPEND));
        }
        let proposal = match oracle.suggest(&study) {
            Suggestion::Trial(proposal) => proposal,
            Suggestion::Wait => return (study, Some(DEPEND)),
            Suggestion::Exhausted => return (study, Some(ALL)),
        };
        let Proposal { hyperparameters, seed_state, name, stage } = proposal;
        let trial = TrialId(number);
        let record = Record::TrialCreated { trial, hyperparameters, seed_state, name, stage };
        study.apply(&Stamped { at_ms: 0, record }).expect("trials are numbered in order");
    }
    (study, None)
}

/// The network at the defaults or, where those make none, of the first proposal that does.
fn default_layers(
    experiment: &Experiment,
    proposals: &[Trial],
    input_shape: &[u32],
    classes: &[String],
) -> Vec<LayerSummary> {
    let defaults = experiment.space.defaults();
    std::iter::once(&defaults)
        .chain(proposals.iter().map(|trial| &trial.hyperparameters))
        .filter_map(|hyperparameters| {
            experiment.specify(hyperparameters, input_shape, classes).ok()
        })
        .find_map(|(model, _)| shape::infer_layers(&model.layers, input_shape).ok())
        .unwrap_or_default()
}

impl Findings<'_> {
    fn parameters(&self) -> (u64, u64) {
        self.layers.iter().fold((0, 0), |(total, trainable), layer| {
            (total + layer.parameters, trainable + layer.trainable)
        })
    }

    fn text(&self) -> String {
        let mut text = search_space_summary(&self.experiment.space);
        text.push('\n');
        text.push_str(&self.model_summary());
        match self.study.trials.len() {
            0 => {}
            1 => text.push_str("\nFirst proposal\n"),
            many => {
                let _ = writeln!(text, "\nFirst {many} proposals");
            }
        }
        for trial in &self.study.trials {
            text.push('\n');
            text.push_str(&self.proposal(trial));
        }
        if let Some(shortage) = self.shortage {
            let _ = writeln!(text, "\n{shortage}");
        }
        text
    }

    fn proposal(&self, trial: &Trial) -> String {
        let mut text = format!("Trial {}", self.study.display_id(trial.id));
        if let Some(name) = &trial.name {
            let _ = write!(text, " `{name}`");
        }
        if let Some(stage) = &trial.stage {
            let Stage { round, bracket, epochs, .. } = stage;
            let _ = write!(text, " (round {round} of bracket {bracket}, until epoch {epochs})");
        }
        text.push('\n');
        for (name, value) in trial.hyperparameters.iter() {
            let _ = writeln!(text, "{name}: {value}");
        }
        text
    }

    /// Keras's `model.summary()`, for the defaults.
    fn model_summary(&self) -> String {
        let shown = |shape: &[u32]| {
            let sizes: Vec<String> = shape.iter().map(u32::to_string).collect();
            format!("({})", sizes.join(", "))
        };
        let mut rows = vec![
            ["Layer (type)".to_owned(), "Output shape".to_owned(), "Parameters".to_owned()],
            ["input".to_owned(), shown(&self.input_shape), "0".to_owned()],
        ];
        rows.extend(self.layers.iter().map(|layer| {
            [
                format!("{} ({})", layer.name, layer.kind),
                shown(&layer.output_shape),
                layer.parameters.to_string(),
            ]
        }));
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let (first, second, third) = (width(0), width(1), width(2));
        let mut text = "Network at the defaults\n".to_owned();
        for [layer, shape, parameters] in &rows {
            let _ = writeln!(text, "{layer:first$}  {shape:second$}  {parameters:>third$}");
        }
        let (total, trainable) = self.parameters();
        let _ = writeln!(
            text,
            "Parameters: {total} ({trainable} trainable, {} not)",
            total - trainable
        );
        text
    }

    fn json(&self) -> String {
        let (total, trainable) = self.parameters();
        let layers: Vec<_> = self
            .layers
            .iter()
            .map(|layer| {
                json!({
                    "name": layer.name,
                    "output_shape": layer.output_shape,
                    "parameters": layer.parameters,
                })
            })
            .collect();
        let trials: Vec<_> = self.study.trials.iter().map(Proposed::of).collect();
        let object = json!({
            "study": self.experiment.settings.study,
            "space": self.experiment.space.hyperparameters.iter().map(crate::space::HyperParameter::describe).collect::<Vec<_>>(),
            "model": {
                "layers": layers,
                "parameters": { "total": total, "trainable": trainable },
            },
            "trials": trials,
        });
        let text = serde_json::to_string_pretty(&object).expect("plain values are JSON");
        text + "\n"
    }
}
