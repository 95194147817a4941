//! The Matérn 5/2 covariance with a length scale for each dimension.
//!
//! k(a, b) = v · (1 + √5 r + 5/3 r²) · e^(−√5 r), with r² = Σ (dᵢ / lᵢ)², v the
//! variance, lᵢ the length scales and dᵢ the difference in dimension i: of
//! coordinates, or 0 and 1 for equal and unequal categories.

/// Twice differentiable functions: rough enough for real objectives.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kernel {
    pub(super) variance: f64,
    pub(super) lengths: Vec<f64>,
}

const SQRT_5: f64 = 2.236_067_977_499_79;

/// What a pair of points gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Covariance {
    pub(super) value: f64,
    /// By this times dᵢ² / lᵢ² it grows with the logarithm of lᵢ; by this times
    /// −dᵢ / lᵢ² with the coordinate i of the first point.
    pub(super) slope: f64,
}

impl Kernel {
    /// - `squared`: the squared difference in each dimension
    pub(super) fn at(&self, squared: impl IntoIterator<Item = f64>) -> Covariance {
        let scaled =
            squared.into_iter().zip(&self.lengths).map(|(d, length)| d / (length * length));
        let distance = SQRT_5 * scaled.sum::<f64>().sqrt();
        let decay = self.variance * (-distance).exp();
        Covariance {
            value: decay * (1.0 + distance + distance * distance / 3.0),
            slope: decay * (1.0 + distance) * (5.0 / 3.0),
        }
    }
}

/// Which dimensions are numbers; of the others only equality counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metric(pub(super) Vec<bool>);

impl Metric {
    /// The difference of two points in each dimension.
    pub(super) fn differences<'a>(
        &'a self,
        a: &'a [f64],
        b: &'a [f64],
    ) -> impl Iterator<Item = f64> + 'a {
        self.0
            .iter()
            .zip(a.iter().zip(b))
            .map(|(is_number, (a, b))| if *is_number { a - b } else { f64::from(u8::from(a != b)) })
    }

    /// As [`differences`](Self::differences), squared.
    pub(super) fn squared<'a>(
        &'a self,
        a: &'a [f64],
        b: &'a [f64],
    ) -> impl Iterator<Item = f64> + 'a {
        self.differences(a, b).map(|difference| difference * difference)
    }
}
