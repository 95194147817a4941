//! What crosses the wire between sweep's coordinator and its workers, and
//! nothing else: the generated messages and service of `proto/sweep/v1/`, the
//! largest message either side accepts, how a coordinator is found, trusted and
//! connected to ([`address`], [`secret`], [`connect`]), what a worker may be called
//! ([`labels`]), and what can be known of a [`v1::Model`] without libtorch: shapes and numbers of weights ([`shape`]),
//! whether its end fits its loss ([`head`]), and how much memory it takes
//! ([`memory`]).
//!
//! Everything here is concrete. Search spaces and hyperparameters stay with
//! the coordinator; a worker reads layers and numbers.

pub mod address;
pub mod connect;
pub mod digest;
pub mod head;
pub mod labels;
pub mod memory;
mod metric;
pub mod mobilenet_v2;
pub mod secret;
pub mod shape;

/// Version 1 of the protocol, generated from `proto/sweep/v1/*.proto`.
#[expect(missing_docs, reason = "generated code; the .proto files carry the documentation")]
#[expect(clippy::all, clippy::allow_attributes, reason = "generated code")]
pub mod v1 {
    tonic::include_proto!("sweep.v1");
}

/// Largest gRPC message that either side accepts, in bytes. Weights, checkpoints
/// and datasets are streamed in chunks of [`CHUNK_BYTES`], so no message grows
/// with the size of a network or of a dataset.
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// Size of the chunks in which weights, checkpoints and datasets are streamed.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Largest weights file or checkpoint that either side accepts, in bytes.
pub const MAX_FILE_BYTES: u64 = 8 << 30;

/// Most epochs of a training.
pub const MAX_EPOCHS: u32 = 100_000;

/// The version that a worker and its coordinator must share.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
