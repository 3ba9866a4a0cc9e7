//! The built-in templates render, values are escaped, and errors are clear.

use std::time::Duration;

use super::{Site, Templates};
use crate::mail::{Mail, MailContent, MailKind};

fn templates() -> Templates {
    Templates::new(Site { name: "Chat & Co".into(), root_url: "https://chat.example.com".into() })
}

fn render(content: &MailContent) -> Mail {
    templates().render(content, vec!["alice@example.com".into()], None).unwrap()
}

#[test]
fn every_kind_has_a_subject_a_text_and_html_that_name_the_site() {
    for kind in MailKind::ALL {
        let mail = render(&MailContent::sample(kind));

        assert_eq!(mail.kind, kind);
        assert!(!mail.subject.is_empty(), "{kind}");
        assert!(mail.text.contains("Chat & Co"), "{}", mail.text);
        assert!(mail.html.as_deref().unwrap().contains("Chat &amp; Co"), "{:?}", mail.html);
    }
}

#[test]
fn a_link_is_in_the_text_and_clickable_in_the_html() {
    for kind in [MailKind::ResetPassword, MailKind::EnrollAccount, MailKind::VerifyEmail] {
        let mail = render(&MailContent::sample(kind));

        assert!(mail.text.lines().any(|line| line == "https://chat.example.com/a-link"), "{}", mail.text);
        assert!(mail.html.unwrap().replace("&#x2f;", "/").contains(r#"<a href="https://chat.example.com/a-link">"#));
    }
}

#[test]
fn a_code_is_shown_in_two_groups_with_the_request_it_is_for() {
    let mail = render(&MailContent::TwoFactorCode {
        name: "Alice".into(),
        code: "042007".into(),
        action: "transferFunds".into(),
        client: "Firefox on Linux".into(),
        address: "192.0.2.7".into(),
        valid_for: Duration::from_secs(601),
    });

    assert_eq!(mail.subject, "Authentication code");
    for part in [&mail.text, mail.html.as_ref().unwrap()] {
        for shown in ["042-007", "transferFunds", "Firefox on Linux", "192.0.2.7", "11 minutes"] {
            assert!(part.contains(shown), "{shown} is not in {part}");
        }
        assert!(!part.contains("042007"), "{part}");
    }
}

fn code_mail(action: &str) -> MailContent {
    MailContent::TwoFactorCode {
        name: "Alice".into(),
        code: "042007".into(),
        action: action.into(),
        client: String::new(),
        address: "192.0.2.7".into(),
        valid_for: Duration::from_mins(10),
    }
}

#[test]
fn html_in_values_is_escaped() {
    let mail = render(&code_mail(r#"<img src="x">"#));

    assert!(!mail.html.as_ref().unwrap().contains("<img"), "{:?}", mail.html);
    assert!(mail.text.contains(r#"<img src="x">"#), "{}", mail.text);
}

#[test]
fn no_mail_shows_a_user_agent_or_a_name_that_could_be_a_sentence_or_a_link() {
    let stranger = "Your account was closed, see http://evil.example";
    let (name, link, client) = (stranger.to_owned(), "https://chat.example.com/a-link".to_owned(), stranger.to_owned());
    for kind in MailKind::ALL {
        let content = match MailContent::sample(kind) {
            MailContent::ResetPassword { .. } => MailContent::ResetPassword { name: name.clone(), link: link.clone() },
            MailContent::EnrollAccount { .. } => MailContent::EnrollAccount { name: name.clone(), link: link.clone() },
            MailContent::VerifyEmail { .. } => MailContent::VerifyEmail { name: name.clone(), link: link.clone() },
            MailContent::TotpReset { .. } => MailContent::TotpReset { name: name.clone() },
            MailContent::TwoFactorCode { code, action, address, valid_for, .. } => {
                let (name, client) = (name.clone(), client.clone());
                MailContent::TwoFactorCode { name, code, action, client, address, valid_for }
            }
            other => other,
        };
        let mail = render(&content);
        for part in [&mail.subject, &mail.text, mail.html.as_ref().unwrap()] {
            assert!(!part.contains("evil") && !part.contains("closed"), "{part}");
        }
    }
}

#[test]
fn a_subject_is_one_line_even_if_a_value_is_not() {
    let mut templates = templates();
    templates.replace(MailKind::TwoFactorCode, "For {{ action }}", "", None).unwrap();

    let content = code_mail("Eve\r\nBcc: all@example.com");
    let mail = templates.render(&content, vec![], None).unwrap();

    assert_eq!(mail.subject, "For Eve  Bcc: all@example.com");
}

#[test]
fn replacing_a_template_changes_only_its_kind() {
    let mut templates = templates();
    templates.replace(MailKind::Test, "Probe", "Es geht.", None).unwrap();

    let test = templates.render(&MailContent::sample(MailKind::Test), vec![], None).unwrap();
    let other = templates.render(&MailContent::sample(MailKind::TwoFactorCode), vec![], None).unwrap();

    assert_eq!((test.subject.as_str(), test.text.as_str(), test.html), ("Probe", "Es geht.", None));
    assert_eq!(other.subject, "Authentication code");
}

#[test]
fn an_invalid_template_is_explained_and_changes_nothing() {
    let mut templates = templates();
    let malformed = templates.replace(MailKind::Test, "Probe", "a\n{{ site", None).unwrap_err().to_string();
    let unknown = templates.replace(MailKind::Test, "Probe", "", Some("{{ code }}")).unwrap_err().to_string();

    assert!(malformed.starts_with("the text of the mail template `test` cannot be used: syntax error"), "{malformed}");
    assert!(malformed.ends_with("in line 2"), "{malformed}");
    assert!(unknown.starts_with("the HTML of the mail template `test` cannot be used: undefined value"), "{unknown}");
    let mail = templates.render(&MailContent::sample(MailKind::Test), vec![], None).unwrap();
    assert_eq!(mail.subject, "Test mail from Chat & Co");
}
