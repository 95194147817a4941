//! How many threads share a training step where nobody says.
//!
//! The system's answer heeds which cores this process may run on, and the CPU quota
//! of its control groups (`cpu.max`; a share of a core counts as none, but for the
//! first): so Kubernetes' and systemd's limits hold. Slurm need not bind a task to
//! the cores that it was given, and says in a variable how many there are.

use std::env;
use std::num::NonZero;
use std::thread::available_parallelism;

/// Says how many cores Slurm gives a task, where it was asked for a number.
const SLURM: &str = "SLURM_CPUS_PER_TASK";

/// The number of threads.
pub(super) fn default_threads() -> usize {
    let cores = available_parallelism().map_or(1, NonZero::get);
    threads(cores, env::var(SLURM).ok().as_deref())
}

fn threads(cores: usize, slurm: Option<&str>) -> usize {
    let given = slurm.and_then(|text| text.trim().parse().ok()).filter(|&given| given > 0);
    given.map_or(cores, |given: usize| given.min(cores))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_there_are_and_no_more_than_slurm_gives() {
        for (cores, slurm, expected) in [
            (8, None, 8),
            (8, Some("4"), 4),
            (8, Some(" 4\n"), 4),
            (2, Some("4"), 2),
            (8, Some("0"), 8),
            (8, Some(""), 8),
            (8, Some("4(x2)"), 8),
            (8, Some("-1"), 8),
        ] {
            assert_eq!(threads(cores, slurm), expected, "{cores} {slurm:?}");
        }
    }
}
