//! [`ClientData`]: what the browser has had signed: the ceremony, the challenge and the origin.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Mistake, RelyingParty};

/// A ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ceremony {
    Registration,
    Assertion,
}

/// The client data of an answer.
pub(super) struct ClientData {
    members: Members,
    hash: [u8; 32],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    top_origin: Option<String>,
}

impl ClientData {
    pub(super) fn read(json: &[u8]) -> Result<Self, Mistake> {
        let members = serde_json::from_slice(json).map_err(|_| Mistake::ClientData)?;
        Ok(Self { members, hash: Sha256::digest(json).into() })
    }

    /// Returns the challenge in base64url.
    pub(super) fn challenge(&self) -> &str {
        &self.members.challenge
    }

    /// Returns the SHA-256 hash of the client data as it was sent.
    pub(super) const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Makes sure that the answer is of this ceremony, and was given on a page of this server.
    pub(super) fn check(&self, ceremony: Ceremony, site: &RelyingParty) -> Result<(), Mistake> {
        let kind = match ceremony {
            Ceremony::Registration => "webauthn.create",
            Ceremony::Assertion => "webauthn.get",
        };
        if self.members.kind != kind {
            return Err(Mistake::Ceremony);
        }
        if !site.allows(&self.members.origin) {
            return Err(Mistake::Origin);
        }
        if self.members.cross_origin || self.members.top_origin.is_some() {
            return Err(Mistake::CrossOrigin);
        }
        Ok(())
    }
}
