//! The training loop.

use std::time::Instant;

use sweep_session::Epochs;
use tch::{Device, Kind, TchError, Tensor};

use crate::dataset::{Dataset, Examples};
use crate::error::TrainingError;
use crate::metrics::{Best, Means, Measured, Totals};
use crate::network::{Mode, Network};
use crate::optimizer::Adam;
use crate::plan::Plan;
use crate::weights::Snapshot;

/// Trains a network and reports every epoch.
///
/// Returns the weights of the best epoch by the objective, or `None` when
/// nobody waits for the result any more.
///
/// # Errors
///
/// [`TrainingError::Diverged`] after the report of an epoch whose loss is not
/// finite, [`TrainingError::Torch`] when libtorch refuses an operation, most
/// likely for want of memory.
pub(crate) fn fit(
    network: &mut Network,
    dataset: &Dataset,
    plan: &Plan,
    epochs: &mut dyn Epochs,
) -> Result<Option<Snapshot>, TrainingError> {
    let mut optimizer = Adam::new(plan.optimizer, network.trainable())?;
    let mut best = Best::new(plan.objective.clone());
    let mut best_weights = None;
    let mut early_stopping = plan.early_stopping.clone();
    for epoch in 1..=plan.epochs {
        let started = Instant::now();
        let batch = plan.batch_size;
        let train = train_epoch(network, &mut optimizer, &dataset.train, batch, epochs)?;
        let Some(train) = train else { return Ok(None) };
        let validation = evaluate(network, &dataset.validation, batch, epochs)?;
        let Some(validation) = validation else { return Ok(None) };
        let measured = Measured { train, validation };
        let seconds = started.elapsed().as_secs_f64();
        let wanted = epochs.report(measured.to_measurement(epoch, seconds));
        measured.check_finite(epoch)?;
        if !wanted {
            return Ok(None);
        }
        if best.improves(&measured) {
            best_weights = Some(Snapshot::of(network)?);
        }
        if early_stopping.as_mut().is_some_and(|stopping| stopping.ends(&measured)) {
            break;
        }
    }
    Ok(best_weights)
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
    let loss = network.loss.mean(&outputs, labels)?;
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
    let inputs = examples.inputs.f_split(batch_size, 0)?;
    let labels = examples.labels.f_split(batch_size, 0)?;
    for (inputs, labels) in inputs.iter().zip(&labels) {
        if !epochs.wanted() {
            return Ok(None);
        }
        let outputs = network.forward(inputs, Mode::Inference)?;
        let loss = network.loss.mean(&outputs, labels)?;
        totals.add(&loss, &outputs, labels)?;
    }
    Ok(Some(totals.read()?))
}
