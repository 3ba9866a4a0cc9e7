//! Users and tokens are read from memory where possible. Readers must not see them as they were before a completed or an
//! aborted write.

use std::sync::Arc;
use std::time::Duration;

use bolide::clock::Timestamp;
use bolide::store::access::Access as _;
use bolide::store::token::Tokens as _;
use bolide::store::user::Users as _;
use bolide::store::{HashedToken, Kept, LoginToken, NewUser, PasswordProof, SqlStore, StoredHash, TokenKind, User};

const NOW: Timestamp = Timestamp::from_milliseconds(1_000);

fn user(id: &str, username: &str) -> NewUser {
    let mut user = User::new(id.into(), NOW);
    user.username = Some(username.into());
    user.into()
}

fn token(hashed: &HashedToken) -> LoginToken {
    let kind = TokenKind::Session { expires_at: Timestamp::from_milliseconds(1_000_000) };
    LoginToken::new(hashed.clone(), "a".into(), kind, NOW)
}

/// Opens a store in a file, which several connections read in parallel.
async fn store(directory: &std::path::Path) -> Arc<SqlStore> {
    std::fs::create_dir_all(directory).unwrap();
    let store = SqlStore::open(&format!("sqlite:{}", directory.join("a.db").display())).await.unwrap();
    store.insert_user(user("a", "ada")).await.unwrap();
    Arc::new(store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_all_completed_writes() {
    let directory = std::env::temp_dir().join(format!("bolide-cached-{}", std::process::id()));
    let store = store(&directory).await;
    let id = "a".into();
    let stop = tokio_util::sync::CancellationToken::new();
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, stop) = (Arc::clone(&store), stop.clone());
            tokio::spawn(async move {
                while !stop.is_cancelled() {
                    store.user(&"a".into()).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for round in 0..300 {
        let name = format!("ada{round}");
        store.set_username(&id, &name).await.unwrap();
        assert_eq!(store.user(&id).await.unwrap().unwrap().username, Some(name), "round {round}");
    }
    stop.cancel();
    for reader in readers {
        reader.await.unwrap();
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn a_changed_password_is_read_at_once() {
    let store = SqlStore::open("sqlite::memory:").await.unwrap();
    store.insert_user(user("a", "ada")).await.unwrap();
    let id = "a".into();
    store.set_password(&id, StoredHash::new("old")).await.unwrap();
    let old = store.user(&id).await.unwrap().unwrap().password.unwrap();
    let proof = PasswordProof::Present(&old);
    assert!(store.renew_password(&id, proof, StoredHash::new("new"), Kept::Nothing).await.unwrap().is_some());
    let read = store.user(&id).await.unwrap().unwrap().password.unwrap();
    assert_eq!(read.as_str(), "new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deleted_token_is_gone_even_if_it_was_cached() {
    let directory = std::env::temp_dir().join(format!("bolide-deleted-{}", std::process::id()));
    let store = store(&directory).await;
    for round in 0..100 {
        let hashed = HashedToken::from_base64(format!("token {round}"));
        store.insert_token(token(&hashed)).await.unwrap();
        assert!(store.token(&hashed).await.unwrap().is_some());
        let deleted = match round % 4 {
            0 => store.delete_token(&hashed).await.unwrap(),
            1 => !store.delete_session_tokens(&"a".into(), None).await.unwrap().is_empty(),
            2 => !store.end_access(&"a".into(), Kept::Nothing).await.unwrap().is_empty(),
            _ => !store.delete_expired_tokens(Timestamp::from_milliseconds(2_000_000)).await.unwrap().is_empty(),
        };
        assert!(deleted && store.token(&hashed).await.unwrap().is_none(), "round {round}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

/// A client that leaves can abort a request in the middle of a write; the write may still be completed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_an_aborted_write_memory_and_disk_agree() {
    let directory = std::env::temp_dir().join(format!("bolide-abandoned-{}", std::process::id()));
    let store = store(&directory).await;
    let id = "a".into();
    for round in 0..100_u64 {
        store.user(&id).await.unwrap();
        let name = format!("abandoned {round}");
        let write = store.set_username(&id, &name);
        // Half of the time before the write, half of the time after it.
        let _abandoned = tokio::time::timeout(Duration::from_micros(round * 10), write).await;
        for _ in 0..20 {
            store.user(&id).await.unwrap();
            tokio::task::yield_now().await;
        }
        // A completed write follows the aborted one.
        store.set_profile(&"nobody".into(), None).await.unwrap();
        let by_name = store.user_by_username(&name).await.unwrap();
        let remembered = store.user(&id).await.unwrap().unwrap().username;
        assert_eq!(by_name.is_some(), remembered == Some(name), "round {round}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
}
