//! Links and codes cannot be read in the files of the database: not while a mail waits, and not after it was sent.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bolide::accounts::Accounts;
use bolide::accounts::password::HashingCost;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::mail::{Delivery, Mail, MailError, Mailer, OutgoingMail};
use bolide::prelude::*;
use bolide::store::{SqlStore, Store, User};
use parking_lot::Mutex;
use serde_json::json;

use crate::waiting::{soon, until};

/// A mailer that keeps what it is given, and fails until it is opened.
#[derive(Clone, Default)]
struct Held {
    texts: Arc<Mutex<Vec<String>>>,
    is_open: Arc<AtomicBool>,
}

impl Mailer for Held {
    fn deliver<'mail>(&'mail self, mail: &'mail Mail) -> Delivery<'mail> {
        self.texts.lock().push(mail.text.clone());
        let is_open = self.is_open.load(Ordering::Relaxed);
        Box::pin(async move { if is_open { Ok(()) } else { Err(MailError::Temporary("closed today".into())) } })
    }
}

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&directory));
        std::fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    async fn store(&self) -> SqlStore {
        SqlStore::open(&format!("sqlite:{}", self.0.join("a.db").display())).await.unwrap()
    }

    /// Returns the names of the files that contain a text.
    fn files_with(&self, text: &str) -> Vec<String> {
        let files = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let holds =
            |file: &PathBuf| std::fs::read(file).unwrap().windows(text.len()).any(|part| part == text.as_bytes());
        files.filter(holds).map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Returns the secret in the text of a mail: the token of a link, or a code.
fn secret(text: &str) -> String {
    let is_code = |word: &&str| word.len() == 7 && word.as_bytes()[3] == b'-';
    let link = text.split_whitespace().find(|word| word.contains("/#/"));
    link.map(|link| link.rsplit('/').next().unwrap())
        .or_else(|| text.split_whitespace().find(is_code))
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn links_and_codes_are_in_no_file_while_mails_wait_and_after_they_were_sent() {
    let (directory, mailer) = (Directory::new("sealed-mails"), Held::default());
    let accounts = Accounts::open(directory.store().await, KeyRing::generate(&SystemChance)).await.unwrap();
    let accounts = accounts.mailer(mailer.clone()).hashing_cost(HashingCost::new(8, 1, 1).unwrap());
    super::add(&accounts, "emma", false, true).await;
    let app = App::builder().accounts(accounts).without_default_rate_limits().build().unwrap();
    let call = async |method: &str, parameter: serde_json::Value| {
        app.call::<Ejson>(&Caller::anonymous(), method, &(parameter,)).await
    };
    call("forgotPassword", json!({ "email": "emma@example.com" })).await.unwrap();
    call("sendEmailCode", json!("emma")).await.unwrap();
    until(|| mailer.texts.lock().len() == 2).await;
    let secrets: Vec<String> = mailer.texts.lock().iter().map(|text| secret(text)).collect();
    let digits = secrets.iter().find(|secret| secret.len() == 7).unwrap().replace('-', "");
    let assert_hidden = |when: &str| {
        assert!(!directory.files_with("emma@example.com").is_empty(), "the test finds what is there");
        for secret in secrets.iter().chain([&digits]) {
            assert_eq!(directory.files_with(secret), [] as [&str; 0], "{when}: {secret}");
        }
    };
    assert_hidden("while they wait");
    mailer.is_open.store(true, Ordering::Relaxed);
    let store = app.accounts().unwrap().store().clone();
    send_all(&*store).await;
    let sent: Vec<String> = mailer.texts.lock()[2..].iter().map(|text| secret(text)).collect();
    assert!(sent.len() == 2 && sent.iter().all(|secret| secrets.contains(secret)), "the same texts were sent");
    assert_hidden("after they were sent");
    app.shutdown().await;
}

/// Makes the mails due that have failed, and waits until they were sent.
async fn send_all(store: &dyn Store) {
    let listed = async |is_so: fn(&[OutgoingMail]) -> bool| {
        soon(async {
            loop {
                let mails = store.list(10).await.unwrap();
                if is_so(&mails) {
                    return mails;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    };
    for mail in listed(|mails| mails.iter().all(|mail| mail.failures == 1)).await {
        assert!(store.retry(mail.id, mail.added_at).await.unwrap());
    }
    listed(<[_]>::is_empty).await;
}

#[tokio::test]
async fn freed_pages_of_the_database_are_overwritten() {
    let directory = Directory::new("freed-pages");
    let store = directory.store().await;
    let mut user = User::new("a".into(), bolide::clock::Timestamp::from_milliseconds(1));
    // Longer than a page, so that whole pages are freed.
    let secret = "a distinctive text of a user ".repeat(1000);
    user.fields.insert("note".into(), secret.into());
    bolide::store::user::Users::insert_user(&store, user.into()).await.unwrap();
    assert!(!directory.files_with("a distinctive text").is_empty());
    assert!(bolide::store::user::Users::delete_user(&store, &"a".into()).await.unwrap());
    drop(store);
    let _started_again = directory.store().await;
    assert_eq!(directory.files_with("a distinctive text"), [] as [&str; 0]);
}
