//! Long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000).
//!
//! With σ the recurrent activation, φ the activation, state h and memory m:
//!
//! ```text
//! i = σ(x Wi + bi + h Ui)    f = σ(x Wf + bf + h Uf)    o = σ(x Wo + bo + h Uo)
//! m' = f ∘ m + i ∘ φ(x Wc + bc + h Uc)
//! h' = o ∘ φ(m')
//! ```
//!
//! The gates stand in the order i, f, c, o.

use sweep_proto::v1::Lstm as Options;
use tch::{TchError, Tensor};

use super::{Cell, StateProduct, Steps, open_gates, zeros};
use crate::error::LayerError;
use crate::network::activation::Activation;

#[derive(Debug)]
pub(super) struct Lstm {
    units: i64,
    activation: Activation,
    recurrent_activation: Activation,
    /// Whether the forget gate begins open.
    unit_forget_bias: bool,
}

struct Pass<'a> {
    lstm: &'a Lstm,
    product: StateProduct,
    /// `[batch, units]`; none before the first step, as if it were zero.
    memory: Option<Tensor>,
}

impl Lstm {
    pub(super) fn build(options: &Options) -> Result<Self, LayerError> {
        Ok(Self {
            units: i64::from(options.units),
            activation: Activation::new(options.activation)?,
            recurrent_activation: Activation::new(options.recurrent_activation)?,
            unit_forget_bias: options.unit_forget_bias,
        })
    }
}

impl Cell for Lstm {
    fn gates(&self) -> i64 {
        4
    }

    fn initial_bias(&self, units: i64) -> Result<Tensor, TchError> {
        let bias = zeros(&[4 * units])?;
        if self.unit_forget_bias {
            let _ = bias.f_narrow(0, units, units)?.f_fill_(1.0)?;
        }
        Ok(bias)
    }

    fn begin<'a>(&'a self, product: StateProduct) -> Result<Box<dyn Steps + 'a>, TchError> {
        Ok(Box::new(Pass { lstm: self, product, memory: None }))
    }
}

impl Steps for Pass<'_> {
    fn next(&mut self, input: &Tensor, state: &Tensor) -> Result<Tensor, TchError> {
        let Lstm { units, activation, recurrent_activation, .. } = *self.lstm;
        let sums = self.product.onto(input, state)?;
        // One split, so that its gradient is one concatenation.
        let parts = sums.f_split_with_sizes([2 * units, units, units], 1)?;
        let [gates, candidate, output] = parts.as_slice() else {
            return Err(TchError::Shape("three sizes give three parts".to_owned()));
        };
        let gates = open_gates(recurrent_activation, gates, 2, units)?;
        let [let_in, keep] = gates.as_slice() else {
            return Err(TchError::Shape("two gates give two parts".to_owned()));
        };
        let candidate = activation.apply(candidate)?;
        let memory = match &self.memory {
            Some(memory) => keep.f_mul(memory)?.f_addcmul(let_in, &candidate)?,
            None => let_in.f_mul(&candidate)?,
        };
        let output = recurrent_activation.apply(output)?;
        let state = output.f_mul(&activation.apply(&memory)?)?;
        self.memory = Some(memory);
        Ok(state)
    }
}
