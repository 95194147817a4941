//! Activations, as Keras defines them.

use sweep_proto::v1::{Activation as Options, Function as Activation};
use tch::{TchError, Tensor};

use super::{Layer, Mode};
use crate::error::LayerError;

/// An activation standing as a layer of its own.
#[derive(Debug)]
pub(super) struct Activate(Activation);

impl Activate {
    pub(super) fn build(options: &Options) -> Result<Self, LayerError> {
        known(Some(*options)).map(Self)
    }
}

impl Layer for Activate {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        // Not in place: the layer before may need its output for its gradient.
        apply(self.0, input)
    }

    fn activation(&mut self) -> Option<&mut Activation> {
        Some(&mut self.0)
    }
}

/// The activation on the wire.
pub(super) fn known(options: Option<Options>) -> Result<Activation, LayerError> {
    Activation::try_from(options.unwrap_or_default().function)
        .map_err(|_| LayerError::Unknown("activation"))
}

/// An activation of values that somebody else may still need; softmax over the last axis.
pub(super) fn apply(activation: Activation, values: &Tensor) -> Result<Tensor, TchError> {
    match activation {
        Activation::Linear => Ok(values.shallow_clone()),
        Activation::Relu => values.f_relu(),
        Activation::Tanh => values.f_tanh(),
        Activation::Elu => values.f_elu(),
        Activation::Sigmoid => values.f_sigmoid(),
        Activation::Softmax => values.f_softmax(-1, None),
        _ => unimplemented!(),
    }
}

/// An activation that overwrites its input, for values that nobody else needs.
/// It saves a copy of what may be the largest tensor of a training step.
///
/// - `values`: not a view of another tensor, or gradients take a detour
/// - `axis`: where the features are, for softmax
pub(super) fn apply_in_place(
    activation: Activation,
    mut values: Tensor,
    axis: i64,
) -> Result<Tensor, TchError> {
    match activation {
        Activation::Linear => Ok(values),
        Activation::Relu => values.f_relu_(),
        Activation::Tanh => values.f_tanh_(),
        Activation::Elu => values.f_elu_(),
        Activation::Sigmoid => values.f_sigmoid_(),
        Activation::Softmax => values.f_softmax(axis, None),
        _ => unimplemented!(),
    }
}

/// Whether a greater value never becomes a lesser one, each value for itself.
pub(super) fn is_monotonic(activation: Activation) -> bool {
    match activation {
        Activation::Linear
        | Activation::Relu
        | Activation::Tanh
        | Activation::Elu
        | Activation::Sigmoid => true,
        Activation::Softmax => false,
        _ => false,
    }
}
