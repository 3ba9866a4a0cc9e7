//! [`compose`]: brings a [`Mail`] into the format of messages on the wire.

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::{Mail, MailError, Sender};

/// Returns the message with its headers, as plain text or as plain text and HTML.
///
/// Addresses and subjects come from users in part, and a line break in one of them could add headers, so control characters
/// are rejected. The error does not repeat them.
pub(super) fn compose(mail: &Mail, sender: &Sender) -> Result<Message, MailError> {
    if mail.subject.contains(char::is_control) {
        return Err(MailError::Permanent("the subject contains a control character".to_owned()));
    }
    let mut builder = Message::builder().from(sender.mailbox()).subject(&mail.subject).message_id(None);
    for address in &mail.to {
        builder = builder.to(recipient(address)?);
    }
    builder = builder.raw_header(automatic());
    let composed = match &mail.html {
        Some(html) => builder.multipart(MultiPart::alternative_plain_html(mail.text.clone(), html.clone())),
        None => builder.singlepart(SinglePart::plain(mail.text.clone())),
    };
    composed.map_err(|error| MailError::Permanent(format!("the mail cannot be composed: {error}")))
}

fn recipient(address: &str) -> Result<Mailbox, MailError> {
    let refused = || MailError::Permanent("the recipient is not a mail address".to_owned());
    if address.contains(char::is_control) {
        return Err(refused());
    }
    let address: Address = address.parse().map_err(|_| refused())?;
    Ok(Mailbox::new(None, address))
}

/// Returns the header that tells recipients not to send automatic replies, such as vacation notices.
fn automatic() -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned())
}
