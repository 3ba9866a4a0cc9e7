//! What clients see of a user, as fields of a document.

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;

use crate::store::{EmailAddress, Totp, User};

/// The further fields that users see of themselves, in addition to those that the application publishes.
const PUBLISHED: [&str; 3] = ["name", "language", "settings"];

/// Returns the fields of the user's own document in the collection `users`. Of how the user logs in, they say only which
/// second factors there are, and whether one is missing that the user must have.
pub(super) fn own_fields(user: &User, published: &[String], must_enrol: bool) -> Object {
    let is_published =
        |name: &String| PUBLISHED.contains(&name.as_str()) || (published.contains(name) && name != "services");
    let shown = user.fields.iter().filter(|(name, _)| is_published(name));
    let mut fields: Object = shown.map(|(name, value)| (name.clone(), value.clone())).collect();
    if let Some(username) = &user.username {
        fields.insert("username".into(), username.clone().into());
    }
    // Clients read the address of `user.emails[0]`, so there is no empty list.
    if !user.emails.is_empty() {
        fields.insert("emails".into(), emails(user));
    }
    if let Some(profile) = &user.profile {
        fields.insert("profile".into(), Ejson::Object(profile.clone()));
    }
    let roles = user.roles.iter().map(|role| Ejson::from(role.clone())).collect();
    fields.insert("roles".into(), Ejson::Array(roles));
    let mut factors = factors(user);
    factors.insert("required".into(), Ejson::Bool(must_enrol));
    fields.insert("twoFactor".into(), Ejson::Object(factors));
    if user.must_change_password {
        fields.insert("requirePasswordChange".into(), Ejson::Bool(true));
    }
    fields
}

/// Returns the addresses of a user, each with whether it is verified.
pub(crate) fn emails(user: &User) -> Ejson {
    let email = |email: &EmailAddress| {
        Ejson::Object(Object::from_iter([
            ("address".to_owned(), Ejson::from(email.address.clone())),
            ("verified".to_owned(), Ejson::Bool(email.is_verified)),
        ]))
    };
    Ejson::Array(user.emails.iter().map(email).collect())
}

/// Returns which second factors a user has.
pub(crate) fn factors(user: &User) -> Object {
    let of_all = [
        ("totp".to_owned(), Ejson::Bool(matches!(user.totp, Totp::On(_)))),
        ("email".to_owned(), Ejson::Bool(user.can_receive_codes())),
    ];
    let passkeys = (user.passkeys > 0).then(|| ("webauthn".to_owned(), Ejson::Bool(true)));
    of_all.into_iter().chain(passkeys).collect()
}
