//! [`Password`]: a password as a client sends it.

use std::fmt;

use bolide_protocol::{DdpError, Ejson};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The maximum length of a password, in UTF-16 units as in JavaScript.
const MAX_LENGTH: usize = 256;

const DIGEST_LENGTH: usize = 64;

/// A password, kept as the lower-case hexadecimal SHA-256 digest that Meteor hashes. It is wiped from memory when dropped.
///
/// ```
/// use bolide::accounts::password::Password;
/// use bolide::prelude::Ejson;
///
/// assert!(Password::from_ejson(&Ejson::from("correct horse")).is_ok());
/// assert!(Password::from_ejson(&Ejson::Null).is_err());
/// ```
#[derive(Clone)]
pub struct Password(Zeroizing<[u8; DIGEST_LENGTH]>);

impl Password {
    /// Reads what a client sends: a text of at most 256 characters, or exactly `{digest, algorithm: "sha-256"}` with 64
    /// hexadecimal digits.
    ///
    /// # Errors
    /// Returns 400, `Match failed`, for any other value.
    pub fn from_ejson(value: &Ejson) -> Result<Self, DdpError> {
        match value {
            Ejson::String(plain) if plain.len() <= 3 * MAX_LENGTH && plain.encode_utf16().count() <= MAX_LENGTH => {
                Ok(Self::from_plain(plain))
            }
            Ejson::Object(_) => from_digest_object(value).ok_or_else(DdpError::match_failed),
            _ => Err(DdpError::match_failed()),
        }
    }

    /// Creates a password from its text, as an operator or a form gives it.
    #[must_use]
    pub fn from_plain(plain: &str) -> Self {
        let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(plain)));
        let mut hexadecimal = Zeroizing::new([0; DIGEST_LENGTH]);
        HEXLOWER.encode_mut(digest.as_slice(), hexadecimal.as_mut_slice());
        Self(hexadecimal)
    }

    /// Creates a password from its SHA-256 digest in hexadecimal, in either case. Returns `None` if the text is not such a
    /// digest.
    #[must_use]
    pub fn from_digest(digest: &str) -> Option<Self> {
        let mut hexadecimal: Zeroizing<[u8; DIGEST_LENGTH]> = Zeroizing::new(digest.as_bytes().try_into().ok()?);
        hexadecimal.make_ascii_lowercase();
        hexadecimal.iter().all(u8::is_ascii_hexdigit).then_some(Self(hexadecimal))
    }

    /// Returns whether it is the empty text, or its digest.
    pub(super) fn is_empty(&self) -> bool {
        *self.0 == *Self::from_plain("").0
    }

    /// Returns what is hashed: the digest in lower-case hexadecimal.
    pub(super) fn digest(&self) -> &[u8] {
        self.0.as_slice()
    }
}

/// `Debug` omits the password.
impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

fn from_digest_object(value: &Ejson) -> Option<Password> {
    let is_sha_256 = value.get("algorithm").and_then(Ejson::as_str) == Some("sha-256");
    let has_other_keys = value.as_object().is_none_or(|object| object.len() != 2);
    if !is_sha_256 || has_other_keys {
        return None;
    }
    Password::from_digest(value.get("digest")?.as_str()?)
}

#[cfg(test)]
mod tests {
    use bolide_protocol::DdpError;
    use bolide_protocol::ejson::{CustomTypes, Ejson};

    use super::Password;

    /// Made with Python's hashlib.
    const DIGEST: &str = "46970bef70aced8123f0d5d094717e2a5cd412041e03b26376049fe65b2834a4";

    fn sent(json: &str) -> Result<Password, DdpError> {
        Password::from_ejson(&Ejson::parse(json, &CustomTypes::default()).unwrap())
    }

    #[test]
    fn a_text_and_its_digest_are_the_same_password() {
        let plain = sent(r#""pässwörd""#).unwrap();
        let digest = sent(&format!(r#"{{"digest":"{DIGEST}","algorithm":"sha-256"}}"#)).unwrap();

        assert_eq!(plain.digest(), DIGEST.as_bytes());
        assert_eq!(digest.digest(), DIGEST.as_bytes());
    }

    #[test]
    fn a_digest_in_upper_case_is_lowered() {
        let upper = DIGEST.to_uppercase();
        let sent = sent(&format!(r#"{{"algorithm":"sha-256","digest":"{upper}"}}"#)).unwrap();

        assert_eq!(sent.digest(), DIGEST.as_bytes());
        assert_eq!(Password::from_digest(&upper).unwrap().digest(), DIGEST.as_bytes());
    }

    #[test]
    fn a_text_of_256_characters_is_the_longest() {
        assert!(sent(&format!("\"{}\"", "ü".repeat(256))).is_ok());
        assert_eq!(sent(&format!("\"{}\"", "a".repeat(257))).unwrap_err(), DdpError::match_failed());
        assert_eq!(sent(&format!("\"{}\"", "😀".repeat(129))).unwrap_err(), DdpError::match_failed());
    }

    #[test]
    fn all_else_fails_to_match() {
        let long = format!("{DIGEST}0");
        let no_digit = DIGEST.replace('4', "g");
        let others = [
            "null".to_owned(),
            "true".to_owned(),
            "5".to_owned(),
            "[]".to_owned(),
            "{}".to_owned(),
            r#"["secret"]"#.to_owned(),
            r#"{"$date":5}"#.to_owned(),
            r#"{"$binary":"AAAA"}"#.to_owned(),
            format!(r#"{{"digest":"{DIGEST}"}}"#),
            r#"{"algorithm":"sha-256"}"#.to_owned(),
            r#"{"digest":{"$ne":""},"algorithm":"sha-256"}"#.to_owned(),
            r#"{"digest":"","algorithm":"sha-256"}"#.to_owned(),
            format!(r#"{{"digest":"{DIGEST}","algorithm":"SHA-256"}}"#),
            format!(r#"{{"digest":"{DIGEST}","algorithm":"md5"}}"#),
            format!(r#"{{"digest":"{DIGEST}","algorithm":["sha-256"]}}"#),
            format!(r#"{{"digest":"{DIGEST}","algorithm":"sha-256","salt":""}}"#),
            format!(r#"{{"digest":"{long}","algorithm":"sha-256"}}"#),
            format!(r#"{{"digest":"{no_digit}","algorithm":"sha-256"}}"#),
        ];
        for other in others {
            assert_eq!(sent(&other).unwrap_err(), DdpError::match_failed(), "{other}");
        }
    }

    #[test]
    fn what_is_no_digest_is_no_password() {
        for text in ["", "123456", &DIGEST[1..], &"é".repeat(32), &format!(" {}", &DIGEST[1..])] {
            assert!(Password::from_digest(text).is_none(), "{text}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Password::from_plain("pässwörd")), "Password(…)");
    }
}
