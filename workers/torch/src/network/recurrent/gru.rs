//! Gated recurrent unit (Cho et al. 2014), in both of Keras's forms.
//!
//! With update gate z, reset gate r, σ the recurrent activation and φ the
//! activation, a step from state h on input x is
//!
//! ```text
//! z = σ(x Wz + bz + h Uz)        r = σ(x Wr + br + h Ur)
//! c = φ(x Wh + bh + (r ∘ h) Uh)                 reset_after: false
//! c = φ(x Wh + bh + r ∘ (h Uh + b'h))           reset_after: true
//! h' = z ∘ h + (1 - z) ∘ c
//! ```
//!
//! where `reset_after: true` has a second bias b' beside every h U. A step takes
//! one product with the state, or two where the reset comes before.

use sweep_proto::v1::Gru as Options;
use tch::{TchError, Tensor};

use super::{Cell, StateProduct, Steps, open_gates, zeros};
use crate::error::LayerError;
use crate::network::activation::Activation;

/// The gates stand in the order z, r, h.
#[derive(Debug)]
pub(super) struct Gru {
    units: i64,
    activation: Activation,
    recurrent_activation: Activation,
    reset_after: bool,
}

struct Pass<'a> {
    gru: &'a Gru,
    product: Product,
}

/// The state's part of a step.
enum Product {
    ResetAfter(StateProduct),
    ResetBefore { gates: StateProduct, candidate: StateProduct },
}

impl Gru {
    pub(super) fn build(options: &Options) -> Result<Self, LayerError> {
        Ok(Self {
            units: i64::from(options.units),
            activation: Activation::new(options.activation)?,
            recurrent_activation: Activation::new(options.recurrent_activation)?,
            reset_after: options.reset_after,
        })
    }
}

impl Cell for Gru {
    fn gates(&self) -> i64 {
        3
    }

    fn initial_bias(&self, units: i64) -> Result<Tensor, TchError> {
        if self.reset_after { zeros(&[2, 3 * units]) } else { zeros(&[3 * units]) }
    }

    fn begin<'a>(&'a self, product: StateProduct) -> Result<Box<dyn Steps + 'a>, TchError> {
        let product = if self.reset_after {
            Product::ResetAfter(product)
        } else {
            let (gates, candidate) = product.split(2, self.units)?;
            Product::ResetBefore { gates, candidate }
        };
        Ok(Box::new(Pass { gru: self, product }))
    }
}

impl Pass<'_> {
    /// Update gate and reset gate.
    fn open(&self, sums: &Tensor) -> Result<(Tensor, Tensor), TchError> {
        let gates = open_gates(self.gru.recurrent_activation, sums, 2, self.gru.units)?;
        match <[Tensor; 2]>::try_from(gates) {
            Ok([update, reset]) => Ok((update, reset)),
            Err(_) => Err(TchError::Shape("two gates give two parts".to_owned())),
        }
    }

    /// The parts of the gates and of the candidate.
    fn split(&self, sums: &Tensor) -> Result<(Tensor, Tensor), TchError> {
        let units = self.gru.units;
        // One split, so that its gradient is one concatenation.
        match <[Tensor; 2]>::try_from(sums.f_split_with_sizes([2 * units, units], 1)?) {
            Ok([gates, candidate]) => Ok((gates, candidate)),
            Err(_) => Err(TchError::Shape("two sizes give two parts".to_owned())),
        }
    }
}

impl Steps for Pass<'_> {
    fn next(&mut self, input: &Tensor, state: &Tensor) -> Result<Tensor, TchError> {
        let (input_gates, input_candidate) = self.split(input)?;
        let (update, candidate) = match &self.product {
            Product::ResetAfter(product) => {
                let (gates, candidate) = self.split(&product.of(state)?)?;
                let (update, reset) = self.open(&input_gates.f_add(&gates)?)?;
                (update, input_candidate.f_addcmul(&reset, &candidate)?)
            }
            Product::ResetBefore { gates, candidate } => {
                let (update, reset) = self.open(&gates.onto(&input_gates, state)?)?;
                (update, candidate.onto(&input_candidate, &reset.f_mul(state)?)?)
            }
        };
        self.gru.activation.apply(&candidate)?.f_lerp_tensor(state, &update)
    }
}
