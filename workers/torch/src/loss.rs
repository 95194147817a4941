//! Losses, and what a network's outputs mean to them.
//!
//! Cross-entropies are calculated from logits wherever a network ends with their
//! activation: the loss takes the softmax or sigmoid away and knows what it would
//! have given. So they are exact for every value. What comes out of another
//! activation is taken for probabilities and clipped, as in Keras.

use sweep_proto::v1;
use sweep_proto::v1::class_weights::Kind as WeightsKind;
use sweep_proto::v1::loss::Kind as LossKind;
use sweep_proto::v1::{ClassWeights, Function};
use tch::{Kind, Reduction, TchError, Tensor};

use crate::error::TrainingError;
use crate::network::Network;

/// Probabilities nearer to 0 or 1 than this are clipped, as in Keras.
const EPSILON: f64 = 1e-7;

/// From here on the only output of a network for two classes means the second.
const THRESHOLD: f64 = 0.5;

/// What is calculated of an example.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Method {
    /// Of logits, or of probabilities, which are scaled to a sum of 1.
    CategoricalCrossentropy { label_smoothing: f64, of_logits: bool },
    /// Each output for itself; their mean.
    BinaryCrossentropy { label_smoothing: f64, of_logits: bool },
    /// The mean over the outputs.
    MeanSquaredError,
}

/// The loss of a network's outputs.
#[derive(Debug)]
pub(crate) struct Loss {
    method: Method,
    /// At least one; two for networks with one output.
    classes: i64,
    /// `[classes]`, f32: what an example's training loss is multiplied by.
    class_weights: Option<Tensor>,
}

impl Loss {
    /// Takes a network's last activation, where it has the one that the loss is of.
    ///
    /// - `class_weights`: see [`class_weights`]
    ///
    /// # Errors
    ///
    /// [`TrainingError::Specification`] for a loss that is missing, and for a
    /// label smoothing that is not a share.
    pub(crate) fn of(
        network: &mut Network,
        settings: &v1::Loss,
        classes: u32,
        class_weights: Option<Tensor>,
    ) -> Result<Self, TrainingError> {
        let method = match settings.kind {
            None => return Err(TrainingError::missing("loss")),
            Some(LossKind::CategoricalCrossentropy(settings)) => Method::CategoricalCrossentropy {
                label_smoothing: share(settings.label_smoothing)?,
                of_logits: network.take_last_activation(Function::Softmax),
            },
            Some(LossKind::BinaryCrossentropy(settings)) => Method::BinaryCrossentropy {
                label_smoothing: share(settings.label_smoothing)?,
                of_logits: network.take_last_activation(Function::Sigmoid),
            },
            Some(LossKind::MeanSquaredError(_)) => Method::MeanSquaredError,
        };
        Ok(Self { method, classes: classes.into(), class_weights })
    }

    /// The mean over a batch that training steps down, a scalar: what the classes
    /// weigh is multiplied in, but the sum is divided by the number of examples.
    ///
    /// - `outputs`: `[batch, outputs]`, f32
    /// - `labels`: `[batch]`, i64
    pub(crate) fn training_mean(
        &self,
        outputs: &Tensor,
        labels: &Tensor,
    ) -> Result<Tensor, TchError> {
        let losses = self.of_examples(outputs, labels)?;
        match &self.class_weights {
            Some(weights) => losses.f_mul(&weights.f_index_select(0, labels)?)?.f_mean(None),
            None => losses.f_mean(None),
        }
    }

    /// The mean over a batch, all classes alike; a scalar.
    pub(crate) fn mean(&self, outputs: &Tensor, labels: &Tensor) -> Result<Tensor, TchError> {
        self.of_examples(outputs, labels)?.f_mean(None)
    }

    /// `[batch]`
    fn of_examples(&self, outputs: &Tensor, labels: &Tensor) -> Result<Tensor, TchError> {
        match self.method {
            Method::CategoricalCrossentropy { label_smoothing, of_logits } => {
                let logarithms = if of_logits {
                    outputs.f_log_softmax(-1, None)?
                } else {
                    let sums = outputs.f_sum_dim_intlist(-1_i64, true, None)?;
                    clipped(&outputs.f_div(&sums)?)?.f_log()?
                };
                let losses =
                    logarithms.f_nll_loss(labels, None::<&Tensor>, Reduction::None, -100)?;
                if label_smoothing == 0.0 {
                    return Ok(losses);
                }
                // The part that is spread over all classes.
                let spread = logarithms.f_mean_dim(-1_i64, false, None)?;
                let spread = spread.f_mul_scalar(-label_smoothing)?;
                losses.f_mul_scalar(1.0 - label_smoothing)?.f_add(&spread)
            }
            Method::BinaryCrossentropy { label_smoothing, of_logits } => {
                let mut targets = self.targets(outputs, labels)?;
                if label_smoothing != 0.0 {
                    targets = targets.f_mul_scalar(1.0 - label_smoothing)?;
                    targets = targets.f_add_scalar(label_smoothing / 2.0)?;
                }
                let none = None::<&Tensor>;
                let losses = if of_logits {
                    let reduction = Reduction::None;
                    outputs.f_binary_cross_entropy_with_logits(&targets, none, none, reduction)?
                } else {
                    clipped(outputs)?.f_binary_cross_entropy(&targets, none, Reduction::None)?
                };
                losses.f_mean_dim(-1_i64, false, None)
            }
            Method::MeanSquaredError => {
                let errors = outputs.f_sub(&self.targets(outputs, labels)?)?;
                errors.f_square()?.f_mean_dim(-1_i64, false, None)
            }
        }
    }

    /// `[batch, outputs]`: 1 for an example's class and 0 for the others; with
    /// one output the class.
    fn targets(&self, outputs: &Tensor, labels: &Tensor) -> Result<Tensor, TchError> {
        let labels = labels.f_unsqueeze(-1)?;
        if is_single(outputs) {
            return labels.f_to_kind(outputs.f_kind()?);
        }
        outputs.f_zeros_like()?.f_scatter_value_(-1, &labels, 1.0)
    }

    /// `[batch, classes]`: of an example the highest is what is predicted.
    pub(crate) fn scores(&self, outputs: &Tensor) -> Result<Tensor, TchError> {
        let outputs = outputs.f_detach()?;
        if !is_single(&outputs) {
            return Ok(outputs);
        }
        let threshold = match self.method {
            // The logit of one half.
            Method::BinaryCrossentropy { of_logits: true, .. } => 0.0,
            Method::BinaryCrossentropy { of_logits: false, .. }
            | Method::CategoricalCrossentropy { .. }
            | Method::MeanSquaredError => THRESHOLD,
        };
        Tensor::f_cat(&[&outputs.f_full_like(threshold)?, &outputs], -1)
    }

    /// `[batch, classes]`: what the network's outputs would be with its last
    /// activation; outputs that are no probabilities stay what they are.
    pub(crate) fn probabilities(&self, outputs: &Tensor) -> Result<Tensor, TchError> {
        let outputs = outputs.f_detach()?;
        let outputs = match self.method {
            Method::CategoricalCrossentropy { of_logits: true, .. } => {
                outputs.f_softmax(-1, None)?
            }
            Method::BinaryCrossentropy { of_logits: true, .. } => outputs.f_sigmoid()?,
            Method::CategoricalCrossentropy { of_logits: false, .. }
            | Method::BinaryCrossentropy { of_logits: false, .. }
            | Method::MeanSquaredError => outputs,
        };
        if !is_single(&outputs) {
            return Ok(outputs);
        }
        Tensor::f_cat(&[&outputs.f_neg()?.f_add_scalar(1.0)?, &outputs], -1)
    }

    /// How many classes are told apart.
    pub(crate) fn classes(&self) -> i64 {
        self.classes
    }
}

/// Whether the network gives one value an example, for two classes.
fn is_single(outputs: &Tensor) -> bool {
    outputs.size().last() == Some(&1)
}

/// Probabilities whose logarithms are finite.
fn clipped(probabilities: &Tensor) -> Result<Tensor, TchError> {
    probabilities.f_clamp(EPSILON, 1.0 - EPSILON)
}

/// A label smoothing.
fn share(label_smoothing: f64) -> Result<f64, TrainingError> {
    if (0.0..=1.0).contains(&label_smoothing) {
        return Ok(label_smoothing);
    }
    let problem = "must be from 0 to 1";
    Err(TrainingError::Specification { part: "loss's label_smoothing", problem })
}

/// `[classes]`, f32: what the training loss of an example of each class is
/// multiplied by.
///
/// - `labels`: `[examples]`, of those to train on
///
/// # Errors
///
/// [`TrainingError::Specification`] for weights of which there is not one for
/// each class, or that are negative or no numbers.
pub(crate) fn class_weights(
    settings: &ClassWeights,
    labels: &Tensor,
    classes: u32,
) -> Result<Tensor, TrainingError> {
    let part = "class weights";
    let weights = match &settings.kind {
        None => return Err(TrainingError::missing(part)),
        Some(WeightsKind::Given(given)) => {
            if given.values.len() != classes as usize {
                let problem = "must be one for each class";
                return Err(TrainingError::Specification { part, problem });
            }
            if !given.values.iter().all(|weight| weight.is_finite() && *weight >= 0.0) {
                let problem = "must be numbers that are not negative";
                return Err(TrainingError::Specification { part, problem });
            }
            Tensor::f_from_slice(&given.values)?
        }
        Some(WeightsKind::Balanced(_)) => {
            let counts = labels.f_bincount(None::<&Tensor>, classes.into())?;
            let counts = counts.f_to_kind(Kind::Double)?;
            let examples = labels.size()[0] as f64;
            // No example has the weight of a class without examples.
            let counts = counts.f_mul_scalar(f64::from(classes))?.f_clamp_min(1.0)?;
            counts.f_reciprocal()?.f_mul_scalar(examples)?
        }
    };
    Ok(weights.f_to_kind(Kind::Float)?.f_to(labels.device())?)
}

#[cfg(test)]
mod tests;
