//! CPython's `random.Random(seed).random()`, which is all the randomness that
//! Keras Tuner samples with.

use rand_mt::Mt;

/// The first double in [0, 1) of CPython's generator seeded with `seed`:
/// MT19937 by `init_by_array` over the seed's 32-bit words, 53 bits of two outputs.
#[must_use]
pub fn first_double(seed: u64) -> f64 {
    let mut generator = generator(seed);
    let upper = f64::from(generator.next_u32() >> 5);
    let lower = f64::from(generator.next_u32() >> 6);
    (upper * 67_108_864.0 + lower) / 9_007_199_254_740_992.0
}

/// CPython's `Random(seed).randrange(count)`, which is its `choice` too: as many
/// bits as `count` has, drawn again and again until they are below it.
pub(super) fn below(seed: u64, count: usize) -> usize {
    let bits = usize::BITS - count.leading_zeros();
    debug_assert!((1..=32).contains(&bits), "a choice has at least one value, and few");
    let mut generator = generator(seed);
    loop {
        let drawn = (generator.next_u32() >> (32 - bits)) as usize;
        if drawn < count {
            return drawn;
        }
    }
}

fn generator(seed: u64) -> Mt {
    let low = seed as u32;
    let high = (seed >> 32) as u32;
    let key = if high == 0 { vec![low] } else { vec![low, high] };
    Mt::new_with_key(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_cpython() {
        let golden = crate::space::sampling::tests::golden();
        let doubles = golden["python_random_first_double"].as_object().expect("an object");
        assert!(doubles.len() > 20);
        for (seed, double) in doubles {
            let seed = seed.parse().expect("a seed");
            assert_eq!(first_double(seed), double.as_f64().expect("a double"), "seed {seed}");
        }
    }

    #[test]
    fn seeds_beyond_32_bits_use_both_words() {
        // CPython: random.Random(2**40 + 7).random()
        assert_eq!(first_double((1 << 40) + 7), PYTHON_2_40_7);
    }
    const PYTHON_2_40_7: f64 = 0.6137037779936511;
}
