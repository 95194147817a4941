//! While a study goes on: the coordinator, its local workers, and the signals
//! that end them early.

use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::RunArgs;
use super::opening::{OpenArgs, Opening};
use crate::commands::Failure;
use crate::coordinator::checkpoints::CheckpointFiles;
use crate::coordinator::datasets::DatasetFiles;
use crate::coordinator::decide::{Event, Search};
use crate::coordinator::dispatcher::{Clock, Dispatcher, Phase};
use crate::coordinator::local_workers::{self, LocalWorkers, LocalWorkersError};
use crate::coordinator::metrics::Metrics;
use crate::coordinator::placement::PATIENCE_MS;
use crate::coordinator::service::Service;
use crate::coordinator::transfer::remove_unfinished;
use crate::data::Prepared;
use crate::metrics_server::Site;
use crate::plan::ExperimentPlan;
use crate::progress::Progress;
use crate::publisher::{Publication, Publisher, Screen};
use crate::run_directory::RunDirectory;
use crate::slurm::{Gone, Request, SlurmWorkers};
use crate::status::Doing;
use crate::store::Store;
use crate::study::{CheckpointId, Study};

/// How long a coordinator that workers of elsewhere joined stays to tell them
/// that the study is over: longer than the time between two heartbeats.
const LINGER: Duration = Duration::from_secs(6);

/// How often it is looked whether any worker is there.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// What is needed while a study goes on.
pub(super) struct Running<'a> {
    pub(super) arguments: &'a RunArgs,
    pub(super) directory: &'a RunDirectory,
    pub(super) prepared: &'a Prepared,
    /// The worker program; empty where no worker is started.
    pub(super) program: PathBuf,
    /// How many workers are started.
    pub(super) workers: u32,
    pub(super) open: OpenArgs,
    pub(super) opening: Opening,
    /// What Slurm is asked for, if it is to start workers.
    pub(super) request: Option<&'a Request>,
}

/// How the running of a study ended.
pub(super) struct Ending {
    pub(super) study: Study,
    pub(super) reason: Reason,
}

/// Why the running of a study ended.
pub(super) enum Reason {
    /// The study is over.
    Over,
    /// The user, or a scheduler, said so.
    Interrupted,
    /// No worker can be kept alive.
    NoWorkers(Failure),
}

/// The local workers, being supervised.
type Supervision = JoinHandle<Result<(), LocalWorkersError>>;

impl Running<'_> {
    /// Runs the study to its end, or to an earlier one.
    ///
    /// # Errors
    ///
    /// When nothing can be started, or the store refuses.
    pub(super) async fn run(
        &self,
        study: Study,
        store: Store,
        plan: ExperimentPlan,
        publication: Publication,
    ) -> Result<Ending, Failure> {
        let listen = self.open.address();
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            Failure::bad_input(format!("cannot listen on {listen}: {error}"))
                .with_hint("choose another port with --listen, or leave it out for a free one")
        })?;
        let address = listener.local_addr().map_err(Failure::unexpected)?;
        // Whoever knows the address may ask this process to leave.
        let mut signals = Signals::listen()?;
        self.directory.set_address(&self.opening.local(address)?)?;
        let metrics_listener = match self.arguments.metrics {
            Some(address) => Some(listen_for_metrics(address).await?),
            None => None,
        };
        let screen = Screen::new(Progress::new(self.arguments.progress.into()));
        let earlier_line = self.line();
        if self.is_open() {
            screen.message(&self.opening.announce(address)?);
        }
        let mut slurm = match self.request {
            Some(request) => {
                let line_holds = self.line() == earlier_line;
                tokio::select! {
                    started = self.start_slurm(request, &study, line_holds, &screen) => Some(started?),
                    () = signals.next() => return Ok(Ending { study, reason: Reason::Interrupted }),
                }
            }
            None => None,
        };

        let publisher = Publisher::start(publication, screen.clone());
        let lost = tidy(self.directory, &study)?;
        let metrics = Metrics::new(&study.settings.study);
        let dispatcher = self.dispatcher(study, store, plan, publisher, metrics.clone());
        if let Some(listener) = metrics_listener {
            let address = listener.local_addr().map_err(Failure::unexpected)?;
            screen.message(&format!("metrics: http://{address}/metrics"));
            let site = Site { metrics, handle: dispatcher.handle.clone() };
            tokio::spawn(site.serve(listener));
        }
        for checkpoint in lost {
            // Fails only when the store has failed, which `close` reports.
            let _ = dispatcher.handle.tell(Event::CheckpointLost { checkpoint }).await;
        }
        let server = self.service(&dispatcher).serve(self.opening.door.clone(), listener);
        let server = tokio::spawn(server);
        let (leave, left) = watch::channel(false);
        let workers = LocalWorkers {
            program: self.program.clone(),
            count: self.workers,
            coordinator: self.opening.local(address)?,
            logs: self.directory.logs(),
        };
        let workers = workers.supervise(dispatcher.handle.clone(), dispatcher.phase.clone(), left);
        let mut workers = tokio::spawn(workers);

        let reason =
            self.wait(&dispatcher, &mut workers, slurm.as_mut(), &mut signals, &screen).await;
        let canceller = slurm.as_ref().map(SlurmWorkers::canceller);
        tokio::spawn(async move {
            signals.next().await;
            if let Some(canceller) = canceller {
                canceller.cancel_now();
            }
            std::process::exit(130);
        });
        match reason {
            // When the store has failed there is nothing to tell: workers are to try again.
            Reason::Over if self.is_open() && *dispatcher.phase.borrow() == Phase::Over => {
                tokio::time::sleep(LINGER).await;
            }
            Reason::Over => {}
            Reason::Interrupted | Reason::NoWorkers(_) => {
                // Nobody may be left to tell.
                let _ = leave.send(true);
            }
        }
        if let Some(slurm) = slurm {
            slurm.leave(matches!(reason, Reason::Interrupted)).await;
        }
        if !workers.is_finished() {
            // Their way of leaving changes nothing any more.
            let _ = workers.await;
        }
        let study = dispatcher.close().await?;
        server.abort();
        Ok(Ending { study, reason })
    }

    fn dispatcher(
        &self,
        study: Study,
        store: Store,
        plan: ExperimentPlan,
        publisher: Publisher,
        metrics: Metrics,
    ) -> Dispatcher {
        let clock = Clock::start();
        let oracle = plan.search().oracle(plan.space());
        let stopping = plan.search().stopping();
        let lease_ms = self.lease_ms();
        let mut search =
            Search::new(study, oracle, stopping, Box::new(plan), lease_ms, clock.now())
                .with_quarantine(self.arguments.quarantine * 1000)
                .expecting(self.workers, self.patience_ms());
        let first = search.start(clock.now(), env!("CARGO_PKG_VERSION"), local_workers::is_local);
        let observer = Box::new((metrics, (publisher, self.checkpoints())));
        Dispatcher::start(search, store, observer, clock, first)
    }

    fn checkpoints(&self) -> CheckpointFiles {
        CheckpointFiles::new(self.directory.checkpoints())
    }

    fn service(&self, dispatcher: &Dispatcher) -> Service {
        Service {
            handle: dispatcher.handle.clone(),
            lease_ms: self.lease_ms(),
            weights: self.directory.weights(),
            checkpoints: self.checkpoints(),
            dataset: DatasetFiles::new(
                self.prepared.manifest.digest.clone(),
                self.prepared.path.clone(),
            ),
        }
    }

    /// How long a larger worker of another machine is waited for, if any may come.
    fn patience_ms(&self) -> Option<u64> {
        let patience_ms = self.arguments.wait_for_memory.map_or(PATIENCE_MS, |wait| wait * 1000);
        self.open.listen.map(|_| patience_ms)
    }

    /// Whether workers of elsewhere may join.
    fn is_open(&self) -> bool {
        self.open.listen.is_some()
    }

    fn lease_ms(&self) -> u64 {
        self.arguments.lease * 1000
    }

    /// The line that workers of other machines join with, as it is kept.
    fn line(&self) -> Option<String> {
        std::fs::read_to_string(self.directory.join_line()).ok()
    }

    async fn start_slurm(
        &self,
        request: &Request,
        study: &Study,
        line_holds: bool,
        screen: &Screen,
    ) -> Result<SlurmWorkers, Failure> {
        let screen = screen.clone();
        let say = Arc::new(move |text: &str| screen.message(text));
        let name = &study.settings.study;
        Ok(SlurmWorkers::start(request, self.directory, name, line_holds, say).await?)
    }

    /// Waits until the study is over, someone interrupts it, or nobody can work on it.
    async fn wait(
        &self,
        dispatcher: &Dispatcher,
        workers: &mut Supervision,
        mut slurm: Option<&mut SlurmWorkers>,
        signals: &mut Signals,
        screen: &Screen,
    ) -> Reason {
        let mut phase = dispatcher.phase.clone();
        let mut supervised = true;
        loop {
            tokio::select! {
                _ = phase.wait_for(|phase| *phase != Phase::Running) => return Reason::Over,
                () = signals.next() => {
                    screen.message("interrupted: saving; once more leaves at once");
                    // Fails only when the store has failed, which `close` reports.
                    let _ = dispatcher.handle.tell(Event::Interrupt).await;
                    return Reason::Interrupted;
                }
                left = &mut *workers, if supervised => {
                    supervised = false;
                    let left = left.unwrap_or_else(|panic| resume_unwind(panic.into_panic()));
                    match left {
                        Ok(()) => {}
                        // With an open port, others may still come.
                        Err(error) if self.is_open() => {
                            screen.message(&format!("warning: {error}"));
                        }
                        Err(error) => return Reason::NoWorkers(error.into()),
                    }
                }
                gone = watch(slurm.as_deref_mut(), dispatcher, screen) => {
                    return Reason::NoWorkers(gone.into());
                }
            }
        }
    }
}

/// Watches Slurm's workers until nobody is left, of them or of others that have
/// joined; for ever where Slurm has none.
async fn watch(slurm: Option<&mut SlurmWorkers>, dispatcher: &Dispatcher, screen: &Screen) -> Gone {
    let Some(slurm) = slurm else { return std::future::pending().await };
    let gone = slurm.watch().await;
    if has_workers(dispatcher).await {
        // Those that ended just now are among them.
        screen.message("slurm: no worker of the job is left; others were heard of a moment ago");
    }
    while has_workers(dispatcher).await {
        tokio::time::sleep(LOOK_AROUND).await;
    }
    gone
}

/// Whether any worker was heard of within a lease.
async fn has_workers(dispatcher: &Dispatcher) -> bool {
    dispatcher.handle.status().await.is_ok_and(|status| {
        status.workers.iter().any(|worker| match worker.doing {
            Doing::Idle | Doing::Runs { .. } => true,
            Doing::Silent => false,
        })
    })
}

async fn listen_for_metrics(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::bad_input(format!("cannot serve metrics on {address}: {error}"))
            .with_hint("choose another port with --metrics")
    })
}

/// Removes what no record of the study names among its checkpoints, and weights that
/// were on their way to a coordinator that has ended. Returns the checkpoints that
/// are recorded, but not there.
pub(super) fn tidy(directory: &RunDirectory, study: &Study) -> Result<Vec<CheckpointId>, Failure> {
    let fail = |folder: &Path| {
        let folder = folder.to_owned();
        move |error| Failure::of_run(&folder, &error)
    };
    let (weights, checkpoints) = (directory.weights(), directory.checkpoints());
    remove_unfinished(&weights).map_err(fail(&weights))?;
    CheckpointFiles::new(checkpoints.clone()).tidy(study).map_err(fail(&checkpoints))
}

/// SIGINT and SIGTERM: a person's Ctrl-C, or a scheduler's wish.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(Failure::unexpected)?,
            terminate: signal(SignalKind::terminate()).map_err(Failure::unexpected)?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
