//! Layers that scale by numbers taken of the examples to train on.
//!
//! Each index along the layer's axes has numbers of its own. Axes are counted as
//! Keras counts those of its `Normalization`: 0 is the batch, which cannot be
//! one of them, 1 the first axis of an example, and -1 the last one.

use super::fault::Fault;
use super::{Made, display_shape};
use crate::v1::{Axes, MinMaxScaling, Normalization};

/// A mean and a variance, or a minimum and a maximum.
const NUMBERS: u64 = 2;

/// Where in the shape of an example the axes of a scaling layer are, in order.
///
/// - `axes`: the layer's; the last one if absent
/// - `rank`: how many axes an example has
///
/// `None` if one of them is not there, or stands there twice.
#[must_use]
pub fn scaled_axes(axes: Option<&Axes>, rank: usize) -> Option<Vec<usize>> {
    let Some(Axes { axes }) = axes else { return Some(vec![rank.checked_sub(1)?]) };
    let mut indices = axes.iter().map(|&axis| index(axis, rank)).collect::<Option<Vec<_>>>()?;
    indices.sort_unstable();
    let is_distinct = indices.windows(2).all(|pair| pair[0] != pair[1]);
    is_distinct.then_some(indices)
}

/// (...) -> (...)
pub(super) fn normalization(options: &Normalization, input: &[u32]) -> Result<Made, Fault> {
    made("Normalization", options.axes.as_ref(), input)
}

/// (...) -> (...)
pub(super) fn min_max(options: &MinMaxScaling, input: &[u32]) -> Result<Made, Fault> {
    let MinMaxScaling { low, high, .. } = options;
    if !(low.is_finite() && high.is_finite() && low < high) {
        return Err(Fault::new(format!("`range` is [{low}, {high}], which is no range"))
            .hint("write the lower number first: `range: [0, 1]`"));
    }
    made("MinMaxScaling", options.axes.as_ref(), input)
}

/// What is made of the data is not trained.
fn made(kind: &'static str, axes: Option<&Axes>, input: &[u32]) -> Result<Made, Fault> {
    let indices = scaled_axes(axes, input.len()).ok_or_else(|| {
        let given: Vec<String> = axes.iter().flat_map(|it| &it.axes).map(i32::to_string).collect();
        let rank = input.len();
        let message =
            format!("`axis` is [{}], but its input is {}", given.join(", "), display_shape(input));
        Fault::new(message).hint(format!(
            "write axes from 1 to {rank} (0 is the batch), each once; -1 for the last one; or \
             `none`"
        ))
    })?;
    let mut sizes = indices.iter().map(|&index| u64::from(input[index]));
    let numbers = sizes.try_fold(NUMBERS, |product, size| product.checked_mul(size));
    let mut made = Made::new(kind, input).with(numbers)?;
    made.trainable = 0;
    Ok(made)
}

fn index(axis: i32, rank: usize) -> Option<usize> {
    let axis = i64::from(axis);
    let index = if axis < 0 { axis + i64::try_from(rank).ok()? } else { axis - 1 };
    usize::try_from(index).ok().filter(|&index| index < rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_counted_as_keras_counts_them() {
        let axes = |axes: &[i32]| scaled_axes(Some(&Axes { axes: axes.to_vec() }), 3);
        assert_eq!(scaled_axes(None, 3), Some(vec![2]));
        assert_eq!(scaled_axes(None, 0), None);
        for (given, expected) in [
            (vec![], Some(vec![])),
            (vec![-1], Some(vec![2])),
            (vec![1, 3], Some(vec![0, 2])),
            (vec![3, -3], Some(vec![0, 2])),
            (vec![0], None),
            (vec![4], None),
            (vec![-4], None),
            (vec![i32::MIN], None),
            (vec![i32::MAX], None),
            (vec![3, -1], None),
        ] {
            assert_eq!(axes(&given), expected, "{given:?}");
        }
    }
}
