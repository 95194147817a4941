//! The coordinator: one place decides, the rest carries.
//!
//! [`decide`] is plain synchronous code over a [`Study`](crate::study::Study)
//! and its [`Leases`](leases::Leases). The [`dispatcher`] feeds it events in
//! batches, writes the records of a batch in one transaction and only then
//! replies. The [`service`] turns gRPC calls into events; files go past it in
//! chunks: a dataset's by [`datasets`]; those of [`checkpoints`] are kept in step with the records. Nobody
//! gets at it but through the [`door`]. [`hosts`] knows which machines are in
//! quarantine, and [`placement`] which workers have the memory for a trial.
//! [`local_workers`] starts worker processes and
//! says when one has died; [`workers`] remembers who was heard of, and [`metrics`]
//! counts, for those who watch.

pub mod checkpoints;
pub mod datasets;
pub mod decide;
pub mod dispatcher;
pub mod door;
pub mod hosts;
pub mod leases;
pub mod local_workers;
pub mod metrics;
pub mod placement;
pub mod service;
pub mod transfer;
pub mod workers;

pub use decide::{Decision, Event, Planner, Reply, Search};
