//! What kernels add to the loss.

use sweep_proto::v1::Regularizer as Options;
use tch::{TchError, Tensor};

/// Shares of a kernel's absolute values and squares that are added to the loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Regularizer {
    l1: f64,
    l2: f64,
}

impl Regularizer {
    /// `None` for one that adds nothing.
    pub(super) fn new(options: Option<Options>) -> Option<Self> {
        let Options { l1, l2 } = options?;
        (l1 != 0.0 || l2 != 0.0).then_some(Self { l1, l2 })
    }

    /// `l1 Σ|w| + l2 Σw²`, a scalar.
    pub(super) fn penalty(&self, kernel: &Tensor) -> Result<Tensor, TchError> {
        let l1 = || kernel.f_abs()?.f_sum(None)?.f_mul_scalar(self.l1);
        let l2 = || kernel.f_square()?.f_sum(None)?.f_mul_scalar(self.l2);
        if self.l2 == 0.0 {
            l1()
        } else if self.l1 == 0.0 {
            l2()
        } else {
            l1()?.f_add(&l2()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalties_by_hand() {
        let kernel = Tensor::from_slice(&[1.0_f32, -2.0, 3.0]);
        for (l1, l2, expected) in [(0.5, 0.0, 3.0), (0.0, 0.5, 7.0), (0.5, 0.5, 10.0)] {
            let regularizer = Regularizer::new(Some(Options { l1, l2 })).expect("it adds some");
            let penalty = regularizer.penalty(&kernel).expect("small");
            assert_eq!(penalty.double_value(&[]), expected);
        }
        assert_eq!(Regularizer::new(Some(Options { l1: 0.0, l2: 0.0 })), None);
        assert_eq!(Regularizer::new(None), None);
    }
}
