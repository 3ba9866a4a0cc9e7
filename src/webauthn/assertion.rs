//! [`Assertion`]: the answer of an authenticator that has signed a challenge.

use serde::Deserialize;

use super::answer::Answer;
use super::authenticator_data::AuthenticatorData;
use super::client_data::{Ceremony, ClientData};
use super::key::PublicKey;
use super::{Mistake, RelyingParty, UserVerification, decoded};

/// An answer that is not checked yet.
pub(crate) struct Assertion {
    id: String,
    user: Option<Vec<u8>>,
    client_data: ClientData,
    data: Vec<u8>,
    signature: Vec<u8>,
}

/// What an assertion is checked against.
pub(crate) struct Expected<'stored> {
    pub(crate) site: &'stored RelyingParty,
    /// The public key in the COSE format.
    pub(crate) public_key: &'stored [u8],
    pub(crate) is_backup_eligible: bool,
    pub(crate) verification: UserVerification,
}

/// What a right assertion says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) counter: u32,
    pub(crate) is_backed_up: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(rename = "clientDataJSON")]
    client_data: String,
    authenticator_data: String,
    signature: String,
    user_handle: Option<String>,
}

impl Assertion {
    /// Reads the JSON form of the answer of `navigator.credentials.get`.
    pub(crate) fn read(text: &str) -> Result<Self, Mistake> {
        let Answer { id, response, .. } = Answer::<Response>::read(text)?;
        let user = response.user_handle.filter(|user| !user.is_empty());
        Ok(Self {
            id,
            user: user.map(|user| decoded(&user)).transpose()?,
            client_data: ClientData::read(&decoded(&response.client_data)?)?,
            data: decoded(&response.authenticator_data)?,
            signature: decoded(&response.signature)?,
        })
    }

    /// Returns the id of the credential, in base64url.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the handle of the user to whom the authenticator says the credential belongs.
    pub(crate) fn user(&self) -> Option<&[u8]> {
        self.user.as_deref()
    }

    /// Returns the challenge that was answered, in base64url.
    pub(crate) fn challenge(&self) -> &str {
        self.client_data.challenge()
    }

    /// Checks all but the challenge, the user and the counter.
    pub(crate) fn check(&self, expected: &Expected<'_>) -> Result<Shown, Mistake> {
        self.client_data.check(Ceremony::Assertion, expected.site)?;
        let data = AuthenticatorData::read(&self.data)?;
        data.check(expected.site, expected.verification)?;
        if data.is_backup_eligible() != expected.is_backup_eligible {
            return Err(Mistake::Backup);
        }
        let mut signed = self.data.clone();
        signed.extend_from_slice(self.client_data.hash());
        PublicKey::read(expected.public_key)?.verify(&signed, &self.signature)?;
        Ok(Shown { counter: data.counter, is_backed_up: data.is_backed_up() })
    }
}
