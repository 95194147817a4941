//! Branches that all get the same input, and the layer that joins them.

use sweep_proto::v1::parallel::Merge;
use tch::{TchError, Tensor};

use super::regularization::Regularizer;
use super::stage::{self, Stage};
use super::{Layer, Mode};
use crate::error::LayerError;

/// The branches' outputs, put one behind the other along an axis, or added up.
#[derive(Debug)]
pub(super) struct Parallel {
    /// At least one; one without layers gives the input.
    branches: Vec<Vec<Stage>>,
    join: Join,
}

/// How outputs become one.
#[derive(Debug, Clone, Copy)]
enum Join {
    /// Along this axis, where the batch is 0.
    Concatenate(i64),
    Add,
}

impl Parallel {
    pub(super) fn build(
        branches: Vec<Vec<Stage>>,
        merge: Option<Merge>,
    ) -> Result<Self, LayerError> {
        let join = match merge {
            Some(Merge::Concatenate(options)) => Join::Concatenate(i64::from(options.axis)),
            Some(Merge::Add(_)) => Join::Add,
            None => return Err(LayerError::Unknown("way to join branches")),
        };
        Ok(Self { branches, join })
    }
}

impl Layer for Parallel {
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        let outputs = self.branches.iter_mut().map(|branch| stage::forward(branch, input, mode));
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        match self.join {
            Join::Concatenate(axis) => Tensor::f_cat(&outputs, axis),
            Join::Add => {
                let mut outputs = outputs.into_iter();
                let first = outputs.next().unwrap_or_else(|| input.shallow_clone());
                outputs.try_fold(first, |sum, output| sum.f_add(&output))
            }
        }
    }

    /// The layers inside have names of their own.
    fn weights(&self, _name: &str) -> Vec<(String, &Tensor)> {
        self.branches.iter().flatten().flat_map(Stage::weights).collect()
    }

    fn regularized(&self) -> Vec<(Regularizer, &Tensor)> {
        self.branches.iter().flatten().flat_map(|stage| stage.layer.regularized()).collect()
    }
}
