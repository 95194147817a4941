//! Activations, as Keras defines them.

use sweep_proto::v1::{self, Function};
use tch::{Kind, TchError, Tensor};

use super::{Layer, Mode};
use crate::error::LayerError;

/// A function of values, each for itself; softmax is of all along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Activation {
    function: Function,
    /// Of leaky_relu.
    slope: f64,
}

impl Activation {
    pub(super) const LINEAR: Self = Self { function: Function::Linear, slope: 0.0 };

    /// The activation on the wire.
    pub(super) fn new(options: Option<v1::Activation>) -> Result<Self, LayerError> {
        let v1::Activation { function, slope } = options.unwrap_or_default();
        let function =
            Function::try_from(function).map_err(|_| LayerError::Unknown("activation"))?;
        Ok(Self { function, slope })
    }

    pub(super) fn function(self) -> Function {
        self.function
    }

    /// Of values that somebody else may still need; softmax over the last axis.
    pub(super) fn apply(self, values: &Tensor) -> Result<Tensor, TchError> {
        match self.function {
            Function::Linear => Ok(values.shallow_clone()),
            Function::Relu => values.f_relu(),
            Function::Tanh => values.f_tanh(),
            Function::Elu => values.f_elu(),
            Function::Sigmoid => values.f_sigmoid(),
            Function::Softmax => softmax(values, -1),
            Function::LeakyRelu => leaky_relu(values, self.slope),
            Function::Selu => values.f_selu(),
            Function::Gelu => values.f_gelu("none"),
            Function::Silu => values.f_silu(),
            Function::Softplus => values.f_softplus(),
            Function::Relu6 => values.f_relu6(),
        }
    }

    /// Overwrites its input where that is possible, for values that nobody else
    /// needs. It saves a copy of what may be the largest tensor of a training step.
    ///
    /// - `values`: not a view of another tensor, or gradients take a detour
    /// - `axis`: where the features are, for softmax
    pub(super) fn apply_in_place(self, mut values: Tensor, axis: i64) -> Result<Tensor, TchError> {
        match self.function {
            Function::Linear => Ok(values),
            Function::Relu => values.f_relu_(),
            Function::Tanh => values.f_tanh_(),
            Function::Elu => values.f_elu_(),
            Function::Sigmoid => values.f_sigmoid_(),
            Function::Softmax => softmax(&values, axis),
            Function::Selu => values.f_selu_(),
            Function::Relu6 => values.f_relu6_(),
            // The gradients of these need their input.
            Function::LeakyRelu | Function::Gelu | Function::Silu | Function::Softplus => {
                self.apply(&values)
            }
        }
    }

    /// Whether a greater value never becomes a lesser one, each value for itself.
    pub(super) fn is_monotonic(self) -> bool {
        match self.function {
            Function::Linear
            | Function::Relu
            | Function::Tanh
            | Function::Elu
            | Function::Sigmoid
            | Function::Selu
            | Function::Softplus
            | Function::Relu6 => true,
            Function::LeakyRelu => self.slope >= 0.0,
            // These two fall before they rise.
            Function::Gelu | Function::Silu => false,
            Function::Softmax => false,
        }
    }
}

/// In f32, whatever the kind of the values.
fn softmax(values: &Tensor, axis: i64) -> Result<Tensor, TchError> {
    values.f_softmax(axis, Kind::Float)?.f_to_kind(values.f_kind()?)
}

/// tch's own knows one slope only.
fn leaky_relu(values: &Tensor, slope: f64) -> Result<Tensor, TchError> {
    let slope = Tensor::f_full([1], slope, (values.f_kind()?, values.device()))?;
    values.f_prelu(&slope)
}

/// An activation standing as a layer of its own.
#[derive(Debug)]
pub(super) struct Activate(Activation);

impl Activate {
    pub(super) fn build(options: &v1::Activation) -> Result<Self, LayerError> {
        Activation::new(Some(*options)).map(Self)
    }
}

impl Layer for Activate {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        // Not in place: the layer before may need its output for its gradient.
        self.0.apply(input)
    }

    fn activation(&mut self) -> Option<&mut Activation> {
        Some(&mut self.0)
    }
}
