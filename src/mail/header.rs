//! [`MailHeader`]: a header that an application adds to its mails.

use lettre::message::header::{HeaderName, HeaderValue};

/// The maximum length of a value, in bytes.
const LONGEST_VALUE: usize = 900;

/// The headers that the mailer writes itself, in lower case. Those that begin with `content-` are others.
const OWN: [&str; 12] = [
    "auto-submitted",
    "bcc",
    "cc",
    "date",
    "from",
    "message-id",
    "mime-version",
    "received",
    "return-path",
    "sender",
    "subject",
    "to",
];

/// A header of a mail: a name and a value.
///
/// ```
/// use bolide::mail::MailHeader;
///
/// assert!(MailHeader::new("Reply-To", "support@example.com").is_ok());
/// assert!(MailHeader::new("Bcc", "eve@example.com").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailHeader {
    name: String,
    value: String,
}

/// A header cannot be added to mails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header {name:?} cannot be added to mails: {reason}")]
pub struct MailHeaderError {
    name: String,
    reason: &'static str,
}

impl MailHeader {
    /// Returns a header with this name and value.
    ///
    /// # Errors
    /// If the name is not one of letters, digits and hyphens, if the mailer writes this header itself, or if the value is
    /// empty, longer than 900 bytes, or contains a control character.
    pub fn new(name: &str, value: &str) -> Result<Self, MailHeaderError> {
        let refuse = |reason| Err(MailHeaderError { name: name.to_owned(), reason });
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || name.len() > 76 || !name.bytes().all(is_letter) {
            return refuse("its name must have 1 to 76 letters, digits and hyphens");
        }
        let lower = name.to_ascii_lowercase();
        if OWN.contains(&lower.as_str()) || lower.starts_with("content-") {
            return refuse("the mailer writes it itself");
        }
        // A line break could add further headers, or begin the text.
        if value.is_empty() || value.len() > LONGEST_VALUE || value.contains(char::is_control) {
            return refuse("its value must have 1 to 900 bytes, without control characters");
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }

    pub(super) fn has_name_of(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(&other.name)
    }

    pub(super) fn into_parts(self) -> (String, String) {
        (self.name, self.value)
    }

    /// Returns the header as it is written. `None` does not occur, since the name was checked.
    pub(super) fn written(self) -> Option<HeaderValue> {
        Some(HeaderValue::new(HeaderName::new_from_ascii(self.name).ok()?, self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::MailHeader;

    #[test]
    fn a_header_cannot_replace_those_of_the_mailer_or_add_others() {
        for (name, value) in [
            ("From", "eve@example.com"),
            ("bcc", "eve@example.com"),
            ("Content-Type", "text/html"),
            ("X-A", "1\r\nBcc: eve@example.com"),
            ("X-A\r\nBcc", "eve@example.com"),
            ("X A", "1"),
            ("X:A", "1"),
            ("", "1"),
            ("X-A", ""),
            ("Ä", "1"),
        ] {
            assert!(MailHeader::new(name, value).is_err(), "{name:?}: {value:?}");
        }
        assert!(MailHeader::new("X-A", &"x".repeat(901)).is_err());
        for (name, value) in
            [("Reply-To", "a@example.com"), ("List-Unsubscribe", "<https://example.com/u>"), ("X-1", "ü")]
        {
            assert!(MailHeader::new(name, value).is_ok(), "{name}");
        }
    }
}
