//! A measured number on the wire: only finite ones travel as numbers.

use crate::v1::Metric;

impl Metric {
    /// What was measured under a name. A value that is infinite or not a number
    /// is sent as absent.
    pub fn measured(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value: value.is_finite().then_some(value) }
    }

    /// The value; NaN where it was not a finite number.
    #[must_use]
    pub fn number(&self) -> f64 {
        self.value.unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finite_numbers_travel() {
        assert_eq!(Metric::measured("loss", 0.5).value, Some(0.5));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let metric = Metric::measured("loss", value);
            assert_eq!(metric.value, None);
            assert!(metric.number().is_nan());
        }
    }
}
