//! Layers that disturb their input while training, and only then.

use sweep_proto::v1;
use tch::{TchError, Tensor};

use super::{Layer, Mode};

/// Dropout (Srivastava et al. 2014): zeroes a share of the values and scales
/// the rest up.
#[derive(Debug)]
pub(super) struct Dropout {
    rate: f64,
}

impl Dropout {
    pub(super) fn build(options: &v1::Dropout) -> Self {
        Self { rate: options.rate }
    }
}

impl Layer for Dropout {
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        input.f_dropout(self.rate, mode == Mode::Training)
    }
}

/// Dropout of whole channels (Tompson et al. 2015): `[batch, ..., channels]` to
/// the same shape.
#[derive(Debug)]
pub(super) struct SpatialDropout {
    rate: f64,
}

impl SpatialDropout {
    pub(super) fn build(options: &v1::SpatialDropout) -> Self {
        Self { rate: options.rate }
    }
}

impl Layer for SpatialDropout {
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        if mode == Mode::Inference || self.rate == 0.0 {
            return Ok(input.shallow_clone());
        }
        let mut shape = input.size();
        let inner = 1..shape.len().saturating_sub(1).max(1);
        shape[inner].fill(1);
        input.f_mul(&dropout_mask(&shape, self.rate, input)?)
    }
}

/// Adds normal noise.
#[derive(Debug)]
pub(super) struct GaussianNoise {
    deviation: f64,
}

impl GaussianNoise {
    pub(super) fn build(options: &v1::GaussianNoise) -> Self {
        Self { deviation: options.stddev }
    }
}

impl Layer for GaussianNoise {
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        if mode == Mode::Inference || self.deviation == 0.0 {
            return Ok(input.shallow_clone());
        }
        input.f_add(&input.f_randn_like()?.f_mul_scalar(self.deviation)?)
    }
}

/// What to multiply with to drop values: zeros, and above one what remains.
///
/// - `values`: whose kind and device the mask has
pub(super) fn dropout_mask(shape: &[i64], rate: f64, values: &Tensor) -> Result<Tensor, TchError> {
    Tensor::f_ones(shape, (values.f_kind()?, values.device()))?.f_dropout(rate, true)
}
