//! What a study leaves for people: tables, a summary, and the best network.
//!
//! Everything here is made from a [`Study`] alone, finished or not, so no
//! coordinator has to be running. Files are replaced whole, never changed.

pub mod atomic;
pub mod best;
mod columns;
pub mod facts;
pub mod pareto;
pub mod render;
pub mod space_summary;
pub mod summary;
pub mod tables;
#[cfg(test)]
pub(crate) mod testing;
pub mod time;

use std::io::Write;
use std::path::Path;

pub use atomic::WriteError;
pub use best::{BestError, Models, publish_best, weights_file};
pub use render::{Format, Results, render};
pub use space_summary::search_space_summary;
pub use summary::{pareto_summary, results_summary, study_summary};
pub(crate) use tables::write_csv;
pub use tables::{Provenance, TablesError, write_tables};

use atomic::write_atomically;

use crate::space::Space;
use crate::study::Study;

/// Folder of the staged weights within a run directory.
pub const WEIGHTS: &str = "weights";

/// How many trials `summary.txt` shows; Keras Tuner's default.
pub const SUMMARY_TRIALS: usize = 10;

/// Results that could not be written; what was there before is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The tables.
    #[error(transparent)]
    Tables(#[from] TablesError),
    /// The summary.
    #[error(transparent)]
    Summary(#[from] WriteError),
    /// The best network.
    #[error(transparent)]
    Best(#[from] BestError),
}

impl ResultsError {
    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Tables(TablesError::Write(error))
            | Self::Summary(error)
            | Self::Best(BestError::Write(error)) => error.hint(),
            Self::Best(BestError::Path { source, .. }) => atomic::hint(source),
            Self::Tables(TablesError::Table { .. }) => None,
        }
    }
}

/// Writes the tables and `summary.txt`, and brings `best/` up to date.
///
/// - `models`: what to keep in `best/`
///
/// # Errors
///
/// The first thing that could not be written; it is then as it was before.
pub fn write_all(results: &Results<'_>, models: &Models<'_>) -> Result<(), ResultsError> {
    let Results { study, space, provenance, directory } = *results;
    write_tables(study, space, provenance, directory)?;
    write_summary(study, space, directory)?;
    publish_best(study, &directory.join(WEIGHTS), directory, models)?;
    Ok(())
}

/// The search space, the best trials, and how the study went.
#[must_use]
pub fn summary_text(study: &Study, space: &Space, directory: &Path) -> String {
    let results = results_text(study, SUMMARY_TRIALS, directory);
    format!("{}\n{results}", search_space_summary(space))
}

/// The `top` best trials, the Pareto front if there are several objectives, and
/// how the study went.
fn results_text(study: &Study, top: usize, directory: &Path) -> String {
    let mut parts = vec![results_summary(study, top, directory)];
    parts.extend(Some(pareto_summary(study)).filter(|front| !front.is_empty()));
    parts.push(study_summary(study));
    parts.join("\n")
}

/// Writes `summary.txt`: the [text](summary_text) that the terminal shows at the end.
///
/// # Errors
///
/// Why it could not be written; it is then as it was before.
pub fn write_summary(study: &Study, space: &Space, directory: &Path) -> Result<(), WriteError> {
    let text = summary_text(study, space, directory);
    write_atomically(&directory.join("summary.txt"), |file| file.write_all(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_run_directory_gets_everything() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let provenance = Provenance {
            seed: 2,
            dataset_digest: "0123abcd".to_owned(),
            version: "0.1.0".to_owned(),
        };
        let (study, space) = (testing::busy_study(), testing::space());
        let results = Results {
            study: &study,
            space: &space,
            provenance: &provenance,
            directory: folder.path(),
        };
        let models = Models { count: 1, network: &|_| String::new() };
        write_all(&results, &models).expect("written");
        write_all(&results, &models).expect("written again");
        let mut names: Vec<String> = fs::read_dir(folder.path())
            .expect("there")
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "best",
                "executions.csv",
                "executions.parquet",
                "measurements.csv",
                "measurements.parquet",
                "summary.txt",
                "trials.csv",
                "trials.parquet"
            ]
        );
        let summary = fs::read_to_string(folder.path().join("summary.txt")).expect("there");
        let headings: Vec<&str> = summary
            .lines()
            .filter(|line| line.ends_with("summary") || line.starts_with("Study"))
            .collect();
        assert_eq!(
            headings,
            [
                "Search space summary",
                "Results summary",
                "Trial 02 summary",
                "Trial 00 summary",
                "Trial 01 summary",
                "Trial 03 summary",
                "Study crnn: 4 trials (2 completed, 1 failed, 1 running)"
            ]
        );
    }
}
