//! `sweep check FILE`: what an experiment would do, without doing it.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::{Args, ValueEnum};
use serde_json::json;
use sweep_proto::shape::{self, LayerSummary};

use super::{ExperimentArgs, Failure};
use crate::data;
use crate::experiment::Experiment;
use crate::oracle::{Proposal, Suggestion};
use crate::results::search_space_summary;
use crate::space::HyperParameters;
use crate::study::{Record, Stamped, Study, TrialId};

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

/// What there is to show.
struct Findings<'a> {
    experiment: &'a Experiment,
    input_shape: Vec<u32>,
    layers: Vec<LayerSummary>,
    proposals: Vec<(TrialId, HyperParameters)>,
    study: Study,
}

pub(super) fn execute(arguments: &CheckArgs) -> Result<(), Failure> {
    let experiment = arguments.experiment.read()?;
    let (input_shape, classes) =
        data::survey(&experiment.data).map_err(|error| Failure::of_data(error, &experiment))?;
    let classes = u32::try_from(classes.len()).unwrap_or(u32::MAX);
    experiment.check(&input_shape, classes)?;
    let (study, proposals) = propose(&experiment, arguments.trials);
    let layers = default_layers(&experiment, &proposals, &input_shape, classes);
    let findings = Findings { experiment: &experiment, input_shape, layers, proposals, study };
    let text = match arguments.format {
        Format::Text => findings.text(),
        Format::Json => findings.json(),
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::unexpected)
}

/// The first `count` proposals, fewer if the space is smaller.
fn propose(experiment: &Experiment, count: u32) -> (Study, Vec<(TrialId, HyperParameters)>) {
    let oracle = experiment.search.oracle(&experiment.space);
    let count = oracle.foreseeable().map_or(count, |foreseeable| foreseeable.min(count));
    let mut study = Study::new(experiment.settings.clone());
    for number in 0..count {
        let Suggestion::Trial(proposal) = oracle.suggest(&study) else { break };
        let Proposal { hyperparameters, seed_state, name, stage } = proposal;
        let trial = TrialId(number);
        let record = Record::TrialCreated { trial, hyperparameters, seed_state, name, stage };
        study.apply(&Stamped { at_ms: 0, record }).expect("trials are numbered in order");
    }
    let proposals =
        study.trials.iter().map(|trial| (trial.id, trial.hyperparameters.clone())).collect();
    (study, proposals)
}

/// The network at the defaults or, where those make none, of the first proposal that does.
fn default_layers(
    experiment: &Experiment,
    proposals: &[(TrialId, HyperParameters)],
    input_shape: &[u32],
    classes: u32,
) -> Vec<LayerSummary> {
    let defaults = experiment.space.defaults();
    std::iter::once(&defaults)
        .chain(proposals.iter().map(|(_, hyperparameters)| hyperparameters))
        .filter_map(|hyperparameters| {
            experiment.specify(hyperparameters, input_shape, classes).ok()
        })
        .find_map(|(model, _)| shape::infer(&model, input_shape, classes).ok())
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
        if !self.proposals.is_empty() {
            let _ = writeln!(text, "\nFirst {} proposals", self.proposals.len());
        }
        for (trial, hyperparameters) in &self.proposals {
            let _ = writeln!(text, "\nTrial {}", self.study.display_id(*trial));
            for (name, value) in hyperparameters.iter() {
                let _ = writeln!(text, "{name}: {value}");
            }
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
        let trials: Vec<_> = self
            .proposals
            .iter()
            .map(|(trial, hyperparameters)| {
                json!({ "trial": trial.0, "hyperparameters": hyperparameters })
            })
            .collect();
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
