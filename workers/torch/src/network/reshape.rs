//! Layers that only look at their input in another shape.

use sweep_proto::v1;
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

/// `[batch, ...]` to `[batch, shape...]`, the last axis fastest.
#[derive(Debug)]
pub(super) struct Reshape {
    /// Without the batch; one size may be -1.
    shape: Vec<i64>,
}

impl Reshape {
    pub(super) fn build(options: &v1::Reshape) -> Self {
        Self { shape: options.shape.iter().copied().map(i64::from).collect() }
    }
}

impl Layer for Reshape {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let shape = [&input.size()[..1], self.shape.as_slice()].concat();
        input.f_reshape(shape)
    }
}

/// Axes in another order.
#[derive(Debug)]
pub(super) struct Permute {
    /// Those of the input, the batch first.
    axes: Vec<i64>,
}

impl Permute {
    pub(super) fn build(options: &v1::Permute) -> Self {
        Self { axes: [0].into_iter().chain(options.dims.iter().copied().map(i64::from)).collect() }
    }
}

impl Layer for Permute {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        input.f_permute(self.axes.as_slice())
    }
}
