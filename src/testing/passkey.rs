//! [`PasskeyAuthenticator`]: a software authenticator with passkeys, for tests of logins and gated calls.

use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// An authenticator on a page with a given origin. It answers the requests of a server as `navigator.credentials` does, in
/// the JSON form, with ES256 keys that it forgets when it is dropped, or with `EdDSA` keys that follow from a
/// [seed](Self::from_seed).
///
/// ```
/// use bolide::testing::PasskeyAuthenticator;
/// use serde_json::json;
///
/// let mut authenticator = PasskeyAuthenticator::new("https://chat.example.com");
/// let options = json!({ "challenge": "AAAA", "rp": { "id": "chat.example.com" }, "user": { "id": "dXNlcg" } });
/// let registration = authenticator.register(&options);
/// assert_eq!(registration["type"], "public-key");
/// let request = json!({ "challenge": "AAAA", "rpId": "chat.example.com", "allowCredentials": [] });
/// assert_eq!(authenticator.get(&request).unwrap()["id"], registration["id"]);
/// ```
#[derive(Debug)]
pub struct PasskeyAuthenticator {
    origin: String,
    seed: Option<String>,
    credentials: Vec<Credential>,
    is_user_verified: bool,
    is_user_present: bool,
    counts: bool,
}

struct Credential {
    id: [u8; 32],
    site: String,
    user: Option<String>,
    key: Key,
    counter: u32,
}

enum Key {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const HAS_CREDENTIAL: u8 = 1 << 6;

impl PasskeyAuthenticator {
    /// Returns an authenticator without credentials, on a page with this origin.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            seed: None,
            credentials: Vec::new(),
            is_user_verified: true,
            is_user_present: true,
            counts: true,
        }
    }

    /// Returns an authenticator with one credential for each site, whose key follows from the seed: the private key of
    /// Ed25519 is the SHA-256 of `<seed>:<domain>`, and the id of the credential is the SHA-256 of the public key. Two
    /// authenticators with the same seed are the same one, except for their counters.
    #[must_use]
    pub fn from_seed(origin: &str, seed: &str) -> Self {
        Self { seed: Some(seed.to_owned()), ..Self::new(origin) }
    }

    /// Makes the credential of an authenticator with a [seed](Self::from_seed) for a site, as it was registered there with
    /// this handle of the user.
    pub fn remember(&mut self, site: &str, user: Option<&str>) {
        if let Some(seed) = &self.seed {
            let key = Key::from_seed(&format!("{seed}:{site}"));
            self.credentials.push(Credential::new(site.to_owned(), user.map(str::to_owned), key));
        }
    }

    /// Sets whether the user shows a PIN or a fingerprint. Default: `true`.
    pub const fn verifies_users(&mut self, is_verified: bool) {
        self.is_user_verified = is_verified;
    }

    /// Sets whether the authenticator claims that a user is there. Default: `true`. No real one answers otherwise.
    pub const fn sees_users(&mut self, is_present: bool) {
        self.is_user_present = is_present;
    }

    /// Sets whether signatures are counted, as by security keys. Default: `true`. Passkeys that are synced do not count.
    pub const fn counts(&mut self, counts: bool) {
        self.counts = counts;
    }

    /// Sets the counter of all credentials: a clone of an authenticator has an old one.
    pub fn set_counter(&mut self, counter: u32) {
        for credential in &mut self.credentials {
            credential.counter = counter;
        }
    }

    /// Moves the page to another origin, as a phishing site would.
    pub fn visit(&mut self, origin: &str) {
        origin.clone_into(&mut self.origin);
    }

    /// Makes a credential, and returns the answer in the JSON form of `navigator.credentials.create`. The options are those
    /// that the server has returned.
    ///
    /// # Panics
    /// If a member is missing that every server sends, or the system has no randomness.
    #[must_use]
    pub fn register(&mut self, options: &Value) -> Value {
        let site = text(&options["rp"]["id"]);
        let key = match &self.seed {
            Some(seed) => Key::from_seed(&format!("{seed}:{site}")),
            None => Key::random(),
        };
        let credential = Credential::new(site, Some(text(&options["user"]["id"])), key);
        let mut data = self.data(&credential, HAS_CREDENTIAL);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&[0, 32]);
        data.extend_from_slice(&credential.id);
        data.extend_from_slice(&credential.cose_key());
        // {"fmt": "none", "attStmt": {}, "authData": …}
        let mut attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        attestation.push(u8::try_from(data.len()).expect("less than 256 bytes"));
        attestation.extend_from_slice(&data);
        let client_data = self.client_data("webauthn.create", options);
        let id = BASE64URL_NOPAD.encode(&credential.id);
        self.credentials.push(credential);
        json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": { "credProps": { "rk": true } },
            "response": {
                "clientDataJSON": BASE64URL_NOPAD.encode(client_data.as_bytes()),
                "attestationObject": BASE64URL_NOPAD.encode(&attestation),
                "transports": ["internal"],
            },
        })
    }

    /// Signs a challenge, and returns the answer in the JSON form of `navigator.credentials.get`. The options are those of
    /// the server: `details.webauthn`, for example. `None` if there is no credential that they allow.
    ///
    /// # Panics
    /// If a member is missing that every server sends, or the system has no randomness.
    pub fn get(&mut self, options: &Value) -> Option<Value> {
        let site = text(&options["rpId"]);
        let allowed: Vec<&str> =
            options["allowCredentials"].as_array().into_iter().flatten().filter_map(|one| one["id"].as_str()).collect();
        let is_allowed = |credential: &Credential| {
            let id = BASE64URL_NOPAD.encode(&credential.id);
            credential.site == site && (allowed.is_empty() || allowed.contains(&id.as_str()))
        };
        let at = self.credentials.iter().position(is_allowed)?;
        self.credentials[at].counter += u32::from(self.counts);
        let credential = &self.credentials[at];
        let client_data = self.client_data("webauthn.get", options);
        let data = self.data(credential, 0);
        let signed = [data.as_slice(), &Sha256::digest(&client_data)].concat();
        let signature = credential.key.sign(&signed);
        let id = BASE64URL_NOPAD.encode(&credential.id);
        Some(json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": BASE64URL_NOPAD.encode(client_data.as_bytes()),
                "authenticatorData": BASE64URL_NOPAD.encode(&data),
                "signature": BASE64URL_NOPAD.encode(&signature),
                "userHandle": credential.user,
            },
        }))
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false })
            .to_string()
    }

    /// Returns the data of the authenticator, up to the counter.
    fn data(&self, credential: &Credential, flags: u8) -> Vec<u8> {
        let mut data = Sha256::digest(&credential.site).to_vec();
        let verified = if self.is_user_verified { USER_VERIFIED } else { 0 };
        let present = if self.is_user_present { USER_PRESENT } else { 0 };
        data.push(flags | present | verified);
        data.extend_from_slice(&credential.counter.to_be_bytes());
        data
    }
}

impl Credential {
    fn new(site: String, user: Option<String>, key: Key) -> Self {
        Self { id: Sha256::digest(key.public()).into(), site, user, key, counter: 0 }
    }

    /// Returns the public key as COSE.
    fn cose_key(&self) -> Vec<u8> {
        match &self.key {
            // {1: 2, 3: -7, -1: 1, -2: x, -3: y}
            Key::Es256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                [b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20", x, b"\x22\x58\x20", y].concat()
            }
            // {1: 1, 3: -8, -1: 6, -2: x}
            Key::EdDsa(key) => [b"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20", key.public_key().as_ref()].concat(),
        }
    }
}

impl Key {
    fn random() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a new key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random);
        Self::Es256(key.expect("the key that was just made"))
    }

    fn from_seed(seed: &str) -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&Sha256::digest(seed));
        Self::EdDsa(key.expect("any 32 bytes are a key"))
    }

    fn public(&self) -> &[u8] {
        match self {
            Self::Es256(key) => key.public_key().as_ref(),
            Self::EdDsa(key) => key.public_key().as_ref(),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256(key) => key.sign(&SystemRandom::new(), message).expect("a signature").as_ref().to_vec(),
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text of the server's options").to_owned()
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Credential")
            .field("site", &self.site)
            .field("counter", &self.counter)
            .finish_non_exhaustive()
    }
}
