//! A matrix on the last axis.

use sweep_proto::v1::Dense as Options;
use tch::{Device, TchError, Tensor};

use super::activation::Activation;
use super::regularization::Regularizer;
use super::weight::Kernel;
use super::{Layer, Mode};
use crate::error::LayerError;
use crate::initializers::glorot_uniform;

/// `[batch, ..., features]` to `[batch, ..., units]`.
#[derive(Debug)]
pub(super) struct Dense {
    /// `[features, units]`; bias `[units]`.
    kernel: Kernel,
    activation: Activation,
}

impl Dense {
    pub(super) fn build(
        options: &Options,
        features: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        let units = i64::from(options.units);
        let initial = glorot_uniform(&[features, units])?;
        let biases = options.use_bias.then_some(units);
        Ok(Self {
            kernel: Kernel::new(&initial, biases, options.kernel_regularizer, device)?,
            activation: Activation::new(options.activation)?,
        })
    }
}

impl Layer for Dense {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let (kernel, bias) = self.kernel.like(input)?;
        let output = input.f_linear(&kernel.f_tr()?, bias)?;
        self.activation.apply_in_place(output, -1)
    }

    fn weights(&self, name: &str) -> Vec<(String, &Tensor)> {
        self.kernel.weights(name)
    }

    fn regularized(&self) -> Vec<(Regularizer, &Tensor)> {
        self.kernel.regularized()
    }

    fn activation(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}
