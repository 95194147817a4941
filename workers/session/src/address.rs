//! Where the coordinator listens.
//!
//! Checked when the command line is read, so that a slip is not mistaken for a
//! coordinator that is not there.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tonic::transport::{Channel, Endpoint, Uri};

/// How long one attempt to connect may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How often a silent connection is probed, and how long an answer may take.
/// Without probes a vanished machine would be noticed only by call timeouts.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Address of a coordinator, `http://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Uri);

/// An address that cannot be one of a coordinator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a host and a port.
    #[error("expected HOST:PORT or http://HOST:PORT")]
    Form,
    /// The port is missing.
    #[error("the port is missing: expected HOST:PORT")]
    NoPort,
    /// A scheme other than `http`.
    #[error("`{0}://` is not supported: expected HOST:PORT or http://HOST:PORT")]
    Scheme(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let authority = match text.split_once("://") {
            None => text,
            Some(("http", rest)) => rest,
            Some((scheme, _)) => return Err(AddressError::Scheme(scheme.to_owned())),
        };
        let uri: Uri = format!("http://{authority}").parse().map_err(|_| AddressError::Form)?;
        let plain = uri.path() == "/" && uri.query().is_none() && !authority.contains(['@', '#']);
        match (uri.host(), uri.port_u16()) {
            (Some(host), Some(_)) if plain && !host.is_empty() => Ok(Self(uri)),
            (Some(host), None) if plain && host == authority => Err(AddressError::NoPort),
            (_, _) => Err(AddressError::Form),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "http://{}",
            self.0.authority().map_or("", |authority| authority.as_str())
        )
    }
}

impl Address {
    /// A channel that connects at the first call, and again whenever the
    /// connection was lost.
    ///
    /// To be called within a tokio runtime.
    #[must_use]
    pub fn channel(&self) -> Channel {
        Endpoint::from(self.0.clone())
            .connect_timeout(CONNECT_LIMIT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true)
            .connect_lazy()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_with_or_without_scheme() {
        for (text, shown) in [
            ("127.0.0.1:7070", "http://127.0.0.1:7070"),
            ("http://node-3:7070", "http://node-3:7070"),
            ("http://node-3:7070/", "http://node-3:7070"),
            ("[::1]:7070", "http://[::1]:7070"),
        ] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), shown);
        }
    }

    #[test]
    fn other_forms_are_refused_with_the_reason() {
        for (text, error) in [
            ("node-3", AddressError::NoPort),
            ("http://node-3", AddressError::NoPort),
            ("https://node-3:7070", AddressError::Scheme("https".into())),
            ("", AddressError::Form),
            (":7070", AddressError::Form),
            ("node-3:70707", AddressError::Form),
            ("node-3:7070/path", AddressError::Form),
            ("user@node-3:7070", AddressError::Form),
            ("two words:7070", AddressError::Form),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
    }
}
