//! Where a coordinator listens, and what lets a worker in: the line that the
//! coordinator prints and a worker is started with.
//!
//! `HOST:PORT` is a coordinator on loopback. `sweep://HOST:PORT/TOKEN/FINGERPRINT`
//! is one that is open to other machines: it is spoken to over TLS, wants the
//! token, and shows the certificate with this fingerprint. Without a fingerprint
//! its certificate must come from an authority that the worker trusts. Checked
//! when the command line is read, so that a slip is not mistaken for a
//! coordinator that is not there.

use std::fmt;
use std::str::FromStr;

use tonic::transport::Uri;

use crate::secret::{Fingerprint, Token};

/// How a coordinator is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Unencrypted.
    Plain,
    /// Over TLS; its certificate is the one with this fingerprint.
    Pinned(Fingerprint),
    /// Over TLS; its certificate is signed by a trusted authority.
    Authority,
}

/// Address of a coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `http://HOST:PORT`
    uri: Uri,
    /// What its workers present.
    pub token: Option<Token>,
    /// How it is spoken to.
    pub security: Security,
}

/// An address that cannot be one of a coordinator. Never holds a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a host and a port.
    #[error("expected HOST:PORT or sweep://HOST:PORT/TOKEN/FINGERPRINT")]
    Form,
    /// The port is missing.
    #[error("the port is missing: expected HOST:PORT")]
    NoPort,
    /// A scheme that is none of ours.
    #[error("`{0}://` is not supported: expected HOST:PORT or sweep://HOST:PORT/TOKEN/FINGERPRINT")]
    Scheme(String),
    /// The second part.
    #[error("the token is not one: it has 16 to 128 letters, digits, `-` or `_`")]
    Token,
    /// The third part.
    #[error("the fingerprint is not one: it has 64 hexadecimal digits")]
    Fingerprint,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (is_encrypted, rest) = match text.split_once("://") {
            None | Some(("http", _)) => (false, text.strip_prefix("http://").unwrap_or(text)),
            Some(("sweep", rest)) => (true, rest),
            Some((scheme, _)) => return Err(AddressError::Scheme(scheme.to_owned())),
        };
        let mut parts = rest.strip_suffix('/').unwrap_or(rest).split('/');
        let uri = plain_uri(parts.next().unwrap_or_default())?;
        let token =
            parts.next().map(|text| text.parse().map_err(|_| AddressError::Token)).transpose()?;
        let fingerprint: Option<Fingerprint> = parts
            .next()
            .map(|text| text.parse().map_err(|_| AddressError::Fingerprint))
            .transpose()?;
        let security = match (is_encrypted, fingerprint) {
            (false, None) => Security::Plain,
            (true, Some(fingerprint)) => Security::Pinned(fingerprint),
            (true, None) => Security::Authority,
            (false, Some(_)) => return Err(AddressError::Form),
        };
        if parts.next().is_some() {
            return Err(AddressError::Form);
        }
        Ok(Self { uri, token, security })
    }
}

/// `http://HOST:PORT` of a host and a port.
fn plain_uri(authority: &str) -> Result<Uri, AddressError> {
    let uri: Uri = format!("http://{authority}").parse().map_err(|_| AddressError::Form)?;
    let plain = uri.path() == "/" && uri.query().is_none() && !authority.contains(['@', '#']);
    match (uri.host(), uri.port_u16()) {
        (Some(host), Some(_)) if plain && !host.is_empty() => Ok(uri),
        (Some(host), None) if plain && host == authority => Err(AddressError::NoPort),
        (_, _) => Err(AddressError::Form),
    }
}

/// Without what is secret.
impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.security {
            Security::Plain => "http",
            Security::Pinned(_) | Security::Authority => "sweep",
        };
        write!(formatter, "{scheme}://{}", self.authority())
    }
}

impl Address {
    /// An address of its parts.
    ///
    /// # Errors
    ///
    /// When `host` is not one.
    pub fn new(
        host: &str,
        port: u16,
        token: Option<Token>,
        security: Security,
    ) -> Result<Self, AddressError> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Ok(Self { uri: plain_uri(&format!("{host}:{port}"))?, token, security })
    }

    /// All of it, the token included: what a worker is started with.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = self.to_string();
        if let Some(token) = &self.token {
            line = format!("{line}/{}", token.reveal());
        }
        if let Security::Pinned(fingerprint) = self.security {
            line = format!("{line}/{fingerprint}");
        }
        line
    }

    /// HOST:PORT.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// `http://HOST:PORT`, whatever is spoken there.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Name or number of the host, without brackets.
    pub(crate) fn host(&self) -> &str {
        let host = self.uri.host().unwrap_or_default();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "abcdefghijklmnop-_0123";
    const PRINT: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn host_and_port_with_or_without_scheme() {
        for (text, shown) in [
            ("127.0.0.1:7070", "http://127.0.0.1:7070"),
            ("http://node-3:7070", "http://node-3:7070"),
            ("http://node-3:7070/", "http://node-3:7070"),
            ("[::1]:7070", "http://[::1]:7070"),
        ] {
            let address = text.parse::<Address>().expect(text);
            assert_eq!(address.to_string(), shown);
            assert_eq!((address.token, address.security), (None, Security::Plain));
        }
    }

    #[test]
    fn lines_have_tokens_and_fingerprints_and_show_neither() {
        let print = Security::Pinned(PRINT.parse().expect("a fingerprint"));
        for (rest, security) in [
            (format!("/{TOKEN}/{PRINT}"), print),
            (format!("/{TOKEN}/{}/", PRINT.to_uppercase()), print),
            (format!("/{TOKEN}"), Security::Authority),
        ] {
            let address: Address = format!("sweep://node-3:7070{rest}").parse().expect("a line");
            assert_eq!(address.security, security);
            assert_eq!(address.token, Some(TOKEN.parse().expect("a token")));
            assert_eq!(address.to_string(), "sweep://node-3:7070");
            assert!(!format!("{address:?}").contains(TOKEN));
            assert_eq!(address.line().parse(), Ok(address));
        }
        let plain: Address = format!("http://node-3:7070/{TOKEN}").parse().expect("a line");
        assert_eq!(plain.security, Security::Plain);
        assert_eq!(plain.line(), format!("http://node-3:7070/{TOKEN}"));
        let six = Address::new("::1", 7070, None, Security::Authority).expect("an address");
        assert_eq!((six.line().as_str(), six.host()), ("sweep://[::1]:7070", "::1"));
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
            ("node-3:7070/path", AddressError::Token),
            ("sweep://node-3:7070/short", AddressError::Token),
            ("sweep://node-3:7070/abcdefghijklmnop/12", AddressError::Fingerprint),
            ("user@node-3:7070", AddressError::Form),
            ("two words:7070", AddressError::Form),
            ("node-3:7070?a=b", AddressError::Form),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
        let long = format!("sweep://node-3:7070/{TOKEN}/{PRINT}/more");
        assert_eq!(long.parse::<Address>(), Err(AddressError::Form));
        let plain = format!("http://node-3:7070/{TOKEN}/{PRINT}");
        assert_eq!(plain.parse::<Address>(), Err(AddressError::Form));
    }
}
