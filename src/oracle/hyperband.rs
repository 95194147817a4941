//! Hyperband: many short trainings, the promising ones continued.
//!
//! A bracket begins with a round of draws that train a few epochs each; the
//! best of a round go on into the next one as new trials, which take up the
//! training where it ended. Several brackets weigh many short trainings
//! against few long ones.
//!
//! Brackets are Keras Tuner's, and so is their order: a later one begins when
//! those before have nothing to do but wait. Its faults are mended. A trial that
//! fails leaves its place to the others of its round instead of starving the
//! rounds after; a space that is exhausted closes the first round, and what
//! was drawn is promoted; a stage is labelled with its own bracket. The space's
//! rules of sampling decide only how trials are drawn.

mod schedule;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use super::knobs::{Knob, Knobs, Range};
use super::random::Draws;
use super::{Oracle, Proposal, Suggestion};
use crate::space::Space;
use crate::study::{Objective, Stage, Study, Trial, TrialId};
use schedule::Schedule;

/// Keras Tuner's `Hyperband`, mended.
#[derive(Debug, Clone)]
pub struct Hyperband {
    schedule: Schedule,
    draws: Draws,
}

/// What has become of each round, by iteration, bracket and round.
struct Progress<'a> {
    rounds: HashMap<(u32, u32, u32), Round<'a>>,
}

/// What has become of one round.
#[derive(Default)]
struct Round<'a> {
    /// How many trials it has so far.
    created: u32,
    /// How many of them ended without a score.
    lost: u32,
    /// Those with a score that were not promoted yet, and their scores.
    candidates: Vec<(&'a Trial, f64)>,
}

impl Hyperband {
    /// Its options.
    pub const KNOBS: &[Knob] = &[
        // One in how many trials of a round goes on, for that many times the epochs.
        Knob { name: "factor", range: Range::Whole(2..=100), default: 3.0 },
        // How often it goes through all brackets.
        Knob { name: "iterations", range: Range::Whole(1..=1000), default: 1.0 },
    ];

    /// Searches `space`.
    ///
    /// - `epochs`: of a whole training
    #[must_use]
    pub fn new(space: Space, knobs: &Knobs, epochs: u32) -> Self {
        Self { schedule: Self::schedule(knobs, epochs), draws: Draws::new(space) }
    }

    /// How many trials it makes at most, promoted ones included.
    ///
    /// - `epochs`: of a whole training
    #[must_use]
    pub fn trials(knobs: &Knobs, epochs: u32) -> u32 {
        Self::schedule(knobs, epochs).trials()
    }

    fn schedule(knobs: &Knobs, epochs: u32) -> Schedule {
        let (factor, iterations) = (knobs.whole("factor"), knobs.whole("iterations"));
        Schedule { max_epochs: epochs.max(1), factor, iterations }
    }

    fn stage(&self, (iteration, bracket, round): (u32, u32, u32)) -> Stage {
        Stage {
            iteration,
            bracket,
            round,
            epochs: self.schedule.epochs(bracket, round),
            is_last: round == bracket,
            promoted_from: None,
        }
    }

    /// The next promotion within a bracket.
    ///
    /// - `drawn`: how many trials its first round has or will have
    fn promotion(
        &self,
        study: &Study,
        progress: &Progress<'_>,
        (iteration, bracket): (u32, u32),
        drawn: u32,
    ) -> Option<Proposal> {
        // How many trials the round before can have by its end.
        let mut places = drawn;
        for round in 1..=bracket {
            let before = progress.round((iteration, bracket, round - 1))?;
            let survivors = places.saturating_sub(before.lost);
            places = self.schedule.size(bracket, round).min(survivors);
            // So many will be left behind; while there are more, the best is not one of them,
            // whatever those still under way come to.
            let left_behind = survivors - places;
            if before.candidates.len() > left_behind as usize {
                let best = best(&before.candidates, &study.settings.objective)?;
                let mut stage = self.stage((iteration, bracket, round));
                stage.promoted_from = Some(best.id);
                return Some(Proposal {
                    hyperparameters: best.hyperparameters.clone(),
                    seed_state: study.seed_state,
                    name: best.name.clone(),
                    stage: Some(stage),
                });
            }
        }
        None
    }
}

impl Oracle for Hyperband {
    fn suggest(&self, study: &Study) -> Suggestion {
        let progress = Progress::of(study);
        let mut is_exhausted = false;
        let brackets = (0..self.schedule.iterations).flat_map(|iteration| {
            (0..self.schedule.brackets()).rev().map(move |bracket| (iteration, bracket))
        });
        for (iteration, bracket) in brackets {
            let first = (iteration, bracket, 0);
            let mut drawn = self.schedule.size(bracket, 0);
            let created = progress.round(first).map_or(0, |round| round.created);
            if created < drawn {
                if !is_exhausted && let Some(draw) = self.draws.next(study) {
                    return Suggestion::Trial(Proposal { stage: Some(self.stage(first)), ..draw });
                }
                is_exhausted = true;
                drawn = created;
            }
            if drawn == 0 {
                break; // nor has any bracket after it
            }
            if let Some(promotion) = self.promotion(study, &progress, (iteration, bracket), drawn) {
                return Suggestion::Trial(promotion);
            }
        }
        if study.all_have_ended() { Suggestion::Exhausted } else { Suggestion::Wait }
    }

    /// The first round.
    fn foreseeable(&self) -> Option<u32> {
        Some(self.schedule.size(self.schedule.brackets() - 1, 0))
    }

    /// Until it is promoted, or so many of its round are better that the next
    /// one has no place for it.
    fn may_promote(&self, study: &Study, trial: TrialId) -> bool {
        let Some(trial) = study.trials.get(trial.0 as usize) else { return false };
        let Some(stage) = trial.stage.as_ref().filter(|stage| !stage.is_last) else { return false };
        let promoted = |other: &Trial| {
            other.stage.as_ref().is_some_and(|stage| stage.promoted_from == Some(trial.id))
        };
        if trial.has_ended() && (trial.score.is_none() || study.trials.iter().any(promoted)) {
            return false;
        }
        let Some(score) = trial.score else { return true };
        let key = |stage: &Stage| (stage.iteration, stage.bracket, stage.round);
        let objective = &study.settings.objective;
        let is_before = |other: &Trial| {
            let Some(other_score) = other.score else { return false };
            objective.is_better(other_score, score) || (other_score == score && other.id < trial.id)
        };
        let better = study
            .trials
            .iter()
            .filter(|other| other.stage.as_ref().is_some_and(|other| key(other) == key(stage)))
            .filter(|other| is_before(other))
            .count();
        better < self.schedule.size(stage.bracket, stage.round + 1) as usize
    }
}

impl<'a> Progress<'a> {
    fn of(study: &'a Study) -> Self {
        let promoted: HashSet<TrialId> =
            study.trials.iter().filter_map(|trial| trial.stage.as_ref()?.promoted_from).collect();
        let mut rounds: HashMap<_, Round<'a>> = HashMap::new();
        for trial in &study.trials {
            let Some(stage) = &trial.stage else { continue };
            let round = rounds.entry((stage.iteration, stage.bracket, stage.round)).or_default();
            round.created += 1;
            match trial.score {
                Some(score) if !promoted.contains(&trial.id) => {
                    round.candidates.push((trial, score));
                }
                Some(_) => {}
                None => round.lost += u32::from(trial.has_ended()),
            }
        }
        Self { rounds }
    }

    fn round(&self, key: (u32, u32, u32)) -> Option<&Round<'a>> {
        self.rounds.get(&key)
    }
}

/// The best of a round; of equal ones the earlier.
fn best<'a>(candidates: &[(&'a Trial, f64)], objective: &Objective) -> Option<&'a Trial> {
    let better = |best: (&'a Trial, f64), other: (&'a Trial, f64)| {
        if objective.is_better(other.1, best.1) { other } else { best }
    };
    candidates.iter().copied().reduce(better).map(|(trial, _)| trial)
}
