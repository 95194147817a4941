//! Layers that bring values to a common scale.

mod batch_norm;
mod layer_norm;
mod of_data;

pub(super) use self::batch_norm::BatchNorm;
pub(super) use self::layer_norm::LayerNorm;
pub(super) use self::of_data::{Moments, Normalization, Rescaling};
