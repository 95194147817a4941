//! Random numbers of one proposal.
//!
//! MT19937-64, whose stream no version of a library changes, keyed by the
//! study's seed and the number of trials: the same study gets the same
//! proposal.

use rand_mt::Mt64;

pub(in crate::oracle) struct Random(Mt64);

impl Random {
    /// The stream of `key`; different keys give unrelated streams.
    pub(in crate::oracle) fn new(key: [u64; 2]) -> Self {
        Self(Mt64::new_with_key(key))
    }

    /// A real number in [0, 1).
    pub(in crate::oracle) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number below `end`, which is at least 1.
    pub(in crate::oracle) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.0.next_u64()) * end as u128) >> 64) as usize
    }

    /// A draw from the standard normal distribution.
    pub(in crate::oracle) fn normal(&mut self) -> f64 {
        // From 1 down, so that the logarithm is finite.
        let (radius, angle) = (1.0 - self.unit(), self.unit());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}
