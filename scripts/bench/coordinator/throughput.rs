//! How many trials a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sweep_session::{Backoff, Departure, End, Settings, ToyTrainer, TrainingThread, serve};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::coordinator::{Coordinator, Place};
use crate::{Figure, Wanted};

const WORKERS: usize = 64;

/// Trials in a study whose rate is compared with that of a long one.
const FEW: u32 = 1000;

/// A trainer that counts what it has trained.
struct Counting {
    trainer: ToyTrainer,
    trained: Arc<AtomicU32>,
}

impl sweep_session::Trainer for Counting {
    fn device(&self) -> String {
        self.trainer.device()
    }

    fn train(
        &mut self,
        execution: &sweep_session::Execution,
        epochs: &mut dyn sweep_session::Epochs,
    ) -> Result<sweep_session::Ending, sweep_session::Failure> {
        self.trained.fetch_add(1, Ordering::Relaxed);
        self.trainer.train(execution, epochs)
    }
}

/// Trains until the study is over; returns after how long so many were trained:
/// a time for each of `marks`.
async fn train(coordinator: &Coordinator, marks: &[u32]) -> Vec<Duration> {
    let trained = Arc::new(AtomicU32::new(0));
    let begin = Instant::now();
    let mut workers = JoinSet::new();
    for index in 0..WORKERS {
        let settings = Settings {
            name: format!("worker-{index}"),
            host: "host".to_owned(),
            labels: Default::default(),
            cache_bytes: None,
            cache: std::env::temp_dir(),
            give_up_after: Duration::from_secs(60),
            backoff: Backoff::default(),
            grace: Duration::from_secs(1),
            idle_timeout: None,
            max_trials: None,
        };
        let (stay, departure) = watch::channel(Departure::Stay);
        let trainer = ToyTrainer::new(Duration::ZERO, None);
        let trainer = Counting { trainer, trained: Arc::clone(&trained) };
        let trainer = TrainingThread::start(trainer).expect("a thread");
        let client = coordinator.client();
        workers.spawn(async move {
            let end = serve(client, &settings, &trainer, departure).await.expect("served");
            drop(stay);
            end
        });
    }
    let mut times = Vec::new();
    for &mark in marks {
        while trained.load(Ordering::Relaxed) < mark {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        times.push(begin.elapsed());
    }
    while let Some(end) = workers.join_next().await {
        assert_eq!(end.expect("no panic"), End::StudyOver);
    }
    times
}

pub(crate) async fn measure(trials: u32) -> Vec<Figure> {
    let place = Place::new();
    let coordinator = place.coordinator(trials);
    let window = FEW.min(trials / 4);
    let marks = [window, 2 * window, trials - window, trials];
    eprintln!("{trials} trials with {WORKERS} workers");
    let times = train(&coordinator, &marks).await;
    let rate = |from: Duration, to: Duration| f64::from(window) / (to - from).as_secs_f64();
    let (early, late) = (rate(times[0], times[1]), rate(times[2], times[3]));
    let whole = f64::from(trials) / times[3].as_secs_f64();
    let memory = coordinator.memory_mb();
    coordinator.wait();
    eprintln!(
        "{early:.0} a second at {window}, {late:.0} at {trials}, {whole:.0} on average, {memory:.0} MB"
    );

    let again = place.coordinator(trials + 1);
    let started_in = again.started_in.as_secs_f64();
    again.kill();
    vec![
        Figure {
            what: format!("trials a second at {window}"),
            value: early,
            unit: "1/s",
            wanted: Wanted::AtLeast(2000.0),
        },
        Figure {
            what: format!("rate at {trials} trials, of that at {window}"),
            value: late / early,
            unit: "",
            wanted: Wanted::AtLeast(0.8),
        },
        Figure {
            what: format!("start on {trials} trials"),
            value: started_in,
            unit: "s",
            wanted: Wanted::AtMost(3.0),
        },
    ]
}
