//! Dropout (Srivastava et al. 2014).

use sweep_proto::v1::Dropout as Options;
use tch::{TchError, Tensor};

use super::{Layer, Mode};
use crate::error::LayerError;

/// Zeroes a share of the values while training and scales the rest up.
#[derive(Debug)]
pub(super) struct Dropout {
    rate: f64,
}

impl Dropout {
    pub(super) fn build(options: &Options) -> Result<Self, LayerError> {
        if !(0.0..=1.0).contains(&options.rate) {
            return Err(LayerError::Rate(options.rate));
        }
        Ok(Self { rate: options.rate })
    }
}

impl Layer for Dropout {
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        input.f_dropout(self.rate, mode == Mode::Training)
    }
}
