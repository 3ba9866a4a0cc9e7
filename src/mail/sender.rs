//! [`Sender`]: the sender of mails.

use std::fmt;
use std::str::FromStr;

use lettre::message::Mailbox;

/// The sender of mails: an address, or a name and an address.
///
/// ```
/// use bolide::mail::Sender;
///
/// assert!("Example <no-reply@example.com>".parse::<Sender>().is_ok());
/// assert!("no-reply@example.com".parse::<Sender>().is_ok());
/// assert!("Example".parse::<Sender>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender(Mailbox);

/// The sender is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sender of mails, `MAIL_FROM`, must be an address such as `Example <no-reply@example.com>`, not {0:?}")]
pub struct SenderError(String);

impl Sender {
    pub(super) fn mailbox(&self) -> Mailbox {
        self.0.clone()
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for Sender {
    type Err = SenderError;

    fn from_str(text: &str) -> Result<Self, SenderError> {
        // The parser ignores what follows a valid address, which could add headers.
        if text.contains(char::is_control) {
            return Err(SenderError(text.to_owned()));
        }
        text.trim().parse().map(Self).map_err(|_| SenderError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::Sender;

    #[test]
    fn line_breaks_are_rejected() {
        for text in
            ["a@example.com\r\nBcc: eve@example.com", "Eve\nBcc: e@example.com <a@example.com>", "a@example.com\0"]
        {
            let error = text.parse::<Sender>().unwrap_err().to_string();
            assert!(error.contains("MAIL_FROM") && !error.contains('\n'), "{error}");
        }
    }
}
