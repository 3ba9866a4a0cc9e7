//! What clients see of a user.

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;

use super::AccountsCore;
use crate::store::{Totp, User};

/// The further fields that users see of themselves, beside those that the application names.
const PUBLISHED: [&str; 3] = ["name", "language", "settings"];

impl AccountsCore {
    /// The fields of the user's own document in the collection `users`. Nothing of how the user logs in, but whether
    /// there are second factors, and whether one is missing that must be there.
    pub(crate) fn own_fields(&self, user: &User) -> Object {
        let is_published = |name: &String| {
            PUBLISHED.contains(&name.as_str()) || (self.published_fields.contains(name) && name != "services")
        };
        let published = user.fields.iter().filter(|(name, _)| is_published(name));
        let mut fields: Object = published.map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(username) = &user.username {
            fields.insert("username".into(), username.clone().into());
        }
        fields.insert("emails".into(), emails(user));
        if let Some(profile) = &user.profile {
            fields.insert("profile".into(), Ejson::Object(profile.clone()));
        }
        let roles = user.roles.iter().map(|role| Ejson::from(role.clone())).collect();
        fields.insert("roles".into(), Ejson::Array(roles));
        let mut factors = factors(user);
        factors.insert("required".into(), Ejson::Bool(self.must_enrol(user)));
        fields.insert("twoFactor".into(), Ejson::Object(factors));
        if user.must_change_password {
            fields.insert("requirePasswordChange".into(), Ejson::Bool(true));
        }
        fields
    }
}

pub(crate) fn emails(user: &User) -> Ejson {
    let email = |email: &crate::store::EmailAddress| {
        Ejson::Object(Object::from_iter([
            ("address".to_owned(), Ejson::from(email.address.clone())),
            ("verified".to_owned(), Ejson::Bool(email.is_verified)),
        ]))
    };
    Ejson::Array(user.emails.iter().map(email).collect())
}

/// Which second factors a user has.
pub(crate) fn factors(user: &User) -> Object {
    Object::from_iter([
        ("totp".to_owned(), Ejson::Bool(matches!(user.totp, Totp::On(_)))),
        ("email".to_owned(), Ejson::Bool(user.has_email_codes)),
    ])
}
