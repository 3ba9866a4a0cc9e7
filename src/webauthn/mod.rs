//! `WebAuthn`: what an authenticator says about a credential, read and checked as the specification (Level 3) demands of a
//! relying party. Pure functions; challenges, users and counters are the business of the room `two_factor`.
//!
//! - `relying_party`: the domain to which credentials belong, and the origins that may use them;
//! - `client_data`: what the browser has signed for: the ceremony, the challenge, the origin;
//! - `authenticator_data`: what the authenticator has signed: its flags, its counter, a new credential;
//! - `key`: public keys, and signatures; `cbor`: the encoding of both;
//! - `registration`, `assertion`: the two ceremonies; `answer`: what their answers have in common.
//!
//! Attestation is not requested, and a statement that comes nevertheless is not read: which model an authenticator is does
//! not matter here. The signatures are checked by `ring`, which TLS needs as well.

mod answer;
mod assertion;
mod authenticator_data;
mod cbor;
mod client_data;
mod key;
mod registration;
mod relying_party;
#[cfg(test)]
mod tests;

use data_encoding::BASE64URL_NOPAD;

pub(crate) use assertion::{Assertion, Expected};
pub(crate) use key::ALGORITHMS;
pub(crate) use registration::{NewCredential, Registration};
pub use relying_party::{InvalidRelyingParty, RelyingParty};

/// The maximum size of the answer of an authenticator as JSON, in bytes.
pub(crate) const LONGEST_ANSWER: usize = 16 << 10;

/// The maximum size of the id of a credential, in bytes, as the specification has it.
const LONGEST_ID: usize = 1023;

/// Whether the authenticator must have verified the user, by a PIN or a fingerprint for example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserVerification {
    /// It need not: the credential is a factor beside another one.
    Preferred,
    /// It must: the credential stands alone.
    Required,
}

impl UserVerification {
    /// Returns the name on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Preferred => "preferred",
            Self::Required => "required",
        }
    }
}

/// Why the answer of an authenticator is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mistake {
    #[error("the answer is not JSON of the right form")]
    Form,
    #[error("the id of the credential is not that of the answer, or too long")]
    Id,
    #[error("the client data is malformed")]
    ClientData,
    #[error("the client data is of another ceremony")]
    Ceremony,
    #[error("the challenge is unknown, expired, or of another user, action or session")]
    Challenge,
    #[error("the origin is not one of this server")]
    Origin,
    #[error("the answer was given within a page of another site")]
    CrossOrigin,
    #[error("the data of the authenticator is malformed")]
    AuthenticatorData,
    #[error("the credential belongs to another site")]
    RelyingParty,
    #[error("the authenticator has not seen that a user is present")]
    UserPresence,
    #[error("the authenticator has not verified the user")]
    UserVerification,
    #[error("the flags say that the credential is backed up and cannot be, or that this has changed")]
    Backup,
    #[error("the public key is malformed, or of an algorithm that is not supported")]
    Key,
    #[error("the signature is wrong")]
    Signature,
    #[error("the counter of the authenticator went back, so there may be a copy of it")]
    Counter,
}

/// Decodes a member of an answer.
fn decoded(text: &str) -> Result<Vec<u8>, Mistake> {
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Mistake::Form)
}
