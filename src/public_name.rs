//! [`public_name`]: how something is shown whose own id must not be: a session that could be resumed, a token.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// A name that is the same each time, and says nothing of the id.
pub(crate) fn public_name(id: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(id.as_bytes())[..10])
}
