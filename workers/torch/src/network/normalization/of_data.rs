//! Scaling by mean and variance of the training examples.

use sweep_proto::v1;
use tch::{Device, Kind, TchError, Tensor};

use super::along::Along;
use crate::error::LayerError;
use crate::network::weight::{like, named};
use crate::network::{Adaptive, Layer, Mode};

/// Smallest deviation to divide by, as in Keras.
const EPSILON: f64 = 1e-7;

/// `[batch, ...]` to the same shape: each value less its mean over the training
/// examples, divided by its deviation there; Keras's `Normalization`.
#[derive(Debug)]
pub(in crate::network) struct Normalization {
    along: Along,
    mean: Tensor,
    variance: Tensor,
    /// Of the batches that were taken in.
    moments: Moments,
}

impl Normalization {
    /// Changes nothing until it is adapted.
    ///
    /// - `input`: shape of an example
    pub(in crate::network) fn build(
        options: &v1::Normalization,
        input: &[u32],
        device: Device,
    ) -> Result<Self, LayerError> {
        let along = Along::new(options.axes.as_ref(), input)?;
        let on_device = (Kind::Float, device);
        Ok(Self {
            mean: Tensor::f_zeros(&along.shape, on_device)?,
            variance: Tensor::f_ones(&along.shape, on_device)?,
            along,
            moments: Moments::default(),
        })
    }
}

impl Layer for Normalization {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let deviation = self.variance.f_sqrt()?.f_clamp_min(EPSILON)?;
        // In f32 throughout, which the weights make of any other kind.
        let (mean, deviation) = (self.along.spread(&self.mean)?, self.along.spread(&deviation)?);
        like(&input.f_sub(&mean)?.f_div(&deviation)?, input)
    }

    fn weights(&self, name: &str) -> Vec<(String, &Tensor)> {
        named(name, [("mean", &self.mean), ("variance", &self.variance)])
    }

    fn adaptive(&mut self) -> Option<&mut dyn Adaptive> {
        Some(self)
    }
}

impl Adaptive for Normalization {
    fn take_in(&mut self, values: &Tensor) -> Result<(), TchError> {
        self.moments.add(&self.along.columns(values)?)
    }

    fn adapt(&mut self) -> Result<(), TchError> {
        if let Some(found) = std::mem::take(&mut self.moments).found {
            let variance = found.squares.f_div_scalar(found.count)?;
            self.mean.f_copy_(&found.mean.f_reshape(&self.along.shape)?)?;
            self.variance.f_copy_(&variance.f_reshape(&self.along.shape)?)?;
        }
        Ok(())
    }
}

/// Mean and variance of columns over batches of rows, in f64.
#[derive(Debug, Default)]
struct Moments {
    found: Option<Found>,
}

/// What the batches so far have come to; all tensors `[columns]`.
#[derive(Debug)]
struct Found {
    count: f64,
    mean: Tensor,
    /// Sum of squared distances to the mean.
    squares: Tensor,
}

impl Moments {
    /// Takes in `[rows, columns]` (Chan et al. 1979).
    fn add(&mut self, values: &Tensor) -> Result<(), TchError> {
        let rows = values.f_to_kind(Kind::Double)?;
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

    fn build(axes: Option<&[i32]>, input: &[u32]) -> Normalization {
        let axes = axes.map(|axes| v1::Axes { axes: axes.to_vec() });
        let options = v1::Normalization { axes };
        Normalization::build(&options, input, Device::Cpu).expect("small")
    }

    fn adapt(normalization: &mut Normalization, values: &Tensor, size: i64) {
        for batch in values.split(size, 0) {
            normalization.take_in(&batch).expect("small");
        }
        normalization.adapt().expect("small");
    }

    #[test]
    fn moments_do_not_depend_on_the_batches() {
        // Large beside its deviation: f32 would lose the variance.
        let values = Tensor::arange(14, (Kind::Float, Device::Cpu)).view([7, 2]) + 1e6;
        let mut normalization = build(None, &[2]);
        for size in [1, 3, 7] {
            adapt(&mut normalization, &values, size);
            assert_eq!(floats(&normalization.mean), [1_000_006.0, 1_000_007.0]);
            assert_eq!(floats(&normalization.variance), [16.0, 16.0]);
        }
        let scaled = normalization.forward(&values, Mode::Inference).expect("small");
        assert_eq!(scaled.double_value(&[0, 0]), -1.5);
    }

    #[test]
    fn constant_features_become_zero() {
        let mut normalization = build(None, &[1]);
        let values = Tensor::from_slice(&[3.0_f32, 3.0]).view([2, 1]);
        adapt(&mut normalization, &values, 2);
        let scaled = normalization.forward(&values, Mode::Inference).expect("small");
        assert_eq!(floats(&scaled), [0.0, 0.0]);
    }

    #[test]
    fn indices_along_axes_have_moments_of_their_own() {
        let values = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([3, 2, 2]);
        let means = |axes: &[i32]| {
            let mut normalization = build(Some(axes), &[2, 2]);
            adapt(&mut normalization, &values, 2);
            assert_eq!(normalization.mean.size(), normalization.variance.size());
            (normalization.mean.size(), floats(&normalization.mean))
        };
        assert_eq!(means(&[]), (vec![1], vec![5.5]));
        assert_eq!(means(&[1]), (vec![2], vec![4.5, 6.5]));
        assert_eq!(means(&[2]), (vec![2], vec![5.0, 6.0]));
        assert_eq!(means(&[2, 1]), (vec![2, 2], vec![4.0, 5.0, 6.0, 7.0]));
    }
}
