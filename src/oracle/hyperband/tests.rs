use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::oracle::testing::{create, end, propose, space, study};
use crate::oracle::{Algorithm, Assignment, Setup};
use crate::space::{Kind, Numerical, Rules, Sampling, Value};
use crate::study::Direction;

fn unit_interval() -> Space {
    let range =
        Numerical { min: 0.0, max: 1.0, step: None, sampling: Sampling::Linear, default: None };
    space([("a", Kind::Float(range))])
}

fn whole_numbers(count: i64) -> Space {
    let values = (0..count).map(Value::Int).collect();
    space([("a", Kind::Choice { values, default: None })])
}

fn setup(epochs: u32, factor: u32, iterations: u32) -> Setup {
    let mut knobs = Knobs::defaults(Hyperband::KNOBS);
    knobs.set("factor", f64::from(factor));
    knobs.set("iterations", f64::from(iterations));
    Setup { algorithm: Algorithm::Hyperband, knobs, epochs, ..Setup::random() }
}

/// The value of `a`, which the tests take for the score.
fn value(trial: &Trial) -> f64 {
    match trial.hyperparameters.get("a") {
        Some(Value::Float(value)) => *value,
        Some(Value::Int(value)) => *value as f64,
        other => panic!("a number, not {other:?}"),
    }
}

fn stage(trial: &Trial) -> &Stage {
    trial.stage.as_ref().expect("every trial has a stage")
}

/// Proposes as many trials as there are without results.
fn propose_all(oracle: &dyn Oracle, study: &mut Study) -> Vec<TrialId> {
    std::iter::from_fn(|| propose(oracle, study)).collect()
}

#[test]
fn one_after_another_trials_are_keras_tuner_s() {
    let golden = crate::space::sampling::tests::golden();
    let golden =
        golden["hyperband_me9_f3_seed1_score_is_a_max_sequential"].as_array().expect("a list");
    for rules in [Rules::Mended, Rules::KerasTuner14] {
        let oracle = setup(9, 3, 1).oracle(&Space { rules, ..unit_interval() });
        let mut study = study(1);
        study.settings.objective.direction = Direction::Max;
        for expected in golden {
            if expected == "STOPPED" {
                assert_eq!(oracle.suggest(&study), Suggestion::Exhausted);
                continue;
            }
            let id = propose(&*oracle, &mut study).expect("another trial");
            let trial = &study.trials[id.0 as usize];
            let (expected, stage) = (&expected[1], stage(trial));
            assert_eq!(expected["a"], value(trial));
            assert_eq!(expected["tuner/epochs"], stage.epochs);
            assert_eq!(expected["tuner/bracket"], stage.bracket);
            assert_eq!(expected["tuner/round"], stage.round);
            let source = stage.promoted_from.map(|source| &study.trials[source.0 as usize]);
            let initial_epoch = source.map_or(0, |source| self::stage(source).epochs);
            assert_eq!(expected["tuner/initial_epoch"], initial_epoch);
            let source = source.map(|source| format!("{:04}", source.id.0));
            assert_eq!(expected["tuner/trial_id"].as_str(), source.as_deref());
            assert_eq!(stage.is_last, stage.epochs == 9);
            let score = value(trial);
            end(&mut study, id, Some(score));
        }
        assert_eq!(study.trials.len(), 23);
    }
}

#[test]
fn first_rounds_of_later_brackets_run_while_earlier_ones_wait() {
    let oracle = setup(4, 2, 1).oracle(&unit_interval());
    let mut study = study(1);
    for expected in [10, 4, 1] {
        let trials = propose_all(&*oracle, &mut study);
        assert_eq!(trials.len(), expected);
        assert_eq!(oracle.suggest(&study), Suggestion::Wait);
        for trial in trials {
            let score = value(&study.trials[trial.0 as usize]);
            end(&mut study, trial, Some(score));
        }
    }
    assert_eq!(oracle.suggest(&study), Suggestion::Exhausted);
    let places: Vec<(u32, u32)> =
        study.trials.iter().map(stage).map(|stage| (stage.bracket, stage.round)).collect();
    let first_rounds = [(2, 0), (2, 0), (2, 0), (2, 0), (1, 0), (1, 0), (1, 0), (0, 0), (0, 0)];
    assert_eq!(places[..9], first_rounds);
    assert_eq!(places[9..], [(0, 0), (2, 1), (2, 1), (1, 1), (1, 1), (2, 2)]);
}

/// A study whose first round of nine trials, of which three go on, was proposed.
fn nine() -> (Box<dyn Oracle>, Study) {
    let oracle = setup(9, 3, 1).oracle(&unit_interval());
    let mut study = study(1);
    for _ in 0..oracle.foreseeable().expect("results matter") {
        propose(&*oracle, &mut study).expect("nothing has to be waited for");
    }
    assert_eq!(study.trials.len(), 9);
    (oracle, study)
}

fn next_stage(oracle: &dyn Oracle, study: &Study) -> Stage {
    let Suggestion::Trial(Proposal { stage: Some(stage), .. }) = oracle.suggest(study) else {
        panic!("there is a trial with a stage")
    };
    stage
}

#[test]
fn the_best_goes_on_as_soon_as_it_is_sure_to_be_among_the_best() {
    let (oracle, mut study) = nine();
    for trial in 0..6 {
        end(&mut study, TrialId(trial), Some(f64::from(trial)));
        assert_eq!(next_stage(&*oracle, &study).bracket, 1, "the next bracket meanwhile");
    }
    end(&mut study, TrialId(6), Some(-1.0));
    let stage = next_stage(&*oracle, &study);
    let expected = Stage {
        iteration: 0,
        bracket: 2,
        round: 1,
        epochs: 3,
        is_last: false,
        promoted_from: Some(TrialId(6)),
    };
    assert_eq!(stage, expected);
    propose(&*oracle, &mut study);
    assert_eq!(next_stage(&*oracle, &study).bracket, 1);
}

#[test]
fn of_equal_trials_the_earlier_goes_on() {
    let (oracle, mut study) = nine();
    for trial in [8, 5, 7, 2, 6, 1, 0, 3, 4] {
        end(&mut study, TrialId(trial), Some(0.5));
    }
    for source in 0..3 {
        assert_eq!(next_stage(&*oracle, &study).promoted_from, Some(TrialId(source)));
        assert!(oracle.may_promote(&study, TrialId(source)));
        propose(&*oracle, &mut study);
        assert!(!oracle.may_promote(&study, TrialId(source)), "it was promoted");
    }
    assert!(!oracle.may_promote(&study, TrialId(3)), "its place is taken");
}

#[test]
fn failures_leave_their_places_to_the_others() {
    let (oracle, mut study) = nine();
    for trial in 0..7 {
        end(&mut study, TrialId(trial), None);
    }
    assert_eq!(next_stage(&*oracle, &study).bracket, 1, "none has a score yet");
    end(&mut study, TrialId(8), Some(0.25));
    // Two at most will have one, and there are places for three.
    assert_eq!(next_stage(&*oracle, &study).promoted_from, Some(TrialId(8)));
    let promoted = propose(&*oracle, &mut study).expect("a promotion");
    end(&mut study, promoted, Some(0.25));
    assert_eq!(next_stage(&*oracle, &study).bracket, 1, "the other one may be better");
    end(&mut study, TrialId(7), None);
    let stage = next_stage(&*oracle, &study);
    assert_eq!((stage.round, stage.promoted_from), (2, Some(promoted)));
}

#[test]
fn an_exhausted_space_closes_its_round_and_promotes() {
    let setup = setup(9, 3, 1);
    let oracle = setup.oracle(&whole_numbers(4));
    let mut study = study(1);
    let drawn = propose_all(&*oracle, &mut study);
    assert_eq!(drawn.len(), 4);
    for trial in drawn {
        end(&mut study, trial, Some(f64::from(trial.0)));
    }
    while let Some(trial) = propose(&*oracle, &mut study) {
        end(&mut study, trial, Some(0.0));
    }
    assert_eq!(oracle.suggest(&study), Suggestion::Exhausted);
    let rounds: Vec<u32> = study.trials.iter().map(|trial| stage(trial).round).collect();
    assert_eq!(rounds, [0, 0, 0, 0, 1, 1, 1, 2]);
}

#[test]
fn assignments_of_the_file_take_the_place_of_draws_only() {
    let assignment = |value: i64| Assignment {
        name: Some(format!("number {value}")),
        hyperparameters: [("a".to_owned(), Value::Int(value))].into_iter().collect(),
    };
    // The first round has 9 places, the next draws are in the bracket after it.
    let setup = Setup { first: (0..11).map(assignment).collect(), ..setup(9, 3, 1) };
    let oracle = setup.oracle(&whole_numbers(1000));
    assert_eq!(oracle.foreseeable(), Some(9));
    let mut study = study(1);
    while let Some(trial) = propose(&*oracle, &mut study) {
        let score = value(&study.trials[trial.0 as usize]);
        end(&mut study, trial, Some(score));
    }
    assert_eq!(study.trials.len(), 23);
    assert_eq!(Algorithm::Hyperband.total(&setup, &whole_numbers(1000)), Some(23));
    for trial in &study.trials {
        if let Some(source) = stage(trial).promoted_from {
            let source = &study.trials[source.0 as usize];
            assert_eq!(trial.hyperparameters, source.hyperparameters);
            assert_eq!(trial.name, source.name);
        }
    }
    let given = study.trials.iter().filter(|trial| stage(trial).promoted_from.is_none());
    let given: Vec<f64> = given.map(value).collect();
    assert_eq!(given[..11], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
}

/// How one trial of a simulated study ends.
#[derive(Debug, Clone, Copy)]
struct Ending {
    /// Which of those under way ends.
    which: usize,
    /// Few different ones, so that there are ties.
    score: Option<u8>,
}

fn endings() -> impl Strategy<Value = Vec<Ending>> {
    let score = prop_oneof![3 => (0_u8..20).prop_map(Some), 1 => Just(None)];
    let one = (0_usize..16, score).prop_map(|(which, score)| Ending { which, score });
    proptest::collection::vec(one, 1..80)
}

/// Runs a search to its end on so many workers.
fn run(oracle: &dyn Oracle, study: &mut Study, workers: usize, endings: &[Ending]) {
    let mut endings = endings.iter().cycle();
    let mut under_way: Vec<TrialId> = Vec::new();
    loop {
        while under_way.len() < workers {
            match oracle.suggest(study) {
                Suggestion::Trial(proposal) => {
                    if let Some(source) = proposal.stage.as_ref().and_then(|s| s.promoted_from) {
                        assert!(oracle.may_promote(study, source), "its training was kept");
                    }
                    under_way.push(create(study, proposal));
                }
                Suggestion::Wait => {
                    assert!(!under_way.is_empty(), "there is something to wait for");
                    break;
                }
                Suggestion::Exhausted => {
                    assert!(under_way.is_empty());
                    return;
                }
            }
        }
        let ending = endings.next().expect("they go round");
        let trial = under_way.remove(ending.which % under_way.len());
        end(study, trial, ending.score.map(f64::from));
    }
}

fn best_first(scores: &mut [f64], direction: Direction) {
    scores.sort_by(|a, b| match direction {
        Direction::Min => a.total_cmp(b),
        Direction::Max => b.total_cmp(a),
    });
}

fn of_round(study: &Study, key: (u32, u32, u32)) -> Vec<&Trial> {
    let is_there = |stage: &Stage| (stage.iteration, stage.bracket, stage.round) == key;
    study.trials.iter().filter(|trial| is_there(stage(trial))).collect()
}

/// Checks the rounds of a study that is over against the schedule.
fn check(study: &Study, schedule: Schedule, size: Option<u64>) {
    let mut draws_left = size.unwrap_or(u64::MAX);
    for iteration in 0..schedule.iterations {
        for bracket in (0..schedule.brackets()).rev() {
            let mut before = of_round(study, (iteration, bracket, 0));
            let drawn = u64::from(schedule.size(bracket, 0)).min(draws_left);
            assert_eq!(before.len() as u64, drawn);
            draws_left -= drawn;
            for round in 1..=bracket {
                let trials = of_round(study, (iteration, bracket, round));
                let mut scores: Vec<f64> = before.iter().filter_map(|trial| trial.score).collect();
                best_first(&mut scores, study.settings.objective.direction);
                scores.truncate(schedule.size(bracket, round) as usize);
                let mut promoted: Vec<f64> = Vec::new();
                let mut sources = HashSet::new();
                for trial in &trials {
                    let source = stage(trial).promoted_from.expect("a promotion");
                    assert!(sources.insert(source), "promoted once");
                    let source = &study.trials[source.0 as usize];
                    assert!(before.iter().any(|trial| trial.id == source.id), "of its round");
                    assert_eq!(trial.hyperparameters, source.hyperparameters);
                    assert_eq!(stage(trial).epochs, schedule.epochs(bracket, round));
                    assert_eq!(stage(trial).is_last, round == bracket);
                    promoted.push(source.score.expect("it has a score"));
                }
                best_first(&mut promoted, study.settings.objective.direction);
                assert_eq!(promoted, scores, "the best go on, all that there are places for");
                before = trials;
            }
        }
    }
    let draws = study.trials.iter().filter(|trial| stage(trial).promoted_from.is_none());
    let distinct: HashSet<[u8; 16]> =
        draws.clone().map(|trial| trial.hyperparameters.digest()).collect();
    assert_eq!(distinct.len(), draws.count(), "no draw comes twice");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_fails_every_bracket_goes_on_with_the_best_of_what_is_left(
        epochs in 1_u32..30,
        factor in 2_u32..5,
        iterations in 1_u32..3,
        workers in 1_usize..12,
        count in proptest::option::of(1_i64..60),
        is_max in any::<bool>(),
        endings in endings(),
    ) {
        let space = count.map_or_else(unit_interval, whole_numbers);
        let setup = setup(epochs, factor, iterations);
        let oracle = setup.oracle(&space);
        let mut study = study(1);
        if is_max {
            study.settings.objective.direction = Direction::Max;
        }
        run(&*oracle, &mut study, workers, &endings);
        check(&study, Schedule { max_epochs: epochs, factor, iterations }, space.size());
        let total = Algorithm::Hyperband.total(&setup, &space).expect("it is bounded");
        prop_assert!(study.trials.len() <= total as usize);
        for trial in &study.trials {
            prop_assert!(!oracle.may_promote(&study, trial.id), "nothing comes any more");
        }
    }
}
