//! The training loop.

use std::time::Instant;

use sweep_session::{Checkpoint, Course, Epochs};
use tch::{Kind, TchError, Tensor};

use crate::dataset::{self, Dataset, Examples};
use crate::error::TrainingError;
use crate::loss::Loss;
use crate::metrics::goals::{Aim, Best, EarlyStopping, Verdict};
use crate::metrics::{Batch, Measured, Reported, Schema, Scores, Totals};
use crate::network::{Mode, Network};
use crate::optimizer::{self, Optimizer};
use crate::plan::Plan;
use crate::schedule::Schedule;
use crate::weights::Snapshot;

/// What training has come to, apart from the network's weights.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The last epoch that was trained; 0 before the first.
    pub(crate) epoch: u32,
    pub(crate) optimizer: Optimizer,
    pub(crate) schedule: Schedule,
    pub(crate) best: Best,
    /// Those of the best epoch, as [`Progress::best_value`] sees it.
    pub(crate) best_weights: Option<Snapshot>,
    pub(crate) early_stopping: Option<EarlyStopping>,
}

impl Progress {
    /// Nothing is trained yet.
    ///
    /// # Errors
    ///
    /// [`TrainingError::Metric`] for a metric that is not measured,
    /// [`TrainingError::Specification`] for settings without a meaning,
    /// [`TrainingError::Torch`] for want of memory.
    pub(crate) fn new(
        plan: &Plan,
        schema: &Schema,
        network: &Network,
        dataset: &Dataset,
    ) -> Result<Self, TrainingError> {
        let steps = dataset.train.len().unsigned_abs().div_ceil(plan.batch_size.unsigned_abs());
        let base = optimizer::learning_rate(&plan.optimizer)?;
        let stopping = plan.early_stopping.as_ref();
        Ok(Self {
            epoch: 0,
            optimizer: Optimizer::new(&plan.optimizer, network.trainable())?,
            schedule: Schedule::new(base, plan.schedule.as_ref(), steps, schema)?,
            best: Best::new(Aim::new(&plan.objective, schema)?),
            best_weights: None,
            early_stopping: stopping.map(|s| EarlyStopping::new(s, schema)).transpose()?,
        })
    }

    /// What the weights to hand in are the best by, at their epoch: what early
    /// stopping monitors if it restores them, else the objective. `None` before
    /// there are such weights.
    pub(crate) fn best_value(&self) -> Option<f64> {
        match &self.early_stopping {
            Some(stopping) if stopping.restores_best() => stopping.state().0,
            Some(_) | None => self.best.value(),
        }
    }

    /// The learning rate of the next step, if that is in this epoch.
    fn learning_rate(&self, epoch: u32) -> f64 {
        self.schedule.learning_rate(epoch, self.optimizer.steps())
    }

    /// Takes in an epoch, and keeps its weights if it is the best so far.
    ///
    /// Returns whether it is to be the last.
    fn follow(&mut self, measured: &Measured, network: &Network) -> Result<bool, TchError> {
        self.schedule.follow(measured);
        let mut is_best = self.best.improves(measured);
        let mut ends = false;
        if let Some(stopping) = &mut self.early_stopping {
            let verdict = stopping.judge(measured);
            ends = verdict == Verdict::Ends;
            if stopping.restores_best() {
                is_best = verdict == Verdict::Improved;
            }
        }
        if is_best {
            self.best_weights = Some(Snapshot::of(network)?);
        }
        Ok(ends)
    }
}

/// What is trained of an epoch that is not over.
#[derive(Debug)]
pub(crate) struct Begun<'a> {
    /// How many steps.
    pub(crate) step: u32,
    /// How long that took, in all attempts.
    pub(crate) seconds: f64,
    /// Over those steps.
    pub(crate) totals: Totals<'a>,
}

/// How training ended.
#[derive(Debug)]
pub(crate) enum End<'a> {
    /// All epochs were trained, or early stopping ended them.
    Finished,
    /// Left off, as it was asked to: within the epoch after the last whole one,
    /// if anything of it is trained.
    Left(Begun<'a>),
    /// Nobody waits for the result any more.
    Stopped,
}

/// The metrics of an execution.
pub(crate) fn schema(plan: &Plan, dataset: &Dataset) -> Schema {
    Schema::new(&Reported {
        classes: plan.dataset.classes,
        class_names: &plan.dataset.class_names,
        top_k: plan.top_k,
        train_tracks: dataset.train.tracks.is_some(),
        validation_tracks: dataset.validation.tracks.is_some(),
        learning_rate: plan.schedule.is_some(),
    })
}

/// What a network is trained with, the same in every step.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) loss: Loss,
    /// What the network calculates in. Outputs and losses are f32, and so are
    /// weights and all that the optimizer remembers.
    pub(crate) precision: Kind,
}

impl Method {
    /// The network's outputs, f32.
    fn forward(
        &self,
        network: &mut Network,
        inputs: &Tensor,
        mode: Mode,
    ) -> Result<Tensor, TchError> {
        network.forward(&inputs.f_to_kind(self.precision)?, mode)?.f_to_kind(Kind::Float)
    }

    /// One update of the weights.
    ///
    /// Returns the batch's mean loss, with what kernels add to it, and the
    /// outputs, both from before the update.
    pub(crate) fn step(
        &self,
        network: &mut Network,
        optimizer: &mut Optimizer,
        learning_rate: f64,
        inputs: &Tensor,
        labels: &Tensor,
    ) -> Result<(Tensor, Tensor), TchError> {
        let outputs = self.forward(network, inputs, Mode::Training)?;
        let mut loss = self.loss.training_mean(&outputs, labels)?;
        if let Some(penalty) = network.penalty()? {
            loss = loss.f_add(&penalty)?;
        }
        optimizer.step(&loss, learning_rate)?;
        Ok((loss, outputs))
    }
}

/// One execution's training.
#[derive(Debug)]
pub(crate) struct Fit<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) schema: &'a Schema,
    pub(crate) dataset: &'a Dataset,
    pub(crate) method: &'a Method,
    /// Of shuffling and dropout; every epoch and every step draws its own from it,
    /// so that what is random in them does not depend on where training began.
    pub(crate) seed: u64,
}

impl<'a> Fit<'a> {
    /// Nothing of an epoch yet.
    ///
    /// # Errors
    ///
    /// [`TchError`] for want of memory.
    pub(crate) fn begin(&self) -> Result<Begun<'a>, TchError> {
        Ok(Begun { step: 0, seconds: 0.0, totals: self.totals(&self.dataset.train)? })
    }

    /// Trains a network from where it is, and reports every epoch.
    ///
    /// - `begun`: what is trained already of the epoch after the last whole one
    /// - `keep`: makes a checkpoint of the last whole epoch
    ///
    /// # Errors
    ///
    /// [`TrainingError::Diverged`] after the report of an epoch whose loss is
    /// not finite, [`TrainingError::Torch`] when libtorch refuses an operation,
    /// most likely for want of memory.
    pub(crate) fn run(
        &self,
        network: &mut Network,
        progress: &mut Progress,
        begun: Begun<'a>,
        epochs: &mut dyn Epochs,
        keep: impl Fn(&Network, &Progress) -> Result<Checkpoint, TrainingError>,
    ) -> Result<End<'a>, TrainingError> {
        let mut begun = Some(begun);
        for epoch in progress.epoch + 1..=self.plan.epochs {
            let mut begun = begun.take().map_or_else(|| self.begin(), Ok)?;
            let before = begun.seconds;
            let started = Instant::now();
            let scores = match self.train_epoch(network, progress, &mut begun, epochs)? {
                Ok(()) => self.validate(network, epochs)?,
                Err(told) => Err(told),
            };
            let seconds = before + started.elapsed().as_secs_f64();
            let validation = match scores {
                Ok(scores) => scores,
                Err(Told::Leave) => return Ok(End::Left(Begun { seconds, ..begun })),
                Err(Told::Stop) => return Ok(End::Stopped),
            };
            let learning_rate = progress.learning_rate(epoch);
            let measured = self.schema.measured(&begun.totals.read()?, &validation, learning_rate);
            let course = epochs.report(self.schema.measurement(&measured, epoch, seconds));
            self.schema.check_finite(&measured, epoch)?;
            if course == Course::Stop {
                return Ok(End::Stopped);
            }
            progress.epoch = epoch;
            if progress.follow(&measured, network)? || epoch == self.plan.epochs {
                break;
            }
            if course == Course::Leave {
                return Ok(End::Left(self.begin()?));
            }
            if epochs.wants_checkpoint() {
                epochs.keep(keep(network, progress)?);
            }
        }
        Ok(End::Finished)
    }

    /// One pass over the examples in random order, the last batch as short as it
    /// comes; or the rest of one.
    ///
    /// Sums over all steps, each measured before its update.
    fn train_epoch(
        &self,
        network: &mut Network,
        progress: &mut Progress,
        begun: &mut Begun<'_>,
        epochs: &dyn Epochs,
    ) -> Result<Result<(), Told>, TrainingError> {
        let epoch = progress.epoch + 1;
        let seed = mixed(self.seed, epoch);
        tch::manual_seed(seed.cast_signed());
        for batch in self.dataset.train.shuffled(self.plan.batch_size, begun.step)? {
            if let Err(told) = Told::by(epochs) {
                return Ok(Err(told));
            }
            let batch = batch?;
            begun.step += 1;
            // Every step draws its own, so that it does not matter where training
            // went on.
            tch::manual_seed(mixed(seed, begun.step).cast_signed());
            let (inputs, labels) = (&batch.inputs, &batch.labels);
            let rate = progress.learning_rate(epoch);
            let optimizer = &mut progress.optimizer;
            let (loss, outputs) = self.method.step(network, optimizer, rate, inputs, labels)?;
            self.add(&mut begun.totals, &loss, &outputs, &batch)?;
        }
        Ok(Ok(()))
    }

    /// The metrics over all examples to validate on, without changing anything.
    fn validate(
        &self,
        network: &mut Network,
        epochs: &dyn Epochs,
    ) -> Result<Result<Scores, Told>, TrainingError> {
        let _guard = tch::no_grad_guard();
        let examples = &self.dataset.validation;
        let mut totals = self.totals(examples)?;
        let penalty = network.penalty()?;
        for batch in examples.in_order(self.plan.batch_size)? {
            if let Err(told) = Told::by(epochs) {
                return Ok(Err(told));
            }
            let batch = batch?;
            let outputs = self.method.forward(network, &batch.inputs, Mode::Inference)?;
            let mut loss = self.method.loss.mean(&outputs, &batch.labels)?;
            if let Some(penalty) = &penalty {
                loss = loss.f_add(penalty)?;
            }
            self.add(&mut totals, &loss, &outputs, &batch)?;
        }
        Ok(Ok(totals.read()?))
    }

    fn totals<'b>(&self, examples: &'b Examples) -> Result<Totals<'b>, TchError> {
        let (classes, top_k) = (self.method.loss.classes(), self.plan.top_k.into());
        Totals::new(classes, top_k, examples.tracks.as_ref(), examples.labels.device())
    }

    /// Adds a batch to the sums of its epoch.
    fn add(
        &self,
        totals: &mut Totals<'_>,
        loss: &Tensor,
        outputs: &Tensor,
        of: &dataset::Batch,
    ) -> Result<(), TchError> {
        let scores = self.method.loss.scores(outputs)?;
        let tracks = of.tracks.as_ref();
        let probabilities = tracks.map(|_| self.method.loss.probabilities(outputs)).transpose()?;
        let tracks = probabilities.as_ref().zip(tracks);
        totals.add(&Batch { loss, scores: &scores, labels: &of.labels, tracks })
    }
}

/// Why training is to be left off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Leave,
    Stop,
}

impl Told {
    /// What the trainer is told, if that is not to go on.
    fn by(epochs: &dyn Epochs) -> Result<(), Self> {
        match epochs.course() {
            Course::GoOn => Ok(()),
            Course::Leave => Err(Self::Leave),
            Course::Stop => Err(Self::Stop),
        }
    }
}

/// Seeds an epoch from an execution's seed, and a step from its epoch's:
/// SplitMix64's number `index` from `seed` on.
fn mixed(seed: u64, index: u32) -> u64 {
    let mut mixed = seed.wrapping_add(u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
