//! Tensors in files: safetensors, f32, row-major, little-endian.

use std::collections::HashMap;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, SafeTensorError, TensorView};
use tch::{Kind, TchError, Tensor};

use crate::error::{CheckpointError, TrainingError};

/// The bytes of a file of these tensors.
///
/// - `metadata`: one key and its value, so that the same tensors always give
///   the same bytes
pub(crate) fn write(
    tensors: &[(String, &Tensor)],
    metadata: (&str, String),
) -> Result<Vec<u8>, TrainingError> {
    let mut data = Vec::with_capacity(tensors.len());
    for (name, values) in tensors {
        data.push((name, sizes(values), bytes(values)?));
    }
    let mut views = Vec::with_capacity(data.len());
    for (name, shape, bytes) in &data {
        views.push((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?));
    }
    let (key, value) = metadata;
    Ok(safetensors::serialize(views, &Some(HashMap::from([(key.to_owned(), value)])))?)
}

/// A file from elsewhere, of which every part has to be taken.
#[derive(Debug)]
pub(crate) struct TensorFile<'a> {
    file: SafeTensors<'a>,
    metadata: HashMap<String, String>,
    taken: usize,
}

impl<'a> TensorFile<'a> {
    /// # Errors
    ///
    /// When the bytes are no safetensors file.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, SafeTensorError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok(Self { file: SafeTensors::deserialize(bytes)?, metadata, taken: 0 })
    }

    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Puts the values of a tensor of the file in the place of `target`'s; the
    /// two must have the same shape.
    pub(crate) fn take(&mut self, name: &str, target: &Tensor) -> Result<(), TrainingError> {
        let view = self.file.tensor(name);
        let view = view.map_err(|_| CheckpointError::Missing { tensor: name.to_owned() })?;
        if view.dtype() != Dtype::F32 || view.shape() != sizes(target) {
            return Err(TrainingError::Checkpoint(CheckpointError::Shape {
                tensor: name.to_owned(),
                found: view.shape().to_vec(),
                expected: sizes(target),
            }));
        }
        let floats = view.data().chunks_exact(4).map(|bytes| {
            f32::from_le_bytes(bytes.try_into().expect("chunks of four have four bytes"))
        });
        let values = Tensor::f_from_slice(&floats.collect::<Vec<_>>())?;
        let mut target = target.shallow_clone();
        tch::no_grad(|| target.f_copy_(&values.f_view(target.size().as_slice())?))?;
        self.taken += 1;
        Ok(())
    }

    /// Whether there is a tensor that was not taken.
    pub(crate) fn has_more(&self) -> bool {
        self.taken < self.file.len()
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
