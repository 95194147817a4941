//! A checkpoint: everything that training goes on from, as a safetensors file.
//!
//! Its tensors are the network's weights with all statistics, the optimizer's
//! memory, the weights of the best epoch so far and, within an epoch, the sums of
//! its metrics; what is not a tensor stands as JSON in the metadata. The random
//! generator is in none of it: every epoch and every step seeds it anew, so that
//! the number of steps says all about what is random. So an execution that goes
//! on from a checkpoint passes through the very numbers, to the bit on a CPU, of
//! one that never paused.

use serde::{Deserialize, Serialize};
use sweep_session::{Checkpoint, Execution};

use crate::error::{CheckpointError, TrainingError};
use crate::network::Network;
use crate::schedule::PlateauState;
use crate::tensor_file::{self, TensorFile};
use crate::training::{Begun, Progress};
use crate::weights::Snapshot;

/// Version of the format; to be raised when what is in a file changes.
const FORMAT: u32 = 3;

/// Key of the header in the file's metadata.
const HEADER: &str = "sweep_checkpoint";

/// What is not a tensor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    /// [`Execution::identity`] of whoever made it.
    execution: String,
    /// The last whole epoch that went into it.
    epoch: u32,
    /// How many steps of the epoch after that did.
    step: u32,
    /// How many seconds of that epoch have passed.
    seconds: f64,
    /// The optimizer's.
    steps: u64,
    /// The best objective so far.
    best: Option<f64>,
    early_stopping: Option<Waited>,
    /// Of a schedule that follows a metric.
    plateau: Option<Plateau>,
}

/// What early stopping has seen.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waited {
    best: Option<f64>,
    epochs: u32,
}

/// What a schedule has seen.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plateau {
    learning_rate: f64,
    best: Option<f64>,
    waited: u32,
    resting: u32,
}

/// Only the version of the header, whatever else it says.
#[derive(Debug, Deserialize)]
struct Version {
    format: u32,
}

/// Makes the checkpoint of an execution where it stands.
///
/// - `begun`: what is trained of the epoch after the last whole one; nothing at
///   an epoch's end
///
/// # Errors
///
/// When libtorch refuses, most likely for want of memory.
pub(crate) fn write(
    execution: &Execution,
    network: &Network,
    progress: &Progress,
    begun: Option<&Begun<'_>>,
) -> Result<Checkpoint, TrainingError> {
    let begun = begun.filter(|begun| begun.step > 0);
    let step = begun.map_or(0, |begun| begun.step);
    let stopping = progress.early_stopping.as_ref();
    let header = Header {
        format: FORMAT,
        execution: execution.identity(),
        epoch: progress.epoch,
        step,
        seconds: begun.map_or(0.0, |begun| begun.seconds),
        steps: progress.optimizer.steps(),
        best: progress.best.value(),
        early_stopping: stopping.map(|stopping| {
            let (best, epochs) = stopping.state();
            Waited { best, epochs }
        }),
        plateau: progress.schedule.state().map(|state| {
            let PlateauState { learning_rate, best, waited, resting } = state;
            Plateau { learning_rate, best, waited, resting }
        }),
    };
    let header = serde_json::to_string(&header).expect("numbers and text are JSON");
    let mut tensors: Vec<_> =
        network.weights().map(|(name, values)| (network_name(&name), values)).collect();
    tensors.extend(progress.optimizer.slots());
    let best = progress.best_weights.iter().flat_map(Snapshot::weights);
    tensors.extend(best.map(|(name, values)| (best_name(name), values)));
    let sums = begun.iter().flat_map(|begun| begun.totals.sums());
    tensors.extend(sums.map(|(name, values)| (sum_name(name), values)));
    let bytes = tensor_file::write(&tensors, (HEADER, header))?;
    Ok(Checkpoint { epoch: progress.epoch, step, bytes })
}

/// Puts network, progress and what is trained of an epoch, all new, where they
/// were at a checkpoint.
///
/// # Errors
///
/// [`TrainingError::Checkpoint`] when it is not one of this execution's, or
/// does not hold what it should.
pub(crate) fn restore(
    checkpoint: &Checkpoint,
    execution: &Execution,
    network: &Network,
    progress: &mut Progress,
    begun: &mut Begun<'_>,
) -> Result<(), TrainingError> {
    let mut file = TensorFile::read(&checkpoint.bytes).map_err(CheckpointError::File)?;
    let header = header(&file, checkpoint, execution)?;
    for (name, values) in network.weights() {
        file.take(&network_name(&name), values)?;
    }
    for (name, values) in progress.optimizer.slots() {
        file.take(&name, values)?;
    }
    progress.epoch = header.epoch;
    progress.optimizer.set_steps(header.steps);
    progress.best.set_value(header.best);
    match (&mut progress.early_stopping, header.early_stopping) {
        (Some(stopping), Some(Waited { best, epochs })) => stopping.set_state(best, epochs),
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => {
            return Err(TrainingError::Checkpoint(CheckpointError::Foreign));
        }
    }
    let state = header.plateau.map(|state| {
        let Plateau { learning_rate, best, waited, resting } = state;
        PlateauState { learning_rate, best, waited, resting }
    });
    if !progress.schedule.set_state(state) {
        return Err(TrainingError::Checkpoint(CheckpointError::Foreign));
    }
    if progress.best_value().is_some() {
        let best = Snapshot::of(network)?;
        for (name, values) in best.weights() {
            file.take(&best_name(name), values)?;
        }
        progress.best_weights = Some(best);
    }
    if header.step > 0 {
        begun.step = header.step;
        begun.seconds = header.seconds;
        for (name, values) in begun.totals.sums() {
            file.take(&sum_name(name), values)?;
        }
    }
    if file.has_more() {
        return Err(TrainingError::Checkpoint(CheckpointError::Superfluous));
    }
    Ok(())
}

/// The header, if it is that of the announced checkpoint of this execution.
fn header(
    file: &TensorFile<'_>,
    checkpoint: &Checkpoint,
    execution: &Execution,
) -> Result<Header, CheckpointError> {
    let text = file.metadata(HEADER).ok_or(CheckpointError::NoHeader)?;
    // First the version: another one may have another header.
    let Version { format } = serde_json::from_str(text).map_err(CheckpointError::Header)?;
    if format != FORMAT {
        return Err(CheckpointError::Format { found: format, known: FORMAT });
    }
    let header: Header = serde_json::from_str(text).map_err(CheckpointError::Header)?;
    if header.execution != execution.identity() {
        return Err(CheckpointError::Foreign);
    }
    let found = (header.epoch, header.step);
    let expected = (checkpoint.epoch, checkpoint.step);
    if found != expected {
        return Err(CheckpointError::Position { found, expected });
    }
    let training = execution.specification.training.as_ref();
    let epochs = training.map_or(0, |training| training.epochs);
    if header.step > 0 && header.epoch >= epochs {
        return Err(CheckpointError::Beyond { after: header.epoch, epochs });
    }
    Ok(header)
}

fn network_name(weight: &str) -> String {
    format!("network/{weight}")
}

fn best_name(weight: &str) -> String {
    format!("best/{weight}")
}

fn sum_name(sum: &str) -> String {
    format!("epoch/{sum}")
}
