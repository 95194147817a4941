//! Where to train: the CPU or a GPU.
//!
//! The program is linked against libtorch's CPU half only. CUDA comes with
//! `libtorch_cuda.so`, which is opened here if it can be found, before anything
//! asks libtorch about CUDA: libtorch remembers the first answer for good.

mod gpu;
mod host;
mod threads;

use std::ffi::{CStr, c_void};
use std::io;
use std::path::Path;
use std::str::FromStr;

use tch::{Cuda, Device};

/// Is there where NVIDIA's driver is.
const DRIVER: &str = "/dev/nvidiactl";

/// What `--device` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceChoice {
    /// The first GPU, or the CPU where there is none.
    Auto,
    /// The CPU, even where there is a GPU.
    Cpu,
    /// The GPU of this number, from 0.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "cuda" => Ok(Self::Cuda(0)),
            Some(("cuda", number)) => number.parse().map(Self::Cuda).map_err(|_| DeviceError::Name),
            Some(_) | None => Err(DeviceError::Name),
        }
    }
}

/// A device that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeviceError {
    /// Not a device's name.
    #[error("expected auto, cpu, cuda or cuda:N")]
    Name,
    /// `libtorch_cuda.so` could not be opened.
    #[error("libtorch's CUDA half cannot be loaded: {0}")]
    NoCudaLibrary(String),
    /// libtorch sees no GPU.
    #[error("libtorch finds no GPU")]
    NoGpu,
    /// The number is too high.
    #[error("there is no GPU {wanted}: this machine has {found}, numbered from 0")]
    TooHigh {
        /// The number asked for.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
}

impl DeviceError {
    /// The usual way to mend it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoCudaLibrary(_) => Some(
                "name the folder of a libtorch 2.11.0 for CUDA in LD_LIBRARY_PATH, \
                 or train with --device cpu",
            ),
            Self::NoGpu => Some("look at `nvidia-smi`, or train with --device cpu"),
            Self::Name | Self::TooHigh { .. } => None,
        }
    }
}

/// An opened device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenDevice {
    /// As tch names it.
    pub(crate) device: Device,
    /// For people: `cpu`, `NVIDIA H200`.
    pub(crate) name: String,
    /// For people, with what else matters: `cpu, 2 threads`.
    pub(crate) description: String,
    /// All of its memory; of the CPU's, what this process may use. Absent if
    /// nothing tells.
    pub(crate) memory_bytes: Option<u64>,
    /// Of a GPU: what nobody used when it was opened. Later, what this process
    /// has freed does not count as free there, although it is used again.
    pub(crate) free_at_first_bytes: Option<u64>,
    /// Whether it calculates in bf16.
    pub(crate) has_bf16: bool,
}

impl OpenDevice {
    /// How much memory this process may take, in bytes, with what it has already:
    /// what no other one uses. `None` if nothing tells.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        let free = match self.device {
            Device::Cpu => host::free_bytes(),
            Device::Cuda(_) | Device::Mps | Device::Vulkan => self.free_at_first_bytes,
        };
        [free, self.memory_bytes].into_iter().flatten().min()
    }

    /// Makes allocations fail that the device cannot hold, where it would not by
    /// itself: on the CPU. To be called before training.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to limit this process.
    pub(crate) fn limit_memory(&self) -> io::Result<()> {
        match (self.device, self.memory_bytes) {
            (Device::Cpu, Some(bytes)) => host::limit_memory(bytes),
            _ => Ok(()),
        }
    }
}

/// Opens a device; to be called once, before any other call into tch.
///
/// - `threads`: how many share one step on the CPU; if absent, as many as there are
///   cores for this process
///
/// # Errors
///
/// [`DeviceError`] if a GPU is asked for that cannot be had.
pub(crate) fn open(choice: DeviceChoice, threads: Option<u16>) -> Result<OpenDevice, DeviceError> {
    let threads = match threads {
        Some(threads) => i32::from(threads),
        None => threads::default_threads().try_into().unwrap_or(i32::MAX),
    };
    // Beside a GPU too, for what is computed on the CPU, such as initial weights.
    tch::set_num_threads(threads);
    let noun = if threads == 1 { "thread" } else { "threads" };
    let cpu = OpenDevice {
        device: Device::Cpu,
        name: "cpu".to_owned(),
        description: format!("cpu, {threads} {noun}"),
        memory_bytes: host::memory_bytes(),
        free_at_first_bytes: None,
        has_bf16: host::has_bf16(),
    };
    match choice {
        DeviceChoice::Cpu => Ok(cpu),
        DeviceChoice::Auto => Ok(cuda(0).unwrap_or_else(|error| {
            if Path::new(DRIVER).exists() {
                sweep_session::say_warning(format_args!(
                    "this machine has a GPU, but trains on the CPU: {error}"
                ));
            }
            cpu
        })),
        DeviceChoice::Cuda(number) => cuda(number),
    }
}

fn cuda(number: usize) -> Result<OpenDevice, DeviceError> {
    open_library(c"libtorch_cuda.so").map_err(DeviceError::NoCudaLibrary)?;
    if !Cuda::is_available() {
        return Err(DeviceError::NoGpu);
    }
    let found = usize::try_from(Cuda::device_count()).unwrap_or(0);
    if number >= found {
        return Err(DeviceError::TooHigh { wanted: number, found });
    }
    // Input shapes stay the same for a whole execution, so that trying out
    // convolution algorithms once pays.
    Cuda::cudnn_set_benchmark(true);
    let gpu = gpu::query(number);
    let name = gpu.name.unwrap_or_else(|| format!("cuda:{number}"));
    Ok(OpenDevice {
        device: Device::Cuda(number),
        description: name.clone(),
        name,
        memory_bytes: gpu.memory_bytes,
        free_at_first_bytes: gpu.free_bytes,
        has_bf16: gpu.has_bf16,
    })
}

/// Opens a shared library for good, its symbols visible to all.
fn open_library(name: &CStr) -> Result<*mut c_void, String> {
    // SAFETY: the name is a C string; the library stays open, so that nothing
    // that it registered can dangle.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if !handle.is_null() {
        return Ok(handle);
    }
    // SAFETY: dlerror gives null or a C string that lives until the next call.
    let message = unsafe {
        let message = libc::dlerror();
        (!message.is_null()).then(|| CStr::from_ptr(message).to_string_lossy().into_owned())
    };
    Err(message.unwrap_or_else(|| "unknown error".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, choice) in [
            ("auto", Ok(DeviceChoice::Auto)),
            ("cpu", Ok(DeviceChoice::Cpu)),
            ("cuda", Ok(DeviceChoice::Cuda(0))),
            ("cuda:3", Ok(DeviceChoice::Cuda(3))),
            ("cuda:", Err(DeviceError::Name)),
            ("cuda:-1", Err(DeviceError::Name)),
            ("gpu", Err(DeviceError::Name)),
            ("cpu:0", Err(DeviceError::Name)),
        ] {
            assert_eq!(text.parse(), choice, "{text}");
        }
    }

    #[test]
    fn the_cpu_says_how_many_threads_it_uses() {
        let device = open(DeviceChoice::Cpu, Some(1)).expect("the CPU is always there");
        assert_eq!(device.device, Device::Cpu);
        assert_eq!((device.name.as_str(), device.description.as_str()), ("cpu", "cpu, 1 thread"));
        let (free, all) = (device.free_bytes(), device.memory_bytes);
        assert!(all.is_some() && free.is_some() && free <= all);
    }

    #[test]
    fn a_gpu_that_is_not_there_is_an_error_with_a_hint() {
        let error = open(DeviceChoice::Cuda(99), None).expect_err("no machine has a hundred");
        match error {
            DeviceError::NoCudaLibrary(_) | DeviceError::NoGpu => assert!(error.hint().is_some()),
            DeviceError::TooHigh { wanted, found } => assert!(wanted == 99 && found < 99),
            DeviceError::Name => panic!("{error}"),
        }
    }
}
