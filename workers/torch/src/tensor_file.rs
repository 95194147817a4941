//! Tensors in files: safetensors, row-major, little-endian. Weights are f32;
//! sums may be f64 or i64.

use std::collections::HashMap;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, SafeTensorError, TensorView};
use tch::{Device, Kind, TchError, Tensor};

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
        data.push((name, kept_as(values).0, sizes(values), bytes(values)?));
    }
    let mut views = Vec::with_capacity(data.len());
    for (name, dtype, shape, bytes) in &data {
        views.push((name, TensorView::new(*dtype, shape.clone(), bytes)?));
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
    /// two must have the same shape, and be of the same kind.
    pub(crate) fn take(&mut self, name: &str, target: &Tensor) -> Result<(), TrainingError> {
        let view = self.file.tensor(name);
        let view = view.map_err(|_| CheckpointError::Missing { tensor: name.to_owned() })?;
        let (dtype, kind) = kept_as(target);
        if view.dtype() != dtype || view.shape() != sizes(target) {
            return Err(TrainingError::Checkpoint(CheckpointError::Shape {
                tensor: name.to_owned(),
                found: view.shape().to_vec(),
                kind: dtype,
                expected: sizes(target),
            }));
        }
        let data = view.data();
        let values = match kind {
            Kept::F32 => Tensor::f_from_slice(&numbers(data, f32::from_le_bytes))?,
            Kept::F64 => Tensor::f_from_slice(&numbers(data, f64::from_le_bytes))?,
            Kept::I64 => Tensor::f_from_slice(&numbers(data, i64::from_le_bytes))?,
        };
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

/// How numbers are kept in a file.
#[derive(Debug, Clone, Copy)]
enum Kept {
    F32,
    F64,
    I64,
}

/// How a tensor's values are kept: exactly, where they are of these kinds.
fn kept_as(values: &Tensor) -> (Dtype, Kept) {
    match values.kind() {
        Kind::Double => (Dtype::F64, Kept::F64),
        Kind::Int64 => (Dtype::I64, Kept::I64),
        _ => (Dtype::F32, Kept::F32),
    }
}

/// The numbers that little-endian bytes stand for; as many as are whole.
fn numbers<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|bytes| number(*bytes)).collect()
}

/// The values in row-major order, little-endian.
fn bytes(values: &Tensor) -> Result<Vec<u8>, TchError> {
    let kept = kept_as(values).1;
    let values = values.f_to(Device::Cpu)?.f_contiguous()?;
    let count = values.numel();
    Ok(match kept {
        Kept::F32 => {
            let mut floats = vec![0.0_f32; count];
            values.f_to_kind(Kind::Float)?.f_copy_data(&mut floats, count)?;
            floats.into_iter().flat_map(f32::to_le_bytes).collect()
        }
        Kept::F64 => {
            let mut floats = vec![0.0_f64; count];
            values.f_copy_data(&mut floats, count)?;
            floats.into_iter().flat_map(f64::to_le_bytes).collect()
        }
        Kept::I64 => {
            let mut numbers = vec![0_i64; count];
            values.f_copy_data(&mut numbers, count)?;
            numbers.into_iter().flat_map(i64::to_le_bytes).collect()
        }
    })
}
