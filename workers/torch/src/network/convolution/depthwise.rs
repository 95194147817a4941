//! Convolution of each channel for itself.

use sweep_proto::v1::DepthwiseConv2d as Options;
use tch::{Device, TchError, Tensor};

use super::{Window, channels_first, channels_last, convolve, one_group_a_channel};
use crate::error::LayerError;
use crate::initializers::glorot_uniform;
use crate::network::activation::Activation;
use crate::network::regularization::Regularizer;
use crate::network::weight::Kernel;
use crate::network::{Layer, Mode};

/// `[batch, height, width, channels]` to
/// `[batch, height', width', channels · multiplier]`, the outputs of one channel
/// side by side.
#[derive(Debug)]
pub(in crate::network) struct DepthwiseConv2d {
    window: Window,
    /// `[height, width, channels, multiplier]`; bias `[channels · multiplier]`.
    kernel: Kernel,
    channels: i64,
    activation: Activation,
}

impl DepthwiseConv2d {
    pub(in crate::network) fn build(
        options: &Options,
        channels: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        let Options { kernel, strides, padding, dilation, depth_multiplier, .. } = *options;
        let window = Window::over_image(kernel, strides, dilation, padding)?;
        let [height, width] = window.size;
        let multiplier = i64::from(depth_multiplier);
        let initial = glorot_uniform(&[height, width, channels, multiplier])?;
        let biases = options.use_bias.then_some(channels * multiplier);
        Ok(Self {
            window,
            kernel: Kernel::new(&initial, biases, options.kernel_regularizer, device)?,
            channels,
            activation: Activation::new(options.activation)?,
        })
    }
}

impl Layer for DepthwiseConv2d {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let (kernel, bias) = self.kernel.like(input)?;
        let (images, kernel) = (channels_first(input)?, one_group_a_channel(&kernel)?);
        let output = convolve(&images, &kernel, bias.as_ref(), self.window, self.channels)?;
        channels_last(&self.activation.apply_in_place(output, 1)?)
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
