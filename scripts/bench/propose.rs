//! What it costs to propose trial 10,000 of the CRNN search's 13 hyperparameters:
//! time (by Criterion) and resident memory.
//!
//!     cargo bench --bench propose
//!
//! Targets: 50 µs for `random`, 20 ms for `tpe`, 100 MB.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::Criterion;
use sweep::experiment::{self, Experiment, Overrides};
use sweep::oracle::{Algorithm, Knobs, Oracle, Proposal, Setup, Suggestion};
use sweep::study::{AttemptId, Measurement, Outcome, Record, Stamped, Study, TrialId, TrialState};

const TRIALS: u32 = 10_000;

/// Metrics of an epoch.
const METRICS: u32 = 36;

fn main() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/crnn.yaml");
    let experiment = experiment::read(&file, &Overrides::default()).expect("it is sound");
    assert_eq!(experiment.space.hyperparameters.len(), 13);

    let before = resident_mb();
    let study = scored(&experiment);
    println!("{TRIALS} trials with their scores: {:.1} MB", resident_mb() - before);

    let mut criterion =
        Criterion::default().measurement_time(Duration::from_secs(10)).configure_from_args();
    for name in ["random", "tpe"] {
        let Some(algorithm) = Algorithm::ALL.into_iter().find(|known| known.name() == name) else {
            println!("there is no algorithm `{name}`");
            continue;
        };
        let oracle = oracle(&experiment, algorithm);
        propose(&*oracle, &study);
        println!("with a proposal by {name}: {:.1} MB", resident_mb() - before);
        criterion.bench_function(&format!("trial {TRIALS} by {name}"), |bencher| {
            bencher.iter(|| propose(black_box(&*oracle), black_box(&study)));
        });
    }
    criterion.final_summary();

    let before = resident_mb();
    let whole = measured(&experiment, study);
    let mb = resident_mb() - before;
    let executions = whole.settings.executions_per_trial;
    println!(
        "measurements of these trials, {executions} executions of {} epochs each, {METRICS} metrics an \
         epoch: {mb:.1} MB",
        experiment.search.epochs
    );
}

fn oracle(experiment: &Experiment, algorithm: Algorithm) -> Box<dyn Oracle> {
    let knobs = Knobs::defaults(algorithm.knobs());
    Setup { algorithm, knobs, ..Setup::random() }.oracle(&experiment.space)
}

fn propose(oracle: &dyn Oracle, study: &Study) -> Proposal {
    match oracle.suggest(study) {
        Suggestion::Trial(proposal) => proposal,
        other => panic!("{other:?} in a space of 10^14 assignments"),
    }
}

/// A study of random trials that all have completed.
fn scored(experiment: &Experiment) -> Study {
    let mut study = Study::new(experiment.settings.clone());
    let oracle = oracle(experiment, Algorithm::Random);
    for trial in (0..TRIALS).map(TrialId) {
        let Proposal { hyperparameters, seed_state, name, stage } = propose(&*oracle, &study);
        apply(&mut study, Record::TrialCreated { trial, hyperparameters, seed_state, name, stage });
        let score = Some(f64::from(trial.0.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24));
        apply(
            &mut study,
            Record::TrialEnded { trial, state: TrialState::Completed, score, error: None },
        );
    }
    study
}

/// The same with all that its workers would have reported.
fn measured(experiment: &Experiment, mut study: Study) -> Study {
    for trial in (0..TRIALS).map(TrialId) {
        for execution in 0..study.settings.executions_per_trial {
            let id = AttemptId { trial, execution, attempt: 1 };
            apply(
                &mut study,
                Record::AttemptStarted { id, worker: "worker-1".to_owned(), from: None },
            );
            for epoch in 1..=experiment.search.epochs {
                // As many as `sweep-worker` reports of ten classes.
                let metrics = (0..METRICS).map(|number| (format!("metric {number}"), 0.5));
                let metrics = metrics.collect();
                let measurement = Measurement { epoch, metrics, seconds: 1.0 };
                apply(&mut study, Record::Measured { id, measurement });
            }
            apply(&mut study, Record::AttemptEnded { id, outcome: Outcome::Finished });
        }
    }
    study
}

fn apply(study: &mut Study, record: Record) {
    study.apply(&Stamped { at_ms: 0, record }).expect("it follows the one before");
}

/// Megabytes of this process that are in memory, as Linux counts them.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is there");
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes * 1024.0 / 1e6
}
