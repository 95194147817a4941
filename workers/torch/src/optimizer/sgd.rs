//! Gradient descent, with momentum (Polyak 1964) or Nesterov's.

use sweep_proto::v1::Sgd as Settings;
use tch::{TchError, Tensor};

use super::{Rule, Step};

#[derive(Debug)]
pub(super) struct Sgd {
    momentum: f64,
    nesterov: bool,
}

impl Sgd {
    pub(super) fn new(settings: Settings) -> Self {
        Self { momentum: settings.momentum, nesterov: settings.nesterov }
    }
}

impl Rule for Sgd {
    fn slots(&self) -> Vec<&'static str> {
        if self.momentum == 0.0 { Vec::new() } else { vec!["momentum"] }
    }

    fn update(
        &self,
        step: Step,
        weight: &mut Tensor,
        gradient: &Tensor,
        slots: &mut [Tensor],
    ) -> Result<(), TchError> {
        let descent = gradient.f_mul_scalar(-step.learning_rate)?;
        let Some(velocity) = slots.first_mut() else {
            return weight.f_add_(&descent).map(drop);
        };
        let _ = velocity.f_mul_scalar_(self.momentum)?.f_add_(&descent)?;
        if self.nesterov {
            let ahead = velocity.f_mul_scalar(self.momentum)?.f_add_(&descent)?;
            weight.f_add_(&ahead).map(drop)
        } else {
            weight.f_add_(velocity).map(drop)
        }
    }
}
