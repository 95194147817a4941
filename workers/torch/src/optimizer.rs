//! Adam (Kingma and Ba 2015), with Keras 3's arithmetic.
//!
//! Keras adds epsilon to the uncorrected root of the second moment; torch's own
//! Adam adds it to the corrected one, which is another method in the first steps.

use sweep_proto::v1::Adam as Settings;
use tch::{TchError, Tensor};

/// Adam's state for the weights of one network.
#[derive(Debug)]
pub(crate) struct Adam {
    settings: Settings,
    /// Steps taken.
    steps: i32,
    variables: Vec<Variable>,
}

/// One weight and its moments, all of one shape.
#[derive(Debug)]
struct Variable {
    weight: Tensor,
    /// Moving average of the gradient.
    first: Tensor,
    /// Moving average of the gradient's square.
    second: Tensor,
}

impl Adam {
    /// - `weights`: require gradients; they are changed in place
    pub(crate) fn new(settings: Settings, weights: Vec<Tensor>) -> Result<Self, TchError> {
        let variable = |weight: Tensor| -> Result<Variable, TchError> {
            let (first, second) = tch::no_grad(|| -> Result<_, TchError> {
                Ok((weight.f_zeros_like()?, weight.f_zeros_like()?))
            })?;
            Ok(Variable { weight, first, second })
        };
        let variables = weights.into_iter().map(variable).collect::<Result<_, _>>()?;
        Ok(Self { settings, steps: 0, variables })
    }

    /// Steps taken.
    pub(crate) fn steps(&self) -> i32 {
        self.steps
    }

    /// As if so many steps had been taken; see [`Adam::moments`].
    pub(crate) fn set_steps(&mut self, steps: i32) {
        self.steps = steps.max(0);
    }

    /// Both moments of every weight, by name: with the number of steps all that
    /// the optimizer remembers. They share memory with its own.
    pub(crate) fn moments(&self) -> impl Iterator<Item = (String, &Tensor)> {
        self.variables.iter().enumerate().flat_map(|(index, Variable { first, second, .. })| {
            [(format!("adam/first/{index}"), first), (format!("adam/second/{index}"), second)]
        })
    }

    /// One step down the gradient of `loss`, a scalar.
    pub(crate) fn step(&mut self, loss: &Tensor) -> Result<(), TchError> {
        let weights: Vec<_> = self.variables.iter().map(|variable| &variable.weight).collect();
        let gradients = Tensor::f_run_backward(&[loss], &weights, false, false)?;
        self.steps = self.steps.saturating_add(1);
        let Settings { learning_rate, beta_1, beta_2, epsilon } = self.settings;
        let correction = (1.0 - beta_2.powi(self.steps)).sqrt() / (1.0 - beta_1.powi(self.steps));
        let rate = learning_rate * correction;
        tch::no_grad(|| {
            for (variable, gradient) in self.variables.iter_mut().zip(&gradients) {
                let Variable { weight, first, second } = variable;
                let _ = first.f_lerp_(gradient, 1.0 - beta_1)?;
                let _ = second.f_lerp_(&gradient.f_square()?, 1.0 - beta_2)?;
                let root = second.f_sqrt()?.f_add_scalar_(epsilon)?;
                let _ = weight.f_addcdiv_(&first.f_mul_scalar(-rate)?, &root)?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_steps_by_hand() {
        let settings = Settings { learning_rate: 0.1, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-2 };
        let weight = Tensor::from_slice(&[1.0_f64, -2.0]).set_requires_grad(true);
        let mut adam = Adam::new(settings, vec![weight.shallow_clone()]).expect("small");
        let mut expected = [1.0_f64, -2.0];
        let (mut first, mut second) = ([0.0; 2], [0.0; 2]);
        for step in 1..=3 {
            // The gradient of the sum of cubes.
            adam.step(&weight.pow_tensor_scalar(3).sum(tch::Kind::Double)).expect("small");
            let rate = 0.1 * (1.0 - 0.999_f64.powi(step)).sqrt() / (1.0 - 0.9_f64.powi(step));
            for index in 0..2 {
                let gradient = 3.0 * expected[index] * expected[index];
                first[index] = 0.9 * first[index] + 0.1 * gradient;
                second[index] = 0.999 * second[index] + 0.001 * gradient * gradient;
                expected[index] -= rate * first[index] / (second[index].sqrt() + 1e-2);
            }
            for (index, expected) in expected.into_iter().enumerate() {
                let found = weight.double_value(&[index as i64]);
                assert!((found - expected).abs() < 1e-12, "step {step}: {found} {expected}");
            }
        }
    }
}
