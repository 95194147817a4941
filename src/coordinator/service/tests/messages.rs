//! Messages as strangers and broken workers may send them, and, often enough, as
//! they should be; and what is wrong with each.

use std::collections::BTreeMap;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use sha2::{Digest as _, Sha256};
use sweep_proto::digest::hexadecimal;
use sweep_proto::v1::complete_request::Outcome;
use sweep_proto::v1::uploaded_file::Content;
use sweep_proto::{MAX_EPOCHS, VERSION, v1};
use tonic::Code;

use crate::study::AttemptId;

/// The dataset that there is.
pub(super) const DIGEST: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

/// Its one file, and the size of it.
const FILE: &str = "x.npy";
pub(super) const DATASET_BYTES: u64 = 1000;

/// Processes that belong: name and instance.
const WORKERS: [(&str, u64); 3] = [("a", 1), ("b", 2), ("b", u64::MAX)];

/// One call, with all that is sent.
#[derive(Debug, Clone)]
pub(super) enum Message {
    Acquire(v1::AcquireRequest),
    Heartbeat(v1::HeartbeatRequest),
    Report(v1::ReportRequest),
    Upload(Vec<v1::UploadChunk>),
    Complete(v1::CompleteRequest),
    FetchDataset(v1::FetchDatasetRequest),
    FetchCheckpoint(v1::FetchCheckpointRequest),
    Status,
}

/// Whom a call is to be about, if that is not left to chance: one of the latest
/// leases, and whether as its holder.
#[derive(Debug, Clone)]
pub(super) struct Aim {
    /// Which lease, from the latest.
    pub(super) back: usize,
    /// Says the instance that holds it; else what was drawn.
    pub(super) is_holder: bool,
}

/// A sequence of calls, many of which fit each other.
pub(super) fn messages() -> impl Strategy<Value = Vec<(Message, Option<Aim>)>> {
    let aim = (0..4_usize, prop::bool::weighted(0.9))
        .prop_map(|(back, is_holder)| Aim { back, is_holder });
    let aim = option::weighted(0.8, aim);
    let one = prop_oneof![
        6 => worker(good()).prop_map(|worker| acquire(Some(worker))),
        2 => option::weighted(0.9, worker(any_name())).prop_map(acquire),
        2 => (id(), option::weighted(0.9, worker(good())))
            .prop_map(|(id, worker)| Message::Heartbeat(v1::HeartbeatRequest { id, worker })),
        1 => (id(), worker(any_name())).prop_map(|(id, worker)| {
            Message::Heartbeat(v1::HeartbeatRequest { id, worker: Some(worker) })
        }),
        8 => report(good_measurement()),
        6 => report(measurement()),
        6 => upload(),
        5 => complete(),
        2 => (digest(), file(), offset()).prop_map(|(digest, file, offset)| {
            Message::FetchDataset(v1::FetchDatasetRequest { digest, file, offset })
        }),
        2 => (id(), epoch(), step()).prop_map(|(id, epoch, step)| {
            Message::FetchCheckpoint(v1::FetchCheckpointRequest { id, epoch, step })
        }),
        1 => Just(Message::Status),
    ];
    proptest::collection::vec((one, aim), 1..100)
}

fn acquire(worker: Option<v1::Worker>) -> Message {
    Message::Acquire(v1::AcquireRequest { worker })
}

fn good() -> BoxedStrategy<(String, u64)> {
    select(&WORKERS[..]).prop_map(|(name, instance)| (name.to_owned(), instance)).boxed()
}

fn any_name() -> BoxedStrategy<(String, u64)> {
    let name = prop_oneof![20 => text(), 1 => Just("x".repeat(1 << 20))];
    (name, select(vec![0, 1, 2, 3, u64::MAX])).boxed()
}

/// Short, empty, long, very long, with control characters, in any script.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["a", "loss", "val_accuracy", "", "../../etc/passwd", "a\nb", "\0", "é𝛼"])
            .prop_map(str::to_owned),
        select(vec![255_usize, 256, 257, 1 << 16]).prop_map(|length| "x".repeat(length)),
        any::<String>(),
    ]
}

fn worker(who: BoxedStrategy<(String, u64)>) -> impl Strategy<Value = v1::Worker> {
    let version = prop_oneof![9 => Just(VERSION.to_owned()), 1 => text()];
    let device = prop_oneof![6 => Just("cpu".to_owned()), 1 => Just(String::new()), 1 => text()];
    let host = prop_oneof![3 => Just("host".to_owned()), 3 => Just(String::new()), 1 => text()];
    let memory = select(vec![0, 1 << 40, u64::MAX]);
    (who, version, device, host, memory, labels()).prop_map(
        |((name, instance), version, device, host, device_memory_bytes, labels)| v1::Worker {
            name,
            instance,
            version,
            device,
            host,
            device_memory_bytes,
            labels,
        },
    )
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    let one = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let many = (0..10_000).map(|index| (format!("k{index}"), "v".to_owned())).collect();
    prop_oneof![
        20 => Just(BTreeMap::new()),
        4 => Just(one("gpu", "a100")),
        1 => select(vec![one("", "v"), one("a b", "v"), one("k", &"v".repeat(1 << 20)),
            one("k", "a\nb"), one(&"k".repeat(1 << 16), "v"), many]),
    ]
}

/// Few enough, that many were leased.
fn id() -> impl Strategy<Value = Option<v1::AttemptId>> {
    let number = |most: u32| prop_oneof![20 => 0..most, 1 => Just(u32::MAX)];
    let id = (number(3), number(2), prop_oneof![1 => Just(0), 20 => 1..3_u32, 1 => Just(u32::MAX)]);
    option::weighted(
        0.96,
        id.prop_map(|(trial, execution, attempt)| v1::AttemptId { trial, execution, attempt }),
    )
}

fn instance() -> impl Strategy<Value = u64> {
    select(vec![0, 1, 1, 1, 2, 2, 2, 3, u64::MAX])
}

fn epoch() -> impl Strategy<Value = u32> {
    prop_oneof![
        20 => 1..5_u32,
        1 => select(vec![0, MAX_EPOCHS, MAX_EPOCHS + 1, (-1_i32).cast_unsigned()]),
    ]
}

fn step() -> impl Strategy<Value = u32> {
    select(vec![0, 0, 1, u32::MAX])
}

fn good_measurement() -> BoxedStrategy<v1::Measurement> {
    (1..4_u32, 0.0..1.0_f64)
        .prop_map(|(epoch, value)| {
            let metrics = vec![v1::Metric { name: "val_accuracy".to_owned(), value: Some(value) }];
            v1::Measurement { epoch, metrics, seconds: 0.5 }
        })
        .boxed()
}

/// Any number, the strange ones often.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, -1.0, -0.0, 0.0, 0.5]),
    ]
}

fn measurement() -> BoxedStrategy<v1::Measurement> {
    let metric =
        (text(), option::of(number())).prop_map(|(name, value)| v1::Metric { name, value });
    let metrics = prop_oneof![
        6 => proptest::collection::vec(metric, 0..4),
        1 => select(vec![128_usize, 129, 10_000]).prop_map(many),
    ];
    let seconds = prop_oneof![2 => Just(0.5), 1 => number()];
    (epoch(), metrics, seconds)
        .prop_map(|(epoch, metrics, seconds)| v1::Measurement { epoch, metrics, seconds })
        .boxed()
}

fn many(count: usize) -> Vec<v1::Metric> {
    (0..count).map(|index| v1::Metric { name: format!("m{index}"), value: Some(0.5) }).collect()
}

fn report(one: BoxedStrategy<v1::Measurement>) -> impl Strategy<Value = Message> {
    let measurements = prop_oneof![
        20 => proptest::collection::vec(one, 0..4),
        1 => (1..2000_u32).prop_map(|count| {
            (1..=count).map(|epoch| v1::Measurement { epoch, ..Default::default() }).collect()
        }),
    ];
    (id(), instance(), measurements).prop_map(|(id, instance, measurements)| {
        Message::Report(v1::ReportRequest { id, instance, measurements })
    })
}

/// Chunks in their order, out of it, too few, and too many.
fn upload() -> impl Strategy<Value = Message> {
    let content = option::weighted(
        0.95,
        prop_oneof![
            Just(Content::Weights(v1::BestWeights {})),
            (epoch(), step())
                .prop_map(|(epoch, step)| Content::Checkpoint(v1::Position { epoch, step })),
        ],
    );
    let data = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 0..4);
    let wrong = prop_oneof![6 => Just(None), 1 => text().prop_map(Some)];
    let first = prop_oneof![12 => Just(0_usize), 1 => 0..4_usize];
    let again = prop_oneof![12 => Just(false), 1 => Just(true)];
    (id(), instance(), content, data, wrong, first, again).prop_map(
        |(id, instance, content, data, wrong, first, again)| {
            let sha256 = wrong.unwrap_or_else(|| digest_of(&data.concat()));
            let file = v1::UploadedFile { id, sha256, content, instance };
            let chunks = data.into_iter().enumerate().map(|(index, data)| {
                let has_file = index == first || (again && index > 0);
                v1::UploadChunk { file: has_file.then(|| file.clone()), data }
            });
            Message::Upload(chunks.collect())
        },
    )
}

fn complete() -> impl Strategy<Value = Message> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Finished(v1::Finished {})),
        2 => Just(Outcome::Released(v1::Released {})),
        2 => (prop_oneof![0..5_i32, any::<i32>()], text())
            .prop_map(|(kind, message)| Outcome::Failed(v1::Failed { kind, message })),
    ];
    (id(), instance(), option::weighted(0.95, outcome)).prop_map(|(id, instance, outcome)| {
        Message::Complete(v1::CompleteRequest { id, instance, outcome })
    })
}

fn digest() -> impl Strategy<Value = String> {
    prop_oneof![Just(DIGEST.to_owned()), Just(DIGEST.to_uppercase()), text()]
}

fn file() -> impl Strategy<Value = String> {
    prop_oneof![2 => Just(String::new()), 2 => Just(FILE.to_owned()), 1 => text()]
}

fn offset() -> impl Strategy<Value = u64> {
    select(vec![0, 0, 1, DATASET_BYTES, DATASET_BYTES + 1, u64::MAX])
}

fn digest_of(data: &[u8]) -> String {
    hexadecimal(&Sha256::digest(data))
}

impl Message {
    /// The status that the message gets whatever was before; `None` where that counts.
    pub(super) fn refusal(&self) -> Option<Code> {
        let is_malformed = match self {
            Self::Acquire(v1::AcquireRequest { worker }) => match worker {
                Some(worker) if is_name(&worker.version) && worker.version != VERSION => {
                    return Some(Code::FailedPrecondition);
                }
                Some(worker) => !is_name(&worker.version) || !is_worker(worker),
                None => true,
            },
            Self::Heartbeat(request) => {
                request.id.is_none() || !request.worker.as_ref().is_some_and(is_worker)
            }
            Self::Report(request) => {
                request.id.is_none()
                    || request.instance == 0
                    || request.measurements.len() > 1024
                    || !request.measurements.iter().all(is_measurement)
            }
            Self::Upload(chunks) => {
                !chunks.first().and_then(|chunk| chunk.file.as_ref()).is_some_and(|file| {
                    file.id.is_some() && file.instance != 0 && file.content.is_some()
                })
            }
            Self::Complete(request) => {
                request.id.is_none() || request.instance == 0 || request.outcome.is_none()
            }
            Self::FetchCheckpoint(request) => {
                request.id.is_none() || !is_position(request.epoch, request.step)
            }
            Self::FetchDataset(request) => return refusal_of_dataset(request),
            Self::Status => false,
        };
        is_malformed.then_some(Code::InvalidArgument)
    }

    /// Makes it about this attempt, and one that this process has sent.
    ///
    /// - `instance`: absent: leaves what was drawn
    pub(super) fn aim_at(&mut self, id: AttemptId, instance: Option<u64>) {
        let id = Some(id.into());
        let said = match self {
            Self::Heartbeat(request) => {
                request.id = id;
                request.worker.as_mut().map(|worker| &mut worker.instance)
            }
            Self::Report(request) => {
                request.id = id;
                Some(&mut request.instance)
            }
            Self::Complete(request) => {
                request.id = id;
                Some(&mut request.instance)
            }
            Self::FetchCheckpoint(request) => {
                request.id = id;
                None
            }
            Self::Upload(chunks) => {
                chunks.first_mut().and_then(|chunk| chunk.file.as_mut()).map(|file| {
                    file.id = id;
                    &mut file.instance
                })
            }
            Self::Acquire(_) | Self::FetchDataset(_) | Self::Status => None,
        };
        if let (Some(said), Some(instance)) = (said, instance) {
            *said = instance;
        }
    }

    /// What it says about which attempt, and as which process.
    pub(super) fn attempt(&self) -> Option<(AttemptId, u64)> {
        let (id, instance) = match self {
            Self::Heartbeat(request) => (request.id, request.worker.as_ref()?.instance),
            Self::Report(request) => (request.id, request.instance),
            Self::Complete(request) => (request.id, request.instance),
            Self::Upload(chunks) => {
                let file = chunks.first()?.file.as_ref()?;
                (file.id, file.instance)
            }
            Self::Acquire(_) | Self::FetchDataset(_) | Self::FetchCheckpoint(_) | Self::Status => {
                return None;
            }
        };
        Some((id?.into(), instance))
    }

    /// What a file that somebody waits for is refused with, if it is.
    pub(super) fn flaw(&self) -> Option<Code> {
        let Self::Upload(chunks) = self else { return None };
        let (first, rest) = chunks.split_first()?;
        let file = first.file.as_ref()?;
        let is_out_of_place = match &file.content {
            Some(Content::Checkpoint(v1::Position { epoch, step })) => !is_position(*epoch, *step),
            Some(Content::Weights(_)) | None => false,
        };
        if is_out_of_place || rest.iter().any(|chunk| chunk.file.is_some()) {
            return Some(Code::InvalidArgument);
        }
        let data: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.data.clone()).collect();
        (digest_of(&data) != file.sha256).then_some(Code::DataLoss)
    }
}

fn refusal_of_dataset(request: &v1::FetchDatasetRequest) -> Option<Code> {
    if request.digest != DIGEST {
        Some(Code::NotFound)
    } else if !request.file.is_empty() && request.file != FILE {
        Some(Code::InvalidArgument)
    } else {
        (request.offset > DATASET_BYTES).then_some(Code::OutOfRange)
    }
}

pub(super) fn is_name(text: &str) -> bool {
    (1..=256).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn is_worker(worker: &v1::Worker) -> bool {
    is_name(&worker.name)
        && (worker.device.is_empty() || is_name(&worker.device))
        && (worker.host.is_empty() || is_name(&worker.host))
        && worker.instance != 0
        // The bad ones drawn differ from the good in this.
        && worker.labels.iter().all(|(key, value)| key == "gpu" && value == "a100")
}

fn is_position(epoch: u32, step: u32) -> bool {
    epoch <= MAX_EPOCHS && (epoch > 0 || step > 0)
}

fn is_measurement(measurement: &v1::Measurement) -> bool {
    let is_metric =
        |metric: &v1::Metric| is_name(&metric.name) && metric.value.is_none_or(f64::is_finite);
    (1..=MAX_EPOCHS).contains(&measurement.epoch)
        && measurement.metrics.len() <= 128
        && measurement.metrics.iter().all(is_metric)
        && measurement.seconds.is_finite()
        && measurement.seconds >= 0.0
}
