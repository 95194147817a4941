//! A run as its store has it, whether a coordinator runs it or not.
//!
//! Reading disturbs nobody: the store is opened for reading only, and the run
//! directory is not locked.

use std::path::Path;

use super::Failure;
use crate::experiment::{self, Experiment};
use crate::run_directory;
use crate::store::Origin;
use crate::study::Study;

/// What a run directory's store tells.
pub(super) struct Stored {
    /// The experiment as run.
    pub(super) experiment: Experiment,
    /// What it was started with.
    pub(super) origin: Origin,
    /// Folded from all records.
    pub(super) study: Study,
    /// When the last record was made, milliseconds since the Unix epoch.
    pub(super) last_record_ms: Option<u64>,
}

/// Reads the store of a run.
///
/// # Errors
///
/// When there is no run, no study was started in it, or the store refuses.
pub(super) fn read(run: &Path) -> Result<Stored, Failure> {
    let store = run_directory::open_to_read(run)?;
    let database = run.join("study.db");
    let Some(origin) = store.origin()? else {
        return Err(Failure::bad_input(format!("{}: no study was started", database.display()))
            .with_hint("its `sweep` ended before the data was ready; run it again"));
    };
    let experiment = experiment::parse(&origin.experiment, &database)?;
    let mut study = Study::new(experiment.settings.clone());
    let last_record_ms = store.replay(&mut study)?;
    Ok(Stored { experiment, origin, study, last_record_ms })
}
