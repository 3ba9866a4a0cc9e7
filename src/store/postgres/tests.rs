//! What is particular to PostgreSQL: what nodes tell each other, lost connections, timeouts, and the schema.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bolide_test_servers::{Postgres, PrivatePostgres};

use super::migrations::MIGRATIONS;
use crate::clock::Timestamp;
use crate::store::private::{Cached as _, Watched as _};
use crate::store::setting::StoredSettings as _;
use crate::store::token::Tokens as _;
use crate::store::user::Users as _;
use crate::store::{
    DatabaseOptions, HashedToken, LoginToken, NewUser, OpenError, SqlStore, StoreError, TokenKind, Topic, User,
};

const NOW: Timestamp = Timestamp::from_milliseconds(1);

async fn open(address: &str) -> Arc<SqlStore> {
    Arc::new(SqlStore::open(address).await.unwrap())
}

fn ada() -> NewUser {
    NewUser::from(User { username: Some("ada".into()), ..User::new("a".into(), NOW) })
}

async fn name_of(store: &SqlStore) -> Option<String> {
    store.user(&"a".into()).await.unwrap().unwrap().username
}

/// Runs statements as an operator does, in another process.
fn psql(server: &Postgres, database: &str, statements: &str) {
    let output = server.program("psql").args(["-qv", "ON_ERROR_STOP=1", "-c", statements, database]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn database_in(address: &str) -> &str {
    address.rsplit('/').next().unwrap()
}

/// Changes the name of the user without telling anybody.
fn change_silently(server: &Postgres, address: &str, name: &str) {
    let change = format!(
        "ALTER TABLE users DISABLE TRIGGER tell; UPDATE users SET username = '{name}'; \
         ALTER TABLE users ENABLE TRIGGER tell"
    );
    psql(server, database_in(address), &change);
}

/// Waits until the store was told of all that has been written. Messages come in the order of the commits.
async fn told_of_all(server: &Postgres, address: &str, store: &SqlStore) {
    let mut audit = store.changes().subscribe(Topic::Audit);
    audit.mark_unchanged();
    soon(async || {
        // Again, if the store is just about to listen.
        psql(server, database_in(address), "SELECT pg_notify('bolide_store', 'audit')");
        tokio::time::timeout(Duration::from_millis(500), audit.changed()).await.is_ok()
    })
    .await;
}

/// Reads until the store keeps what it has read, and returns the name that it keeps.
async fn kept_name(server: &Postgres, address: &str, store: &SqlStore) -> String {
    told_of_all(server, address, store).await;
    for round in 0..100 {
        let name = name_of(store).await;
        let silent = format!("silent {round}");
        change_silently(server, address, &silent);
        if name_of(store).await == name && name.as_deref() != Some(&silent) {
            return name.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing is kept");
}

async fn soon(mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(10), "it takes too long");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_node_writes_is_told_to_caches_and_watchers() {
    let server = Postgres::shared();
    let address = server.database();
    let (here, there) = (open(&address).await, open(&address).await);
    here.insert_user(ada()).await.unwrap();
    let token = HashedToken::from_base64("token");
    let kind = TokenKind::Session { expires_at: Timestamp::from_milliseconds(9) };
    here.insert_token(LoginToken::new(token.clone(), "a".into(), kind, NOW)).await.unwrap();
    kept_name(&server, &address, &there).await;
    assert!(there.token(&token).await.unwrap().is_some());

    let mut users = there.changes().subscribe(Topic::Users);
    users.mark_unchanged();
    here.set_username(&"a".into(), "another").await.unwrap();
    soon(async || name_of(&there).await.as_deref() == Some("another")).await;
    tokio::time::timeout(Duration::from_secs(5), users.changed()).await.expect("watchers are told").unwrap();
    assert!(here.delete_token(&token).await.unwrap());
    soon(async || there.token(&token).await.unwrap().is_none()).await;
    // Whoever has written: this is no node at all.
    psql(&server, database_in(&address), "UPDATE users SET username = 'by an operator'");
    soon(async || name_of(&there).await.as_deref() == Some("by an operator")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_replaced_is_forgotten_under_its_old_hash() {
    let address = Postgres::shared().database();
    let (here, there) = (open(&address).await, open(&address).await);
    here.insert_user(ada()).await.unwrap();
    let (old, new) = (HashedToken::from_base64("old"), HashedToken::from_base64("new"));
    let kind = TokenKind::Personal { name: "ci".into(), last_part: "x".into(), bypasses_two_factor: true };
    here.insert_token(LoginToken::new(old.clone(), "a".into(), kind, NOW)).await.unwrap();
    // Until it is kept.
    for _ in 0..50 {
        assert!(there.token(&old).await.unwrap().is_some());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    here.replace_personal_token(&"a".into(), "ci", new.clone(), "y".into(), NOW).await.unwrap().unwrap();
    soon(async || there.token(&old).await.unwrap().is_none()).await;
    assert!(there.token(&new).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bus_tells_of_is_read_again_though_the_database_has_not_told_yet() {
    let server = Postgres::shared();
    let address = server.database();
    let store = open(&address).await;
    store.insert_user(ada()).await.unwrap();
    let token = HashedToken::from_base64("token");
    let kind = TokenKind::Session { expires_at: Timestamp::from_milliseconds(9) };
    store.insert_token(LoginToken::new(token.clone(), "a".into(), kind, NOW)).await.unwrap();
    kept_name(&server, &address, &store).await;
    assert!(store.token(&token).await.unwrap().is_some());
    let silently = "ALTER TABLE tokens DISABLE TRIGGER ALL; DELETE FROM tokens; ALTER TABLE tokens ENABLE TRIGGER ALL";
    psql(&server, database_in(&address), silently);
    assert!(store.token(&token).await.unwrap().is_some(), "it is kept");
    store.forget_tokens(&["token".to_owned()]);
    assert!(store.token(&token).await.unwrap().is_none());
    let kept = kept_name(&server, &address, &store).await;
    store.forget_user(&"a".into());
    assert_ne!(name_of(&store).await, Some(kept));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_loses_its_listener_drops_what_it_has_kept() {
    let server = Postgres::shared();
    let address = server.database();
    let store = open(&address).await;
    store.insert_user(ada()).await.unwrap();
    let kept = kept_name(&server, &address, &store).await;
    change_silently(&server, &address, "missed");
    assert_eq!(name_of(&store).await.as_ref(), Some(&kept));
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    psql(&server, database_in(&address), end);
    soon(async || name_of(&store).await.as_deref() == Some("missed")).await;
    kept_name(&server, &address, &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_ends_the_cache_after_three_seconds() {
    let server: PrivatePostgres = Postgres::private();
    let address = server.database();
    let store = open(&address).await;
    store.insert_user(ada()).await.unwrap();
    let kept = kept_name(&server, &address, &store).await;
    server.pause();
    assert_eq!(name_of(&store).await.as_ref(), Some(&kept), "it still has its lease");
    tokio::time::sleep(Duration::from_millis(3_200)).await;
    let read = tokio::time::timeout(Duration::from_millis(500), store.user(&"a".into())).await;
    assert!(read.is_err(), "what was kept is too old to be used");
    server.resume();
    soon(async || store.user(&"a".into()).await.is_ok()).await;
    kept_name(&server, &address, &store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_of_the_server_lose_no_acknowledged_write_and_undo_every_refused_one() {
    let server = Postgres::private();
    let address = server.database();
    let store = open(&address).await;
    let writer = |task: usize| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut outcomes = Vec::new();
            for number in 0..400 {
                let id = format!("{task}-{number}");
                // One is a statement of its own, and the other a transaction.
                let outcome = if number % 2 == 0 {
                    store.put_setting(&id, "1", NOW).await
                } else {
                    store.insert_user(NewUser::from(User::new(id.as_str().into(), NOW))).await
                };
                if outcome.is_err() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                outcomes.push((id, outcome));
            }
            outcomes
        })
    };
    let writers: Vec<_> = (0..4).map(writer).collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        server.restart_immediately();
    }
    let mut failures = 0;
    let mut outcomes = Vec::new();
    for writer in writers {
        outcomes.extend(tokio::time::timeout(Duration::from_mins(1), writer).await.unwrap().unwrap());
    }
    let settings: Vec<_> = store.settings().await.unwrap().into_iter().map(|(id, _)| id).collect();
    for (id, outcome) in outcomes {
        let is_there = settings.contains(&id) || store.user(&id.as_str().into()).await.unwrap().is_some();
        match outcome {
            Ok(()) => assert!(is_there, "{id} was acknowledged"),
            Err(StoreError::Failed(_)) => {
                failures += 1;
                assert!(!is_there, "{id} was refused");
            }
            Err(StoreError::Unknown(_)) => failures += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(failures > 0, "no write met a crash");
    store.put_setting("after", "1", NOW).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_too_long_is_ended() {
    let server = Postgres::shared();
    let address = server.database();
    let options = DatabaseOptions { statement_timeout: Duration::from_millis(300), ..DatabaseOptions::default() };
    let store = SqlStore::open_with(&address, options).await.unwrap();
    store.insert_user(ada()).await.unwrap();
    let mut holder = server.program("psql");
    let hold = "BEGIN; SELECT 1 FROM users FOR UPDATE; SELECT pg_sleep(60)";
    let mut holder = holder.args(["-qc", hold, database_in(&address)]).spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    let error = store.set_field(&"a".into(), "language", None).await.unwrap_err();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(error.to_string().contains("statement timeout"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' \
         AND pid <> pg_backend_pid()";
    psql(&server, database_in(&address), end);
    soon(async || store.set_field(&"a".into(), "language", None).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_make_one_schema() {
    let address = Postgres::shared().database();
    let open = |_| {
        let address = address.clone();
        tokio::spawn(async move { SqlStore::open(&address).await })
    };
    for opened in futures::future::join_all((0..5).map(open)).await {
        opened.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_used_if_it_only_adds_and_refused_otherwise() {
    let server = Postgres::shared();
    let address = server.database();
    open(&address).await.insert_user(ada()).await.unwrap();
    let newer = MIGRATIONS.len() + 1;
    let compatible = format!("UPDATE bolide_schema SET version = {newer}; ALTER TABLE users ADD COLUMN added TEXT");
    psql(&server, database_in(&address), &compatible);
    assert_eq!(name_of(&*open(&address).await).await.as_deref(), Some("ada"));
    psql(&server, database_in(&address), &format!("UPDATE bolide_schema SET oldest = {newer}"));
    let refused = SqlStore::open(&address).await.unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found, known, .. } if (found, known) == (newer, newer - 1)));
    assert!(refused.to_string().contains("update Bolide"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_added_while_a_node_runs_breaks_no_prepared_statement() {
    let server = Postgres::shared();
    let address = server.database();
    let store = open(&address).await;
    store.insert_user(ada()).await.unwrap();
    let read = async || store.user_by_username("ada").await.unwrap().is_some();
    for _ in 0..30 {
        assert!(read().await);
    }
    psql(
        &server,
        database_in(&address),
        "ALTER TABLE users ADD COLUMN added TEXT; ALTER TABLE emails ADD COLUMN added TEXT",
    );
    for _ in 0..30 {
        assert!(read().await);
    }
}

#[tokio::test]
async fn errors_name_the_flag_and_no_password() {
    let server = Postgres::shared();
    let nowhere = format!("postgres://ada:hunter2@127.0.0.1:{}/nowhere", server.port());
    for address in [nowhere.as_str(), "postgres://ada:hunter2@127.0.0.1:1/nowhere"] {
        let error = SqlStore::open(address).await.unwrap_err();
        assert!(matches!(error, OpenError::Unreachable { .. }), "{error:?}");
        let said = format!("{error} {error:?}");
        assert!(said.contains("--database") && said.contains("nowhere on 127.0.0.1:"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    for address in ["postgres://ada:hunter2@127.0.0.1:port/a", "mysql://ada:hunter2@localhost/a", "ada:hunter2"] {
        let said = SqlStore::open(address).await.unwrap_err().to_string();
        assert!(said.contains("postgres://USER:PASSWORD@HOST:PORT/NAME") && !said.contains("hunter2"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_within_a_transaction_does_not_keep_others_waiting() {
    let address = Postgres::shared().database();
    let options = DatabaseOptions { statement_timeout: Duration::from_millis(400), ..DatabaseOptions::default() };
    let stopped = SqlStore::open_with(&address, options).await.unwrap();
    let other = open(&address).await;
    other.insert_user(ada()).await.unwrap();
    let mut transaction = stopped.begin().await;
    assert!(transaction.lock_user(&"a".into()).await.unwrap());
    let started = Instant::now();
    assert!(other.set_field(&"a".into(), "language", Some("en".into())).await.unwrap());
    assert!(started.elapsed() > Duration::from_millis(200), "it had to wait");
    assert!(transaction.commit().await.is_err(), "what it held has been given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_stores_of_a_database_are_counted() {
    let address = Postgres::shared().database();
    let (one, other) = (open(&address).await, open(&address).await);
    assert_eq!((one.count_others().await.unwrap(), other.count_others().await.unwrap()), (1, 1));
    drop(other);
    soon(async || one.count_others().await.unwrap() == 0).await;
}
