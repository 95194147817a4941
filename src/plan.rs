//! From an assignment to what a worker trains.
//!
//! A trial that was proposed before the space was extended has no value for
//! what is new, and is planned with the defaults.

use std::sync::Arc;

use sweep_proto::v1;

use crate::coordinator::Planner;
use crate::data::Prepared;
use crate::experiment::Experiment;
use crate::oracle::Setup;
use crate::space::{HyperParameters, Space};
use crate::study::{Direction, Objective, Stage};

/// An experiment on a prepared dataset.
#[derive(Debug, Clone)]
pub struct ExperimentPlan {
    experiment: Arc<Experiment>,
    dataset: v1::Dataset,
    /// Names of the classes, in the order of the network's outputs.
    classes: Arc<[String]>,
}

impl ExperimentPlan {
    /// Plans the trials of `experiment` on `prepared`.
    #[must_use]
    pub fn new(experiment: Experiment, prepared: &Prepared) -> Self {
        let manifest = &prepared.manifest;
        let dataset = v1::Dataset {
            digest: manifest.digest.clone(),
            path: prepared.path.to_string_lossy().into_owned(),
            input_shape: manifest.input_shape.clone(),
            classes: u32::try_from(manifest.classes.len()).unwrap_or(u32::MAX),
            class_names: manifest.classes.clone(),
            examples: manifest.learning(),
            folds: experiment.data.split.folds().unwrap_or(0),
            fold: 0,
        };
        let classes = manifest.classes.clone().into();
        Self { experiment: Arc::new(experiment), dataset, classes }
    }

    /// The search space.
    #[must_use]
    pub fn space(&self) -> &Space {
        &self.experiment.space
    }

    /// How it is searched.
    #[must_use]
    pub fn search(&self) -> &Setup {
        &self.experiment.search
    }

    /// The study's seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.experiment.settings.seed
    }

    /// The network and the training of an assignment, with every value in its
    /// place, the shape of an example and the names of the classes, as JSON for
    /// people.
    #[must_use]
    pub fn network_json(&self, hyperparameters: &HyperParameters) -> String {
        let concrete = self.experiment.concrete(&self.space().completed(hyperparameters));
        let network = serde_json::json!({
            "input_shape": self.dataset.input_shape,
            "classes": *self.classes,
            "train": concrete.get("train"),
            "model": concrete.get("model"),
        });
        let text = serde_json::to_string_pretty(&network).expect("its keys are text");
        text + "\n"
    }
}

impl Planner for ExperimentPlan {
    fn plan(
        &self,
        hyperparameters: &HyperParameters,
        stage: Option<&Stage>,
    ) -> Result<v1::Specification, String> {
        let hyperparameters = self.space().completed(hyperparameters);
        let (model, mut training) = self
            .experiment
            .specify(&hyperparameters, &self.dataset.input_shape, &self.classes)
            .map_err(|error| error.to_string())?;
        if let Some(stage) = stage {
            training.epochs = stage.epochs;
        }
        Ok(v1::Specification {
            model: Some(model),
            training: Some(training),
            dataset: Some(self.dataset.clone()),
            objective: Some(objective(&self.experiment.settings.objective)),
        })
    }
}

fn objective(objective: &Objective) -> v1::Objective {
    let terms = objective.terms.iter().map(|term| v1::ObjectiveTerm {
        metric: term.metric.clone(),
        direction: direction(term.direction).into(),
        weight: term.weight,
    });
    v1::Objective {
        metric: objective.metric.clone(),
        direction: direction(objective.direction).into(),
        terms: terms.collect(),
    }
}

fn direction(direction: Direction) -> v1::Direction {
    match direction {
        Direction::Min => v1::Direction::Min,
        Direction::Max => v1::Direction::Max,
    }
}
