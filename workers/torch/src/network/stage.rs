//! Layers in their places, one behind the other.

use tch::{TchError, Tensor};

use super::{Layer, Mode};

/// A layer with its name.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) layer: Box<dyn Layer>,
}

impl Stage {
    /// The weights as `layer/weight`.
    pub(super) fn weights(&self) -> Vec<(String, &Tensor)> {
        self.layer.weights(&self.name)
    }
}

/// Passes a batch through layers, of which there may be none.
pub(super) fn forward(
    stages: &mut [Stage],
    input: &Tensor,
    mode: Mode,
) -> Result<Tensor, TchError> {
    let mut values = input.shallow_clone();
    for stage in stages {
        values = stage.layer.forward(&values, mode)?;
    }
    Ok(values)
}
