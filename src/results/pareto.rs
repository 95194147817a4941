//! Several objectives apart: what a trial reached in each, and which trials no
//! other one beats in all.

use crate::study::{Execution, Objective, Study, Trial};

/// What a trial reached in each of several objectives: the mean over its
/// executions of the metric at the epoch that is best by their sum. In the order
/// of the file; `None` before an epoch counts.
#[must_use]
pub fn objective_values(trial: &Trial, objective: &Objective) -> Option<Vec<f64>> {
    let best: Vec<_> = trial
        .executions
        .iter()
        .filter_map(Execution::current)
        .filter_map(|attempt| attempt.best(objective))
        .map(|(measurement, _)| measurement)
        .collect();
    if best.is_empty() {
        return None;
    }
    let mean = |metric: &str| {
        let sum: f64 = best.iter().filter_map(|measurement| measurement.get(metric)).sum();
        sum / best.len() as f64
    };
    Some(objective.metrics().map(|(metric, _)| mean(metric)).collect())
}

/// The trials with a score that no other such trial equals or beats in every
/// objective, and beats in one; best score first, with what they reached in
/// each. Empty if there is one objective.
#[must_use]
pub fn pareto_front(study: &Study) -> Vec<(&Trial, Vec<f64>)> {
    let objective = &study.settings.objective;
    let mut front: Vec<(&Trial, Vec<f64>)> = Vec::new();
    if objective.terms.is_empty() {
        return front;
    }
    for trial in study.ranked() {
        let Some(values) = objective_values(trial, objective) else { continue };
        // Weights are above 0: whatever beats a trial has no worse a score, and
        // comes before it unless rounding made their scores equal.
        if front.iter().any(|(_, known)| dominates(objective, known, &values)) {
            continue;
        }
        front.retain(|(_, known)| !dominates(objective, &values, known));
        front.push((trial, values));
    }
    front
}

/// Whether `a` is nowhere worse than `b`, and somewhere better.
fn dominates(objective: &Objective, a: &[f64], b: &[f64]) -> bool {
    let directions = || objective.metrics().map(|(_, direction)| direction);
    let is_better = |a: &[f64], b: &[f64]| {
        directions().zip(a.iter().zip(b)).any(|(direction, (a, b))| direction.is_better(*a, *b))
    };
    is_better(a, b) && !is_better(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{busy_study, finished, two_objectives};
    use crate::study::{Direction, TrialId};

    #[test]
    fn an_objective_is_averaged_at_the_best_epochs() {
        let study = two_objectives();
        let objective = &study.settings.objective;
        assert_eq!(objective_values(&study.trials[0], objective), Some(vec![0.625, 0.5]));
        assert_eq!(objective_values(&study.trials[1], objective), None);
        let single = busy_study();
        assert_eq!(
            objective_values(&single.trials[0], &single.settings.objective),
            Some(vec![0.6875])
        );
    }

    #[test]
    fn the_front_has_what_nobody_beats() {
        let mut study = two_objectives();
        let mut beaten = study.trials[0].clone();
        beaten.id = TrialId(4);
        beaten.executions = vec![finished("local-1", &[0.625])];
        beaten.score = Some(-0.125);
        study.trials.push(beaten);
        study.count();
        let front = pareto_front(&study);
        let front: Vec<(TrialId, &[f64])> =
            front.iter().map(|(trial, values)| (trial.id, values.as_slice())).collect();
        assert_eq!(front, [(TrialId(2), &[0.875, 0.75][..]), (TrialId(0), &[0.625, 0.5])]);
        assert!(pareto_front(&busy_study()).is_empty());
    }

    #[test]
    fn dominance_looks_at_directions() {
        let study = two_objectives();
        let objective = &study.settings.objective;
        let directions: Vec<Direction> =
            objective.metrics().map(|(_, direction)| direction).collect();
        assert_eq!(directions, [Direction::Max, Direction::Min]);
        assert!(dominates(objective, &[0.75, 0.5], &[0.5, 0.5]));
        assert!(!dominates(objective, &[0.75, 0.75], &[0.5, 0.5]));
        assert!(!dominates(objective, &[0.5, 0.5], &[0.5, 0.5]));
    }
}
