//! How well the algorithms search: regrets as Markdown tables, and a verdict on
//! each target. `scripts/bench-search` runs it and says what it needs.
//!
//! Every study is sequential: propose, score, propose. It drives the oracles as
//! the coordinator does, through records of a [`Study`]. Algorithms are taken
//! by name from [`Algorithm::ALL`]; Optuna's numbers for the same functions come
//! from the file that `optuna_search.py` writes.

mod curves;
mod functions;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use functions::Function;
use rayon::prelude::*;
use serde::Deserialize;
use summary::{Quartiles, brief, table};
use sweep::oracle::{Algorithm, Knobs, Proposal, Setup, StoppingRule, Suggestion};
use sweep::study::{Direction, Objective, Record, Settings, Stamped, Study, TrialId, TrialState};

/// Algorithm, evaluations, studies for each seed, functions.
///
/// Medians of few studies are a matter of chance: on hartmann6, which has a second
/// valley, seven medians of 60 of Optuna's studies each were from 0.106 to 0.164,
/// and that of 20 random draws strays out of its own quartiles. `optuna_search.py`
/// has as many.
const RUNS: [(&str, u32, u64, &[&str]); 3] = [
    ("random", 100, RANDOM_STUDIES_PER_SEED, &FUNCTIONS),
    ("tpe", 100, TPE_STUDIES_PER_SEED, &FUNCTIONS),
    ("bayesian", 60, 1, &["branin", "hartmann6"]),
];
const RANDOM_STUDIES_PER_SEED: u64 = 10;
const TPE_STUDIES_PER_SEED: u64 = 5;
const FUNCTIONS: [&str; 5] = ["branin", "hartmann6", "rosenbrock4", "ackley5", "network"];

/// Greatest median regrets.
const TARGETS: [(&str, &str, f64); 6] = [
    ("tpe", "branin", 0.03),
    ("tpe", "hartmann6", 0.18),
    ("tpe", "rosenbrock4", 53.0),
    ("tpe", "ackley5", 8.0),
    ("bayesian", "branin", 1e-3),
    ("bayesian", "hartmann6", 0.2),
];
/// How many times Optuna's median `tpe` may have.
const TPE_OF_OPTUNA: f64 = 1.2;
/// How many times the regret without stopping `asha` may have.
const ASHA_OF_NONE: f64 = 0.7;
const LANDSCAPES_PER_SEED: u64 = 5;

/// Names of samplers in Optuna's file.
const OPTUNA_RANDOM: &str = "Optuna random";
const OPTUNA_TPE: &str = "Optuna TPE";

#[derive(Parser)]
struct Arguments {
    /// Studies of each function and algorithm; five times as many of TPE, ten of random draws
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// What `optuna_search.py` wrote
    #[arg(long)]
    optuna: Option<PathBuf>,
    /// Only these algorithms
    #[arg(long)]
    algorithm: Vec<String>,
    /// Cargo says so
    #[arg(long, hide = true)]
    bench: bool,
}

/// Regrets of one function by one algorithm.
#[derive(Deserialize)]
struct Regrets {
    function: String,
    algorithm: String,
    evaluations: u32,
    regrets: Vec<f64>,
}

/// The file of `optuna_search.py`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Optuna {
    version: String,
    results: Vec<Regrets>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let optuna = match arguments.optuna.as_ref().map(read).transpose() {
        Ok(optuna) => optuna,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    let mut results = our_results(&arguments);
    let compared = match optuna {
        Some(Optuna { version, results: theirs }) => {
            results.extend(theirs);
            format!(", beside Optuna {version} (as it comes, its TPE differs on `network` only)")
        }
        None => String::new(),
    };
    let seeds = arguments.seeds;
    let (tpe, random) = (seeds * TPE_STUDIES_PER_SEED, seeds * RANDOM_STUDIES_PER_SEED);
    println!(
        "Simple regret (best value found, less the minimum) after so many evaluations: median \
         and quartiles of {seeds} studies ({tpe} of TPE, {random} of random draws){compared}.\n"
    );
    println!("{}", table_of_functions(&results));
    let mut verdicts = verdicts_on_functions(&results);
    verdicts.push(stopping(seeds * LANDSCAPES_PER_SEED));
    for (is_met, text) in &verdicts {
        println!("- {}: {text}", if *is_met { "met" } else { "**missed**" });
    }
    if verdicts.iter().all(|(is_met, _)| *is_met) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn read(path: &PathBuf) -> Result<Optuna, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn our_results(arguments: &Arguments) -> Vec<Regrets> {
    let functions = functions::all();
    let mut results = Vec::new();
    for (name, evaluations, times, on) in RUNS {
        if !arguments.algorithm.is_empty() && !arguments.algorithm.iter().any(|only| only == name) {
            continue;
        }
        let Some(algorithm) = Algorithm::ALL.into_iter().find(|known| known.name() == name) else {
            eprintln!("there is no algorithm `{name}`");
            continue;
        };
        for function in functions.iter().filter(|function| on.contains(&function.name)) {
            eprintln!("{name} on {}", function.name);
            let regrets = (0..arguments.seeds * times)
                .into_par_iter()
                .map(|seed| regret(algorithm, function, evaluations, seed))
                .collect();
            let (function, algorithm) = (function.name.to_owned(), name.to_owned());
            results.push(Regrets { function, algorithm, evaluations, regrets });
        }
    }
    results
}

/// What a study is that minimizes `loss`.
///
/// Draws take one seed after the other from the study's on, so studies of
/// neighbouring seeds would mostly try the same.
fn settings(seed: u64) -> Settings {
    Settings {
        study: "bench".to_owned(),
        objective: Objective::single("loss", Direction::Min),
        max_trials: 1_000_000,
        executions_per_trial: 1,
        folds: None,
        seed: seed * 1_000_000,
        max_retries: 0,
        max_consecutive_failures: 0,
        hours: None,
        epochs: None,
        keep_models: 1,
    }
}

/// The regret of the best of so many evaluations.
fn regret(algorithm: Algorithm, function: &Function, evaluations: u32, seed: u64) -> f64 {
    let knobs = Knobs::defaults(algorithm.knobs());
    let oracle = Setup { algorithm, knobs, ..Setup::random() }.oracle(&function.space);
    let mut study = Study::new(settings(seed));
    let mut best = f64::INFINITY;
    for trial in (0..evaluations).map(TrialId) {
        let Suggestion::Trial(proposal) = oracle.suggest(&study) else {
            panic!("a continuous space has no end, and nothing is under way")
        };
        let Proposal { hyperparameters, seed_state, name, stage } = proposal;
        let regret = function.regret(&hyperparameters);
        best = best.min(regret);
        let score = Some(regret + function.minimum);
        let created = Record::TrialCreated { trial, hyperparameters, seed_state, name, stage };
        let state = TrialState::Completed;
        for record in [created, Record::TrialEnded { trial, state, score, error: None }] {
            study.apply(&Stamped { at_ms: 0, record }).expect("it follows the one before");
        }
    }
    best
}

/// A row a function, a column an algorithm.
fn table_of_functions(results: &[Regrets]) -> String {
    let mut columns: Vec<(&str, u32)> = Vec::new();
    for result in results {
        let column = (result.algorithm.as_str(), result.evaluations);
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    let title = |(name, evaluations): &(&str, u32)| format!("{name}, {evaluations}");
    let header: Vec<String> =
        std::iter::once("function".to_owned()).chain(columns.iter().map(title)).collect();
    let cell = |function: &str, (algorithm, _): &(&str, u32)| {
        find(results, algorithm, function)
            .map_or_else(String::new, |quartiles| quartiles.to_string())
    };
    let row = |function: &str| {
        let cells = columns.iter().map(|column| cell(function, column));
        std::iter::once(function.to_owned()).chain(cells).collect()
    };
    let rows: Vec<Vec<String>> = FUNCTIONS.map(row).into();
    table(&header, &rows)
}

fn find(results: &[Regrets], algorithm: &str, function: &str) -> Option<Quartiles> {
    results
        .iter()
        .find(|result| result.algorithm == algorithm && result.function == function)
        .map(|result| Quartiles::of(&result.regrets))
}

/// Whether each target is met, as far as there are numbers for it.
fn verdicts_on_functions(results: &[Regrets]) -> Vec<(bool, String)> {
    let mut verdicts = Vec::new();
    for (algorithm, function, most) in TARGETS {
        if let Some(Quartiles { median, .. }) = find(results, algorithm, function) {
            let text = format!("{algorithm} on {function}: {}, at most {most}", brief(median));
            verdicts.push((median <= most, text));
        }
    }
    for function in FUNCTIONS {
        let ours = find(results, "tpe", function).zip(find(results, OPTUNA_TPE, function));
        if let Some((ours, theirs)) = ours {
            let most = TPE_OF_OPTUNA * theirs.median;
            let text = format!(
                "tpe on {function}: {}, at most {TPE_OF_OPTUNA} × Optuna's {}",
                brief(ours.median),
                brief(theirs.median)
            );
            verdicts.push((ours.median <= most, text));
        }
        let random = find(results, "random", function).zip(find(results, OPTUNA_RANDOM, function));
        if let Some((Quartiles { median, .. }, Quartiles { lower, upper, .. })) = random {
            let text = format!(
                "random on {function}: {}, between Optuna's quartiles {} and {}",
                brief(median),
                brief(lower),
                brief(upper)
            );
            verdicts.push(((lower..=upper).contains(&median), text));
        }
    }
    verdicts
}

/// Prints what the stopping rules are worth; whether `asha` is worth enough.
fn stopping(landscapes: u64) -> (bool, String) {
    eprintln!("stopping rules on {landscapes} landscapes");
    let rules = [None].into_iter().chain(StoppingRule::ALL.map(Some));
    let studies: Vec<(&str, Vec<curves::Result>)> = rules
        .map(|rule| {
            let name = rule.map_or("no stopping", StoppingRule::name);
            (name, (0..landscapes).into_par_iter().map(|seed| curves::search(rule, seed)).collect())
        })
        .collect();
    let regrets = |results: &[curves::Result]| {
        let regrets: Vec<f64> = results.iter().map(|result| result.regret).collect();
        Quartiles::of(&regrets)
    };
    let without = regrets(&studies[0].1);
    let mean = |results: &[curves::Result], number: fn(&curves::Result) -> usize| {
        let sum: usize = results.iter().map(number).sum();
        format!("{:.0}", sum as f64 / results.len() as f64)
    };
    println!(
        "Random search of simulated learning curves of 30 epochs, 1,200 epochs in all, four \
         workers: median and quartiles of the regret in {landscapes} landscapes.\n"
    );
    let header = ["", "trials", "completed", "regret", "of no stopping"].map(str::to_owned);
    let row = |(name, results): &(&str, Vec<curves::Result>)| {
        let quartiles = regrets(results);
        vec![
            (*name).to_owned(),
            mean(results, |result| result.trials),
            mean(results, |result| result.completed),
            quartiles.to_string(),
            format!("{:.2}", quartiles.median / without.median),
        ]
    };
    let rows: Vec<Vec<String>> = studies.iter().map(row).collect();
    println!("{}", table(&header, &rows));
    let asha = studies.iter().find(|(name, _)| *name == StoppingRule::Asha.name());
    let ratio = asha.map_or(f64::NAN, |(_, results)| regrets(results).median / without.median);
    (
        ratio <= ASHA_OF_NONE,
        format!("asha over random: {ratio:.2} × the regret of no stopping, at most {ASHA_OF_NONE}"),
    )
}
