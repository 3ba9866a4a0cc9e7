//! [`LoginSecret`]: a login token as the client has it, 43 characters. Only its hash is stored.

use std::fmt;

use bolide_protocol::random;
use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::accounts::secrets::LONGEST_SECRET;
use crate::chance::{Chance, Generator};
use crate::store::HashedToken;

/// The secret text of a login token. A client that has it is logged in.
///
/// ```
/// use bolide::accounts::LoginSecret;
///
/// let hashed = LoginSecret::from("tok".to_owned()).hashed();
/// assert_eq!(hashed.as_str(), "GnZ0607njffhrEOak8P6jjyUV4TU3sn9jjARc4svHWI=");
/// ```
#[derive(Clone)]
pub struct LoginSecret(Zeroizing<String>);

impl LoginSecret {
    /// Generates a new token.
    #[must_use]
    pub fn generate(chance: &dyn Chance) -> Self {
        Self(Zeroizing::new(random::secret(&mut Generator(chance))))
    }

    /// Returns whether it is longer than any token, so that it is not worth hashing.
    pub(crate) fn is_too_long(&self) -> bool {
        self.0.len() > LONGEST_SECRET
    }

    /// Returns what is stored of it: its SHA-256 in base64.
    #[must_use]
    pub fn hashed(&self) -> HashedToken {
        HashedToken::from_base64(BASE64.encode(&Sha256::digest(self.0.as_bytes())))
    }

    /// Returns the token itself, for the client that receives it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the last six characters, for lists.
    pub(super) fn last_part(&self) -> String {
        let skipped = self.0.chars().count().saturating_sub(6);
        self.0.chars().skip(skipped).collect()
    }
}

impl From<String> for LoginSecret {
    fn from(token: String) -> Self {
        Self(Zeroizing::new(token))
    }
}

impl fmt::Debug for LoginSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginSecret")
    }
}
