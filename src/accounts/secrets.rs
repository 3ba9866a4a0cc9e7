//! How the secrets of second factors are bound to their user, by those that store them and those that check them.

use crate::keys::KeyRing;
use crate::store::KeyedHash;
use crate::user::UserId;

/// The maximum length of a token, code or link that is hashed, in bytes. None that the server or another one has issued is
/// longer.
pub(crate) const LONGEST_SECRET: usize = 1024;

/// Returns the name of the owner for which the secret of an authenticator app is sealed.
pub(crate) fn totp_owner(user: &UserId) -> String {
    format!("totp:{user}")
}

/// Returns what is stored of a backup code. `sha256` is the SHA-256 of the code in hexadecimal, as Rocket.Chat stores it.
pub(crate) fn backup_code_hash(keys: &KeyRing, user: &UserId, sha256: &str) -> KeyedHash {
    keys.hash(BACKUP_CODE, user.as_str(), sha256)
}

/// Returns the hashes that a backup code may be stored as, one for each key.
pub(crate) fn backup_code_hashes(keys: &KeyRing, user: &UserId, sha256: &str) -> Vec<KeyedHash> {
    keys.hashes(BACKUP_CODE, user.as_str(), sha256)
}

const BACKUP_CODE: &str = "backup-code";
