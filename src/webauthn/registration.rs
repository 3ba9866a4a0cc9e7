//! [`Registration`]: the answer of an authenticator that has made a credential.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

use super::answer::Answer;
use super::authenticator_data::AuthenticatorData;
use super::cbor::{Key, Reader};
use super::client_data::{Ceremony, ClientData};
use super::{Mistake, RelyingParty, UserVerification, decoded};

/// The ways to reach an authenticator that are kept, so that browsers know where to look for it. Others are dropped.
const TRANSPORTS: [&str; 6] = ["ble", "cable", "hybrid", "internal", "nfc", "usb"];

/// An answer that is not checked yet.
pub(crate) struct Registration {
    id: String,
    client_data: ClientData,
    attestation: Vec<u8>,
    transports: Vec<String>,
}

/// A credential as its authenticator describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewCredential {
    /// The id in base64url.
    pub(crate) id: String,
    /// The public key in the COSE format.
    pub(crate) public_key: Vec<u8>,
    pub(crate) counter: u32,
    /// Whether the credential may be copied to other devices.
    pub(crate) is_backup_eligible: bool,
    pub(crate) is_backed_up: bool,
    /// How to reach the authenticator.
    pub(crate) transports: Vec<String>,
}

#[derive(Deserialize)]
struct Response {
    #[serde(rename = "clientDataJSON")]
    client_data: String,
    #[serde(rename = "attestationObject")]
    attestation: String,
    #[serde(default)]
    transports: Vec<String>,
}

impl Registration {
    /// Reads the JSON form of the answer of `navigator.credentials.create`.
    pub(crate) fn read(text: &str) -> Result<Self, Mistake> {
        let Answer { id, response, .. } = Answer::<Response>::read(text)?;
        let is_known = |transport: &String| TRANSPORTS.contains(&transport.as_str());
        let mut transports: Vec<String> = response.transports.into_iter().filter(is_known).collect();
        transports.sort_unstable();
        transports.dedup();
        Ok(Self {
            id,
            client_data: ClientData::read(&decoded(&response.client_data)?)?,
            attestation: decoded(&response.attestation)?,
            transports,
        })
    }

    /// Returns the challenge that was answered, in base64url.
    pub(crate) fn challenge(&self) -> &str {
        self.client_data.challenge()
    }

    /// Checks all but the challenge, and returns the credential.
    pub(crate) fn check(self, site: &RelyingParty, verification: UserVerification) -> Result<NewCredential, Mistake> {
        self.client_data.check(Ceremony::Registration, site)?;
        let data = AuthenticatorData::read(authenticator_data(&self.attestation)?)?;
        data.check(site, verification)?;
        let credential = data.credential.as_ref().ok_or(Mistake::AuthenticatorData)?;
        if BASE64URL_NOPAD.encode(credential.id) != self.id {
            return Err(Mistake::Id);
        }
        Ok(NewCredential {
            public_key: credential.key.to_vec(),
            counter: data.counter,
            is_backup_eligible: data.is_backup_eligible(),
            is_backed_up: data.is_backed_up(),
            id: self.id,
            transports: self.transports,
        })
    }
}

/// Returns the data of the authenticator in an attestation object.
fn authenticator_data(attestation: &[u8]) -> Result<&[u8], Mistake> {
    let mut reader = Reader::new(attestation, Mistake::AuthenticatorData);
    let mut found = None;
    for _ in 0..reader.map()? {
        if reader.key()? == Key::Text("authData") {
            found = Some(reader.bytes()?);
        } else {
            reader.skip()?;
        }
    }
    found.filter(|_| reader.rest().is_empty()).ok_or(Mistake::AuthenticatorData)
}
