//! What every store promises, for each database. A new store is added with a line in `every_store`.

#![expect(clippy::unwrap_used, reason = "what a test prepares works, or the test fails")]

mod access;
mod once;
mod others;
mod tokens;
#[cfg(unix)]
mod two_pools;
mod users;

use std::sync::Arc;

use bolide::clock::Timestamp;
use bolide::prelude::Ejson;
use bolide::store::{
    EmailAddress, HashedToken, KeyedHash, LoginToken, NewUser, Sealed, SqliteStore, Store, StoredHash, TokenKind, Totp,
    User,
};
use serde_json::json;

/// Runs the same tests for each store.
macro_rules! every_store {
    ($($promise:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                super::$promise(crate::stores::memory().await).await;
            })*
        }

        mod in_a_file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                let file = crate::stores::File::new(concat!(module_path!(), "::", stringify!($promise)));
                super::$promise(file.open().await).await;
            })*
        }
    };
}
use every_store;

async fn memory() -> Arc<dyn Store> {
    Arc::new(SqliteStore::open("sqlite::memory:").await.unwrap())
}

/// A database file that is deleted when it is dropped.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let directory = format!("store-{}-{}", name.replace("::", "-"), std::process::id());
        let directory = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(directory);
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&format!("sqlite:{}", self.0.join("a.db").display())).await.unwrap())
    }
}

#[cfg(unix)]
impl File {
    /// Opens the file a second time, as another process would if the lock did not keep it out: by another name.
    async fn open_again(&self) -> Arc<dyn Store> {
        let other = self.0.join("again.db");
        std::os::unix::fs::symlink(self.0.join("a.db"), &other).unwrap();
        Arc::new(SqliteStore::open(&format!("sqlite:{}", other.display())).await.unwrap())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

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
    let mut new = NewUser::from(user);
    new.backup_codes = vec![KeyedHash::new("backup 1"), KeyedHash::new("backup 2")];
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
