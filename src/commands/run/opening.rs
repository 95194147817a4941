//! How a coordinator is opened to workers: where it listens, what it asks of
//! them, and the line that lets them in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use clap::Args;
use sweep_proto::address::{Address, AddressError, Security};
use sweep_proto::secret::Token;

use crate::commands::Failure;
use crate::coordinator::door::Door;
use crate::coordinator::door::keys::{self, Identity, KeysError};
use crate::logging;
use crate::run_directory::RunDirectory;

/// Holds a token, where no file is named.
const TOKEN_VARIABLE: &str = "SWEEP_TOKEN";

/// Options for workers of other machines.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Other machines")]
pub(super) struct OpenArgs {
    /// Where to listen for workers, for example 0.0.0.0:7077 [default: a free port on loopback]
    ///
    /// Beyond loopback, workers present a token and speak TLS. The line that they
    /// are started with is printed, and kept in the run's folder as `join`.
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<SocketAddr>,
    /// Name or number under which other machines find this one [default: its name]
    #[arg(long, value_name = "HOST", requires = "listen")]
    advertise: Option<String>,
    /// The token that workers present [default: $SWEEP_TOKEN, or one that is made]
    #[arg(long, value_name = "FILE", requires = "listen")]
    token_file: Option<PathBuf>,
    /// The certificate that workers are shown, PEM [default: one that is made]
    #[arg(long, value_name = "FILE", requires_all = ["listen", "tls_key"], conflicts_with = "insecure")]
    tls_cert: Option<PathBuf>,
    /// The key of --tls-cert, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authorities, PEM, one of which must have signed what a worker shows with --cert
    #[arg(long, value_name = "FILE", requires = "listen", conflicts_with = "insecure")]
    client_ca: Option<PathBuf>,
    /// Asks for TLS and the token on loopback, too
    #[arg(long, requires = "listen", conflicts_with = "insecure")]
    tls: bool,
    /// Does without TLS: whoever listens in on the network learns the token
    #[arg(long, requires = "listen")]
    insecure: bool,
}

/// A coordinator's opening.
pub(super) struct Opening {
    pub(super) door: Door,
    security: Security,
    /// Whether the token is known to nobody yet.
    is_new: bool,
    /// Under which others find this machine.
    host: Option<String>,
    /// Where the line is kept.
    join: PathBuf,
}

impl OpenArgs {
    /// Where to listen.
    pub(super) fn address(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The same for workers that a scheduler starts on nodes of a cluster: open to
    /// them, on the port of an earlier start, so that those that are left find it.
    pub(super) fn for_nodes(mut self, directory: &RunDirectory) -> Self {
        let is_local = self.listen.is_some_and(|address| address.ip().is_loopback());
        self.tls |= is_local && !self.insecure;
        self.listen = self.listen.or_else(|| {
            let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, earlier_port(directory)));
            // Somebody else may have it by now.
            let is_free = TcpListener::bind(address).is_ok();
            Some(if is_free { address } else { (Ipv4Addr::UNSPECIFIED, 0).into() })
        });
        self
    }

    /// Whether others than this machine's users can connect, or it is to be as
    /// if they could.
    fn is_guarded(&self) -> bool {
        self.tls
            || self.tls_cert.is_some()
            || self.client_ca.is_some()
            || self.token_file.is_some()
            || !self.address().ip().is_loopback()
    }

    /// Reads and makes what is needed.
    ///
    /// # Errors
    ///
    /// When a file cannot be used or made.
    pub(super) fn open(&self, directory: &RunDirectory) -> Result<Opening, Failure> {
        let join = directory.join_line();
        if !self.is_guarded() {
            let (door, security) = (Door::default(), Security::Plain);
            return Ok(Opening { door, security, is_new: false, host: None, join });
        }
        let (token, is_new) = self.token(directory.path())?;
        let mut door = Door { token: Some(token), tls: None };
        let mut security = Security::Plain;
        if self.insecure {
            logging::warning(
                "--insecure: whoever listens in on the network learns the token, and may take part",
            );
        } else {
            let identity = match self.tls_cert.clone().zip(self.tls_key.clone()) {
                Some((certificate, key)) => Identity { certificate, key },
                None => Identity::of_run(directory.path())?,
            };
            door.tls = Some(identity.config(self.client_ca.as_deref())?);
            security = Security::Pinned(identity.fingerprint()?);
        }
        let host = Some(self.host()?);
        Ok(Opening { door, security, is_new, host, join })
    }

    fn token(&self, folder: &Path) -> Result<(Token, bool), Failure> {
        if let Some(path) = &self.token_file {
            return Ok((keys::read_token(path)?, false));
        }
        match std::env::var(TOKEN_VARIABLE) {
            Ok(text) => {
                let token = text.parse().map_err(|error| {
                    Failure::bad_input(format!("${TOKEN_VARIABLE}: {error}"))
                        .with_hint("`openssl rand -hex 32` makes a good one")
                })?;
                Ok((token, false))
            }
            Err(_) => Ok(keys::token_of_run(folder)?),
        }
    }

    /// Under which others find this machine.
    fn host(&self) -> Result<String, Failure> {
        if let Some(host) = &self.advertise {
            return match Address::new(host, 1, None, Security::Plain) {
                Ok(_) => Ok(host.clone()),
                Err(AddressError::Form | AddressError::NoPort | AddressError::Scheme(_))
                | Err(AddressError::Token | AddressError::Fingerprint) => {
                    Err(Failure::bad_input(format!("--advertise {host}: not a name of a machine"))
                        .with_hint("a name or a number, without a port"))
                }
            };
        }
        let ip = self.address().ip();
        if !ip.is_unspecified() {
            return Ok(ip.to_string());
        }
        let name = gethostname::gethostname().to_string_lossy().into_owned();
        Ok(if name.is_empty() { "localhost".to_owned() } else { name })
    }
}

/// The port in the line of an earlier start; 0, which is any, where there was none.
fn earlier_port(directory: &RunDirectory) -> u16 {
    let line = std::fs::read_to_string(directory.join_line()).unwrap_or_default();
    let address: Option<Address> = line.trim().parse().ok();
    let port = address.and_then(|address| address.authority().rsplit_once(':')?.1.parse().ok());
    port.unwrap_or(0)
}

impl Opening {
    /// What this machine's own workers are started with.
    ///
    /// - `bound`: where is listened
    ///
    /// # Errors
    ///
    /// When that is no address.
    pub(super) fn local(&self, bound: SocketAddr) -> Result<Address, Failure> {
        let ip = match bound.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        self.of_host(&ip.to_string(), bound.port())
    }

    /// Keeps the line for workers of other machines, and says how to start one.
    ///
    /// # Errors
    ///
    /// When the line cannot be kept.
    pub(super) fn announce(&self, bound: SocketAddr) -> Result<String, Failure> {
        let Some(host) = &self.host else {
            return Ok(format!("listening; workers join with: sweep worker --coordinator {bound}"));
        };
        let line = self.of_host(host, bound.port())?.line();
        keys::write_secret(&self.join, format!("{line}\n").as_bytes())?;
        let join = self.join.display();
        Ok(if self.is_new {
            format!(
                "listening on {bound}; workers join with what follows, which {join} keeps and is \
                 not shown again:\n    sweep worker --join {line}"
            )
        } else {
            format!(
                "listening on {bound}; workers join with: SWEEP_JOIN=$(cat {join}) sweep worker"
            )
        })
    }

    fn of_host(&self, host: &str, port: u16) -> Result<Address, Failure> {
        Address::new(host, port, self.door.token.clone(), self.security)
            .map_err(|error| Failure::unexpected(format!("{host}:{port}: {error}")))
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::File(_) | KeysError::Unusable { .. } => Self::bad_input(error),
            KeysError::Io { path, source } => Self::of_run(&path, &source),
            KeysError::Made(_) => Self::unexpected(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_port_of_an_earlier_start_is_in_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let directory = RunDirectory::lock(&folder.path().join("run"), false).unwrap();
        assert_eq!(earlier_port(&directory), 0);
        for (line, port) in [
            ("sweep://node-1:40123/abcdefghijklmnop\n", 40123),
            ("http://[::1]:7077/abcdefghijklmnop\n", 7077),
            ("nonsense", 0),
        ] {
            std::fs::write(directory.join_line(), line).unwrap();
            assert_eq!(earlier_port(&directory), port, "{line}");
        }
    }
}
