//! The median rule: stop what does worse than the others did on average.
//!
//! As in Google Vizier (Golovin et al., "Google Vizier: A Service for Black-Box
//! Optimization", KDD 2017, section 3.2): an execution whose best epoch so far is
//! worse than the median of other executions' running means up to the same epoch
//! is stopped. A running mean lags behind a curve that improves, so the rule is
//! patient. Only executions that were trained to their end are compared with; in
//! the simulator of `scripts/bench-search` that saves more than counting the
//! stopped ones too.

use super::super::knobs::{Knob, Knobs, Range};
use super::{Stopping, best_until, rivals, values_until};
use crate::study::{AttemptId, Outcome, Study, TrialState};

pub(super) const KNOBS: [Knob; 2] = [
    // Epochs that every execution is given.
    Knob { name: "min_epochs", range: Range::Whole(1..=1_000_000), default: 5.0 },
    // Trials that have to complete before any is stopped.
    Knob { name: "startup_trials", range: Range::Whole(1..=1_000_000), default: 5.0 },
];

pub(super) struct Median {
    min_epochs: u32,
    startup_trials: usize,
    epochs: u32,
}

impl Median {
    /// - `epochs`: epochs of a whole training
    pub(super) fn new(knobs: &Knobs, epochs: u32) -> Self {
        let startup_trials = knobs.whole("startup_trials") as usize;
        Self { min_epochs: knobs.whole("min_epochs"), startup_trials, epochs }
    }
}

impl Stopping for Median {
    fn judge(&self, study: &Study, id: AttemptId) -> bool {
        let Some(attempt) = study.attempt(id) else { return false };
        let epoch = attempt.epochs();
        // After the last epoch there is nothing left to save.
        if epoch < self.min_epochs || epoch >= self.epochs {
            return false;
        }
        let completed =
            study.trials.iter().filter(|trial| trial.state == TrialState::Completed).count();
        if completed < self.startup_trials {
            return false;
        }
        let objective = &study.settings.objective;
        let means = rivals(study, id, epoch)
            .filter(|rival| rival.outcome == Some(Outcome::Finished))
            .filter_map(|rival| mean(values_until(rival, objective, epoch)))
            .collect();
        let Some(median) = median(means) else { return false };
        match best_until(attempt, objective, epoch) {
            Some(best) => objective.is_better(median, best),
            None => true,
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0_u32, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / f64::from(count))
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some(lower + (upper - lower) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::StoppingRule;
    use crate::oracle::stopping::testing::{apply, curves, first};
    use crate::study::{Direction, Record};

    fn rule(min_epochs: u32, startup_trials: u32) -> Median {
        let mut knobs = Knobs::defaults(StoppingRule::Median.knobs());
        knobs.set("min_epochs", min_epochs.into());
        knobs.set("startup_trials", startup_trials.into());
        Median::new(&knobs, 9)
    }

    /// The last of the curves is judged, when those before it have completed.
    fn judged(direction: Direction, losses: &[&[f64]], rule: &Median) -> bool {
        let mut study = curves(direction, losses);
        let last = losses.len() - 1;
        (0..last).for_each(|trial| end(&mut study, trial, TrialState::Completed));
        rule.judge(&study, first(last))
    }

    fn end(study: &mut Study, trial: usize, state: TrialState) {
        let is_completed = state == TrialState::Completed;
        let outcome = if is_completed { Outcome::Finished } else { Outcome::Stopped };
        apply(study, Record::AttemptEnded { id: first(trial), outcome });
        let trial = first(trial).trial;
        apply(study, Record::TrialEnded { trial, state, score: Some(0.5), error: None });
    }

    const COMPLETED: [&[f64]; 3] = [&[0.8, 0.6, 0.4], &[0.9, 0.7], &[0.5, 0.3, 0.1]];

    fn against_completed(own: &[f64], rule: &Median) -> bool {
        let [a, b, c] = COMPLETED;
        judged(Direction::Min, &[a, b, c, own], rule)
    }

    #[test]
    fn the_best_so_far_is_compared_with_the_median_of_running_means() {
        // Means of two epochs: 0.7, 0.8, 0.4; of three: 0.6 and 0.3, so 0.45.
        let rule = rule(1, 3);
        assert!(!against_completed(&[0.9, 0.69], &rule));
        assert!(against_completed(&[0.9, 0.71], &rule));
        assert!(!against_completed(&[0.69, 0.9], &rule), "the best epoch counts");
        assert!(!against_completed(&[0.9, 0.7], &rule), "as good as the median is good enough");
        assert!(!against_completed(&[0.9, 0.6, 0.44], &rule));
        assert!(against_completed(&[0.9, 0.6, 0.46], &rule));
    }

    #[test]
    fn more_is_better_where_the_objective_says_so() {
        let accuracies: [&[f64]; 4] = [&[0.2], &[0.4], &[0.6], &[0.39]];
        assert!(judged(Direction::Max, &accuracies, &rule(1, 3)));
        let accuracies: [&[f64]; 4] = [&[0.2], &[0.4], &[0.6], &[0.41]];
        assert!(!judged(Direction::Max, &accuracies, &rule(1, 3)));
    }

    #[test]
    fn nothing_is_stopped_too_early_or_too_late() {
        assert!(!against_completed(&[0.9, 0.9], &rule(3, 3)));
        assert!(against_completed(&[0.9, 0.9, 0.9], &rule(3, 3)));
        assert!(!against_completed(&[0.9, 0.9, 0.9], &rule(3, 4)), "three have completed");
        assert!(!against_completed(&[0.9; 4], &rule(1, 3)), "nobody else was there");
        let long: &[f64] = &[0.1; 9];
        let last: &[f64] = &[0.9; 9];
        assert!(!judged(Direction::Min, &[long, last], &rule(1, 1)), "it has ended anyway");
    }

    #[test]
    fn what_is_not_a_number_never_wins_and_never_poisons() {
        let nan = f64::NAN;
        assert!(against_completed(&[nan, nan], &rule(1, 3)));
        let losses: [&[f64]; 4] = [&[nan, nan], &[nan, 0.5], &[0.5, 0.5], &[0.6, 0.4]];
        assert!(!judged(Direction::Min, &losses, &rule(1, 3)));
    }

    #[test]
    fn only_what_was_trained_to_its_end_counts() {
        let mut study = curves(Direction::Min, &[&[0.4], &[0.1], &[0.2], &[0.3]]);
        assert!(!rule(1, 1).judge(&study, first(3)), "all are under way");
        end(&mut study, 1, TrialState::Stopped);
        assert!(!rule(1, 1).judge(&study, first(3)));
        end(&mut study, 0, TrialState::Completed);
        assert!(!rule(1, 1).judge(&study, first(3)), "0.4 alone counts");
        end(&mut study, 2, TrialState::Completed);
        assert!(!rule(1, 1).judge(&study, first(3)), "as good as 0.3 between 0.4 and 0.2");
        end(&mut study, 3, TrialState::Completed);
        assert!(!rule(1, 1).judge(&study, first(9)), "no such attempt");
    }

    #[test]
    fn an_even_number_has_its_median_between_two() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
