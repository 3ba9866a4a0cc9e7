//! The mailers for development, and the log entries of a mail.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bolide::clock::MovableClock;
use bolide::mail::{
    Delivery, FileMailer, LogMailer, LoggedText, Mail, MailError, MailQueue, Mailer, MemoryMailer, MemoryOutgoing,
};
use tokio_util::sync::CancellationToken;

use super::{code_for, seal};
use crate::log::Log;
use crate::waiting::until;

fn empty_directory(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(std::fs::remove_dir_all(&directory));
    directory
}

fn file_mailer(directory: &PathBuf, clock: &MovableClock) -> FileMailer {
    FileMailer::new(directory, "no-reply@example.com".parse().expect("a sender"), Arc::new(clock.clone()))
}

fn names(directory: &PathBuf) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn each_mail_becomes_a_file_and_the_names_sort_by_time() {
    let (directory, clock) = (empty_directory("mails"), MovableClock::default());
    let mailer = file_mailer(&directory, &clock);
    let addresses = ["zoe@example.com", "bob@example.com", "alice@example.com"];
    for address in addresses {
        mailer.deliver(&code_for(address)).await.expect("it is written");
        clock.advance(Duration::from_secs(1));
    }

    let names = names(&directory);

    assert_eq!(names.len(), addresses.len());
    for (name, address) in names.iter().zip(addresses) {
        assert!(name.ends_with(&format!("-two-factor-code-{address}.eml")), "{name}");
    }
    let mail = std::fs::read_to_string(directory.join(&names[0])).expect("a file");
    assert!(mail.contains("To: zoe@example.com") && mail.contains("Your code is 123-456"), "{mail}");
}

#[cfg(unix)]
#[tokio::test]
async fn others_on_the_machine_cannot_read_a_mail() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = empty_directory("private-mails");
    file_mailer(&directory, &MovableClock::default())
        .deliver(&code_for("alice@example.com"))
        .await
        .expect("it is written");

    let file = directory.join(&names(&directory)[0]);

    assert_eq!(std::fs::metadata(file).expect("a file").permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn an_address_cannot_lead_to_another_directory() {
    let directory = empty_directory("harmless-mails");
    let mailer = file_mailer(&directory, &MovableClock::default());

    mailer.deliver(&code_for("x/y/alice@example.com")).await.expect("it is an address, if a strange one");

    assert!(names(&directory)[0].ends_with("-x_y_alice@example.com.eml"), "{:?}", names(&directory));
}

#[tokio::test]
async fn an_error_names_a_directory_that_cannot_be_written() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_PATH")).join("mails");

    let outcome = file_mailer(&directory, &MovableClock::default()).deliver(&code_for("alice@example.com")).await;

    let Err(MailError::Temporary(reason)) = outcome else { panic!("it cannot be written: {outcome:?}") };
    assert!(reason.contains("mail directory") && reason.contains("Cargo.toml/mails"), "{reason}");
}

#[tokio::test]
async fn the_memory_mailer_keeps_mails_in_order() {
    let mailer = MemoryMailer::default();
    for address in ["alice@example.com", "bob@example.com"] {
        mailer.deliver(&code_for(address)).await.expect("it is kept");
    }

    assert_eq!(mailer.sent(), [code_for("alice@example.com"), code_for("bob@example.com")]);
}

#[tokio::test]
async fn the_text_of_a_mail_is_logged_only_if_the_operator_enables_it() {
    let log = Log::default();
    let _guard = log.keep("info");

    LogMailer::new(LoggedText::Withheld).deliver(&code_for("alice@example.com")).await.expect("it is logged");
    assert!(log.text().contains("alice@example.com") && !log.text().contains("123"), "{}", log.text());

    LogMailer::new(LoggedText::Shown).deliver(&code_for("alice@example.com")).await.expect("it is logged");
    assert!(log.text().contains("Your code is 123-456"), "{}", log.text());
}

/// A mailer that always fails.
struct Closed;

impl Mailer for Closed {
    fn deliver<'mail>(&'mail self, _: &'mail Mail) -> Delivery<'mail> {
        Box::pin(async { Err(MailError::Temporary("closed today".into())) })
    }
}

#[tokio::test]
async fn a_mail_that_cannot_be_sent_is_logged_without_its_text() {
    let log = Log::default();
    let _guard = log.keep("info");
    let queue = MailQueue::new(Arc::new(MemoryOutgoing::default()), seal(), Arc::new(MovableClock::default()));
    queue.enqueue(&code_for("alice@example.com")).await.expect("it is stored");

    let stop = CancellationToken::new();
    let worker = tokio::spawn({
        let (queue, stopped) = (queue.clone(), stop.clone());
        async move { queue.work(Arc::new(Closed), stopped.cancelled_owned()).await }
    });
    until(|| log.text().contains("closed today")).await;
    stop.cancel();
    worker.await.expect("it ends well");

    assert!(log.text().contains("two-factor-code"), "{}", log.text());
    assert!(!log.text().contains("123-456"), "{}", log.text());
}
