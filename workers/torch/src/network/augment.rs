//! SpecAugment (Park et al. 2019), without its warping of time.

use sweep_proto::v1;
use tch::{Kind, TchError, Tensor};

use super::{Layer, Mode};

/// `[batch, frequency, time, channels]` to the same shape. While training, bands
/// and spans of each example get the example's mean.
///
/// A mask's width is uniform in `0..=width`, and its place uniform among those
/// where it fits; each example has masks of its own, the same for all channels.
#[derive(Debug)]
pub(super) struct SpecAugment {
    /// Of rows, and of columns.
    masks: [Masks; 2],
}

/// Masks along one axis.
#[derive(Debug, Clone, Copy)]
struct Masks {
    count: i64,
    most: i64,
}

impl SpecAugment {
    pub(super) fn build(options: &v1::SpecAugment) -> Self {
        let masks = |count, most| Masks { count: i64::from(count), most: i64::from(most) };
        let rows = masks(options.frequency_masks, options.frequency_width);
        Self { masks: [rows, masks(options.time_masks, options.time_width)] }
    }
}

impl Masks {
    /// Which of `size` places each example hides: `[batch, size]`, Boolean.
    fn draw(self, batch: i64, size: i64, input: &Tensor) -> Result<Tensor, TchError> {
        // Counting needs every number exactly, whatever the input's kind.
        let on_device = (Kind::Float, input.device());
        let uniform = || Tensor::f_rand([batch, self.count, 1], on_device);
        let most = self.most.min(size);
        // A product may be rounded up to its limit.
        let width = uniform()?.f_mul_scalar(most + 1)?.f_floor()?.f_clamp_max(most)?;
        let places = width.f_neg()?.f_add_scalar(size)?;
        let start = uniform()?.f_mul(&places.f_add_scalar(1)?)?.f_floor()?.f_minimum(&places)?;
        let end = start.f_add(&width)?;
        let position = Tensor::f_arange(size, on_device)?;
        let hidden = position.f_ge_tensor(&start)?.f_logical_and(&position.f_lt_tensor(&end)?)?;
        hidden.f_any_dim(1, false)
    }
}

impl Layer for SpecAugment {
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        if mode == Mode::Inference {
            return Ok(input.shallow_clone());
        }
        let (batch, frequencies, times, _) = input.size4()?;
        let [rows, columns] = self.masks;
        let rows = rows.draw(batch, frequencies, input)?.f_view([batch, frequencies, 1, 1])?;
        let columns = columns.draw(batch, times, input)?.f_view([batch, 1, times, 1])?;
        let mean = input.f_mean_dim([1_i64, 2, 3].as_slice(), true, None::<Kind>)?;
        mean.f_where_self(&rows.f_logical_or(&columns)?, input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn bands_and_spans_get_the_mean() {
        let _guard = testing::seed(1);
        let options = v1::SpecAugment {
            frequency_masks: 2,
            frequency_width: 2,
            time_masks: 1,
            time_width: 3,
        };
        let mut layer = SpecAugment::build(&options);
        let (batch, frequencies, times) = (200, 7, 9);
        let size = batch * frequencies * times * 2;
        let input = Tensor::arange(size, (Kind::Float, tch::Device::Cpu));
        let input = input.view([batch, frequencies, times, 2]);
        assert_eq!(layer.forward(&input, Mode::Inference).expect("it fits"), input);
        let output = layer.forward(&input, Mode::Training).expect("it fits");
        let (mut most_rows, mut most_columns) = (0, 0);
        let mut seen = std::collections::HashSet::new();
        for example in 0..batch {
            let (before, after) = (input.get(example), output.get(example));
            let hidden = before.ne_tensor(&after);
            let mean = before.mean(Kind::Float).double_value(&[]);
            let off = (after.masked_select(&hidden) - mean).abs();
            assert!(off.numel() == 0 || off.max().double_value(&[]) < 0.01);
            // Whatever is hidden is a whole row or a whole column, of both channels.
            let hidden = hidden.select(2, 0);
            let rows = hidden.all_dim(1, false);
            let columns = hidden.all_dim(0, false);
            let whole = rows.view([frequencies, 1]).logical_or(&columns.view([1, times]));
            assert_eq!(whole, hidden, "{hidden}");
            let count = |places: &Tensor| places.sum(Kind::Int64).int64_value(&[]);
            most_rows = most_rows.max(count(&rows));
            most_columns = most_columns.max(count(&columns));
            seen.insert(format!("{rows}{columns}"));
        }
        assert_eq!((most_rows, most_columns), (4, 3));
        assert!(seen.len() > 100, "each example has masks of its own");
    }
}
