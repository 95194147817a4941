//! [`TorchTrainer`]: trains what the session hands out.

use std::path::PathBuf;

use sweep_proto::memory;
use sweep_proto::v1::{self, Precision};
use sweep_session::{Epochs, Execution, Failure, Trained, Trainer};
use tch::Kind;

use crate::dataset::Dataset;
use crate::device::OpenDevice;
use crate::error::TrainingError;
use crate::loss::{self, Loss};
use crate::network::Network;
use crate::plan::Plan;
use crate::training::{self, Fit, Method, Progress};
use crate::weights::Snapshot;
use crate::{allocator, checkpoint};

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
    /// Whether the log says that the device has no bf16.
    told_of_precision: bool,
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
        Self { device, dataset: None, told_of_precision: false }
    }

    fn execute(
        &mut self,
        execution: &Execution,
        epochs: &mut dyn Epochs,
    ) -> Result<Trained, TrainingError> {
        let plan = Plan::new(&execution.specification)?;
        let precision = self.precision(plan.precision);
        self.check_memory(&execution.specification, precision)?;
        // Everything random draws from this one generator, and one execution
        // runs at a time, so that nothing is left over from the one before.
        // From here on come the initial weights; every epoch seeds it again.
        tch::manual_seed(execution.seed.cast_signed());
        let v1::Dataset { input_shape, classes, .. } = &plan.dataset;
        let mut network = Network::build(&plan.model, input_shape, *classes, self.device.device)?;
        let dataset = self.dataset(execution, &plan.dataset)?;
        let weights = plan.class_weights.as_ref();
        let weights = weights.map(|w| loss::class_weights(w, &dataset.train.labels, *classes));
        let loss = Loss::of(&mut network, &plan.loss, *classes, weights.transpose()?)?;
        let method = Method { loss, precision };
        let schema = training::schema(&plan, dataset);
        let mut progress = Progress::new(&plan, &schema, &network, dataset)?;
        match &execution.checkpoint {
            Some(checkpoint) => {
                checkpoint::restore(checkpoint, execution, &network, &mut progress)?;
            }
            None => network.adapt(&dataset.train.inputs, plan.batch_size)?,
        }
        let (plan, schema, method, seed) = (&plan, &schema, &method, execution.seed);
        let fit = Fit { plan, schema, dataset, method, seed };
        if !fit.run(&mut network, &mut progress, epochs)? {
            return Ok(Trained::default());
        }
        let weights = progress.best_weights.as_ref().map(Snapshot::to_safetensors).transpose()?;
        let keep = execution.keep_checkpoint;
        let checkpoint = keep.then(|| checkpoint::write(execution, &network, &progress));
        Ok(Trained { weights, checkpoint: checkpoint.transpose()? })
    }

    /// Refuses what the device's memory cannot hold.
    fn check_memory(
        &self,
        specification: &v1::Specification,
        precision: Kind,
    ) -> Result<(), TrainingError> {
        let v1::Specification { model, training, dataset, .. } = specification;
        let (Some(model), Some(training), Some(dataset)) = (model, training, dataset) else {
            return Ok(());
        };
        // What will be used, whatever is asked for.
        let precision = if precision == Kind::BFloat16 { Precision::Bf16 } else { Precision::F32 };
        let training = v1::Training { precision: precision.into(), ..training.clone() };
        let needed = memory::estimate(model, &training, dataset)?;
        match self.device.memory_bytes {
            Some(bytes) if needed.total() > bytes => {
                Err(TrainingError::TooLarge { needed, device: self.device.name.clone(), bytes })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What to calculate in; says on the log, once, where it is not what is asked for.
    fn precision(&mut self, wanted: Precision) -> Kind {
        match wanted {
            Precision::F32 => Kind::Float,
            Precision::Auto if self.device.device.is_cuda() && self.device.has_bf16 => {
                Kind::BFloat16
            }
            Precision::Auto => Kind::Float,
            Precision::Bf16 if self.device.has_bf16 => Kind::BFloat16,
            Precision::Bf16 => {
                if !self.told_of_precision {
                    self.told_of_precision = true;
                    let device = &self.device.description;
                    tracing::warn!("{device} has no bf16: training in f32 instead");
                }
                Kind::Float
            }
        }
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
        self.execute(execution, epochs).map_err(|error| {
            if error.is_out_of_memory() {
                allocator::give_back();
            }
            Failure::from(error)
        })
    }
}

#[cfg(test)]
mod tests;
