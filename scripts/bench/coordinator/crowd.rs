//! How long heartbeats take where many workers are connected.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sweep_proto::VERSION;
use sweep_proto::connect::Client;
use sweep_proto::v1::acquire_response::Answer;
use sweep_proto::v1::{
    AcquireRequest, Assignment, AttemptId, HeartbeatRequest, Measurement, Metric, ReportRequest,
    Worker,
};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::coordinator::Place;
use crate::{Figure, Wanted};

/// Workers that train, and as many that wait.
const TRAINING: u32 = 1000;

/// Workers that connect at once.
const CONNECTING: usize = 16;

/// How long is measured.
const TIME: Duration = Duration::from_secs(30);

/// Between two heartbeats, and two measurements, of a worker.
const HEARTBEAT: Duration = Duration::from_secs(5);
const EPOCH: Duration = Duration::from_secs(1);

fn worker(index: u32) -> Worker {
    Worker {
        name: format!("worker-{index}"),
        instance: u64::from(index) + 1,
        version: VERSION.to_owned(),
        device: "none".to_owned(),
        ..Worker::default()
    }
}

async fn acquire(client: &mut Client, worker: &Worker) -> Assignment {
    loop {
        let request = AcquireRequest { worker: Some(worker.clone()) };
        let answer = client.acquire(request).await.expect("answered").into_inner().answer;
        match answer {
            Some(Answer::Assignment(assignment)) => return assignment,
            Some(Answer::Wait(_)) => {}
            Some(Answer::StudyOver(_)) | None => panic!("there are more trials"),
        }
    }
}

/// Waits for an execution that never comes.
async fn idle(mut client: Client, worker: Worker) {
    loop {
        let request = AcquireRequest { worker: Some(worker.clone()) };
        let answer = client.acquire(request).await.expect("answered").into_inner().answer;
        assert!(matches!(answer, Some(Answer::Wait(_))), "{answer:?}");
    }
}

/// Sends heartbeats and measurements until `end`; returns how long heartbeats took.
async fn train(mut client: Client, worker: Worker, id: AttemptId, end: Instant) -> Vec<Duration> {
    let mut beats = Vec::new();
    // Not all at once.
    let offset = EPOCH.mul_f64(f64::from(id.trial % 100) / 100.0);
    tokio::time::sleep(offset).await;
    let mut ticks = tokio::time::interval(EPOCH);
    let mut last_beat = Instant::now();
    let mut epoch = 0;
    while Instant::now() < end {
        ticks.tick().await;
        epoch += 1;
        let metrics = vec![Metric::measured("val_accuracy", 0.5), Metric::measured("loss", 1.0)];
        let measurements = vec![Measurement { epoch, metrics, seconds: 1.0 }];
        let instance = worker.instance;
        client
            .report(ReportRequest { id: Some(id), instance, measurements })
            .await
            .expect("measured");
        if last_beat.elapsed() >= HEARTBEAT {
            last_beat = Instant::now();
            let request = HeartbeatRequest { id: Some(id), worker: Some(worker.clone()) };
            client.heartbeat(request).await.expect("heard");
            beats.push(last_beat.elapsed());
        }
    }
    beats
}

pub(crate) async fn measure() -> Vec<Figure> {
    let place = Place::new();
    let coordinator = place.coordinator(TRAINING);
    eprintln!("{TRAINING} workers that train, and as many that wait");
    let gate = Arc::new(Semaphore::new(CONNECTING));
    let leased = Arc::new(Mutex::new(Vec::new()));
    let mut connecting = JoinSet::new();
    for index in 0..TRAINING {
        let (gate, leased) = (Arc::clone(&gate), Arc::clone(&leased));
        let mut client = coordinator.client();
        connecting.spawn(async move {
            let _one = gate.acquire_owned().await.expect("never closed");
            let worker = worker(index);
            let id = acquire(&mut client, &worker).await.id.expect("an id");
            leased.lock().await.push((client, worker, id));
        });
    }
    while let Some(connected) = connecting.join_next().await {
        connected.expect("no panic");
    }
    let mut idlers = JoinSet::new();
    for index in TRAINING..2 * TRAINING {
        idlers.spawn(idle(coordinator.client(), worker(index)));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let end = Instant::now() + TIME;
    let mut training = JoinSet::new();
    for (client, worker, id) in leased.lock().await.drain(..) {
        training.spawn(train(client, worker, id, end));
    }
    let mut beats = Vec::new();
    while let Some(beaten) = training.join_next().await {
        beats.extend(beaten.expect("no panic"));
    }
    idlers.abort_all();
    let memory = coordinator.memory_mb();
    coordinator.kill();
    beats.sort_unstable();
    let p99 = beats[beats.len() * 99 / 100].as_secs_f64() * 1000.0;
    let median = beats[beats.len() / 2].as_secs_f64() * 1000.0;
    eprintln!("{} heartbeats, median {median:.1} ms", beats.len());
    vec![
        Figure {
            what: "heartbeat, 99th percentile".to_owned(),
            value: p99,
            unit: "ms",
            wanted: Wanted::AtMost(50.0),
        },
        Figure {
            what: format!("memory with {} workers", 2 * TRAINING),
            value: memory,
            unit: "MB",
            wanted: Wanted::AtMost(300.0),
        },
    ]
}
