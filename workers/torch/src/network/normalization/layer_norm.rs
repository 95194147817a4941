//! Layer normalization (Ba et al. 2016) over the last axis.

use sweep_proto::v1::LayerNorm as Options;
use tch::{Device, Kind, TchError, Tensor};

use crate::error::LayerError;
use crate::network::weight::{named, trainable_ones, trainable_zeros};
use crate::network::{Layer, Mode};

/// `[batch, ..., features]` to the same shape: the features of each position get
/// mean 0 and variance 1, then a scale and an offset.
#[derive(Debug)]
pub(in crate::network) struct LayerNorm {
    epsilon: f64,
    gamma: Tensor,
    beta: Tensor,
}

impl LayerNorm {
    pub(in crate::network) fn build(
        options: &Options,
        features: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        Ok(Self {
            epsilon: options.epsilon,
            gamma: trainable_ones(&[features], device)?,
            beta: trainable_zeros(&[features], device)?,
        })
    }
}

impl Layer for LayerNorm {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let kind = input.f_kind()?;
        let input = input.f_to_kind(Kind::Float)?;
        let (gamma, beta) = (Some(&self.gamma), Some(&self.beta));
        let shape = self.gamma.size();
        input.f_layer_norm(shape, gamma, beta, self.epsilon, true)?.f_to_kind(kind)
    }

    fn weights(&self, name: &str) -> Vec<(String, &Tensor)> {
        named(name, [("gamma", &self.gamma), ("beta", &self.beta)])
    }
}
