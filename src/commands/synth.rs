//! `sweep synth DIR`: a labelled set of recordings to try things out with.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Failure;
use crate::data::{self, SynthFormat, SynthSettings};
use crate::progress::{Mode, PreparationBar};

/// Options of `sweep synth`.
#[derive(Debug, Args)]
pub(super) struct SynthArgs {
    /// The folder to write: a folder per class, recordings of 22 050 Hz within; new or empty
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// How many classes
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=100))]
    classes: u32,
    /// How many recordings a class
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clips: u32,
    /// Length of a recording in seconds
    #[arg(long, value_name = "S", default_value_t = 6.0)]
    seconds: f64,
    /// The same seed writes the same files
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// `au` is what GTZAN came in
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Wav)]
    format: Format,
}

/// Formats of recordings; 16 bits, mono.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Wav,
    Au,
}

pub(super) fn execute(arguments: &SynthArgs) -> Result<(), Failure> {
    if !(0.1..=600.0).contains(&arguments.seconds) {
        return Err(Failure::bad_input(format!(
            "--seconds {}: from 0.1 to 600",
            arguments.seconds
        )));
    }
    let SynthArgs { folder, classes, clips, seconds, seed, format } = arguments;
    let settings =
        SynthSettings { classes: *classes, clips: *clips, seconds: *seconds, seed: *seed };
    let format = match format {
        Format::Wav => SynthFormat::Wav,
        Format::Au => SynthFormat::Au,
    };
    data::synthesize(folder, &settings, format, &PreparationBar::new(Mode::of_stderr()))?;
    println!("wrote {} recordings of {classes} classes to {}", classes * clips, folder.display());
    Ok(())
}
