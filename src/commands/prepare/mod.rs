//! `sweep prepare FILE`: only the data, and what there is of them.

mod json;
mod text;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::{ExperimentArgs, Failure, run};
use crate::data::{self, Overview, Prepared, overview};
use crate::data_report::{self, Subject, check_place};
use crate::experiment::Experiment;
use crate::logging;
use crate::progress::{Mode, PreparationBar};

/// Options of `sweep prepare`.
#[derive(Debug, Args)]
pub(super) struct PrepareArgs {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// How to show what was prepared
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Writes a page to look at: recordings or images of each class, class balance, distributions
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
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
    prepared: &'a Prepared,
    overview: &'a Overview,
    /// That preparation took.
    seconds: f64,
    /// Where the page is.
    report: Option<&'a Path>,
}

pub(super) fn execute(arguments: &PrepareArgs) -> Result<(), Failure> {
    let experiment = arguments.experiment.read()?;
    let report = arguments.report.as_deref();
    if let Some(path) = report {
        // Better now than after a long preparation.
        check_place(path).map_err(|error| {
            Failure::bad_input(format!("--report: {error}")).with_hint(error.hint())
        })?;
    }
    let started = Instant::now();
    let prepared = run::prepare_data(&experiment, Mode::of_stderr())?;
    let seconds = started.elapsed().as_secs_f64();
    let of_data = |error| Failure::of_data(error, &experiment);
    let overview = overview(&experiment.data.source, &prepared).map_err(of_data)?;
    let skipped = overview.total.skipped;
    if skipped > 0 {
        let all = skipped + overview.total.tracks;
        logging::warning(format_args!("{skipped} of {all} {} are left out", overview.unit));
    }
    if let Some(path) = report {
        let subject = Subject {
            study: &experiment.settings.study,
            settings: &experiment.data,
            prepared: &prepared,
            overview: &overview,
        };
        let bar = PreparationBar::new(Mode::of_stderr());
        let page = data_report::render(subject, &data::cache_dir(), &bar).map_err(of_data)?;
        data_report::write(path, &page).map_err(|error| {
            Failure::bad_input(format!("--report: {error}"))
                .with_hint("name a file in a folder that can be written to")
        })?;
    }
    let findings = Findings {
        experiment: &experiment,
        prepared: &prepared,
        overview: &overview,
        seconds,
        report,
    };
    let text = match arguments.format {
        Format::Text => findings.text(),
        Format::Json => findings.json(),
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::unexpected)
}
