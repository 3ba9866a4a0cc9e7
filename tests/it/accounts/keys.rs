//! The commands `bolide key` and `bolide methods`.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;

use bolide::accounts::{Accounts, AccountsError};
use bolide::chance::SystemChance;
use bolide::clock::Timestamp;
use bolide::keys::KeyRing;
use bolide::store::{SqlStore, Store, Totp, User};

use super::SECRET;

struct Directory(PathBuf);

impl Directory {
    /// The data of a server with one user, who has an authenticator app.
    async fn with_a_secret(name: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let own = Self(directory);
        let keys = KeyRing::open_file(&own.0.join("bolide.key"), &SystemChance).unwrap();
        let accounts = Accounts::open(own.store().await, keys).await.unwrap();
        let mut user = User::new("a".into(), Timestamp::from_milliseconds(1_000));
        user.username = Some("ada".into());
        user.totp = Totp::On(accounts.seal_totp_secret(&user.id, SECRET, &SystemChance));
        accounts.add_user(user.into()).await.unwrap();
        own
    }

    async fn store(&self) -> SqlStore {
        SqlStore::open(&format!("sqlite:{}", self.0.join("bolide.db").display())).await.unwrap()
    }

    fn bolide(&self, arguments: &[&str], keys: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bolide"));
        command.args(arguments).arg("--data-dir").arg(&self.0).env_remove("BOLIDE_KEYS");
        if let Some(keys) = keys {
            command.env("BOLIDE_KEYS", keys);
        }
        command.output().unwrap()
    }

    /// Returns whether the one secret is sealed with the current key of a ring, and can be opened.
    async fn is_sealed_with(&self, keys: &KeyRing) -> bool {
        use bolide::store::user::Users as _;
        let secrets = self.store().await.totp_secrets().await.unwrap();
        let (_, sealed) = &secrets[0];
        keys.is_current(sealed) && keys.open(sealed, "totp:a").is_some_and(|secret| secret.expose() == SECRET)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn rotation_reseals_secrets_and_keeps_the_old_key() {
    let data = Directory::with_a_secret("rotate").await;
    let path = data.0.join("bolide.key");
    let old = std::fs::read_to_string(&path).unwrap();
    let output = data.bolide(&["key", "rotate"], None);
    assert_eq!(text(&output.stdout), "encrypted 1 secrets with the first key\n", "{}", text(&output.stderr));
    let new = std::fs::read_to_string(&path).unwrap();
    assert!(new.ends_with(&old) && new.lines().count() == 2);
    assert!(data.is_sealed_with(&KeyRing::parse(&new).unwrap()).await);
}

#[tokio::test]
async fn keys_from_a_variable_are_rotated_by_hand() {
    let data = Directory::with_a_secret("variable").await;
    let old = std::fs::read_to_string(data.0.join("bolide.key")).unwrap();
    let refused = data.bolide(&["key", "rotate"], Some(&old));
    assert!(!refused.status.success() && text(&refused.stderr).contains("bolide key next"));
    let next = text(&data.bolide(&["key", "next"], Some(&old)).stdout);
    assert!(next.ends_with(&old) && !data.is_sealed_with(&KeyRing::parse(&next).unwrap()).await);
    assert!(data.bolide(&["key", "reseal"], Some(&next)).status.success());
    assert!(data.is_sealed_with(&KeyRing::parse(&next).unwrap()).await);
}

#[tokio::test]
async fn keys_are_not_rotated_while_the_server_runs() {
    let data = Directory::with_a_secret("running").await;
    let before = std::fs::read_to_string(data.0.join("bolide.key")).unwrap();
    let _server = data.store().await;
    let refused = data.bolide(&["key", "rotate"], None);
    assert!(!refused.status.success() && text(&refused.stderr).contains("used by another process"));
    assert_eq!(std::fs::read_to_string(data.0.join("bolide.key")).unwrap(), before);
}

#[tokio::test]
async fn a_server_with_other_keys_does_not_start_and_says_what_to_do() {
    let data = Directory::with_a_secret("other").await;
    let other = KeyRing::generate(&SystemChance);
    let refused = data.bolide(&["user", "list"], Some(other.to_text().expose()));
    assert!(!refused.status.success());
    let said = text(&refused.stderr);
    assert!(said.contains("the keys are not those of the database") && said.contains("bolide.key"), "{said}");
    assert!(data.bolide(&["user", "list"], None).status.success());

    // After a rotation, the newest key is needed: with the older ones, the server would not open what others seal.
    let old = std::fs::read_to_string(data.0.join("bolide.key")).unwrap();
    assert!(data.bolide(&["key", "rotate"], None).status.success());
    assert!(data.bolide(&["user", "list"], None).status.success());
    assert!(!data.bolide(&["user", "list"], Some(&old)).status.success());

    // A key file that is lost is not replaced unnoticed.
    std::fs::remove_file(data.0.join("bolide.key")).unwrap();
    assert!(!data.bolide(&["user", "list"], None).status.success());
}

#[tokio::test]
async fn a_database_of_an_older_version_is_not_opened_with_other_keys() {
    let keys = KeyRing::generate(&SystemChance);
    let mut user = User::new("a".into(), Timestamp::from_milliseconds(1_000));
    user.totp = Totp::On(keys.seal(SECRET, "totp:a", &SystemChance));
    for (ring, is_right) in [(keys, true), (KeyRing::generate(&SystemChance), false)] {
        // As such a database, it has secrets and no keys were used with it.
        let store: Arc<dyn Store> = Arc::new(SqlStore::open("sqlite::memory:").await.unwrap());
        store.insert_user(user.clone().into()).await.unwrap();
        let opened = Accounts::open_shared(store, ring, []).await;
        assert_eq!(opened.is_ok(), is_right);
        assert!(is_right || matches!(opened, Err(AccountsError::OtherKeys)));
    }
}

#[test]
fn methods_and_endpoints_are_listed_with_their_policies() {
    let listed = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_bolide")).args(arguments).output().unwrap();
        text(&output.stdout)
    };
    let all = listed(&["methods"]);
    assert!(
        all.contains("method\tlogin\topen\n")
            && all.contains("POST\tusers.2fa.disableEmail\tsecond factor, no exemptions, no remember-me\n")
    );
    let gated = listed(&["methods", "--gated"]);
    assert!(gated.contains("personalAccessTokens:generateToken") && !gated.contains("\topen\n"));
}
