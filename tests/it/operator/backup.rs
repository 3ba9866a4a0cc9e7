//! `bolide backup` and `bolide restore`: under load, interrupted, and with all that may be wrong with a backup.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bolide::accounts::Accounts;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::prelude::*;
use bolide::protocol::ejson::Object;
use bolide::store::SqlStore;
use bolide_test_servers::Postgres;

use super::{Data, bolide, complaint, run};
use crate::waiting::until;

const PASSWORD: &str = "kV9#tq-2Lw and more";

/// The bytes of a document, so that a backup at 1 MB per second takes a moment.
const TEXT: usize = 4000;

/// The number of documents before a backup: 2 MB.
const BEFORE: u64 = 500;

impl Data {
    fn backup(&self) -> PathBuf {
        self.directory.join("the.backup")
    }

    fn back_up(&self) -> String {
        self.succeed(&["backup", self.backup().to_str().unwrap(), "--rate", "0"], "")
    }

    /// Restores the backup of another directory, with its keys.
    fn restore_from(&self, other: &Self) -> String {
        std::fs::copy(other.directory.join("bolide.key"), self.directory.join("bolide.key")).unwrap();
        self.succeed(&["restore", other.backup().to_str().unwrap()], "")
    }

    fn with_user(name: &str) -> Self {
        let data = Self::new(name);
        data.succeed(&["user", "add", "ada", "--role", "admin"], &format!("{PASSWORD}\n"));
        data
    }

    fn restore(&self, backup: &Path) -> String {
        let output = self.run(&["restore", backup.to_str().unwrap()], "");
        assert!(!output.status.success());
        complaint(&output)
    }

    fn users(&self) -> String {
        self.succeed(&["user", "list"], "")
    }
}

/// A server in this process, with a stored collection. Its number of acknowledged pairs of a document and a user only grows.
struct Load {
    app: App,
    notes: Collection,
    acknowledged: AtomicU64,
}

impl Load {
    async fn on(data: &Data) -> Arc<Self> {
        let keys = KeyRing::open_file(&data.directory.join("bolide.key"), &SystemChance).unwrap();
        let accounts = Accounts::open(SqlStore::open(&data.address()).await.unwrap(), keys).await.unwrap();
        let notes: Collection = Collection::stored("notes").index(["number"]);
        let app = App::builder().accounts(accounts.without_mail_delivery()).collection(&notes).build().unwrap();
        let acknowledged = AtomicU64::new(notes.count().await.unwrap() as u64);
        Arc::new(Self { app, notes, acknowledged })
    }

    /// Adds a document and then the user with the same number.
    async fn write(&self) {
        let number = self.count();
        let fields = [("number".to_owned(), Ejson::from(number)), ("text".to_owned(), Ejson::from("x".repeat(TEXT)))];
        self.notes.insert(format!("n{number}"), &Object::from(fields)).await.unwrap();
        let accounts = self.app.accounts().unwrap();
        accounts.add_user(&format!("user{number}"), &[], &[], None).await.unwrap();
        self.acknowledged.store(number + 1, Ordering::SeqCst);
    }

    fn count(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Expects what was there at one moment: all documents and users up to a number, perhaps with the next document.
    async fn expect_a_cut(&self) -> u64 {
        let notes = self.notes.count().await.unwrap() as u64;
        let accounts = self.app.accounts().unwrap();
        let is_user = async |number: u64| accounts.find(&format!("user{number}")).await.is_ok();
        for number in 0..notes {
            let by_index = self.notes.find(Filter::eq("number", number)).fetch().await.unwrap();
            assert_eq!(by_index.len(), 1, "the document {number} of {notes}");
            assert!(is_user(number).await || number + 1 == notes, "the user {number} of {notes}");
        }
        assert!(!is_user(notes).await, "a user without the document that was written before");
        notes
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_holds_all_that_was_acknowledged_and_is_a_cut() {
    restores_a_cut(Data::new("backup-load"), Data::new("backup-load-restored")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_postgres_under_load_holds_all_that_was_acknowledged_and_is_a_cut() {
    let data = Data::in_postgres("backup-postgres", Postgres::shared().database());
    restores_a_cut(data, Data::in_postgres("backup-postgres-restored", Postgres::shared().database())).await;
}

async fn restores_a_cut(data: Data, restored: Data) {
    let load = Load::on(&data).await;
    while load.count() < BEFORE {
        load.write().await;
    }
    let writer = Arc::clone(&load);
    let writing = tokio::spawn(async move {
        loop {
            writer.write().await;
        }
    });
    until(|| load.count() > BEFORE).await;
    let before = load.count();
    let file = data.backup();
    let mut command = data.bolide(&["backup", file.to_str().unwrap(), "--rate", "1"]);
    let output = tokio::task::spawn_blocking(move || command.stderr(Stdio::piped()).output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", complaint(&output));
    assert!(complaint(&output).contains("keep a copy of bolide.key"), "{}", complaint(&output));
    let after = load.count();
    assert!(after > before + 1, "it wrote during the backup");
    writing.abort();
    assert!(writing.await.unwrap_err().is_cancelled());
    drop(load);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names_with(&data, "the.backup"), ["the.backup"]);

    let told = restored.restore_from(&data);
    assert_eq!(told, String::from_utf8(output.stdout).unwrap(), "the numbers of rows and the hashes");
    let load = Load::on(&restored).await;
    let count = load.expect_a_cut().await;
    assert!((before..=after).contains(&count), "{count} of {before} to {after}");
    // The restored server goes on with the numbers.
    load.write().await;
    assert_eq!(load.count(), count + 1);
}

fn names_with(data: &Data, start: &str) -> Vec<String> {
    let names = std::fs::read_dir(&data.directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> =
        names.map(|name| name.into_string().unwrap()).filter(|name| name.starts_with(start)).collect();
    names.sort();
    names
}

/// Starts a backup that takes seconds, and waits until it has written something.
async fn slow_backup(data: &Data) -> Child {
    let load = Load::on(data).await;
    while load.count() < BEFORE {
        load.write().await;
    }
    drop(load);
    let mut command = data.bolide(&["backup", data.backup().to_str().unwrap(), "--rate", "1"]);
    let process = command.stderr(Stdio::piped()).spawn().unwrap();
    let partial = data.directory.join("the.backup.partial");
    until(|| std::fs::metadata(&partial).is_ok_and(|file| file.len() > 0)).await;
    process
}

#[tokio::test]
async fn a_backup_that_is_killed_leaves_no_backup_and_the_next_one_succeeds() {
    let data = Data::new("backup-killed");
    let mut process = slow_backup(&data).await;
    let second = data.run(&["backup", data.backup().to_str().unwrap()], "");
    assert!(complaint(&second).contains("another process writes the backup"), "{}", complaint(&second));
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(!data.backup().exists());
    data.back_up();
    assert_eq!(names_with(&data, "the.backup"), ["the.backup"]);
}

#[tokio::test]
async fn a_backup_that_is_interrupted_says_so_and_leaves_no_file() {
    let data = Data::new("backup-interrupted");
    let process = slow_backup(&data).await;
    let id = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(complaint(&output).contains("interrupted; the backup"), "{}", complaint(&output));
    assert!(names_with(&data, "the.backup").is_empty());
}

#[tokio::test]
async fn a_backup_on_a_full_disk_says_so_and_leaves_no_file() {
    let data = Data::with_user("backup-full");
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"trap '' XFSZ; ulimit -f 100; exec "$0" backup "$1""#]);
    limited.arg(env!("CARGO_BIN_EXE_bolide")).arg(data.backup()).env("BOLIDE_DATA_DIR", &data.directory);
    let output = run(limited, "");
    assert!(!output.status.success());
    assert!(complaint(&output).contains("the.backup was not written"), "{}", complaint(&output));
    assert!(complaint(&output).contains("disk"), "{}", complaint(&output));
    assert!(names_with(&data, "the.backup").is_empty());
    data.back_up();
}

#[test]
fn a_backup_does_not_replace_a_file_without_being_told() {
    let data = Data::with_user("backup-exists");
    super::write(&data.backup(), b"mine");
    let output = data.run(&["backup", data.backup().to_str().unwrap()], "");
    assert!(complaint(&output).contains("--force"), "{}", complaint(&output));
    assert_eq!(std::fs::read(data.backup()).unwrap(), b"mine");
    data.succeed(&["backup", data.backup().to_str().unwrap(), "--force"], "");
    assert_eq!(names_with(&data, "the.backup"), ["the.backup"]);
    Data::new("backup-exists-restored").restore_from(&data);
    let own = data.backup().with_file_name("x");
    for name in ["bolide.db", "bolide.db-wal", "bolide.db.lock", "bolide.key"] {
        let output = data.run(&["backup", own.with_file_name(name).to_str().unwrap(), "--force"], "");
        assert!(complaint(&output).contains("a file of the server itself"), "{name}: {}", complaint(&output));
    }
}

#[cfg(unix)]
#[test]
fn a_backup_is_not_written_through_a_link_that_another_user_has_made() {
    let data = Data::with_user("backup-link");
    let victim = data.backup().with_file_name("victim");
    super::write(&victim, b"mine");
    std::os::unix::fs::symlink(&victim, data.backup().with_file_name("the.backup.partial")).unwrap();
    let output = data.run(&["backup", data.backup().to_str().unwrap()], "");
    assert!(complaint(&output).contains("is not a file of this user"), "{}", complaint(&output));
    assert_eq!(std::fs::read(victim).unwrap(), b"mine");
}

#[test]
fn a_missing_and_an_empty_database_are_not_backed_up() {
    let data = Data::new("backup-nothing");
    let refused = |sentence: &str| {
        let output = data.run(&["backup", data.backup().to_str().unwrap()], "");
        assert!(complaint(&output).contains(sentence), "{}", complaint(&output));
        assert!(names_with(&data, "the.backup").is_empty());
    };
    refused("there is no database");
    super::write(&data.database(), b"");
    refused("has 0 bytes");
    super::write(&data.database(), b"not a database, but long enough to be looked at");
    refused("cannot be read");
}

#[test]
fn a_restore_refuses_a_database_in_use_and_keeps_the_one_that_it_replaces() {
    let data = Data::with_user("restore-kept");
    data.back_up();
    let before = data.users();
    data.succeed(&["user", "add", "bob"], &format!("{PASSWORD}\n"));
    let server = data.serve();
    assert!(data.restore(&data.backup()).contains("is used by another process"));
    server.kill();
    assert!(data.users().contains("bob"));
    data.succeed(&["restore", data.backup().to_str().unwrap()], "");
    assert_eq!(data.users(), before);
    let kept = data.directory.join("bolide.db.replaced-1");
    assert!(kept.exists() && !data.directory.join("bolide.db.partial").exists());
    std::fs::rename(kept, data.database()).unwrap();
    assert!(data.users().contains("bob"), "the old database is whole");
}

#[test]
fn a_backup_with_other_keys_or_without_keys_is_not_restored() {
    let data = Data::with_user("restore-keys");
    data.back_up();
    let other = Data::with_user("restore-other-keys");
    let before = other.users();
    assert!(other.restore(&data.backup()).contains("the keys are not those of the database"));
    assert_eq!(other.users(), before);
    let bare = Data::new("restore-no-keys");
    assert!(bare.restore(&data.backup()).contains("bolide.key does not exist"));
    assert!(names_with(&bare, "bolide.key").is_empty() && names_with(&bare, "bolide.db.partial").is_empty());
    assert!(!bare.database().exists());
}

#[test]
fn a_file_that_is_no_whole_backup_of_this_version_is_not_restored() {
    let data = Data::with_user("restore-refused");
    data.back_up();
    let before = data.users();
    let whole = std::fs::read(data.backup()).unwrap();
    let refused = |bytes: &[u8], sentence: &str| {
        super::write(&data.backup(), bytes);
        let complaint = data.restore(&data.backup());
        assert!(complaint.contains(sentence) && complaint.contains("the database was not changed"), "{complaint}");
        assert!(names_with(&data, "bolide.db.").iter().all(|name| !name.contains("partial")), "{complaint}");
        assert_eq!(data.users(), before);
    };
    refused(b"", "it has 0 bytes");
    refused(&[7; 9000], "it is not a backup, or it is damaged");
    let version = |number: u32| [&whole[..60], &number.to_be_bytes(), &whole[64..]].concat();
    refused(&version(99), "newer version (schema 99");
    refused(&version(0), "a database of another program");
    refused(&whole[..whole.len() / 2], "damaged");
    let mut damaged = whole.clone();
    damaged[8192..12288].fill(0xff);
    refused(&damaged, "damaged");
    super::write(&data.directory.join("the.backup-wal"), b"a log");
    refused(&whole, "not a backup");
}

#[tokio::test]
async fn a_postgres_database_with_data_or_nodes_is_not_replaced_without_being_told() {
    let mut data = Data::with_user("restore-postgres");
    data.back_up();
    data.postgres = Some(Postgres::shared().database());
    data.succeed(&["user", "add", "bob"], &format!("{PASSWORD}\n"));
    let file = data.backup();
    assert!(data.restore(&file).contains("--force deletes what it has"));
    let server = data.serve();
    let used = data.run(&["restore", file.to_str().unwrap(), "--force"], "");
    assert!(complaint(&used).contains("stop all nodes"), "{}", complaint(&used));
    server.kill();
    // The database server notices after a moment that the node is gone.
    let restored = loop {
        let output = data.run(&["restore", file.to_str().unwrap(), "--force"], "");
        if !complaint(&output).contains("stop all nodes") {
            break output;
        }
    };
    assert!(restored.status.success(), "{}", complaint(&restored));
    let users = data.users();
    assert!(users.contains("ada") && !users.contains("bob"), "{users}");
    data.succeed(&["user", "add", "cy"], &format!("{PASSWORD}\n"));
    data.serve();
}

#[test]
fn a_backup_is_restored_over_a_database_that_was_cut_to_nothing() {
    let data = Data::with_user("cut-restored");
    data.back_up();
    let before = data.users();
    super::write(&data.database(), b"");
    data.succeed(&["restore", data.backup().to_str().unwrap()], "");
    assert_eq!(data.users(), before);
    let nothing = run(bolide(&["backup"]), "");
    assert!(complaint(&nothing).contains("<FILE>"), "{}", complaint(&nothing));
}
