//! Compiles the `.proto` files with protox, so that no system `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["sweep/v1/coordinator.proto"], ["proto"])?;
    tonic_prost_build::configure()
        // In the order of their keys: equal messages have equal bytes.
        .btree_map(".sweep.v1.Worker.labels")
        .btree_map(".sweep.v1.WorkerStatus.labels")
        .compile_fds(files)?;
    Ok(())
}
