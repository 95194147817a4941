//! Distributed hyperparameter search for libtorch networks.
//!
//! A *coordinator* reads one experiment file, proposes trials the way Keras
//! Tuner does, and hands them over gRPC to *worker* processes that train
//! networks. Every measurement lands in one durable store; Polars makes tables
//! of it. This page is the map; `README.md` shows how it is used.
//!
//! # Words
//!
//! A [`Space`](space::Space) declares hyperparameters; a
//! [`HyperParameters`](space::HyperParameters) gives each of them a value. A
//! [`Study`](study::Study) is settings and trials. A [`Trial`](study::Trial) is
//! one assignment, trained `executions_per_trial` times, or once on each fold; an
//! [`Execution`](study::Execution) is one such training and the unit that is
//! leased to workers; an [`Attempt`](study::Attempt) is one lease of it. A
//! [`Measurement`](study::Measurement) is the metrics of one epoch. The
//! [`Objective`](study::Objective) is the metric, or the weighted sum of several,
//! that the search improves. An [`Oracle`](oracle::Oracle) proposes assignments; a
//! [`Stopping`](oracle::Stopping) rule ends trials early.
//!
//! # A trial's path
//!
//! 1. [`experiment`] reads the YAML file. Nothing starts on a bad one.
//! 2. [`data`] turns recordings, tables, images or NumPy's arrays into arrays on disk,
//!    once, in a cache that `sweep cache` lists and prunes; [`data_report`] shows
//!    people what is there. [`pretrained`] looks at weights files that the network
//!    names.
//! 3. A worker calls `Acquire`; [`coordinator::service`] makes an event of it.
//! 4. [`coordinator::decide`] chooses: an execution that waits, or a new trial
//!    from the [`oracle`], whose network [`plan`] spells out.
//! 5. [`coordinator::dispatcher`] writes all records of a batch of events in
//!    one transaction of the [`store`], and only then replies.
//! 6. The worker trains concrete layers and numbers and reports each epoch. An
//!    attempt may start from a checkpoint of another attempt, of the same
//!    execution or of a trial that this one was promoted from.
//! 7. `Complete` ends an execution once. When all executions of a trial are
//!    there, it is scored: the best epoch of each, averaged.
//! 8. [`publisher`] keeps the tables, the summary and the best network of the
//!    [`run_directory`] up to date through [`results`]; [`progress`] shows what
//!    goes on. `sweep results` reads a run without any coordinator.
//! 9. Those who watch see the [`status`] of study and workers: with `sweep
//!    status`, and as Prometheus's metrics, which [`coordinator::metrics`] counts
//!    and [`metrics_server`] serves. Watching changes nothing.
//!
//! # Who may use whom
//!
//! [`commands`] uses everything. [`coordinator`] uses [`oracle`], [`store`],
//! [`study`] and [`status`]. [`experiment`] fills the types of [`space`], [`study`] and
//! [`data`], and knows weights files through [`pretrained`]. [`results`] and [`progress`] read [`study`] and [`space`].
//! [`data_report`] reads what [`data`] has prepared, and writes as [`results`] does.
//! [`status`] reads [`study`], and asks nobody. [`slurm`] has workers started and
//! ended, and knows nothing of trials. What is written to stderr goes through
//! [`logging`] or [`progress`].
//! [`study`] uses [`space`], which uses nothing. The crate `sweep-proto` holds
//! what crosses the wire, `sweep-session` a worker's side of it, `sweep-worker`
//! the training; only the last one links libtorch.
//!
//! # Invariants
//!
//! - A worker never chooses hyperparameters.
//! - [`Search::decide`](coordinator::Search::decide) has no clock, no I/O, and
//!   no randomness that is not passed in.
//! - No reply precedes its record: what a worker was told is on disk.
//! - Only [`Study::apply`](study::Study::apply) changes a trial, so a study read
//!   back from its records is the study that was.
//! - With the same file and seed, random, grid and list searches propose the
//!   same trials in the same order, whatever the number of workers, their
//!   deaths, or restarts of the coordinator. Every oracle is a pure function of
//!   the study.
//! - Training that goes on from a checkpoint gives, on a CPU, the numbers of
//!   training that never paused.
//! - A file that others read is replaced whole or not at all.

pub mod commands;
pub mod coordinator;
pub mod data;
pub mod data_report;
pub mod experiment;
pub mod logging;
pub mod metrics_server;
pub mod oracle;
pub mod plan;
pub mod pretrained;
pub mod progress;
pub mod publisher;
pub mod results;
pub mod run_directory;
pub mod slurm;
pub mod space;
pub mod status;
pub mod store;
pub mod study;
