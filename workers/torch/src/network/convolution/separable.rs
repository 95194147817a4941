//! Depthwise separable convolution (Chollet 2017): each channel for itself, then
//! all channels of a pixel into all filters.

use sweep_proto::v1::SeparableConv2d as Options;
use tch::{Device, TchError, Tensor};

use super::{Window, channels_first, channels_last, convolve, one_group_a_channel};
use crate::error::LayerError;
use crate::initializers::glorot_uniform;
use crate::network::activation::Activation;
use crate::network::regularization::Regularizer;
use crate::network::weight::{like, named, trainable, trainable_zeros};
use crate::network::{Layer, Mode};

/// `[batch, height, width, channels]` to `[batch, height', width', filters]`.
#[derive(Debug)]
pub(in crate::network) struct SeparableConv2d {
    window: Window,
    channels: i64,
    /// `[height, width, channels, multiplier]`
    depthwise_kernel: Tensor,
    /// `[1, 1, channels · multiplier, filters]`
    pointwise_kernel: Tensor,
    /// `[filters]`
    bias: Option<Tensor>,
    /// Of both kernels.
    regularizer: Option<Regularizer>,
    activation: Activation,
}

impl SeparableConv2d {
    pub(in crate::network) fn build(
        options: &Options,
        channels: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        let Options { filters, kernel, strides, padding, dilation, depth_multiplier, .. } =
            *options;
        let window = Window::over_image(kernel, strides, dilation, padding)?;
        let [height, width] = window.size;
        let (filters, multiplier) = (i64::from(filters), i64::from(depth_multiplier));
        let depthwise_kernel = glorot_uniform(&[height, width, channels, multiplier])?;
        let pointwise_kernel = glorot_uniform(&[1, 1, channels * multiplier, filters])?;
        Ok(Self {
            window,
            channels,
            depthwise_kernel: trainable(&depthwise_kernel, device)?,
            pointwise_kernel: trainable(&pointwise_kernel, device)?,
            bias: options.use_bias.then(|| trainable_zeros(&[filters], device)).transpose()?,
            regularizer: Regularizer::new(options.kernel_regularizer),
            activation: Activation::new(options.activation)?,
        })
    }
}

impl Layer for SeparableConv2d {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let depthwise = one_group_a_channel(&like(&self.depthwise_kernel, input)?)?;
        let pointwise = like(&self.pointwise_kernel, input)?.f_permute([3, 2, 0, 1])?;
        let bias = self.bias.as_ref().map(|bias| like(bias, input)).transpose()?;
        let images = channels_first(input)?;
        let between = convolve(&images, &depthwise, None, self.window, self.channels)?;
        let output = convolve(&between, &pointwise, bias.as_ref(), Window::PIXEL, 1)?;
        channels_last(&self.activation.apply_in_place(output, 1)?)
    }

    fn weights(&self, name: &str) -> Vec<(String, &Tensor)> {
        let kernels = [
            ("depthwise_kernel", &self.depthwise_kernel),
            ("pointwise_kernel", &self.pointwise_kernel),
        ];
        named(name, kernels.into_iter().chain(self.bias.as_ref().map(|bias| ("bias", bias))))
    }

    fn regularized(&self) -> Vec<(Regularizer, &Tensor)> {
        let kernels = [&self.depthwise_kernel, &self.pointwise_kernel];
        let of_both = self.regularizer.map(|one| kernels.map(|kernel| (one, kernel)));
        of_both.into_iter().flatten().collect()
    }

    fn activation(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}
