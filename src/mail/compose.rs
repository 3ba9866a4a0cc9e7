//! [`compose`]: brings a [`Mail`] into the format of messages on the wire.

use lettre::message::header::{ContentTransferEncoding, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::{Mail, MailError, MailHeader, Sender};

/// The maximum length of a line of a message, in bytes (RFC 5322, 2.1.1).
const LONGEST_LINE: usize = 998;

/// Who reads the message as it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Mail servers, some of which take only ASCII: other texts are encoded.
    MailServer,
    /// People and programs that look into a file, where no text needs to be encoded.
    Person,
}

/// Returns the message with its headers, as plain text or as plain text and HTML.
///
/// Addresses and subjects come from users in part, and a line break in one of them could add headers, so control characters
/// are rejected. The error does not repeat them.
pub(super) fn compose(mail: &Mail, sender: &Sender, reader: Reader) -> Result<Message, MailError> {
    if mail.subject.contains(char::is_control) {
        return Err(MailError::Permanent("the subject contains a control character".to_owned()));
    }
    let from = match &mail.from {
        Some(from) => from.parse::<Sender>().map_err(|_| refuse("its own sender is malformed"))?.mailbox(),
        None => sender.mailbox(),
    };
    let mut builder = Message::builder().from(from).subject(&mail.subject).message_id(None);
    for address in &mail.to {
        builder = builder.to(recipient(address)?);
    }
    builder = builder.raw_header(automatic());
    for (name, value) in &mail.headers {
        let header = MailHeader::new(name, value).ok().and_then(MailHeader::written);
        builder = builder.raw_header(header.ok_or_else(|| refuse("one of its headers is malformed"))?);
    }
    let text = body(&mail.text, reader);
    let composed = match &mail.html {
        Some(html) => builder.multipart(MultiPart::alternative_plain_html(text, body(html, reader))),
        None => builder.singlepart(SinglePart::plain(text)),
    };
    composed.map_err(|error| MailError::Permanent(format!("the mail cannot be composed: {error}")))
}

/// Returns a text as it is written. What every reader can take stays as it is, since encoded lines are cut after 76
/// characters: who looks at the source of a mail could not copy a longer link.
fn body(text: &str, reader: Reader) -> Body {
    let encoding = match reader {
        _ if text.is_ascii() => ContentTransferEncoding::SevenBit,
        Reader::Person => ContentTransferEncoding::EightBit,
        Reader::MailServer => return Body::new(text.to_owned()),
    };
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    if lines.contains('\0') || lines.lines().any(|line| line.len() > LONGEST_LINE) {
        return Body::new(text.to_owned());
    }
    Body::dangerous_pre_encoded(lines.replace('\n', "\r\n").into_bytes(), encoding)
}

fn refuse(reason: &str) -> MailError {
    MailError::Permanent(format!("the mail cannot be composed: {reason}"))
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
