//! The metrics of one part of a dataset, from counts.

/// What is measured of the rows to train on and of those to validate on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    Loss,
    /// Share of examples whose class has the highest output.
    Accuracy,
    /// Share of examples whose class is among the `top_k` highest outputs.
    TopKAccuracy,
    /// Mean over the classes of: hits among those predicted to be of the class.
    Precision,
    /// Mean over the classes of: hits among those that are of the class.
    Recall,
    /// Mean over the classes of the harmonic mean of the two.
    F1,
    /// Recall of the class of this number.
    RecallOf(usize),
    /// Of the recalls of all classes; divided by their number.
    RecallVariance,
    /// Share of tracks whose class is predicted for most of their examples; of
    /// several such classes that with the highest sum of probabilities counts.
    TrackAccuracy,
    /// Share of tracks whose class has the highest sum of probabilities.
    TrackMeanAccuracy,
}

/// The values of all metrics.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Scores {
    pub(crate) loss: f64,
    pub(crate) accuracy: f64,
    pub(crate) top_k_accuracy: f64,
    pub(crate) precision: f64,
    pub(crate) recall: f64,
    pub(crate) f1: f64,
    /// Of every class.
    pub(crate) recalls: Vec<f64>,
    pub(crate) recall_variance: f64,
    pub(crate) track_accuracy: f64,
    pub(crate) track_mean_accuracy: f64,
}

impl Scores {
    pub(super) fn get(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Loss => self.loss,
            Metric::Accuracy => self.accuracy,
            Metric::TopKAccuracy => self.top_k_accuracy,
            Metric::Precision => self.precision,
            Metric::Recall => self.recall,
            Metric::F1 => self.f1,
            Metric::RecallOf(class) => self.recalls[class],
            Metric::RecallVariance => self.recall_variance,
            Metric::TrackAccuracy => self.track_accuracy,
            Metric::TrackMeanAccuracy => self.track_mean_accuracy,
        }
    }

    /// Fills in all that follows from how often a class was found, was there,
    /// and was predicted. What is undefined is 0, as with scikit-learn's
    /// `zero_division=0`, and so are all of them without examples.
    ///
    /// - `hits`, `examples`, `predictions`: one count a class
    pub(super) fn count(&mut self, hits: &[i64], examples: &[i64], predictions: &[i64]) {
        let classes = hits.len();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / classes.max(1) as f64;
        let ratios = |whole: &dyn Fn(usize) -> i64| -> Vec<f64> {
            (0..classes).map(|class| ratio(hits[class], whole(class))).collect()
        };
        self.accuracy = ratio(hits.iter().sum(), examples.iter().sum());
        self.precision = mean(&ratios(&|class| predictions[class]));
        self.recalls = ratios(&|class| examples[class]);
        self.recall = mean(&self.recalls);
        // Twice the hits among both: the harmonic mean of precision and recall.
        self.f1 = 2.0 * mean(&ratios(&|class| predictions[class] + examples[class]));
        let deviations = self.recalls.iter().map(|recall| (recall - self.recall).powi(2));
        self.recall_variance = mean(&deviations.collect::<Vec<_>>());
    }
}

/// A share; 0 of nothing.
pub(super) fn ratio(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn 1.5 with labels 0, 0, 0, 1, 1, 2 and predictions 0, 0, 1, 1,
    /// 0, 1, of four classes.
    #[test]
    fn means_over_classes() {
        let mut scores = Scores::default();
        scores.count(&[2, 1, 0, 0], &[3, 2, 1, 0], &[3, 3, 0, 0]);
        let close =
            |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}");
        close(scores.accuracy, 3.0 / 6.0);
        close(scores.precision, (2.0 / 3.0 + 1.0 / 3.0) / 4.0);
        close(scores.recall, (2.0 / 3.0 + 0.5) / 4.0);
        close(scores.f1, (2.0 / 3.0 + 2.0 / 5.0) / 4.0);
        assert_eq!(scores.recalls, [2.0 / 3.0, 0.5, 0.0, 0.0]);
        let mean: f64 = 7.0 / 24.0;
        let squares = (2.0 / 3.0 - mean).powi(2) + (0.5 - mean).powi(2) + 2.0 * mean.powi(2);
        close(scores.recall_variance, squares / 4.0);
    }
}
