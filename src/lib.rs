//! Distributed hyperparameter search for libtorch networks.

pub mod coordinator;
pub mod data;
pub mod experiment;
pub mod oracle;
pub mod progress;
pub mod results;
pub mod space;
pub mod store;
pub mod study;
