//! Executions that memory cannot hold.

use std::env;
use std::fs;
use std::io::{Seek, Write};
use std::process::Command;

use super::*;
use crate::allocator;
use crate::dataset::Placement;

/// Set in the process that trains with little memory.
const LIMITED: &str = "SWEEP_TEST_LIMITED_MEMORY";

/// What that process may take beyond what it has when it starts, in bytes.
const SPARE_BYTES: u64 = 256 << 20;

/// Trains on all examples at once, with so many filters.
fn wide(folder: &Path, filters: u32) -> Execution {
    let mut execution = execution(folder, 2);
    let layers = [conv2d(filters, Activation::Relu), conv2d(filters, Activation::Relu)];
    let end = [flatten(), dense(CLASSES, Activation::Softmax)];
    execution.specification.model = Some(model(layers.into_iter().chain(end)));
    training(&mut execution).batch_size = 4096;
    execution
}

/// Bytes that this process may write to.
fn data_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("it runs Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).expect("it is told");
    let kibibytes = line.trim().strip_suffix(" kB").expect("in this unit");
    kibibytes.parse::<u64>().expect("a number") * 1024
}

/// Whether this is the process where a test runs alone, with the allocator's
/// settings of the program. If not, runs it in such a process.
fn is_alone(test: &str) -> bool {
    if env::var_os(LIMITED).is_some() {
        allocator::keep_big_blocks();
        return true;
    }
    let output = Command::new(env::current_exe().expect("it runs"))
        .args([
            "--exact",
            &format!("{}::{test}", module_path!().split_once("::").expect("it is inside").1),
        ])
        .args(["--nocapture", "--test-threads", "1"])
        .envs([(LIMITED, "1"), ("SWEEP_WORKER_REPLACED", "1"), ("OMP_NUM_THREADS", "1")])
        .output()
        .expect("it starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{printed}\n{errors}", output.status);
    assert!(printed.contains("1 passed"), "{printed}");
    false
}

/// Replaces a dataset's inputs by zeros that take no room on the disk.
fn write_zeros(folder: &Path, shape: &[u64]) -> u64 {
    let sizes: Vec<String> = shape.iter().map(u64::to_string).collect();
    let sizes = sizes.join(", ");
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sizes}), }}\n");
    let length = u16::try_from(header.len()).expect("it is short");
    let mut file = fs::File::create(folder.join("x.npy")).expect("the folder is writable");
    for bytes in [b"\x93NUMPY\x01\0".as_slice(), &length.to_le_bytes(), header.as_bytes()] {
        file.write_all(bytes).expect("the folder is writable");
    }
    let bytes = shape.iter().product::<u64>() * 4;
    let header_bytes = file.stream_position().expect("it is a file");
    file.set_len(header_bytes + bytes).expect("the folder is writable");
    bytes
}

#[test]
fn a_network_that_cannot_fit_is_refused_with_the_estimate() {
    let folder = dataset();
    let mut trainer = trainer();
    trainer.device.memory_bytes = Some(32 << 20);
    let train = |trainer: &mut TorchTrainer, execution: &Execution| {
        let _guard = testing::seed(0);
        trainer.train(execution, &mut Recorder::default())
    };
    let failure = train(&mut trainer, &wide(folder.path(), 64)).expect_err("too large");
    assert_eq!(failure.kind, FailureKind::OutOfMemory);
    assert!(failure.message.starts_with("needs about "), "{}", failure.message);
    assert!(failure.message.ends_with("), but cpu has 0.0 GiB"), "{}", failure.message);
    train(&mut trainer, &execution(folder.path(), 1)).expect("it fits");
}

/// Some networks are too large for the memory, and the small ones between them
/// train in the same process. It is another process than that of other tests.
#[test]
fn memory_that_runs_out_ends_one_execution_alone() {
    if !is_alone("memory_that_runs_out_ends_one_execution_alone") {
        return;
    }
    let folder = testing::write_dataset(4000, &SHAPE.map(i64::from), i64::from(CLASSES));
    let _guard = testing::seed(0);
    let mut trainer = trainer();
    let small = |trainer: &mut TorchTrainer| {
        let mut recorder = Recorder::default();
        trainer.train(&wide(folder.path(), 2), &mut recorder).expect("it fits");
        recorder.values("loss")
    };
    let losses = small(&mut trainer);
    // All of the limit but a sixteenth is granted.
    let memory_bytes = Some((data_bytes() + SPARE_BYTES) * 16 / 15);
    OpenDevice { memory_bytes, ..trainer.device.clone() }.limit_memory().expect("allowed");
    for filters in [100, 200, 400, 800] {
        let execution = wide(folder.path(), filters);
        let failure = trainer.train(&execution, &mut Recorder::default()).expect_err("too large");
        assert_eq!(failure.kind, FailureKind::OutOfMemory, "{}", failure.message);
        assert_eq!(small(&mut trainer), losses);
    }
}

/// The inputs take twice the memory that is left, and are trained on from their
/// file: what is mapped from a file does not count. On the device there is no
/// room for them.
#[test]
fn examples_that_memory_cannot_hold_are_trained_on() {
    if !is_alone("examples_that_memory_cannot_hold_are_trained_on") {
        return;
    }
    const SIDE: u32 = 256;
    const EXAMPLES: u32 = 2_048;
    let folder = testing::write_dataset(EXAMPLES.into(), &[1], CLASSES.into());
    let shape = [EXAMPLES, SIDE, SIDE, 1];
    let input_bytes = write_zeros(folder.path(), &shape.map(u64::from));
    assert_eq!(input_bytes, 2 * SPARE_BYTES);
    let mut execution = execution(folder.path(), 2);
    execution.specification.dataset.as_mut().expect("set above").input_shape = shape[1..].to_vec();
    let layers = [max_pool2d(64, 64), flatten(), dense(CLASSES, Activation::Softmax)];
    execution.specification.model = Some(model(layers));
    let _guard = testing::seed(0);
    let mut trainer = trainer();
    trainer.device.memory_bytes = Some((data_bytes() + SPARE_BYTES) * 16 / 15);
    trainer.device.limit_memory().expect("allowed");
    let mut recorder = Recorder::default();
    let ending = trainer.train(&execution, &mut recorder).expect("it needs little memory");
    let trained = finished(ending);
    assert_eq!((recorder.measurements.len(), trained.weights.is_some()), (2, true));
    let kept = &trainer.dataset.as_ref().expect("it was opened").dataset;
    assert_eq!(kept.train.placement(), Placement::InFile);

    trainer.placement = Some(Placement::OnDevice);
    let failure = trainer.train(&execution, &mut Recorder::default()).expect_err("no room");
    assert_eq!(failure.kind, FailureKind::OutOfMemory, "{}", failure.message);
}
