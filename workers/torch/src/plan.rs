//! A specification, checked: what [`fit`](crate::training::fit) follows.

use sweep_proto::v1::optimizer::Kind as OptimizerKind;
use sweep_proto::v1::{Adam, Dataset, Model, Specification, loss};

use crate::error::TrainingError;
use crate::metrics::{Aim, EarlyStopping};

/// How to train, and on what.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) model: Model,
    pub(crate) dataset: Dataset,
    /// At least one.
    pub(crate) epochs: u32,
    /// At least one.
    pub(crate) batch_size: i64,
    pub(crate) optimizer: Adam,
    pub(crate) objective: Aim,
    pub(crate) early_stopping: Option<EarlyStopping>,
}

impl Plan {
    /// # Errors
    ///
    /// [`TrainingError::Specification`] for a part that is missing,
    /// [`TrainingError::Metric`] for a metric that is not measured.
    pub(crate) fn new(specification: &Specification) -> Result<Self, TrainingError> {
        let Specification { model, training, dataset, objective } = specification.clone();
        let missing = |part| TrainingError::Specification { part, problem: "is missing" };
        let zero = |part| TrainingError::Specification { part, problem: "must be at least 1" };
        let training = training.ok_or(missing("training"))?;
        let objective = objective.ok_or(missing("objective"))?;
        if training.epochs == 0 {
            return Err(zero("number of epochs"));
        }
        if training.batch_size == 0 {
            return Err(zero("batch size"));
        }
        match training.loss.and_then(|loss| loss.kind) {
            Some(loss::Kind::CategoricalCrossentropy(_)) => {}
            _ => return Err(missing("loss")),
        }
        let optimizer = match training.optimizer.and_then(|optimizer| optimizer.kind) {
            Some(OptimizerKind::Adam(adam)) => adam,
            _ => return Err(missing("optimizer")),
        };
        let early_stopping = training.early_stopping.as_ref().map(EarlyStopping::new);
        Ok(Self {
            model: model.ok_or(missing("model"))?,
            dataset: dataset.ok_or(missing("dataset"))?,
            epochs: training.epochs,
            batch_size: i64::from(training.batch_size),
            optimizer,
            objective: Aim::new(&objective)?,
            early_stopping: early_stopping.transpose()?,
        })
    }
}
