//! Weights of a network, as a safetensors file.
//!
//! Names are `layer/weight` with Keras's names for both; shapes and axes are
//! Keras's. The file's metadata tells the version of sweep.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, TensorView};
use tch::{Kind, TchError, Tensor};

use crate::error::TrainingError;
use crate::network::Network;

/// A copy of a network's weights, on its device.
#[derive(Debug)]
pub(crate) struct Snapshot(Vec<(String, Tensor)>);

impl Snapshot {
    /// Copies the weights as they are now.
    pub(crate) fn of(network: &Network) -> Result<Self, TchError> {
        let _guard = tch::no_grad_guard();
        let copy = |(name, values): (String, &Tensor)| Ok((name, values.f_detach_copy()?));
        network.weights().map(copy).collect::<Result<_, TchError>>().map(Self)
    }

    /// The bytes of a safetensors file, f32.
    pub(crate) fn to_safetensors(&self) -> Result<Vec<u8>, TrainingError> {
        let mut data = Vec::with_capacity(self.0.len());
        for (name, values) in &self.0 {
            data.push((name, sizes(values), bytes(values)?));
        }
        let mut views = Vec::with_capacity(data.len());
        for (name, shape, bytes) in &data {
            views.push((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?));
        }
        let version = ("sweep_version".to_owned(), sweep_proto::VERSION.to_owned());
        Ok(safetensors::serialize(views, &Some(HashMap::from([version])))?)
    }
}

fn sizes(values: &Tensor) -> Vec<usize> {
    let size = |size: i64| usize::try_from(size).expect("a tensor's sizes are not negative");
    values.size().into_iter().map(size).collect()
}

/// The values in row-major order, little-endian f32.
fn bytes(values: &Tensor) -> Result<Vec<u8>, TchError> {
    let values = values.f_to(tch::Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut floats = vec![0.0_f32; values.numel()];
    values.f_copy_data(&mut floats, values.numel())?;
    Ok(floats.into_iter().flat_map(f32::to_le_bytes).collect())
}
