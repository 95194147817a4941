//! What the trials so far say: good ones and bad ones, as points.
//!
//! A trial is a point of each group of hyperparameters that is active in it.

use super::layout::Layout;
use crate::space::HyperParameters;
use crate::study::{Direction, Study, Trial, TrialState};

/// At most so many trials are good ones.
const MAX_GOOD: usize = 25;

/// Points of a group: for each member the coordinates of all points, in the
/// order of their trials.
pub(super) type Columns = Vec<Vec<f64>>;

/// The points of one group.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Seen {
    /// Those of trials that are to be followed.
    pub(super) good: Columns,
    /// Those of the others.
    pub(super) bad: Columns,
}

/// The points of each group. Trials that lack a value of a group, or have one
/// that is not in the space any more, are no points of it.
pub(super) fn seen(layout: &Layout, study: &Study) -> Vec<Seen> {
    let columns = |members: &[usize]| vec![Vec::new(); members.len()];
    let empty = |members: &[usize]| Seen { good: columns(members), bad: columns(members) };
    let mut seen: Vec<Seen> = layout.groups.iter().map(|group| empty(&group.members)).collect();
    let mut coordinates = vec![None; layout.axes.len()];
    for (trial, side) in study.trials.iter().zip(sides(study)) {
        if side == Side::Neither {
            continue;
        }
        read(layout, &trial.hyperparameters, &mut coordinates);
        for (group, seen) in layout.groups.iter().zip(&mut seen) {
            if group.members.iter().any(|member| coordinates[*member].is_none()) {
                continue;
            }
            let columns = if side == Side::Good { &mut seen.good } else { &mut seen.bad };
            let row = group.members.iter().filter_map(|member| coordinates[*member]);
            columns.iter_mut().zip(row).for_each(|(column, at)| column.push(at));
        }
    }
    seen
}

/// Reads the coordinate of each hyperparameter. An assignment is in the order
/// of the space, so both are walked in step; only after a change of the space
/// are values looked up.
fn read(layout: &Layout, assignment: &HyperParameters, coordinates: &mut [Option<f64>]) {
    let active: Vec<bool> = layout.groups.iter().map(|group| group.is_active(assignment)).collect();
    let mut values = assignment.iter().peekable();
    for (number, hyperparameter) in layout.space.hyperparameters.iter().enumerate() {
        coordinates[number] = None;
        if !active[layout.places[number].group] {
            continue;
        }
        let value = match values.next_if(|(name, _)| *name == hyperparameter.name) {
            Some((_, value)) => Some(value),
            None => assignment.get(&hyperparameter.name),
        };
        if let (Some(axis), Some(value)) = (&layout.axes[number], value) {
            coordinates[number] = axis.coordinate(&hyperparameter.kind, layout.space.rules, value);
        }
    }
}

/// What becomes of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Good,
    Bad,
    /// It says nothing.
    Neither,
}

/// How many trials have told something about their assignment.
pub(super) fn informative(study: &Study) -> usize {
    let told = study.trials.iter().filter(|trial| match trial.state {
        TrialState::Completed | TrialState::Stopped => trial.score.is_some(),
        TrialState::Infeasible => true,
        TrialState::Waiting | TrialState::Running | TrialState::Failed => false,
    });
    told.count()
}

/// The side of each trial: the best tenth of those with a score is good. A
/// trial under way is bad until it is known to be better, so that workers do
/// not all try the same; one that can never run is bad; one that failed says
/// nothing about its assignment.
pub(super) fn sides(study: &Study) -> Vec<Side> {
    let side = |trial: &Trial| match trial.state {
        TrialState::Completed
        | TrialState::Stopped
        | TrialState::Infeasible
        | TrialState::Waiting
        | TrialState::Running => Side::Bad,
        TrialState::Failed => Side::Neither,
    };
    let mut sides: Vec<Side> = study.trials.iter().map(side).collect();
    let mut scored: Vec<&Trial> =
        study.trials.iter().filter(|trial| trial.score.is_some()).collect();
    // A stopped trial was among the worse ones; the longer it lasted, the better it was.
    let lasted = |trial: &Trial| match trial.state {
        TrialState::Stopped => epochs(trial),
        TrialState::Completed
        | TrialState::Waiting
        | TrialState::Running
        | TrialState::Infeasible
        | TrialState::Failed => u64::MAX,
    };
    let good = scored.len().div_ceil(10).min(MAX_GOOD);
    if good < scored.len() {
        scored.select_nth_unstable_by(good, |a, b| {
            let losses = || loss(study, a).total_cmp(&loss(study, b));
            lasted(b).cmp(&lasted(a)).then_with(losses).then(a.id.cmp(&b.id))
        });
    }
    for trial in &scored[..good] {
        sides[trial.id.0 as usize] = Side::Good;
    }
    sides
}

/// Epochs that all executions had.
fn epochs(trial: &Trial) -> u64 {
    let attempts = trial.executions.iter().filter_map(|execution| execution.current());
    attempts.map(|attempt| u64::from(attempt.epochs())).sum()
}

/// The score, less being better; a score that is no number is the worst.
fn loss(study: &Study, trial: &Trial) -> f64 {
    let score = trial.score.filter(|score| !score.is_nan());
    score.map_or(f64::INFINITY, |score| match study.settings.objective.direction {
        Direction::Min => score,
        Direction::Max => -score,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Proposal;
    use crate::oracle::testing::{create, end, hyperparameter, space, study};
    use crate::space::{Condition, HyperParameter, Kind, Space, Value};
    use crate::study::{AttemptId, Measurement, Metrics, Record, Stamped, TrialId};

    fn choice(count: i64) -> Kind {
        Kind::Choice { values: (0..count).map(Value::Int).collect(), default: None }
    }

    fn apply(study: &mut Study, record: Record) {
        study.apply(&Stamped { at_ms: 0, record }).expect("it fits");
    }

    fn stop(study: &mut Study, trial: TrialId, epochs: u32, score: f64) {
        let id = AttemptId { trial, execution: 0, attempt: 1 };
        apply(study, Record::AttemptStarted { id, worker: "w".to_owned(), from: None });
        let measurement = Measurement {
            epoch: epochs,
            metrics: Metrics::from_iter([("loss", 0.0); 0]),
            seconds: 0.0,
        };
        apply(study, Record::Measured { id, measurement });
        let (state, score) = (TrialState::Stopped, Some(score));
        apply(study, Record::TrialEnded { trial, state, score, error: None });
    }

    fn good(study: &Study) -> Vec<usize> {
        let sides = sides(study);
        (0..sides.len()).filter(|trial| sides[*trial] == Side::Good).collect()
    }

    #[test]
    fn the_best_tenth_is_good_and_completed_trials_come_before_stopped_ones() {
        let mut study = study(1);
        let trials: Vec<TrialId> =
            (0..24).map(|_| create(&mut study, Proposal::default())).collect();
        assert_eq!(good(&study), [0; 0]);
        end(&mut study, trials[0], Some(f64::NAN));
        end(&mut study, trials[1], Some(9.0));
        end(&mut study, trials[2], None);
        let (state, trial) = (TrialState::Infeasible, trials[3]);
        apply(&mut study, Record::TrialEnded { trial, state, score: None, error: None });
        for trial in &trials[4..22] {
            stop(&mut study, *trial, 1, 0.1);
        }
        assert_eq!(good(&study), [0, 1], "two of twenty");
        assert_eq!(sides(&study)[2], Side::Neither, "failed");
        assert_eq!(sides(&study)[3], Side::Bad, "infeasible");
        assert_eq!(sides(&study)[23], Side::Bad, "under way");
        assert_eq!(informative(&study), 21);
        stop(&mut study, trials[22], 2, 0.9);
        assert_eq!(good(&study), [0, 1, 22], "the longer a trial lasted, the better it was");
        study.settings.objective.direction = Direction::Max;
        end(&mut study, trials[23], Some(10.0));
        assert_eq!(good(&study), [0, 1, 23]);
    }

    fn conditional() -> Space {
        let when =
            |value| vec![Condition { parent: "a".to_owned(), values: vec![Value::Int(value)] }];
        let mut space = space([("a", choice(3))]);
        for (name, count, value) in [("u", 2, 0), ("u", 4, 1), ("v", 5, 1)] {
            let hyperparameter = hyperparameter(name, choice(count));
            space.hyperparameters.push(HyperParameter { when: when(value), ..hyperparameter });
        }
        space
    }

    fn assignment(values: &[(&str, i64)]) -> Proposal {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), Value::Int(*value)));
        Proposal { hyperparameters: values.collect(), ..Proposal::default() }
    }

    #[test]
    fn a_trial_is_a_point_of_the_groups_that_are_active_in_it() {
        let layout = Layout::new(conditional());
        let mut study = study(1);
        for values in [
            [("a", 0), ("u", 1)].as_slice(),
            &[("a", 2)],
            &[("a", 1), ("u", 1), ("v", 3)],
            // The space had no `v`, another order, a larger range.
            &[("a", 1), ("u", 2)],
            &[("v", 4), ("u", 3), ("a", 1)],
            &[("a", 0), ("u", 3)],
        ] {
            create(&mut study, assignment(values));
        }
        let bad: Vec<Columns> = seen(&layout, &study).into_iter().map(|seen| seen.bad).collect();
        assert_eq!(
            bad,
            [
                vec![vec![0.0, 2.0, 1.0, 1.0, 1.0, 0.0]],
                vec![vec![1.0]],
                vec![vec![1.0, 3.0], vec![3.0, 4.0]],
            ]
        );
    }
}
