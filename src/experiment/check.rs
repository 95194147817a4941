//! Tries assignments before anything starts, so that a file that can never work
//! is refused at once and not after hours.

use std::collections::HashSet;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sweep_proto::shape::ShapeError;

use super::Experiment;
use super::error::{ExperimentError, Fault, SpecifyError};
use super::path::Segment;
use super::values::extremes;
use crate::space::{HyperParameter, HyperParameters};

/// A space with at most so many networks is tried as a whole.
const ALL: u64 = 4_096;

/// How many assignments of a larger space are tried.
const DRAWN: usize = 1_024;

/// Any constant: the same file is always judged alike.
const SEED: u64 = 1;

pub(super) fn check(
    experiment: &Experiment,
    input: &[u32],
    classes: u32,
) -> Result<(), ExperimentError> {
    let mut trial = Trials { experiment, input, classes, tried: 0, refused: None, works: false };
    let defaults = experiment.space.defaults();
    trial.attempt(&defaults)?;
    for hyperparameter in &experiment.space.hyperparameters {
        for value in extremes(&hyperparameter.kind) {
            let mut corner = defaults.clone();
            corner.set(&hyperparameter.name, value);
            trial.attempt(&corner)?;
        }
    }
    let searched = searched(experiment);
    let networks = searched.iter().try_fold(1_u64, |product, searched| {
        product
            .checked_mul(searched.kind.count(experiment.space.rules)?)
            .filter(|&product| product <= ALL)
    });
    match networks {
        Some(networks) => trial.all(&defaults, &searched, networks)?,
        None => trial.some(&defaults, &searched)?,
    }
    trial.verdict()
}

/// The hyperparameters that the network depends on.
fn searched(experiment: &Experiment) -> Vec<&HyperParameter> {
    let used: HashSet<&str> = experiment.used_in_model.iter().map(String::as_str).collect();
    experiment
        .space
        .hyperparameters
        .iter()
        .filter(|hyperparameter| used.contains(hyperparameter.name.as_str()))
        .collect()
}

/// Assignments tried so far.
struct Trials<'a> {
    experiment: &'a Experiment,
    input: &'a [u32],
    classes: u32,
    tried: usize,
    /// Why the first one cannot work.
    refused: Option<ShapeError>,
    works: bool,
}

impl Trials<'_> {
    fn attempt(&mut self, assignment: &HyperParameters) -> Result<(), ExperimentError> {
        self.tried += 1;
        match self.experiment.specify(assignment, self.input, self.classes) {
            Ok(_) => self.works = true,
            Err(SpecifyError::File(error)) => return Err(*error),
            Err(SpecifyError::Network(error)) => {
                self.refused.get_or_insert(error);
            }
        }
        Ok(())
    }

    /// Counts through all networks until one works.
    fn all(
        &mut self,
        defaults: &HyperParameters,
        searched: &[&HyperParameter],
        networks: u64,
    ) -> Result<(), ExperimentError> {
        let mut left = 0..networks;
        // Those tried before are among them.
        self.tried = if self.works { self.tried } else { 0 };
        while let (false, Some(number)) = (self.works, left.next()) {
            let mut digits = number;
            let mut assignment = defaults.clone();
            for hyperparameter in searched {
                let base = hyperparameter.kind.count(self.experiment.space.rules).unwrap_or(1);
                assignment.set(
                    &hyperparameter.name,
                    hyperparameter.kind.nth(self.experiment.space.rules, digits % base),
                );
                digits /= base;
            }
            self.attempt(&assignment)?;
        }
        Ok(())
    }

    /// Draws assignments until one works.
    fn some(
        &mut self,
        defaults: &HyperParameters,
        searched: &[&HyperParameter],
    ) -> Result<(), ExperimentError> {
        let mut random = StdRng::seed_from_u64(SEED);
        let mut left = 0..DRAWN;
        while let (false, Some(_)) = (self.works, left.next()) {
            let mut assignment = defaults.clone();
            for hyperparameter in searched {
                let value =
                    hyperparameter.kind.value_at(self.experiment.space.rules, random.random());
                assignment.set(&hyperparameter.name, value);
            }
            self.attempt(&assignment)?;
        }
        Ok(())
    }

    fn verdict(self) -> Result<(), ExperimentError> {
        let Some(error) = self.refused.filter(|_| !self.works) else {
            return Ok(());
        };
        let mut message = error.to_string();
        if self.tried > 1 {
            message =
                format!("{message}; none of {} assignments tried gives a network", self.tried);
        }
        let path = [Segment::key("model"), Segment::Index(error.index)];
        let mut fault = Fault::new(&path, message).self_contained();
        if let Some(hint) = error.hint {
            fault = fault.hint(hint);
        }
        Err(self.experiment.document.error(fault))
    }
}
