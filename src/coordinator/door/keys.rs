//! What a coordinator shows, and what it asks for: certificates and tokens, from
//! files that its user names, or made when a run is opened for the first time
//! and kept in its folder, so that workers find the same coordinator after a
//! restart, on whichever machine.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use sweep_proto::connect::HTTP_2;
use sweep_proto::connect::{ConnectError, authorities, certificates, private_key};
use sweep_proto::secret::{Fingerprint, Token, TokenError};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{self, ServerConfig};

/// Files in a run's folder.
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
const TOKEN: &str = "token";

/// Why a coordinator cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file of certificates or keys.
    #[error(transparent)]
    File(#[from] ConnectError),
    /// A certificate and a key that do not fit, or are of no use.
    #[error("{path}: {reason}", path = path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// What it was about.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No randomness, or no certificate could be made.
    #[error("cannot make a certificate or a token: {0}")]
    Made(String),
}

/// Files with the certificate that is shown and its key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and those of the authorities between it and one that
    /// workers trust.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Identity {
    /// That of a run, made if it is not there.
    ///
    /// - `folder`: exists
    ///
    /// # Errors
    ///
    /// When it can be neither read nor made.
    pub fn of_run(folder: &Path) -> Result<Self, KeysError> {
        let identity = Self { certificate: folder.join(CERTIFICATE), key: folder.join(KEY) };
        // The certificate comes last, so that with it both are there.
        if !identity.certificate.is_file() {
            let CertifiedKey { cert, signing_key } =
                generate_simple_self_signed(["sweep".to_owned()])
                    .map_err(|error| KeysError::Made(error.to_string()))?;
            write_secret(&identity.key, signing_key.serialize_pem().as_bytes())?;
            write_secret(&identity.certificate, cert.pem().as_bytes())?;
        }
        Ok(identity)
    }

    /// SHA-256 of the certificate.
    ///
    /// # Errors
    ///
    /// When the file holds none.
    pub fn fingerprint(&self) -> Result<Fingerprint, KeysError> {
        Ok(Fingerprint::of(&self.chain()?[0]))
    }

    /// What shows this certificate to whoever connects.
    ///
    /// - `clients`: authorities, PEM, one of which must have signed what others show
    ///
    /// # Errors
    ///
    /// When a file cannot be used.
    pub fn config(&self, clients: Option<&Path>) -> Result<Arc<ServerConfig>, KeysError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has TLS 1.3");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(authorities(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                    .build()
                    .map_err(|error| KeysError::Unusable {
                        path: path.to_owned(),
                        reason: error.to_string(),
                    })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(self.chain()?, private_key(&self.key)?)
            .map_err(|error| self.unusable(&error))?;
        config.alpn_protocols = vec![HTTP_2.to_vec()];
        Ok(Arc::new(config))
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, KeysError> {
        Ok(certificates(&self.certificate)?)
    }

    fn unusable(&self, error: &rustls::Error) -> KeysError {
        let reason = match error {
            rustls::Error::InconsistentKeys(_) => {
                format!("is not the key of {}", self.certificate.display())
            }
            // A foreign enum that grows.
            error => error.to_string(),
        };
        KeysError::Unusable { path: self.key.clone(), reason }
    }
}

/// The token of a run, and whether it was made just now.
///
/// - `folder`: exists
///
/// # Errors
///
/// When it can be neither read nor made.
pub fn token_of_run(folder: &Path) -> Result<(Token, bool), KeysError> {
    let path = folder.join(TOKEN);
    if path.is_file() {
        return Ok((read_token(&path)?, false));
    }
    let mut random = [0; 32];
    ring::default_provider()
        .secure_random
        .fill(&mut random)
        .map_err(|_| KeysError::Made("the system has no randomness".to_owned()))?;
    let token = Token::of(random);
    write_secret(&path, format!("{}\n", token.reveal()).as_bytes())?;
    Ok((token, true))
}

/// The token in a file.
///
/// # Errors
///
/// When the file cannot be read, or holds something else.
pub fn read_token(path: &Path) -> Result<Token, KeysError> {
    let unusable = |reason: String| KeysError::Unusable { path: path.to_owned(), reason };
    let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    text.trim().parse().map_err(|error: TokenError| unusable(error.to_string()))
}

/// Writes a file that only its owner may read; what was there is replaced at once.
///
/// # Errors
///
/// When the system refuses.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), KeysError> {
    let write = |temporary: &Path| {
        // One of an earlier try may have other rights.
        match fs::remove_file(temporary) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)
    };
    write(&path.with_added_extension("tmp"))
        .map_err(|source| KeysError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_run_keeps_its_certificate_and_its_token_to_itself() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::of_run(folder.path()).unwrap();
        let fingerprint = identity.fingerprint().unwrap();
        assert_eq!(Identity::of_run(folder.path()).unwrap().fingerprint().unwrap(), fingerprint);
        assert!(identity.config(None).is_ok());
        let (token, made) = token_of_run(folder.path()).unwrap();
        assert!(made);
        assert_eq!(token_of_run(folder.path()).unwrap(), (token, false));
        for entry in fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{entry:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut identity = Identity::of_run(folder.path()).unwrap();
        let other = tempfile::tempdir().unwrap();
        identity.key = Identity::of_run(other.path()).unwrap().key;
        let text = identity.config(None).unwrap_err().to_string();
        assert!(text.starts_with(&format!("{}: is not the key of ", identity.key.display())));
        fs::write(&identity.key, "nonsense").unwrap();
        let text = identity.config(None).unwrap_err().to_string();
        assert!(text.starts_with(&format!("{}: ", identity.key.display())), "{text}");
        fs::write(folder.path().join(TOKEN), "two words\n").unwrap();
        let text = token_of_run(folder.path()).unwrap_err().to_string();
        assert!(text.ends_with("a token has 16 to 128 letters, digits, `-` or `_`"), "{text}");
        assert!(identity.config(Some(&folder.path().join(TOKEN))).is_err());
    }
}
