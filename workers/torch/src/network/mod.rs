//! Networks, built layer by layer from a specification.
//!
//! Between layers a tensor has Keras's shape, batch first and channels last:
//! `[batch, height, width, channels]`, `[batch, time, features]` or
//! `[batch, features]`. So flattening, sequences and layers over the last axis
//! mean what they mean in Keras; libtorch's channels-first kernels get a view.
//! The order of the memory underneath is whatever is fastest. Weights have
//! Keras's names, shapes and order too.
//!
//! Shapes are inferred and checked by `sweep_proto::shape` before anything is
//! built, so that a layer needs to know no more of its input than how many
//! features its last axis has.

mod activation;
mod batch_norm;
mod conv2d;
mod dense;
mod dropout;
mod gru;
mod max_pool2d;
mod reshape;
mod window;

use std::iter;

use sweep_proto::shape;
use sweep_proto::v1::layer::Kind as LayerKind;
use sweep_proto::v1::{Function as Activation, Layer as LayerSpecification, Model};
use tch::{Device, Kind, TchError, Tensor};

use self::activation::{Activate, is_monotonic};
use self::batch_norm::BatchNorm;
use self::conv2d::Conv2d;
use self::dense::Dense;
use self::dropout::Dropout;
use self::gru::Gru;
use self::max_pool2d::MaxPool2d;
use self::reshape::{Flatten, ToSequence};
use crate::error::{LayerError, TrainingError};

/// What a forward pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Batch statistics are used and remembered; dropout drops.
    Training,
    /// Nothing random, nothing remembered.
    Inference,
}

/// One layer.
trait Layer: std::fmt::Debug + Send {
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Tensor, TchError>;

    /// The weights by Keras's names; those that require gradients are trainable.
    fn weights(&self) -> Vec<(&'static str, &Tensor)> {
        Vec::new()
    }

    /// The activation that the layer ends with, if it can have one.
    fn activation(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// A layer in its place.
#[derive(Debug)]
struct Stage {
    name: String,
    layer: Box<dyn Layer>,
}

/// A network with its weights.
#[derive(Debug)]
pub(crate) struct Network {
    stages: Vec<Stage>,
}

impl Network {
    /// Builds a network and draws its initial weights from torch's global generator.
    ///
    /// - `input_shape`: shape of one example, channels last
    /// - `classes`: how many values the last layer must give
    ///
    /// # Errors
    ///
    /// [`TrainingError::Shape`] for the first layer that cannot work on what it
    /// gets, [`TrainingError::Layer`] for one with an unknown option, or whose
    /// weights do not fit into memory.
    pub(crate) fn build(
        model: &Model,
        input_shape: &[u32],
        classes: u32,
        device: Device,
    ) -> Result<Self, TrainingError> {
        let summaries = shape::infer(model, input_shape, classes)?;
        let outputs = summaries.iter().map(|summary| summary.output_shape.as_slice());
        let inputs = iter::once(input_shape).chain(outputs);
        let mut stages: Vec<Stage> = Vec::with_capacity(model.layers.len());
        for (specification, input) in model.layers.iter().zip(inputs) {
            let features = input.last().copied().map_or(1, i64::from);
            let mut layer = build_layer(specification, features, device).map_err(|source| {
                TrainingError::Layer { layer: specification.name.clone(), source }
            })?;
            if matches!(specification.kind, Some(LayerKind::Pool2d(_)))
                && let Some(before) = stages.last_mut()
            {
                pool_before_activation(before.layer.as_mut(), layer.as_mut());
            }
            stages.push(Stage { name: specification.name.clone(), layer });
        }
        Ok(Self { stages })
    }

    /// Takes the activation away from the end of the network if it is `wanted`.
    /// Returns whether it was.
    pub(crate) fn take_last_activation(&mut self, wanted: Activation) -> bool {
        let last = self.stages.last_mut().and_then(|stage| stage.layer.activation());
        match last {
            Some(activation) if *activation == wanted => {
                *activation = Activation::Linear;
                true
            }
            Some(_) | None => false,
        }
    }

    /// What the kernels with a regularizer add to the loss of a training step.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "no layer has one yet")]
    pub(crate) fn penalty(&self) -> Result<Option<Tensor>, TchError> {
        Ok(None)
    }

    /// Gives every `normalization` the mean and variance of what it will get.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "there is no such layer yet")]
    pub(crate) fn adapt(&mut self, _inputs: &Tensor, _batch_size: i64) -> Result<(), TchError> {
        Ok(())
    }

    /// `[batch, ...]` to `[batch, classes]`, in the kind of the inputs.
    pub(crate) fn forward(&mut self, inputs: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        let mut values = inputs.shallow_clone();
        for stage in &mut self.stages {
            values = stage.layer.forward(&values, mode)?;
        }
        Ok(values)
    }

    /// All weights, as `layer/weight`.
    pub(crate) fn weights(&self) -> impl Iterator<Item = (String, &Tensor)> {
        self.stages.iter().flat_map(|stage| {
            let weights = stage.layer.weights().into_iter();
            weights.map(|(weight, values)| (format!("{}/{weight}", stage.name), values))
        })
    }

    /// The weights that training changes; they share memory with the network's.
    pub(crate) fn trainable(&self) -> Vec<Tensor> {
        let trainable = self.weights().filter(|(_, values)| values.requires_grad());
        trainable.map(|(_, values)| values.shallow_clone()).collect()
    }
}

/// Moves a monotonic activation from before a max-pool to behind it: the values
/// are the same, and there are fewer of them to compute.
fn pool_before_activation(before: &mut dyn Layer, pool: &mut dyn Layer) {
    if let (Some(before), Some(pool)) = (before.activation(), pool.activation())
        && is_monotonic(*before)
    {
        std::mem::swap(before, pool);
    }
}

/// Builds a layer for inputs whose last axis has `features` values.
fn build_layer(
    specification: &LayerSpecification,
    features: i64,
    device: Device,
) -> Result<Box<dyn Layer>, LayerError> {
    Ok(match &specification.kind {
        None => return Err(LayerError::Unknown("kind of layer")),
        Some(LayerKind::Conv2d(options)) => Box::new(Conv2d::build(options, features, device)?),
        Some(LayerKind::BatchNorm(options)) => {
            Box::new(BatchNorm::build(options, features, device)?)
        }
        Some(LayerKind::Pool2d(options)) => Box::new(MaxPool2d::build(options)?),
        Some(LayerKind::Dropout(options)) => Box::new(Dropout::build(options)?),
        Some(LayerKind::Flatten(_)) => Box::new(Flatten),
        Some(LayerKind::ToSequence(_)) => Box::new(ToSequence),
        Some(LayerKind::Gru(options)) => Box::new(Gru::build(options, features, device)?),
        Some(LayerKind::Dense(options)) => Box::new(Dense::build(options, features, device)?),
        Some(LayerKind::Activation(options)) => Box::new(Activate::build(options)?),
        Some(_) => return Err(LayerError::Unknown("kind of layer")),
    })
}

/// Makes a trainable weight of initial values on the CPU.
fn trainable(initial: &Tensor, device: Device) -> Result<Tensor, TchError> {
    initial.f_to(device)?.f_set_requires_grad(true)
}

/// A trainable weight of zeros.
fn trainable_zeros(shape: &[i64], device: Device) -> Result<Tensor, TchError> {
    Tensor::f_zeros(shape, (Kind::Float, device))?.f_set_requires_grad(true)
}

#[cfg(test)]
mod tests;
