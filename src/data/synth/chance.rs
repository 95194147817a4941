//! Draws that music needs: bell-shaped numbers, weighted choices, varied rhythms.

use super::super::random::Random;

/// Steps of a bar.
pub(super) const STEPS_A_BAR: usize = 16;

/// One bar: bit `n` is a stroke on step `n`.
pub(super) type Strokes = u16;

/// Things with their weights, not all of them zero. A probability goes with the
/// square of a weight: what is usual is much more frequent than what is possible.
pub(super) type Weighted<T> = &'static [(u32, T)];

/// A number around zero with a standard deviation of one, within ±3.5: the sum
/// of four even ones.
pub(super) fn normal(random: &mut Random) -> f64 {
    let sum: f64 = (0..4).map(|_| random.unit()).sum();
    (sum - 2.0) * 3_f64.sqrt()
}

/// One of `choices`. With a `turn` the weights are dealt anew: each thing has
/// the weight of the one that comes so many places after it.
pub(super) fn draw<T: Copy>(choices: Weighted<T>, turn: usize, random: &mut Random) -> T {
    let weight = |index: usize| (choices[(index + turn) % choices.len()].0 as usize).pow(2);
    let mut left = random.below((0..choices.len()).map(weight).sum());
    for (index, (_, thing)) in choices.iter().enumerate() {
        if left < weight(index) {
            return *thing;
        }
        left -= weight(index);
    }
    unreachable!("what was drawn is below the sum of the weights")
}

/// A written bar, `x` a stroke and `.` a rest.
pub(super) fn strokes(rhythm: &str) -> Strokes {
    rhythm.bytes().enumerate().fold(
        0,
        |strokes, (step, letter)| {
            if letter == b'x' { strokes | 1 << step } else { strokes }
        },
    )
}

/// The bar as somebody else would play it: some strokes come a step earlier or
/// later, some are left out, some are added.
pub(super) fn varied(strokes: Strokes, amount: f64, random: &mut Random) -> Strokes {
    let mut new = 0;
    for step in 0..STEPS_A_BAR {
        if strokes >> step & 1 == 1 {
            // The first beat is what the others follow.
            let change = if step == 0 { 1.0 } else { random.unit() / amount.max(1e-9) };
            new |= match change {
                change if change < 0.3 => 0,
                change if change < 0.65 => 1 << (step - 1),
                change if change < 1.0 => 1 << ((step + 1) % STEPS_A_BAR),
                _ => 1 << step,
            };
        } else if strokes != 0 && random.chance(amount / 6.0) {
            new |= 1 << step;
        }
    }
    if new == 0 { strokes } else { new }
}

/// Steps from a stroke to the next, in this bar or from the next one's first.
pub(super) fn gap(strokes: Strokes, step: usize) -> usize {
    let later = u32::from(strokes) >> (step + 1);
    if later == 0 { STEPS_A_BAR - step } else { later.trailing_zeros() as usize + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bell_shaped_numbers_have_their_mean_and_spread() {
        let mut random = Random::new(&[3]);
        let numbers: Vec<f64> = (0..10_000).map(|_| normal(&mut random)).collect();
        let mean = numbers.iter().sum::<f64>() / 1e4;
        let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / 1e4;
        assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        assert!(numbers.iter().all(|number| number.abs() < 3.5));
    }

    #[test]
    fn choices_come_by_their_weights() {
        const CHOICES: Weighted<char> = &[(3, 'a'), (0, 'b'), (1, 'c')];
        let mut random = Random::new(&[5]);
        let mut share = |wanted, turn| {
            (0..4000).filter(|_| draw(CHOICES, turn, &mut random) == wanted).count() as f64 / 4000.0
        };
        assert!((share('a', 0) - 0.9).abs() < 0.03);
        assert!((share('b', 0)).abs() < 1e-9);
        assert!((share('b', 1) - 0.1).abs() < 0.03);
        assert!((share('b', 2) - 0.9).abs() < 0.03);
    }

    #[test]
    fn bars_are_read_varied_and_measured() {
        let bar = strokes("x..x............");
        assert_eq!(bar, 0b1001);
        assert_eq!((gap(bar, 0), gap(bar, 3)), (3, 13));
        assert_eq!(gap(1 << 15, 15), 1);
        let mut random = Random::new(&[1]);
        assert_eq!(varied(bar, 0.0, &mut random), bar);
        assert_eq!(varied(0, 0.5, &mut random), 0);
        let others: Vec<_> = (0..50).map(|_| varied(bar, 0.5, &mut random)).collect();
        assert!(others.iter().all(|other| other & 1 == 1), "the first beat stays");
        assert!(others.iter().filter(|other| **other != bar).count() > 10);
    }
}
