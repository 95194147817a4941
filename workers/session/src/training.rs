//! The thread on which a [`Trainer`] works.
//!
//! One thread for the life of the worker, not one an execution: numerical
//! libraries keep pools and caches for every thread that ever used them. A
//! trainer that panics fails its execution and is used again.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sweep_proto::v1::{FailureKind, Measurement};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::trainer::{Checkpoint, Course, Ending, Epochs, Execution, Failure, Trainer};

/// How many measurements may wait to be handed in. When the coordinator was
/// out of reach for this many epochs, training waits.
const WAITING_LIMIT: usize = 1024;

/// What came of an execution.
pub(crate) type Training = Result<Ending, Failure>;

/// Tells a training trainer what to do at its next step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steering(Arc<AtomicU8>);

/// [`Course`] as a number; a higher one is never taken back.
const LEAVE: u8 = 1;
const STOP: u8 = 2;

impl Steering {
    /// Asks the trainer to leave with a checkpoint.
    pub(crate) fn leave(&self) {
        self.0.fetch_max(LEAVE, Ordering::Relaxed);
    }

    /// Asks the trainer to stop.
    pub(crate) fn stop(&self) {
        self.0.fetch_max(STOP, Ordering::Relaxed);
    }

    fn course(&self) -> Course {
        match self.0.load(Ordering::Relaxed) {
            0 => Course::GoOn,
            LEAVE => Course::Leave,
            _ => Course::Stop,
        }
    }
}

/// What comes out of a trainer while it trains, in order.
#[derive(Debug)]
pub(crate) enum Report {
    /// An epoch was measured.
    Measured(Measurement),
    /// A checkpoint was made. The permit is to be dropped when it was handed in,
    /// or was given up: not before is there a next one.
    Kept(Checkpoint, OwnedSemaphorePermit),
}

/// A trainer on its thread.
#[derive(Debug)]
pub struct TrainingThread {
    orders: mpsc::UnboundedSender<Order>,
    thread: JoinHandle<()>,
    /// Its one permit is held while the trainer trains.
    busy: Arc<Semaphore>,
    device: String,
    memory_bytes: Option<u64>,
}

struct Order {
    execution: Execution,
    sink: Sink,
    training: oneshot::Sender<Training>,
    busy: OwnedSemaphorePermit,
}

/// Where the trainer's measurements and checkpoints go.
struct Sink {
    reports: mpsc::Sender<Report>,
    steering: Steering,
    /// Absent: no checkpoints but those that were asked for.
    pace: Option<Pace>,
}

/// When the next checkpoint is due.
struct Pace {
    every: Duration,
    last: Instant,
    /// Its one permit is held while a checkpoint is handed in.
    handing_in: Arc<Semaphore>,
}

impl Pace {
    fn of(execution: &Execution) -> Option<Self> {
        let training = execution.specification.training.as_ref()?;
        let every = Duration::from_millis(training.checkpoint_ms);
        let handing_in = Arc::new(Semaphore::new(1));
        (!every.is_zero()).then(|| Self { every, last: Instant::now(), handing_in })
    }
}

impl Sink {
    /// Whether anybody listens still.
    fn send(&self, report: Report) -> bool {
        // The other end is gone as soon as nobody waits for the attempt.
        self.steering.course() != Course::Stop && self.reports.blocking_send(report).is_ok()
    }
}

impl Epochs for Sink {
    fn report(&mut self, measurement: Measurement) -> Course {
        if self.send(Report::Measured(measurement)) { self.course() } else { Course::Stop }
    }

    fn course(&self) -> Course {
        self.steering.course()
    }

    fn wants_checkpoint(&self) -> bool {
        self.pace.as_ref().is_some_and(|pace| {
            pace.handing_in.available_permits() > 0 && pace.last.elapsed() >= pace.every
        })
    }

    fn keep(&mut self, checkpoint: Checkpoint) {
        let Some(pace) = &mut self.pace else { return };
        pace.last = Instant::now();
        if let Ok(permit) = Arc::clone(&pace.handing_in).try_acquire_owned() {
            // If nobody listens, the next question says so.
            self.send(Report::Kept(checkpoint, permit));
        }
    }
}

impl TrainingThread {
    /// Starts the thread. It ends, and drops the trainer there, after the value
    /// returned here was dropped and the last training has ended.
    ///
    /// # Errors
    ///
    /// When the operating system has no thread left.
    pub fn start<T: Trainer>(trainer: T) -> std::io::Result<Self> {
        let device = trainer.device();
        let memory_bytes = trainer.memory_bytes();
        let (orders, receiver) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("trainer".to_owned())
            .spawn(move || work(trainer, receiver))?;
        Ok(Self { orders, thread, busy: Arc::new(Semaphore::new(1)), device, memory_bytes })
    }

    /// Drops the trainer and ends its thread. Returns `false`, and leaves both
    /// to themselves, if the trainer is still training.
    #[must_use]
    pub fn finish(self) -> bool {
        if self.busy.available_permits() == 0 {
            return false;
        }
        drop(self.orders);
        // A panic while the trainer was dropped was printed by its thread.
        self.thread.join().ok();
        true
    }

    /// The trainer's device, for people.
    pub(crate) fn device(&self) -> &str {
        &self.device
    }

    /// All memory of the trainer's device, where it is known.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        self.memory_bytes
    }

    /// Has an execution trained, once the trainer is idle. Returns where its
    /// measurements and checkpoints come out, and then what came of it.
    pub(crate) async fn train(
        &self,
        execution: Execution,
        steering: Steering,
    ) -> (mpsc::Receiver<Report>, impl Future<Output = Training> + Send + use<>) {
        let permit = Arc::clone(&self.busy).acquire_owned().await.expect("never closed");
        let (sender, reports) = mpsc::channel(WAITING_LIMIT);
        let (training, trained) = oneshot::channel();
        let sink = Sink { reports: sender, steering, pace: Pace::of(&execution) };
        // If the thread is gone, so is the order, and `trained` says so.
        self.orders.send(Order { execution, sink, training, busy: permit }).ok();
        let training = async {
            trained.await.unwrap_or_else(|_| Err(failure("the training thread has ended".into())))
        };
        (reports, training)
    }

    /// Waits until the trainer is idle.
    pub(crate) async fn idle(&self) {
        drop(self.busy.acquire().await.expect("never closed"));
    }
}

fn work<T: Trainer>(mut trainer: T, mut orders: mpsc::UnboundedReceiver<Order>) {
    while let Some(Order { execution, mut sink, training, busy }) = orders.blocking_recv() {
        // Unwind safety: `Trainer` documents that a trainer is used again.
        let trained = catch_unwind(AssertUnwindSafe(|| trainer.train(&execution, &mut sink)))
            .unwrap_or_else(|panic| Err(failure(format!("panic: {}", words(&*panic)))));
        // Ends the reporting, which the session awaits together with the result.
        drop(sink);
        drop(busy);
        // Nobody waits for the result of an attempt that was stopped.
        training.send(trained).ok();
    }
}

fn failure(message: String) -> Failure {
    Failure { kind: FailureKind::Error, message }
}

/// The message of a panic, as far as it has one.
fn words(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "no message"
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::mpsc as blocking;

    use sweep_proto::v1::{self, Specification};

    use super::*;

    /// Reports for as long as it is wanted, and says so after every epoch.
    struct Eager(blocking::Sender<u32>);

    impl Trainer for Eager {
        fn device(&self) -> String {
            "eager".to_owned()
        }

        fn train(&mut self, _job: &Execution, epochs: &mut dyn Epochs) -> Training {
            let mut epoch = 1;
            let measured = |epoch| Measurement { epoch, ..Measurement::default() };
            while epochs.report(measured(epoch)) == Course::GoOn {
                self.0.send(epoch).expect("the test listens");
                epoch += 1;
            }
            Ok(Ending::Stopped)
        }
    }

    fn execution(checkpoint_ms: u64) -> Execution {
        let training = v1::Training { checkpoint_ms, ..v1::Training::default() };
        Execution {
            specification: Specification { training: Some(training), ..Specification::default() },
            seed: 0,
            dataset: PathBuf::from("nowhere"),
            checkpoint: None,
            keep_checkpoint: false,
        }
    }

    #[test]
    fn the_next_checkpoint_is_due_when_the_last_one_was_handed_in() {
        let sink = |checkpoint_ms| {
            let (reports, receiver) = mpsc::channel(WAITING_LIMIT);
            let pace = Pace::of(&execution(checkpoint_ms));
            (Sink { reports, steering: Steering::default(), pace }, receiver)
        };
        let checkpoint = Checkpoint { epoch: 1, step: 0, bytes: vec![1] };
        let (mut sink_of_an_hour, _receiver) = sink(3_600_000);
        assert!(!sink_of_an_hour.wants_checkpoint(), "not yet");
        let pace = sink_of_an_hour.pace.as_mut().expect("there is one");
        pace.every = Duration::ZERO;
        assert!(sink_of_an_hour.wants_checkpoint());
        let (never, _receiver) = sink(0);
        assert!(!never.wants_checkpoint());

        let (mut sink, mut receiver) = sink(1);
        sink.pace.as_mut().expect("there is one").every = Duration::ZERO;
        sink.keep(checkpoint.clone());
        assert!(!sink.wants_checkpoint(), "one is on its way");
        let Ok(Report::Kept(kept, permit)) = receiver.try_recv() else { panic!("not kept") };
        assert_eq!(kept, checkpoint);
        assert!(!sink.wants_checkpoint(), "it still is");
        drop(permit);
        assert!(sink.wants_checkpoint());
    }

    #[test]
    fn a_course_is_never_taken_back() {
        let steering = Steering::default();
        assert_eq!(steering.course(), Course::GoOn);
        steering.leave();
        assert_eq!(steering.course(), Course::Leave);
        steering.stop();
        steering.leave();
        assert_eq!(steering.course(), Course::Stop);
    }

    #[tokio::test]
    async fn a_full_queue_holds_training_up_and_a_closed_one_ends_it() {
        let (sender, reported) = blocking::channel();
        let trainer = TrainingThread::start(Eager(sender)).expect("a thread");
        let (mut reports, training) = trainer.train(execution(0), Steering::default()).await;
        let limit = WAITING_LIMIT as u32;
        for epoch in 1..=limit {
            assert_eq!(reported.recv(), Ok(epoch));
        }
        // One that is taken makes room for one.
        let first = reports.recv().await;
        assert!(matches!(first, Some(Report::Measured(Measurement { epoch: 1, .. }))));
        assert_eq!(reported.recv(), Ok(limit + 1));
        assert_eq!(reports.len(), WAITING_LIMIT);
        drop(reports);
        assert!(training.await.is_ok());
        trainer.idle().await;
        assert!(reported.try_recv().is_err(), "no more room was found");
        assert!(trainer.finish());
    }
}
