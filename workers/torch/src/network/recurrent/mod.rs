//! Recurrent layers: a state that steps through time.
//!
//! What is a step is a [`Cell`]'s matter; here is what all cells share: the
//! weights, the loop over time, and dropout. The input's part of all steps is one
//! product before the first. libtorch's own recurrent layers know one set of
//! activations, and no dropout of the state; the sequences here are short, so
//! that they would gain little.

mod bidirectional;
mod gru;
mod lstm;
mod simple_rnn;
mod state;

use sweep_proto::v1;
use tch::{Device, Kind, TchError, Tensor};

pub(super) use self::bidirectional::Bidirectional;
use self::gru::Gru;
use self::lstm::Lstm;
use self::simple_rnn::SimpleRnn;
use self::state::StateProduct;
use super::activation::Activation;
use super::noise::dropout_mask;
use super::regularization::Regularizer;
use super::weight::{like, named, trainable};
use super::{Layer, Mode};
use crate::error::LayerError;
use crate::initializers::{glorot_uniform, orthogonal};

/// The kind of a recurrent layer.
trait Cell: std::fmt::Debug + Send {
    /// How many matrices stand side by side in the kernels.
    fn gates(&self) -> i64;

    /// The bias as it begins, on the CPU: `[gates · units]`, or two such rows, the
    /// input's and the state's.
    fn initial_bias(&self, units: i64) -> Result<Tensor, TchError>;

    /// Gets ready for a batch.
    fn begin<'a>(&'a self, product: StateProduct) -> Result<Box<dyn Steps + 'a>, TchError>;
}

/// A cell on its way through a batch.
trait Steps {
    /// The next state, `[batch, units]`, which is the output too.
    ///
    /// - `input`: the input's part, `[batch, gates · units]`
    /// - `state`: `[batch, units]`
    fn next(&mut self, input: &Tensor, state: &Tensor) -> Result<Tensor, TchError>;
}

/// `[batch, time, features]` to `[batch, time, units]`, or `[batch, units]`: the
/// last state.
#[derive(Debug)]
pub(super) struct Recurrent {
    cell: Box<dyn Cell>,
    units: i64,
    /// `[features, gates · units]`
    kernel: Tensor,
    /// `[units, gates · units]`
    recurrent_kernel: Tensor,
    /// See [`Cell::initial_bias`].
    bias: Option<Tensor>,
    regularizer: Option<Regularizer>,
    /// Shares of the input, and of the state, that are dropped while training.
    dropout: f64,
    recurrent_dropout: f64,
    returns_sequences: bool,
    /// Whether time runs from the last step to the first.
    is_backward: bool,
}

/// What the options of all recurrent layers have in common.
struct Common {
    units: u32,
    use_bias: bool,
    return_sequences: bool,
    dropout: f64,
    recurrent_dropout: f64,
    kernel_regularizer: Option<v1::Regularizer>,
}

/// Picks them out of any recurrent layer's options.
macro_rules! common {
    ($options:expr) => {
        Common {
            units: $options.units,
            use_bias: $options.use_bias,
            return_sequences: $options.return_sequences,
            dropout: $options.dropout,
            recurrent_dropout: $options.recurrent_dropout,
            kernel_regularizer: $options.kernel_regularizer,
        }
    };
}

impl Recurrent {
    pub(super) fn gru(
        options: &v1::Gru,
        features: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        Self::build(Box::new(Gru::build(options)?), common!(options), features, device)
    }

    pub(super) fn lstm(
        options: &v1::Lstm,
        features: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        Self::build(Box::new(Lstm::build(options)?), common!(options), features, device)
    }

    pub(super) fn simple_rnn(
        options: &v1::SimpleRnn,
        features: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        Self::build(Box::new(SimpleRnn::build(options)?), common!(options), features, device)
    }

    fn build(
        cell: Box<dyn Cell>,
        common: Common,
        features: i64,
        device: Device,
    ) -> Result<Self, LayerError> {
        let units = i64::from(common.units);
        let columns = cell.gates() * units;
        let kernel = trainable(&glorot_uniform(&[features, columns])?, device)?;
        let recurrent_kernel = trainable(&orthogonal(units, columns)?, device)?;
        let bias = common.use_bias.then(|| trainable(&cell.initial_bias(units)?, device));
        Ok(Self {
            cell,
            units,
            kernel,
            recurrent_kernel,
            bias: bias.transpose()?,
            regularizer: Regularizer::new(common.kernel_regularizer),
            dropout: common.dropout,
            recurrent_dropout: common.recurrent_dropout,
            returns_sequences: common.return_sequences,
            is_backward: false,
        })
    }

    /// The same layer from the last step to the first. Its outputs still stand
    /// where their inputs do.
    fn backward(self) -> Self {
        Self { is_backward: true, ..self }
    }

    /// The biases of the input and of the state.
    fn biases(&self, input: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>), TchError> {
        let Some(bias) = &self.bias else { return Ok((None, None)) };
        let bias = like(bias, input)?;
        if bias.dim() == 1 {
            return Ok((Some(bias), None));
        }
        Ok((Some(bias.f_select(0, 0)?), Some(bias.f_select(0, 1)?)))
    }

    /// How many masks one dropout has: Keras gives each gate one of its own
    /// where the state has dropout too, and else one to all.
    fn masks(&self) -> i64 {
        if self.recurrent_dropout > 0.0 { self.cell.gates() } else { 1 }
    }

    /// The input's part of all steps, `[time, batch, gates · units]`.
    fn of_input(
        &self,
        input: &Tensor,
        bias: Option<Tensor>,
        mode: Mode,
    ) -> Result<Tensor, TchError> {
        let (batch, _, features) = input.size3()?;
        let steps = input.f_transpose(0, 1)?;
        let kernel = like(&self.kernel, input)?.f_tr()?;
        if mode == Mode::Inference || self.dropout == 0.0 {
            return steps.f_linear(&kernel, bias);
        }
        // The same for all time steps.
        let masks = dropout_mask(&[self.masks(), batch, features], self.dropout, input)?;
        let mut parts = Vec::new();
        for (mask, kernel) in masks.f_unbind(0)?.iter().zip(kernel.f_chunk(self.masks(), 0)?) {
            parts.push(steps.f_mul(mask)?.f_linear(&kernel, None::<Tensor>)?);
        }
        let product = Tensor::f_cat(&parts, -1)?;
        bias.map_or(Ok(product.shallow_clone()), |bias| product.f_add(&bias))
    }

    fn of_state(
        &self,
        input: &Tensor,
        bias: Option<Tensor>,
        mode: Mode,
    ) -> Result<StateProduct, TchError> {
        let kernel = like(&self.recurrent_kernel, input)?;
        if mode == Mode::Inference || self.recurrent_dropout == 0.0 {
            return Ok(StateProduct::new(kernel, bias));
        }
        let shape = [self.masks(), input.size()[0], self.units];
        let masks = dropout_mask(&shape, self.recurrent_dropout, input)?;
        StateProduct::masked(&kernel, bias, masks)
    }
}

impl Layer for Recurrent {
    fn forward(&mut self, input: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        let (input_bias, state_bias) = self.biases(input)?;
        let mut inputs = self.of_input(input, input_bias, mode)?.f_unbind(0)?;
        let mut steps = self.cell.begin(self.of_state(input, state_bias, mode)?)?;
        let shape = [input.size()[0], self.units];
        let mut state = Tensor::f_zeros(shape, (input.f_kind()?, input.device()))?;
        if self.is_backward {
            inputs.reverse();
        }
        let mut states = Vec::new();
        for input in inputs {
            state = steps.next(&input, &state)?;
            if self.returns_sequences {
                states.push(state.shallow_clone());
            }
        }
        if !self.returns_sequences {
            return Ok(state);
        }
        if self.is_backward {
            states.reverse();
        }
        Tensor::f_stack(&states, 1)
    }

    fn weights(&self, name: &str) -> Vec<(String, &Tensor)> {
        let kernels = [("kernel", &self.kernel), ("recurrent_kernel", &self.recurrent_kernel)];
        named(name, kernels.into_iter().chain(self.bias.as_ref().map(|bias| ("bias", bias))))
    }

    fn regularized(&self) -> Vec<(Regularizer, &Tensor)> {
        self.regularizer.map(|regularizer| (regularizer, &self.kernel)).into_iter().collect()
    }
}

/// Zeros on the CPU, for biases.
fn zeros(shape: &[i64]) -> Result<Tensor, TchError> {
    Tensor::f_zeros(shape, (Kind::Float, Device::Cpu))
}

/// Activations of gates that stand side by side: each is one of its own, which
/// matters to softmax.
///
/// - `values`: `[batch, gates · units]`
///
/// Returns a tensor `[batch, units]` a gate.
fn open_gates(
    activation: Activation,
    values: &Tensor,
    gates: i64,
    units: i64,
) -> Result<Vec<Tensor>, TchError> {
    activation.apply(&values.f_view([-1, gates, units])?)?.f_unbind(1)
}
