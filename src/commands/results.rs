//! `sweep results RUN`: tables and summaries of a run, finished or not.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::experiment;
use crate::results::{self, Format, Provenance, Results, SUMMARY_TRIALS};
use crate::run_directory;
use crate::study::Study;

/// Options of `sweep results`.
#[derive(Debug, Args)]
pub(super) struct ResultsArgs {
    /// The run directory, for example runs/quickstart
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// How many trials to show, best first
    #[arg(long, value_name = "N", default_value_t = SUMMARY_TRIALS)]
    top: usize,
    /// How to show them
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn execute(arguments: &ResultsArgs) -> Result<(), Failure> {
    let store = run_directory::open_to_read(&arguments.run)?;
    let database = arguments.run.join("study.db");
    let Some(origin) = store.origin()? else {
        return Err(Failure::bad_input(format!("{}: no study was started", database.display()))
            .with_hint("its `sweep` ended before the data was ready; run it again"));
    };
    let experiment = experiment::parse(&origin.experiment, &database)?;
    let mut study = Study::new(experiment.settings.clone());
    study
        .replay(&store.records()?)
        .map_err(|error| Failure::unexpected(format!("{}: {error}", database.display())))?;
    let provenance = Provenance {
        seed: experiment.settings.seed,
        dataset_digest: origin.dataset,
        version: origin.version,
    };
    let results = Results {
        study: &study,
        space: &experiment.space,
        provenance: &provenance,
        directory: &arguments.run,
    };
    // A reader beside a running coordinator writes nothing: the tables are its own.
    let text =
        results::render(&results, arguments.top, arguments.format).map_err(Failure::unexpected)?;
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::unexpected)
}
