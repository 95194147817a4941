//! Scaling to a range, from the least and the greatest value of the training
//! examples.

use sweep_proto::v1;
use tch::{Device, Kind, TchError, Tensor};

use super::along::Along;
use crate::error::LayerError;
use crate::network::weight::{like, named};
use crate::network::{Adaptive, Layer, Mode};

/// `[batch, ...]` to the same shape: `low` for the least value of the training
/// examples, `high` for the greatest, and in between and beyond as far between
/// them or beyond them. What is the same in all of them becomes `low`.
#[derive(Debug)]
pub(in crate::network) struct MinMaxScaling {
    along: Along,
    low: f64,
    high: f64,
    minimum: Tensor,
    maximum: Tensor,
    /// Of the batches that were taken in: the least and the greatest values.
    found: Option<(Tensor, Tensor)>,
}

impl MinMaxScaling {
    /// Takes values as those of a range from 0 to 1 until it is adapted.
    ///
    /// - `input`: shape of an example
    pub(in crate::network) fn build(
        options: &v1::MinMaxScaling,
        input: &[u32],
        device: Device,
    ) -> Result<Self, LayerError> {
        let along = Along::new(options.axes.as_ref(), input)?;
        let on_device = (Kind::Float, device);
        Ok(Self {
            low: options.low,
            high: options.high,
            minimum: Tensor::f_zeros(&along.shape, on_device)?,
            maximum: Tensor::f_ones(&along.shape, on_device)?,
            along,
            found: None,
        })
    }
}

impl Layer for MinMaxScaling {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let span = self.maximum.f_sub(&self.minimum)?;
        // Nothing is divided by zero: what does not vary only moves.
        let span = span.f_masked_fill(&span.f_eq(0.0)?, 1.0)?;
        let (minimum, span) = (self.along.spread(&self.minimum)?, self.along.spread(&span)?);
        // In f32 throughout, which the weights make of any other kind.
        let share = input.f_sub(&minimum)?.f_div(&span)?;
        let scaled = share.f_mul_scalar(self.high - self.low)?.f_add_scalar(self.low)?;
        like(&scaled, input)
    }

    fn weights(&self, name: &str) -> Vec<(String, &Tensor)> {
        named(name, [("minimum", &self.minimum), ("maximum", &self.maximum)])
    }

    fn adaptive(&mut self) -> Option<&mut dyn Adaptive> {
        Some(self)
    }
}

impl Adaptive for MinMaxScaling {
    fn take_in(&mut self, values: &Tensor) -> Result<(), TchError> {
        let columns = self.along.columns(values)?.f_to_kind(Kind::Float)?;
        let minimum = columns.f_amin([0_i64].as_slice(), false)?;
        let maximum = columns.f_amax([0_i64].as_slice(), false)?;
        self.found = Some(match self.found.take() {
            None => (minimum, maximum),
            Some((least, greatest)) => (least.f_minimum(&minimum)?, greatest.f_maximum(&maximum)?),
        });
        Ok(())
    }

    fn adapt(&mut self) -> Result<(), TchError> {
        if let Some((minimum, maximum)) = self.found.take() {
            self.minimum.f_copy_(&minimum.f_reshape(&self.along.shape)?)?;
            self.maximum.f_copy_(&maximum.f_reshape(&self.along.shape)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::floats;

    /// Scaling from -1 to 1, adapted to batches of two.
    fn adapted(axes: Option<&[i32]>, values: &Tensor, input: &[u32]) -> MinMaxScaling {
        let axes = axes.map(|axes| v1::Axes { axes: axes.to_vec() });
        let options = v1::MinMaxScaling { axes, low: -1.0, high: 1.0 };
        let mut scaling = MinMaxScaling::build(&options, input, Device::Cpu).expect("small");
        for batch in values.split(2, 0) {
            scaling.take_in(&batch).expect("small");
        }
        scaling.adapt().expect("small");
        scaling
    }

    fn scaled(scaling: &mut MinMaxScaling, values: &Tensor) -> Vec<f32> {
        floats(&scaling.forward(values, Mode::Inference).expect("small"))
    }

    #[test]
    fn the_least_value_becomes_low_and_the_greatest_high() {
        let values = Tensor::from_slice(&[2.0_f32, 7.0, 4.0, 7.0, 10.0, 7.0]).view([3, 2]);
        let mut scaling = adapted(None, &values, &[2]);
        assert_eq!(floats(&scaling.minimum), [2.0, 7.0]);
        assert_eq!(floats(&scaling.maximum), [10.0, 7.0]);
        // The second feature is constant.
        assert_eq!(scaled(&mut scaling, &values), [-1.0, -1.0, -0.5, -1.0, 1.0, -1.0]);
        let beyond = Tensor::from_slice(&[14.0_f32, 8.0]).view([1, 2]);
        assert_eq!(scaled(&mut scaling, &beyond), [2.0, 1.0]);
    }

    #[test]
    fn indices_along_axes_have_numbers_of_their_own() {
        let values = Tensor::arange(12, (Kind::Float, Device::Cpu)).view([3, 2, 2]);
        let mut all = adapted(Some(&[]), &values, &[2, 2]);
        assert_eq!((floats(&all.minimum), floats(&all.maximum)), (vec![0.0], vec![11.0]));
        assert_eq!(scaled(&mut all, &values)[11], 1.0);
        let mut rows = adapted(Some(&[1]), &values, &[2, 2]);
        assert_eq!(floats(&rows.minimum), [0.0, 2.0]);
        assert_eq!(floats(&rows.maximum), [9.0, 11.0]);
        assert_eq!(scaled(&mut rows, &values)[2], -1.0);
        let both = adapted(Some(&[2, 1]), &values, &[2, 2]);
        assert_eq!(both.minimum.size(), [2, 2]);
        assert_eq!(floats(&both.maximum), [8.0, 9.0, 10.0, 11.0]);
    }
}
