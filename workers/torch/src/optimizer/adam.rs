//! Adam (Kingma and Ba 2015), and with decoupled weight decay (Loshchilov and
//! Hutter 2019).
//!
//! Keras adds epsilon to the uncorrected root of the second moment; torch's own
//! Adam adds it to the corrected one, which is another method in the first steps.

use sweep_proto::v1::{Adam as Settings, AdamW as DecaySettings};
use tch::{TchError, Tensor};

use super::{Rule, Step};

#[derive(Debug)]
pub(super) struct Adam {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
    /// Times the learning rate: what a weight loses of itself before a step.
    weight_decay: f64,
}

impl Adam {
    pub(super) fn new(settings: Settings) -> Self {
        let Settings { learning_rate: _, beta_1, beta_2, epsilon } = settings;
        Self { beta_1, beta_2, epsilon, weight_decay: 0.0 }
    }

    pub(super) fn with_decay(settings: DecaySettings) -> Self {
        let DecaySettings { learning_rate: _, beta_1, beta_2, epsilon, weight_decay } = settings;
        Self { beta_1, beta_2, epsilon, weight_decay }
    }
}

/// What the learning rate of a step is multiplied by, because the averages begin
/// with zeros.
///
/// In f32, as in Keras: 1 - 0.999 is off by more than a hundred thousandth of it
/// there, which is seen in the first steps.
pub(super) fn correction(beta_1: f64, beta_2: f64, step: u64) -> f64 {
    let missing = |beta: f64| 1.0 - (beta as f32).powf(step as f32);
    f64::from(missing(beta_2).sqrt() / missing(beta_1))
}

impl Rule for Adam {
    fn slots(&self) -> Vec<&'static str> {
        vec!["momentum", "velocity"]
    }

    fn update(
        &self,
        step: Step,
        weight: &mut Tensor,
        gradient: &Tensor,
        slots: &mut [Tensor],
    ) -> Result<(), TchError> {
        let [first, second] = slots else { unreachable!("there are as many as it has names for") };
        if self.weight_decay != 0.0 {
            let _ = weight.f_mul_scalar_(1.0 - step.learning_rate * self.weight_decay)?;
        }
        let rate = step.learning_rate * correction(self.beta_1, self.beta_2, step.number);
        let _ = first.f_lerp_(gradient, 1.0 - self.beta_1)?;
        let _ = second.f_lerp_(&gradient.f_square()?, 1.0 - self.beta_2)?;
        let root = second.f_sqrt()?.f_add_scalar_(self.epsilon)?;
        weight.f_addcdiv_(&first.f_mul_scalar(-rate)?, &root).map(drop)
    }
}
