//! A specification, checked: what [`Fit`](crate::training::Fit) follows.

use sweep_proto::v1::{
    ClassWeights, Dataset, EarlyStopping, Loss, Model, Objective, Optimizer, Precision, Schedule,
    Specification,
};
use sweep_proto::{head, shape};

use crate::error::TrainingError;

/// How to train, and on what.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) model: Model,
    pub(crate) dataset: Dataset,
    /// At least one.
    pub(crate) epochs: u32,
    /// At least one.
    pub(crate) batch_size: i64,
    pub(crate) loss: Loss,
    pub(crate) class_weights: Option<ClassWeights>,
    pub(crate) optimizer: Optimizer,
    /// Absent: the learning rate stays.
    pub(crate) schedule: Option<Schedule>,
    pub(crate) precision: Precision,
    /// At least one.
    pub(crate) top_k: u32,
    pub(crate) objective: Objective,
    pub(crate) early_stopping: Option<EarlyStopping>,
}

impl Plan {
    /// Checks all that can be checked without the dataset.
    ///
    /// # Errors
    ///
    /// [`TrainingError::Specification`] for a part that is missing,
    /// [`TrainingError::Shape`] for a network that cannot work, or that does not
    /// give what its loss needs.
    pub(crate) fn new(specification: &Specification) -> Result<Self, TrainingError> {
        let Specification { model, training, dataset, objective } = specification.clone();
        let missing = TrainingError::missing;
        let zero = |part| TrainingError::Specification { part, problem: "must be at least 1" };
        let training = training.ok_or(missing("training"))?;
        let objective = objective.ok_or(missing("objective"))?;
        if training.epochs == 0 {
            return Err(zero("number of epochs"));
        }
        if training.batch_size == 0 {
            return Err(zero("batch size"));
        }
        let loss = training.loss.ok_or(missing("loss"))?;
        let model = model.ok_or(missing("model"))?;
        let dataset = dataset.ok_or(missing("dataset"))?;
        let rows = shape::infer(&model, &dataset.input_shape, dataset.classes)?;
        head::check(&model, &rows, Some(&loss), dataset.classes)?;
        let precision = training.precision.try_into().map_err(|_| {
            let problem = "is not one that this version of sweep knows";
            TrainingError::Specification { part: "precision", problem }
        })?;
        Ok(Self {
            model,
            dataset,
            epochs: training.epochs,
            batch_size: i64::from(training.batch_size),
            loss,
            class_weights: training.class_weights,
            optimizer: training.optimizer.ok_or(missing("optimizer"))?,
            schedule: training.schedule,
            precision,
            top_k: training.top_k.max(1),
            objective,
            early_stopping: training.early_stopping,
        })
    }
}
