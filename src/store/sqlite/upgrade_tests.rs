//! A database of an older version is brought up to date.

use std::sync::Arc;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};

use super::migrations::MIGRATIONS;
use crate::store::backup::{BackupOptions, StagedBackup, back_up};
use crate::store::outgoing::Outgoing as _;
use crate::store::setting::StoredSettings as _;
use crate::store::user::Users as _;
use crate::store::{Namesakes, NewUser, SqlStore, StoreError, User, UserFilter};

#[tokio::test]
async fn an_upgrade_leaves_no_text_of_a_mail_in_the_file() {
    let directory = std::env::temp_dir().join(format!("bolide-upgrade-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("a.db");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&options).await.unwrap();
    for migration in &MIGRATIONS[..2] {
        sqlx::raw_sql(*migration).execute(&mut old).await.unwrap();
    }
    let rest = "PRAGMA secure_delete = OFF; PRAGMA user_version = 2; \
         INSERT INTO mails (kind, recipients, subject, text, created_at, next_attempt_at, failures) \
         VALUES ('test', '[\"ada@example.com\"]', 'Hello', 'waits: a-secret-link', 1, 1, 0), \
         ('test', '[\"ada@example.com\"]', 'Hello', 'was sent: a-secret-link', 1, 1, 0); \
         DELETE FROM mails WHERE text LIKE 'was%'";
    sqlx::raw_sql(rest).execute(&mut old).await.unwrap();
    old.close().await.unwrap();
    let holds_secret = || {
        let files = std::fs::read_dir(&directory).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(13).any(|part| part == b"a-secret-link"))
    };
    assert!(holds_secret());

    let store = SqlStore::open(&format!("sqlite:{}", file.display())).await.unwrap();

    assert!(!holds_secret());
    assert_eq!(store.count_waiting().await.unwrap(), 0);
    drop(store);
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn an_upgrade_keeps_users_with_all_that_is_theirs_and_admits_namesakes() {
    let directory = std::env::temp_dir().join(format!("bolide-upgrade-users-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("a.db");
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true).foreign_keys(true);
    let mut old = SqliteConnection::connect_with(&options).await.unwrap();
    for migration in &MIGRATIONS[..5] {
        sqlx::raw_sql(*migration).execute(&mut old).await.unwrap();
    }
    let rows = "PRAGMA user_version = 5; \
         INSERT INTO users (id, username, username_folded, roles, fields, created_at, is_active, must_change_password, \
         has_email_codes) VALUES ('a', 'Ada', 'ada', '[\"admin\"]', '{\"name\":\"Ada Løvelace\"}', 1, 1, 0, 0), ('b', NULL, NULL, '[]', '{}', 1, 1, 0, 0); \
         INSERT INTO emails (folded, user_id, address, is_verified, place) VALUES \
         ('ada@example.com', 'a', 'Ada@example.com', 1, 1), ('first@example.com', 'a', 'first@example.com', 0, 0); \
         INSERT INTO backup_codes (user_id, hash) VALUES ('a', 'x'); \
         INSERT INTO tokens (hashed, user_id, created_at, expires_at, bypasses) VALUES ('t', 'a', 1, 2, 0)";
    sqlx::raw_sql(rows).execute(&mut old).await.unwrap();
    old.close().await.unwrap();

    let store = SqlStore::open(&format!("sqlite:{}", file.display())).await.unwrap();

    let ada = store.user_by_username("aDA").await.unwrap().unwrap();
    assert_eq!((ada.username.as_deref(), ada.roles.as_slice()), (Some("Ada"), ["admin".to_owned()].as_slice()));
    let addresses: Vec<_> = ada.emails.iter().map(|email| (email.address.as_str(), email.is_verified)).collect();
    assert_eq!(addresses, [("first@example.com", false), ("Ada@example.com", true)]);
    assert_eq!(store.user_by_address("ada@EXAMPLE.com").await.unwrap().as_ref(), Some(&ada));
    for filter in [
        UserFilter { role: Some("admin".into()), limit: 9, ..UserFilter::default() },
        UserFilter { search: Some("LØVE".into()), limit: 9, ..UserFilter::default() },
    ] {
        assert_eq!(store.users(filter).await.unwrap().users, std::slice::from_ref(&ada));
    }
    assert_eq!(store.backup_codes_left(&ada.id).await.unwrap(), 1);
    assert_eq!(crate::store::token::Tokens::tokens_of(&store, &ada.id).await.unwrap().len(), 1);
    let mut new = NewUser::from(User { username: Some("ada".into()), ..User::new("c".into(), ada.created_at) });
    assert!(matches!(store.insert_user(new.clone()).await, Err(StoreError::Taken(_))));
    new.namesakes = Namesakes::Allowed;
    store.insert_user(new).await.unwrap();
    assert_eq!(store.user_by_username("ADA").await.unwrap(), None);
    assert!(store.delete_user(&ada.id).await.unwrap());
    assert_eq!(store.user_by_address("Ada@example.com").await.unwrap(), None, "the addresses go with the user");
    drop(store);
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn a_backup_of_an_older_version_is_taken_as_it_is_and_restored_in_the_new_schema() {
    let directory = std::env::temp_dir().join(format!("bolide-upgrade-backup-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (file, backup) = (directory.join("a.db"), directory.join("a.backup"));
    let options =
        SqliteConnectOptions::new().filename(&file).create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let mut old = SqliteConnection::connect_with(&options).await.unwrap();
    for migration in &MIGRATIONS[..8] {
        sqlx::raw_sql(*migration).execute(&mut old).await.unwrap();
    }
    let rows = "PRAGMA user_version = 8; INSERT INTO settings (id, json, changed_at) VALUES ('a', '1', 1)";
    sqlx::raw_sql(rows).execute(&mut old).await.unwrap();
    let address = format!("sqlite:{}", file.display());
    // The old connection is still open, as that of a server.
    let written = back_up(&address, &backup, BackupOptions::default(), Arc::new(|_| ())).await.unwrap();
    assert_eq!(written.tables, []);
    sqlx::raw_sql("DELETE FROM settings").execute(&mut old).await.unwrap();
    old.close().await.unwrap();

    let staged = StagedBackup::for_file(&backup, &file).await.unwrap();
    let restored = staged.replace_file().await.unwrap();

    assert!(restored.was_older);
    assert_eq!(restored.tables.iter().find(|table| table.name == "settings").unwrap().rows, 1);
    let store = SqlStore::open(&address).await.unwrap();
    assert_eq!(store.settings().await.unwrap().len(), 1);
    drop(store);
    std::fs::remove_dir_all(directory).unwrap();
}
