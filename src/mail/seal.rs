//! [`MailSeal`]: seals the texts of mails while they wait, since they contain codes and links.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Mail, SealedMail};
use crate::chance::Chance;
use crate::keys::KeyRing;

/// Seals and opens mails. Clones share the keys.
#[derive(Clone)]
pub struct MailSeal {
    keys: Arc<KeyRing>,
    chance: Arc<dyn Chance>,
}

/// What is sealed of a mail.
#[derive(Serialize, Deserialize)]
struct Body {
    text: String,
    html: Option<String>,
    // Mails that older versions have sealed do not have the rest.
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

impl MailSeal {
    /// Returns a seal with the current key of a ring.
    #[must_use]
    pub fn new(keys: Arc<KeyRing>, chance: Arc<dyn Chance>) -> Self {
        Self { keys, chance }
    }

    /// Seals the text of a mail. It can be opened only with the same recipients.
    #[must_use]
    pub fn seal(&self, mail: &Mail) -> SealedMail {
        let (text, html) = (mail.text.clone(), mail.html.clone());
        let body = Body { text, html, from: mail.from.clone(), headers: mail.headers.clone() };
        let plain = Zeroizing::new(serde_json::to_vec(&body).unwrap_or_default());
        SealedMail {
            to: mail.to.clone(),
            subject: mail.subject.clone(),
            body: self.keys.seal(&plain, &owner(&mail.to), &*self.chance),
            kind: mail.kind,
            expires_at: mail.expires_at,
        }
    }

    /// Opens a mail. Returns `None` if it was sealed with a key that is not in the ring, or for other recipients.
    #[must_use]
    pub fn open(&self, sealed: &SealedMail) -> Option<Mail> {
        let plain = self.keys.open(&sealed.body, &owner(&sealed.to))?;
        let Body { text, html, from, headers } = serde_json::from_slice(plain.expose()).ok()?;
        let (to, subject) = (sealed.to.clone(), sealed.subject.clone());
        Some(Mail { to, from, headers, subject, text, html, kind: sealed.kind, expires_at: sealed.expires_at })
    }

    /// Returns whether a mail is sealed with the current key.
    pub(super) fn is_current(&self, sealed: &SealedMail) -> bool {
        self.keys.is_current(&sealed.body)
    }
}

impl fmt::Debug for MailSeal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MailSeal").finish_non_exhaustive()
    }
}

/// Returns the name under which the text is sealed.
fn owner(to: &[String]) -> String {
    format!("mail:{}", to.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SystemChance;
    use crate::mail::MailKind;

    #[test]
    fn a_sealed_mail_is_opened_for_its_recipients_only() {
        let seal = MailSeal::new(Arc::new(KeyRing::generate(&SystemChance)), Arc::new(SystemChance));
        let mut mail = Mail::new(vec!["ada@example.com".into()], MailKind::Test, "Hello", "123-456");
        mail.html = Some("<b>123-456</b>".into());
        mail.from = Some("Bolide <no-reply@example.com>".into());
        mail.headers = vec![("X-Campaign".into(), "7".into())];
        let mut sealed = seal.seal(&mail);
        assert_eq!(seal.open(&sealed), Some(mail));
        sealed.to = vec!["eve@example.com".into()];
        assert_eq!(seal.open(&sealed), None);
    }

    #[test]
    fn a_mail_that_an_older_version_has_sealed_is_opened() {
        let (keys, chance) = (Arc::new(KeyRing::generate(&SystemChance)), Arc::new(SystemChance));
        let seal = MailSeal::new(Arc::clone(&keys), chance);
        let mail = Mail::new(vec!["ada@example.com".into()], MailKind::Test, "Hello", "123-456");
        let body = keys.seal(br#"{"text":"123-456","html":null}"#, &owner(&mail.to), &SystemChance);
        assert_eq!(seal.open(&SealedMail { body, ..seal.seal(&mail) }), Some(mail));
    }
}
