//! [`DocumentReader`]: reads a document of the collection `users`.

use std::collections::HashSet;
use std::time::Duration;

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;
use totp_rs::Secret;

use super::members::{Members as _, boolean_of, member};
use super::{ImportError, ImportWarning};
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

/// Reads one document. Secrets are sealed with the keys of this server.
///
/// Rejected are documents without an id, without a way to log in, with a password that cannot be checked, or with a second
/// factor that cannot be kept. Any other value that cannot be read is dropped with a warning.
pub(super) struct DocumentReader<'import> {
    pub(super) keys: &'import KeyRing,
    pub(super) chance: &'import dyn Chance,
    pub(super) now: Timestamp,
    /// Returns the lifetime of a login of a user with these roles.
    pub(super) login_lifetime: &'import (dyn Fn(&[String]) -> Duration + Sync),
    pub(super) warnings: Vec<ImportWarning>,
}

impl DocumentReader<'_> {
    /// Returns the user that a document describes, and the warnings about it.
    pub(super) fn read(mut self, fields: &Object) -> Result<(NewUser, Vec<ImportWarning>), ImportError> {
        let id = read_id(fields)?;
        let none = Object::default();
        let services = required_object(fields, "services", "services")?.unwrap_or(&none);
        let user = User {
            username: self.read_username(fields),
            emails: self.read_emails(fields, services),
            profile: self.warnings.object(fields, "profile", "profile").cloned(),
            roles: self.read_roles(fields),
            fields: further_fields(fields, services),
            is_active: self.warnings.boolean(fields, "active", "active").unwrap_or(true),
            password: read_password(services)?,
            must_change_password: self
                .warnings
                .boolean(fields, "requirePasswordChange", "requirePasswordChange")
                .unwrap_or(false),
            totp: self.read_totp(services, &id)?,
            has_email_codes: has_email_codes(services)?,
            ..User::new(id.clone(), self.warnings.date(fields, "createdAt", "createdAt").unwrap_or(self.now))
        };
        let backup_codes =
            if matches!(user.totp, Totp::On(_)) { self.read_backup_codes(services, &id) } else { vec![] };
        let tokens = self.read_tokens(services, &user);
        let can_log_in = user.username.is_some()
            || !user.emails.is_empty()
            || !tokens.is_empty()
            || user.fields.contains_key("services");
        if !can_log_in {
            return Err(ImportError::NoLogin);
        }
        Ok((NewUser { backup_codes, tokens, ..NewUser::from(user) }, self.warnings))
    }

    /// Reads Rocket.Chat's authenticator app, or that of Meteor's accounts-2fa. One that is being set up there is begun
    /// again here: only the login that began it may confirm it.
    fn read_totp(&self, services: &Object, id: &UserId) -> Result<Totp, ImportError> {
        const SECRET: &str = "services.totp.secret";
        let Some(totp) = required_object(services, "totp", "services.totp")? else {
            return self.read_meteors_factor(services, id);
        };
        if required_boolean(totp, "enabled", "services.totp.enabled")? != Some(true) {
            return self.read_meteors_factor(services, id);
        }
        let secret = required_text(totp, "secret", SECRET)?.unwrap_or_default();
        Ok(Totp::On(self.seal_base32(secret, id).ok_or_else(|| wrong(SECRET, BASE32))?))
    }

    fn read_meteors_factor(&self, services: &Object, id: &UserId) -> Result<Totp, ImportError> {
        const FACTOR: &str = "services.twoFactorAuthentication";
        const SECRET: &str = "services.twoFactorAuthentication.secret";
        let Some(factor) = required_object(services, "twoFactorAuthentication", FACTOR)? else { return Ok(Totp::Off) };
        let is_on = member(factor, "type").is_some();
        match required_text(factor, "secret", SECRET)? {
            Some(secret) if is_on => Ok(Totp::On(self.seal_base32(secret, id).ok_or_else(|| wrong(SECRET, BASE32))?)),
            None if is_on => Err(wrong(SECRET, BASE32)),
            _ => Ok(Totp::Off),
        }
    }

    fn seal_base32(&self, secret: &str, id: &UserId) -> Option<Sealed> {
        // A secret may be in groups, with padding, and in either case.
        let plain: String = secret.chars().filter(char::is_ascii_alphanumeric).collect();
        let secret = Secret::try_from_base32(plain.to_ascii_uppercase()).ok().filter(|secret| !secret.is_empty())?;
        Some(self.keys.seal(&secret, &totp_owner(id), self.chance))
    }

    /// Reads backup codes. They are hashed once more, so that they are checked like those of this server.
    fn read_backup_codes(&mut self, services: &Object, id: &UserId) -> Vec<KeyedHash> {
        const FIELD: &str = "services.totp.hashedBackup";
        let Some(totp) = services.get("totp").and_then(Ejson::as_object) else { return Vec::new() };
        let mut codes = Vec::new();
        for entry in self.warnings.list(totp, "hashedBackup", FIELD) {
            let is_hash = |hash: &&str| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            match entry.as_str().filter(is_hash) {
                Some(hash) => codes.push(backup_code_hash(self.keys, id, &hash.to_ascii_lowercase())),
                None => self.warnings.warn(FIELD, "has an entry that is not a SHA-256 hash; it was dropped"),
            }
        }
        codes
    }

    fn read_tokens(&mut self, services: &Object, owner: &User) -> Vec<LoginToken> {
        const FIELD: &str = "services.resume.loginTokens";
        let Some(resume) = self.warnings.object(services, "resume", "services.resume") else { return Vec::new() };
        let (mut tokens, mut known, mut names) = (Vec::new(), HashSet::new(), HashSet::new());
        for entry in self.warnings.list(resume, "loginTokens", FIELD) {
            let Some(entry) = entry.as_object() else {
                self.warnings.warn(FIELD, "has an entry that is not an object; it was dropped");
                continue;
            };
            let Some(token) = self.read_token(entry, owner) else { continue };
            let is_new_name = match &token.kind {
                TokenKind::Personal { name, .. } => names.insert(name.clone()),
                TokenKind::Session { .. } => true,
            };
            if is_new_name && known.insert(token.hashed.clone()) {
                tokens.push(token);
            }
        }
        tokens
    }

    /// Reads a token that has not expired. The client is no longer trusted: it is asked for a second factor again.
    fn read_token(&mut self, entry: &Object, owner: &User) -> Option<LoginToken> {
        let hashed = self.read_token_hash(entry)?;
        let is_personal = entry.get("type").and_then(Ejson::as_str) == Some("personalAccessToken");
        let when = if is_personal { "createdAt" } else { "when" };
        let created_at = self.warnings.date(entry, when, "services.resume.loginTokens.when").unwrap_or(self.now);
        let kind = if is_personal { self.read_personal(entry)? } else { self.session_since(created_at, owner) };
        let token = LoginToken {
            hashed,
            user: owner.id.clone(),
            kind,
            created_at,
            trust: None,
            last_used_at: None,
            last_address: None,
            last_user_agent: None,
        };
        Some(token).filter(|token| token.expires_at().is_none_or(|end| self.now < end))
    }

    fn read_token_hash(&mut self, entry: &Object) -> Option<HashedToken> {
        const FIELD: &str = "services.resume.loginTokens.hashedToken";
        let hashed = self.warnings.text(entry, "hashedToken", FIELD).filter(|hashed| hashed.len() <= 200);
        let read = match (hashed, entry.get("token").and_then(Ejson::as_str)) {
            (Some(hashed), _) => Some(HashedToken::from_base64(hashed)),
            // An old token that Meteor did not hash.
            (None, Some(token)) => Some(LoginSecret::from(token.to_owned()).hashed()),
            (None, None) => None,
        };
        self.warnings.or_dropped(read, FIELD, "is missing; the token was dropped")
    }

    fn read_personal(&mut self, entry: &Object) -> Option<TokenKind> {
        const NAME: &str = "services.resume.loginTokens.name";
        let name = member(entry, "name").and_then(Ejson::as_str).filter(|name| !name.is_empty());
        let name =
            self.warnings.or_dropped(name, NAME, "of a personal access token is missing; the token was dropped")?;
        let last_part = entry.get("lastTokenPart").and_then(Ejson::as_str).unwrap_or_default();
        let bypass = self.warnings.boolean(entry, "bypassTwoFactor", "services.resume.loginTokens.bypassTwoFactor");
        Some(TokenKind::Personal {
            name: name.to_owned(),
            last_part: last_part.to_owned(),
            bypasses_two_factor: bypass.unwrap_or(false),
        })
    }

    fn session_since(&self, created_at: Timestamp, owner: &User) -> TokenKind {
        TokenKind::Session { expires_at: created_at.plus((self.login_lifetime)(&owner.roles)) }
    }

    /// Returns a name. Names that break the rules of this server are imported too, since their users must be able to log
    /// in.
    fn read_username(&mut self, fields: &Object) -> Option<String> {
        const PROBLEM: &str = "is longer than 254 characters or cannot be seen; it was dropped";
        let name = self.warnings.text(fields, "username", "username")?;
        let possible = Some(name).filter(|name| names::imported(name));
        self.warnings.or_dropped(possible, "username", PROBLEM).map(str::to_owned)
    }

    /// Reads the addresses. A user without one gets the address that another service knows.
    fn read_emails(&mut self, fields: &Object, services: &Object) -> Vec<EmailAddress> {
        let (mut emails, mut known) = (Vec::new(), HashSet::new());
        for entry in self.warnings.list(fields, "emails", "emails") {
            let Some(email) = self.read_email(entry) else { continue };
            if known.insert(fold(&email.address)) {
                emails.push(email);
            }
        }
        if emails.is_empty() {
            emails.extend(
                services.iter().filter(|(name, _)| is_foreign(name)).find_map(|(_, service)| address_at(service)),
            );
        }
        emails
    }

    fn read_email(&mut self, entry: &Ejson) -> Option<EmailAddress> {
        const PROBLEM: &str = "has an entry without an address; it was dropped";
        let address = text_of_address(entry).filter(|address| names::imported(address));
        let address = self.warnings.or_dropped(address, "emails", PROBLEM)?.to_owned();
        let verified = entry.as_object().and_then(|email| self.warnings.boolean(email, "verified", "emails.verified"));
        Some(EmailAddress { address, is_verified: verified.unwrap_or(false) })
    }

    /// Reads a list of names, or of objects with a name as `_id`, or lists of these by group: then of all groups.
    fn read_roles(&mut self, fields: &Object) -> Vec<String> {
        let groups: Vec<&Ejson> = match member(fields, "roles") {
            Some(Ejson::Object(groups)) => groups.values().collect(),
            Some(value) => vec![value],
            None => vec![],
        };
        let mut roles: Vec<String> = Vec::new();
        for value in
            groups.into_iter().flat_map(|group| group.as_array().unwrap_or_else(|| std::slice::from_ref(group)))
        {
            let name = value.as_str().or_else(|| value.get("_id").and_then(Ejson::as_str));
            match name {
                Some(name) if roles.iter().any(|role| role == name) => {}
                Some(name) => roles.push(name.to_owned()),
                None => self.warnings.warn("roles", "has an entry that is not a name; it was dropped"),
            }
        }
        roles
    }
}

const BASE32: &str = "a secret in base32";

fn read_id(fields: &Object) -> Result<UserId, ImportError> {
    let id = match fields.get("_id") {
        Some(Ejson::String(id)) if !id.is_empty() && id.len() <= 200 => id.clone(),
        Some(Ejson::ObjectId(id)) => id.to_string(),
        _ => return Err(wrong("_id", "a text or an ObjectId")),
    };
    Ok(id.into())
}

/// Returns the address of an entry: a text, an object with an `address`, or one whose `address` is such an object.
fn text_of_address(entry: &Ejson) -> Option<&str> {
    entry.as_str().or_else(|| {
        let address = entry.get("address")?;
        address.as_str().or_else(|| address.get("address")?.as_str())
    })
}

/// Returns the address that another service knows of the user.
fn address_at(service: &Ejson) -> Option<EmailAddress> {
    let address = service.get("email")?.as_str().filter(|address| names::address(address).is_ok())?;
    let is_verified =
        ["verified_email", "email_verified"].iter().any(|name| service.get(name).and_then(boolean_of).unwrap_or(false));
    Some(EmailAddress { address: address.to_owned(), is_verified })
}

fn read_password(services: &Object) -> Result<Option<StoredHash>, ImportError> {
    let Some(password) = required_object(services, "password", "services.password")? else { return Ok(None) };
    let hash = match required_text(password, "argon2", "services.password.argon2")? {
        Some(hash) => Some(hash),
        None => required_text(password, "bcrypt", "services.password.bcrypt")?,
    };
    let Some(hash) = hash else { return Ok(None) };
    match hash.parse::<PasswordHash>() {
        Ok(parsed) => Ok(Some(StoredHash::new(parsed.as_str()))),
        Err(_) => Err(wrong("services.password", "a bcrypt or argon2id hash of a reasonable cost")),
    }
}

fn has_email_codes(services: &Object) -> Result<bool, ImportError> {
    let Some(codes) = required_object(services, "email2fa", "services.email2fa")? else { return Ok(false) };
    Ok(required_boolean(codes, "enabled", "services.email2fa.enabled")?.unwrap_or(false))
}

fn is_foreign(service: &str) -> bool {
    !OWN_SERVICES.contains(&service)
}

/// Returns all other fields, with the ids at other services, by which logins through them find the user.
fn further_fields(fields: &Object, services: &Object) -> Object {
    let is_further = |(name, _): &(&String, &Ejson)| !READ.contains(&name.as_str());
    let mut further: Object =
        fields.iter().filter(is_further).map(|(name, value)| (name.clone(), value.clone())).collect();
    let with_id = services.iter().filter(|(name, _)| is_foreign(name)).filter_map(|(name, service)| {
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

/// Returns an object of which no part may be lost, such as one with a second factor.
fn required_object<'object>(
    parent: &'object Object,
    name: &str,
    field: &'static str,
) -> Result<Option<&'object Object>, ImportError> {
    member(parent, name).map(|value| value.as_object().ok_or_else(|| wrong(field, "an object"))).transpose()
}

fn required_text<'object>(
    parent: &'object Object,
    name: &str,
    field: &'static str,
) -> Result<Option<&'object str>, ImportError> {
    member(parent, name).map(|value| value.as_str().ok_or_else(|| wrong(field, "a text"))).transpose()
}

fn required_boolean(parent: &Object, name: &str, field: &'static str) -> Result<Option<bool>, ImportError> {
    member(parent, name).map(|value| boolean_of(value).ok_or_else(|| wrong(field, "true or false"))).transpose()
}
