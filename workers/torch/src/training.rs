//! The training loop.

use std::time::Instant;

use sweep_session::Epochs;
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
    /// Of shuffling and dropout; every epoch draws its own from it, so that what
    /// is random in an epoch does not depend on where training began.
    pub(crate) seed: u64,
}

impl Fit<'_> {
    /// Trains a network from where it is, and reports every epoch.
    ///
    /// Returns whether anybody waits for the result.
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
        epochs: &mut dyn Epochs,
    ) -> Result<bool, TrainingError> {
        for epoch in progress.epoch + 1..=self.plan.epochs {
            let started = Instant::now();
            tch::manual_seed(epoch_seed(self.seed, epoch));
            let train = self.train_epoch(network, progress, epoch, epochs)?;
            let Some(train) = train else { return Ok(false) };
            let Some(validation) = self.validate(network, epochs)? else { return Ok(false) };
            let learning_rate = progress.learning_rate(epoch);
            let measured = self.schema.measured(&train, &validation, learning_rate);
            let seconds = started.elapsed().as_secs_f64();
            let wanted = epochs.report(self.schema.measurement(&measured, epoch, seconds));
            self.schema.check_finite(&measured, epoch)?;
            if !wanted {
                return Ok(false);
            }
            progress.epoch = epoch;
            if progress.follow(&measured, network)? {
                break;
            }
        }
        Ok(true)
    }

    /// One pass over the examples in random order, the last batch as short as it
    /// comes.
    ///
    /// Returns the metrics over all steps, each measured before its update;
    /// `None` when nobody waits any more.
    fn train_epoch(
        &self,
        network: &mut Network,
        progress: &mut Progress,
        epoch: u32,
        epochs: &dyn Epochs,
    ) -> Result<Option<Scores>, TrainingError> {
        let examples = &self.dataset.train;
        let mut totals = self.totals(examples)?;
        for batch in examples.shuffled(self.plan.batch_size)? {
            if !epochs.wanted() {
                return Ok(None);
            }
            let batch = batch?;
            let (inputs, labels) = (&batch.inputs, &batch.labels);
            let rate = progress.learning_rate(epoch);
            let optimizer = &mut progress.optimizer;
            let (loss, outputs) = self.method.step(network, optimizer, rate, inputs, labels)?;
            self.add(&mut totals, &loss, &outputs, &batch)?;
        }
        Ok(Some(totals.read()?))
    }

    /// The metrics over all examples to validate on, without changing anything;
    /// `None` when nobody waits any more.
    fn validate(
        &self,
        network: &mut Network,
        epochs: &dyn Epochs,
    ) -> Result<Option<Scores>, TrainingError> {
        let _guard = tch::no_grad_guard();
        let examples = &self.dataset.validation;
        let mut totals = self.totals(examples)?;
        let penalty = network.penalty()?;
        for batch in examples.in_order(self.plan.batch_size)? {
            if !epochs.wanted() {
                return Ok(None);
            }
            let batch = batch?;
            let outputs = self.method.forward(network, &batch.inputs, Mode::Inference)?;
            let mut loss = self.method.loss.mean(&outputs, &batch.labels)?;
            if let Some(penalty) = &penalty {
                loss = loss.f_add(penalty)?;
            }
            self.add(&mut totals, &loss, &outputs, &batch)?;
        }
        Ok(Some(totals.read()?))
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

/// Seeds an epoch: SplitMix64's number `epoch` from `seed` on.
fn epoch_seed(seed: u64, epoch: u32) -> i64 {
    let mut mixed = seed.wrapping_add(u64::from(epoch).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).cast_signed()
}
