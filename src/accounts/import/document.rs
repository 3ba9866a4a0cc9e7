//! [`DocumentReader`]: reads a document of the collection `users`.

use std::collections::HashSet;
use std::time::Duration;

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;
use totp_rs::Secret;

use super::ImportError;
use crate::accounts::password::PasswordHash;
use crate::accounts::secrets::{backup_code_hash, totp_owner};
use crate::accounts::{LoginSecret, names};
use crate::chance::Chance;
use crate::clock::Timestamp;
use crate::keys::KeyRing;
use crate::store::{
    EmailAddress, HashedToken, KeyedHash, LoginToken, NewUser, Sealed, StoredHash, TokenKind, Totp, User, fold,
};
use crate::user::UserId;

/// The fields that are not imported as further fields.
const READ: [&str; 9] =
    ["_id", "username", "emails", "profile", "roles", "services", "createdAt", "active", "requirePasswordChange"];

/// The services in which Meteor and Rocket.Chat store their own secrets. Of other services, the user's id is imported.
const OWN_SERVICES: [&str; 9] = [
    "password",
    "resume",
    "totp",
    "twoFactorAuthentication",
    "email2fa",
    "emailCode",
    "email",
    "passwordless",
    "cloud",
];

/// Reads documents. Secrets are sealed with the keys of this server.
pub(super) struct DocumentReader<'import> {
    pub(super) keys: &'import KeyRing,
    pub(super) chance: &'import dyn Chance,
    pub(super) now: Timestamp,
    /// The lifetime of a login.
    pub(super) login_lifetime: Duration,
}

impl DocumentReader<'_> {
    /// Returns the user that a document describes.
    pub(super) fn read(&self, document: &Ejson) -> Result<NewUser, ImportError> {
        let fields = document.as_object().ok_or_else(|| wrong("the document", "an object"))?;
        let id = read_id(fields)?;
        let none = Object::default();
        let services = object(fields, "services", "services")?.unwrap_or(&none);
        let user = User {
            username: read_username(fields)?,
            emails: read_emails(fields)?,
            profile: object(fields, "profile", "profile")?.cloned(),
            roles: read_roles(fields)?,
            fields: further_fields(fields, services),
            is_active: boolean(fields, "active", "active")?.unwrap_or(true),
            password: read_password(services)?,
            must_change_password: boolean(fields, "requirePasswordChange", "requirePasswordChange")?.unwrap_or(false),
            totp: self.read_totp(services, &id)?,
            has_email_codes: has_email_codes(services)?,
            ..User::new(id.clone(), date(fields, "createdAt", "createdAt")?.unwrap_or(self.now))
        };
        let backup_codes =
            if matches!(user.totp, Totp::On(_)) { self.read_backup_codes(services, &id)? } else { vec![] };
        Ok(NewUser { backup_codes, tokens: self.read_tokens(services, &id)?, user })
    }

    /// Reads Rocket.Chat's authenticator app, or that of Meteor's accounts-2fa.
    fn read_totp(&self, services: &Object, id: &UserId) -> Result<Totp, ImportError> {
        if let Some(totp) = object(services, "totp", "services.totp")? {
            if boolean(totp, "enabled", "services.totp.enabled")? == Some(true) {
                let secret = text(totp, "secret", "services.totp.secret")?;
                return Ok(Totp::On(self.seal_base32(secret.unwrap_or_default(), "services.totp.secret", id)?));
            }
            if let Some(pending) = text(totp, "tempSecret", "services.totp.tempSecret")? {
                return Ok(Totp::Pending(self.seal_base32(pending, "services.totp.tempSecret", id)?));
            }
        }
        let Some(factor) = object(services, "twoFactorAuthentication", "services.twoFactorAuthentication")? else {
            return Ok(Totp::Off);
        };
        let Some(secret) = text(factor, "secret", "services.twoFactorAuthentication.secret")? else {
            return Ok(Totp::Off);
        };
        let sealed = self.seal_base32(secret, "services.twoFactorAuthentication.secret", id)?;
        let is_on = text(factor, "type", "services.twoFactorAuthentication.type")?.is_some();
        Ok(if is_on { Totp::On(sealed) } else { Totp::Pending(sealed) })
    }

    fn seal_base32(&self, secret: &str, field: &'static str, id: &UserId) -> Result<Sealed, ImportError> {
        // A secret may be in groups, with padding, and in either case.
        let plain: String = secret.chars().filter(char::is_ascii_alphanumeric).collect();
        let read = Secret::try_from_base32(plain.to_ascii_uppercase()).ok().filter(|secret| !secret.is_empty());
        let secret = read.ok_or_else(|| wrong(field, "a secret in base32"))?;
        Ok(self.keys.seal(&secret, &totp_owner(id), self.chance))
    }

    /// Reads backup codes. They are hashed once more, so that they are checked like those of this server.
    fn read_backup_codes(&self, services: &Object, id: &UserId) -> Result<Vec<KeyedHash>, ImportError> {
        const FIELD: &str = "services.totp.hashedBackup";
        const EXPECTED: &str = "a list of SHA-256 hashes in hexadecimal";
        let Some(totp) = object(services, "totp", "services.totp")? else { return Ok(Vec::new()) };
        let read = |hash: &Ejson| {
            let hash =
                hash.as_str().filter(|hash| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let hash = hash.ok_or_else(|| wrong(FIELD, EXPECTED))?;
            Ok(backup_code_hash(self.keys, id, &hash.to_ascii_lowercase()))
        };
        list(totp, "hashedBackup", FIELD)?.iter().map(read).collect()
    }

    fn read_tokens(&self, services: &Object, id: &UserId) -> Result<Vec<LoginToken>, ImportError> {
        const FIELD: &str = "services.resume.loginTokens";
        let Some(resume) = object(services, "resume", "services.resume")? else { return Ok(Vec::new()) };
        let (mut tokens, mut known, mut names) = (Vec::new(), HashSet::new(), HashSet::new());
        for entry in list(resume, "loginTokens", FIELD)? {
            let entry = entry.as_object().ok_or_else(|| wrong(FIELD, "a list of objects"))?;
            let Some(token) = self.read_token(entry, id)? else { continue };
            let is_new_name = match &token.kind {
                TokenKind::Personal { name, .. } => names.insert(name.clone()),
                TokenKind::Session { .. } => true,
            };
            if is_new_name && known.insert(token.hashed.clone()) {
                tokens.push(token);
            }
        }
        Ok(tokens)
    }

    /// Reads a token that has not expired. The client is no longer trusted: it is asked for a second factor again.
    fn read_token(&self, entry: &Object, id: &UserId) -> Result<Option<LoginToken>, ImportError> {
        const FIELD: &str = "services.resume.loginTokens.hashedToken";
        let hashed = match (text(entry, "hashedToken", FIELD)?, text(entry, "token", FIELD)?) {
            (Some(hashed), _) if hashed.len() <= 200 => HashedToken::from_base64(hashed),
            // An old token that Meteor did not hash.
            (None, Some(token)) => LoginSecret::from(token.to_owned()).hashed(),
            _ => return Err(wrong(FIELD, "a hash in base64")),
        };
        let is_personal = text(entry, "type", "services.resume.loginTokens.type")? == Some("personalAccessToken");
        let when = if is_personal { "createdAt" } else { "when" };
        let created_at = date(entry, when, "services.resume.loginTokens.when")?.unwrap_or(self.now);
        let kind = if is_personal { read_personal(entry)? } else { self.session_since(created_at) };
        let token = LoginToken {
            hashed,
            user: id.clone(),
            kind,
            created_at,
            trust: None,
            last_used_at: None,
            last_address: None,
            last_user_agent: None,
        };
        Ok(Some(token).filter(|token| token.expires_at().is_none_or(|end| self.now < end)))
    }

    fn session_since(&self, created_at: Timestamp) -> TokenKind {
        TokenKind::Session { expires_at: created_at.plus(self.login_lifetime) }
    }
}

fn read_personal(entry: &Object) -> Result<TokenKind, ImportError> {
    const NAME: &str = "services.resume.loginTokens.name";
    let name = text(entry, "name", NAME)?.ok_or_else(|| wrong(NAME, "a text"))?;
    let last_part = text(entry, "lastTokenPart", "services.resume.loginTokens.lastTokenPart")?.unwrap_or_default();
    let bypass = boolean(entry, "bypassTwoFactor", "services.resume.loginTokens.bypassTwoFactor")?;
    Ok(TokenKind::Personal {
        name: name.to_owned(),
        last_part: last_part.to_owned(),
        bypasses_two_factor: bypass.unwrap_or(false),
    })
}

fn read_id(fields: &Object) -> Result<UserId, ImportError> {
    let id = match fields.get("_id") {
        Some(Ejson::String(id)) if !id.is_empty() && id.len() <= 200 => id.clone(),
        Some(Ejson::ObjectId(id)) => id.to_string(),
        _ => return Err(wrong("_id", "a text or an ObjectId")),
    };
    Ok(id.into())
}

/// Returns a name. Names that break the rules of this server are imported too, since their users must be able to log in.
fn read_username(fields: &Object) -> Result<Option<String>, ImportError> {
    let Some(name) = text(fields, "username", "username")? else { return Ok(None) };
    if names::imported(name) {
        return Ok(Some(name.to_owned()));
    }
    Err(wrong("username", "a text of at most 254 characters that can be seen"))
}

fn read_emails(fields: &Object) -> Result<Vec<EmailAddress>, ImportError> {
    const EXPECTED: &str = "a list of objects with an `address`";
    let (mut emails, mut known) = (Vec::new(), HashSet::new());
    for email in list(fields, "emails", "emails")? {
        let email = email.as_object().ok_or_else(|| wrong("emails", EXPECTED))?;
        let address = text(email, "address", "emails.address")?.filter(|address| names::imported(address));
        let address = address.ok_or_else(|| wrong("emails", EXPECTED))?.to_owned();
        let is_verified = boolean(email, "verified", "emails.verified")?.unwrap_or(false);
        if known.insert(fold(&address)) {
            emails.push(EmailAddress { address, is_verified });
        }
    }
    Ok(emails)
}

/// Reads a list of names, or of objects with a name as `_id`.
fn read_roles(fields: &Object) -> Result<Vec<String>, ImportError> {
    let read = |role: &Ejson| {
        let name = role.as_str().or_else(|| role.get("_id").and_then(Ejson::as_str));
        name.map(str::to_owned).ok_or_else(|| wrong("roles", "a list of names"))
    };
    list(fields, "roles", "roles")?.iter().map(read).collect()
}

fn read_password(services: &Object) -> Result<Option<StoredHash>, ImportError> {
    let Some(password) = object(services, "password", "services.password")? else { return Ok(None) };
    let hash = match text(password, "argon2", "services.password.argon2")? {
        Some(hash) => Some(hash),
        None => text(password, "bcrypt", "services.password.bcrypt")?,
    };
    let Some(hash) = hash else { return Ok(None) };
    match hash.parse::<PasswordHash>() {
        Ok(parsed) => Ok(Some(StoredHash::new(parsed.as_str()))),
        Err(_) => Err(wrong("services.password", "a bcrypt or argon2id hash of a reasonable cost")),
    }
}

fn has_email_codes(services: &Object) -> Result<bool, ImportError> {
    let Some(codes) = object(services, "email2fa", "services.email2fa")? else { return Ok(false) };
    Ok(boolean(codes, "enabled", "services.email2fa.enabled")?.unwrap_or(false))
}

/// Returns all other fields, with the ids at other services, by which logins through them find the user.
fn further_fields(fields: &Object, services: &Object) -> Object {
    let is_further = |(name, _): &(&String, &Ejson)| !READ.contains(&name.as_str());
    let mut further: Object =
        fields.iter().filter(is_further).map(|(name, value)| (name.clone(), value.clone())).collect();
    let foreign = services.iter().filter(|(name, _)| !OWN_SERVICES.contains(&name.as_str()));
    let with_id = foreign.filter_map(|(name, service)| {
        let id = service.get("id")?.clone();
        Some((name.clone(), Ejson::Object(Object::from_iter([("id".to_owned(), id)]))))
    });
    let ids: Object = with_id.collect();
    if !ids.is_empty() {
        further.insert("services".into(), Ejson::Object(ids));
    }
    further
}

fn wrong(field: &'static str, expected: &'static str) -> ImportError {
    ImportError::Field { field, expected }
}

/// Returns a member. `None` if it is missing or null.
fn member<'object>(object: &'object Object, name: &str) -> Option<&'object Ejson> {
    object.get(name).filter(|value| !value.is_null())
}

fn object<'object>(
    parent: &'object Object,
    name: &str,
    field: &'static str,
) -> Result<Option<&'object Object>, ImportError> {
    member(parent, name).map(|value| value.as_object().ok_or_else(|| wrong(field, "an object"))).transpose()
}

fn text<'object>(
    parent: &'object Object,
    name: &str,
    field: &'static str,
) -> Result<Option<&'object str>, ImportError> {
    member(parent, name).map(|value| value.as_str().ok_or_else(|| wrong(field, "a text"))).transpose()
}

fn boolean(parent: &Object, name: &str, field: &'static str) -> Result<Option<bool>, ImportError> {
    member(parent, name).map(|value| value.as_bool().ok_or_else(|| wrong(field, "true or false"))).transpose()
}

fn date(parent: &Object, name: &str, field: &'static str) -> Result<Option<Timestamp>, ImportError> {
    let read = |value: &Ejson| {
        let milliseconds = value.as_date().and_then(bolide_protocol::ejson::Date::milliseconds);
        milliseconds.map(Timestamp::from_milliseconds).ok_or_else(|| wrong(field, "a date"))
    };
    member(parent, name).map(read).transpose()
}

fn list<'object>(parent: &'object Object, name: &str, field: &'static str) -> Result<&'object [Ejson], ImportError> {
    match member(parent, name) {
        Some(value) => value.as_array().ok_or_else(|| wrong(field, "a list")),
        None => Ok(&[]),
    }
}
