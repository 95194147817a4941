//! SplitMix64, keyed by several numbers.
//!
//! Splits and made-up recordings are promises: a seed gives the same bytes in
//! every later version. Generators of libraries may change between versions, so
//! this one is ours. It is fast and evenly distributed, and not for secrets.

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    /// The stream of `key`; different keys give unrelated streams.
    pub(super) fn new(key: &[u64]) -> Self {
        let mut random = Self { state: 0 };
        for &part in key {
            random.state ^= part;
            random.state = random.bits();
        }
        random
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A real number in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A real number in [`low`, `high`).
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A whole number below `end`, which is at least 1. The bias is below
    /// `end / 2^64`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// One of `items`, which are not empty.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Puts `items` into random order.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart, in Python.
    const STREAM_OF_42_1: [u64; 3] =
        [0x93be_8420_bb55_b94c, 0x1ad5_3e77_8ef3_5117, 0x5f84_818b_b251_1a21];

    #[test]
    fn the_stream_of_a_key_stays() {
        let mut random = Random::new(&[42, 1]);
        assert_eq!(STREAM_OF_42_1.map(|_| random.bits()), STREAM_OF_42_1);
        assert_ne!(Random::new(&[42, 2]).bits(), STREAM_OF_42_1[0]);
        // The published first number of SplitMix64 from zero.
        assert_eq!(Random { state: 0 }.bits(), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn numbers_stay_in_range_and_cover_it() {
        let mut random = Random::new(&[7]);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[random.below(5)] = true;
            let unit = random.unit();
            assert!((0.0..1.0).contains(&unit));
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(random.below(1), 0);
    }
}
