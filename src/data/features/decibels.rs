//! Decibels, as `librosa.power_to_db` computes them.

use super::vector::vectorized;
use crate::data::Reference;

/// Power below which decibels are not computed; librosa's `amin`.
const MIN_POWER: f32 = 1e-10;

const LANES: usize = 8;

/// Turns power into decibels.
///
/// - `values`: finite, not negative
/// - `top_db`: how far the floor is below the greatest; no floor if absent
///
/// Returns the lowest.
pub(super) fn to_db(values: &mut [f32], reference: Reference, top_db: Option<f64>) -> f32 {
    let maximum = decibels(greatest(values));
    let reference = match reference {
        Reference::Max => maximum,
        Reference::Power(power) => 10.0 * power.max(f64::from(MIN_POWER)).log10(),
    };
    let floor = top_db.map_or(f64::NEG_INFINITY, |top_db| maximum - reference - top_db);
    convert(values, reference, floor);
    lowest(values)
}

vectorized! {
    fn convert(values: &mut [f32], reference: f64, floor: f64) {
        for value in values {
            let relative = decibels(*value) - reference;
            *value = if relative > floor { relative } else { floor } as f32;
        }
    }
}

vectorized! {
    fn greatest(values: &[f32]) -> f32 {
        let (blocks, rest) = values.as_chunks::<LANES>();
        let mut greatest = [0.0_f32; LANES];
        for block in blocks {
            for (greatest, &value) in greatest.iter_mut().zip(block) {
                *greatest = if value > *greatest { value } else { *greatest };
            }
        }
        greatest.iter().chain(rest).copied().fold(0.0, f32::max)
    }
}

vectorized! {
    fn lowest(values: &[f32]) -> f32 {
        let (blocks, rest) = values.as_chunks::<LANES>();
        let mut lowest = [f32::INFINITY; LANES];
        for block in blocks {
            for (lowest, &value) in lowest.iter_mut().zip(block) {
                *lowest = if value < *lowest { value } else { *lowest };
            }
        }
        lowest.iter().chain(rest).copied().fold(f32::INFINITY, f32::min)
    }
}

/// Ten times the decimal logarithm, within 1e-8.
///
/// With the mantissa `m` in [sqrt(1/2), sqrt(2)) and `s = (m - 1) / (m + 1)`,
/// `ln m = 2 (s + s^3 / 3 + s^5 / 5 + ...)`. The standard library's logarithm
/// cannot be computed for several numbers at once.
#[inline(always)]
fn decibels(power: f32) -> f64 {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    const DB_PER_OCTAVE: f64 = 3.010_299_956_639_812;
    const DB_PER_NEPER: f64 = 4.342_944_819_032_518;

    let power = if power > MIN_POWER { power } else { MIN_POWER };
    let shifted = power.to_bits().wrapping_sub(SQRT_HALF);
    let exponent = shifted as i32 >> 23;
    let mantissa = f64::from(f32::from_bits((shifted & 0x007f_ffff) + SQRT_HALF));
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = 1.0 + square * (1.0 / 3.0 + square * (0.2 + square * (1.0 / 7.0 + square / 9.0)));
    f64::from(exponent) * DB_PER_OCTAVE + 2.0 * DB_PER_NEPER * s * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decibels_are_those_of_the_logarithm() {
        let mut power = MIN_POWER;
        while power < f32::MAX / 2.0 {
            let expected = 10.0 * f64::from(power).log10();
            assert!((decibels(power) - expected).abs() < 1e-8, "{power}");
            power *= 1.000_7;
        }
        assert_eq!(decibels(1.0), 0.0);
        for below in [0.0, 1e-40, MIN_POWER] {
            assert!((decibels(below) + 100.0).abs() < 1e-6);
        }
    }

    #[test]
    fn the_floor_refers_to_the_greatest() {
        let powers = [1e-9, 1e-3, 10.0, 1e-12, 1e-10, 0.0, 1.0, 1e-4, 1e-5, 1e-6, 1e-7];
        let of = |reference, top_db| {
            let mut values = powers;
            let lowest = to_db(&mut values, reference, top_db);
            assert_eq!(lowest, values.iter().copied().fold(f32::INFINITY, f32::min));
            values.map(|value| (value * 1000.0).round() / 1000.0)
        };
        let max = of(Reference::Max, Some(80.0));
        assert_eq!(max[..4], [-80.0, -40.0, 0.0, -80.0]);
        let one = of(Reference::Power(1.0), Some(80.0));
        assert_eq!(one[..4], [-70.0, -30.0, 10.0, -70.0]);
        let hundred = of(Reference::Power(100.0), Some(30.0));
        assert_eq!(hundred[..4], [-40.0, -40.0, -10.0, -40.0]);
        let open = of(Reference::Power(1e-20), None);
        assert_eq!(open[..5], [10.0, 70.0, 110.0, 0.0, 0.0], "the reference is bounded, too");
        let mut silent = [0.0; 9];
        assert_eq!(to_db(&mut silent, Reference::Max, Some(80.0)), 0.0);
        assert_eq!(silent, [0.0; 9]);
    }
}
