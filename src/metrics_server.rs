//! Metrics and health over HTTP/1, for Prometheus and for schedulers' probes.
//!
//! It reads and changes nothing. A request has one answer and its connection
//! ends; how many there are, how long they take and how much they say is
//! bounded, so that whoever floods it slows no worker down.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::coordinator::dispatcher::Handle;
use crate::coordinator::metrics::Metrics;
use crate::status::StudyPhase;

/// Connections at a time; those beyond wait to be accepted.
const MAX_CONNECTIONS: usize = 16;

/// Largest head of a request, in bytes; the least that hyper allows.
const MAX_HEAD_BYTES: usize = 8 << 10;

/// Most header lines of a request.
const MAX_HEADERS: usize = 64;

/// How long the head of a request may take to arrive.
const HEAD_LIMIT: Duration = Duration::from_secs(5);

/// How long a connection may take in all; scrapers give up after 10 s.
const CONNECTION_LIMIT: Duration = Duration::from_secs(10);

/// How long the dispatcher may take to answer before it counts as stuck.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// After the system has refused to accept, before it is tried again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Prometheus's text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

const PLAIN: &str = "text/plain; charset=utf-8";

/// What is served.
#[derive(Debug, Clone)]
pub struct Site {
    /// Counts what is shown.
    pub metrics: Metrics,
    /// The way to the dispatcher.
    pub handle: Handle,
}

/// Reads the address of `--metrics`: IP:PORT, or a port of loopback.
///
/// # Errors
///
/// What is expected.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse().map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port)));
    port.or_else(|_| text.parse())
        .map_err(|_| "expected IP:PORT, or a port of loopback such as 9464".to_owned())
}

impl Site {
    /// Answers on `listener` for ever.
    pub async fn serve(self, listener: TcpListener) -> Infallible {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            let place = place.expect("nobody closes the semaphore");
            match listener.accept().await {
                Ok((stream, _)) => {
                    let site = self.clone();
                    tokio::spawn(async move {
                        site.serve_one(stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    refused(&error);
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    async fn serve_one(&self, stream: TcpStream) {
        let answer = service_fn(|request: Request<Incoming>| async move {
            Ok::<_, Infallible>(self.answer(request.method(), request.uri().path()).await)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_LIMIT)
            .keep_alive(false)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), answer);
        match tokio::time::timeout(CONNECTION_LIMIT, connection).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("a request for metrics: {error}"),
            Err(_) => tracing::debug!("a request for metrics took too long"),
        }
    }

    async fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            let mut refusal =
                page(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET and HEAD\n".to_owned());
            refusal.headers_mut().insert(ALLOW, "GET, HEAD".parse().expect("ASCII"));
            return refusal;
        }
        match path {
            "/metrics" => self.metrics().await,
            "/healthz" => self.health().await,
            _ => page(StatusCode::NOT_FOUND, PLAIN, "here are /metrics and /healthz\n".to_owned()),
        }
    }

    async fn metrics(&self) -> Response<Full<Bytes>> {
        let queued = self.handle.queued();
        match tokio::time::timeout(ANSWER_LIMIT, self.handle.status()).await {
            Ok(Ok(status)) => page(StatusCode::OK, EXPOSITION, self.metrics.page(&status, queued)),
            Ok(Err(ending)) => unwell(&ending.to_string()),
            Err(_) => unwell(STUCK),
        }
    }

    async fn health(&self) -> Response<Full<Bytes>> {
        match tokio::time::timeout(ANSWER_LIMIT, self.handle.status()).await {
            Ok(Ok(status)) => match status.phase {
                StudyPhase::Running => page(StatusCode::OK, PLAIN, "ok\n".to_owned()),
                StudyPhase::Stopping => unwell("the coordinator is stopping"),
                StudyPhase::Ended { .. } => unwell("the study is over"),
            },
            Ok(Err(ending)) => unwell(&ending.to_string()),
            Err(_) => unwell(STUCK),
        }
    }
}

const STUCK: &str = "the coordinator does not answer";

fn unwell(reason: &str) -> Response<Full<Bytes>> {
    page(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("{reason}\n"))
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, kind)
        .header(CACHE_CONTROL, "no-store")
        .body(Full::new(Bytes::from(text)))
        .expect("its headers are constants of this program")
}

/// A connection that was cut before it was accepted is nobody's trouble.
fn refused(error: &io::Error) {
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset => {}
        _ => tracing::warn!("requests for metrics are not accepted: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_loopback() {
        let parsed = |text| parse_address(text).map(|address| address.to_string());
        assert_eq!(parsed("9464").as_deref(), Ok("127.0.0.1:9464"));
        assert_eq!(parsed("0.0.0.0:9464").as_deref(), Ok("0.0.0.0:9464"));
        assert_eq!(parsed("[::1]:0").as_deref(), Ok("[::1]:0"));
        for wrong in ["", "localhost:9464", "94640", "127.0.0.1"] {
            assert!(parse_address(wrong).is_err(), "{wrong}");
        }
    }
}
