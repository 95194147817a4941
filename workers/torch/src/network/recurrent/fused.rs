//! libtorch's own LSTM, where it is Keras's: usual activations, no dropout of
//! the state.
//!
//! On the CPU it runs on oneDNN and takes a quarter to two thirds of the time of
//! a step after the other. There it is used for LSTMs in f32 only: of a GRU
//! libtorch has no such kernel on the CPU, and on a GPU neither was measured.

use tch::{Device, Kind, TchError, Tensor};

use super::{Recurrent, zeros};

/// Whether a batch may be left to libtorch.
///
/// - `drops_state`: whether the state has dropout this time
pub(super) fn takes(
    layer: &Recurrent,
    input: &Tensor,
    drops_state: bool,
) -> Result<bool, TchError> {
    let is_fast = input.device() == Device::Cpu && input.f_kind()? == Kind::Float;
    Ok(is_fast && !drops_state && layer.cell.is_usual_lstm())
}

/// All outputs, `[batch, time, units]`, from the first step to the last.
///
/// - `input`: `[batch, time, features]`, as far as it was not dropped
pub(super) fn lstm(layer: &Recurrent, input: &Tensor) -> Result<Tensor, TchError> {
    let Recurrent { kernel, recurrent_kernel, bias, units, .. } = layer;
    // The gates stand in Keras's order here too; there is a second bias, of the state.
    let mut weights =
        vec![kernel.f_tr()?.f_contiguous()?, recurrent_kernel.f_tr()?.f_contiguous()?];
    if let Some(bias) = bias {
        weights.extend([bias.shallow_clone(), zeros(&bias.size())?]);
    }
    let state = zeros(&[1, input.size()[0], *units])?;
    let states = [state.shallow_clone(), state];
    let has_biases = bias.is_some();
    let (outputs, _, _) = input.f_lstm(&states, &weights, has_biases, 1, 0.0, true, false, true)?;
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use sweep_proto::v1::{Activation, Function, Lstm};

    use super::*;
    use crate::network::{Layer, Mode};
    use crate::testing::{self, lstm_options};

    /// The output, and the gradients of the input and the weights.
    fn run(layer: &Recurrent, input: &Tensor, fused: bool) -> Vec<Tensor> {
        let input = input.copy().set_requires_grad(true);
        let output = if fused {
            layer.all_at_once(&input, Mode::Training)
        } else {
            layer.step_by_step(&input, Mode::Training)
        };
        let output = output.expect("shapes fit");
        let loss = output.sin().sum(Kind::Float);
        let weights = layer.weights("").into_iter().map(|(_, weight)| weight);
        let by: Vec<&Tensor> = [&input].into_iter().chain(weights).collect();
        let mut found = Tensor::run_backward(&[loss], &by, false, false);
        found.push(output.detach());
        found
    }

    #[test]
    fn libtorch_gives_what_steps_give() {
        let _guard = testing::seed(1);
        let input = Tensor::randn([4, 6, 3], (Kind::Float, Device::Cpu));
        for return_sequences in [true, false] {
            for use_bias in [true, false] {
                for is_backward in [true, false] {
                    let options = Lstm { return_sequences, use_bias, ..lstm_options(5) };
                    let layer = Recurrent::lstm(&options, 3, Device::Cpu).expect("small");
                    let layer = if is_backward { layer.backward() } else { layer };
                    let steps = run(&layer, &input, false);
                    for (fused, expected) in run(&layer, &input, true).iter().zip(steps) {
                        assert_eq!(fused.size(), expected.size());
                        assert!(fused.allclose(&expected, 1e-5, 1e-6, false), "{options:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn others_go_step_by_step() {
        let relu = Some(Activation { function: Function::Relu.into(), slope: 0.0 });
        let input = Tensor::randn([2, 3, 4], (Kind::Float, Device::Cpu));
        let bf16 = input.to_kind(Kind::BFloat16);
        for (options, input, expected) in [
            (lstm_options(2), &input, true),
            (Lstm { activation: relu, ..lstm_options(2) }, &input, false),
            (Lstm { recurrent_activation: relu, ..lstm_options(2) }, &input, false),
            (lstm_options(2), &bf16, false),
        ] {
            let layer = Recurrent::lstm(&options, 4, Device::Cpu).expect("small");
            assert_eq!(takes(&layer, input, false).expect("small"), expected, "{options:?}");
            assert!(!takes(&layer, input, true).expect("small"), "its state is dropped");
        }
    }
}
