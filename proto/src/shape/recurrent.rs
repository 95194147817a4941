//! Recurrent layers: numbers of weights, in both directions.

use super::Made;
use super::fault::{Fault, needs, positive, share};
use crate::v1::bidirectional::Layer as Inner;
use crate::v1::{Bidirectional, Gru, Join, Lstm, SimpleRnn};

/// What the kinds of recurrent layers have in common.
struct Recurrent {
    word: &'static str,
    kind: &'static str,
    units: u32,
    /// How many matrices stand side by side in a kernel.
    gates: u64,
    /// How many rows of biases there are.
    biases: u64,
    return_sequences: bool,
    /// Shares of the input, and of the state, that are dropped.
    dropouts: [f64; 2],
    /// About how many values of one time step and unit are kept for the gradient.
    kept: u64,
}

/// (time, features) -> (time, units) or (units)
pub(super) fn gru(options: &Gru, input: &[u32]) -> Result<Made, Fault> {
    Recurrent::gru(options).infer(input, 1)
}

/// (time, features) -> (time, units) or (units)
pub(super) fn lstm(options: &Lstm, input: &[u32]) -> Result<Made, Fault> {
    Recurrent::lstm(options).infer(input, 1)
}

/// (time, features) -> (time, units) or (units)
pub(super) fn simple_rnn(options: &SimpleRnn, input: &[u32]) -> Result<Made, Fault> {
    Recurrent::simple_rnn(options).infer(input, 1)
}

/// As the layer inside; concatenated outputs are twice as many.
pub(super) fn bidirectional(options: &Bidirectional, input: &[u32]) -> Result<Made, Fault> {
    let inner = match options.layer.as_ref() {
        Some(Inner::Gru(options)) => Recurrent::gru(options),
        Some(Inner::Lstm(options)) => Recurrent::lstm(options),
        Some(Inner::SimpleRnn(options)) => Recurrent::simple_rnn(options),
        None => return Err(Fault::unknown("recurrent layer")),
    };
    let join = Join::try_from(options.merge).map_err(|_| Fault::unknown("way to merge"))?;
    let made = inner.infer(input, 2)?;
    let mut shape = made.shape.clone();
    if join == Join::Concatenate
        && let Some(units) = shape.last_mut()
    {
        *units = units.checked_mul(2).ok_or_else(|| Fault::new("`units` are too many"))?;
    }
    Ok(Made { kind: "Bidirectional", shape, ..made })
}

impl Recurrent {
    fn gru(options: &Gru) -> Self {
        let biases = if options.reset_after { 2 } else { 1 };
        Self {
            word: "gru",
            kind: "GRU",
            units: options.units,
            gates: 3,
            biases: if options.use_bias { biases } else { 0 },
            return_sequences: options.return_sequences,
            dropouts: [options.dropout, options.recurrent_dropout],
            kept: 14,
        }
    }

    fn lstm(options: &Lstm) -> Self {
        Self {
            word: "lstm",
            kind: "LSTM",
            units: options.units,
            gates: 4,
            biases: u64::from(options.use_bias),
            return_sequences: options.return_sequences,
            dropouts: [options.dropout, options.recurrent_dropout],
            kept: 17,
        }
    }

    fn simple_rnn(options: &SimpleRnn) -> Self {
        Self {
            word: "simple_rnn",
            kind: "SimpleRNN",
            units: options.units,
            gates: 1,
            biases: u64::from(options.use_bias),
            return_sequences: options.return_sequences,
            dropouts: [options.dropout, options.recurrent_dropout],
            kept: 4,
        }
    }

    fn infer(&self, input: &[u32], directions: u64) -> Result<Made, Fault> {
        let [time, features] = *input else {
            let hint = match input.len() {
                1 => {
                    "set `return_sequences: true` on the recurrent layer before it, and put no \
                     `flatten` before it"
                }
                _ => "add `to_sequence` before it",
            };
            return Err(needs(self.word, "(time, features)", input).hint(hint));
        };
        positive("units", self.units)?;
        share("dropout", self.dropouts[0])?;
        share("recurrent_dropout", self.dropouts[1])?;
        let units = u64::from(self.units);
        let rows = u64::from(features) + units + self.biases;
        let weights = units
            .checked_mul(directions * self.gates)
            .and_then(|columns| columns.checked_mul(rows));
        let shape = if self.return_sequences { vec![time, self.units] } else { vec![self.units] };
        let steps = u64::from(time).saturating_mul(directions);
        let kept = steps.saturating_mul(units).saturating_mul(self.kept);
        Ok(Made::new(self.kind, &shape).with(weights)?.keeping(kept))
    }
}
