//! The state's part of a step: its product with the recurrent kernel.

use tch::{TchError, Tensor};

/// A recurrent kernel, or some of its gates, in the kind of the states.
#[derive(Debug)]
pub(super) struct StateProduct {
    kernel: Gates,
    /// `[gates · units]`
    bias: Option<Tensor>,
}

#[derive(Debug)]
enum Gates {
    /// `[units, gates · units]`
    All(Tensor),
    /// The state is dropped in another way for each gate.
    Masked {
        /// `[gates, units, units]`
        kernels: Tensor,
        /// `[gates, batch, units]`
        masks: Tensor,
    },
}

impl StateProduct {
    /// - `kernel`: `[units, gates · units]`
    /// - `bias`: `[gates · units]`
    pub(super) fn new(kernel: Tensor, bias: Option<Tensor>) -> Self {
        Self { kernel: Gates::All(kernel), bias }
    }

    /// - `masks`: what the state is multiplied with, `[gates, batch, units]`
    pub(super) fn masked(
        kernel: &Tensor,
        bias: Option<Tensor>,
        masks: Tensor,
    ) -> Result<Self, TchError> {
        let (gates, _, units) = masks.size3()?;
        let kernels = kernel.f_reshape([units, gates, units])?.f_transpose(0, 1)?;
        Ok(Self { kernel: Gates::Masked { kernels, masks }, bias })
    }

    /// The first `count` gates, and the others; without a bias.
    pub(super) fn split(&self, count: i64, units: i64) -> Result<(Self, Self), TchError> {
        let parts = |tensor: &Tensor, axis: i64, at: i64| {
            let rest = tensor.size()[axis as usize] - at;
            Ok::<_, TchError>((tensor.f_narrow(axis, 0, at)?, tensor.f_narrow(axis, at, rest)?))
        };
        let without_bias = |kernel| Self { kernel, bias: None };
        Ok(match &self.kernel {
            Gates::All(kernel) => {
                let (first, others) = parts(kernel, 1, count * units)?;
                (without_bias(Gates::All(first)), without_bias(Gates::All(others)))
            }
            Gates::Masked { kernels, masks } => {
                let (first, others) = parts(kernels, 0, count)?;
                let (first_masks, other_masks) = parts(masks, 0, count)?;
                let masked = |kernels, masks| without_bias(Gates::Masked { kernels, masks });
                (masked(first, first_masks), masked(others, other_masks))
            }
        })
    }

    /// `[batch, gates · units]`
    pub(super) fn of(&self, state: &Tensor) -> Result<Tensor, TchError> {
        match (&self.kernel, &self.bias) {
            (Gates::All(kernel), Some(bias)) => bias.f_addmm(state, kernel),
            (Gates::All(kernel), None) => state.f_mm(kernel),
            (Gates::Masked { kernels, masks }, bias) => {
                let product = masks.f_mul(state)?.f_bmm(kernels)?.f_transpose(0, 1)?;
                let product = product.f_flatten(1, 2)?;
                bias.as_ref().map_or(Ok(product.shallow_clone()), |bias| product.f_add(bias))
            }
        }
    }

    /// The input's part and the state's together, `[batch, gates · units]`.
    pub(super) fn onto(&self, input: &Tensor, state: &Tensor) -> Result<Tensor, TchError> {
        match (&self.kernel, &self.bias) {
            (Gates::All(kernel), None) => input.f_addmm(state, kernel),
            (Gates::All(_), Some(_)) | (Gates::Masked { .. }, _) => input.f_add(&self.of(state)?),
        }
    }
}
