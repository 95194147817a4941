//! The commands of `sweep`, a file each, and how they end.

mod cache;
mod check;
mod client;
mod failure;
mod launch;
mod prepare;
mod results;
mod run;
mod status;
mod stored;
mod synth;
mod worker;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _, Parser, Subcommand};

pub use failure::Failure;

use crate::experiment::{self, Experiment, Overrides, nearest, parse_override};
use crate::logging::{self, FORMAT_VARIABLE, LogFormat};

/// Distributed hyperparameter search for libtorch networks.
#[derive(Debug, Parser)]
#[command(
    name = "sweep",
    version,
    about,
    override_usage = "sweep FILE [OPTIONS]\n       sweep COMMAND ...",
    after_help = "`sweep FILE` is short for `sweep run FILE`: it prepares the data, starts a \
                  coordinator and local workers, shows progress, and ends with the summary. The \
                  same command goes on with an interrupted study.\n\n\
                  Exit codes: 0 finished, 1 unexpected, 2 bad input, 3 no trial completed, \
                  4 store, 130 interrupted."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How messages and progress are written to stderr: text or json
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t = LogFormat::Text,
        global = true,
        env = FORMAT_VARIABLE,
        hide_env_values = true,
        hide_possible_values = true,
        display_order = 900
    )]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a study, or goes on with it (`sweep FILE` does the same)
    Run(Box<run::RunArgs>),
    /// Validates an experiment file and shows what it would do; starts nothing
    Check(check::CheckArgs),
    /// Prepares the data of an experiment, and nothing else
    Prepare(prepare::PrepareArgs),
    /// Writes a small labelled set of recordings, for trying things out
    Synth(synth::SynthArgs),
    /// Lists or removes prepared data
    Cache(cache::CacheArgs),
    /// Shows the tables and summaries of a run, finished or not
    Results(results::ResultsArgs),
    /// Shows where a study and its workers stand, while it runs or after
    Status(status::StatusArgs),
    /// Starts a worker for a coordinator that runs elsewhere
    Worker(worker::WorkerArgs),
    /// Runs a study with workers that a cluster's scheduler starts
    Launch(launch::LaunchArgs),
}

/// An experiment file, and what the command line changes in it.
#[derive(Debug, Args)]
struct ExperimentArgs {
    /// The experiment file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Sets a value of the file, for example search.max_trials=5
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_override)]
    set: Vec<(String, String)>,
    /// Takes a hyperparameter out of the search, for example units=64
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_override)]
    fix: Vec<(String, String)>,
}

impl ExperimentArgs {
    /// Reads the file and shows its warnings.
    fn read(&self) -> Result<Experiment, Failure> {
        let overrides = Overrides { set: self.set.clone(), fix: self.fix.clone() };
        let experiment = experiment::read(&self.file, &overrides)?;
        for warning in &experiment.warnings {
            logging::warning(warning);
        }
        Ok(experiment)
    }
}

/// Makes `sweep FILE ...` of the arguments into `sweep run FILE ...`, unless the
/// first of them, after `--log-format`, is a command, or a word that is much like one.
#[must_use]
pub fn with_default_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    const NO_FILE: [&str; 5] = ["help", "-h", "--help", "-V", "--version"];
    let position = match arguments.get(1).and_then(|first| first.to_str()) {
        Some("--log-format") => 3,
        Some(first) if first.starts_with("--log-format=") => 2,
        Some(_) | None => 1,
    };
    let Some(first) = arguments.get(position).and_then(|first| first.to_str()) else {
        return arguments;
    };
    let cli = Cli::command();
    let mut commands = cli.get_subcommands().map(clap::Command::get_name).chain(NO_FILE);
    let is_meant = commands.any(|known| known == first)
        || (!Path::new(first).exists()
            && nearest(first, cli.get_subcommands().map(clap::Command::get_name)).is_some());
    if !is_meant {
        arguments.insert(position, "run".into());
    }
    arguments
}

/// Reads a command line. Help, versions and slips end the process as clap does it,
/// unless JSON is asked for and what there is to say goes to stderr.
fn parse(arguments: Vec<OsString>) -> Result<Cli, Failure> {
    let error = match Cli::try_parse_from(&arguments) {
        Ok(cli) => return Ok(cli),
        Err(error) => error,
    };
    if !error.use_stderr() || !asks_for_json(&arguments, std::env::var_os(FORMAT_VARIABLE)) {
        error.exit();
    }
    logging::start(LogFormat::Json);
    let text = error.render().to_string();
    let text = text.trim_end();
    Err(Failure::bad_input(text.strip_prefix("error: ").unwrap_or(text)))
}

/// Whether a command line that could not be read asks for JSON.
fn asks_for_json(arguments: &[OsString], variable: Option<OsString>) -> bool {
    let pairs = arguments.windows(2);
    variable.is_some_and(|format| format == "json")
        || arguments.iter().any(|argument| argument == "--log-format=json")
        || pairs.into_iter().any(|pair| pair[0] == "--log-format" && pair[1] == "json")
}

/// Carries out a command line.
///
/// # Errors
///
/// How it ended, if not well.
pub fn execute(arguments: Vec<OsString>) -> Result<(), Failure> {
    let cli = parse(arguments)?;
    logging::start(cli.log_format);
    match cli.command {
        Command::Run(arguments) => run::execute(&arguments, None),
        Command::Check(arguments) => check::execute(&arguments),
        Command::Prepare(arguments) => prepare::execute(&arguments),
        Command::Synth(arguments) => synth::execute(&arguments),
        Command::Cache(arguments) => cache::execute(&arguments),
        Command::Results(arguments) => results::execute(&arguments),
        Command::Status(arguments) => status::execute(&arguments),
        Command::Worker(arguments) => worker::execute(&arguments),
        Command::Launch(arguments) => launch::execute(arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_command_line_with_a_slip_may_ask_for_json() {
        let asks = |arguments: &[&str], variable: Option<&str>| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            asks_for_json(&arguments, variable.map(OsString::from))
        };
        assert!(asks(&["sweep", "--log-format", "json", "--nonsense"], None));
        assert!(asks(&["sweep", "--nonsense", "--log-format=json"], None));
        assert!(asks(&["sweep", "--nonsense"], Some("json")));
        assert!(!asks(&["sweep", "json", "--log-format"], None));
        assert!(!asks(&["sweep", "--nonsense"], Some("text")));
    }

    #[test]
    fn a_file_alone_is_run() {
        let with = |arguments: &[&str]| {
            with_default_command(arguments.iter().map(OsString::from).collect())
        };
        assert_eq!(
            with(&["sweep", "a.yaml", "--set", "x=1"]),
            ["sweep", "run", "a.yaml", "--set", "x=1"]
        );
        assert_eq!(
            with(&["sweep", "--overwrite", "a.yaml"]),
            ["sweep", "run", "--overwrite", "a.yaml"]
        );
        assert_eq!(with(&["sweep", "quickstart"]), ["sweep", "run", "quickstart"]);
        assert_eq!(
            with(&["sweep", "--log-format", "json", "a.yaml"]),
            ["sweep", "--log-format", "json", "run", "a.yaml"]
        );
        for unchanged in [
            &["sweep"][..],
            &["sweep", "check", "a.yaml"],
            &["sweep", "--help"],
            &["sweep", "chek"],
            &["sweep", "--log-format", "json", "check", "a.yaml"],
            &["sweep", "--log-format=json", "check", "a.yaml"],
            &["sweep", "--log-format"],
        ] {
            assert_eq!(with(unchanged), unchanged);
        }
    }
}
