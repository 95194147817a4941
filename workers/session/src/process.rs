//! A worker as a process: signals, exit code.

use std::env;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::WorkerArgs;
use crate::error::SessionError;
use crate::log::{say_error, start_log};
use crate::retry::Backoff;
use crate::session::{End, Settings, serve};
use crate::trainer::Trainer;
use crate::training::TrainingThread;

/// Why a worker ended badly.
#[derive(Debug, thiserror::Error)]
enum ProcessError {
    #[error("no folder for fetched datasets: neither XDG_CACHE_HOME nor HOME is set")]
    NoCache,
    #[error("cannot {what}: {source}")]
    System { what: &'static str, source: io::Error },
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl ProcessError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoCache => Some("name one with --cache"),
            Self::System { .. } => None,
            Self::Session(error) => Some(error.hint()),
        }
    }
}

/// Runs a worker's session to its end, as the whole of a program's `main`.
///
/// Returns exit code 0 when the study is over or after SIGTERM, and 1 when the
/// coordinator was not reached for long or refused the worker; standard error
/// says why. SIGINT is like SIGTERM, except under supervision: there the
/// terminal sends it to the supervisor as well, which decides.
///
/// Ends the process itself if the trainer does not stop in time.
pub fn run<T: Trainer>(args: &WorkerArgs, trainer: T) -> ExitCode {
    start_log(args.log_format, args.supervised);
    if args.supervised {
        end_with_standard_input();
    }
    let (result, trainer) = match TrainingThread::start(trainer) {
        Ok(trainer) => (session(args, &trainer), Some(trainer)),
        Err(source) => (Err(ProcessError::System { what: "start a thread", source }), None),
    };
    let code = match &result {
        Ok(End::StudyOver | End::Left) => 0,
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

fn session(args: &WorkerArgs, trainer: &TrainingThread) -> Result<End, ProcessError> {
    let system = |what| move |source| ProcessError::System { what, source };
    let settings = Settings {
        name: args.name.clone().unwrap_or_else(default_name),
        cache: args.cache.clone().or_else(default_cache).ok_or(ProcessError::NoCache)?,
        give_up_after: Duration::from_secs(args.give_up_after),
        backoff: Backoff::default(),
    };
    // One thread is enough: the work is done by the trainer's.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("start the runtime"))?;
    let _guard = runtime.enter();
    let terminate = signal(SignalKind::terminate()).map_err(system("handle SIGTERM"))?;
    let interrupt = signal(SignalKind::interrupt()).map_err(system("handle SIGINT"))?;
    let leave = leave(terminate, interrupt, args.supervised);
    let channel = args.coordinator.channel();
    Ok(runtime.block_on(serve(channel, &settings, trainer, leave))?)
}

/// Completes when the worker is to leave.
async fn leave(mut terminate: Signal, mut interrupt: Signal, supervised: bool) {
    tokio::select! {
        _ = terminate.recv() => {}
        // The handler stays in place, so that under supervision SIGINT does nothing.
        _ = interrupt.recv(), if !supervised => {}
    }
    tracing::info!("leaving");
}

/// Ends the process as soon as standard input closes. The supervisor holds the
/// other end of it, so this works however the supervisor ends.
fn end_with_standard_input() {
    std::thread::spawn(|| {
        let mut ignored = [0; 64];
        let mut input = io::stdin().lock();
        loop {
            match input.read(&mut ignored) {
                Ok(0) => end_at_once(1),
                Ok(_) => {}
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
    let mut name = [0_u8; 256];
    // SAFETY: writes at most `name.len()` bytes to `name`.
    let result = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    let host = if result == 0 { String::from_utf8_lossy(&name[..length]) } else { "".into() };
    let host = if host.is_empty() { "worker".into() } else { host };
    format!("{host}-{}", std::process::id())
}

fn default_cache() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_CACHE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("sweep"))
}
