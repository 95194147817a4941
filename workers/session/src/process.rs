//! A worker as a process: signals, exit code.

use std::env;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use sweep_proto::connect::{self, ConnectError};
use sweep_proto::labels::{self, LabelError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::args::WorkerArgs;
use crate::error::SessionError;
use crate::log::{say_error, start_log};
use crate::retry::Backoff;
use crate::session::{Departure, End, Settings, serve};
use crate::trainer::Trainer;
use crate::training::TrainingThread;

/// Why a worker ended badly.
#[derive(Debug, thiserror::Error)]
enum ProcessError {
    #[error("no folder for fetched datasets: neither XDG_CACHE_HOME nor HOME is set")]
    NoCache,
    #[error("cannot {what}: {source}")]
    System { what: &'static str, source: io::Error },
    #[error("--label: {0}")]
    Labels(#[from] LabelError),
    #[error("--token-file: {0}")]
    Token(String),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl ProcessError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoCache => Some("name one with --cache"),
            Self::Connect(ConnectError::NobodyTrusted) => Some(
                "copy the whole line that the coordinator printed, or name the authorities \
                 with --ca",
            ),
            Self::Token(_) => Some("it holds the token and nothing else"),
            Self::Labels(_) | Self::Connect(ConnectError::File { .. }) | Self::System { .. } => {
                None
            }
            Self::Session(error) => Some(error.hint()),
        }
    }
}

/// Runs a worker's session to its end, as the whole of a program's `main`.
///
/// Returns exit code 0 when the study is over, after SIGTERM, or when an option
/// says so, and 1 when the coordinator was not reached for long or refused the
/// worker; standard error says why. SIGTERM makes it leave with a checkpoint,
/// within `--grace`. SIGINT, or another SIGTERM, makes it leave at once; but
/// under supervision SIGINT does nothing: there the terminal sends it to the
/// supervisor as well, which decides.
///
/// Ends the process itself if the trainer does not stop in time.
pub fn run<T: Trainer>(args: &WorkerArgs, trainer: T) -> ExitCode {
    start_log(args.log_format, args.supervised);
    let (telling, departure) = watch::channel(Departure::Stay);
    if args.supervised {
        end_with_standard_input(telling.clone());
    }
    let (result, trainer) = match TrainingThread::start(trainer) {
        Ok(trainer) => (session(args, &trainer, telling, departure), Some(trainer)),
        Err(source) => (Err(ProcessError::System { what: "start a thread", source }), None),
    };
    let code = match &result {
        Ok(End::StudyOver | End::Left | End::EnoughTrials | End::Idle) => 0,
        Err(error) => {
            say_error(error, error.hint());
            1
        }
    };
    if trainer.is_none_or(TrainingThread::finish) {
        ExitCode::from(code)
    } else {
        end_at_once(code.into())
    }
}

fn session(
    args: &WorkerArgs,
    trainer: &TrainingThread,
    telling: watch::Sender<Departure>,
    departure: watch::Receiver<Departure>,
) -> Result<End, ProcessError> {
    let system = |what| move |source| ProcessError::System { what, source };
    let settings = Settings {
        name: args.name.clone().unwrap_or_else(default_name),
        host: args.host.clone().unwrap_or_else(host_name),
        labels: labels::collect(&args.labels)?,
        cache: args.cache.clone().or_else(default_cache).ok_or(ProcessError::NoCache)?,
        cache_bytes: Some(args.cache_size),
        give_up_after: Duration::from_secs(args.give_up_after),
        backoff: Backoff::default(),
        grace: Duration::from_secs(args.grace),
        max_trials: args.max_trials,
        idle_timeout: args.idle_timeout.map(Duration::from_secs),
    };
    // One thread is enough: the work is done by the trainer's.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("start the runtime"))?;
    let _guard = runtime.enter();
    let terminate = signal(SignalKind::terminate()).map_err(system("handle SIGTERM"))?;
    let interrupt = signal(SignalKind::interrupt()).map_err(system("handle SIGINT"))?;
    runtime.spawn(heed_signals(terminate, interrupt, args.supervised, telling));
    let address = args.address().map_err(ProcessError::Token)?;
    let client = connect::client(&address, &args.credentials())?;
    Ok(runtime.block_on(serve(client, &settings, trainer, departure))?)
}

/// Says how the worker is to leave, whenever a signal comes.
async fn heed_signals(
    mut terminate: Signal,
    mut interrupt: Signal,
    supervised: bool,
    telling: watch::Sender<Departure>,
) {
    loop {
        let departure = tokio::select! {
            _ = terminate.recv() => match *telling.borrow() {
                Departure::Stay => Departure::WithCheckpoint,
                Departure::WithCheckpoint | Departure::AtOnce => Departure::AtOnce,
            },
            // The handler stays in place, so that under supervision SIGINT does nothing.
            _ = interrupt.recv(), if !supervised => Departure::AtOnce,
        };
        tell(&telling, departure);
    }
}

fn tell(telling: &watch::Sender<Departure>, departure: Departure) {
    match departure {
        Departure::Stay => {}
        Departure::WithCheckpoint => tracing::info!("leaving, with a checkpoint"),
        Departure::AtOnce => tracing::info!("leaving at once"),
    }
    telling.send_if_modified(|told| {
        let before = *told;
        *told = before.max(departure);
        *told != before
    });
}

/// Ends the process as soon as standard input closes. The supervisor holds the
/// other end of it, so this works however the supervisor ends. Whatever it
/// writes there before asks the worker to leave with a checkpoint.
fn end_with_standard_input(telling: watch::Sender<Departure>) {
    std::thread::spawn(move || {
        let mut ignored = [0; 64];
        let mut input = io::stdin().lock();
        loop {
            match input.read(&mut ignored) {
                Ok(0) => end_at_once(1),
                Ok(_) => tell(&telling, Departure::WithCheckpoint),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => end_at_once(1),
            }
        }
    });
}

/// Ends the process without cleaning up, which numerical libraries do not
/// survive while another thread is computing.
fn end_at_once(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Host and process, as far as the host has a name.
fn default_name() -> String {
    let host = host_name();
    let host = if host.is_empty() { "worker" } else { &host };
    format!("{host}-{}", std::process::id())
}

/// The machine's name; empty where it has none.
fn host_name() -> String {
    let mut name = [0_u8; 256];
    // SAFETY: writes at most `name.len()` bytes to `name`.
    let result = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    if result == 0 { String::from_utf8_lossy(&name[..length]).into_owned() } else { String::new() }
}

fn default_cache() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_CACHE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("sweep"))
}
