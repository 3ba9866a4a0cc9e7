//! [`public_name`]: a name for what must not be shown by its own id, such as a session or a token.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// Returns a name that is always the same for an id, and from which the id cannot be computed.
pub(crate) fn public_name(id: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(id.as_bytes())[..10])
}
