//! Links in mails stand whole on one line: for who reads a mail, and in the files of a mail directory.

use std::path::PathBuf;
use std::sync::Arc;

use bolide::clock::MovableClock;
use bolide::mail::{FileMailer, Mail, MailContent, Mailer as _, Site, SmtpMailer, Templates};
use bolide::testing::SmtpSink;

/// A link that is longer than a line of an encoded mail, with the character that begins what is encoded.
const LINK: &str = "https://chat.example.com/a/rather/long/path/to/the/site/#/reset-password/\
     AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE?next=%2Froom";

/// Returns the built-in mail of a site with this name.
fn mail(site: &str) -> Mail {
    let templates = Templates::new(Site::new(site, "https://chat.example.com"));
    let content = MailContent::ResetPassword { name: "alice".into(), link: LINK.into() };
    templates.render(&content, vec!["alice@example.com".into()], None).expect("the template is valid")
}

#[tokio::test]
async fn a_link_arrives_whole_through_a_mail_server() {
    let sink = SmtpSink::start().await.expect("a free port");
    let mailer = SmtpMailer::new(&sink.url(), "no-reply@example.com".parse().expect("a sender")).expect("a URL");
    for site in ["Bolide", "Bölide 👋"] {
        mailer.deliver(&mail(site)).await.expect("it is taken");
        let received = sink.wait_for("alice@example.com").await;
        assert!(received.text.lines().any(|line| line == LINK), "{}", received.text);
        let html = received.html.expect("the built-in mail has HTML");
        assert!(html.contains(&format!("<a href=\"{}\">", LINK.replace('/', "&#x2f;"))), "{html}");
        let is_whole = received.source.lines().any(|line| line == LINK);
        assert_eq!(is_whole, site.is_ascii(), "only texts that need it are encoded on the way");
    }
}

#[tokio::test]
async fn a_link_stands_whole_on_a_line_of_a_file_in_the_mail_directory() {
    for (folder, site) in [("plain-links", "Bolide"), ("encoded-links", "Bölide 👋")] {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(folder);
        drop(std::fs::remove_dir_all(&directory));
        let sender = "no-reply@example.com".parse().expect("a sender");
        let mailer = FileMailer::new(&directory, sender, Arc::new(MovableClock::default()));
        mailer.deliver(&mail(site)).await.expect("it is written");
        let file = std::fs::read_dir(&directory).expect("a directory").next().expect("a file").expect("an entry");
        let source = std::fs::read_to_string(file.path()).expect("the file is UTF-8");
        assert!(source.lines().any(|line| line == LINK), "{source}");
        assert!(source.contains(&format!("-- \r\n{site}\r\n")), "{source}");
    }
}
