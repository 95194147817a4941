//! `sweep prepare FILE`: only the data.

use clap::Args;

use super::{ExperimentArgs, Failure, run};
use crate::progress::Mode;

/// Options of `sweep prepare`.
#[derive(Debug, Args)]
pub(super) struct PrepareArgs {
    #[command(flatten)]
    experiment: ExperimentArgs,
}

pub(super) fn execute(arguments: &PrepareArgs) -> Result<(), Failure> {
    let experiment = arguments.experiment.read()?;
    let prepared = run::prepare_data(&experiment, Mode::of_stderr())?;
    let manifest = &prepared.manifest;
    let shape: Vec<String> = manifest.input_shape.iter().map(u32::to_string).collect();
    println!("dataset     {}", manifest.digest);
    println!("folder      {}", prepared.path.display());
    println!("classes     {} ({})", manifest.classes.len(), manifest.classes.join(", "));
    println!("shape       ({})", shape.join(", "));
    println!("tracks      {}", manifest.tracks);
    let parts: Vec<String> =
        manifest.parts.iter().map(|part| format!("{} {}", part.name, part.rows.len())).collect();
    println!("examples    {}: {}", manifest.examples, parts.join(", "));
    println!("left out    {}", manifest.skipped.len());
    println!("made        {}", if prepared.cached { "earlier" } else { "now" });
    Ok(())
}
