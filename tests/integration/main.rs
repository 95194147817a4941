//! Integration tests: the `sweep` command with real worker processes.
//!
//! The workers are `sweep-toy-worker`s, which measure at once what depends only
//! on the network, the training settings and the seed. Tests that train are
//! `workers/torch/tests/`.

mod algorithms;
mod cache;
mod checkpoints;
mod commands;
mod exposition;
mod extend;
mod full_disk;
mod kills;
mod launch;
mod open;
mod power_loss;
mod service;
mod splits;
mod stopping;
mod strangers;
mod support;
mod watching;
