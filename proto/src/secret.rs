//! What workers and their coordinator know each other by: a token that workers
//! present, and the fingerprint of the coordinator's certificate.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::digest::hexadecimal;

/// Random bytes of a token that is drawn.
const TOKEN_BYTES: usize = 32;

/// Fewest and most characters of a token.
const TOKEN_LENGTHS: std::ops::RangeInclusive<usize> = 16..=128;

/// What a worker has to present. Compared in constant time, and never shown.
#[derive(Clone)]
pub struct Token(String);

/// Not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token has 16 to 128 letters, digits, `-` or `_`")]
pub struct TokenError;

impl Token {
    /// A token of these random bytes.
    #[must_use]
    pub fn of(random: [u8; TOKEN_BYTES]) -> Self {
        Self(hexadecimal(&random))
    }

    /// Its characters.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether this is what someone presents, in a time that does not depend on
    /// where they differ.
    #[must_use]
    pub fn is(&self, presented: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(presented).into()
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if TOKEN_LENGTHS.contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TokenError)
        }
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// SHA-256 of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// Not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint has 64 hexadecimal digits")]
pub struct FingerprintError;

impl Fingerprint {
    /// That of a certificate.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate.as_ref()).into())
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return Err(FingerprintError);
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(FingerprintError);
            *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hexadecimal(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_compared_whole_and_never_shown() {
        let token = Token::of([0xab; 32]);
        assert_eq!(token.reveal().len(), 64);
        assert!(token.is(token.reveal().as_bytes()));
        assert!(!token.is(&token.reveal().as_bytes()[..63]));
        assert!(!token.is(b""));
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_eq!(token.reveal().parse(), Ok(token));
        for wrong in ["", "fifteen-letters", "with a space in it", "ümläute-are-no-letters"] {
            assert_eq!(wrong.parse::<Token>(), Err(TokenError), "{wrong}");
        }
    }

    #[test]
    fn fingerprints_are_those_of_sha256() {
        let certificate = CertificateDer::from(b"abc".to_vec());
        let shown = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let fingerprint = Fingerprint::of(&certificate);
        assert_eq!(fingerprint.to_string(), shown);
        assert_eq!(shown.parse(), Ok(fingerprint));
        for wrong in ["", &shown[1..], &format!("{shown}0"), &shown.replace('b', "x")] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(FingerprintError), "{wrong}");
        }
    }
}
