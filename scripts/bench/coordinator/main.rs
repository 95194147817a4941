//! How much a coordinator bears: `sweep` as a process, and workers that train
//! nothing, all on this machine.
//!
//!     cargo bench --bench coordinator
//!
//! - `throughput`: trials a second with 64 workers, at the beginning of a study
//!   and at its end, everything durable before it is acknowledged; and how long
//!   `sweep` takes to start on what there is then
//! - `crowd`: 1,000 workers that wait and 1,000 that report an epoch a second:
//!   how long heartbeats take, and how much memory the coordinator needs
//!
//! `scripts/bench-coordinator` runs this.

mod coordinator;
mod crowd;
mod throughput;

use std::process::ExitCode;

/// What was measured, and what is wanted of it.
struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    wanted: Wanted,
}

enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    fn holds(&self) -> bool {
        match self.wanted {
            Wanted::AtLeast(least) => self.value >= least,
            Wanted::AtMost(most) => self.value <= most,
        }
    }

    fn row(&self) -> String {
        let wanted = match self.wanted {
            Wanted::AtLeast(least) => format!("at least {least}"),
            Wanted::AtMost(most) => format!("at most {most}"),
        };
        let verdict = if self.holds() { "yes" } else { "**no**" };
        format!("| {} | {:.2} {} | {wanted} | {verdict} |", self.what, self.value, self.unit)
    }
}

fn main() -> ExitCode {
    let mut trials = 100_000;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--trials" => {
                trials = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(trials);
            }
            // Cargo's.
            "--bench" => {}
            other => eprintln!("{other} is passed over"),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let figures = runtime.block_on(async {
        let mut figures = throughput::measure(trials).await;
        figures.extend(crowd::measure().await);
        figures
    });
    println!("| | measured | wanted | holds |");
    println!("|---|---|---|---|");
    for figure in &figures {
        println!("{}", figure.row());
    }
    if figures.iter().all(Figure::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
