//! Numbers about numbers: quartiles, histograms, and how well classes are apart.

/// What a box of a box plot shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quartiles {
    pub(super) least: f64,
    pub(super) lower: f64,
    pub(super) median: f64,
    pub(super) upper: f64,
    pub(super) greatest: f64,
    pub(super) mean: f64,
    /// Of all the numbers, divided by their number.
    pub(super) deviation: f64,
}

impl Quartiles {
    /// None of no numbers. Quartiles are NumPy's: between two numbers, linear.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> =
            values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (&least, &greatest) = (sorted.first()?, sorted.last()?);
        let count = sorted.len() as f64;
        let mean = sorted.iter().sum::<f64>() / count;
        let variance = sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        let at = |share: f64| quantile(&sorted, share);
        Some(Self {
            least,
            lower: at(0.25),
            median: at(0.5),
            upper: at(0.75),
            greatest,
            mean,
            deviation: variance.sqrt(),
        })
    }
}

/// The number below which a share of the others lies.
///
/// - `sorted`: ascending, not empty
/// - `share`: in [0, 1]
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// How many numbers lie in each of equal intervals.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) counts: Vec<u64>,
}

impl Histogram {
    /// None of no numbers. All numbers are within; the last interval has both
    /// its ends.
    pub(super) fn of(values: &[f64], bins: usize) -> Option<Self> {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let low = finite().reduce(f64::min)?;
        let greatest = finite().reduce(f64::max)?;
        // One value needs some width around it.
        let spread = greatest - low;
        let tiny = greatest.abs().max(low.abs()).max(1.0) * 1e-9;
        let (low, high) = if spread > tiny { (low, greatest) } else { (low - 0.5, greatest + 0.5) };
        let mut counts = vec![0; bins];
        for value in finite() {
            let bin = ((value - low) / (high - low) * bins as f64) as usize;
            counts[bin.min(bins - 1)] += 1;
        }
        Some(Self { low, high, counts })
    }
}

/// How far classes are apart, as one-way analysis of variance has it: the
/// variance between their means over the variance within them.
///
/// None where it is not defined: fewer than two classes, no numbers to spare, or
/// all numbers are the same. Infinite where classes do not vary, but differ.
pub(super) fn anova_f(classes: &[Vec<f64>]) -> Option<f64> {
    let classes: Vec<&Vec<f64>> = classes.iter().filter(|class| !class.is_empty()).collect();
    let count: usize = classes.iter().map(|class| class.len()).sum();
    if classes.len() < 2 || count <= classes.len() {
        return None;
    }
    let mean_of = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let mean = classes.iter().flat_map(|class| class.iter()).sum::<f64>() / count as f64;
    let (mut between, mut within) = (0.0, 0.0);
    for class in &classes {
        let own = mean_of(class);
        between += class.len() as f64 * (own - mean).powi(2);
        within += class.iter().map(|value| (value - own).powi(2)).sum::<f64>();
    }
    if between == 0.0 && within == 0.0 {
        return None;
    }
    let between = between / (classes.len() - 1) as f64;
    let within = within / (count - classes.len()) as f64;
    Some(between / within).filter(|f| !f.is_nan())
}

/// At most so many of the items, evenly spread, in order.
pub(super) fn spread<T: Copy>(items: &[T], at_most: usize) -> Vec<T> {
    let kept = items.len().min(at_most);
    (0..kept).map(|index| items[index * items.len() / kept]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_numpys() {
        // `np.percentile([1, 2, 4, 8, 16, 32], [25, 50, 75])`, `np.std`.
        let values = [32.0, 1.0, 8.0, 2.0, 16.0, 4.0, f64::NAN];
        let quartiles = Quartiles::of(&values).expect("numbers");
        assert_eq!((quartiles.lower, quartiles.median, quartiles.upper), (2.5, 6.0, 14.0));
        assert_eq!((quartiles.least, quartiles.greatest, quartiles.mean), (1.0, 32.0, 10.5));
        assert!((quartiles.deviation - 10.828_204).abs() < 1e-6);
        assert_eq!(Quartiles::of(&[]), None);
        assert_eq!(Quartiles::of(&[3.0]).map(|one| (one.lower, one.upper)), Some((3.0, 3.0)));
    }

    #[test]
    fn histograms_hold_every_number() {
        let values = [0.0, 0.1, 0.5, 0.9, 1.0, f64::INFINITY];
        let histogram = Histogram::of(&values, 2).expect("numbers");
        assert_eq!(histogram, Histogram { low: 0.0, high: 1.0, counts: vec![2, 3] });
        let same = Histogram::of(&[7.0, 7.0], 4).expect("numbers");
        assert_eq!(same, Histogram { low: 6.5, high: 7.5, counts: vec![0, 0, 2, 0] });
        assert_eq!(Histogram::of(&[f64::NAN], 4), None);
    }

    #[test]
    fn the_f_is_scipys() {
        // `scipy.stats.f_oneway([1, 2, 3], [2, 4, 6], [7, 8, 12])`.
        let classes = [vec![1.0, 2.0, 3.0], vec![2.0, 4.0, 6.0], vec![7.0, 8.0, 12.0]];
        let f = anova_f(&classes).expect("defined");
        assert!((f - 9.75).abs() < 1e-12, "{f}");
        assert_eq!(anova_f(&[vec![1.0, 2.0]]), None);
        assert_eq!(anova_f(&[vec![1.0], vec![2.0]]), None);
        assert_eq!(anova_f(&[vec![1.0, 1.0], vec![1.0, 1.0]]), None);
        assert_eq!(anova_f(&[vec![1.0, 1.0], vec![2.0, 2.0]]), Some(f64::INFINITY));
    }

    #[test]
    fn what_is_kept_is_spread_evenly() {
        let items: Vec<u32> = (0..10).collect();
        assert_eq!(spread(&items, 3), [0, 3, 6]);
        assert_eq!(spread(&items, 20), items);
        assert!(spread(&items, 0).is_empty());
    }
}
