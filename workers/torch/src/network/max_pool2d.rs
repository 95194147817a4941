//! The greatest value of each window.

use sweep_proto::v1::{Function as Activation, Pool2d as Options};
use tch::{TchError, Tensor};

use super::activation::apply_in_place;
use super::window::Window;
use super::{Layer, Mode};
use crate::error::LayerError;

/// `[batch, height, width, channels]` to `[batch, height', width', channels]`.
#[derive(Debug)]
pub(super) struct MaxPool2d {
    window: Window,
    /// Linear, unless it came over from the layer before.
    activation: Activation,
}

impl MaxPool2d {
    pub(super) fn build(options: &Options) -> Result<Self, LayerError> {
        let window = Window::new(options.pool, options.strides, None, options.padding)?;
        Ok(Self { window, activation: Activation::Linear })
    }
}

impl Layer for MaxPool2d {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let images = input.f_permute([0, 3, 1, 2])?;
        // Padding never wins, not even over negative values.
        let (images, padding) = self.window.pad(&images, f64::NEG_INFINITY)?;
        let Window { size, strides, dilation, .. } = self.window;
        let output = images.f_max_pool2d(size, strides, padding, dilation, false)?;
        apply_in_place(self.activation, output, 1)?.f_permute([0, 2, 3, 1])
    }

    fn activation(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}
