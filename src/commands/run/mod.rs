//! `sweep run FILE`: a study from its data to its summary.

mod live;
mod opening;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use self::live::{Reason, Running, tidy};
use self::opening::OpenArgs;
use super::{ExperimentArgs, Failure, worker};
use crate::coordinator::local_workers;
use crate::data::{self, Prepared};
use crate::experiment::{Difference, Experiment};
use crate::logging::{self, LogFormat};
use crate::metrics_server;
use crate::oracle::Suggestion;
use crate::plan::ExperimentPlan;
use crate::progress::{Mode, PreparationBar};
use crate::publisher::Publication;
use crate::results::facts::ended_reason;
use crate::results::summary_text;
use crate::run_directory::{RunDirectory, RunDirectoryError};
use crate::slurm::{Request, SlurmWorkers};
use crate::space::Space;
use crate::store::{Origin, Store};
use crate::study::{Ended, Study};

/// Options of `sweep run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// Where run directories are kept; the study's is below it, by its name
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Deletes what an earlier run of this study left, and starts anew
    #[arg(long)]
    overwrite: bool,
    /// Goes on with a changed search space, and keeps the trials of the earlier one
    #[arg(long, conflicts_with = "overwrite")]
    extend: bool,
    /// How many workers to start on this machine [default: one a GPU, else one; none
    /// with `launch`]
    #[arg(long, value_name = "N")]
    pub(super) local_workers: Option<u32>,
    /// The worker program [default: sweep-worker beside sweep, or on PATH]
    #[arg(long, value_name = "PROGRAM")]
    pub(super) worker_program: Option<PathBuf>,
    /// After how many seconds of silence a worker counts as lost
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    lease: u64,
    /// How long a machine gets no executions after three in a row failed there for
    /// reasons of its own; 0: it always gets some
    ///
    /// Such as a GPU that is gone, a full disk, or workers that were killed. Twice as
    /// long with every further time.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    quarantine: u64,
    /// How long a trial that no worker has the memory for waits for a larger one
    /// [default: 600]
    ///
    /// Where workers of other machines may join. It begins when the first worker is
    /// there, and anew when one that is large enough has gone. Then the largest that
    /// is there tries it.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=31_536_000))]
    wait_for_memory: Option<u64>,
    /// Where metrics for Prometheus are served: IP:PORT, or a port of loopback
    ///
    /// Below it are /metrics and, for probes, /healthz: 200 while the study goes
    /// on, else 503. Everyone who reaches it may read them.
    #[arg(long, value_name = "ADDR", value_parser = metrics_server::parse_address)]
    metrics: Option<SocketAddr>,
    /// How progress is shown on stderr
    #[arg(long, value_enum, default_value_t = ProgressMode::Auto)]
    progress: ProgressMode,
    #[command(flatten)]
    open: OpenArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProgressMode {
    /// Bars on a terminal, else lines
    Auto,
    /// Bars that are redrawn
    Bars,
    /// A line an event
    Lines,
    /// Nothing
    Quiet,
}

impl From<ProgressMode> for Mode {
    fn from(mode: ProgressMode) -> Self {
        match mode {
            ProgressMode::Auto => Self::of_stderr(),
            ProgressMode::Lines => Self::lines(),
            ProgressMode::Bars => Self::Bars,
            ProgressMode::Quiet => Self::Quiet,
        }
    }
}

/// - `request`: what Slurm is asked for, if it is to start workers
pub(super) fn execute(arguments: &RunArgs, request: Option<&Request>) -> Result<(), Failure> {
    if arguments.progress == ProgressMode::Bars && logging::format() == LogFormat::Json {
        return Err(Failure::bad_input("--progress bars cannot be shown with --log-format json")
            .with_hint("leave one of the two out, or show --progress lines"));
    }
    let mut experiment = arguments.experiment.read()?;
    // None are allowed to be absent, so that there are no warnings.
    experiment.inspect_weights(false)?;
    if let Some((input_shape, classes)) = data::known_ahead(&experiment.data) {
        experiment.check(&input_shape, &classes)?;
    }
    let workers = arguments.local_workers.unwrap_or_else(|| local_workers::count_gpus().max(1));
    if arguments.wait_for_memory.is_some() && arguments.open.listen.is_none() && request.is_none() {
        return Err(Failure::bad_input("--wait-for-memory: no larger worker can join")
            .with_hint("let others join with --listen 127.0.0.1:7077"));
    }
    if workers == 0 && arguments.open.listen.is_none() && request.is_none() {
        return Err(Failure::bad_input("--local-workers 0 leaves nobody to train")
            .with_hint("let others join with --listen 127.0.0.1:7077"));
    }
    let program = if workers > 0 { worker_program(arguments)? } else { PathBuf::new() };

    let directory =
        RunDirectory::lock(&arguments.runs.join(&experiment.settings.study), arguments.overwrite)?;
    let open = match request {
        Some(_) => arguments.open.clone().for_nodes(&directory),
        None => arguments.open.clone(),
    };
    let opening = open.open(&directory)?;
    let mut store = directory.store()?;
    let origin = store.origin()?;
    let extensions = match &origin {
        Some(origin) => extensions(&experiment, origin, &directory, arguments.extend)?,
        None => Vec::new(),
    };
    let prepared = prepare_data(&experiment, arguments.progress.into())?;
    for skipped in &prepared.manifest.skipped {
        let path = skipped.path.display();
        logging::warning(format_args!("{path} is left out: {}", skipped.reason));
    }
    experiment.check(&prepared.manifest.input_shape, &prepared.manifest.classes)?;
    let origin = settle_origin(&experiment, origin, &prepared, &directory, &mut store)?;
    for extension in extensions {
        logging::note(format_args!("extended: {extension}"));
    }

    let mut study = Study::new(experiment.settings.clone());
    store.replay(&mut study)?;
    let plan = ExperimentPlan::new(experiment, &prepared);
    let publication = Publication::new(plan.clone(), origin, directory.path().to_owned());

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::unexpected)?;
    if let Some(message) = nothing_left(&study, &plan) {
        if let Some(request) = request {
            let say = Arc::new(|text: &str| logging::note(text));
            runtime.block_on(SlurmWorkers::clear(&request.slurm, &directory, say))?;
        }
        // Lost ones matter only if the study goes on, and are looked for then.
        let _lost = tidy(&directory, &study)?;
        publication.publish(&study)?;
        logging::note(message);
        return conclude(&study, plan.space(), &directory);
    }
    let running = Running {
        arguments,
        directory: &directory,
        prepared: &prepared,
        program,
        workers,
        open,
        opening,
        request,
    };
    let ending = runtime.block_on(running.run(study, store, plan, publication.clone()));
    // Connections that workers of elsewhere still hold must not keep us.
    runtime.shutdown_background();
    let ending = ending?;
    // What was on its way when the last worker left is nobody's any more.
    let _lost = tidy(&directory, &ending.study)?;
    publication.publish(&ending.study)?;
    match ending.reason {
        Reason::Over => conclude(&ending.study, publication.space(), &directory),
        Reason::Interrupted => Err(interrupted(&ending.study, &directory)),
        Reason::NoWorkers(failure) => Err(failure),
    }
}

fn worker_program(arguments: &RunArgs) -> Result<PathBuf, Failure> {
    match &arguments.worker_program {
        Some(program) if !program.is_file() => Err(no_program(program)),
        Some(program) => Ok(program.clone()),
        None => worker::find_program(),
    }
}

pub(super) fn no_program(program: &Path) -> Failure {
    Failure::bad_input(format!("there is no worker program {}", program.display()))
        .with_hint("--worker-program takes the path of an executable file")
}

pub(super) fn prepare_data(experiment: &Experiment, mode: Mode) -> Result<Prepared, Failure> {
    let bar = PreparationBar::new(mode);
    let prepared = data::prepare(&experiment.data, &data::cache_dir(), &bar)
        .map_err(|error| Failure::of_data(error, experiment))?;
    // What the file alone tells is said already.
    if experiment.data.leaks_in(&prepared.manifest) && !experiment.data.leaks() {
        logging::warning(experiment.leak());
    }
    for message in prepared.manifest.gaps() {
        logging::warning(message);
    }
    Ok(prepared)
}

/// What of the experiment extends the run's; refuses one that differs otherwise.
///
/// - `extend`: whether an extension is wanted
fn extensions(
    experiment: &Experiment,
    origin: &Origin,
    directory: &RunDirectory,
    extend: bool,
) -> Result<Vec<String>, Failure> {
    let differences = experiment.differences(&origin.experiment);
    let (accepted, refused): (Vec<_>, Vec<_>) =
        differences.into_iter().partition(|difference| extend && difference.extends);
    let extends = refused.iter().all(|difference| difference.extends);
    let lines = |differences: Vec<Difference>| {
        differences.into_iter().map(|difference| difference.text).collect()
    };
    if refused.is_empty() {
        return Ok(lines(accepted));
    }
    let path = directory.path().to_owned();
    Err(RunDirectoryError::Different { path, differences: lines(refused), extends }.into())
}

/// What the run is started with: checked against an earlier start, and written.
fn settle_origin(
    experiment: &Experiment,
    earlier: Option<Origin>,
    prepared: &Prepared,
    directory: &RunDirectory,
    store: &mut Store,
) -> Result<Origin, Failure> {
    let dataset = prepared.manifest.digest.clone();
    let version = match earlier {
        Some(origin) if origin.dataset != dataset => {
            return Err(RunDirectoryError::DifferentData {
                path: directory.path().to_owned(),
                earlier: origin.dataset,
                now: dataset,
            }
            .into());
        }
        Some(origin) => origin.version,
        None => env!("CARGO_PKG_VERSION").to_owned(),
    };
    let origin = Origin { experiment: experiment.canonical(), dataset, version };
    directory.set_origin(store, &origin)?;
    directory.copy_splits(&prepared.path)?;
    Ok(origin)
}

/// What to say where taking the study up again would add nothing.
fn nothing_left(study: &Study, plan: &ExperimentPlan) -> Option<String> {
    let name = &study.settings.study;
    let all_ended = study.all_have_ended();
    match study.ended {
        Some(Ended::MaxTrials | Ended::SpaceExhausted) if all_ended => {
            // The number of trials may have been raised, and the space extended, since.
            let next = plan.search().oracle(plan.space()).suggest(study);
            let has_more = matches!(next, Suggestion::Trial(_));
            let is_full = study.trials.len() >= study.settings.max_trials as usize;
            let finished = format!("the study `{name}` is finished: nothing is left to do");
            match (has_more, is_full) {
                (true, false) => None,
                (true, true) => Some(finished + ", unless you raise `search.max_trials`"),
                (false, _) => Some(finished),
            }
        }
        Some(Ended::Epochs) if study.is_at_epoch_limit() => {
            let reason = ended_reason(study, Ended::Epochs);
            Some(format!(
                "the study `{name}` has ended, because {reason}; to go on, raise `limits.epochs`"
            ))
        }
        Some(
            Ended::MaxTrials
            | Ended::SpaceExhausted
            | Ended::ConsecutiveFailures
            | Ended::Hours
            | Ended::Epochs,
        )
        | None => None,
    }
}

/// Prints the summary; an error when the study has nothing to show for itself.
fn conclude(study: &Study, space: &Space, directory: &RunDirectory) -> Result<(), Failure> {
    let text = summary_text(study, space, directory.path());
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::unexpected)?;
    let last_error = study.trials.iter().rev().find_map(|trial| trial.error.as_deref());
    if study.best().is_none() {
        let error = last_error.unwrap_or("the study ended before its first trial did");
        return Err(Failure::no_trial_completed(format!("no trial completed: {error}"))
            .with_hint(format!("see {}", directory.path().join("trials.csv").display())));
    }
    if study.ended == Some(Ended::ConsecutiveFailures) {
        let error = last_error.unwrap_or_default();
        return Err(Failure::unexpected(format!(
            "the study ended early, because {} trials failed one after another: {error}",
            study.consecutive_failures
        ))
        .with_hint(
            "mend the cause and run the same command again; it goes on with the next trial",
        ));
    }
    Ok(())
}

fn interrupted(study: &Study, directory: &RunDirectory) -> Failure {
    let ended = study.tally().trials.ended();
    Failure::interrupted(format!(
        "interrupted after {ended} of {} trials; everything is in {}",
        study.settings.max_trials,
        directory.path().display()
    ))
    .with_hint("run the same command again to go on where it was")
}
