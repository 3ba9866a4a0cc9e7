//! The ceremonies, with the vectors of the specification and with a software authenticator.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use super::assertion::Shown;
use super::*;
use crate::testing::PasskeyAuthenticator;

const ORIGIN: &str = "https://example.org";

fn site() -> RelyingParty {
    RelyingParty::new("example.org", [ORIGIN]).unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    HEXLOWER.decode(hex.as_str().unwrap().as_bytes()).unwrap()
}

fn base64(hex: &Value) -> String {
    BASE64URL_NOPAD.encode(&bytes(hex))
}

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    file["credentials"].as_array().unwrap().clone()
}

/// Returns the answer of a vector as browsers write it.
fn answer(vector: &Value, ceremony: &str) -> String {
    let id = base64(&vector["credentialId"]);
    let members = vector[ceremony].as_object().unwrap().iter().filter(|(name, _)| *name != "challenge");
    let response: serde_json::Map<String, Value> =
        members.map(|(name, value)| (name.clone(), base64(value).into())).collect();
    json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {} })
        .to_string()
}

fn register(text: &str) -> Result<NewCredential, Mistake> {
    Registration::read(text)?.check(&site(), UserVerification::Preferred)
}

#[test]
fn the_vectors_of_the_specification_are_accepted() {
    let mut checked = 0;
    for vector in vectors().iter().filter(|vector| vector.get("isWithin").is_none()) {
        let name = &vector["name"];
        let key = if vector.get("registration").is_some() {
            let text = answer(vector, "registration");
            let registration = Registration::read(&text).unwrap();
            assert_eq!(registration.challenge(), base64(&vector["registration"]["challenge"]), "{name}");
            let made = registration.check(&site(), UserVerification::Preferred).unwrap();
            (made.public_key, made.is_backup_eligible)
        } else {
            // Its statement holds a certificate, which is not read here: the key is the one that it attests.
            (bytes(&vector["publicKey"]), bytes(&vector["assertion"]["authenticatorData"])[32] & 8 != 0)
        };
        let assertion = Assertion::read(&answer(vector, "assertion")).unwrap();
        assert_eq!(assertion.challenge(), base64(&vector["assertion"]["challenge"]), "{name}");
        let site = site();
        let expected = Expected {
            site: &site,
            public_key: &key.0,
            is_backup_eligible: key.1,
            verification: UserVerification::Preferred,
        };
        assert_eq!(assertion.check(&expected).map(|shown| shown.counter), Ok(0), "{name}");
        checked += 1;
    }
    assert_eq!(checked, 4);
}

#[test]
fn an_answer_from_within_a_page_of_another_site_is_rejected() {
    let vector = vectors().into_iter().find(|vector| vector.get("isWithin").is_some()).unwrap();
    assert_eq!(register(&answer(&vector, "registration")), Err(Mistake::CrossOrigin));
}

#[test]
fn a_changed_byte_of_what_was_signed_breaks_the_signature() {
    for vector in vectors().iter().filter(|vector| vector.get("assertion").is_some()) {
        let key = match vector.get("publicKey") {
            Some(key) => bytes(key),
            None => register(&answer(vector, "registration")).unwrap().public_key,
        };
        for (member, at) in [("authenticatorData", 36), ("signature", 20)] {
            let mut changed = vector.clone();
            let mut value = bytes(&vector["assertion"][member]);
            value[at] ^= 1;
            changed["assertion"][member] = HEXLOWER.encode(&value).into();
            let is_backup_eligible = bytes(&vector["assertion"]["authenticatorData"])[32] & 8 != 0;
            let (site, verification) = (site(), UserVerification::Preferred);
            let expected = Expected { site: &site, public_key: &key, is_backup_eligible, verification };
            let outcome = Assertion::read(&answer(&changed, "assertion")).unwrap().check(&expected);
            assert_eq!(outcome, Err(Mistake::Signature), "{} of {}", member, vector["name"]);
        }
    }
}

/// An authenticator with one credential, and what the server keeps of it.
fn registered() -> (PasskeyAuthenticator, NewCredential) {
    let mut authenticator = PasskeyAuthenticator::new(ORIGIN);
    let options = json!({ "challenge": "AAAA", "rp": { "id": "example.org" }, "user": { "id": "dXNlcg" } });
    let made = register(&authenticator.register(&options).to_string()).unwrap();
    (authenticator, made)
}

fn request() -> Value {
    json!({ "challenge": "BBBB", "rpId": "example.org", "allowCredentials": [] })
}

fn assert(text: &str, made: &NewCredential, verification: UserVerification) -> Result<Shown, Mistake> {
    let site = site();
    let is_backup_eligible = made.is_backup_eligible;
    let expected = Expected { site: &site, public_key: &made.public_key, is_backup_eligible, verification };
    Assertion::read(text)?.check(&expected)
}

#[test]
fn each_member_must_be_there_and_of_its_type() {
    let (mut authenticator, made) = registered();
    let registration =
        authenticator.register(&json!({ "challenge": "AAAA", "rp": { "id": "example.org" }, "user": { "id": "dQ" } }));
    let assertion = authenticator.get(&request()).unwrap();
    register(&registration.to_string()).unwrap();
    assert(&assertion.to_string(), &made, UserVerification::Required).unwrap();
    let paths = |answer: &Value| -> Vec<String> {
        let inner = answer["response"].as_object().unwrap().keys().map(|name| format!("/response/{name}"));
        let outer = answer.as_object().unwrap().keys().map(|name| format!("/{name}"));
        let is_optional = |path: &String| {
            ["/clientExtensionResults", "/response/transports", "/response/userHandle", "/authenticatorAttachment"]
                .contains(&path.as_str())
        };
        inner.chain(outer).filter(|path| !is_optional(path)).collect()
    };
    let reads_registration = |text: &str| Registration::read(text).is_ok();
    let reads_assertion = |text: &str| Assertion::read(text).is_ok();
    for (answer, is_read) in
        [(&registration, &reads_registration as &dyn Fn(&str) -> bool), (&assertion, &reads_assertion)]
    {
        for path in paths(answer) {
            let (parent, name) = path.rsplit_once('/').unwrap();
            let mut without = answer.clone();
            without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
            assert!(!is_read(&without.to_string()), "{path} is missing");
            for wrong in [Value::Null, 7.into(), true.into(), "!".into(), json!([]), json!({})] {
                let mut changed = answer.clone();
                *changed.pointer_mut(&path).unwrap() = wrong.clone();
                assert!(!is_read(&changed.to_string()), "{path} is {wrong}");
            }
        }
        assert!(is_read(&answer.to_string()));
    }
    for text in ["", "{}", "[]", "null", "\"x\"", &"[".repeat(100_000)] {
        assert!(Registration::read(text).is_err() && Assertion::read(text).is_err());
    }
}

#[test]
fn an_answer_of_another_ceremony_origin_or_site_is_rejected() {
    let (mut authenticator, made) = registered();
    let other = |origin: &str| {
        let mut there = PasskeyAuthenticator::new(origin);
        let options = json!({ "challenge": "AAAA", "rp": { "id": "example.org" }, "user": { "id": "dQ" } });
        register(&there.register(&options).to_string())
    };
    assert_eq!(other("https://example.org.evil.example"), Err(Mistake::Origin));
    assert_eq!(other("http://example.org"), Err(Mistake::Origin));
    let mut elsewhere = PasskeyAuthenticator::new(ORIGIN);
    let options = json!({ "challenge": "AAAA", "rp": { "id": "evil.example" }, "user": { "id": "dQ" } });
    assert_eq!(register(&elsewhere.register(&options).to_string()), Err(Mistake::RelyingParty));
    let mut assertion = authenticator.get(&request()).unwrap();
    let data = BASE64URL_NOPAD
        .encode(format!(r#"{{"type":"webauthn.create","challenge":"BBBB","origin":"{ORIGIN}"}}"#).as_bytes());
    assertion["response"]["clientDataJSON"] = data.into();
    assert_eq!(assert(&assertion.to_string(), &made, UserVerification::Preferred), Err(Mistake::Ceremony));
}

#[test]
fn a_user_must_be_there_and_verified_where_that_is_required() {
    let (mut authenticator, made) = registered();
    let verified = authenticator.get(&request()).unwrap().to_string();
    assert!(assert(&verified, &made, UserVerification::Required).is_ok());
    authenticator.verifies_users(false);
    let present = authenticator.get(&request()).unwrap().to_string();
    assert!(assert(&present, &made, UserVerification::Preferred).is_ok());
    assert_eq!(assert(&present, &made, UserVerification::Required), Err(Mistake::UserVerification));
    authenticator.sees_users(false);
    let absent = authenticator.get(&request()).unwrap().to_string();
    assert_eq!(assert(&absent, &made, UserVerification::Preferred), Err(Mistake::UserPresence));
}

#[test]
fn a_key_of_another_credential_does_not_verify() {
    let (mut authenticator, _) = registered();
    let (_, other) = registered();
    let shown = authenticator.get(&request()).unwrap().to_string();
    assert_eq!(assert(&shown, &other, UserVerification::Preferred), Err(Mistake::Signature));
}

#[test]
fn no_bytes_make_the_readers_fail_otherwise_than_with_an_error() {
    let (_, made) = registered();
    let vector = &vectors()[0];
    let attestation = bytes(&vector["registration"]["attestationObject"]);
    for (whole, read) in [
        (made.public_key, &(|bytes: &[u8]| key::PublicKey::read(bytes).is_ok()) as &dyn Fn(&[u8]) -> bool),
        (attestation[30..].to_vec(), &|bytes: &[u8]| authenticator_data::AuthenticatorData::read(bytes).is_ok()),
    ] {
        assert!(read(&whole));
        for length in 0..whole.len() {
            assert!(!read(&whole[..length]), "cut to {length}");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                // It may be right: a coordinate, a counter, a part of the id.
                let _may_be_read = read(&changed);
            }
        }
    }
    // Items of indefinite length, and more levels or items than there can be.
    for malformed in
        [&b"\xbf"[..], b"\x5f", b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", &[0x81; 100], b"\x9a\xff\xff\xff\xff"]
    {
        assert_eq!(cbor::Reader::new(malformed, Mistake::Key).skip(), Err(Mistake::Key));
    }
}

#[test]
fn a_relying_party_is_a_domain_with_secure_origins_of_its_own() {
    let of = |url: &str| RelyingParty::of_root_url(url).map(|site| (site.id().to_owned(), site.origins()[0].clone()));
    assert_eq!(of("http://localhost:3000/"), Ok(("localhost".into(), "http://localhost:3000".into())));
    assert_eq!(
        of("https://Chat.Example.com:443/app"),
        Ok(("chat.example.com".into(), "https://chat.example.com".into()))
    );
    for url in
        ["http://chat.example.com", "https://192.0.2.1", "https://[::1]:3000", "ftp://example.com", "example.com", ""]
    {
        assert!(of(url).is_err(), "{url}");
    }
    let with = |origin: &str| RelyingParty::new("example.com", [origin]).is_ok();
    assert!(with("https://example.com") && with("https://a.b.example.com:8443") && with("android:apk-key-hash:abc"));
    assert!(!with("https://badexample.com") && !with("https://example.com.evil.org") && !with("http://example.com"));
    assert!(RelyingParty::new("example.com", [""; 0]).is_err());
}
