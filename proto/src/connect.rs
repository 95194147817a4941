//! The way to a coordinator: a connection that is made when it is needed, again
//! whenever it was lost, and with TLS where the address asks for it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};

use crate::MAX_MESSAGE_BYTES;
use crate::address::{Address, Security};
use crate::secret::{Fingerprint, Token};
use crate::v1::coordinator_client::CoordinatorClient;

/// How long one attempt to connect may take, its handshake included.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How often a silent connection is probed, and how long an answer may take. A
/// connection on which nothing comes through any more is so given up after ten
/// seconds, and a heartbeat over another one still renews a lease of twenty.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What is spoken within TLS.
pub const HTTP_2: &[u8] = b"h2";

/// A client that presents its token with every call.
pub type Client = CoordinatorClient<InterceptedService<Channel, Bearer>>;

/// Files that a worker shows, or trusts.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Certificates of authorities, PEM.
    pub authorities: Option<PathBuf>,
    /// This side's certificate and its key, PEM, where the coordinator wants one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Why there is no way to a coordinator.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file of certificates or keys.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Whom to trust is not known.
    #[error("the address has no fingerprint, and no certificates of authorities are given")]
    NobodyTrusted,
}

/// A client for a coordinator. It connects at the first call.
///
/// To be called within a tokio runtime.
///
/// # Errors
///
/// When a file cannot be used, or nobody is trusted.
pub fn client(address: &Address, credentials: &Credentials) -> Result<Client, ConnectError> {
    let endpoint = Endpoint::from(address.uri().clone())
        .connect_timeout(CONNECT_LIMIT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    let channel = match address.security {
        Security::Plain => endpoint.connect_lazy(),
        Security::Pinned(_) | Security::Authority => {
            let encrypted = Encrypted::new(address, credentials)?;
            endpoint.connect_with_connector_lazy(tower_service(encrypted))
        }
    };
    let bearer = Bearer::new(address.token.as_ref());
    Ok(CoordinatorClient::with_interceptor(channel, bearer)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES))
}

/// Presents a token.
#[derive(Debug, Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    fn new(token: Option<&Token>) -> Self {
        Self(token.map(|token| {
            let mut value: MetadataValue<Ascii> =
                format!("Bearer {}", token.reveal()).parse().expect("letters and digits");
            value.set_sensitive(true);
            value
        }))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// Why this side breaks off a connection that would not get better.
///
/// - `status`: of a call that failed
#[must_use]
pub fn distrust(status: &Status) -> Option<String> {
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = inner
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .or_else(|| error.downcast_ref::<rustls::Error>());
        match tls {
            Some(rustls::Error::InvalidCertificate(reason)) => {
                return Some(match reason {
                    rustls::CertificateError::Other(other) => other.to_string(),
                    reason => format!("its certificate is not trusted: {reason}"),
                });
            }
            Some(rustls::Error::AlertReceived(alert)) if concerns_certificate(*alert) => {
                return Some(format!("it does not accept this side's certificate: {alert:?}"));
            }
            _ => {}
        }
        cause = error.source();
    }
    None
}

fn concerns_certificate(alert: rustls::AlertDescription) -> bool {
    use rustls::AlertDescription as Alert;
    // A foreign enum that grows.
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::UnknownCA
            | Alert::AccessDenied
    )
}

/// Connects with TLS.
#[derive(Clone)]
struct Encrypted {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Encrypted {
    fn new(address: &Address, credentials: &Credentials) -> Result<Self, ConnectError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has TLS 1.3");
        let builder = match address.security {
            Security::Pinned(fingerprint) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Pin { fingerprint, provider })),
            Security::Authority | Security::Plain => {
                let path = credentials.authorities.as_ref().ok_or(ConnectError::NobodyTrusted)?;
                builder.with_root_certificates(authorities(path)?)
            }
        };
        let mut config = match &credentials.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|error| unusable(certificate, &error))?,
        };
        config.alpn_protocols = vec![HTTP_2.to_vec()];
        // Of a host without a name, the number counts; a pin does not look at either.
        let name = ServerName::try_from(address.host().to_owned())
            .unwrap_or_else(|_| ServerName::try_from("sweep").expect("a name"));
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    async fn connect(self, uri: Uri) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let stream = TcpStream::connect((host, uri.port_u16().unwrap_or_default())).await?;
        stream.set_nodelay(true)?;
        Ok(TokioIo::new(self.connector.connect(self.name, stream).await?))
    }
}

fn tower_service(
    encrypted: Encrypted,
) -> impl tower::Service<Uri, Response = TokioIo<TlsStream<TcpStream>>, Error = io::Error, Future: Send>
+ Send
+ 'static {
    tower::service_fn(move |uri| encrypted.clone().connect(uri))
}

/// Certificates of a PEM file, at least one.
///
/// # Errors
///
/// When the file cannot be read, or holds none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(|certificates| certificates.collect())
        .map_err(|error| unusable(path, &error))?;
    if found.is_empty() {
        return Err(unusable(path, &"holds no certificate: expected PEM"));
    }
    Ok(found)
}

/// The private key of a PEM file.
///
/// # Errors
///
/// When the file cannot be read, or holds none.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, ConnectError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| unusable(path, &error))
}

/// The authorities of a PEM file.
///
/// # Errors
///
/// When the file cannot be read, or one of them is not usable.
pub fn authorities(path: &Path) -> Result<RootCertStore, ConnectError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|error| unusable(path, &error))?;
    }
    Ok(store)
}

fn unusable(path: &Path, reason: &dyn fmt::Display) -> ConnectError {
    ConnectError::File { path: path.to_owned(), reason: reason.to_string() }
}

/// Trusts the one certificate with this fingerprint, whoever signed it and
/// whatever name it bears: whoever has the line was told of it.
#[derive(Debug)]
struct Pin {
    fingerprint: Fingerprint,
    provider: Arc<CryptoProvider>,
}

/// The certificate is another one.
#[derive(Debug, thiserror::Error)]
#[error("its certificate has the fingerprint {found}, not {pinned}, which the address has")]
struct OtherCertificate {
    found: Fingerprint,
    pinned: Fingerprint,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let (found, pinned) = (Fingerprint::of(certificate), self.fingerprint);
        if found == pinned {
            return Ok(ServerCertVerified::assertion());
        }
        let other = Arc::new(OtherCertificate { found, pinned });
        Err(rustls::CertificateError::Other(rustls::OtherError(other)).into())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
