//! RMSprop (Hinton 2012), with Keras's momentum and centring.

use sweep_proto::v1::RmsProp as Settings;
use tch::{TchError, Tensor};

use super::{Rule, Step};

#[derive(Debug)]
pub(super) struct RmsProp {
    rho: f64,
    momentum: f64,
    epsilon: f64,
    centered: bool,
}

impl RmsProp {
    pub(super) fn new(settings: Settings) -> Self {
        let Settings { learning_rate: _, rho, momentum, epsilon, centered } = settings;
        Self { rho, momentum, epsilon, centered }
    }

    /// Moves an average towards a value.
    fn follow(&self, average: &mut Tensor, value: &Tensor) -> Result<(), TchError> {
        let share = value.f_mul_scalar(1.0 - self.rho)?;
        average.f_mul_scalar_(self.rho)?.f_add_(&share).map(drop)
    }
}

impl Rule for RmsProp {
    fn slots(&self) -> Vec<&'static str> {
        let momentum = (self.momentum > 0.0).then_some("momentum");
        let average = self.centered.then_some("average_gradient");
        ["velocity"].into_iter().chain(momentum).chain(average).collect()
    }

    fn update(
        &self,
        step: Step,
        weight: &mut Tensor,
        gradient: &Tensor,
        slots: &mut [Tensor],
    ) -> Result<(), TchError> {
        let mut slots = slots.iter_mut();
        let mut slot = || slots.next().expect("there are as many as it has names for");
        let velocity = slot();
        self.follow(velocity, &gradient.f_square()?)?;
        let momentum = (self.momentum > 0.0).then(&mut slot);
        let spread = if self.centered {
            let average = slot();
            self.follow(average, gradient)?;
            // Epsilon comes after the difference, or it would be lost beside
            // two large numbers of which nothing is left.
            velocity.f_sub(&average.f_square()?)?
        } else {
            velocity.shallow_clone()
        };
        let root = spread.f_add_scalar(self.epsilon)?.f_sqrt_()?;
        let increment = gradient.f_mul_scalar(step.learning_rate)?.f_div_(&root)?;
        match momentum {
            Some(momentum) => {
                let _ = momentum.f_mul_scalar_(self.momentum)?.f_add_(&increment)?;
                weight.f_sub_(momentum).map(drop)
            }
            None => weight.f_sub_(&increment).map(drop),
        }
    }
}
