//! Convolution over height and width.

use sweep_proto::v1::{Conv2d as Options, Function as Activation};
use tch::{Device, TchError, Tensor};

use super::activation::{apply_in_place, known};
use super::window::Window;
use super::{Layer, Mode, trainable, trainable_zeros};
use crate::error::LayerError;
use crate::initializers::glorot_uniform;

/// `[batch, height, width, channels]` to `[batch, height', width', filters]`.
#[derive(Debug)]
pub(super) struct Conv2d {
    window: Window,
    /// `[height, width, channels, filters]`
    kernel: Tensor,
    /// `[filters]`
    bias: Option<Tensor>,
    activation: Activation,
}

impl Conv2d {
    pub(super) fn build(
        options: &Options,
        channels: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        let filters = i64::from(options.filters);
        let window =
            Window::new(options.kernel, options.strides, options.dilation, options.padding)?;
        let [height, width] = window.size;
        let kernel = trainable(&glorot_uniform(&[height, width, channels, filters])?, device)?;
        let bias = options.use_bias.then(|| trainable_zeros(&[filters], device)).transpose()?;
        Ok(Self { window, kernel, bias, activation: known(options.activation)? })
    }
}

impl Layer for Conv2d {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let mut images = input.f_permute([0, 3, 1, 2])?;
        if images.device() == Device::Cpu {
            // oneDNN takes three times as long for a kernel's gradient where
            // several channels come last; the copy costs far less.
            images = images.f_contiguous()?;
        }
        let (images, padding) = self.window.pad(&images, 0.0)?;
        let kernel = self.kernel.f_permute([3, 2, 0, 1])?;
        let Window { strides, dilation, .. } = self.window;
        let output = images.f_conv2d(&kernel, self.bias.as_ref(), strides, padding, dilation, 1)?;
        apply_in_place(self.activation, output, 1)?.f_permute([0, 2, 3, 1])
    }

    fn weights(&self) -> Vec<(&'static str, &Tensor)> {
        let bias = self.bias.as_ref().map(|bias| ("bias", bias));
        [("kernel", &self.kernel)].into_iter().chain(bias).collect()
    }

    fn activation(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}
