//! The plain recurrent unit (Elman 1990).
//!
//! ```text
//! h' = φ(x W + b + h U)
//! ```

use sweep_proto::v1::SimpleRnn as Options;
use tch::{TchError, Tensor};

use super::{Cell, StateProduct, Steps, zeros};
use crate::error::LayerError;
use crate::network::activation::Activation;

#[derive(Debug)]
pub(super) struct SimpleRnn {
    activation: Activation,
}

struct Pass {
    activation: Activation,
    product: StateProduct,
}

impl SimpleRnn {
    pub(super) fn build(options: &Options) -> Result<Self, LayerError> {
        Ok(Self { activation: Activation::new(options.activation)? })
    }
}

impl Cell for SimpleRnn {
    fn gates(&self) -> i64 {
        1
    }

    fn initial_bias(&self, units: i64) -> Result<Tensor, TchError> {
        zeros(&[units])
    }

    fn begin<'a>(&'a self, product: StateProduct) -> Result<Box<dyn Steps + 'a>, TchError> {
        Ok(Box::new(Pass { activation: self.activation, product }))
    }
}

impl Steps for Pass {
    fn next(&mut self, input: &Tensor, state: &Tensor) -> Result<Tensor, TchError> {
        self.activation.apply_in_place(self.product.onto(input, state)?, -1)
    }
}
