//! Layers that only look at their input in another shape.

use tch::{TchError, Tensor};

use super::{Layer, Mode};

/// `[batch, ...]` to `[batch, product]`, the last axis fastest.
#[derive(Debug)]
pub(super) struct Flatten;

impl Layer for Flatten {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        input.f_reshape([input.size()[0], -1])
    }
}

/// `[batch, height, width, channels]` to `[batch, height, width · channels]`:
/// rows become time steps.
#[derive(Debug)]
pub(super) struct ToSequence;

impl Layer for ToSequence {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        input.f_flatten(2, 3)
    }
}
