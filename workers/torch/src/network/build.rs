//! From a specification to layers with initial weights.

use std::slice;

use sweep_proto::shape::LayerSummary;
use sweep_proto::v1::layer::Kind as LayerKind;
use sweep_proto::v1::{Layer as LayerSpecification, Parallel as ParallelSpecification};
use tch::Device;

use super::Layer;
use super::activation::Activate;
use super::augment::SpecAugment;
use super::branches::Parallel;
use super::convolution::{Conv, DepthwiseConv2d, SeparableConv2d};
use super::dense::Dense;
use super::mobilenet_v2::MobileNetV2;
use super::noise::{Dropout, GaussianNoise, SpatialDropout};
use super::normalization::{BatchNorm, LayerNorm, MinMaxScaling, Normalization, Rescaling};
use super::pooling::{GlobalPool, Pool};
use super::recurrent::{Bidirectional, Recurrent};
use super::reshape::{Flatten, Permute, Reshape, ToSequence};
use super::stage::Stage;
use crate::error::{LayerError, TrainingError};

/// Builds layers in the order of their inferred rows.
pub(super) struct Builder<'a> {
    /// Rows of the layers that are still to come.
    rows: slice::Iter<'a, LayerSummary>,
    device: Device,
}

impl<'a> Builder<'a> {
    pub(super) fn new(rows: &'a [LayerSummary], device: Device) -> Self {
        Self { rows: rows.iter(), device }
    }

    /// Builds layers that follow one another.
    ///
    /// - `input_shape`: shape of one example
    pub(super) fn stages(
        &mut self,
        specifications: &[LayerSpecification],
        input_shape: &[u32],
    ) -> Result<Vec<Stage>, TrainingError> {
        let mut stages: Vec<Stage> = Vec::with_capacity(specifications.len());
        let mut input = input_shape.to_vec();
        for specification in specifications {
            let at = |source| TrainingError::Layer { layer: specification.name.clone(), source };
            let mut layer = match &specification.kind {
                None => return Err(at(LayerError::Unknown("kind of layer"))),
                Some(LayerKind::Parallel(parallel)) => {
                    let branches = self.branches(parallel, &input)?;
                    Box::new(Parallel::build(branches, parallel.merge).map_err(at)?)
                }
                Some(kind) => self.layer(kind, &input).map_err(at)?,
            };
            if layer.picks_greatest()
                && let Some(before) = stages.last_mut()
            {
                pool_before_activation(before.layer.as_mut(), layer.as_mut());
            }
            stages.push(Stage { name: specification.name.clone(), layer });
            // A layer's row comes behind those of its branches.
            if let Some(row) = self.rows.next() {
                input.clone_from(&row.output_shape);
            }
        }
        Ok(stages)
    }

    fn branches(
        &mut self,
        parallel: &ParallelSpecification,
        input: &[u32],
    ) -> Result<Vec<Vec<Stage>>, TrainingError> {
        parallel.branches.iter().map(|branch| self.stages(&branch.layers, input)).collect()
    }

    /// Builds a layer for inputs of this shape.
    fn layer(&self, kind: &LayerKind, input: &[u32]) -> Result<Box<dyn Layer>, LayerError> {
        let device = self.device;
        let features = input.last().copied().map_or(1, i64::from);
        Ok(match kind {
            LayerKind::Conv1d(options) => Box::new(Conv::over_time(options, features, device)?),
            LayerKind::Conv2d(options) => Box::new(Conv::over_image(options, features, device)?),
            LayerKind::DepthwiseConv2d(options) => {
                Box::new(DepthwiseConv2d::build(options, features, device)?)
            }
            LayerKind::SeparableConv2d(options) => {
                Box::new(SeparableConv2d::build(options, features, device)?)
            }
            LayerKind::Pool1d(options) => Pool::over_time(options)?.layer(options.reduction)?,
            LayerKind::Pool2d(options) => Pool::over_image(options)?.layer(options.reduction)?,
            LayerKind::GlobalPool1d(options) | LayerKind::GlobalPool2d(options) => {
                Box::new(GlobalPool::build(options)?)
            }
            LayerKind::BatchNorm(options) => Box::new(BatchNorm::build(options, features, device)?),
            LayerKind::LayerNorm(options) => Box::new(LayerNorm::build(options, features, device)?),
            LayerKind::Dropout(options) => Box::new(Dropout::build(options)),
            LayerKind::SpatialDropout1d(options) | LayerKind::SpatialDropout2d(options) => {
                Box::new(SpatialDropout::build(options))
            }
            LayerKind::GaussianNoise(options) => Box::new(GaussianNoise::build(options)),
            LayerKind::Flatten(_) => Box::new(Flatten),
            LayerKind::Reshape(options) => Box::new(Reshape::build(options)),
            LayerKind::Permute(options) => Box::new(Permute::build(options)),
            LayerKind::ToSequence(_) => Box::new(ToSequence),
            LayerKind::Gru(options) => Box::new(Recurrent::gru(options, features, device)?),
            LayerKind::Lstm(options) => Box::new(Recurrent::lstm(options, features, device)?),
            LayerKind::SimpleRnn(options) => {
                Box::new(Recurrent::simple_rnn(options, features, device)?)
            }
            LayerKind::Bidirectional(options) => {
                Box::new(Bidirectional::build(options, features, device)?)
            }
            LayerKind::Dense(options) => Box::new(Dense::build(options, features, device)?),
            LayerKind::Activation(options) => Box::new(Activate::build(options)?),
            LayerKind::Rescaling(options) => Box::new(Rescaling::build(options)),
            LayerKind::Normalization(options) => {
                Box::new(Normalization::build(options, input, device)?)
            }
            LayerKind::MinMaxScaling(options) => {
                Box::new(MinMaxScaling::build(options, input, device)?)
            }
            LayerKind::SpecAugment(options) => Box::new(SpecAugment::build(options)),
            LayerKind::MobilenetV2(options) => Box::new(MobileNetV2::build(options, device)?),
            LayerKind::Parallel(_) => unreachable!("its branches are built with it"),
        })
    }
}

/// Moves a monotonic activation from before a pool of greatest values to behind
/// it: the values are the same, and there are fewer of them to compute.
fn pool_before_activation(before: &mut dyn Layer, pool: &mut dyn Layer) {
    if let (Some(before), Some(pool)) = (before.activation(), pool.activation())
        && before.is_monotonic()
    {
        std::mem::swap(before, pool);
    }
}
