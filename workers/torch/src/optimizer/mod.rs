//! Optimizers, with Keras 3's arithmetic.
//!
//! One file holds one [`Rule`]: what it remembers of a weight, and how it
//! changes one. Here is what all rules share: gradients, clipping, the number
//! of steps, and the names under which a checkpoint keeps what is remembered.
//! The learning rate of a step comes from outside. Nothing is read from the
//! device.

mod adam;
mod clipping;
mod rmsprop;
mod sgd;

use sweep_proto::v1;
use sweep_proto::v1::optimizer::Kind;
use tch::{TchError, Tensor};

use self::adam::Adam;
use self::clipping::Clipping;
use self::rmsprop::RmsProp;
use self::sgd::Sgd;
use crate::error::TrainingError;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    /// From 1.
    number: u64,
    learning_rate: f64,
}

/// How a weight changes.
trait Rule: std::fmt::Debug + Send {
    /// Names of the tensors that are remembered of each weight. They have its
    /// shape, and start as zeros.
    fn slots(&self) -> Vec<&'static str>;

    /// Changes one weight in place.
    ///
    /// - `slots`: in the order of [`Rule::slots`]; changed in place
    fn update(
        &self,
        step: Step,
        weight: &mut Tensor,
        gradient: &Tensor,
        slots: &mut [Tensor],
    ) -> Result<(), TchError>;
}

/// A rule and its state for the weights of one network.
#[derive(Debug)]
pub(crate) struct Optimizer {
    rule: Box<dyn Rule>,
    clipping: Option<Clipping>,
    /// Steps taken.
    steps: u64,
    weights: Vec<Tensor>,
    /// Of each weight, what the rule remembers.
    slots: Vec<Vec<Tensor>>,
}

impl Optimizer {
    /// - `weights`: require gradients; they are changed in place
    ///
    /// # Errors
    ///
    /// [`TrainingError::Specification`] for an optimizer that is missing or has
    /// a clipping that is not above 0, [`TrainingError::Torch`] for want of memory.
    pub(crate) fn new(
        settings: &v1::Optimizer,
        weights: Vec<Tensor>,
    ) -> Result<Self, TrainingError> {
        let (rule, _) = rule(settings)?;
        let clipping = settings.clipping.map(Clipping::new).transpose()?;
        let names = rule.slots();
        let slots = |weight: &Tensor| names.iter().map(|_| weight.f_zeros_like()).collect();
        let slots =
            tch::no_grad(|| weights.iter().map(slots).collect::<Result<Vec<_>, TchError>>())?;
        Ok(Self { rule, clipping, steps: 0, weights, slots })
    }

    /// Steps taken.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// As if so many steps had been taken; see [`Optimizer::slots`].
    pub(crate) fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    /// What is remembered of every weight, by name: with the number of steps all
    /// that the optimizer remembers. They share memory with its own.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (String, &Tensor)> {
        let names = self.rule.slots();
        self.slots.iter().enumerate().flat_map(move |(index, slots)| {
            let name = |name: &str| format!("optimizer/{name}/{index}");
            names.iter().copied().map(name).zip(slots).collect::<Vec<_>>()
        })
    }

    /// One step down the gradient of `loss`, a scalar.
    pub(crate) fn step(&mut self, loss: &Tensor, learning_rate: f64) -> Result<(), TchError> {
        self.steps = self.steps.saturating_add(1);
        if self.weights.is_empty() {
            return Ok(());
        }
        let gradients = Tensor::f_run_backward(&[loss], &self.weights, false, false)?;
        let step = Step { number: self.steps, learning_rate };
        tch::no_grad(|| {
            let gradients = match self.clipping {
                Some(clipping) => clipping.clip(&gradients)?,
                None => gradients,
            };
            let weights = self.weights.iter_mut().zip(&mut self.slots);
            for ((weight, slots), gradient) in weights.zip(&gradients) {
                // A weight that the loss does not depend on has none.
                if gradient.defined() {
                    self.rule.update(step, weight, gradient, slots)?;
                }
            }
            Ok(())
        })
    }
}

/// The learning rate that an optimizer starts with.
///
/// # Errors
///
/// [`TrainingError::Specification`] for an optimizer that is missing.
pub(crate) fn learning_rate(settings: &v1::Optimizer) -> Result<f64, TrainingError> {
    rule(settings).map(|(_, learning_rate)| learning_rate)
}

/// The rule, and the learning rate that stands beside its settings.
fn rule(settings: &v1::Optimizer) -> Result<(Box<dyn Rule>, f64), TrainingError> {
    Ok(match settings.kind {
        None => return Err(TrainingError::missing("optimizer")),
        Some(Kind::Sgd(settings)) => (Box::new(Sgd::new(settings)), settings.learning_rate),
        Some(Kind::Adam(settings)) => (Box::new(Adam::new(settings)), settings.learning_rate),
        Some(Kind::Adamw(settings)) => {
            (Box::new(Adam::with_decay(settings)), settings.learning_rate)
        }
        Some(Kind::Rmsprop(settings)) => (Box::new(RmsProp::new(settings)), settings.learning_rate),
    })
}

#[cfg(test)]
mod tests;
