//! What a worker says of the machine that it trains on.

use std::collections::BTreeMap;
use std::fmt;

use crate::results::time::duration;

/// A worker's machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machine {
    /// Its name; empty where it is not known.
    pub host: String,
    /// All memory of the worker's device, in bytes; on a CPU, what the worker may
    /// have of the machine's. `None` where it is not known.
    pub memory_bytes: Option<u64>,
    /// What whoever started the worker says of it.
    pub labels: BTreeMap<String, String>,
}

impl Machine {
    /// From the wire, where 0 bytes are not known.
    #[must_use]
    pub fn of_wire(host: String, bytes: u64, labels: BTreeMap<String, String>) -> Self {
        Self { host, memory_bytes: (bytes > 0).then_some(bytes), labels }
    }

    /// `gpu=a100 rack=7`.
    #[must_use]
    pub fn labels_text(&self) -> String {
        let labels = self.labels.iter().map(|(key, value)| format!("{key}={value}"));
        labels.collect::<Vec<_>>().join(" ")
    }
}

/// A host that gets no executions for a while, because they failed there for
/// reasons of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedHost {
    /// Its name.
    pub host: String,
    /// How many executions failed there, one after another.
    pub failures: u32,
    /// What went wrong last.
    pub reason: String,
    /// Milliseconds until it is tried again; 0: it is on trial, with one execution
    /// at a time.
    pub wait_ms: u64,
}

/// A trial that no worker that is there has the memory for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge {
    /// Its number.
    pub trial: u32,
    /// What it takes at least.
    pub needed_bytes: u64,
    /// The most that a worker that is there has.
    pub largest_bytes: u64,
    /// Milliseconds until the largest one tries it all the same.
    pub wait_ms: u64,
}

impl fmt::Display for QuarantinedHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, failures, reason, wait_ms } = self;
        match wait_ms {
            0 => write!(formatter, "host {host} is on trial, with one execution at a time,")?,
            _ => write!(
                formatter,
                "host {host} gets no executions for {} more,",
                duration(*wait_ms as f64 / 1000.0)
            )?,
        }
        write!(formatter, " because {failures} in a row failed there: {reason}")
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        write!(
            formatter,
            "trial {} takes at least {:.1} GiB of memory, and the largest worker that is there \
             has {:.1} GiB",
            self.trial,
            gibibytes(self.needed_bytes),
            gibibytes(self.largest_bytes),
        )?;
        match self.wait_ms {
            0 => write!(formatter, ": the largest tries it"),
            wait_ms => write!(
                formatter,
                ": it waits {} min for a larger one, then the largest tries it",
                wait_ms.div_ceil(60_000)
            ),
        }
    }
}
