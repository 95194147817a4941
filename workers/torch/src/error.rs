//! Why an execution could not be trained, and what kind of failure that is.

use std::io::ErrorKind;
use std::path::PathBuf;

use safetensors::SafeTensorError;
use safetensors::tensor::Dtype;
use sweep_proto::memory::Estimate;
use sweep_proto::shape::ShapeError;
use sweep_proto::v1::FailureKind;
use sweep_session::Failure;
use tch::TchError;

use crate::network::WeightsFileError;

/// Why an execution could not be trained.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrainingError {
    /// A part of the specification is missing or has no meaning.
    #[error("the specification's {part} {problem}")]
    Specification { part: &'static str, problem: &'static str },
    /// A metric is named that no epoch measures.
    #[error("the {role} `{metric}` is not measured; measured are {measured}")]
    Metric { role: &'static str, metric: String, measured: String },
    /// A layer cannot work on what it gets.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A layer cannot be built.
    #[error("layer `{layer}`: {source}")]
    Layer { layer: String, source: LayerError },
    /// The dataset's files are not what the specification says.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Training has left the range of numbers.
    #[error("{metric} is {value} at epoch {epoch}")]
    Diverged { metric: String, value: f64, epoch: u32 },
    /// The device's memory would not hold it, not even without the examples.
    #[error("{}", too_large(.needed, device, *bytes))]
    TooLarge { needed: Estimate, device: String, bytes: u64 },
    /// The checkpoint to start from is none to start from.
    #[error("the checkpoint {0}")]
    Checkpoint(#[from] CheckpointError),
    /// libtorch refused an operation.
    #[error("{}", brief(.0))]
    Torch(#[from] TchError),
    /// The weights could not be put into a file.
    #[error("the weights cannot be written: {0}")]
    Weights(#[from] SafeTensorError),
}

/// What is wrong with a checkpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    /// Not even a safetensors file.
    #[error("cannot be read: {0}")]
    File(SafeTensorError),
    /// Some other safetensors file.
    #[error("has no header: it is another kind of file")]
    NoHeader,
    /// The header does not hold what it should.
    #[error("has an unreadable header: {0}")]
    Header(serde_json::Error),
    /// Another version's.
    #[error("has format {found}, and this version of sweep knows format {known}")]
    Format { found: u32, known: u32 },
    /// Another training's.
    #[error("is of another specification or seed")]
    Foreign,
    /// Another one of this training's.
    #[error("is of epoch {}, step {}, not of epoch {}, step {}", found.0, found.1, expected.0, expected.1)]
    Position { found: (u32, u32), expected: (u32, u32) },
    /// From within an epoch that is not to be trained.
    #[error("is from within epoch {}, and {epochs} are to be trained", after + 1)]
    Beyond { after: u32, epochs: u32 },
    /// A tensor is missing.
    #[error("has no tensor `{tensor}`")]
    Missing { tensor: String },
    /// A tensor does not fit.
    #[error("has a tensor `{tensor}` of shape {found:?} where {} of shape {expected:?} belongs", word(*kind))]
    Shape { tensor: String, found: Vec<usize>, kind: Dtype, expected: Vec<usize> },
    /// A tensor belongs nowhere.
    #[error("has more tensors than belong into it")]
    Superfluous,
}

/// A kind of number, for people.
fn word(kind: Dtype) -> String {
    format!("{kind:?}").to_lowercase()
}

/// Why a layer cannot be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayerError {
    /// An option has a value that this version does not know.
    #[error("this version of sweep does not know its {0}")]
    Unknown(&'static str),
    /// The file that its weights are to come from cannot be used.
    #[error("{0}")]
    Weights(#[from] WeightsFileError),
    /// libtorch refused an operation, most likely for want of memory.
    #[error("{}", brief(.0))]
    Torch(#[from] TchError),
}

/// What is wrong with a dataset's folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatasetError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Content { path: PathBuf, problem: String },
    /// The thread that reads examples ahead cannot be had.
    #[error("no thread can be started to read examples: {0}")]
    Thread(std::io::Error),
    /// libtorch refused an operation, most likely for want of memory.
    #[error("{}", brief(.0))]
    Torch(#[from] TchError),
}

impl TrainingError {
    /// A part of the specification is not there.
    pub(crate) fn missing(part: &'static str) -> Self {
        Self::Specification { part, problem: "is missing" }
    }

    /// Whether memory was, or would be, too small.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        self.kind() == FailureKind::OutOfMemory
    }

    /// Whether, and how, it is worth trying again.
    fn kind(&self) -> FailureKind {
        match self {
            Self::Specification { .. }
            | Self::Metric { .. }
            | Self::Shape(_)
            | Self::Layer { source: LayerError::Unknown(_), .. } => FailureKind::Infeasible,
            Self::Diverged { .. } => FailureKind::Diverged,
            Self::TooLarge { .. } => FailureKind::OutOfMemory,
            Self::Dataset(DatasetError::Read { source, .. })
                if source.kind() == ErrorKind::OutOfMemory =>
            {
                FailureKind::OutOfMemory
            }
            Self::Dataset(DatasetError::Read { source, .. }) if is_of_the_disk(source) => {
                FailureKind::Host
            }
            Self::Layer { source: LayerError::Torch(error), .. }
            | Self::Dataset(DatasetError::Torch(error))
            | Self::Torch(error) => {
                if is_out_of_memory(error) {
                    FailureKind::OutOfMemory
                } else if is_of_the_gpu(error) {
                    FailureKind::Host
                } else {
                    FailureKind::Error
                }
            }
            Self::Layer { source: LayerError::Weights(_), .. }
            | Self::Dataset(_)
            | Self::Checkpoint(_)
            | Self::Weights(_) => FailureKind::Error,
        }
    }
}

impl From<TrainingError> for Failure {
    fn from(error: TrainingError) -> Self {
        Self { kind: error.kind(), message: error.to_string() }
    }
}

/// Texts of errors for want of memory. libtorch's C interface gives errors as
/// text only, so that the text decides.
const SIGNS_OF_MEMORY: [&str; 5] = [
    "out of memory",
    "can't allocate memory",
    "DefaultCPUAllocator",
    // cuDNN's and cuBLAS's.
    "ALLOC_FAILED",
    // The C++ library's, of small allocations.
    "std::bad_alloc",
];

/// oneDNN's errors, whole lines, when its work space cannot be had. They do not
/// say why; but it has no other reason left where shapes were checked before.
const ERRORS_OF_ONEDNN: [&str; 4] = [
    "could not create a primitive",
    "could not execute a primitive",
    "could not create a memory object",
    "could not allocate memory",
];

fn is_out_of_memory(error: &TchError) -> bool {
    let text = error.to_string();
    SIGNS_OF_MEMORY.iter().any(|sign| text.contains(sign))
        || ERRORS_OF_ONEDNN.contains(&brief(error).as_str())
}

/// Begin errors of CUDA, of its libraries and of its driver, wherever they are.
const SIGNS_OF_CUDA: [&str; 6] = [
    "CUDA error",
    "cuDNN error",
    "CUDA driver",
    "NVIDIA driver",
    "CUDA-capable device",
    "No CUDA GPUs",
];

/// Errors among them that the network is to blame for, and that pass.
const ERRORS_OF_NETWORKS: [&str; 8] = [
    "invalid configuration argument",
    "invalid argument",
    "invalid value",
    "NOT_SUPPORTED",
    "INVALID_VALUE",
    "ARCH_MISMATCH",
    "BAD_PARAM",
    "operation not supported",
];

/// Whether the GPU, or what this process has of it, is to blame: it is gone, it
/// reports broken memory, or a kernel went wrong, after which CUDA refuses everything
/// to this process. The latter may be the network's fault; it is tried elsewhere.
fn is_of_the_gpu(error: &TchError) -> bool {
    let text = brief(error);
    let has = |sign: &&str| text.contains(*sign);
    SIGNS_OF_CUDA.iter().any(&has) && !ERRORS_OF_NETWORKS.iter().any(has)
}

/// Whether a disk or a network file system has failed.
fn is_of_the_disk(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::ENXIO | libc::ENODEV | libc::ESTALE))
}

/// libtorch's message without the C++ backtrace that follows its first line.
fn brief(error: &TchError) -> String {
    let text = match error {
        TchError::Torch(text) => text.clone(),
        other => other.to_string(),
    };
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// `needs about 31.3 GiB (weights 0.1, optimizer 0.2, activations 30.9, batches
/// ahead 0.1), but cpu has 23.5 GiB`
fn too_large(needed: &Estimate, device: &str, bytes: u64) -> String {
    let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let parts = [
        ("weights", needed.weights_bytes),
        ("optimizer", needed.optimizer_bytes),
        ("activations", needed.activations_bytes),
        ("batches ahead", needed.ahead_bytes),
    ];
    let parts = parts.map(|(name, bytes)| format!("{name} {:.1}", gibibytes(bytes)));
    format!(
        "needs about {:.1} GiB ({}), but {device} has {:.1} GiB",
        gibibytes(needed.least()),
        parts.join(", "),
        gibibytes(bytes)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_from_other_errors() {
        let torch = |text: &str| Failure::from(TrainingError::Torch(TchError::Torch(text.into())));
        for text in [
            "CUDA out of memory. Tried to allocate 2.00 GiB.\nException raised from malloc",
            "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate \
             memory: you tried to allocate 4000000000000 bytes.",
            "std::bad_alloc",
            "could not create a primitive",
            "could not execute a primitive\nException raised from x",
        ] {
            assert_eq!(torch(text).kind, FailureKind::OutOfMemory, "{text}");
        }
        let other = torch("mat1 and mat2 shapes cannot be multiplied\nException raised from x");
        assert_eq!(other.kind, FailureKind::Error);
        assert_eq!(other.message, "mat1 and mat2 shapes cannot be multiplied");
    }

    #[test]
    fn what_the_machine_is_to_blame_for() {
        let kind = |error: TrainingError| Failure::from(error).kind;
        for (text, expected) in [
            (
                "CUDA error: uncorrectable ECC error encountered\nCUDA kernel errors",
                FailureKind::Host,
            ),
            ("CUDA error: an illegal memory access was encountered", FailureKind::Host),
            ("CUDA error: device-side assert triggered", FailureKind::Host),
            ("CUDA error: unspecified launch failure", FailureKind::Host),
            ("CUDA error: no CUDA-capable device is detected", FailureKind::Host),
            (
                "CUDA driver initialization failed, you might not have a CUDA gpu.",
                FailureKind::Host,
            ),
            ("No CUDA GPUs are available", FailureKind::Host),
            ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", FailureKind::Host),
            ("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `x`", FailureKind::Host),
            ("CUDA error: out of memory", FailureKind::OutOfMemory),
            ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `x`", FailureKind::OutOfMemory),
            ("CUDA error: invalid configuration argument", FailureKind::Error),
            ("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED", FailureKind::Error),
            ("CUDA error: CUBLAS_STATUS_INVALID_VALUE when calling `x`", FailureKind::Error),
            ("shapes cannot be multiplied\nCUDA error in the backtrace", FailureKind::Error),
        ] {
            let error = TrainingError::Torch(TchError::Torch(text.into()));
            assert_eq!(kind(error), expected, "{text}");
        }
        let read = |code| DatasetError::Read {
            path: PathBuf::from("x.npy"),
            source: std::io::Error::from_raw_os_error(code),
        };
        assert_eq!(kind(read(libc::EIO).into()), FailureKind::Host);
        assert_eq!(kind(read(libc::ESTALE).into()), FailureKind::Host);
        assert_eq!(kind(read(libc::ENOENT).into()), FailureKind::Error);
        assert_eq!(kind(read(libc::ENOMEM).into()), FailureKind::OutOfMemory);
    }

    #[test]
    fn what_cannot_fit_says_what_takes_how_much() {
        let gibibytes = |count: f64| (count * f64::from(1 << 30)) as u64;
        let needed = Estimate {
            weights_bytes: gibibytes(0.1),
            optimizer_bytes: gibibytes(0.2),
            activations_bytes: gibibytes(30.9),
            examples_bytes: gibibytes(50.0),
            ahead_bytes: gibibytes(0.1),
        };
        let failure = |needed| {
            let bytes = gibibytes(23.5);
            Failure::from(TrainingError::TooLarge { needed, device: "cpu".into(), bytes })
        };
        assert_eq!(failure(needed).kind, FailureKind::OutOfMemory);
        assert_eq!(
            failure(needed).message,
            "needs about 31.3 GiB (weights 0.1, optimizer 0.2, activations 30.9, batches ahead \
             0.1), but cpu has 23.5 GiB"
        );
    }

    #[test]
    fn divergence_names_the_epoch() {
        let failure = Failure::from(TrainingError::Diverged {
            metric: "loss".into(),
            value: f64::NAN,
            epoch: 3,
        });
        assert_eq!(failure.kind, FailureKind::Diverged);
        assert_eq!(failure.message, "loss is NaN at epoch 3");
    }
}
