//! `SmtpMailer` with a real SMTP server: what arrives, and which failures are permanent.

use std::time::Duration;

use bolide::mail::{MailError, Mailer as _, SmtpMailer};
use bolide::testing::{SinkBehaviour, SmtpSink};

use super::code_for;
use crate::waiting::soon;

async fn sink_and_mailer() -> (SmtpSink, SmtpMailer) {
    let sink = SmtpSink::start().await.expect("a free port");
    let mailer = SmtpMailer::new(&sink.url(), sender()).expect("a URL");
    (sink, mailer)
}

fn sender() -> bolide::mail::Sender {
    "Bölide Chat <no-reply@example.com>".parse().expect("a sender")
}

fn is_temporary(outcome: &Result<(), MailError>) -> bool {
    matches!(outcome, Err(MailError::Temporary(_)))
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let (sink, mailer) = sink_and_mailer().await;
    let text = format!("Grüße 👋\n.\n..a line with dots\n{}", "ein sehr langer Satz ".repeat(100).trim_end());
    let mut mail = code_for("alice@example.com");
    mail.subject = "Prüfung: ещё одно письмо with a subject so long that it takes more than one line 👋".into();
    mail.text.clone_from(&text);
    mail.html = Some("<p>Grüße &amp; 👋 = </p>".into());

    mailer.deliver(&mail).await.expect("it is taken");

    let received = sink.wait_for("alice@example.com").await;
    assert_eq!(received.subject, mail.subject);
    assert_eq!(received.text, text);
    assert_eq!(received.html.as_deref(), Some("<p>Grüße &amp; 👋 = </p>"));
    assert_eq!(received.from, "no-reply@example.com");
    assert_eq!(received.to, ["alice@example.com"]);
    assert_eq!(received.header("From").as_deref(), Some("Bölide Chat <no-reply@example.com>"));
    assert_eq!(received.header("To").as_deref(), Some("alice@example.com"));
    assert_eq!(received.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    assert!(received.header("Message-ID").is_some() && received.header("Date").is_some(), "{}", received.source);
    assert!(received.source.is_ascii(), "any server on the way can take it");
}

#[tokio::test]
async fn a_mail_can_have_its_own_sender_and_headers() {
    let (sink, mailer) = sink_and_mailer().await;
    let mut mail = code_for("alice@example.com");
    mail.from = Some("Sécurité <security@example.com>".into());
    mail.headers =
        vec![("Reply-To".into(), "Hilfe für alle <help@example.com>".into()), ("X-Kind".into(), "code".into())];
    mailer.deliver(&mail).await.expect("it is taken");
    let received = sink.wait_for("alice@example.com").await;
    assert_eq!(received.from, "security@example.com", "replies about the delivery go there too");
    assert_eq!(received.header("From").as_deref(), Some("Sécurité <security@example.com>"));
    assert_eq!(received.header("Reply-To").as_deref(), Some("Hilfe für alle <help@example.com>"));
    assert_eq!(received.header("X-Kind").as_deref(), Some("code"));
    assert!(received.source.is_ascii(), "{}", received.source);
}

#[tokio::test]
async fn a_sender_or_header_that_would_add_headers_is_rejected() {
    let (_sink, mailer) = sink_and_mailer().await;
    let with = |from: Option<&str>, name: &str, value: &str| {
        let mut mail = code_for("alice@example.com");
        mail.from = from.map(str::to_owned);
        mail.headers = vec![(name.into(), value.into())];
        mail
    };
    for mail in [
        with(Some("a@example.com\r\nBcc: eve@example.com"), "X-Kind", "code"),
        with(None, "X-Kind", "code\r\nBcc: eve@example.com"),
        with(None, "X-Kind\r\nBcc", "eve@example.com"),
        with(None, "Bcc", "eve@example.com"),
    ] {
        let outcome = mailer.deliver(&mail).await;
        assert!(matches!(outcome, Err(MailError::Permanent(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_mail_without_html_is_text_only() {
    let (sink, mailer) = sink_and_mailer().await;

    let mut mail = code_for("alice@example.com");
    mail.html = None;
    mailer.deliver(&mail).await.expect("it is taken");

    let received = sink.wait_for("alice@example.com").await;
    assert_eq!(received.text, "Your code is 123-456");
    assert_eq!(received.html, None);
}

#[tokio::test]
async fn connections_are_reused_for_the_next_mail() {
    let (sink, mailer) = sink_and_mailer().await;
    for _ in 0..10 {
        mailer.deliver(&code_for("alice@example.com")).await.expect("it is taken");
    }

    assert_eq!(sink.received().len(), 10);
    assert!(sink.connections() < 5, "{} connections", sink.connections());
}

#[tokio::test]
async fn headers_and_recipients_cannot_be_injected() {
    let (sink, mailer) = sink_and_mailer().await;
    let addresses = [
        "alice@example.com\r\nBcc: eve@example.com",
        "alice@example.com\nSubject: mine",
        "alice@example.com>\r\nRCPT TO:<eve@example.com",
        "Alice\r\nBcc: eve@example.com <alice@example.com>",
        "alice@example.com, eve@example.com",
        "alice@exam\0ple.com",
        "alice",
        "",
    ];
    for address in addresses {
        let outcome = mailer.deliver(&code_for(address)).await;
        assert!(matches!(outcome, Err(MailError::Permanent(_))), "{address:?}: {outcome:?}");
    }
    for subject in ["Hello\r\nBcc: eve@example.com", "Hello\nX: y", "Hello\r\n\r\nanother body"] {
        let mut mail = code_for("alice@example.com");
        mail.subject = subject.into();
        let outcome = mailer.deliver(&mail).await;
        assert!(matches!(outcome, Err(MailError::Permanent(_))), "{subject:?}: {outcome:?}");
    }

    assert_eq!(sink.received(), []);
}

#[tokio::test]
async fn a_rejected_recipient_is_a_permanent_failure() {
    let (sink, mailer) = sink_and_mailer().await;
    sink.behave(SinkBehaviour::Refuse);

    let Err(MailError::Permanent(reason)) = mailer.deliver(&code_for("nobody@example.com")).await else {
        panic!("it is refused");
    };

    assert!(reason.contains("550") && reason.contains("no such user"), "{reason}");
}

#[tokio::test]
async fn transient_failures_are_worth_another_attempt() {
    let (sink, mailer) = sink_and_mailer().await;
    for behaviour in [SinkBehaviour::TryLater, SinkBehaviour::BreakOff] {
        sink.behave(behaviour);
        let outcome = mailer.deliver(&code_for("alice@example.com")).await;
        assert!(is_temporary(&outcome), "{behaviour:?}: {outcome:?}");
    }
    sink.behave(SinkBehaviour::Accept);

    mailer.deliver(&code_for("alice@example.com")).await.expect("it is taken at last");
    sink.wait_for("alice@example.com").await;
}

#[tokio::test]
async fn a_timeout_is_a_transient_failure() {
    let (sink, mailer) = sink_and_mailer().await;
    let mailer = mailer.with_timeout(Duration::from_millis(50));
    sink.behave(SinkBehaviour::Delay(Duration::from_hours(1)));

    let outcome = soon(mailer.deliver(&code_for("alice@example.com"))).await;
    assert!(is_temporary(&outcome), "{outcome:?}");

    // A late answer must not be taken for the answer to the next mail.
    sink.behave(SinkBehaviour::Refuse);
    let outcome = soon(mailer.deliver(&code_for("alice@example.com"))).await;
    assert!(matches!(outcome, Err(MailError::Permanent(_))), "{outcome:?}");
    assert_eq!(sink.connections(), 2);
}

#[tokio::test]
async fn an_unreachable_server_is_a_transient_failure() {
    let (sink, mailer) = sink_and_mailer().await;
    drop(sink);

    let outcome = mailer.deliver(&code_for("alice@example.com")).await;

    assert!(is_temporary(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn credentials_are_sent_and_their_rejection_is_transient() {
    let sink = SmtpSink::start().await.expect("a free port");
    let url = sink.url().replace("smtp://", "smtp://user:p%40ssword@");
    let mailer = SmtpMailer::new(&url, sender()).expect("a URL");

    sink.behave(SinkBehaviour::RefuseCredentials);
    let outcome = mailer.deliver(&code_for("alice@example.com")).await;
    assert!(is_temporary(&outcome), "{outcome:?}");
    assert!(!format!("{outcome:?}{mailer:?}").contains("ssword"), "{outcome:?} {mailer:?}");

    sink.behave(SinkBehaviour::Accept);
    mailer.deliver(&code_for("alice@example.com")).await.expect("it is taken");
    assert_eq!(sink.credentials().as_deref(), Some("\0user\0p@ssword"));
}

#[tokio::test]
async fn no_mail_goes_out_unencrypted_when_encryption_is_required() {
    let sink = SmtpSink::start().await.expect("a free port");
    let mailer = |tls| SmtpMailer::new(&sink.url().replace("tls=none", tls), sender()).expect("a URL");

    let outcome = mailer("tls=required").deliver(&code_for("alice@example.com")).await;
    assert!(is_temporary(&outcome), "{outcome:?}");
    assert_eq!(sink.received(), []);

    mailer("tls=opportunistic").deliver(&code_for("alice@example.com")).await.expect("it is taken");
    sink.wait_for("alice@example.com").await;
}
