//! Along which axes each index has numbers of its own.

use sweep_proto::{shape, v1};
use tch::{TchError, Tensor};

use crate::error::LayerError;

/// Axes of a batch, with the shapes that they give to weights.
#[derive(Debug)]
pub(super) struct Along {
    /// In the order in which values become a matrix: those that are averaged over
    /// first, with the batch, then those along which numbers are.
    order: Vec<i64>,
    /// Of the weights: `[1]` if there is one number for all values.
    pub(super) shape: Vec<i64>,
    /// Of the weights, so that they spread over an example.
    spread: Vec<i64>,
}

impl Along {
    /// - `axes`: the layer's; the last one if absent
    /// - `input`: shape of an example
    pub(super) fn new(axes: Option<&v1::Axes>, input: &[u32]) -> Result<Self, LayerError> {
        let rank = input.len();
        // Inference has checked them, of another version perhaps.
        let kept = shape::scaled_axes(axes, rank).ok_or(LayerError::Unknown("axis"))?;
        let size = |index: usize| i64::from(input[index]);
        let (inside, others): (Vec<_>, Vec<_>) = (0..rank).partition(|it| kept.contains(it));
        let in_batch = |index: usize| i64::try_from(index + 1).expect("shapes are short");
        let mut shape: Vec<i64> = inside.iter().copied().map(size).collect();
        if shape.is_empty() {
            shape.push(1);
        }
        Ok(Self {
            order: [0].into_iter().chain(others.into_iter().chain(inside).map(in_batch)).collect(),
            shape,
            spread: (0..rank).map(|it| if kept.contains(&it) { size(it) } else { 1 }).collect(),
        })
    }

    /// `[batch, ...]` to `[rows, numbers]`: a column for each number.
    pub(super) fn columns(&self, values: &Tensor) -> Result<Tensor, TchError> {
        let numbers: i64 = self.shape.iter().product();
        values.f_permute(&self.order)?.f_reshape([-1, numbers])
    }

    /// A weight in a shape that spreads over `[batch, ...]`.
    pub(super) fn spread(&self, weight: &Tensor) -> Result<Tensor, TchError> {
        weight.f_reshape(&self.spread)
    }
}
