//! Categorical cross-entropy.

use tch::{Reduction, TchError, Tensor};

/// Probabilities nearer to 0 or 1 than this are clipped, as in Keras.
const EPSILON: f64 = 1e-7;

/// Cross-entropy of a network's outputs, by what these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CrossEntropy {
    /// Of what a softmax would get: exact for every value.
    OfLogits,
    /// Of probabilities, each row scaled to a sum of 1, and clipped.
    OfProbabilities,
}

impl CrossEntropy {
    /// The mean over a batch, a scalar.
    ///
    /// - `outputs`: `[batch, classes]`
    /// - `labels`: `[batch]`, i64
    pub(crate) fn mean(self, outputs: &Tensor, labels: &Tensor) -> Result<Tensor, TchError> {
        let log_probabilities = match self {
            Self::OfLogits => outputs.f_log_softmax(-1, None)?,
            Self::OfProbabilities => {
                let sums = outputs.f_sum_dim_intlist([-1_i64].as_slice(), true, None)?;
                outputs.f_div(&sums)?.f_clamp(EPSILON, 1.0 - EPSILON)?.f_log()?
            }
        };
        log_probabilities.f_nll_loss(labels, None::<&Tensor>, Reduction::Mean, -100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_agree_where_nothing_is_clipped() {
        let logits = Tensor::from_slice(&[1.0_f32, -2.0, 0.5, 0.0, 3.0, -1.0]).view([2, 3]);
        let labels = Tensor::from_slice(&[2_i64, 1]);
        let of_logits = CrossEntropy::OfLogits.mean(&logits, &labels).expect("shapes fit");
        let scaled = logits.softmax(-1, None) * 5.0;
        let of_probabilities =
            CrossEntropy::OfProbabilities.mean(&scaled, &labels).expect("shapes fit");
        let (first, second) = (1.0_f64.exp(), 0.5_f64.exp());
        let row_0 = -(second / (first + (-2.0_f64).exp() + second)).ln();
        let row_1 = -(3.0_f64.exp() / (1.0 + 3.0_f64.exp() + (-1.0_f64).exp())).ln();
        let expected = (row_0 + row_1) / 2.0;
        assert!((of_logits.double_value(&[]) - expected).abs() < 1e-6);
        assert!((of_probabilities.double_value(&[]) - expected).abs() < 1e-6);
    }

    #[test]
    fn extreme_values_stay_finite() {
        let outputs = Tensor::from_slice(&[0.0_f32, 1.0]).view([1, 2]);
        let labels = Tensor::from_slice(&[0_i64]);
        let clipped = CrossEntropy::OfProbabilities.mean(&outputs, &labels).expect("shapes fit");
        assert!((clipped.double_value(&[]) + 1e-7_f64.ln()).abs() < 1e-3);
        let logits = outputs * 1000.0;
        let exact = CrossEntropy::OfLogits.mean(&logits, &labels).expect("shapes fit");
        assert_eq!(exact.double_value(&[]), 1000.0);
    }
}
