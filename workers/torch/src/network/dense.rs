//! A matrix on the last axis.

use sweep_proto::v1::{Dense as Options, Function as Activation};
use tch::{Device, TchError, Tensor};

use super::activation::{apply_in_place, known};
use super::{Layer, Mode, trainable, trainable_zeros};
use crate::error::LayerError;
use crate::initializers::glorot_uniform;

/// `[batch, ..., features]` to `[batch, ..., units]`.
#[derive(Debug)]
pub(super) struct Dense {
    /// `[features, units]`
    kernel: Tensor,
    /// `[units]`
    bias: Option<Tensor>,
    activation: Activation,
}

impl Dense {
    pub(super) fn build(
        options: &Options,
        features: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        let units = i64::from(options.units);
        let kernel = trainable(&glorot_uniform(&[features, units])?, device)?;
        let bias = options.use_bias.then(|| trainable_zeros(&[units], device)).transpose()?;
        Ok(Self { kernel, bias, activation: known(options.activation)? })
    }
}

impl Layer for Dense {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let output = input.f_linear(&self.kernel.f_tr()?, self.bias.as_ref())?;
        apply_in_place(self.activation, output, -1)
    }

    fn weights(&self) -> Vec<(&'static str, &Tensor)> {
        let bias = self.bias.as_ref().map(|bias| ("bias", bias));
        [("kernel", &self.kernel)].into_iter().chain(bias).collect()
    }

    fn activation(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}
