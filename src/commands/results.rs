//! `sweep results RUN`: tables and summaries of a run, finished or not.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::stored::{self, Stored};
use crate::results::{self, Format, Provenance, Results, SUMMARY_TRIALS};

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
    let Stored { experiment, origin, study, .. } = stored::read(&arguments.run)?;
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
