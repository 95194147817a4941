//! The names of what an execution measures, and the values of one epoch.

use std::collections::HashSet;

use sweep_proto::v1::{Measurement, Metric as WireMetric};

use super::scores::{Metric, Scores};
use crate::error::TrainingError;

/// Most classes whose recalls are reported one by one.
const MAX_RECALLS: usize = 50;

/// What stands before the names of what is measured on the validation rows.
const VALIDATION: &str = "val_";

/// What the metrics of an execution depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reported<'a> {
    pub(crate) classes: u32,
    /// In the order of the classes; classes without names go by their numbers.
    pub(crate) class_names: &'a [String],
    /// How many of the highest outputs `top_k_accuracy` looks at.
    pub(crate) top_k: u32,
    /// Whether the training rows have tracks with several examples.
    pub(crate) train_tracks: bool,
    /// Whether the validation rows have.
    pub(crate) validation_tracks: bool,
    /// Whether the learning rate changes.
    pub(crate) learning_rate: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Train(Metric),
    Validation(Metric),
    LearningRate,
}

/// The metrics of an execution, in the order in which they are reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schema {
    names: Vec<String>,
    sources: Vec<Source>,
}

/// The place of a metric in its [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column(usize);

impl Schema {
    pub(crate) fn new(reported: &Reported<'_>) -> Self {
        let recalls = recall_names(reported);
        let mut schema = Self { names: Vec::new(), sources: Vec::new() };
        schema.add_part("", Source::Train, reported, &recalls, reported.train_tracks);
        let tracks = reported.validation_tracks;
        schema.add_part(VALIDATION, Source::Validation, reported, &recalls, tracks);
        if reported.learning_rate {
            schema.add("learning_rate".to_owned(), Source::LearningRate);
        }
        schema
    }

    /// Adds the metrics of the rows to train on, or to validate on.
    fn add_part(
        &mut self,
        prefix: &str,
        source: fn(Metric) -> Source,
        reported: &Reported<'_>,
        recalls: &[String],
        tracks: bool,
    ) {
        let mut add = |name: &str, metric| self.add(format!("{prefix}{name}"), source(metric));
        add("loss", Metric::Loss);
        add("accuracy", Metric::Accuracy);
        if reported.top_k < reported.classes {
            add("top_k_accuracy", Metric::TopKAccuracy);
        }
        add("precision", Metric::Precision);
        add("recall", Metric::Recall);
        add("f1", Metric::F1);
        for (class, name) in recalls.iter().enumerate() {
            add(name, Metric::RecallOf(class));
        }
        add("recall_variance", Metric::RecallVariance);
        if tracks {
            add("track_accuracy", Metric::TrackAccuracy);
            add("track_mean_accuracy", Metric::TrackMeanAccuracy);
        }
    }

    fn add(&mut self, name: String, source: Source) {
        self.names.push(name);
        self.sources.push(source);
    }

    /// Finds a metric; `role` says what it is named for.
    ///
    /// # Errors
    ///
    /// [`TrainingError::Metric`], with the names of all that there are.
    pub(crate) fn column(&self, role: &'static str, name: &str) -> Result<Column, TrainingError> {
        let found = self.names.iter().position(|known| known == name);
        found.map(Column).ok_or_else(|| TrainingError::Metric {
            role,
            metric: name.to_owned(),
            measured: self.names.join(", "),
        })
    }

    /// Puts the values of an epoch in their places.
    pub(crate) fn measured(
        &self,
        train: &Scores,
        validation: &Scores,
        learning_rate: f64,
    ) -> Measured {
        let value = |source: &Source| match *source {
            Source::Train(metric) => train.get(metric),
            Source::Validation(metric) => validation.get(metric),
            Source::LearningRate => learning_rate,
        };
        Measured { values: self.sources.iter().map(value).collect() }
    }

    /// What goes to the coordinator.
    pub(crate) fn measurement(&self, measured: &Measured, epoch: u32, seconds: f64) -> Measurement {
        let pairs = self.names.iter().zip(&measured.values);
        let metrics = pairs.map(|(name, &value)| WireMetric::measured(name, value));
        Measurement { epoch, metrics: metrics.collect(), seconds }
    }

    /// # Errors
    ///
    /// [`TrainingError::Diverged`] if a loss is infinite or not a number.
    pub(crate) fn check_finite(
        &self,
        measured: &Measured,
        epoch: u32,
    ) -> Result<(), TrainingError> {
        for ((name, source), &value) in self.names.iter().zip(&self.sources).zip(&measured.values) {
            let loss =
                matches!(source, Source::Train(Metric::Loss) | Source::Validation(Metric::Loss));
            if loss && !value.is_finite() {
                return Err(TrainingError::Diverged { metric: name.clone(), value, epoch });
            }
        }
        Ok(())
    }
}

/// The names of the recalls of single classes; none if there are too many.
///
/// If two names would be the same, or one that of another metric, all classes
/// go by their numbers.
fn recall_names(reported: &Reported<'_>) -> Vec<String> {
    let classes = reported.classes as usize;
    if classes > MAX_RECALLS {
        return Vec::new();
    }
    let name = |class: &dyn std::fmt::Display| format!("recall_{class}");
    let mut taken = HashSet::from(["recall_variance".to_owned()]);
    let named: Vec<_> = reported.class_names.iter().map(|class| name(class)).collect();
    if named.len() == classes && named.iter().all(|name| taken.insert(name.clone())) {
        named
    } else {
        (0..classes).map(|class| name(&class)).collect()
    }
}

/// What one epoch measured; see [`Schema::measured`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    /// In the schema's order.
    values: Vec<f64>,
}

impl Measured {
    /// The value of one metric of the schema that these are of.
    pub(crate) fn get(&self, column: Column) -> f64 {
        self.values[column.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORTED: Reported<'static> = Reported {
        classes: 2,
        class_names: &[],
        top_k: 3,
        train_tracks: false,
        validation_tracks: false,
        learning_rate: false,
    };

    #[test]
    fn reported_in_order() {
        let schema =
            Schema::new(&Reported { validation_tracks: true, learning_rate: true, ..REPORTED });
        let part = ["loss", "accuracy", "precision", "recall", "f1", "recall_0", "recall_1"];
        let part = [&part[..], &["recall_variance"]].concat();
        let mut names: Vec<_> = part.iter().map(|name| (*name).to_owned()).collect();
        names.extend(part.iter().map(|name| format!("val_{name}")));
        names.extend(["val_track_accuracy", "val_track_mean_accuracy"].map(String::from));
        names.push("learning_rate".to_owned());
        assert_eq!(schema.names, names);

        let train = Scores { loss: 0.5, recalls: vec![0.25, 0.75], ..Scores::default() };
        let validation = Scores { loss: 1.5, track_accuracy: 1.0, ..train.clone() };
        let measured = schema.measured(&train, &validation, 1e-3);
        let measurement = schema.measurement(&measured, 7, 2.5);
        assert_eq!((measurement.epoch, measurement.seconds), (7, 2.5));
        for (name, value) in [
            ("loss", 0.5),
            ("recall_1", 0.75),
            ("val_loss", 1.5),
            ("val_recall_0", 0.25),
            ("val_track_accuracy", 1.0),
            ("learning_rate", 1e-3),
        ] {
            let found = measurement.metrics.iter().find(|metric| metric.name == name);
            assert_eq!(found.and_then(|metric| metric.value), Some(value), "{name}");
            let column = schema.column("objective", name).expect("it is measured");
            assert_eq!(measured.get(column), value, "{name}");
        }
    }

    #[test]
    fn top_k_is_left_out_where_it_says_nothing() {
        let has_top_k = |top_k, classes| {
            let schema = Schema::new(&Reported { top_k, classes, ..REPORTED });
            schema.names.iter().any(|name| name == "val_top_k_accuracy")
        };
        assert!(has_top_k(1, 2) && has_top_k(3, 4));
        assert!(!has_top_k(2, 2) && !has_top_k(3, 2));
    }

    #[test]
    fn recalls_have_the_names_of_their_classes() {
        let names = |names: &[&str], classes| {
            let class_names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            recall_names(&Reported { class_names: &class_names, classes, ..REPORTED })
        };
        assert_eq!(names(&["blues", "hip hop"], 2), ["recall_blues", "recall_hip hop"]);
        for ambiguous in [&["blues"][..], &["blues", "blues"], &["1", "variance"], &[]] {
            assert_eq!(names(ambiguous, 2), ["recall_0", "recall_1"]);
        }
        assert_eq!(names(&[], 50).len(), 50);
        assert_eq!(names(&[], 51).len(), 0);
    }

    #[test]
    fn an_unknown_metric_names_what_there_is() {
        let schema = Schema::new(&REPORTED);
        let error = schema.column("objective", "val_roc").expect_err("unknown").to_string();
        let start = "the objective `val_roc` is not measured; measured are loss, accuracy, \
                     precision, recall, f1, recall_0, recall_1, recall_variance, val_loss, ";
        assert!(error.starts_with(start), "{error}");
    }

    #[test]
    fn a_loss_that_is_no_number_is_named() {
        let schema = Schema::new(&REPORTED);
        let scores = Scores { recalls: vec![0.0; 2], ..Scores::default() };
        let diverged = Scores { loss: f64::NAN, ..scores.clone() };
        let error = |train, validation| {
            let measured = schema.measured(train, validation, 0.1);
            schema.check_finite(&measured, 3).map_err(|error| error.to_string())
        };
        assert_eq!(error(&scores, &scores), Ok(()));
        assert_eq!(error(&scores, &diverged), Err("val_loss is NaN at epoch 3".to_owned()));
        assert_eq!(error(&diverged, &diverged), Err("loss is NaN at epoch 3".to_owned()));
    }
}
