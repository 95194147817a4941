//! Scaling by fixed numbers: given ones, or those of the training examples.

use sweep_proto::v1;
use tch::{Device, Kind, TchError, Tensor};

use crate::error::LayerError;
use crate::network::weight::{like, named};
use crate::network::{Layer, Mode};

/// Smallest deviation to divide by, as in Keras.
const EPSILON: f64 = 1e-7;

/// `value * scale + offset`
#[derive(Debug)]
pub(in crate::network) struct Rescaling {
    scale: f64,
    offset: f64,
}

impl Rescaling {
    pub(in crate::network) fn build(options: &v1::Rescaling) -> Self {
        Self { scale: options.scale, offset: options.offset }
    }
}

impl Layer for Rescaling {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let scaled = input.f_mul_scalar(self.scale)?;
        if self.offset == 0.0 { Ok(scaled) } else { scaled.f_add_scalar(self.offset) }
    }
}

/// `[batch, ..., features]` to the same shape: each feature less its mean over
/// the training examples, divided by its deviation there.
#[derive(Debug)]
pub(in crate::network) struct Normalization {
    mean: Tensor,
    variance: Tensor,
}

impl Normalization {
    /// Changes nothing until it knows its [`Moments`].
    pub(in crate::network) fn build(features: i64, device: Device) -> Result<Self, LayerError> {
        let on_device = (Kind::Float, device);
        Ok(Self {
            mean: Tensor::f_zeros([features], on_device)?,
            variance: Tensor::f_ones([features], on_device)?,
        })
    }

    pub(in crate::network) fn adapt(&mut self, moments: &Moments) -> Result<(), TchError> {
        if let Some(found) = &moments.found {
            let variance = found.squares.f_div_scalar(found.count)?;
            self.mean.f_copy_(&found.mean)?;
            self.variance.f_copy_(&variance)?;
        }
        Ok(())
    }
}

impl Layer for Normalization {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let deviation = self.variance.f_sqrt()?.f_clamp_min(EPSILON)?;
        // In f32 throughout, which the weights make of any other kind.
        like(&input.f_sub(&self.mean)?.f_div(&deviation)?, input)
    }

    fn weights(&self, name: &str) -> Vec<(String, &Tensor)> {
        named(name, [("mean", &self.mean), ("variance", &self.variance)])
    }

    fn normalization(&mut self) -> Option<&mut Normalization> {
        Some(self)
    }
}

/// Mean and variance of features over batches, in f64.
#[derive(Debug, Default)]
pub(in crate::network) struct Moments {
    found: Option<Found>,
}

/// What the batches so far have come to; all tensors `[features]`.
#[derive(Debug)]
struct Found {
    count: f64,
    mean: Tensor,
    /// Sum of squared distances to the mean.
    squares: Tensor,
}

impl Moments {
    /// Takes in a batch `[batch, ..., features]` (Chan et al. 1979).
    pub(in crate::network) fn add(&mut self, values: &Tensor) -> Result<(), TchError> {
        let features = values.size().last().copied().unwrap_or(1);
        let rows = values.f_reshape([-1, features])?.f_to_kind(Kind::Double)?;
        let count = rows.size()[0] as f64;
        if count == 0.0 {
            return Ok(());
        }
        let over_rows = [0_i64].as_slice();
        let mean = rows.f_mean_dim(over_rows, false, None::<Kind>)?;
        let squares = rows.f_sub(&mean)?.f_square()?;
        let squares = squares.f_sum_dim_intlist(over_rows, false, None::<Kind>)?;
        self.found = Some(match self.found.take() {
            None => Found { count, mean, squares },
            Some(before) => {
                let total = before.count + count;
                let apart = mean.f_sub(&before.mean)?;
                let between = apart.f_square()?.f_mul_scalar(before.count * count / total)?;
                Found {
                    count: total,
                    mean: before.mean.f_add(&apart.f_mul_scalar(count / total)?)?,
                    squares: before.squares.f_add(&squares)?.f_add(&between)?,
                }
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::floats;

    #[test]
    fn moments_do_not_depend_on_the_batches() {
        // Large beside its deviation: f32 would lose the variance.
        let values = Tensor::arange(14, (Kind::Float, Device::Cpu)).view([7, 2]) + 1e6;
        let mut normalization = Normalization::build(2, Device::Cpu).expect("small");
        for size in [1, 3, 7] {
            let mut moments = Moments::default();
            for batch in values.split(size, 0) {
                moments.add(&batch).expect("small");
            }
            normalization.adapt(&moments).expect("small");
            assert_eq!(floats(&normalization.mean), [1_000_006.0, 1_000_007.0]);
            assert_eq!(floats(&normalization.variance), [16.0, 16.0]);
        }
        let scaled = normalization.forward(&values, Mode::Inference).expect("small");
        assert_eq!(scaled.double_value(&[0, 0]), -1.5);
    }

    #[test]
    fn constant_features_become_zero() {
        let mut normalization = Normalization::build(1, Device::Cpu).expect("small");
        let values = Tensor::from_slice(&[3.0_f32, 3.0]).view([2, 1]);
        let mut moments = Moments::default();
        moments.add(&values).expect("small");
        normalization.adapt(&moments).expect("small");
        let scaled = normalization.forward(&values, Mode::Inference).expect("small");
        assert_eq!(floats(&scaled), [0.0, 0.0]);
    }
}
