//! Networks, built layer by layer from a specification.
//!
//! Between layers a tensor has Keras's shape, batch first and channels last:
//! `[batch, height, width, channels]`, `[batch, time, features]` or
//! `[batch, features]`. So flattening, sequences and layers over the last axis
//! mean what they mean in Keras; libtorch's channels-first kernels get a view.
//! The order of the memory underneath is whatever is fastest. Weights have
//! Keras's names, shapes and order too.
//!
//! Weights are f32. What is calculated with them is of the kind that the
//! network's input has: layers cast their weights to it, so that a caller who
//! passes bf16 gets bf16. Statistics and softmax are f32 even then.
//!
//! Shapes and options are inferred and checked by `sweep_proto::shape` before
//! anything is built, so that a layer needs to know no more of its input than
//! how many features its last axis has.

mod activation;
mod augment;
mod branches;
mod build;
mod convolution;
mod dense;
mod mobilenet_v2;
mod noise;
mod normalization;
mod pooling;
mod recurrent;
mod regularization;
mod reshape;
mod stage;
mod weight;

use sweep_proto::shape;
use sweep_proto::v1::{Function, Model};
use tch::{Device, TchError, Tensor};

use self::activation::Activation;
use self::build::Builder;
pub(crate) use self::mobilenet_v2::WeightsFileError;
use self::regularization::Regularizer;
use self::stage::Stage;
use crate::error::TrainingError;

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

    /// The weights as `name/weight`, with Keras's names for them; those that
    /// require gradients are trainable.
    ///
    /// - `name`: the layer's
    fn weights(&self, _name: &str) -> Vec<(String, &Tensor)> {
        Vec::new()
    }

    /// Kernels that add to the loss.
    fn regularized(&self) -> Vec<(Regularizer, &Tensor)> {
        Vec::new()
    }

    /// The activation that the layer ends with, if it can have one.
    fn activation(&mut self) -> Option<&mut Activation> {
        None
    }

    /// Whether each output is one of the inputs, the greatest of some, so that a
    /// monotonic activation may come after it instead of before.
    fn picks_greatest(&self) -> bool {
        false
    }

    /// Itself, if it is a layer that is adapted to the data.
    fn adaptive(&mut self) -> Option<&mut dyn Adaptive> {
        None
    }
}

/// A layer whose weights are numbers of the examples to train on.
trait Adaptive {
    /// Takes in a batch of what the layer gets.
    fn take_in(&mut self, values: &Tensor) -> Result<(), TchError>;

    /// Makes weights of all that was taken in.
    fn adapt(&mut self) -> Result<(), TchError>;
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
    /// - `classes`: how many classes there are; the last layer must give a value
    ///   for each, or one for two
    ///
    /// # Errors
    ///
    /// [`TrainingError::Shape`] for the first layer that cannot work on what it
    /// gets, [`TrainingError::Layer`] for one with an unknown option, whose
    /// weights file cannot be used, or whose weights do not fit into memory.
    pub(crate) fn build(
        model: &Model,
        input_shape: &[u32],
        classes: u32,
        device: Device,
    ) -> Result<Self, TrainingError> {
        let rows = shape::infer(model, input_shape, classes)?;
        let stages = Builder::new(&rows, device).stages(&model.layers, input_shape)?;
        Ok(Self { stages })
    }

    /// Builds layers that need not end in classes.
    #[cfg(test)]
    pub(crate) fn of_layers(
        layers: &[sweep_proto::v1::Layer],
        input_shape: &[u32],
    ) -> Result<Self, TrainingError> {
        let rows = shape::infer_layers(layers, input_shape)?;
        Ok(Self { stages: Builder::new(&rows, Device::Cpu).stages(layers, input_shape)? })
    }

    /// `[batch, ...]` to `[batch, outputs]`, in the kind of the inputs.
    pub(crate) fn forward(&mut self, inputs: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        stage::forward(&mut self.stages, inputs, mode)
    }

    /// All weights, as `layer/weight`.
    pub(crate) fn weights(&self) -> impl Iterator<Item = (String, &Tensor)> {
        self.stages.iter().flat_map(Stage::weights)
    }

    /// The weights that training changes; they share memory with the network's.
    pub(crate) fn trainable(&self) -> Vec<Tensor> {
        let trainable = self.weights().filter(|(_, values)| values.requires_grad());
        trainable.map(|(_, values)| values.shallow_clone()).collect()
    }

    /// What the kernels with a regularizer add to the loss of a training step, a
    /// scalar; `None` if there are none.
    pub(crate) fn penalty(&self) -> Result<Option<Tensor>, TchError> {
        let regularized = self.stages.iter().flat_map(|stage| stage.layer.regularized());
        let mut total: Option<Tensor> = None;
        for (regularizer, kernel) in regularized {
            let penalty = regularizer.penalty(kernel)?;
            total = Some(match total {
                Some(total) => total.f_add(&penalty)?,
                None => penalty,
            });
        }
        Ok(total)
    }

    /// Gives every layer that scales by numbers of the examples those of what it
    /// will get. To be called once before training, unless the weights come from
    /// a file.
    ///
    /// - `batches`: gives the examples to train on, `[batch, ...]` each; called
    ///   once for every such layer
    ///
    /// # Errors
    ///
    /// What the batches give, and [`TrainingError::Torch`].
    pub(crate) fn adapt<B>(
        &mut self,
        mut batches: impl FnMut() -> Result<B, TrainingError>,
    ) -> Result<(), TrainingError>
    where
        B: Iterator<Item = Result<Tensor, TrainingError>>,
    {
        let _guard = tch::no_grad_guard();
        for place in 0..self.stages.len() {
            let (before, rest) = self.stages.split_at_mut(place);
            let Some(layer) = rest.first_mut().and_then(|stage| stage.layer.adaptive()) else {
                continue;
            };
            for batch in batches()? {
                layer.take_in(&stage::forward(before, &batch?, Mode::Inference)?)?;
            }
            layer.adapt()?;
        }
        Ok(())
    }

    /// Takes the activation away from the end of the network if it is `wanted`,
    /// so that a loss sees logits instead of probabilities, as Keras's do; the
    /// highest output stays the highest. Returns whether it was.
    pub(crate) fn take_last_activation(&mut self, wanted: Function) -> bool {
        match self.stages.last_mut().and_then(|stage| stage.layer.activation()) {
            Some(activation) if activation.function() == wanted => {
                *activation = Activation::LINEAR;
                true
            }
            Some(_) | None => false,
        }
    }
}

#[cfg(test)]
mod tests;
