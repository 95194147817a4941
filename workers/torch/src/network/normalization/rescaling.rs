//! Scaling by given numbers.

use sweep_proto::v1;
use tch::{TchError, Tensor};

use crate::network::{Layer, Mode};

/// `value * scale + offset`
#[derive(Debug)]
pub(in crate::network) struct Rescaling {
    scale: f64,
    offset: f64,
}

impl Rescaling {
    pub(in crate::network) fn build(options: &v1::Rescaling) -> Self {
        Self { scale: options.scale, offset: options.offset }
    }
}

impl Layer for Rescaling {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let scaled = input.f_mul_scalar(self.scale)?;
        if self.offset == 0.0 { Ok(scaled) } else { scaled.f_add_scalar(self.offset) }
    }
}
