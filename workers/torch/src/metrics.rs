//! What an epoch measures, and what is made of it: the best epoch, and whether
//! to stop early.

use sweep_proto::v1::{self, Direction, Measurement, Metric as WireMetric, Objective};
use tch::{Device, Kind, TchError, Tensor};

use crate::error::TrainingError;

/// What every epoch measures, in the order in which it is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    Loss,
    Accuracy,
    ValLoss,
    ValAccuracy,
}

impl Metric {
    const ALL: [Self; 4] = [Self::Loss, Self::Accuracy, Self::ValLoss, Self::ValAccuracy];

    /// Keras's name.
    fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
            Self::ValLoss => "val_loss",
            Self::ValAccuracy => "val_accuracy",
        }
    }
}

/// A metric and where it should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Goal {
    pub(crate) metric: Metric,
    maximize: bool,
}

impl Goal {
    /// Reads a metric's name and direction; `role` says whose they are.
    pub(crate) fn new(
        role: &'static str,
        metric: &str,
        direction: i32,
    ) -> Result<Self, TrainingError> {
        let known = Metric::ALL.into_iter().find(|known| known.name() == metric);
        let metric = known.ok_or_else(|| TrainingError::Metric {
            role,
            metric: metric.to_owned(),
            measured: Metric::ALL.map(Metric::name).join(", "),
        })?;
        let maximize = match Direction::try_from(direction) {
            Ok(Direction::Min) => false,
            Ok(Direction::Max) => true,
            Ok(Direction::Unspecified) | Err(_) => {
                return Err(TrainingError::Specification {
                    part: role,
                    problem: "has no direction",
                });
            }
        };
        Ok(Self { metric, maximize })
    }

    /// Whether `value` is better than `than` by more than `margin`.
    fn is_better(self, value: f64, than: f64, margin: f64) -> bool {
        if self.maximize { value - margin > than } else { value + margin < than }
    }
}

/// What the best epoch is the best by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Aim {
    /// One metric.
    One(Goal),
    /// Metrics and their weights: the sum of those to be small, less the sum of
    /// those to be large, is to be small.
    Several(Vec<(Goal, f64)>),
}

impl Aim {
    /// # Errors
    ///
    /// [`TrainingError::Metric`] for a metric that is not measured.
    pub(crate) fn new(objective: &Objective) -> Result<Self, TrainingError> {
        let goal = |metric, direction| Goal::new("objective", metric, direction);
        if objective.terms.is_empty() {
            return goal(&objective.metric, objective.direction).map(Self::One);
        }
        let terms = objective.terms.iter();
        terms
            .map(|term| Ok((goal(&term.metric, term.direction)?, term.weight)))
            .collect::<Result<_, _>>()
            .map(Self::Several)
    }

    /// The value of an epoch; the same bits as the coordinator's.
    fn value(&self, measured: &Measured) -> f64 {
        match self {
            Self::One(goal) => measured.get(goal.metric),
            Self::Several(terms) => terms.iter().fold(0.0, |sum, (goal, weight)| {
                let weighted = weight * measured.get(goal.metric);
                if goal.maximize { sum - weighted } else { sum + weighted }
            }),
        }
    }

    fn is_better(&self, value: f64, than: f64) -> bool {
        match self {
            Self::One(goal) => goal.is_better(value, than, 0.0),
            Self::Several(_) => value < than,
        }
    }
}

/// Sums over the batches of an epoch. They stay on the device until they are
/// read, once, so that a GPU never waits for the CPU between steps.
#[derive(Debug)]
pub(crate) struct Totals {
    /// Sum of the losses of all examples, f64.
    loss: Tensor,
    /// How many examples had their class as the highest output.
    hits: Tensor,
    examples: i64,
}

impl Totals {
    pub(crate) fn new(device: Device) -> Result<Self, TchError> {
        Ok(Self {
            loss: Tensor::f_zeros([0_i64; 0], (Kind::Double, device))?,
            hits: Tensor::f_zeros([0_i64; 0], (Kind::Int64, device))?,
            examples: 0,
        })
    }

    /// Adds a batch.
    ///
    /// - `loss`: the batch's mean
    /// - `outputs`: `[batch, classes]`
    /// - `labels`: `[batch]`
    pub(crate) fn add(
        &mut self,
        loss: &Tensor,
        outputs: &Tensor,
        labels: &Tensor,
    ) -> Result<(), TchError> {
        let batch = labels.size()[0];
        let sum = loss.f_detach()?.f_to_kind(Kind::Double)?.f_mul_scalar(batch)?;
        let hits = outputs.f_detach()?.f_argmax(-1, false)?.f_eq_tensor(labels)?;
        let _ = self.loss.f_add_(&sum)?;
        let _ = self.hits.f_add_(&hits.f_sum(Kind::Int64)?)?;
        self.examples += batch;
        Ok(())
    }

    /// The mean loss and the share of hits, over all examples.
    pub(crate) fn read(&self) -> Result<Means, TchError> {
        let examples = self.examples as f64;
        let loss = self.loss.f_double_value(&[])? / examples;
        let accuracy = self.hits.f_int64_value(&[])? as f64 / examples;
        Ok(Means { loss, accuracy })
    }
}

/// Means over a part of a dataset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Means {
    pub(crate) loss: f64,
    pub(crate) accuracy: f64,
}

/// What one epoch measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    /// Over the epoch's training steps, each before its update.
    pub(crate) train: Means,
    /// After the epoch.
    pub(crate) validation: Means,
}

impl Measured {
    /// The value of one metric.
    pub(crate) fn get(&self, metric: Metric) -> f64 {
        match metric {
            Metric::Loss => self.train.loss,
            Metric::Accuracy => self.train.accuracy,
            Metric::ValLoss => self.validation.loss,
            Metric::ValAccuracy => self.validation.accuracy,
        }
    }

    /// As it goes to the coordinator.
    pub(crate) fn to_measurement(self, epoch: u32, seconds: f64) -> Measurement {
        let wire =
            |metric: Metric| WireMetric { name: metric.name().to_owned(), value: self.get(metric) };
        Measurement { epoch, metrics: Metric::ALL.map(wire).to_vec(), seconds }
    }

    /// # Errors
    ///
    /// [`TrainingError::Diverged`] if a loss is infinite or not a number.
    pub(crate) fn check_finite(&self, epoch: u32) -> Result<(), TrainingError> {
        for metric in [Metric::Loss, Metric::ValLoss] {
            let value = self.get(metric);
            if !value.is_finite() {
                return Err(TrainingError::Diverged { metric: metric.name(), value, epoch });
            }
        }
        Ok(())
    }
}

/// Follows the objective's best value; of equal ones the first. What is not a
/// finite number is not among them.
#[derive(Debug)]
pub(crate) struct Best {
    aim: Aim,
    value: Option<f64>,
}

impl Best {
    pub(crate) fn new(aim: Aim) -> Self {
        Self { aim, value: None }
    }

    /// The metric at the best epoch so far.
    pub(crate) fn value(&self) -> Option<f64> {
        self.value
    }

    /// As if this had been the best so far.
    pub(crate) fn set_value(&mut self, value: Option<f64>) {
        self.value = value;
    }

    /// Whether this epoch is the best so far.
    pub(crate) fn improves(&mut self, measured: &Measured) -> bool {
        let value = self.aim.value(measured);
        let better =
            value.is_finite() && self.value.is_none_or(|best| self.aim.is_better(value, best));
        if better {
            self.value = Some(value);
        }
        better
    }
}

/// Ends training when a metric has not improved for some epochs, as Keras's
/// callback of that name does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EarlyStopping {
    goal: Goal,
    /// Epochs without improvement that end training.
    patience: u32,
    /// What counts as an improvement; not negative.
    min_delta: f64,
    /// Whether the weights to hand in are those of the last improvement.
    restores_best: bool,
    best: Option<f64>,
    waited: u32,
}

/// What an epoch means to early stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the best so far.
    Improved,
    /// It is not, and there is patience left.
    Waits,
    /// It is not, and is to be the last.
    Ends,
}

impl EarlyStopping {
    /// # Errors
    ///
    /// [`TrainingError::Metric`] if what it monitors is not measured.
    pub(crate) fn new(settings: &v1::EarlyStopping) -> Result<Self, TrainingError> {
        Ok(Self {
            goal: Goal::new("monitor", &settings.monitor, settings.direction)?,
            patience: settings.patience,
            min_delta: settings.min_delta.abs(),
            restores_best: settings.restore_best,
            best: None,
            waited: 0,
        })
    }

    /// Whether it decides which weights are handed in.
    pub(crate) fn restores_best(&self) -> bool {
        self.restores_best
    }

    /// The best value so far, and for how many epochs there was no better one.
    pub(crate) fn state(&self) -> (Option<f64>, u32) {
        (self.best, self.waited)
    }

    /// As if [`EarlyStopping::state`] had been this.
    pub(crate) fn set_state(&mut self, best: Option<f64>, waited: u32) {
        (self.best, self.waited) = (best, waited);
    }

    /// Takes in an epoch.
    pub(crate) fn judge(&mut self, measured: &Measured) -> Verdict {
        let value = measured.get(self.goal.metric);
        match self.best {
            Some(best) if !self.goal.is_better(value, best, self.min_delta) => {
                self.waited = self.waited.saturating_add(1);
                if self.waited >= self.patience { Verdict::Ends } else { Verdict::Waits }
            }
            Some(_) | None => {
                self.best = Some(value);
                self.waited = 0;
                Verdict::Improved
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sweep_proto::v1::ObjectiveTerm;

    fn measured(val_loss: f64) -> Measured {
        Measured {
            train: Means { loss: 1.0, accuracy: 0.5 },
            validation: Means { loss: val_loss, accuracy: 0.25 },
        }
    }

    fn val_loss() -> Goal {
        Goal::new("objective", "val_loss", Direction::Min.into()).expect("it is measured")
    }

    #[test]
    fn reported_in_order() {
        let measurement = measured(2.0).to_measurement(7, 1.5);
        let metrics: Vec<_> =
            measurement.metrics.iter().map(|metric| (metric.name.as_str(), metric.value)).collect();
        let expected =
            [("loss", 1.0), ("accuracy", 0.5), ("val_loss", 2.0), ("val_accuracy", 0.25)];
        assert_eq!(metrics, expected);
        assert_eq!((measurement.epoch, measurement.seconds), (7, 1.5));
    }

    #[test]
    fn an_unknown_objective_names_what_there_is() {
        let error = Goal::new("objective", "val_f1", Direction::Max.into()).expect_err("unknown");
        assert_eq!(
            error.to_string(),
            "the objective `val_f1` is not measured; measured are loss, accuracy, val_loss, \
             val_accuracy"
        );
        assert!(Goal::new("objective", "loss", 0).is_err());
    }

    #[test]
    fn the_first_of_equal_epochs_is_the_best() {
        let mut best = Best::new(Aim::One(val_loss()));
        let losses = [f64::NAN, 3.0, 2.0, 2.0, f64::NAN, 2.5, 1.0];
        let improves = losses.map(|value| best.improves(&measured(value)));
        assert_eq!(improves, [false, true, true, false, false, false, true]);
    }

    #[test]
    fn several_objectives_are_weighed_against_each_other() {
        let term = |metric: &str, direction: Direction, weight| ObjectiveTerm {
            metric: metric.to_owned(),
            direction: direction.into(),
            weight,
        };
        let objective = Objective {
            metric: "multi_objective".to_owned(),
            direction: Direction::Min.into(),
            terms: vec![
                term("val_loss", Direction::Min, 2.0),
                term("accuracy", Direction::Max, 1.0),
            ],
        };
        let mut best = Best::new(Aim::new(&objective).expect("both are measured"));
        let improves = [(1.0, 0.5), (1.0, 0.5), (1.1, 0.75), (0.5, 0.0)].map(|(loss, accuracy)| {
            let mut measured = measured(loss);
            measured.train.accuracy = accuracy;
            best.improves(&measured)
        });
        assert_eq!(improves, [true, false, true, true]);
        let unknown = Objective { terms: vec![term("val_f1", Direction::Max, 1.0)], ..objective };
        assert!(Aim::new(&unknown).is_err());
    }

    #[test]
    fn patience_counts_epochs_without_enough_improvement() {
        let ends = |patience, min_delta, losses: &[f64]| {
            let mut stopping = EarlyStopping::new(&v1::EarlyStopping {
                monitor: "val_loss".to_owned(),
                direction: Direction::Min.into(),
                patience,
                min_delta,
                restore_best: false,
            })
            .expect("it is measured");
            losses.iter().position(|&loss| stopping.judge(&measured(loss)) == Verdict::Ends)
        };
        assert_eq!(ends(2, 0.0, &[3.0, 3.5, 2.9, 2.9, 3.0, 1.0]), Some(4));
        assert_eq!(ends(2, 0.5, &[3.0, 2.6, 2.4, 2.0, 2.0, 1.0]), Some(4));
        assert_eq!(ends(0, 0.0, &[3.0, 2.0, 2.0]), Some(2));
        assert_eq!(ends(2, 0.0, &[3.0, 2.0, 1.0]), None);
    }

    #[test]
    fn totals_weigh_a_short_batch_by_its_size() {
        let mut totals = Totals::new(Device::Cpu).expect("small");
        let outputs = Tensor::from_slice(&[0.1_f32, 0.9, 0.8, 0.2, 0.3, 0.7]).view([3, 2]);
        let labels = Tensor::from_slice(&[1_i64, 1, 1]);
        let add = |totals: &mut Totals, loss: f32, rows: i64| {
            let (outputs, labels) = (outputs.narrow(0, 0, rows), labels.narrow(0, 0, rows));
            totals.add(&Tensor::from(loss), &outputs, &labels).expect("shapes fit");
        };
        add(&mut totals, 2.0, 3);
        add(&mut totals, 6.0, 1);
        let means = totals.read().expect("small");
        assert_eq!(means, Means { loss: 3.0, accuracy: 0.75 });
    }
}
