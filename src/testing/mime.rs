//! [`ReceivedMail`]: a decoded mail.

use mail_parser::{HeaderForm, HeaderName, Message, MessageParser, PartType};

/// A mail that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMail {
    /// The sender's address, from the envelope.
    pub from: String,
    /// The recipients' addresses, from the envelope.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The plain text, with `\n` at the ends of lines.
    pub text: String,
    /// The HTML, or `None` if the mail does not have it.
    pub html: Option<String>,
    /// The mail as it was received, not decoded.
    pub source: String,
}

impl ReceivedMail {
    /// Returns a header by its name, decoded, or `None` if the mail does not have it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        header(&parse(&self.source)?, HeaderName::parse(name)?)
    }

    pub(super) fn read(from: &str, to: &[String], source: &str) -> Self {
        let message = parse(source);
        let text = |is_wanted: fn(&PartType<'_>) -> bool| text(message.as_ref()?, is_wanted);
        Self {
            from: from.to_owned(),
            to: to.to_vec(),
            subject: message.as_ref().and_then(|message| header(message, HeaderName::Subject)).unwrap_or_default(),
            text: text(|body| matches!(body, PartType::Text(_))).unwrap_or_default(),
            html: text(|body| matches!(body, PartType::Html(_))),
            source: source.to_owned(),
        }
    }
}

fn parse(source: &str) -> Option<Message<'_>> {
    MessageParser::default().parse(source)
}

/// Returns a header as text, also if it has a form of its own, such as addresses.
fn header(message: &Message<'_>, name: HeaderName<'_>) -> Option<String> {
    message.header_as(name.into_owned(), HeaderForm::Text).first()?.as_text().map(str::to_owned)
}

/// Returns the text of the first part with such a body, with `\n` at the ends of lines.
fn text(message: &Message<'_>, is_wanted: fn(&PartType<'_>) -> bool) -> Option<String> {
    let text = message.parts.iter().find(|part| is_wanted(&part.body))?.text_contents()?;
    Some(text.replace("\r\n", "\n").trim_end().to_owned())
}
