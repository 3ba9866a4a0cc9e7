//! [`NewPassword`]: a password that is to be set.

use std::fmt;

use bolide_protocol::{DdpError, Ejson};
use zeroize::Zeroizing;

use super::Password;

/// A password that is to be set, which is not empty. What a policy can check of it depends on how the client sends it.
pub(crate) struct NewPassword {
    password: Password,
    /// The text. `None` if the client has sent only its digest.
    plain: Option<Zeroizing<String>>,
}

impl NewPassword {
    /// Reads what a client sends, as [`Password::from_ejson`].
    ///
    /// # Errors
    /// Returns 400, `Match failed`, for what is not a password, for the empty one, and for the digest of the empty one.
    pub(crate) fn from_ejson(value: &Ejson) -> Result<Self, DdpError> {
        let plain = value.as_str().map(|plain| Zeroizing::new(plain.to_owned()));
        Self::new(Password::from_ejson(value)?, plain)
    }

    /// Creates a password from its text, as an operator gives it.
    ///
    /// # Errors
    /// Returns 400, `Match failed`, for the empty text.
    pub(crate) fn from_plain(plain: &str) -> Result<Self, DdpError> {
        Self::new(Password::from_plain(plain), Some(Zeroizing::new(plain.to_owned())))
    }

    fn new(password: Password, plain: Option<Zeroizing<String>>) -> Result<Self, DdpError> {
        if password.is_empty() { Err(DdpError::match_failed()) } else { Ok(Self { password, plain }) }
    }

    /// Returns the password as it is hashed.
    pub(crate) const fn password(&self) -> &Password {
        &self.password
    }

    /// Returns the text. `None` if the client has sent only its digest.
    pub(crate) fn plain(&self) -> Option<&str> {
        self.plain.as_ref().map(|plain| plain.as_str())
    }
}

/// `Debug` omits the password.
impl fmt::Debug for NewPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NewPassword(…)")
    }
}

#[cfg(test)]
mod tests {
    use bolide_protocol::DdpError;
    use bolide_protocol::ejson::{CustomTypes, Ejson};

    use super::NewPassword;

    /// The SHA-256 of the empty text, made with Python's hashlib.
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn an_empty_password_and_its_digest_are_not_set() {
        for empty in [
            r#""""#.to_owned(),
            format!(r#"{{"digest":"{EMPTY}","algorithm":"sha-256"}}"#),
            format!(r#"{{"digest":"{}","algorithm":"sha-256"}}"#, EMPTY.to_uppercase()),
        ] {
            let sent = Ejson::parse(&empty, &CustomTypes::default()).unwrap();
            assert_eq!(NewPassword::from_ejson(&sent).unwrap_err(), DdpError::match_failed(), "{empty}");
        }
        assert!(NewPassword::from_plain("").is_err());
        assert_eq!(format!("{:?}", NewPassword::from_plain("secret").unwrap()), "NewPassword(…)");
    }
}
