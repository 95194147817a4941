//! CPython's `random.Random(seed).random()`, which is all the randomness that
//! Keras Tuner samples with.
//!
//! Keras Tuner seeds a generator for every value and takes one number from it,
//! so seeding is what a proposal costs. It is a chain of 1,247 steps in which
//! each needs the one before: `first_doubles` goes through several chains side
//! by side and twists only the words that the first number is made of.

use rand_mt::Mt;

/// Words of the generator's state.
const WORDS: usize = 624;
/// How far apart the words are that a twist brings together.
const DISTANCE: usize = 397;
/// Seeds that are worked on side by side: as many as fit a vector register or two.
const LANES: usize = 8;

/// What `init_by_array` starts from, whatever the key: `init_genrand(19650218)`.
static START: [u32; WORDS] = {
    let mut words = [19_650_218_u32; WORDS];
    let mut index = 1;
    while index < WORDS {
        words[index] =
            1_812_433_253_u32.wrapping_mul(mixed(words[index - 1])).wrapping_add(index as u32);
        index += 1;
    }
    words
};

/// The first double in [0, 1) of CPython's generator seeded with `seed`:
/// MT19937 by `init_by_array` over the seed's 32-bit words, 53 bits of two outputs.
#[must_use]
pub fn first_double(seed: u64) -> f64 {
    let [double] = first_doubles([seed]);
    double
}

/// The [`first_double`] of `seed`, of the seed after it, and so on.
pub(super) fn first_doubles_from(seed: u64) -> impl Iterator<Item = f64> {
    (0..).step_by(LANES).flat_map(move |done: u64| {
        let lanes: [u64; LANES] = std::array::from_fn(|lane| lane as u64);
        first_doubles(lanes.map(|lane| seed.wrapping_add(done).wrapping_add(lane)))
    })
}

fn first_doubles<const N: usize>(seeds: [u64; N]) -> [f64; N] {
    // What an even and an odd step add: a word of the key and its index in it.
    let even = seeds.map(|seed| seed as u32);
    let odd = seeds.map(|seed| match (seed >> 32) as u32 {
        0 => seed as u32,
        high => high.wrapping_add(1),
    });
    let mut state = [[0x8000_0000_u32; N]; WORDS];
    let mut last = [START[0]; N];
    let first_pass = |last: [u32; N], words: [u32; N], key: &[u32; N]| -> [u32; N] {
        std::array::from_fn(|lane| {
            (words[lane] ^ mixed(last[lane]).wrapping_mul(1_664_525)).wrapping_add(key[lane])
        })
    };
    for index in 1..WORDS {
        let key = if index % 2 == 1 { &even } else { &odd };
        last = first_pass(last, [START[index]; N], key);
        state[index] = last;
    }
    last = first_pass(last, state[1], &odd);
    state[1] = last;
    for index in (2..WORDS).chain([1]) {
        let words = state[index];
        last = std::array::from_fn(|lane| {
            (words[lane] ^ mixed(last[lane]).wrapping_mul(1_566_083_941)).wrapping_sub(index as u32)
        });
        state[index] = last;
    }
    std::array::from_fn(|lane| {
        let output = |index: usize| {
            tempered(twisted([index, index + 1, index + DISTANCE].map(|word| state[word][lane])))
        };
        to_double(output(0), output(1))
    })
}

const fn mixed(word: u32) -> u32 {
    word ^ (word >> 30)
}

/// The state's next word, from its present one, the one after, and the distant one.
fn twisted([word, after, distant]: [u32; 3]) -> u32 {
    let joined = (word & 0x8000_0000) | (after & 0x7fff_ffff);
    distant ^ (joined >> 1) ^ ((joined & 1) * 0x9908_b0df)
}

fn tempered(mut word: u32) -> u32 {
    word ^= word >> 11;
    word ^= (word << 7) & 0x9d2c_5680;
    word ^= (word << 15) & 0xefc6_0000;
    word ^ (word >> 18)
}

/// CPython's `genrand_res53`: 27 bits of one output, 26 of the next.
fn to_double(first: u32, second: u32) -> f64 {
    (f64::from(first >> 5) * 67_108_864.0 + f64::from(second >> 6)) / 9_007_199_254_740_992.0
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

    #[test]
    fn seeds_side_by_side_are_those_one_by_one() {
        for seed in [0, 7, u64::from(u32::MAX) - 9, u64::MAX - 9, (1 << 40) - 3] {
            let one_by_one: Vec<f64> = (0..20)
                .map(|offset| {
                    let mut generator = generator(seed.wrapping_add(offset));
                    to_double(generator.next_u32(), generator.next_u32())
                })
                .collect();
            let together: Vec<f64> = first_doubles_from(seed).take(20).collect();
            assert_eq!(together, one_by_one, "from {seed}");
        }
    }

    const PYTHON_2_40_7: f64 = 0.6137037779936511;
}
