//! A worker's session against a scripted coordinator on a real socket.

#![expect(clippy::unwrap_used, reason = "tests")]

mod checkpoints;
mod coordinator;
mod datasets;
mod departures;
mod losses;
mod process;
mod training;
mod worker;
