//! The training loop.

use std::time::Instant;

use sweep_session::Epochs;
use tch::{Device, Kind, TchError, Tensor};

use crate::dataset::{Dataset, Examples};
use crate::error::TrainingError;
use crate::metrics::{Best, EarlyStopping, Means, Measured, Totals, Verdict};
use crate::network::{Mode, Network};
use crate::optimizer::Adam;
use crate::plan::Plan;
use crate::weights::Snapshot;

/// What training has come to, apart from the network's weights.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The last epoch that was trained; 0 before the first.
    pub(crate) epoch: u32,
    pub(crate) optimizer: Adam,
    pub(crate) best: Best,
    /// Those of the best epoch, as [`Progress::best_value`] sees it.
    pub(crate) best_weights: Option<Snapshot>,
    pub(crate) early_stopping: Option<EarlyStopping>,
}

impl Progress {
    /// Nothing is trained yet.
    pub(crate) fn new(plan: &Plan, network: &Network) -> Result<Self, TchError> {
        Ok(Self {
            epoch: 0,
            optimizer: Adam::new(plan.optimizer, network.trainable())?,
            best: Best::new(plan.objective.clone()),
            best_weights: None,
            early_stopping: plan.early_stopping.clone(),
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

    /// Takes in an epoch, and keeps its weights if it is the best so far.
    ///
    /// Returns whether it is to be the last.
    fn follow(&mut self, measured: &Measured, network: &Network) -> Result<bool, TchError> {
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

/// Trains a network from where it is, and reports every epoch.
///
/// - `seed`: of shuffling and dropout; every epoch draws its own from it, so
///   that what is random in an epoch does not depend on where training began
///
/// Returns whether anybody waits for the result.
///
/// # Errors
///
/// [`TrainingError::Diverged`] after the report of an epoch whose loss is not
/// finite, [`TrainingError::Torch`] when libtorch refuses an operation, most
/// likely for want of memory.
pub(crate) fn fit(
    network: &mut Network,
    progress: &mut Progress,
    dataset: &Dataset,
    plan: &Plan,
    seed: u64,
    epochs: &mut dyn Epochs,
) -> Result<bool, TrainingError> {
    for epoch in progress.epoch + 1..=plan.epochs {
        let started = Instant::now();
        tch::manual_seed(epoch_seed(seed, epoch));
        let batch = plan.batch_size;
        let train = train_epoch(network, &mut progress.optimizer, &dataset.train, batch, epochs)?;
        let Some(train) = train else { return Ok(false) };
        let validation = evaluate(network, &dataset.validation, batch, epochs)?;
        let Some(validation) = validation else { return Ok(false) };
        let measured = Measured { train, validation };
        let seconds = started.elapsed().as_secs_f64();
        let wanted = epochs.report(measured.to_measurement(epoch, seconds));
        measured.check_finite(epoch)?;
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

/// Seeds an epoch: SplitMix64's number `epoch` from `seed` on.
fn epoch_seed(seed: u64, epoch: u32) -> i64 {
    let mut mixed = seed.wrapping_add(u64::from(epoch).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).cast_signed()
}

/// One pass over the examples in random order, the last batch as short as it comes.
///
/// Returns the means over all steps, each measured before its update; `None`
/// when nobody waits any more.
fn train_epoch(
    network: &mut Network,
    optimizer: &mut Adam,
    examples: &Examples,
    batch_size: i64,
    epochs: &dyn Epochs,
) -> Result<Option<Means>, TrainingError> {
    let device = examples.labels.device();
    // Drawn on the CPU, so that the order is the same on every device.
    let order = Tensor::f_randperm(examples.len(), (Kind::Int64, Device::Cpu))?.f_to(device)?;
    let mut totals = Totals::new(device)?;
    for rows in order.f_split(batch_size, 0)? {
        if !epochs.wanted() {
            return Ok(None);
        }
        let inputs = examples.inputs.f_index_select(0, &rows)?;
        let labels = examples.labels.f_index_select(0, &rows)?;
        let (loss, outputs) = train_step(network, optimizer, &inputs, &labels)?;
        totals.add(&loss, &outputs, &labels)?;
    }
    Ok(Some(totals.read()?))
}

/// One update of the weights.
///
/// Returns the batch's mean loss and the outputs, both from before the update.
pub(crate) fn train_step(
    network: &mut Network,
    optimizer: &mut Adam,
    inputs: &Tensor,
    labels: &Tensor,
) -> Result<(Tensor, Tensor), TchError> {
    let outputs = network.forward(inputs, Mode::Training)?;
    let mut loss = network.loss.mean(&outputs, labels)?;
    if let Some(penalty) = network.penalty()? {
        loss = loss.f_add(&penalty)?;
    }
    optimizer.step(&loss)?;
    Ok((loss, outputs))
}

/// The means over all examples, without changing anything; `None` when nobody
/// waits any more.
fn evaluate(
    network: &mut Network,
    examples: &Examples,
    batch_size: i64,
    epochs: &dyn Epochs,
) -> Result<Option<Means>, TrainingError> {
    let _guard = tch::no_grad_guard();
    let mut totals = Totals::new(examples.labels.device())?;
    let penalty = network.penalty()?;
    let inputs = examples.inputs.f_split(batch_size, 0)?;
    let labels = examples.labels.f_split(batch_size, 0)?;
    for (inputs, labels) in inputs.iter().zip(&labels) {
        if !epochs.wanted() {
            return Ok(None);
        }
        let outputs = network.forward(inputs, Mode::Inference)?;
        let mut loss = network.loss.mean(&outputs, labels)?;
        if let Some(penalty) = &penalty {
            loss = loss.f_add(penalty)?;
        }
        totals.add(&loss, &outputs, labels)?;
    }
    Ok(Some(totals.read()?))
}
