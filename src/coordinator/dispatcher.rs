//! The dispatcher: the one thread through which everything happens.
//!
//! It drains the events that wait, lets [`Search::decide`] decide each of
//! them, commits all records in one transaction, shows them to the observer,
//! and only then replies. When the store refuses, no reply is sent and the
//! coordinator ends: what was acknowledged is on disk, and nothing else was.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sweep_proto::VERSION;
use tokio::sync::{mpsc, oneshot, watch};

use super::decide::{Decision, Event, Now, Reply, ReplyTo, Search};
use crate::status::Status;
use crate::store::{Store, StoreError};
use crate::study::{AttemptId, Stamped, Study};

/// Events that wait for the dispatcher; beyond that, callers wait.
const QUEUE: usize = 1024;

/// Most events decided and committed together.
const BATCH: usize = 256;

/// How often deadlines are looked at, also when no event comes.
const TICK: Duration = Duration::from_millis(500);

/// Sees every batch of records once it is durable.
pub trait Observer: Send {
    /// - `study`: with `committed` folded in
    fn observe(&mut self, study: &Study, committed: &[Stamped]);

    /// Sees, before that, how long it took to make the batch durable.
    fn commit_took(&mut self, _duration: Duration) {}

    /// Sees, after that, what the user is to be told.
    fn warn(&mut self, _text: &str) {}
}

impl<A: Observer, B: Observer> Observer for (A, B) {
    fn observe(&mut self, study: &Study, committed: &[Stamped]) {
        self.0.observe(study, committed);
        self.1.observe(study, committed);
    }

    fn commit_took(&mut self, duration: Duration) {
        self.0.commit_took(duration);
        self.1.commit_took(duration);
    }

    fn warn(&mut self, text: &str) {
        self.0.warn(text);
        self.1.warn(text);
    }
}

/// A way to the dispatcher, to be cloned freely.
#[derive(Debug, Clone)]
pub struct Handle {
    events: mpsc::Sender<Envelope>,
    next_reply: Arc<AtomicU64>,
}

/// The dispatcher has ended, with its study or because the store refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the coordinator is ending")]
pub struct Ending;

/// What became of the dispatcher's thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The study is under way.
    Running,
    /// The study is over; workers that ask are told so.
    Over,
    /// The store refused; nothing is acknowledged any more.
    StoreFailed,
}

/// A running dispatcher.
pub struct Dispatcher {
    /// The way to it.
    pub handle: Handle,
    /// What has become of it.
    pub phase: watch::Receiver<Phase>,
    thread: JoinHandle<Result<Study, StoreError>>,
}

#[derive(Debug)]
enum Envelope {
    Event {
        event: Event,
        reply: Option<(ReplyTo, oneshot::Sender<Reply>)>,
    },
    /// Say where things stand, once what came before is durable.
    Status(oneshot::Sender<Status>),
    /// Decide what came before, and end.
    Close,
    /// The same, because what belongs into the run cannot be kept.
    Fail(StoreError),
}

/// Both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// A monotonic clock that starts at zero now.
    #[must_use]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Now {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Now {
            unix_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
            monotonic_ms: millis(self.started.elapsed()),
        }
    }
}

impl Handle {
    /// Sends an event and waits for its reply.
    ///
    /// # Errors
    ///
    /// When the dispatcher has ended.
    pub async fn ask(&self, event: impl FnOnce(ReplyTo) -> Event) -> Result<Reply, Ending> {
        let reply_to = ReplyTo(self.next_reply.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        let envelope = Envelope::Event { event: event(reply_to), reply: Some((reply_to, sender)) };
        self.events.send(envelope).await.map_err(|_| Ending)?;
        receiver.await.map_err(|_| Ending)
    }

    /// Sends an event that has no reply.
    ///
    /// # Errors
    ///
    /// When the dispatcher has ended.
    pub async fn tell(&self, event: Event) -> Result<(), Ending> {
        self.events.send(Envelope::Event { event, reply: None }).await.map_err(|_| Ending)
    }
}

impl Handle {
    /// Where the study and its workers stand; all of it is on disk.
    ///
    /// # Errors
    ///
    /// When the dispatcher has ended.
    pub async fn status(&self) -> Result<Status, Ending> {
        let (sender, receiver) = oneshot::channel();
        self.events.send(Envelope::Status(sender)).await.map_err(|_| Ending)?;
        receiver.await.map_err(|_| Ending)
    }

    /// Ends the dispatcher as if its store had refused.
    ///
    /// # Errors
    ///
    /// When the dispatcher has ended.
    pub async fn fail(&self, error: StoreError) -> Result<(), Ending> {
        self.events.send(Envelope::Fail(error)).await.map_err(|_| Ending)
    }

    /// How many events wait for the dispatcher.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.events.max_capacity() - self.events.capacity()
    }
}

impl Dispatcher {
    /// Starts the dispatcher's thread. `first` are the records of the start.
    ///
    /// It ends when it is closed, or when the store refuses.
    #[must_use]
    pub fn start(
        search: Search,
        store: Store,
        observer: Box<dyn Observer>,
        clock: Clock,
        first: Decision,
    ) -> Self {
        let (events, receiver) = mpsc::channel(QUEUE);
        let (phase_sender, phase) = watch::channel(Phase::Running);
        let body =
            Body { search, store, observer, clock, phase: phase_sender, waiting: HashMap::new() };
        let thread = std::thread::Builder::new()
            .name("dispatcher".to_owned())
            .spawn(move || body.run(receiver, first))
            .expect("the system starts a thread at the start of the program");
        let handle = Handle { events, next_reply: Arc::default() };
        Self { handle, phase, thread }
    }

    /// Ends the thread once what was sent before is decided, and gives the
    /// study as it was last. Calls that come later fail with [`Ending`].
    ///
    /// # Errors
    ///
    /// The store's refusal.
    pub async fn close(self) -> Result<Study, StoreError> {
        // A thread that has ended already needs no telling.
        let _ = self.handle.events.send(Envelope::Close).await;
        let joined = tokio::task::spawn_blocking(|| self.thread.join()).await;
        joined
            .expect("waiting for a thread does not panic")
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// What the thread owns.
struct Body {
    search: Search,
    store: Store,
    observer: Box<dyn Observer>,
    clock: Clock,
    phase: watch::Sender<Phase>,
    waiting: HashMap<ReplyTo, oneshot::Sender<Reply>>,
}

impl Body {
    fn run(
        mut self,
        mut events: mpsc::Receiver<Envelope>,
        first: Decision,
    ) -> Result<Study, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime with a timer alone needs nothing from the system");
        self.carry_out(vec![first])?;
        loop {
            let batch = runtime.block_on(next_batch(&mut events));
            let now = self.clock.now();
            let mut is_open = batch.is_some();
            let mut decisions = Vec::new();
            let mut watchers = Vec::new();
            let mut failed = None;
            for envelope in batch.unwrap_or_default() {
                match envelope {
                    Envelope::Event { event, reply } => {
                        if let Some((reply_to, sender)) = reply {
                            self.waiting.insert(reply_to, sender);
                        }
                        decisions.push(self.search.decide(now, event));
                        #[cfg(test)]
                        self.search.check_invariants();
                    }
                    Envelope::Status(sender) => watchers.push(sender),
                    Envelope::Close => is_open = false,
                    Envelope::Fail(error) => failed = Some(error),
                }
            }
            decisions.push(self.search.decide(now, Event::Tick));
            self.carry_out(decisions)?;
            self.tell(watchers);
            if let Some(error) = failed {
                self.phase.send_replace(Phase::StoreFailed);
                return Err(error);
            }
            if !is_open {
                return Ok(self.search.study().clone());
            }
        }
    }

    fn carry_out(&mut self, decisions: Vec<Decision>) -> Result<(), StoreError> {
        let mut records = Vec::new();
        let mut replies = Vec::new();
        let mut warnings = Vec::new();
        for decision in decisions {
            records.extend(decision.records);
            replies.extend(decision.replies);
            warnings.extend(decision.warnings);
        }
        if !records.is_empty() {
            let begun = Instant::now();
            if let Err(error) = self.store.append(&records) {
                self.phase.send_replace(Phase::StoreFailed);
                return Err(error);
            }
            self.observer.commit_took(begun.elapsed());
            self.observer.observe(self.search.study(), &records);
        }
        for text in warnings {
            self.observer.warn(&text);
        }
        let mut undelivered = Vec::new();
        for (reply_to, reply) in replies {
            if let Some(sender) = self.waiting.remove(&reply_to)
                && let Err(Reply::Assigned { id, .. }) = sender.send(reply)
            {
                undelivered.push(id);
            }
        }
        if self.search.study().ended.is_some() {
            self.phase.send_if_modified(|phase| {
                let changed = *phase == Phase::Running;
                *phase = Phase::Over;
                changed
            });
        }
        self.take_back(undelivered)
    }

    /// Answers those who watch; one look is enough for all.
    fn tell(&self, watchers: Vec<oneshot::Sender<Status>>) {
        if watchers.is_empty() {
            return;
        }
        let status = self.search.status(self.clock.now(), VERSION);
        for watcher in watchers {
            // It may have left meanwhile.
            let _ = watcher.send(status.clone());
        }
    }

    /// Gives back what was leased to callers that had left while they waited.
    fn take_back(&mut self, undelivered: Vec<AttemptId>) -> Result<(), StoreError> {
        if undelivered.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let search = &mut self.search;
        let events = undelivered.into_iter().map(|id| Event::Undelivered { id });
        let decisions = events.map(|event| search.decide(now, event)).collect();
        self.carry_out(decisions)
    }
}

/// The events that wait, at least one unless a tick has passed; `None` when
/// every handle is gone.
async fn next_batch(events: &mut mpsc::Receiver<Envelope>) -> Option<Vec<Envelope>> {
    let mut batch = Vec::new();
    match tokio::time::timeout(TICK, events.recv_many(&mut batch, BATCH)).await {
        Ok(0) => None,
        Ok(_) | Err(_) => Some(batch),
    }
}
