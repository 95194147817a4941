//! How the learning rate changes, from step to step or from epoch to epoch.

use std::f64::consts::PI;

use sweep_proto::v1;
use sweep_proto::v1::schedule::Kind;

use crate::error::TrainingError;
use crate::metrics::goals::Goal;
use crate::metrics::{Measured, Schema};

/// The learning rate of every step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Schedule {
    /// The optimizer's.
    base: f64,
    course: Course,
}

#[derive(Debug, Clone, PartialEq)]
enum Course {
    Constant,
    /// Constant for `hold` epochs, then multiplied by `factor` with every epoch.
    Exponential {
        hold: u32,
        factor: f64,
    },
    /// Multiplied by `factor` every `every` epochs, at least one.
    Step {
        every: u32,
        factor: f64,
    },
    /// From 0 up in the first steps, then along half a cosine down to a share of
    /// the base.
    Cosine {
        warmup_steps: f64,
        /// Above 0.
        decay_steps: f64,
        /// The share.
        minimum: f64,
    },
    Plateau(Plateau),
}

/// Multiplies the learning rate by a factor when a metric has not improved for
/// some epochs, as Keras's callback `ReduceLROnPlateau` does.
#[derive(Debug, Clone, PartialEq)]
struct Plateau {
    goal: Goal,
    factor: f64,
    patience: u32,
    /// What counts as an improvement; not negative.
    min_delta: f64,
    /// Epochs after a reduction that do not count.
    cooldown: u32,
    minimum: f64,
    state: PlateauState,
}

/// What a plateau has seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PlateauState {
    pub(crate) learning_rate: f64,
    /// The best value so far.
    pub(crate) best: Option<f64>,
    /// For how many epochs there was no better one.
    pub(crate) waited: u32,
    /// How many epochs are still not to count.
    pub(crate) resting: u32,
}

impl Schedule {
    /// - `base`: the optimizer's learning rate
    /// - `settings`: absent for a constant one
    /// - `steps_per_epoch`: at least one
    ///
    /// # Errors
    ///
    /// [`TrainingError::Metric`] if what a plateau monitors is not measured,
    /// [`TrainingError::Specification`] for settings without a meaning.
    pub(crate) fn new(
        base: f64,
        settings: Option<&v1::Schedule>,
        steps_per_epoch: u64,
        schema: &Schema,
    ) -> Result<Self, TrainingError> {
        let wrong = |part, problem| Err(TrainingError::Specification { part, problem });
        let course = match settings.map(|settings| &settings.kind) {
            None => Course::Constant,
            Some(None) => return Err(TrainingError::missing("schedule")),
            Some(Some(Kind::Exponential(settings))) => {
                Course::Exponential { hold: settings.hold, factor: settings.factor }
            }
            Some(Some(Kind::Step(settings))) => {
                if settings.every == 0 {
                    return wrong("schedule's `every`", "must be at least 1");
                }
                Course::Step { every: settings.every, factor: settings.factor }
            }
            Some(Some(Kind::Cosine(settings))) => {
                if settings.warmup >= settings.epochs {
                    return wrong("schedule's `warmup`", "must be shorter than its epochs");
                }
                let steps = |epochs: u32| f64::from(epochs) * steps_per_epoch as f64;
                Course::Cosine {
                    warmup_steps: steps(settings.warmup),
                    decay_steps: steps(settings.epochs - settings.warmup),
                    minimum: settings.minimum,
                }
            }
            Some(Some(Kind::Plateau(settings))) => {
                if settings.factor >= 1.0 {
                    return wrong("schedule's `factor`", "must be below 1");
                }
                let role = "schedule's monitor";
                Course::Plateau(Plateau {
                    goal: Goal::new(role, &settings.monitor, settings.direction, schema)?,
                    factor: settings.factor,
                    patience: settings.patience,
                    min_delta: settings.min_delta.abs(),
                    cooldown: settings.cooldown,
                    minimum: settings.minimum,
                    state: PlateauState { learning_rate: base, best: None, waited: 0, resting: 0 },
                })
            }
        };
        Ok(Self { base, course })
    }

    /// The learning rate of a step.
    ///
    /// - `epoch`: the epoch it is in, from 1
    /// - `steps`: how many steps came before it, in all epochs
    pub(crate) fn learning_rate(&self, epoch: u32, steps: u64) -> f64 {
        let powers = |factor: f64, exponent: u32| self.base * factor.powf(f64::from(exponent));
        match &self.course {
            Course::Constant => self.base,
            Course::Exponential { hold, factor } => powers(*factor, epoch.saturating_sub(*hold)),
            Course::Step { every, factor } => powers(*factor, epoch.saturating_sub(1) / every),
            Course::Cosine { warmup_steps, decay_steps, minimum } => {
                let steps = steps as f64;
                if steps < *warmup_steps {
                    return self.base * (steps / warmup_steps);
                }
                let share = ((steps - warmup_steps) / decay_steps).min(1.0);
                let cosine = (1.0 + (PI * share).cos()) / 2.0;
                self.base * ((1.0 - minimum) * cosine + minimum)
            }
            Course::Plateau(plateau) => plateau.state.learning_rate,
        }
    }

    /// Takes in an epoch, after its last step.
    pub(crate) fn follow(&mut self, measured: &Measured) {
        match &mut self.course {
            Course::Plateau(plateau) => plateau.follow(measured),
            Course::Constant
            | Course::Exponential { .. }
            | Course::Step { .. }
            | Course::Cosine { .. } => {}
        }
    }

    /// All that it remembers: nothing, if it only counts.
    pub(crate) fn state(&self) -> Option<PlateauState> {
        match &self.course {
            Course::Plateau(plateau) => Some(plateau.state),
            Course::Constant
            | Course::Exponential { .. }
            | Course::Step { .. }
            | Course::Cosine { .. } => None,
        }
    }

    /// As if [`Schedule::state`] had been this; returns whether it has one.
    #[must_use]
    pub(crate) fn set_state(&mut self, state: Option<PlateauState>) -> bool {
        match (&mut self.course, state) {
            (Course::Plateau(plateau), Some(state)) => {
                plateau.state = state;
                true
            }
            (Course::Plateau(_), None) => false,
            (
                Course::Constant
                | Course::Exponential { .. }
                | Course::Step { .. }
                | Course::Cosine { .. },
                state,
            ) => state.is_none(),
        }
    }
}

impl Plateau {
    fn follow(&mut self, measured: &Measured) {
        let value = self.goal.value(measured);
        let state = &mut self.state;
        if state.resting > 0 {
            state.resting -= 1;
            state.waited = 0;
        }
        if state.best.is_none_or(|best| self.goal.is_better(value, best, self.min_delta)) {
            state.best = Some(value);
            state.waited = 0;
        } else if state.resting == 0 {
            state.waited = state.waited.saturating_add(1);
            if state.waited >= self.patience && state.learning_rate > self.minimum {
                state.learning_rate = (state.learning_rate * self.factor).max(self.minimum);
                state.resting = self.cooldown;
                state.waited = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests;
