//! Tries assignments before anything starts, so that a file that can never work
//! is refused at once and not after hours.

use sweep_proto::shape::ShapeError;

use super::Experiment;
use super::error::{ExperimentError, Fault, SpecifyError};
use super::path::Segment;
use super::values::{extremes, taken};
use crate::space::{Condition, HyperParameter, HyperParameters, Kind, Space, Value};

/// A space with at most so many networks is tried as a whole.
const ALL: u64 = 4_096;

/// How many assignments of a larger space are tried.
const DRAWN: usize = 1_024;

/// How many ways of conditions to hold or not are tried.
const BRANCHES: usize = 1_024;

/// Any constant: the same file is always judged alike.
const SEED: u64 = 1;

pub(super) fn check(
    experiment: &Experiment,
    input: &[u32],
    classes: &[String],
) -> Result<(), ExperimentError> {
    let space = &experiment.space;
    let mut trial = Trials { experiment, input, classes, tried: 0, refused: None, works: false };
    trial.attempt(&space.defaults())?;
    for hyperparameter in &space.hyperparameters {
        for value in extremes(&hyperparameter.kind) {
            if let Some(corner) = with(space, hyperparameter, value) {
                trial.attempt(&corner)?;
            }
        }
    }
    // The first one is the defaults.
    for branch in branches(experiment).skip(1).take(BRANCHES) {
        trial.attempt(&branch)?;
    }
    let networks = networks(experiment);
    match networks.size().filter(|size| *size <= ALL) {
        Some(_) => trial.all(&networks)?,
        None => trial.some(&networks)?,
    }
    trial.verdict()
}

/// The defaults, but with a value for one hyperparameter and what makes it
/// active; `None` if that was not found.
fn with(space: &Space, hyperparameter: &HyperParameter, value: Value) -> Option<HyperParameters> {
    let mut forced = HyperParameters::default();
    forced.set(&hyperparameter.name, value);
    force_parents(space, hyperparameter, &mut forced)?;
    let assignment = space.completed(&forced);
    hyperparameter.is_active(&assignment).then_some(assignment)
}

/// Gives the parents of a hyperparameter values that make it active.
fn force_parents(
    space: &Space,
    hyperparameter: &HyperParameter,
    forced: &mut HyperParameters,
) -> Option<()> {
    for condition in &hyperparameter.when {
        let wanted = |value: &Value| {
            let of_parent = |other: &&Condition| other.parent == condition.parent;
            hyperparameter.when.iter().filter(of_parent).all(|other| other.values.contains(value))
        };
        if let Some(value) = forced.get(&condition.parent) {
            if wanted(value) {
                continue;
            }
            return None;
        }
        let mut ways =
            condition.values.iter().filter(|value| wanted(value)).flat_map(|value| {
                space.named(&condition.parent).map(move |parent| (parent, value))
            });
        let (parent, value) =
            ways.find(|(parent, value)| taken(&parent.kind, space.rules, value).is_some())?;
        forced.set(&condition.parent, value.clone());
        force_parents(space, parent, forced)?;
    }
    Some(())
}

/// An assignment for each way in which the conditions hold or do not; what no
/// condition names is at its default.
fn branches(experiment: &Experiment) -> Counted<'_> {
    let space = &experiment.space;
    let of_space = space.hyperparameters.iter().flat_map(|child| &child.when);
    let conditions: Vec<&Condition> = of_space.chain(&experiment.in_model.conditions).collect();
    let options = space.hyperparameters.iter().map(|hyperparameter| {
        let kind = &hyperparameter.kind;
        let mut options = vec![kind.default()];
        let named = conditions
            .iter()
            .filter(|condition| condition.parent == hyperparameter.name)
            .flat_map(|condition| &condition.values);
        for value in named {
            if !options.contains(value) && taken(kind, space.rules, value).is_some() {
                options.push(value.clone());
            }
        }
        if options.len() > 1 {
            let count = kind.count(space.rules).unwrap_or(0).min(1 + options.len() as u64);
            let mut others = (0..count).map(|index| kind.nth(space.rules, index));
            let other = others.find(|value| !options.contains(value));
            options.extend(other);
        }
        options
    });
    Counted::new(space, options.collect())
}

/// The space of different networks: what the network does not depend on is fixed.
fn networks(experiment: &Experiment) -> Space {
    let mut space = experiment.space.clone();
    for hyperparameter in &mut space.hyperparameters {
        if !experiment.in_model.names.contains(&hyperparameter.name) {
            hyperparameter.kind = Kind::Fixed(hyperparameter.kind.default());
        }
    }
    space
}

/// Counts through assignments, the last hyperparameter fastest.
struct Counted<'a> {
    space: &'a Space,
    /// Values of each hyperparameter.
    options: Vec<Vec<Value>>,
    /// Which option each active hyperparameter has next; `None` at the end.
    digits: Option<Vec<usize>>,
}

impl<'a> Counted<'a> {
    fn new(space: &'a Space, options: Vec<Vec<Value>>) -> Self {
        Self { space, options, digits: Some(Vec::new()) }
    }
}

impl Iterator for Counted<'_> {
    type Item = HyperParameters;

    fn next(&mut self) -> Option<HyperParameters> {
        let mut digits = self.digits.take()?;
        let mut sizes = Vec::new();
        let mut assignment = HyperParameters::default();
        for (hyperparameter, options) in self.space.hyperparameters.iter().zip(&self.options) {
            if hyperparameter.is_active(&assignment) {
                let digit = digits.get(sizes.len()).copied().unwrap_or(0);
                assignment.set(&hyperparameter.name, options[digit].clone());
                sizes.push(options.len());
            }
        }
        digits.resize(sizes.len(), 0);
        while let Some(digit) = digits.pop() {
            if digit + 1 < sizes[digits.len()] {
                digits.push(digit + 1);
                self.digits = Some(digits);
                break;
            }
        }
        Some(assignment)
    }
}

/// Assignments tried so far.
struct Trials<'a> {
    experiment: &'a Experiment,
    input: &'a [u32],
    classes: &'a [String],
    tried: usize,
    /// Why the first one cannot work, and where its layer is written.
    refused: Option<(ShapeError, Vec<Segment>)>,
    works: bool,
}

impl Trials<'_> {
    fn attempt(&mut self, assignment: &HyperParameters) -> Result<(), ExperimentError> {
        self.tried += 1;
        match self.experiment.specify(assignment, self.input, self.classes) {
            Ok(_) => self.works = true,
            Err(SpecifyError::File(error)) => return Err(*error),
            Err(SpecifyError::Network(error)) => {
                if self.refused.is_none() {
                    let path = self.experiment.path_of_layer(assignment, &error.layer);
                    self.refused = Some((error, path));
                }
            }
        }
        Ok(())
    }

    /// Counts through all networks until one works.
    fn all(&mut self, networks: &Space) -> Result<(), ExperimentError> {
        if self.works {
            return Ok(());
        }
        // Those tried before are among them.
        self.tried = 0;
        let options = networks.hyperparameters.iter().map(|hyperparameter| {
            let kind = &hyperparameter.kind;
            // One that is never active may have any number of values.
            let count = kind.count(networks.rules).unwrap_or(1).min(ALL);
            (0..count).map(|index| kind.nth(networks.rules, index)).collect()
        });
        let mut left = Counted::new(networks, options.collect()).take(ALL as usize);
        while let (false, Some(assignment)) = (self.works, left.next()) {
            self.attempt(&assignment)?;
        }
        Ok(())
    }

    /// Draws assignments until one works.
    fn some(&mut self, networks: &Space) -> Result<(), ExperimentError> {
        let mut seed_state = SEED;
        for _ in 0..DRAWN {
            if self.works {
                break;
            }
            let (assignment, next) = networks.draw(seed_state);
            seed_state = next;
            self.attempt(&assignment)?;
        }
        Ok(())
    }

    fn verdict(self) -> Result<(), ExperimentError> {
        let Some((error, path)) = self.refused.filter(|_| !self.works) else {
            return Ok(());
        };
        let mut message = error.to_string();
        if self.tried > 1 {
            message =
                format!("{message}; none of {} assignments tried gives a network", self.tried);
        }
        let mut fault = Fault::new(&path, message).self_contained();
        if let Some(hint) = error.hint {
            fault = fault.hint(hint);
        }
        Err(self.experiment.document.error(fault))
    }
}
