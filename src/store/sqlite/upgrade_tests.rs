//! A database of an older version is brought up to date.

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::{MIGRATIONS, SqliteStore};
use crate::store::outgoing::Outgoing as _;

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

    let store = SqliteStore::open(&format!("sqlite:{}", file.display())).await.unwrap();

    assert!(!holds_secret());
    assert_eq!(store.count_waiting().await.unwrap(), 0);
    drop(store);
    std::fs::remove_dir_all(directory).unwrap();
}
