//! [`Templates`]: the texts of every kind of mail.

use std::collections::HashMap;
use std::fmt;

use minijinja::{Environment, UndefinedBehavior, context};

use super::{Mail, MailContent, MailHeader, MailKind, Sender};
use crate::clock::Timestamp;

/// The texts of every kind of mail, in English unless an application replaces them.
///
/// Templates are written for [minijinja](https://docs.rs/minijinja). Their variables are `site`, `root_url`, and the fields of
/// the [`MailContent`] of their kind. In HTML, the values are escaped.
///
/// ```
/// use bolide::mail::{MailContent, MailKind, Site, Templates};
///
/// let mut templates = Templates::new(Site::new("Example", "https://example.com"));
/// templates.replace(MailKind::TotpReset, "{{ site }}: zweiter Faktor", "Hallo {{ name }}!", None)?;
///
/// let content = MailContent::TotpReset { name: "Alice".into() };
/// let mail = templates.render(&content, vec!["alice@example.com".into()], None)?;
/// assert_eq!(mail.subject, "Example: zweiter Faktor");
/// assert_eq!(mail.text, "Hallo Alice!");
/// # Ok::<(), bolide::mail::TemplateError>(())
/// ```
pub struct Templates {
    environment: Environment<'static>,
    site: Site,
    senders: HashMap<MailKind, Sender>,
    headers: HashMap<MailKind, Vec<MailHeader>>,
}

/// The site that sends the mails.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Site {
    /// The name of the site.
    pub name: String,
    /// The address of the site, such as `https://chat.example.com`.
    pub root_url: String,
}

/// A template is malformed, or uses an unknown variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {part} of the mail template `{kind}` cannot be used: {reason}")]
pub struct TemplateError {
    kind: MailKind,
    part: Part,
    reason: String,
}

/// A part of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Subject,
    Text,
    Html,
}

impl Site {
    /// Returns a site with this name and address.
    #[must_use]
    pub fn new(name: impl Into<String>, root_url: impl Into<String>) -> Self {
        Self { name: name.into(), root_url: root_url.into() }
    }
}

impl Templates {
    /// Returns the built-in templates, for this site.
    #[must_use]
    pub fn new(site: Site) -> Self {
        let mut environment = Environment::new();
        // An unknown variable is an error, not an empty text.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut templates = Self::new_empty(environment, site);
        for kind in MailKind::ALL {
            let built_in = BuiltIn::of(kind);
            let added = templates.replace(kind, built_in.subject, built_in.text, Some(built_in.html));
            debug_assert!(added.is_ok(), "{added:?}");
        }
        templates
    }

    /// Returns the same templates for another site.
    pub(crate) fn for_site(self, site: Site) -> Self {
        Self { site, ..self }
    }

    /// Replaces the templates of one kind of mail. Without HTML, the mail is sent as plain text. The new templates are tested
    /// with sample values.
    ///
    /// # Errors
    /// Returns an error if a template is malformed or uses an unknown variable. The templates stay unchanged then.
    pub fn replace(
        &mut self,
        kind: MailKind,
        subject: &str,
        text: &str,
        html: Option<&str>,
    ) -> Result<(), TemplateError> {
        let mut tried = Self::new_empty(self.environment.clone(), self.site.clone());
        set(&mut tried.environment, kind, Part::Subject, subject)?;
        set(&mut tried.environment, kind, Part::Text, text)?;
        match html {
            Some(html) => set(&mut tried.environment, kind, Part::Html, html)?,
            None => tried.environment.remove_template(&Part::Html.template(kind)),
        }
        tried.render(&MailContent::sample(kind), Vec::new(), None)?;
        self.environment = tried.environment;
        Ok(())
    }

    /// Sets the sender of one kind of mail, in place of the sender of the mailer.
    pub fn set_sender(&mut self, kind: MailKind, sender: Sender) {
        self.senders.insert(kind, sender);
    }

    /// Adds a header to one kind of mail, in place of an earlier one of the same name.
    pub fn set_header(&mut self, kind: MailKind, header: MailHeader) {
        let headers = self.headers.entry(kind).or_default();
        headers.retain(|other| !other.has_name_of(&header));
        headers.push(header);
    }

    fn new_empty(environment: Environment<'static>, site: Site) -> Self {
        Self { environment, site, senders: HashMap::new(), headers: HashMap::new() }
    }

    /// Renders a mail with this content to these addresses. It is not sent after `expires_at`.
    ///
    /// # Errors
    /// Returns an error if a template fails with this content, although it was tested with sample values.
    pub fn render(
        &self,
        content: &MailContent,
        to: Vec<String>,
        expires_at: Option<Timestamp>,
    ) -> Result<Mail, TemplateError> {
        let kind = content.kind();
        let has_html = self.environment.get_template(&Part::Html.template(kind)).is_ok();
        let headers = self.headers.get(&kind).into_iter().flatten().cloned();
        Ok(Mail {
            to,
            from: self.senders.get(&kind).map(ToString::to_string),
            headers: headers.map(MailHeader::into_parts).collect(),
            subject: in_one_line(&self.render_part(content, Part::Subject)?),
            text: self.render_part(content, Part::Text)?,
            html: has_html.then(|| self.render_part(content, Part::Html)).transpose()?,
            kind,
            expires_at,
        })
    }

    fn render_part(&self, content: &MailContent, part: Part) -> Result<String, TemplateError> {
        let kind = content.kind();
        let Site { name: site, root_url } = &self.site;
        let template = self.environment.get_template(&part.template(kind));
        let rendered = template.and_then(|template| template.render(context! { site, root_url, ..content.values() }));
        rendered.map_err(|error| TemplateError::new(kind, part, &error))
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Templates").field("site", &self.site).finish_non_exhaustive()
    }
}

fn set(environment: &mut Environment<'static>, kind: MailKind, part: Part, source: &str) -> Result<(), TemplateError> {
    let added = environment.add_template_owned(part.template(kind), source.to_owned());
    added.map_err(|error| TemplateError::new(kind, part, &error))
}

/// Returns a subject without line breaks: names of users must not add headers.
fn in_one_line(subject: &str) -> String {
    subject.replace(char::is_control, " ").trim().to_owned()
}

impl TemplateError {
    fn new(kind: MailKind, part: Part, error: &minijinja::Error) -> Self {
        let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        Self { kind, part, reason: format!("{}{detail}{line}", error.kind()) }
    }
}

impl Part {
    /// Returns the name of the template. Its extension decides whether values are escaped.
    fn template(self, kind: MailKind) -> String {
        match self {
            Self::Subject => format!("{kind}.subject"),
            Self::Text => format!("{kind}.txt"),
            Self::Html => format!("{kind}.html"),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Subject => "subject",
            Self::Text => "text",
            Self::Html => "HTML",
        })
    }
}

/// The built-in templates of one kind of mail.
struct BuiltIn {
    subject: &'static str,
    text: &'static str,
    html: &'static str,
}

impl BuiltIn {
    const fn of(kind: MailKind) -> Self {
        match kind {
            MailKind::ResetPassword => Self {
                subject: "Reset your password on {{ site }}",
                text: include_str!("templates/reset-password.txt"),
                html: include_str!("templates/reset-password.html"),
            },
            MailKind::EnrollAccount => Self {
                subject: "An account was created for you on {{ site }}",
                text: include_str!("templates/enroll-account.txt"),
                html: include_str!("templates/enroll-account.html"),
            },
            MailKind::VerifyEmail => Self {
                subject: "Verify your email address on {{ site }}",
                text: include_str!("templates/verify-email.txt"),
                html: include_str!("templates/verify-email.html"),
            },
            MailKind::TwoFactorCode => Self {
                subject: "Authentication code",
                text: include_str!("templates/two-factor-code.txt"),
                html: include_str!("templates/two-factor-code.html"),
            },
            MailKind::TotpReset => Self {
                subject: "Two-factor authentication was reset on {{ site }}",
                text: include_str!("templates/totp-reset.txt"),
                html: include_str!("templates/totp-reset.html"),
            },
            MailKind::SecurityNotice => Self {
                subject: "{{ site }}: {{ what }}",
                text: include_str!("templates/security-notice.txt"),
                html: include_str!("templates/security-notice.html"),
            },
            MailKind::Test => Self {
                subject: "Test mail from {{ site }}",
                text: include_str!("templates/test.txt"),
                html: include_str!("templates/test.html"),
            },
        }
    }
}

#[cfg(test)]
mod tests;
