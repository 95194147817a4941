//! Weights: how layers make them, name them, and multiply with them.

use sweep_proto::v1;
use tch::{Device, Kind, TchError, Tensor};

use super::regularization::Regularizer;

/// Makes a trainable weight of initial values on the CPU.
pub(super) fn trainable(initial: &Tensor, device: Device) -> Result<Tensor, TchError> {
    initial.f_to(device)?.f_set_requires_grad(true)
}

/// A trainable weight of zeros.
pub(super) fn trainable_zeros(shape: &[i64], device: Device) -> Result<Tensor, TchError> {
    Tensor::f_zeros(shape, (Kind::Float, device))?.f_set_requires_grad(true)
}

/// A trainable weight of ones.
pub(super) fn trainable_ones(shape: &[i64], device: Device) -> Result<Tensor, TchError> {
    Tensor::f_ones(shape, (Kind::Float, device))?.f_set_requires_grad(true)
}

/// A weight in the kind of the values that it is to be multiplied with.
pub(super) fn like(weight: &Tensor, values: &Tensor) -> Result<Tensor, TchError> {
    weight.f_to_kind(values.f_kind()?)
}

/// Names a layer's weights as `layer/weight`.
pub(super) fn named<'a>(
    layer: &str,
    weights: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
) -> Vec<(String, &'a Tensor)> {
    weights.into_iter().map(|(weight, values)| (format!("{layer}/{weight}"), values)).collect()
}

/// What most layers with weights have: a kernel, and perhaps a bias.
#[derive(Debug)]
pub(super) struct Kernel {
    kernel: Tensor,
    bias: Option<Tensor>,
    regularizer: Option<Regularizer>,
}

impl Kernel {
    /// - `initial`: the kernel as it begins, on the CPU
    /// - `biases`: how many there are, if any
    pub(super) fn new(
        initial: &Tensor,
        biases: Option<i64>,
        regularizer: Option<v1::Regularizer>,
        device: Device,
    ) -> Result<Self, TchError> {
        Ok(Self {
            kernel: trainable(initial, device)?,
            bias: biases.map(|biases| trainable_zeros(&[biases], device)).transpose()?,
            regularizer: Regularizer::new(regularizer),
        })
    }

    /// The kernel and the bias in the kind of `values`.
    pub(super) fn like(&self, values: &Tensor) -> Result<(Tensor, Option<Tensor>), TchError> {
        let bias = self.bias.as_ref().map(|bias| like(bias, values));
        Ok((like(&self.kernel, values)?, bias.transpose()?))
    }

    pub(super) fn weights(&self, layer: &str) -> Vec<(String, &Tensor)> {
        let bias = self.bias.as_ref().map(|bias| ("bias", bias));
        named(layer, [("kernel", &self.kernel)].into_iter().chain(bias))
    }

    pub(super) fn regularized(&self) -> Vec<(Regularizer, &Tensor)> {
        self.regularizer.map(|regularizer| (regularizer, &self.kernel)).into_iter().collect()
    }
}
