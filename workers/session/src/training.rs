//! The thread on which a [`Trainer`] works.
//!
//! One thread for the life of the worker, not one an execution: numerical
//! libraries keep pools and caches for every thread that ever used them. A
//! trainer that panics fails its execution and is used again.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use sweep_proto::v1::{FailureKind, Measurement};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::trainer::{Epochs, Execution, Failure, Trained, Trainer};

/// How many measurements may wait to be handed in. When the coordinator was
/// out of reach for this many epochs, training waits.
const WAITING_LIMIT: usize = 1024;

/// What came of an execution.
pub(crate) type Training = Result<Trained, Failure>;

/// Tells a training trainer to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks the trainer to stop at its next step.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A trainer on its thread.
#[derive(Debug)]
pub struct TrainingThread {
    orders: mpsc::UnboundedSender<Order>,
    thread: JoinHandle<()>,
    /// Its one permit is held while the trainer trains.
    busy: Arc<Semaphore>,
    device: String,
}

struct Order {
    execution: Execution,
    measurements: Sink,
    training: oneshot::Sender<Training>,
    busy: OwnedSemaphorePermit,
}

/// Where the trainer's measurements go.
struct Sink {
    measurements: mpsc::Sender<Measurement>,
    stop: Stop,
}

impl Epochs for Sink {
    fn report(&mut self, measurement: Measurement) -> bool {
        // The other end is gone as soon as nobody waits for the attempt.
        self.wanted() && self.measurements.blocking_send(measurement).is_ok() && self.wanted()
    }

    fn wanted(&self) -> bool {
        !self.stop.is_set()
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
        let (orders, receiver) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("trainer".to_owned())
            .spawn(move || work(trainer, receiver))?;
        Ok(Self { orders, thread, busy: Arc::new(Semaphore::new(1)), device })
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

    /// Has an execution trained, once the trainer is idle. Returns where its
    /// measurements come out, and then what came of it.
    pub(crate) async fn train(
        &self,
        execution: Execution,
        stop: Stop,
    ) -> (mpsc::Receiver<Measurement>, impl Future<Output = Training> + Send + use<>) {
        let permit = Arc::clone(&self.busy).acquire_owned().await.expect("never closed");
        let (sender, measurements) = mpsc::channel(WAITING_LIMIT);
        let (training, trained) = oneshot::channel();
        let sink = Sink { measurements: sender, stop };
        // If the thread is gone, so is the order, and `trained` says so.
        self.orders.send(Order { execution, measurements: sink, training, busy: permit }).ok();
        let training = async {
            trained.await.unwrap_or_else(|_| Err(failure("the training thread has ended".into())))
        };
        (measurements, training)
    }

    /// Waits until the trainer is idle.
    pub(crate) async fn idle(&self) {
        drop(self.busy.acquire().await.expect("never closed"));
    }
}

fn work<T: Trainer>(mut trainer: T, mut orders: mpsc::UnboundedReceiver<Order>) {
    while let Some(Order { execution, mut measurements, training, busy }) = orders.blocking_recv() {
        // Unwind safety: `Trainer` documents that a trainer is used again.
        let trained =
            catch_unwind(AssertUnwindSafe(|| trainer.train(&execution, &mut measurements)))
                .unwrap_or_else(|panic| Err(failure(format!("panic: {}", words(&*panic)))));
        // Ends the reporting, which the session awaits together with the result.
        drop(measurements);
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

    use sweep_proto::v1::Specification;

    use super::*;

    /// Reports for as long as it is wanted, and says so after every epoch.
    struct Eager(blocking::Sender<u32>);

    impl Trainer for Eager {
        fn device(&self) -> String {
            "eager".to_owned()
        }

        fn train(&mut self, _job: &Execution, epochs: &mut dyn Epochs) -> Training {
            let mut epoch = 1;
            while epochs.report(Measurement { epoch, ..Measurement::default() }) {
                self.0.send(epoch).expect("the test listens");
                epoch += 1;
            }
            Ok(Trained::default())
        }
    }

    #[tokio::test]
    async fn a_full_queue_holds_training_up_and_a_closed_one_ends_it() {
        let (sender, reported) = blocking::channel();
        let trainer = TrainingThread::start(Eager(sender)).expect("a thread");
        let execution = Execution {
            specification: Specification::default(),
            seed: 0,
            dataset: PathBuf::from("nowhere"),
            checkpoint: None,
            keep_checkpoint: false,
        };
        let (mut measurements, training) = trainer.train(execution, Stop::default()).await;
        let limit = WAITING_LIMIT as u32;
        for epoch in 1..=limit {
            assert_eq!(reported.recv(), Ok(epoch));
        }
        // One that is taken makes room for one.
        assert_eq!(measurements.recv().await.map(|measurement| measurement.epoch), Some(1));
        assert_eq!(reported.recv(), Ok(limit + 1));
        assert_eq!(measurements.len(), WAITING_LIMIT);
        drop(measurements);
        assert!(training.await.is_ok());
        trainer.idle().await;
        assert!(reported.try_recv().is_err(), "no more room was found");
        assert!(trainer.finish());
    }
}
