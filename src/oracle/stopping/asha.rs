//! ASHA: only the best part of what reaches a rung goes on from there.
//!
//! Asynchronous successive halving (Li et al., "A System for Massively Parallel
//! Hyperparameter Tuning", MLSys 2020) in the form that stops: rungs lie at
//! `min_epochs`, `min_epochs` × `factor`, `min_epochs` × `factor`² epochs and so
//! on, below a whole training. An execution that reaches a rung is compared, by
//! its best epoch so far, with all that were there before it, and goes on if it
//! is among the best one in `factor`. Nothing is ever paused or taken up again.
//!
//! One in `factor` is rounded down, but the best at a rung always goes on. So
//! while fewer than `factor` are there, only what beats them all goes on, as in
//! Optuna's pruner. In the simulator of `scripts/bench-search` it makes no
//! difference whether these first ones all pass.

use super::super::knobs::{Knob, Knobs, Range};
use super::{Stopping, best_until, rivals};
use crate::study::{AttemptId, Study};

pub(super) const KNOBS: [Knob; 2] = [
    // One in so many goes on from a rung to the next, at so many times its epochs.
    Knob { name: "factor", range: Range::Whole(2..=1_000), default: 3.0 },
    // Epochs of the first rung.
    Knob { name: "min_epochs", range: Range::Whole(1..=1_000_000), default: 1.0 },
];

pub(super) struct Asha {
    factor: usize,
    /// In epochs, ascending.
    rungs: Vec<u32>,
}

impl Asha {
    /// - `epochs`: epochs of a whole training
    pub(super) fn new(knobs: &Knobs, epochs: u32) -> Self {
        let factor = knobs.whole("factor");
        let rungs =
            std::iter::successors(Some(knobs.whole("min_epochs")), |rung| rung.checked_mul(factor));
        Self { factor: factor as usize, rungs: rungs.take_while(|rung| *rung < epochs).collect() }
    }
}

impl Stopping for Asha {
    fn judge(&self, study: &Study, id: AttemptId) -> bool {
        let Some(attempt) = study.attempt(id) else { return false };
        let rung = attempt.epochs();
        if !self.rungs.contains(&rung) {
            return false;
        }
        let objective = &study.settings.objective;
        let own = best_until(attempt, objective, rung);
        let (mut count, mut better) = (1, 0);
        for rival in rivals(study, id, rung) {
            let Some(value) = best_until(rival, objective, rung) else { continue };
            count += 1;
            better += usize::from(own.is_none_or(|own| objective.is_better(value, own)));
        }
        better >= (count / self.factor).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::StoppingRule;
    use crate::oracle::stopping::testing::{curves, first};
    use crate::study::{Direction, TrialState};

    fn asha(factor: u32, min_epochs: u32, epochs: u32) -> Asha {
        let mut knobs = Knobs::defaults(StoppingRule::Asha.knobs());
        knobs.set("factor", factor.into());
        knobs.set("min_epochs", min_epochs.into());
        Asha::new(&knobs, epochs)
    }

    #[test]
    fn rungs_lie_below_a_whole_training() {
        assert_eq!(asha(3, 1, 30).rungs, [1, 3, 9, 27]);
        assert_eq!(asha(3, 1, 27).rungs, [1, 3, 9]);
        assert_eq!(asha(2, 5, 25).rungs, [5, 10, 20]);
        assert!(asha(2, 5, 5).rungs.is_empty());
        assert_eq!(asha(1000, 1_000_000, u32::MAX).rungs, [1_000_000, 1_000_000_000]);
    }

    /// Losses after one epoch of trials in their order, and whether each is stopped.
    fn stopped(factor: u32, direction: Direction, losses: &[f64]) -> Vec<bool> {
        let curves_of: Vec<&[f64]> = losses.iter().map(std::slice::from_ref).collect();
        (1..=losses.len())
            .map(|count| {
                let study = curves(direction, &curves_of[..count]);
                asha(factor, 1, 9).judge(&study, first(count - 1))
            })
            .collect()
    }

    #[test]
    fn the_best_one_in_so_many_goes_on() {
        // 0.5 is alone; 0.4 is the best; of six, two go on.
        assert_eq!(
            stopped(3, Direction::Min, &[0.5, 0.4, 0.45, 0.6, 0.3, 0.35, 0.38]),
            [false, false, true, true, false, false, true]
        );
        assert_eq!(
            stopped(3, Direction::Max, &[0.5, 0.4, 0.45, 0.6, 0.3, 0.55, 0.7]),
            [false, true, true, false, true, false, false]
        );
        assert_eq!(
            stopped(2, Direction::Min, &[0.5, 0.4, 0.6, 0.45, 0.42]),
            [false, false, true, false, false]
        );
    }

    #[test]
    fn equals_go_on_together() {
        assert_eq!(stopped(3, Direction::Max, &[0.1; 5]), [false; 5]);
    }

    #[test]
    fn what_is_not_a_number_never_wins() {
        let nan = f64::NAN;
        assert_eq!(
            stopped(3, Direction::Min, &[nan, nan, 0.5, nan, 0.4]),
            [false, false, false, true, false]
        );
    }

    #[test]
    fn only_rungs_decide_and_only_their_epochs_count() {
        // The second is worse at every epoch; the first is far better later.
        let study = |losses: &[f64]| curves(Direction::Min, &[&[0.5, 0.4, 0.01], losses]);
        let asha = asha(2, 2, 9);
        assert!(!asha.judge(&study(&[0.6]), first(1)));
        assert!(asha.judge(&study(&[0.6, 0.5]), first(1)));
        assert!(!asha.judge(&study(&[0.6, 0.39]), first(1)), "0.01 was measured later");
        assert!(!asha.judge(&study(&[0.3, 0.5]), first(1)), "its best epoch was before");
        assert!(!asha.judge(&study(&[0.6, 0.5, 0.5]), first(1)));
    }

    #[test]
    fn failed_trials_and_those_that_are_not_there_yet_do_not_count() {
        let mut study = curves(Direction::Min, &[&[0.1], &[0.2, 0.2], &[0.3, 0.3]]);
        let asha = asha(2, 2, 9);
        assert!(asha.judge(&study, first(2)));
        study.trials[1].state = TrialState::Failed;
        assert!(!asha.judge(&study, first(2)));
        study.trials[1].state = TrialState::Stopped;
        assert!(asha.judge(&study, first(2)));
    }

    #[test]
    fn executions_of_a_trial_do_not_compete() {
        let mut study = curves(Direction::Min, &[&[0.1], &[0.2], &[0.4]]);
        let sibling = study.trials.remove(2).executions.remove(0);
        study.trials[0].executions.push(sibling);
        let second = AttemptId { execution: 1, ..first(0) };
        assert!(asha(2, 1, 9).judge(&study, second), "0.2 is another trial's");
        study.trials[1].state = TrialState::Failed;
        assert!(!asha(2, 1, 9).judge(&study, second), "0.1 is its own trial's");
    }

    #[test]
    fn attempts_that_do_not_exist_are_no_problem() {
        assert!(!asha(3, 1, 9).judge(&curves(Direction::Min, &[]), first(7)));
    }
}
