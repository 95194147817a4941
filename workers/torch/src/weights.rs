//! Weights of a network, as a safetensors file.
//!
//! Names are `layer/weight` with Keras's names for both; shapes and axes are
//! Keras's. The file's metadata tells the version of sweep.

use tch::{TchError, Tensor};

use crate::error::TrainingError;
use crate::network::Network;
use crate::tensor_file;

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

    /// The weights by name.
    pub(crate) fn weights(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, values)| (name.as_str(), values))
    }

    /// The bytes of a safetensors file, f32.
    pub(crate) fn to_safetensors(&self) -> Result<Vec<u8>, TrainingError> {
        let weights: Vec<_> =
            self.weights().map(|(name, values)| (name.to_owned(), values)).collect();
        tensor_file::write(&weights, ("sweep_version", sweep_proto::VERSION.to_owned()))
    }
}
