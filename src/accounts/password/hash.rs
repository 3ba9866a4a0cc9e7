//! [`PasswordHash`]: the stored hash of a password.

use std::fmt;
use std::str::FromStr;

use argon2::{Algorithm, Argon2, PasswordVerifier as _, Version};

use super::{HashingCost, Password};

/// The maximum cost of a stored bcrypt hash. A higher one would keep a thread busy for minutes.
const MAX_BCRYPT_COST: u32 = 16;

/// The hash of a password: argon2id as a PHC string, or bcrypt.
///
/// ```
/// use bolide::accounts::password::{PasswordHash, Scheme};
///
/// let hash: PasswordHash = "$2b$10$RT7M0QhSFAGVS97/RD4E3uydcke0ZmLlkSa838wNiA0hjGeaQlWOG".parse()?;
/// assert_eq!(hash.scheme(), Scheme::Bcrypt);
/// assert!("5f4dcc3b5aa765d61d8327deb882cf99".parse::<PasswordHash>().is_err());
/// # Ok::<(), bolide::accounts::password::PasswordHashError>(())
/// ```
#[derive(Clone)]
pub struct PasswordHash {
    text: Box<str>,
    parts: Parts,
}

/// The scheme of a password hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// The scheme of new hashes; Meteor's `services.password.argon2`.
    Argon2id,
    /// The scheme of older Meteor servers: `services.password.bcrypt`.
    Bcrypt,
}

/// A text is not a password hash, or not one that this server verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a password hash must be an argon2id PHC string ($argon2id$v=19$…) of a reasonable cost, or a bcrypt hash ($2a$, $2b$ or $2y$) \
     of a cost from 4 to {MAX_BCRYPT_COST}"
)]
pub struct PasswordHashError;

#[derive(Clone)]
enum Parts {
    Argon2id { hash: Box<argon2::PasswordHash>, cost: HashingCost },
    Bcrypt,
}

impl PasswordHash {
    /// Returns the text to store, from which the hash is parsed again. Use it only for the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        match self.parts {
            Parts::Argon2id { .. } => Scheme::Argon2id,
            Parts::Bcrypt => Scheme::Bcrypt,
        }
    }

    /// Wraps a hash that argon2id made with this cost.
    pub(super) fn of_argon2id(hash: argon2::PasswordHash, cost: HashingCost) -> Self {
        Self { text: hash.to_string().into(), parts: Parts::Argon2id { hash: hash.into(), cost } }
    }

    /// Returns whether a new hash with this cost would have another scheme or other parameters.
    pub(super) fn is_outdated(&self, cost: &HashingCost) -> bool {
        match &self.parts {
            Parts::Argon2id { hash, cost: own } => own != cost || hash.version != Some(Version::V0x13.into()),
            Parts::Bcrypt => true,
        }
    }

    /// Returns whether this is the hash of a password. Takes the time of the hash's cost.
    pub(super) fn matches(&self, password: &Password) -> bool {
        match &self.parts {
            Parts::Argon2id { hash, .. } => Argon2::default().verify_password(password.digest(), &**hash).is_ok(),
            Parts::Bcrypt => bcrypt::verify(password.digest(), &self.text).unwrap_or(false),
        }
    }
}

impl FromStr for PasswordHash {
    type Err = PasswordHashError;

    fn from_str(text: &str) -> Result<Self, PasswordHashError> {
        let parts = if text.starts_with("$argon2id$") { argon2id(text)? } else { bcrypt(text)? };
        Ok(Self { text: text.into(), parts })
    }
}

/// `Debug` shows the scheme and omits the hash.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PasswordHash").field("scheme", &self.scheme()).finish_non_exhaustive()
    }
}

fn argon2id(text: &str) -> Result<Parts, PasswordHashError> {
    let hash = argon2::PasswordHash::new(text).map_err(|_| PasswordHashError)?;
    let cost = HashingCost::of(&hash).map_err(|_| PasswordHashError)?;
    let is_argon2id = Algorithm::try_from(hash.algorithm.as_str()) == Ok(Algorithm::Argon2id);
    // Implementations disagree about the version if it is missing.
    let has_version = hash.version.is_some_and(|version| Version::try_from(version).is_ok());
    let is_whole = hash.salt.is_some() && hash.hash.is_some();
    if is_argon2id && has_version && is_whole {
        Ok(Parts::Argon2id { hash: hash.into(), cost })
    } else {
        Err(PasswordHashError)
    }
}

fn bcrypt(text: &str) -> Result<Parts, PasswordHashError> {
    // `$2x$` marks the hashes of a faulty implementation, which match other passwords as well.
    let is_known = ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix));
    let parts = bcrypt::HashParts::from_str(text).map_err(|_| PasswordHashError)?;
    let is_reasonable = (4..=MAX_BCRYPT_COST).contains(&parts.get_cost());
    if is_known && is_reasonable { Ok(Parts::Bcrypt) } else { Err(PasswordHashError) }
}

#[cfg(test)]
mod tests {
    use super::{PasswordHash, PasswordHashError, Scheme};

    const SALT_AND_HASH: &str = "86PDIzEx6IHopL6pfeiXrg$b1tjxO1wsY22SLzVGtOZ+q7qMPnd5S/97i+jrdtulk8";

    #[test]
    fn a_parsed_hash_is_stored_as_it_was() {
        let argon2id = format!("$argon2id$v=19$m=64,t=1,p=1${SALT_AND_HASH}");
        let hash: PasswordHash = argon2id.parse().unwrap();

        assert_eq!(hash.as_str(), argon2id);
        assert_eq!(hash.scheme(), Scheme::Argon2id);
    }

    #[test]
    fn other_hashes_are_refused() {
        let others = [
            String::new(),
            "$argon2id$".to_owned(),
            "46970bef70aced8123f0d5d094717e2a5cd412041e03b26376049fe65b2834a4".to_owned(),
            "$argon2i$v=19$m=128,t=2,p=2$My3bFRqhPTA/3ljtYQn3FQ$XdoPK76nyWQwuLIqBsWSLRTNXXZO4JGlIZhs3yxnaWQ".to_owned(),
            format!("$argon2id$m=64,t=1,p=1${SALT_AND_HASH}"),
            format!("$argon2id$v=20$m=64,t=1,p=1${SALT_AND_HASH}"),
            format!("$argon2id$v=19$m=4294967295,t=1,p=1${SALT_AND_HASH}"),
            format!("$argon2id$v=19$m=64,t=100000,p=1${SALT_AND_HASH}"),
            "$argon2id$v=19$m=64,t=1,p=1$86PDIzEx6IHopL6pfeiXrg".to_owned(),
            "$argon2id$v=19$m=64,t=1,p=1".to_owned(),
            "$2x$10$RT7M0QhSFAGVS97/RD4E3uydcke0ZmLlkSa838wNiA0hjGeaQlWOG".to_owned(),
            "$2b$31$RT7M0QhSFAGVS97/RD4E3uydcke0ZmLlkSa838wNiA0hjGeaQlWOG".to_owned(),
            "$2b$03$RT7M0QhSFAGVS97/RD4E3uydcke0ZmLlkSa838wNiA0hjGeaQlWOG".to_owned(),
            "$2b$10$RT7M0QhSFAGVS97/RD4E3uydcke0ZmLlkSa838wNiA0hjGeaQlWO".to_owned(),
            "$scrypt$ln=17,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA".to_owned(),
        ];
        for other in others {
            assert_eq!(other.parse::<PasswordHash>().unwrap_err(), PasswordHashError, "{other}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_hash() {
        let hash: PasswordHash = format!("$argon2id$v=19$m=64,t=1,p=1${SALT_AND_HASH}").parse().unwrap();

        assert_eq!(format!("{hash:?}"), "PasswordHash { scheme: Argon2id, .. }");
    }
}
