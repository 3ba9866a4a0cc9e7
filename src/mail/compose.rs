//! [`compose`]: a [`Mail`] in the form that goes over the wire.

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::{Mail, MailError, Sender};

/// The mail with its headers, as text or as text and HTML.
///
/// Addresses and subjects come from users in part; whoever could bring a line break into one could add headers. The error
/// repeats nothing of them.
pub(super) fn compose(mail: &Mail, sender: &Sender) -> Result<Message, MailError> {
    if mail.subject.contains(char::is_control) {
        return Err(MailError::Permanent("there is a control character in the subject".to_owned()));
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
    composed.map_err(|error| MailError::Permanent(format!("the mail cannot be put together: {error}")))
}

fn recipient(address: &str) -> Result<Mailbox, MailError> {
    let refused = || MailError::Permanent("the recipient is no mail address".to_owned());
    if address.contains(char::is_control) {
        return Err(refused());
    }
    let address: Address = address.parse().map_err(|_| refused())?;
    Ok(Mailbox::new(None, address))
}

/// Asks for no automatic answers, such as that somebody is on holiday.
fn automatic() -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned())
}
