//! Digests as text, as messages carry them: lower-case hexadecimal.

use std::fmt::Write as _;

/// Length of a SHA-256 digest in hexadecimal.
const DIGEST_DIGITS: usize = 64;

/// Lower-case hexadecimal.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

/// Whether `text` is a SHA-256 digest in lower-case hexadecimal, and so is
/// safe as the name of a folder.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.len() == DIGEST_DIGITS
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_64_lower_case_digits() {
        assert_eq!(hexadecimal(&[0x00, 0xa5, 0xff]), "00a5ff");
        assert!(is_digest(&hexadecimal(&[0xa5; 32])));
        assert!(!is_digest(&hexadecimal(&[0xa5; 31])));
        assert!(!is_digest(&hexadecimal(&[0xa5; 32]).to_uppercase()));
        assert!(!is_digest(&format!("../{}", hexadecimal(&[0xa5; 31])[1..].to_owned())));
    }
}
