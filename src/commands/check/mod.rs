//! `sweep check FILE`: what an experiment would do, without doing it.

mod network;

use std::fmt::Write as _;
use std::io::Write as _;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::json;

use super::{ExperimentArgs, Failure};
use crate::data;
use crate::experiment::Experiment;
use crate::logging;
use crate::oracle::{Proposal, Suggestion};
use crate::results::search_space_summary;
use crate::space::HyperParameters;
use crate::study::{Record, Stage, Stamped, Study, Trial, TrialId};
use network::{Examples, Network, bytes};

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
    /// None where the assignment gives no network.
    memory_bytes: Option<u64>,
}

impl<'a> Proposed<'a> {
    fn of(trial: &'a Trial, network: Option<&Network>) -> Self {
        Self {
            trial: trial.id,
            name: trial.name.as_deref(),
            stage: trial.stage.as_ref(),
            hyperparameters: &trial.hyperparameters,
            memory_bytes: network.map(Network::memory_bytes),
        }
    }
}

/// What there is to show.
struct Findings<'a> {
    experiment: &'a Experiment,
    examples: Examples,
    /// At the defaults or, where those make none, of the first proposal that does.
    network: Option<Network>,
    /// Whose trials are the proposals.
    study: Study,
    /// Theirs.
    networks: Vec<Option<Network>>,
    /// Why there are no more of them than asked for.
    shortage: Option<&'static str>,
}

pub(super) fn execute(arguments: &CheckArgs) -> Result<(), Failure> {
    let mut experiment = arguments.experiment.read()?;
    for warning in experiment.inspect_weights(true)? {
        logging::warning(warning);
    }
    let (shape, classes) =
        data::survey(&experiment.data).map_err(|error| Failure::of_data(error, &experiment))?;
    experiment.check(&shape, &classes)?;
    let examples = Examples { shape, classes };
    let (study, shortage) = propose(&experiment, arguments.trials);
    let network =
        |hyperparameters: &HyperParameters| Network::of(&experiment, hyperparameters, &examples);
    let defaults = network(&experiment.space.defaults());
    let networks: Vec<_> =
        study.trials.iter().map(|trial| network(&trial.hyperparameters)).collect();
    let shown =
        defaults.or_else(|| study.trials.iter().find_map(|trial| network(&trial.hyperparameters)));
    let findings =
        Findings { experiment: &experiment, examples, network: shown, study, networks, shortage };
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

impl Findings<'_> {
    fn text(&self) -> String {
        let mut text = search_space_summary(&self.experiment.space);
        text.push('\n');
        if let Some(network) = &self.network {
            text.push_str(&network.text(&self.examples.shape));
        }
        if let Some(folds) = self.experiment.settings.folds {
            let _ = writeln!(
                text,
                "Each trial: {folds} executions, of which each validates on another fold"
            );
        }
        match self.study.trials.len() {
            0 => {}
            1 => text.push_str("\nFirst proposal\n"),
            many => {
                let _ = writeln!(text, "\nFirst {many} proposals");
            }
        }
        for (trial, network) in self.study.trials.iter().zip(&self.networks) {
            text.push('\n');
            text.push_str(&self.proposal(trial));
            let _ = match network {
                Some(network) => writeln!(text, "memory: {}", bytes(network.memory_bytes())),
                None => writeln!(text, "no network: this assignment's cannot work"),
            };
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

    fn json(&self) -> String {
        let trials = self.study.trials.iter().zip(&self.networks);
        let trials: Vec<_> =
            trials.map(|(trial, network)| Proposed::of(trial, network.as_ref())).collect();
        let object = json!({
            "study": self.experiment.settings.study,
            "space": self.experiment.space.hyperparameters.iter().map(crate::space::HyperParameter::describe).collect::<Vec<_>>(),
            "model": self.network.as_ref().map(Network::json),
            "trials": trials,
        });
        let text = serde_json::to_string_pretty(&object).expect("plain values are JSON");
        text + "\n"
    }
}
