//! Clipping of gradients, before a rule sees them.

use sweep_proto::v1::optimizer::Clipping as Settings;
use tch::{TchError, Tensor};

use crate::error::TrainingError;

/// How gradients are clipped; the limit is above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Clipping {
    /// Each is scaled to at most this norm.
    Norm(f64),
    /// Each value is brought into plus and minus this.
    Value(f64),
    /// All together are scaled to at most this norm.
    GlobalNorm(f64),
}

impl Clipping {
    pub(super) fn new(settings: Settings) -> Result<Self, TrainingError> {
        let (clipping, part, limit) = match settings {
            Settings::Clipnorm(limit) => (Self::Norm(limit), "optimizer's clipnorm", limit),
            Settings::Clipvalue(limit) => (Self::Value(limit), "optimizer's clipvalue", limit),
            Settings::GlobalClipnorm(limit) => {
                (Self::GlobalNorm(limit), "optimizer's global_clipnorm", limit)
            }
        };
        if limit > 0.0 {
            Ok(clipping)
        } else {
            Err(TrainingError::Specification { part, problem: "must be above 0" })
        }
    }

    /// Clipped gradients; those that are not there stay away.
    pub(super) fn clip(self, gradients: &[Tensor]) -> Result<Vec<Tensor>, TchError> {
        let of_each = |clip: &dyn Fn(&Tensor) -> Result<Tensor, TchError>| {
            let clip = |gradient: &Tensor| {
                if gradient.defined() { clip(gradient) } else { Ok(gradient.shallow_clone()) }
            };
            gradients.iter().map(clip).collect::<Result<Vec<_>, TchError>>()
        };
        match self {
            Self::Norm(limit) => of_each(&|gradient| {
                let norm = square_sum(gradient)?.f_sqrt_()?.f_clamp_min(limit)?;
                gradient.f_mul_scalar(limit)?.f_div_(&norm)
            }),
            Self::Value(limit) => of_each(&|gradient| gradient.f_clamp(-limit, limit)),
            Self::GlobalNorm(limit) => {
                let defined = gradients.iter().filter(|gradient| gradient.defined());
                let squares = defined.map(square_sum).collect::<Result<Vec<_>, _>>()?;
                if squares.is_empty() {
                    return of_each(&|gradient| Ok(gradient.shallow_clone()));
                }
                let norm = Tensor::f_stack(&squares, 0)?.f_sum(squares[0].f_kind()?)?.f_sqrt_()?;
                let scale = norm.f_clamp_min(limit)?.f_reciprocal_()?.f_mul_scalar_(limit)?;
                // Of a norm beyond all numbers nothing sensible is left.
                let scale = scale.f_add(&norm.f_sub(&norm)?)?;
                of_each(&|gradient| gradient.f_mul(&scale))
            }
        }
    }
}

/// The sum of all values' squares, a scalar.
fn square_sum(gradient: &Tensor) -> Result<Tensor, TchError> {
    gradient.f_square()?.f_sum(gradient.f_kind()?)
}
