//! Weights from a safetensors file with torchvision's names.
//!
//! The coordinator has looked at the file before; its digest says that this is
//! the same one still.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, SafeTensorError, TensorView};
use sha2::{Digest, Sha256};
use sweep_proto::digest::hexadecimal;
use sweep_proto::mobilenet_v2::is_passed_over;
use sweep_proto::v1::WeightsFile;
use tch::{Kind, TchError, Tensor};

use crate::error::LayerError;

/// Largest file that is read, in bytes: several times the largest network.
const MAX_BYTES: u64 = 1 << 30;

/// Why a weights file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WeightsFileError {
    /// It is not there, or may not be read.
    #[error("{}: {source}; the weights file must lie under this path where the worker runs", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// It has far more bytes than all weights.
    #[error("{}: has {bytes} bytes, which is more than weights of this network could have", path.display())]
    Large { path: PathBuf, bytes: u64 },
    /// It is another one than was checked.
    #[error("{}: has changed: its SHA-256 is {found}, not {expected}", path.display())]
    Digest { path: PathBuf, found: String, expected: String },
    /// It is damaged, or of another format.
    #[error("{}: is no whole safetensors file: {source}", path.display())]
    Format { path: PathBuf, source: SafeTensorError },
    /// A weight is missing.
    #[error("{}: has no tensor `{tensor}`; expected are torchvision's names, as `features.0.0.weight`", path.display())]
    Missing { path: PathBuf, tensor: String },
    /// It has a weight that the network has not.
    #[error("{}: has a tensor `{tensor}` that is none of this network", path.display())]
    Foreign { path: PathBuf, tensor: String },
    /// A weight has another shape.
    #[error("{}: the shape of `{tensor}` is {found:?} instead of {expected:?}; is `alpha` that of the file?", path.display())]
    Shape { path: PathBuf, tensor: String, found: Vec<usize>, expected: Vec<u32> },
    /// A weight is no floating-point number.
    #[error("{}: the values of `{tensor}` are {kind:?}, not floating-point numbers", path.display())]
    Kind { path: PathBuf, tensor: String, kind: Dtype },
}

/// Reads tensors, f32 on the CPU, in the order of `expected`: names and shapes.
///
/// What torchvision's files hold beside them is passed over: the classifier, and
/// how many batches there were.
///
/// # Errors
///
/// [`WeightsFileError`], which names the file and the first tensor that is wrong.
pub(super) fn read(
    file: &WeightsFile,
    expected: &[(String, Vec<u32>)],
) -> Result<Vec<Tensor>, LayerError> {
    let path = PathBuf::from(&file.path);
    let bytes = checked_bytes(file, &path)?;
    let tensors = match SafeTensors::deserialize(&bytes) {
        Ok(tensors) => tensors,
        Err(source) => return Err(WeightsFileError::Format { path, source }.into()),
    };
    let mut weights = Vec::with_capacity(expected.len());
    for (name, shape) in expected {
        let Ok(view) = tensors.tensor(name) else {
            return Err(WeightsFileError::Missing { path, tensor: name.clone() }.into());
        };
        let shape_fits = view.shape().iter().copied().eq(shape.iter().map(|&size| size as usize));
        if !shape_fits {
            let (found, expected) = (view.shape().to_vec(), shape.clone());
            let tensor = name.clone();
            return Err(WeightsFileError::Shape { path, tensor, found, expected }.into());
        }
        let Some(kind) = kind(view.dtype()) else {
            let (tensor, kind) = (name.clone(), view.dtype());
            return Err(WeightsFileError::Kind { path, tensor, kind }.into());
        };
        weights.push(values(&view, shape, kind)?);
    }
    let is_known =
        |name: &str| is_passed_over(name) || expected.iter().any(|(known, _)| known == name);
    let mut names = tensors.names();
    names.sort_unstable();
    if let Some(foreign) = names.into_iter().find(|name| !is_known(name)) {
        return Err(WeightsFileError::Foreign { path, tensor: foreign.clone() }.into());
    }
    Ok(weights)
}

/// The file's bytes, if they are those that the coordinator has seen.
fn checked_bytes(file: &WeightsFile, path: &Path) -> Result<Vec<u8>, WeightsFileError> {
    let unreadable = |source| WeightsFileError::Read { path: path.to_owned(), source };
    let opened = File::open(path).map_err(unreadable)?;
    let length = opened.metadata().map_err(unreadable)?.len();
    if length > MAX_BYTES {
        return Err(WeightsFileError::Large { path: path.to_owned(), bytes: length });
    }
    let mut bytes = Vec::new();
    opened.take(MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    let found = hexadecimal(&Sha256::digest(&bytes));
    if found != file.digest {
        let expected = file.digest.clone();
        return Err(WeightsFileError::Digest { path: path.to_owned(), found, expected });
    }
    Ok(bytes)
}

fn kind(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        Dtype::F32 => Some(Kind::Float),
        Dtype::F64 => Some(Kind::Double),
        // Integers and whatever a later version of the format has.
        _ => None,
    }
}

fn values(view: &TensorView<'_>, shape: &[u32], kind: Kind) -> Result<Tensor, TchError> {
    let shape: Vec<i64> = shape.iter().copied().map(i64::from).collect();
    Tensor::f_from_data_size(view.data(), &shape, kind)?.f_to_kind(Kind::Float)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn digest_of(path: &Path) -> String {
        hexadecimal(&Sha256::digest(std::fs::read(path).expect("it can be read")))
    }
}
