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
//! where `reset_after: true` has a second bias b' beside every h U. The input's
//! part is one product for all time steps; a step itself takes one product with
//! the state, or two where the reset comes before. libtorch's own GRU knows one
//! pair of activations and one of the forms; the sequences here are short, so
//! that it would gain little.

use sweep_proto::v1::{Function as Activation, Gru as Options};
use tch::{Device, Kind, TchError, Tensor};

use super::activation::{apply, known};
use super::{Layer, Mode, trainable, trainable_zeros};
use crate::error::LayerError;
use crate::initializers::{glorot_uniform, orthogonal};

/// `[batch, time, features]` to `[batch, time, units]`, or `[batch, units]`:
/// the last state.
#[derive(Debug)]
pub(super) struct Gru {
    units: i64,
    activation: Activation,
    recurrent_activation: Activation,
    return_sequences: bool,
    reset_after: bool,
    /// `[features, 3 · units]`: z, r, h side by side.
    kernel: Tensor,
    /// `[units, 3 · units]`
    recurrent_kernel: Tensor,
    /// `[3 · units]`, or `[2, 3 · units]` with `reset_after`: the input's, the state's.
    bias: Option<Tensor>,
}

/// What the steps of one pass share: views of the weights.
struct Step<'a> {
    gru: &'a Gru,
    /// `[units, 2 · units]` or, with `reset_after`, `[units, 3 · units]`.
    gates: Tensor,
    /// `[units, units]`, without `reset_after`.
    candidate: Option<Tensor>,
    /// `[3 · units]`, with `reset_after`.
    bias: Option<Tensor>,
}

impl Gru {
    pub(super) fn build(
        options: &Options,
        features: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        let units = i64::from(options.units);
        let bias_shape = if options.reset_after { vec![2, 3 * units] } else { vec![3 * units] };
        let bias = options.use_bias.then(|| trainable_zeros(&bias_shape, device));
        Ok(Self {
            units,
            activation: known(options.activation)?,
            recurrent_activation: known(options.recurrent_activation)?,
            return_sequences: options.return_sequences,
            reset_after: options.reset_after,
            kernel: trainable(&glorot_uniform(&[features, 3 * units])?, device)?,
            recurrent_kernel: trainable(&orthogonal(units, 3 * units)?, device)?,
            bias: bias.transpose()?,
        })
    }

    /// The biases of the input and of the state.
    fn biases(&self) -> Result<(Option<Tensor>, Option<Tensor>), TchError> {
        match &self.bias {
            None => Ok((None, None)),
            Some(bias) if self.reset_after => {
                Ok((Some(bias.f_select(0, 0)?), Some(bias.f_select(0, 1)?)))
            }
            Some(bias) => Ok((Some(bias.shallow_clone()), None)),
        }
    }

    fn step(&self, bias: Option<Tensor>) -> Result<Step<'_>, TchError> {
        let (gates, candidate) = if self.reset_after {
            (self.recurrent_kernel.shallow_clone(), None)
        } else {
            let candidate = self.recurrent_kernel.f_narrow(1, 2 * self.units, self.units)?;
            (self.recurrent_kernel.f_narrow(1, 0, 2 * self.units)?, Some(candidate))
        };
        Ok(Step { gru: self, gates, candidate, bias })
    }
}

impl Step<'_> {
    /// The next state, `[batch, units]`.
    ///
    /// - `input`: the input's part, `[batch, 3 · units]`
    /// - `state`: `[batch, units]`
    fn next(&self, input: &Tensor, state: &Tensor) -> Result<Tensor, TchError> {
        let Gru { units, activation, recurrent_activation, .. } = *self.gru;
        let from_state = state.f_linear(&self.gates.f_tr()?, self.bias.as_ref())?;
        let gates = input.f_narrow(1, 0, 2 * units)?;
        let gates = gates.f_add(&from_state.f_narrow(1, 0, 2 * units)?)?;
        // An axis for the gate: each has an activation, and a softmax, of its own.
        let gates = apply(recurrent_activation, &gates.f_view([-1, 2, units])?)?;
        let (update, reset) = (gates.f_select(1, 0)?, gates.f_select(1, 1)?);
        let from_state = match &self.candidate {
            Some(candidate) => reset.f_mul(state)?.f_matmul(candidate)?,
            None => reset.f_mul(&from_state.f_narrow(1, 2 * units, units)?)?,
        };
        let candidate = input.f_narrow(1, 2 * units, units)?.f_add(&from_state)?;
        let candidate = apply(activation, &candidate)?;
        candidate.f_lerp_tensor(state, &update)
    }
}

impl Layer for Gru {
    fn forward(&mut self, input: &Tensor, _mode: Mode) -> Result<Tensor, TchError> {
        let (batch, _, _) = input.size3()?;
        let (input_bias, state_bias) = self.biases()?;
        let step = self.step(state_bias)?;
        let inputs = input.f_transpose(0, 1)?.f_linear(&self.kernel.f_tr()?, input_bias)?;
        let mut state = Tensor::f_zeros([batch, self.units], (Kind::Float, input.device()))?;
        let mut states = Vec::new();
        for input in inputs.f_unbind(0)? {
            state = step.next(&input, &state)?;
            if self.return_sequences {
                states.push(state.shallow_clone());
            }
        }
        if self.return_sequences { Tensor::f_stack(&states, 1) } else { Ok(state) }
    }

    fn weights(&self) -> Vec<(&'static str, &Tensor)> {
        let bias = self.bias.as_ref().map(|bias| ("bias", bias));
        [("kernel", &self.kernel), ("recurrent_kernel", &self.recurrent_kernel)]
            .into_iter()
            .chain(bias)
            .collect()
    }
}
