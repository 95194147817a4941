//! Layers that bring values to a common scale.

mod along;
mod batch_norm;
mod layer_norm;
mod min_max;
mod of_data;
mod rescaling;

pub(super) use self::batch_norm::BatchNorm;
pub(super) use self::layer_norm::LayerNorm;
pub(super) use self::min_max::MinMaxScaling;
pub(super) use self::of_data::Normalization;
pub(super) use self::rescaling::Rescaling;
