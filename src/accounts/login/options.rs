//! Reads the options of `login` strictly: a text must be a text, so that an object cannot be a selector.

use bolide_protocol::ejson::Object;
use bolide_protocol::two_factor::typed_code;
use bolide_protocol::{DdpError, Ejson};

use super::{Dialect, LoginCode};
use crate::accounts::password::Password;
use crate::user::UserId;

/// The maximum length of a name or address, in bytes.
const LONGEST_SELECTOR: usize = 1000;

/// How a login names the user.
pub(crate) enum Selector {
    Id(UserId),
    Username(String),
    Address(String),
}

impl Selector {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Id(id) => id.as_str(),
            Self::Username(text) | Self::Address(text) => text,
        }
    }

    /// Returns whether it is longer than any name or address.
    pub(crate) fn is_too_long(&self) -> bool {
        self.text().len() > LONGEST_SELECTOR
    }

    /// Reads `{id}`, `{username}` or `{email}` with a non-empty text.
    pub(crate) fn read(value: Option<&Ejson>) -> Result<Self, DdpError> {
        let object = value.and_then(Ejson::as_object).filter(|object| object.len() == 1);
        let (key, value) = object.and_then(|object| object.first()).ok_or_else(DdpError::match_failed)?;
        let text = value.as_str().filter(|text| !text.is_empty() && text.len() <= LONGEST_SELECTOR);
        let text = text.ok_or_else(DdpError::match_failed)?.to_owned();
        match key.as_str() {
            "id" => Ok(Self::Id(text.into())),
            "username" => Ok(Self::Username(text)),
            "email" => Ok(Self::Address(text)),
            _ => Err(DdpError::match_failed()),
        }
    }
}

/// Reads `{user, password, code?}`. Other members are rejected. The code may be as a person typed it, since Meteor's forms
/// send it like that.
pub(super) fn password_options(options: &Object) -> Result<(Selector, Password, Option<String>), DdpError> {
    if options.keys().any(|key| !matches!(key.as_str(), "user" | "password" | "code")) {
        return Err(DdpError::match_failed());
    }
    let selector = Selector::read(options.get("user"))?;
    let password = Password::from_ejson(options.get("password").unwrap_or(&Ejson::Null))?;
    let code = optional_code(options.get("code"))?.map(|code| typed_code(&code));
    Ok((selector, password, code.filter(|code| !code.is_empty())))
}

/// Reads `{login, code}`. Without a code, it is the login itself.
pub(super) fn unwrap_totp(wrapped: &Ejson) -> Result<(&Object, Option<LoginCode>), DdpError> {
    let login = wrapped.get("login").and_then(Ejson::as_object).ok_or_else(DdpError::match_failed)?;
    if login.contains_key("totp") {
        return Err(DdpError::match_failed());
    }
    let code = optional_code(wrapped.get("code"))?;
    Ok((login, code.map(|code| LoginCode { code, dialect: Dialect::RocketChat })))
}

/// Returns whether a value is truthy in JavaScript, since clients omit options in several ways.
pub(super) fn is_truthy(value: &Ejson) -> bool {
    !(value.is_null() || value.as_bool() == Some(false) || value.as_str() == Some(""))
}

fn optional_code(code: Option<&Ejson>) -> Result<Option<String>, DdpError> {
    match code {
        None | Some(Ejson::Null) => Ok(None),
        Some(code) => {
            let code = code.as_str().ok_or_else(DdpError::match_failed)?;
            Ok(Some(code.to_owned()).filter(|code| !code.is_empty()))
        }
    }
}
