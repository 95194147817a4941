//! Initial weights, as Keras 3 draws them.
//!
//! Numbers are drawn on the CPU from torch's global generator, whatever the
//! device, so that a seed means the same weights everywhere.

use tch::{Device, Kind, TchError, Tensor};

const ON_CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Uniform in ±sqrt(6 / (fan in + fan out)); Glorot and Bengio 2010.
///
/// - `shape`: `[inputs, units]`, or `[height, width, inputs, filters]` and
///   `[time, inputs, filters]`, whose fans count the receptive field too
pub(crate) fn glorot_uniform(shape: &[i64]) -> Result<Tensor, TchError> {
    let limit = glorot_limit(shape);
    Tensor::f_empty(shape, ON_CPU)?.f_uniform_(-limit, limit)
}

fn glorot_limit(shape: &[i64]) -> f64 {
    let fans = match shape {
        [receptive @ .., inputs, units] => receptive.iter().product::<i64>() * (inputs + units),
        [..] => shape.iter().sum::<i64>() * 2,
    };
    (6.0 / (fans as f64).max(2.0)).sqrt()
}

/// Normal with deviation sqrt(2 / fan out); He et al. 2015, as torchvision draws.
///
/// - `shape`: `[filters, inputs, height, width]`, libtorch's order
pub(crate) fn he_normal(shape: &[i64]) -> Result<Tensor, TchError> {
    let fan_out = match shape {
        [filters, _, receptive @ ..] => filters * receptive.iter().product::<i64>(),
        [..] => shape.iter().product(),
    };
    let deviation = (2.0 / (fan_out as f64).max(1.0)).sqrt();
    Tensor::f_empty(shape, ON_CPU)?.f_normal_(0.0, deviation)
}

/// A matrix with orthonormal rows or columns, whichever are fewer; Saxe et al. 2013.
pub(crate) fn orthogonal(rows: i64, columns: i64) -> Result<Tensor, TchError> {
    let tall = Tensor::f_randn([rows.max(columns), rows.min(columns)], ON_CPU)?;
    let (q, r) = Tensor::f_linalg_qr(&tall, "reduced")?;
    // Makes the decomposition unique, and with it the distribution uniform.
    let q = q.f_mul(&r.f_diagonal(0, 0, 1)?.f_sign()?)?;
    if rows < columns { q.f_tr()?.f_contiguous() } else { Ok(q) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn glorot_counts_the_receptive_field() {
        assert_eq!(glorot_limit(&[2, 4]), 1.0);
        assert_eq!(glorot_limit(&[3, 3, 1, 32]), (6.0_f64 / 297.0).sqrt());
        let _guard = testing::seed(1);
        let drawn = glorot_uniform(&[200, 100]).expect("small");
        let limit = (6.0_f64 / 300.0).sqrt();
        assert!(drawn.abs().max().double_value(&[]) <= limit);
        assert!((drawn.std(true).double_value(&[]) - limit / 3.0_f64.sqrt()).abs() < 1e-3);
    }

    #[test]
    fn glorot_takes_a_multiplier_for_the_filters() {
        assert_eq!(glorot_limit(&[3, 3, 8, 2]), (6.0_f64 / 90.0).sqrt());
        assert_eq!(glorot_limit(&[5, 4, 6]), (6.0_f64 / 50.0).sqrt());
    }

    #[test]
    fn he_counts_what_goes_out() {
        let _guard = testing::seed(1);
        let drawn = he_normal(&[200, 7, 5, 5]).expect("small");
        let deviation = (2.0_f64 / 5000.0).sqrt();
        assert!((drawn.std(true).double_value(&[]) / deviation - 1.0).abs() < 0.02);
        assert!(drawn.mean(Kind::Float).double_value(&[]).abs() < deviation / 50.0);
    }

    #[test]
    fn orthogonal_rows_or_columns() {
        let _guard = testing::seed(2);
        for (rows, columns) in [(5, 15), (15, 5), (8, 8)] {
            let drawn = orthogonal(rows, columns).expect("small");
            assert_eq!(drawn.size(), [rows, columns]);
            let product =
                if rows < columns { drawn.matmul(&drawn.tr()) } else { drawn.tr().matmul(&drawn) };
            let identity = Tensor::eye(rows.min(columns), ON_CPU);
            assert!(product.allclose(&identity, 1e-5, 1e-5, false), "{rows}x{columns}");
        }
    }
}
