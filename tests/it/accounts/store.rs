//! The store: what happens once happens once, and what was acknowledged is there after a restart.

use std::sync::Arc;
use std::time::Duration;

use bolide::clock::Timestamp;
use bolide::protocol::ejson::Object;
use bolide::store::{FailureRule, KeyedHash, NewUser, OpenError, SqliteStore, Store, StoreError, Totp, User};
use futures::future::join_all;

pub(super) const NOW: Timestamp = Timestamp::from_milliseconds(1_000);
const LATER: Timestamp = Timestamp::from_milliseconds(2_000);

pub(super) fn user(id: &str, username: &str) -> NewUser {
    let user = User {
        id: id.into(),
        username: Some(username.into()),
        emails: Vec::new(),
        profile: None,
        roles: Vec::new(),
        fields: Object::default(),
        created_at: NOW,
        is_active: true,
        password: None,
        must_change_password: false,
        totp: Totp::On(bolide::store::Sealed::new(*b"sealed")),
        has_email_codes: true,
    };
    NewUser { user, backup_codes: vec![KeyedHash::new("backup")], tokens: Vec::new() }
}

/// Runs the same twenty times at once, and counts who was told that it was the one.
async fn winners<Running>(store: &Arc<SqliteStore>, attempt: impl Fn(Arc<SqliteStore>) -> Running) -> usize
where
    Running: Future<Output = bool> + Send + 'static,
{
    let tasks = (0..20).map(|_| tokio::spawn(attempt(Arc::clone(store))));
    join_all(tasks).await.into_iter().filter(|won| *won.as_ref().unwrap()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_consumed_once_is_consumed_by_exactly_one_of_twenty() {
    use bolide::store::code::Codes as _;
    use bolide::store::user::Users as _;
    let store = Arc::new(SqliteStore::open("sqlite::memory:").await.unwrap());
    store.insert_user(user("a", "ada")).await.unwrap();
    let code = KeyedHash::new("code");
    let hash = code.clone();
    assert_eq!(
        winners(&store, move |store| {
            let hash = hash.clone();
            async move { store.put_email_code_unless_live(&"a".into(), hash, NOW, LATER).await.unwrap() }
        })
        .await,
        1
    );
    assert_eq!(
        winners(&store, move |store| {
            let code = code.clone();
            async move { store.take_email_code(&"a".into(), &[code], NOW).await.unwrap() }
        })
        .await,
        1
    );
    assert_eq!(winners(&store, async |store| store.take_totp_step(&"a".into(), 7).await.unwrap()).await, 1);
    let backup = [KeyedHash::new("backup")];
    assert_eq!(
        winners(&store, move |store| {
            let backup = backup.clone();
            async move { store.take_backup_code(&"a".into(), &backup).await.unwrap() }
        })
        .await,
        1
    );
    assert!(!store.take_totp_step(&"a".into(), 6).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_is_taken_whatever_its_case_and_failures_are_all_counted() {
    use bolide::store::attempt::FailureCounters as _;
    use bolide::store::user::Users as _;
    let store = Arc::new(SqliteStore::open("sqlite::memory:").await.unwrap());
    store.insert_user(user("a", "Ada")).await.unwrap();
    assert!(matches!(store.insert_user(user("b", "aDA")).await, Err(StoreError::Taken(_))));
    let hour = Duration::from_hours(1);
    let rule = FailureRule { limit: 100, first_block: hour, longest_block: hour, forgotten_after: hour };
    winners(&store, move |store| async move { store.count_failure("key", rule, NOW).await.is_ok() }).await;
    assert_eq!(store.attempts("key").await.unwrap().failures, 20);
}

#[tokio::test]
async fn a_file_keeps_what_was_acknowledged_and_is_held_by_one_process() {
    use bolide::store::user::Users as _;
    let directory = std::env::temp_dir().join(format!("bolide-store-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let address = format!("sqlite:{}", directory.join("a.db").display());
    let store = SqliteStore::open(&address).await.unwrap();
    store.insert_user(user("a", "ada")).await.unwrap();
    assert!(matches!(SqliteStore::open(&address).await, Err(OpenError::InUse(_))));
    drop(store);
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&address).await.unwrap());
    assert_eq!(store.user_by_username("ADA").await.unwrap().unwrap().id, "a".into());
    drop(store);
    std::fs::write(directory.join("b.db"), vec![7; 8192]).unwrap();
    let damaged = SqliteStore::open(&format!("sqlite:{}", directory.join("b.db").display())).await;
    assert!(matches!(damaged, Err(OpenError::Damaged { .. })), "{damaged:?}");
    let nowhere = SqliteStore::open(&format!("sqlite:{}", directory.join("no/such.db").display())).await;
    assert!(matches!(nowhere, Err(OpenError::File { .. })));
    std::fs::remove_dir_all(&directory).unwrap();
}
