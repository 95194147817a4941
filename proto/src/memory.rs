//! About how much memory a training takes on its device.
//!
//! Weights, gradients and the optimizer's averages are counted; what is kept
//! between the forward and the backward pass is estimated layer by layer from
//! what libtorch's kernels save. The examples lie on the device as a whole where
//! they fit beside the rest, and else only the batches that are read ahead do;
//! which it is, the worker decides. Work space that kernels take for a moment is
//! allowed for by twice the largest layer. The estimate is for telling a network
//! that fits from one that cannot, not for filling a device to the brim: of the
//! large networks under `experiments/`, trained on a CPU by
//! `scripts/train-experiments`, the most that a worker had was from 0.8 to 1.4
//! times the estimate.

use crate::shape::{self, ShapeError};
use crate::v1::{Dataset, Model, Precision, Specification, Training, optimizer};

/// Bytes of a number in f32, and in bf16.
const F32: u64 = 4;
const BF16: u64 = 2;

/// Batches of a streamed dataset beside the one that is trained on: one that
/// waits, and one that is being read.
const AHEAD: u64 = 2;

/// Bytes that one training takes on its device, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// The network's weights, and a copy of those of the best epoch.
    pub weights_bytes: u64,
    /// Gradients, and what the optimizer remembers.
    pub optimizer_bytes: u64,
    /// What a batch leaves for its gradient, and the largest layer's work space.
    pub activations_bytes: u64,
    /// The examples to train on and to validate on; 0 if their number is not known.
    pub examples_bytes: u64,
    /// Batches that are read ahead, where the examples do not lie on the device.
    pub ahead_bytes: u64,
}

impl Estimate {
    /// All that training takes apart from the examples.
    #[must_use]
    pub fn training_bytes(&self) -> u64 {
        let parts = [self.optimizer_bytes, self.activations_bytes];
        parts.into_iter().fold(self.weights_bytes, u64::saturating_add)
    }

    /// All of it with the examples on the device.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.training_bytes().saturating_add(self.examples_bytes)
    }

    /// The least that will do: only some batches are on the device.
    #[must_use]
    pub fn least(&self) -> u64 {
        self.training_bytes().saturating_add(self.ahead_bytes.min(match self.examples_bytes {
            0 => u64::MAX,
            bytes => bytes,
        }))
    }
}

/// Estimates what training `model` takes.
///
/// - `dataset`: its `examples` may be 0: not known
///
/// # Errors
///
/// [`ShapeError`] if the network cannot work on such examples.
pub fn estimate(
    model: &Model,
    training: &Training,
    dataset: &Dataset,
) -> Result<Estimate, ShapeError> {
    let numbers = Numbers::of(model, training, dataset)?;
    let Numbers { parameters, trainable, example, kept, largest, batch } = numbers;
    let values = kept.saturating_add(largest.saturating_mul(2));
    let bytes = match Precision::try_from(training.precision) {
        // Where `auto` means f32 it takes the most.
        Ok(Precision::F32 | Precision::Auto) | Err(_) => F32,
        Ok(Precision::Bf16) => BF16,
    };
    Ok(Estimate {
        weights_bytes: 2 * F32 * parameters,
        optimizer_bytes: (1 + slots(training)) * F32 * trainable,
        activations_bytes: values.saturating_mul(batch).saturating_mul(bytes),
        examples_bytes: example.saturating_mul(dataset.examples).saturating_mul(F32),
        ahead_bytes: example.saturating_mul(batch).saturating_mul(AHEAD * F32),
    })
}

/// What training certainly takes of its device's memory, in bytes: weights,
/// gradients, what the optimizer remembers, and what one batch leaves for its
/// gradient, without work space, and in bf16 where the worker may choose it.
///
/// A device that has less cannot train it. 0 where nothing is certain.
#[must_use]
pub fn certain_bytes(specification: &Specification) -> u64 {
    let Specification {
        model: Some(model), training: Some(training), dataset: Some(dataset), ..
    } = specification
    else {
        return 0;
    };
    let Ok(numbers) = Numbers::of(model, training, dataset) else { return 0 };
    let Numbers { parameters, trainable, kept, batch, .. } = numbers;
    let bytes = match Precision::try_from(training.precision) {
        Ok(Precision::F32) | Err(_) => F32,
        Ok(Precision::Bf16 | Precision::Auto) => BF16,
    };
    let weights = parameters.saturating_mul(F32);
    let optimizer = trainable.saturating_mul((1 + slots(training)) * F32);
    let activations = kept.saturating_mul(batch).saturating_mul(bytes);
    weights.saturating_add(optimizer).saturating_add(activations)
}

/// How many numbers a training keeps.
struct Numbers {
    /// Weights, and those of them that training changes.
    parameters: u64,
    trainable: u64,
    /// Of one example.
    example: u64,
    /// Between the two passes, for each example of a batch: by all layers, and by
    /// the layer that keeps most.
    kept: u64,
    largest: u64,
    /// Examples of a batch.
    batch: u64,
}

impl Numbers {
    fn of(model: &Model, training: &Training, dataset: &Dataset) -> Result<Self, ShapeError> {
        let layers = shape::infer(model, &dataset.input_shape, dataset.classes)?;
        let example = dataset
            .input_shape
            .iter()
            .fold(1, |product: u64, &size| product.saturating_mul(u64::from(size)));
        Ok(Self {
            parameters: layers.iter().map(|layer| layer.parameters).sum(),
            trainable: layers.iter().map(|layer| layer.trainable).sum(),
            example,
            kept: layers.iter().fold(example, |sum, layer| sum.saturating_add(layer.kept)),
            largest: layers.iter().map(|layer| layer.kept).max().unwrap_or(0),
            batch: match dataset.examples {
                0 => u64::from(training.batch_size),
                examples => u64::from(training.batch_size).min(examples),
            },
        })
    }
}

/// How many numbers the optimizer remembers of each weight.
fn slots(training: &Training) -> u64 {
    match training.optimizer.and_then(|optimizer| optimizer.kind) {
        None => 0,
        Some(optimizer::Kind::Adam(_) | optimizer::Kind::Adamw(_)) => 2,
        Some(optimizer::Kind::Sgd(sgd)) => u64::from(sgd.momentum > 0.0),
        Some(optimizer::Kind::Rmsprop(rmsprop)) => {
            1 + u64::from(rmsprop.momentum > 0.0) + u64::from(rmsprop.centered)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::layer::Kind;
    use crate::v1::{Adam, Dense, Layer, Optimizer};

    #[test]
    fn parts_of_a_small_network() {
        let dense = |units| Layer {
            name: format!("dense_{units}"),
            kind: Some(Kind::Dense(Dense { units, use_bias: true, ..Dense::default() })),
        };
        let model = Model { layers: vec![dense(100), dense(10)] };
        let mut training = Training {
            batch_size: 8,
            optimizer: Some(Optimizer {
                kind: Some(optimizer::Kind::Adam(Adam::default())),
                clipping: None,
            }),
            ..Training::default()
        };
        let dataset =
            Dataset { input_shape: vec![20], classes: 10, examples: 1000, ..Dataset::default() };
        let estimate =
            |training: &Training| super::estimate(&model, training, &dataset).expect("it works");
        let parameters = 20 * 100 + 100 + 100 * 10 + 10;
        let expected = Estimate {
            weights_bytes: 2 * 4 * parameters,
            optimizer_bytes: 3 * 4 * parameters,
            activations_bytes: 4 * 8 * (20 + 100 + 10 + 2 * 100),
            examples_bytes: 4 * 20 * 1000,
            ahead_bytes: 2 * 4 * 8 * 20,
        };
        assert_eq!(estimate(&training), expected);
        assert_eq!(expected.least(), expected.training_bytes() + 2 * 4 * 8 * 20);
        let certain = |training: &Training| {
            certain_bytes(&Specification {
                model: Some(model.clone()),
                training: Some(training.clone()),
                dataset: Some(dataset.clone()),
                objective: None,
            })
        };
        // A copy of the weights and the work space are not certain.
        let activations = 8 * (20 + 100 + 10);
        assert_eq!(certain(&training), 4 * parameters * (1 + 3) + 4 * activations);
        for precision in [Precision::Bf16, Precision::Auto] {
            training.precision = precision.into();
            assert_eq!(certain(&training), 4 * parameters * (1 + 3) + 2 * activations);
        }
        assert_eq!(certain_bytes(&Specification::default()), 0);
        training.precision = Precision::Bf16.into();
        assert_eq!(estimate(&training).activations_bytes, expected.activations_bytes / 2);
        training.batch_size = u32::MAX;
        assert_eq!(estimate(&training).activations_bytes, 2 * 1000 * 330, "no batch is larger");
    }
}
