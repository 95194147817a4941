//! Fetching what the coordinator streams, again whenever the connection was lost:
//! from the beginning, or from where the [`Sink`] can go on.
//!
//! Where the chunks go, and whether they are what was asked for, is the
//! [`Sink`]'s affair.

use std::time::Duration;

use sweep_proto::connect::Client;
use tokio::time::timeout;
use tonic::{Response, Status, Streaming};

use crate::error::CallError;
use crate::link::{Call, Link};
use crate::retry::Failures;

/// How long the next chunk may take.
const CHUNK_LIMIT: Duration = Duration::from_secs(60);

/// How often a fetch may break off half-way and be begun again; one that goes on gets
/// further each time.
const INTERRUPTIONS_LIMIT: u32 = 10;

/// Takes in one stream.
pub(crate) trait Sink {
    /// What the stream is made of.
    type Chunk;
    /// What can be wrong with it.
    type Error;
    /// Whether the next one goes on where this one has broken off.
    const GOES_ON: bool = false;

    /// Takes the next chunk in.
    fn write(&mut self, chunk: Self::Chunk)
    -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Checks, once the stream has ended, that it was whole.
    fn finish(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Puts down what has come, since the stream has broken off.
    fn break_off(&mut self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// A stream that was not fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError<E> {
    /// It was not what was asked for, or there is no room for it.
    #[error("{0}")]
    Content(E),
    /// The connection was lost again and again.
    #[error("fetching broke off {INTERRUPTIONS_LIMIT} times: {0}")]
    Interrupted(String),
    /// The coordinator refused, or was out of reach for long.
    #[error("{0}")]
    Call(CallError),
}

/// Fetches one stream.
///
/// - `call`: which one, for messages
/// - `open`: makes the call
/// - `begin`: makes the sink of a fetch that begins, or goes on; dropped when it
///   breaks off
///
/// # Errors
///
/// Whatever the sink refuses, and what the connection does.
pub(crate) async fn fetch<S, F>(
    link: &Link,
    call: Call,
    open: impl Fn(Client, &S) -> F,
    begin: impl Fn() -> Result<S, S::Error>,
) -> Result<S, FetchError<S::Error>>
where
    S: Sink,
    F: Future<Output = Result<Response<Streaming<S::Chunk>>, Status>>,
{
    let mut failures = link.failures();
    let mut interruptions = 0;
    loop {
        let mut fetching = Fetching {
            link,
            failures: &mut failures,
            sink: begin().map_err(FetchError::Content)?,
            has_begun: false,
        };
        let call_made = open(link.client(), &fetching.sink);
        let status = match fetching.run(call_made).await {
            Ok(()) => return Ok(fetching.sink),
            Err(Broken::For(error)) => return Err(FetchError::Content(error)),
            Err(Broken::Off(status)) => status,
        };
        fetching.sink.break_off().await;
        if fetching.has_begun && !S::GOES_ON {
            interruptions += 1;
            if interruptions == INTERRUPTIONS_LIMIT {
                return Err(FetchError::Interrupted(status.message().to_owned()));
            }
        }
        drop(fetching);
        link.after(call, status, &mut failures).await.map_err(FetchError::Call)?;
    }
}

/// How a fetch fails.
enum Broken<E> {
    /// By the connection.
    Off(Status),
    /// By this error.
    For(E),
}

/// One try.
struct Fetching<'a, S> {
    link: &'a Link,
    failures: &'a mut Failures,
    sink: S,
    /// Whether a chunk has arrived.
    has_begun: bool,
}

impl<S: Sink> Fetching<'_, S> {
    async fn run<F>(&mut self, call: F) -> Result<(), Broken<S::Error>>
    where
        F: Future<Output = Result<Response<Streaming<S::Chunk>>, Status>>,
    {
        let silence =
            |_| Status::deadline_exceeded(format!("silent for {} s", CHUNK_LIMIT.as_secs()));
        let response = timeout(CHUNK_LIMIT, call).await.map_err(silence).flatten();
        let mut stream = response.map_err(Broken::Off)?.into_inner();
        loop {
            let message = timeout(CHUNK_LIMIT, stream.message()).await.map_err(silence).flatten();
            let Some(chunk) = message.map_err(Broken::Off)? else { break };
            self.has_begun = true;
            self.link.answered();
            self.failures.clear();
            self.sink.write(chunk).await.map_err(Broken::For)?;
        }
        self.sink.finish().await.map_err(Broken::For)
    }
}
