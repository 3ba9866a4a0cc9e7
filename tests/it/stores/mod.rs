//! What every store promises, for each database. A new store is added in `databases`.

#![expect(clippy::unwrap_used, reason = "what a test prepares works, or the test fails")]

mod access;
pub(crate) mod databases;
mod once;
mod others;
mod tls;
mod tokens;
#[cfg(unix)]
mod two_pools;
mod users;

use bolide::clock::Timestamp;
use bolide::prelude::Ejson;
use bolide::store::{
    EmailAddress, HashedToken, KeyedHash, LoginToken, NewUser, Passkey, Sealed, StoredHash, TokenKind, Totp, User,
};
use databases::{Database, every_shared_database, every_store};
use serde_json::json;

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_milliseconds(seconds * 1000)
}

/// Returns a user with every field set.
fn ada() -> NewUser {
    let object = |value| Ejson::from_typed(&value).unwrap().as_object().unwrap().clone();
    let mut user = User::new("a".into(), at(1));
    user.username = Some("Ada".into());
    user.emails = vec![EmailAddress::verified("Ada@example.com"), EmailAddress::unverified("second@example.com")];
    user.profile = Some(object(json!({ "born": { "$date": -1000 }, "$a": [1, null] })));
    user.roles = vec!["user".into(), "cashier".into()];
    user.fields = object(json!({ "name": "Ada 100% Lovelace", "nested": { "a": 1.5 } }));
    user.is_active = false;
    user.password = Some(StoredHash::new("a hash"));
    user.must_change_password = true;
    user.totp = Totp::On(Sealed::new(*b"sealed"));
    user.has_email_codes = true;
    // It follows from those below.
    user.passkeys = 1;
    let mut new = NewUser::from(user);
    new.backup_codes = vec![KeyedHash::new("backup 1"), KeyedHash::new("backup 2")];
    new.passkeys = vec![Passkey::new("passkey".into(), "a".into(), "Phone".into(), b"key".to_vec(), at(1))];
    new.tokens = vec![session("one", "a", at(100)), personal("two", "a", "ci")];
    new
}

fn plain(id: &str, username: &str) -> NewUser {
    let mut user = User::new(id.into(), at(1));
    user.username = Some(username.into());
    user.into()
}

fn session(hashed: &str, user: &str, expires_at: Timestamp) -> LoginToken {
    token(hashed, user, TokenKind::Session { expires_at })
}

fn personal(hashed: &str, user: &str, name: &str) -> LoginToken {
    let kind = TokenKind::Personal { name: name.into(), last_part: "abcdef".into(), bypasses_two_factor: true };
    token(hashed, user, kind)
}

fn token(hashed: &str, user: &str, kind: TokenKind) -> LoginToken {
    let mut token = LoginToken::new(HashedToken::from_base64(hashed), user.into(), kind, at(1));
    token.last_address = Some("192.0.2.1".into());
    token
}
