//! [`TorchTrainer`]: trains what the session hands out.

use std::path::PathBuf;

use sweep_proto::memory::{self, Estimate};
use sweep_proto::v1::{self, Precision};
use sweep_session::{Ending, Epochs, Execution, Failure, Trained, Trainer};
use tch::Kind;

use crate::dataset::{Dataset, Placement};
use crate::device::OpenDevice;
use crate::error::TrainingError;
use crate::loss::{self, Loss};
use crate::network::Network;
use crate::plan::Plan;
use crate::training::{self, End, Fit, Method, Progress};
use crate::weights::Snapshot;
use crate::{allocator, checkpoint};

/// The share of the device's free memory that training may take by the estimate
/// if the inputs are to lie there, 2/3: some networks take half as much again.
const COMFORT: (u64, u64) = (2, 3);

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
    /// Where inputs lie while they are trained on, which else is decided for each
    /// execution.
    placement: Option<Placement>,
    /// The dataset of which the log says that it is read from its file.
    told_of_file: Option<PathBuf>,
    /// Whether the log says that the device has no bf16.
    told_of_precision: bool,
}

/// A dataset, and what it was opened for.
#[derive(Debug)]
struct Loaded {
    folder: PathBuf,
    specification: v1::Dataset,
    dataset: Dataset,
}

impl TorchTrainer {
    pub(crate) fn new(device: OpenDevice) -> Self {
        Self {
            device,
            dataset: None,
            placement: None,
            told_of_file: None,
            told_of_precision: false,
        }
    }

    fn execute(
        &mut self,
        execution: &Execution,
        epochs: &mut dyn Epochs,
    ) -> Result<Ending, TrainingError> {
        let plan = Plan::new(&execution.specification)?;
        let precision = self.precision(plan.precision);
        let needed = self.check_memory(&execution.specification, precision)?;
        // Everything random draws from this one generator, and one execution
        // runs at a time, so that nothing is left over from the one before.
        // From here on come the initial weights; every epoch seeds it again.
        tch::manual_seed(execution.seed.cast_signed());
        let v1::Dataset { input_shape, classes, .. } = &plan.dataset;
        let mut network = Network::build(&plan.model, input_shape, *classes, self.device.device)?;
        let dataset = self.dataset(execution, &plan.dataset, &needed)?;
        let weights = plan.class_weights.as_ref();
        let weights = weights.map(|w| loss::class_weights(w, &dataset.train.labels, *classes));
        let loss = Loss::of(&mut network, &plan.loss, *classes, weights.transpose()?)?;
        let method = Method { loss, precision };
        let schema = training::schema(&plan, dataset);
        let mut progress = Progress::new(&plan, &schema, &network, dataset)?;
        let fit =
            Fit { plan: &plan, schema: &schema, dataset, method: &method, seed: execution.seed };
        let mut begun = fit.begin()?;
        match &execution.checkpoint {
            Some(checkpoint) => {
                checkpoint::restore(checkpoint, execution, &network, &mut progress, &mut begun)?;
            }
            None => network.adapt(|| {
                let batches = dataset.train.in_order(plan.batch_size)?;
                Ok(batches.map(|batch| Ok(batch?.inputs)))
            })?,
        }
        let at_epochs_end = |network: &Network, progress: &Progress| {
            checkpoint::write(execution, network, progress, None)
        };
        match fit.run(&mut network, &mut progress, begun, epochs, at_epochs_end)? {
            End::Finished => {}
            End::Left(begun) => {
                let has_begun = progress.epoch > 0 || begun.step > 0;
                let write = || checkpoint::write(execution, &network, &progress, Some(&begun));
                return Ok(Ending::Left(has_begun.then(write).transpose()?));
            }
            End::Stopped => return Ok(Ending::Stopped),
        }
        let weights = progress.best_weights.as_ref().map(Snapshot::to_safetensors).transpose()?;
        let keep = execution.keep_checkpoint;
        let checkpoint = keep.then(|| at_epochs_end(&network, &progress));
        Ok(Ending::Finished(Trained { weights, checkpoint: checkpoint.transpose()? }))
    }

    /// About how much memory an execution takes; refuses what the device cannot
    /// hold, even if the examples stay in their file.
    fn check_memory(
        &self,
        specification: &v1::Specification,
        precision: Kind,
    ) -> Result<Estimate, TrainingError> {
        let v1::Specification { model, training, dataset, .. } = specification;
        let missing = TrainingError::missing;
        let model = model.as_ref().ok_or(missing("model"))?;
        let training = training.as_ref().ok_or(missing("training"))?;
        let dataset = dataset.as_ref().ok_or(missing("dataset"))?;
        // What will be used, whatever is asked for.
        let precision = if precision == Kind::BFloat16 { Precision::Bf16 } else { Precision::F32 };
        let training = v1::Training { precision: precision.into(), ..training.clone() };
        let needed = memory::estimate(model, &training, dataset)?;
        match self.device.memory_bytes {
            Some(bytes) if needed.least() > bytes => {
                Err(TrainingError::TooLarge { needed, device: self.device.name.clone(), bytes })
            }
            Some(_) | None => Ok(needed),
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

    /// The execution's dataset, its inputs where they are to lie; opened if it is
    /// not that of the execution before.
    ///
    /// - `needed`: what the execution takes, apart from the inputs
    fn dataset(
        &mut self,
        execution: &Execution,
        specification: &v1::Dataset,
        needed: &Estimate,
    ) -> Result<&Dataset, TrainingError> {
        let kept = self.dataset.take_if(|loaded| {
            loaded.folder == execution.dataset && loaded.specification == *specification
        });
        // Another one is dropped before the new one is placed: a device may not
        // hold both.
        self.dataset = None;
        let mut loaded = match kept {
            Some(loaded) => loaded,
            None => Loaded {
                folder: execution.dataset.clone(),
                specification: specification.clone(),
                dataset: Dataset::open(&execution.dataset, specification, self.device.device)?,
            },
        };
        let input_bytes = loaded.dataset.input_bytes();
        let fitting = || self.placement_for(needed, input_bytes);
        let placement = self.placement.unwrap_or_else(fitting);
        if placement == Placement::InFile && self.told_of_file.as_ref() != Some(&loaded.folder) {
            self.told_of_file = Some(loaded.folder.clone());
            tracing::info!(
                "{} has no room for {} MiB of examples: they are read from their file",
                self.device.name,
                input_bytes >> 20
            );
        }
        loaded.dataset.place(placement)?;
        Ok(&self.dataset.insert(loaded).dataset)
    }

    /// Where inputs of so many bytes are to lie.
    fn placement_for(&self, needed: &Estimate, input_bytes: u64) -> Placement {
        let all = needed.training_bytes().saturating_add(input_bytes);
        match self.device.free_bytes() {
            Some(free) if all > free / COMFORT.1 * COMFORT.0 => Placement::InFile,
            Some(_) | None => Placement::OnDevice,
        }
    }
}

impl Trainer for TorchTrainer {
    fn device(&self) -> String {
        self.device.description.clone()
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.device.memory_bytes
    }

    fn train(&mut self, execution: &Execution, epochs: &mut dyn Epochs) -> Result<Ending, Failure> {
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
