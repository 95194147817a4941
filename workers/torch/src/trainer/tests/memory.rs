//! Executions that memory cannot hold.

use std::env;
use std::fs;
use std::process::Command;

use super::*;
use crate::allocator;

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
/// train in the same process. It is another process than that of other tests,
/// with the allocator's settings of the program.
#[test]
fn memory_that_runs_out_ends_one_execution_alone() {
    if env::var_os(LIMITED).is_none() {
        let test = "trainer::tests::memory::memory_that_runs_out_ends_one_execution_alone";
        let output = Command::new(env::current_exe().expect("it runs"))
            .args(["--exact", test, "--nocapture", "--test-threads", "1"])
            .envs([(LIMITED, "1"), ("SWEEP_WORKER_REPLACED", "1"), ("OMP_NUM_THREADS", "1")])
            .output()
            .expect("it starts");
        let printed = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{printed}\n{errors}", output.status);
        assert!(printed.contains("1 passed"), "{printed}");
        return;
    }
    allocator::keep_big_blocks();
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
