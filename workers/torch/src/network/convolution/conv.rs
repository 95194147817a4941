//! Convolution of all channels into all filters.

use sweep_proto::v1;
use tch::{Device, TchError, Tensor};

use super::{Window, channels_first, channels_last, convolve};
use crate::error::LayerError;
use crate::initializers::glorot_uniform;
use crate::network::activation::Activation;
use crate::network::regularization::Regularizer;
use crate::network::weight::Kernel;
use crate::network::{Layer, Mode};

/// `[batch, height, width, channels]` to `[batch, height', width', filters]`, or
/// `[batch, time, channels]` to `[batch, time', filters]`.
#[derive(Debug)]
pub(in crate::network) struct Conv {
    /// Over an image of height 1 where there is time.
    window: Window,
    is_over_time: bool,
    /// `[height, width, channels, filters]` or `[time, channels, filters]`; bias `[filters]`.
    kernel: Kernel,
    activation: Activation,
}

impl Conv {
    pub(in crate::network) fn over_image(
        options: &v1::Conv2d,
        channels: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        let v1::Conv2d { filters, kernel, strides, padding, dilation, .. } = *options;
        let window = Window::over_image(kernel, strides, dilation, padding)?;
        let [height, width] = window.size;
        let filters = i64::from(filters);
        let initial = glorot_uniform(&[height, width, channels, filters])?;
        let biases = options.use_bias.then_some(filters);
        Ok(Self {
            window,
            is_over_time: false,
            kernel: Kernel::new(&initial, biases, options.kernel_regularizer, device)?,
            activation: Activation::new(options.activation)?,
        })
    }

    pub(in crate::network) fn over_time(
        options: &v1::Conv1d,
        channels: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        let v1::Conv1d { filters, kernel, strides, padding, dilation, .. } = *options;
        let filters = i64::from(filters);
        let initial = glorot_uniform(&[i64::from(kernel), channels, filters])?;
        let biases = options.use_bias.then_some(filters);
        Ok(Self {
            window: Window::over_time(kernel, strides, dilation, padding)?,
            is_over_time: true,
            kernel: Kernel::new(&initial, biases, options.kernel_regularizer, device)?,
            activation: Activation::new(options.activation)?,
        })
    }
}

impl Layer for Conv {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let (mut kernel, bias) = self.kernel.like(input)?;
        let mut input = input.shallow_clone();
        if self.is_over_time {
            kernel = kernel.f_unsqueeze(0)?;
            input = input.f_unsqueeze(1)?;
        }
        let kernel = kernel.f_permute([3, 2, 0, 1])?;
        let output = convolve(&channels_first(&input)?, &kernel, bias.as_ref(), self.window, 1)?;
        let output = channels_last(&self.activation.apply_in_place(output, 1)?)?;
        if self.is_over_time { output.f_squeeze_dim(1) } else { Ok(output) }
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
