//! [`Mailbox`]: a mail server that receives the mails of the server under test.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::testing::{ReceivedMail, SmtpSink};

/// A mail server that receives the mails of the server under test, which must be configured to send them to it.
#[derive(Debug, Clone)]
pub struct Mailbox(Arc<SmtpSink>);

impl Mailbox {
    /// Receives mail at `address`.
    ///
    /// # Errors
    /// Returns an error if the address cannot be listened on.
    pub async fn open(address: SocketAddr) -> std::io::Result<Self> {
        Ok(Self(Arc::new(SmtpSink::start_at(address).await?)))
    }

    /// Returns the URL of the mail server, such as `smtp://127.0.0.1:2525`.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Waits for the oldest unread mail to `address`, and returns it in the form that `mail` steps compare.
    pub(crate) async fn next(&self, address: &str) -> Value {
        as_message(address, &self.0.next_for(address).await)
    }
}

/// Converts a mail for comparison. The wording of mails is free, except for what a reader needs: a code of two groups
/// of three digits, and the last part of a link.
fn as_message(address: &str, mail: &ReceivedMail) -> Value {
    let mut message = json!({ "to": address, "subject": mail.subject, "text": mail.text });
    let mut words = mail.text.split_whitespace();
    if let Some(code) = words.clone().find(|word| is_code(word)) {
        message["code"] = code.into();
    }
    if let Some((_, token)) = words.find(|word| word.contains("/#/")).and_then(|link| link.rsplit_once('/')) {
        message["token"] = token.into();
    }
    message
}

fn is_code(word: &str) -> bool {
    let groups: Vec<&str> = word.split('-').collect();
    groups.len() == 2 && groups.iter().all(|group| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(text: &str) -> ReceivedMail {
        let (from, to) = ("a@example.com".to_owned(), vec!["b@example.com".to_owned()]);
        ReceivedMail { from, to, subject: "s".into(), text: text.into(), html: None, source: String::new() }
    }

    #[test]
    fn a_code_and_the_token_of_a_link_are_taken_out() {
        let code = as_message("b@example.com", &mail("Your code is\n\n    012-345\n\nby 12-345"));
        assert_eq!(code["code"], "012-345");
        assert!(code.get("token").is_none());
        let link = as_message("b@example.com", &mail("Go to\nhttps://example.com/#/verify-email/T0-ken_\n"));
        assert_eq!(link["token"], "T0-ken_");
        assert!(link.get("code").is_none());
        assert_eq!(link["to"], "b@example.com");
    }
}
