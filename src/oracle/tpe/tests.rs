//! Tests of the whole oracle.

use std::collections::HashSet;
use std::f64::consts::{E, PI, TAU};

use proptest::prelude::*;

use super::*;
use crate::oracle::testing::{create, end, hyperparameter, propose, space, study};
use crate::oracle::{Algorithm, Setup};
use crate::space::{Condition, HyperParameter, Kind, Numerical, Sampling, Value};
use crate::study::{Record, Stamped, TrialId, TrialState};

fn setup(algorithm: Algorithm) -> Setup {
    Setup { algorithm, knobs: Knobs::defaults(algorithm.knobs()), ..Setup::random() }
}

fn tpe(space: &Space) -> Box<dyn Oracle> {
    setup(Algorithm::Tpe).oracle(space)
}

fn float(min: f64, max: f64) -> Kind {
    Kind::Float(Numerical { min, max, step: None, sampling: Sampling::Linear, default: None })
}

fn log_float(min: f64, max: f64) -> Kind {
    Kind::Float(Numerical { min, max, step: None, sampling: Sampling::Log, default: None })
}

fn int(min: i64, max: i64, step: i64) -> Kind {
    let step = Some(step);
    Kind::Int(Numerical { min, max, step, sampling: Sampling::Linear, default: None })
}

fn choice(values: &[&str]) -> Kind {
    let values = values.iter().map(|value| Value::Text((*value).to_owned())).collect();
    Kind::Choice { values, default: None }
}

fn number(value: Option<&Value>) -> f64 {
    match value {
        Some(Value::Float(number)) => *number,
        Some(Value::Int(number)) => *number as f64,
        other => panic!("{other:?} is no number"),
    }
}

const NAMES: [&str; 6] = ["x1", "x2", "x3", "x4", "x5", "x6"];

/// Functions of numbers that are to be minimized, with least value 0.
#[derive(Debug, Clone, Copy)]
enum Function {
    Branin,
    Hartmann6,
    Rosenbrock4,
    Ackley5,
}

impl Function {
    fn space(self) -> Space {
        let bounds = match self {
            Self::Branin => vec![(-5.0, 10.0), (0.0, 15.0)],
            Self::Hartmann6 => vec![(0.0, 1.0); 6],
            Self::Rosenbrock4 => vec![(-5.0, 10.0); 4],
            Self::Ackley5 => vec![(-32.768, 32.768); 5],
        };
        space(NAMES.into_iter().zip(bounds.into_iter().map(|(min, max)| float(min, max))))
    }

    fn at(self, x: &[f64]) -> f64 {
        match self {
            Self::Branin => {
                let bent = x[1] - 5.1 / (4.0 * PI * PI) * x[0] * x[0] + 5.0 / PI * x[0] - 6.0;
                let wave = 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x[0].cos();
                bent * bent + wave + 10.0 - 0.397_887_357_729_738_16
            }
            Self::Hartmann6 => {
                const HEIGHTS: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
                const SLOPES: [[f64; 6]; 4] = [
                    [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
                    [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
                    [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
                    [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
                ];
                const CENTRES: [[f64; 6]; 4] = [
                    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
                    [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
                    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
                    [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
                ];
                let hills = (0..4).map(|hill| {
                    let far = (0..6).map(|i| SLOPES[hill][i] * (x[i] - CENTRES[hill][i]).powi(2));
                    HEIGHTS[hill] * (-far.sum::<f64>()).exp()
                });
                3.322_368_011_415_51 - hills.sum::<f64>()
            }
            Self::Rosenbrock4 => x
                .windows(2)
                .map(|x| 100.0 * (x[1] - x[0] * x[0]).powi(2) + (1.0 - x[0]).powi(2))
                .sum(),
            Self::Ackley5 => {
                let mean = |term: &dyn Fn(f64) -> f64| {
                    x.iter().map(|x| term(*x)).sum::<f64>() / x.len() as f64
                };
                let (square, wave) = (mean(&|x| x * x), mean(&|x| (TAU * x).cos()));
                -20.0 * (-0.2 * square.sqrt()).exp() - wave.exp() + 20.0 + E
            }
        }
    }

    /// The least of the values after so many trials, one after another.
    fn regret(self, algorithm: Algorithm, seed: u64, trials: u32) -> f64 {
        let oracle = setup(algorithm).oracle(&self.space());
        searched(&*oracle, seed, trials, |assignment| {
            let x: Vec<f64> = assignment.iter().map(|(_, value)| number(Some(value))).collect();
            self.at(&x)
        })
    }
}

/// The least loss after so many trials, one after another.
fn searched(
    oracle: &dyn Oracle,
    seed: u64,
    trials: u32,
    loss: impl Fn(&HyperParameters) -> f64,
) -> f64 {
    let mut study = study(seed);
    for _ in 0..trials {
        let trial = propose(oracle, &mut study).expect("an endless space");
        let loss = loss(&study.trials[trial.0 as usize].hyperparameters);
        end(&mut study, trial, Some(loss));
    }
    study.best().and_then(|best| best.score).expect("some trials")
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    f64::midpoint(numbers[(numbers.len() - 1) / 2], numbers[numbers.len() / 2])
}

#[test]
fn branin_is_searched_far_better_than_at_random() {
    let regret = |algorithm| {
        median((0..5).map(|seed| Function::Branin.regret(algorithm, 1000 * seed, 80)).collect())
    };
    let (tpe, random) = (regret(Algorithm::Tpe), regret(Algorithm::Random));
    assert!(tpe < 0.1 && tpe < 0.5 * random, "{tpe}, {random} at random");
}

/// `cargo test quality -- --ignored --nocapture` prints what the test above
/// only compares.
#[test]
#[ignore = "takes a minute without optimization"]
fn quality() {
    for (function, most) in [
        (Function::Branin, 0.03),
        (Function::Hartmann6, 0.18),
        (Function::Rosenbrock4, 53.0),
        (Function::Ackley5, 8.0),
    ] {
        let regrets =
            (0..20).map(|seed| function.regret(Algorithm::Tpe, 1000 * seed, 100)).collect();
        let median = median(regrets);
        println!("{function:?}: {median:.4}, at most {most}");
        assert!(median <= most, "{function:?}: {median}");
    }
}

/// A mixed space with conditions, nested ones and one name under two of them.
fn mixed() -> Space {
    let when = |parent: &str, values: &[&str]| {
        let values = values.iter().map(|value| Value::Text((*value).to_owned())).collect();
        Condition { parent: parent.to_owned(), values }
    };
    let sgd = when("optimizer", &["sgd"]);
    let hyperparameters = vec![
        hyperparameter("optimizer", choice(&["adam", "sgd", "none"])),
        hyperparameter("rate", log_float(1e-4, 1e-1)),
        HyperParameter {
            when: vec![sgd.clone()],
            ..hyperparameter("schedule", choice(&["flat", "steps"]))
        },
        HyperParameter { when: vec![sgd.clone()], ..hyperparameter("decay", float(0.0, 1.0)) },
        HyperParameter {
            when: vec![sgd, when("schedule", &["steps"])],
            ..hyperparameter("every", int(1, 9, 2))
        },
        HyperParameter {
            when: vec![when("optimizer", &["adam"])],
            ..hyperparameter("decay", int(0, 1, 1))
        },
        hyperparameter("units", int(16, 128, 16)),
        hyperparameter("depth", Kind::Fixed(Value::Int(2))),
    ];
    Space { hyperparameters, ..Space::default() }
}

/// Whether an assignment has just the active hyperparameters, in order, each
/// with a value of its range.
fn is_valid(space: &Space, assignment: &HyperParameters) -> bool {
    let mut values = assignment.iter();
    let all = space.hyperparameters.iter().filter(|own| own.is_active(assignment)).all(|own| {
        values
            .next()
            .is_some_and(|(name, value)| name == own.name && own.kind.can_be(space.rules, value))
    });
    all && values.next().is_none()
}

#[test]
fn numbers_and_categories_are_found_together() {
    // Each choice has its own best rate; the best of all is at `c`.
    let space = space([("rate", log_float(1e-5, 1.0)), ("choice", choice(&["a", "b", "c", "d"]))]);
    let loss = |assignment: &HyperParameters| {
        let rate = number(assignment.get("rate")).log10();
        let (best, least) = match assignment.get("choice").expect("a value").to_string().as_str() {
            "c" => (-1.2, 0.0),
            "a" => (-4.0, 0.3),
            _ => (-2.5, 0.4),
        };
        (rate - best) * (rate - best) + least
    };
    let reached = |algorithm| {
        let oracle = setup(algorithm).oracle(&space);
        median((0..9).map(|seed| searched(&*oracle, 1000 * seed, 60, loss)).collect())
    };
    let (tpe, random) = (reached(Algorithm::Tpe), reached(Algorithm::Random));
    assert!(tpe < 0.01 && tpe < 0.3 * random, "{tpe}, {random} at random");
}

#[test]
fn conditional_values_are_searched_where_they_exist() {
    let space = mixed();
    let loss = |assignment: &HyperParameters| {
        let rate = (number(assignment.get("rate")).log10() + 2.0).abs();
        match assignment.get("every") {
            Some(every) => {
                rate + (number(Some(every)) - 7.0).abs() / 8.0
                    + (number(assignment.get("decay")) - 0.8).abs()
            }
            None => rate + 1.5,
        }
    };
    let reached = |algorithm| {
        let oracle = setup(algorithm).oracle(&space);
        median((0..9).map(|seed| searched(&*oracle, 1000 * seed, 80, loss)).collect())
    };
    let (tpe, random) = (reached(Algorithm::Tpe), reached(Algorithm::Random));
    assert!(tpe < 0.5 * random, "{tpe}, {random} at random");
}

#[test]
fn the_start_is_random_search() {
    let space = mixed();
    let (tpe, random) = (tpe(&space), Setup::random().oracle(&space));
    let (mut a, mut b) = (study(5), study(5));
    for trial in 0..10 {
        assert_eq!(tpe.suggest(&a), random.suggest(&b), "trial {trial}");
        let (trial, _) = (propose(&*tpe, &mut a), propose(&*random, &mut b));
        end(&mut a, trial.expect("a trial"), Some(0.0));
    }
    assert_ne!(tpe.suggest(&a), random.suggest(&b));
    assert_eq!(tpe.foreseeable(), Some(10));
}

#[test]
fn trials_under_way_are_kept_away_from() {
    let space = space([("x", float(0.0, 1.0))]);
    let oracle = tpe(&space);
    let mut studies = Vec::new();
    for under_way in [0, 12] {
        let mut study = study(3);
        for n in 0..20 {
            let x = f64::from(n) / 20.0;
            let trial = create(&mut study, at(x));
            end(&mut study, trial, Some((x - 0.5).abs()));
        }
        for n in 0..under_way {
            create(&mut study, at(0.5 + f64::from(n) * 1e-4));
        }
        studies.push(study);
    }
    let distances = studies.iter().map(|study| {
        let distances = (0..50).map(|seed| {
            let mut study = study.clone();
            study.settings.seed = seed;
            let trial = propose(&*oracle, &mut study).expect("a trial");
            let assignment = &study.trials[trial.0 as usize].hyperparameters;
            (number(assignment.get("x")) - 0.5).abs()
        });
        median(distances.collect())
    });
    let [alone, among_others] = distances.collect::<Vec<f64>>()[..] else { unreachable!() };
    assert!(among_others > 2.0 * alone, "{among_others}, {alone} alone");
}

fn at(x: f64) -> Proposal {
    let values = [("x".to_owned(), Value::Float(x))];
    Proposal { hyperparameters: values.into_iter().collect(), ..Proposal::default() }
}

/// What becomes of a trial: 0 stays under way, 1 fails, 2 can never run, others
/// complete.
fn become_of(study: &mut Study, trial: TrialId, fate: u32) {
    match fate {
        0 => {}
        1 => end(study, trial, None),
        2 => {
            let (state, score, error) = (TrialState::Infeasible, None, None);
            let record = Record::TrialEnded { trial, state, score, error };
            study.apply(&Stamped { at_ms: 0, record }).expect("the trial exists");
        }
        score => end(study, trial, Some(f64::from(score))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn proposals_are_valid_new_and_the_same_again(
        seed in any::<u64>(),
        fates in proptest::collection::vec(0_u32..9, 60),
    ) {
        let space = mixed();
        let oracle = tpe(&space);
        let mut study = study(seed);
        let mut proposed = HashSet::new();
        for fate in fates {
            let suggestion = oracle.suggest(&study);
            prop_assert_eq!(&suggestion, &tpe(&space).suggest(&study.clone()));
            let Suggestion::Trial(proposal) = suggestion else { panic!("an endless space") };
            prop_assert!(is_valid(&space, &proposal.hyperparameters), "{:?}", proposal);
            prop_assert!(proposed.insert(proposal.hyperparameters.digest()));
            let trial = create(&mut study, proposal);
            become_of(&mut study, trial, fate);
        }
    }

    #[test]
    fn a_finite_space_is_proposed_once_and_whole(
        seed in any::<u64>(),
        fates in proptest::collection::vec(0_u32..9, 3 * 4 * 3),
    ) {
        let mut space = space([("a", choice(&["x", "y", "z"])), ("b", int(1, 4, 1))]);
        let values = vec![Value::Text("y".to_owned())];
        let when = vec![Condition { parent: "a".to_owned(), values }];
        space.hyperparameters.push(HyperParameter { when, ..hyperparameter("c", int(0, 4, 2)) });
        let oracle = tpe(&space);
        let mut study = study(seed);
        let mut fates = fates.into_iter();
        while let Some(trial) = propose(&*oracle, &mut study) {
            become_of(&mut study, trial, fates.next().expect("no more than the space has"));
        }
        prop_assert_eq!(Some(study.trials.len() as u64), space.size());
        prop_assert_eq!(study.proposed.len(), study.trials.len());
    }
}
