//! Mail that a login sends: logins do not wait for the mail server, and work while it is unavailable.

use std::time::Duration;

use bolide::mail::{MailHeader, MailKind, SmtpMailer};
use bolide::testing::{SinkBehaviour, SmtpSink};
use serde_json::json;

use super::{Bank, error, password_login, result};
use crate::waiting::soon;

async fn bank_with(sink: &SmtpSink) -> Bank {
    let mailer = SmtpMailer::new(&sink.url(), "no-reply@example.com".parse().unwrap()).unwrap();
    Bank::open_with(|accounts| accounts.mailer(mailer)).await
}

#[tokio::test]
async fn a_mail_server_that_rejects_hangs_or_disconnects_does_not_prevent_logins() {
    for behaviour in [
        SinkBehaviour::Refuse,
        SinkBehaviour::TryLater,
        SinkBehaviour::BreakOff,
        SinkBehaviour::Delay(Duration::from_mins(1)),
    ] {
        let sink = SmtpSink::start().await.unwrap();
        sink.behave(behaviour);
        let bank = bank_with(&sink).await;
        soon(async {
            let mut client = bank.connect().await;
            let asked = client.ask("login", password_login("emma", "emma's password")).await;
            assert_eq!(error(&asked), "totp-required", "{behaviour:?}");
            assert_eq!(asked["error"]["details"]["codeGenerated"], true);
            result(&client.ask("login", password_login("alice", "alice's password")).await);
            result(&client.ask("forgotPassword", json!([{ "email": "alice@example.com" }])).await);
        })
        .await;
    }
}

#[tokio::test]
async fn a_code_that_could_not_be_sent_is_sent_later_and_is_valid() {
    let sink = SmtpSink::start().await.unwrap();
    sink.behave(SinkBehaviour::TryLater);
    let bank = bank_with(&sink).await;
    let mut client = bank.connect().await;
    client.ask("login", password_login("emma", "emma's password")).await;
    let store = bank.app.accounts().unwrap().store().clone();
    let failed = soon(async {
        loop {
            let mails = store.list(10).await.unwrap();
            if mails.iter().any(|mail| mail.failures > 0) {
                return mails;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(failed[0].kind, MailKind::TwoFactorCode);
    assert!(failed[0].last_error.as_deref().is_some_and(|reason| reason.contains("451")), "{failed:?}");
    sink.behave(SinkBehaviour::Accept);
    bank.clock.advance(Duration::from_mins(5));
    assert!(store.retry(failed[0].id, bolide::clock::Clock::now(&bank.clock)).await.unwrap());
    let mail = sink.wait_for("emma@example.com").await;
    let code = mail.text.split_whitespace().find(|word| word.len() == 7 && word.as_bytes()[3] == b'-').unwrap();
    let login = json!({ "user": { "username": "emma" }, "password": "emma's password" });
    result(&client.ask("login", json!([{ "totp": { "login": login, "code": code } }])).await);
}

#[tokio::test]
async fn an_application_can_replace_the_texts_the_sender_and_headers_of_mails() {
    let sink = SmtpSink::start().await.unwrap();
    let mailer = SmtpMailer::new(&sink.url(), "no-reply@example.com".parse().unwrap()).unwrap();
    let bank = Bank::open_with(|accounts| {
        let accounts = accounts.mailer(mailer).site("Rathaus", "https://rathaus.example");
        let text = "Hallo {{ name }}, hier entlang: {{ link }}";
        let accounts = accounts.mail_sender(MailKind::ResetPassword, "Amt <amt@rathaus.example>".parse().unwrap());
        let tag = |value| MailHeader::new("X-Tag", value).unwrap();
        let accounts = accounts.mail_header(MailKind::ResetPassword, tag("old"));
        let accounts = accounts.mail_header(MailKind::ResetPassword, tag("new"));
        accounts.mail_template(MailKind::ResetPassword, "Neues Passwort für {{ site }}", text, None).unwrap()
    })
    .await;
    let mut client = bank.connect().await;
    result(&client.ask("forgotPassword", json!([{ "email": "alice@example.com" }])).await);
    let mail = sink.wait_for("alice@example.com").await;
    assert_eq!(mail.subject, "Neues Passwort für Rathaus");
    assert_eq!((mail.from.as_str(), mail.header("X-Tag").as_deref()), ("amt@rathaus.example", Some("new")));
    assert!(
        mail.text.starts_with("Hallo alice, hier entlang: https://rathaus.example/#/reset-password/"),
        "{}",
        mail.text
    );
}

#[tokio::test]
async fn an_unknown_address_gets_the_same_answer_and_no_mail() {
    let bank = Bank::open().await;
    let mut client = bank.connect().await;
    let known = client.ask("forgotPassword", json!([{ "email": "alice@example.com" }])).await;
    let unknown = client.ask("forgotPassword", json!([{ "email": "nobody@example.com" }])).await;
    assert_eq!(known, unknown);
    assert_eq!(bank.mails(1).await[0].to, ["alice@example.com"]);
}
