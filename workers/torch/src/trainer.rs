//! [`TorchTrainer`]: trains what the session hands out.

use std::path::PathBuf;

use sweep_proto::v1;
use sweep_session::{Epochs, Execution, Failure, Trained, Trainer};

use crate::checkpoint;
use crate::dataset::Dataset;
use crate::device::OpenDevice;
use crate::error::TrainingError;
use crate::network::Network;
use crate::plan::Plan;
use crate::training::{Progress, fit};
use crate::weights::Snapshot;

/// Trains executions on one device.
///
/// On the CPU the same specification and seed give the same measurements in
/// every process with the same number of threads; sums are taken in another
/// order with another number. So does an execution that goes on from a
/// checkpoint. On a GPU they agree only roughly, as libtorch's
/// kernels there add in no fixed order.
#[derive(Debug)]
pub(crate) struct TorchTrainer {
    device: OpenDevice,
    /// The dataset of the last execution, which is most likely the next one's too.
    dataset: Option<Loaded>,
}

/// A dataset on the device, and what it was read for.
#[derive(Debug)]
struct Loaded {
    folder: PathBuf,
    specification: v1::Dataset,
    dataset: Dataset,
}

impl TorchTrainer {
    pub(crate) fn new(device: OpenDevice) -> Self {
        Self { device, dataset: None }
    }

    fn execute(
        &mut self,
        execution: &Execution,
        epochs: &mut dyn Epochs,
    ) -> Result<Trained, TrainingError> {
        let plan = Plan::new(&execution.specification)?;
        let device = self.device.device;
        // Everything random draws from this one generator, and one execution
        // runs at a time, so that nothing is left over from the one before.
        // From here on come the initial weights; every epoch seeds it again.
        tch::manual_seed(execution.seed.cast_signed());
        let v1::Dataset { input_shape, classes, .. } = &plan.dataset;
        let mut network = Network::build(&plan.model, input_shape, *classes, device)?;
        let mut progress = Progress::new(&plan, &network)?;
        if let Some(checkpoint) = &execution.checkpoint {
            checkpoint::restore(checkpoint, execution, &network, &mut progress)?;
        }
        let dataset = self.dataset(execution, &plan.dataset)?;
        if execution.checkpoint.is_none() {
            network.adapt(&dataset.train.inputs, plan.batch_size)?;
        }
        if !fit(&mut network, &mut progress, dataset, &plan, execution.seed, epochs)? {
            return Ok(Trained::default());
        }
        let weights = progress.best_weights.as_ref().map(Snapshot::to_safetensors).transpose()?;
        let keep = execution.keep_checkpoint;
        let checkpoint = keep.then(|| checkpoint::write(execution, &network, &progress));
        Ok(Trained { weights, checkpoint: checkpoint.transpose()? })
    }

    /// The execution's dataset, read if it is not that of the execution before.
    fn dataset(
        &mut self,
        execution: &Execution,
        specification: &v1::Dataset,
    ) -> Result<&Dataset, TrainingError> {
        let kept = self.dataset.take_if(|loaded| {
            loaded.folder == execution.dataset && loaded.specification == *specification
        });
        // Another one is dropped before the new one is read: a device may not hold both.
        self.dataset = None;
        let loaded = match kept {
            Some(loaded) => loaded,
            None => Loaded {
                folder: execution.dataset.clone(),
                specification: specification.clone(),
                dataset: Dataset::read(
                    &execution.dataset,
                    &specification.input_shape,
                    specification.classes,
                    self.device.device,
                )?,
            },
        };
        Ok(&self.dataset.insert(loaded).dataset)
    }
}

impl Trainer for TorchTrainer {
    fn device(&self) -> String {
        self.device.description.clone()
    }

    fn train(
        &mut self,
        execution: &Execution,
        epochs: &mut dyn Epochs,
    ) -> Result<Trained, Failure> {
        self.execute(execution, epochs).map_err(Failure::from)
    }
}

#[cfg(test)]
mod tests;
