//! Batch normalization over the last axis.

use sweep_proto::v1::BatchNorm as Options;
use tch::{Device, Kind, TchError, Tensor};

use crate::error::LayerError;
use crate::network::weight::{named, trainable_ones, trainable_zeros};
use crate::network::{Layer, Mode};

/// `[batch, ..., channels]` to the same shape.
///
/// While training, a batch is normalized with its own mean and variance, and
/// moving averages of both are kept for inference. As in Keras the variance is
/// the biased one in both places; libtorch's own moving average takes the
/// unbiased one, so that it is not used.
#[derive(Debug)]
pub(in crate::network) struct BatchNorm {
    /// Share of the moving averages that a batch leaves as it is.
    momentum: f64,
    epsilon: f64,
    gamma: Tensor,
    beta: Tensor,
    moving_mean: Tensor,
    moving_variance: Tensor,
}

impl BatchNorm {
    pub(in crate::network) fn build(
        options: &Options,
        channels: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        let on_device = (Kind::Float, device);
        Ok(Self {
            momentum: options.momentum,
            epsilon: options.epsilon,
            gamma: trainable_ones(&[channels], device)?,
            beta: trainable_zeros(&[channels], device)?,
            moving_mean: Tensor::f_zeros([channels], on_device)?,
            moving_variance: Tensor::f_ones([channels], on_device)?,
        })
    }

    fn update_moving(&mut self, mean: &Tensor, inverse_deviation: &Tensor) -> Result<(), TchError> {
        // libtorch hands out 1 / sqrt(variance + epsilon).
        let variance = inverse_deviation.f_pow_tensor_scalar(-2)?.f_sub_scalar(self.epsilon)?;
        let variance = variance.f_clamp_min(0)?;
        let share = 1.0 - self.momentum;
        tch::no_grad(|| -> Result<(), TchError> {
            let _ = self.moving_mean.f_lerp_(&mean.f_detach()?, share)?;
            let _ = self.moving_variance.f_lerp_(&variance.f_detach()?, share)?;
            Ok(())
        })
    }
}

impl Layer for BatchNorm {
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        let shape = input.size();
        // As images, of one column if need be: for these libtorch is fast,
        // whichever order their memory has.
        let images = if shape.len() == 4 {
            input.shallow_clone()
        } else {
            input.f_reshape([shape[0], -1, 1, self.gamma.size()[0]])?
        };
        let images = images.f_permute([0, 3, 1, 2])?;
        let training = mode == Mode::Training;
        let moving = (!training).then_some((&self.moving_mean, &self.moving_variance));
        let (images, mean, inverse_deviation) = images.f_native_batch_norm(
            Some(&self.gamma),
            Some(&self.beta),
            moving.map(|(mean, _)| mean),
            moving.map(|(_, variance)| variance),
            training,
            0.0,
            self.epsilon,
        )?;
        if training {
            self.update_moving(&mean, &inverse_deviation)?;
        }
        images.f_permute([0, 2, 3, 1])?.f_reshape(shape)
    }

    fn weights(&self, name: &str) -> Vec<(String, &Tensor)> {
        let weights = [
            ("gamma", &self.gamma),
            ("beta", &self.beta),
            ("moving_mean", &self.moving_mean),
            ("moving_variance", &self.moving_variance),
        ];
        named(name, weights)
    }
}
