//! The mail server, and the URL in mails.

use bolide::mail::{Mail, MailKind, Mailer as _, SmtpMailer};

use super::report::Report;
use crate::serve;

/// Checks the URL with which links begin.
pub(super) fn check_site(report: &mut Report, root_url: Option<&str>) {
    const LOCAL: [&str; 3] = ["http://localhost", "http://127.0.0.1", "http://[::1]"];
    match root_url {
        None => report.warning(
            "root url",
            "it is not set, so links in mails lead to the address that the server listens on; --root-url sets it",
        ),
        Some(url) if url.starts_with("https://") => report.ok("root url", url),
        Some(url) if LOCAL.iter().any(|local| url.starts_with(local)) => {
            report.warning("root url", format!("{url} leads others to their own machine; --root-url sets another"));
        }
        Some(url) => report.warning(
            "root url",
            format!(
                "{url} is not https, so passwords can be read on the way; use a proxy with TLS, and set --root-url"
            ),
        ),
    }
}

/// Signs in to the mail server, and sends it a mail only to the given address.
pub(super) async fn check_server(report: &mut Report, server: &serve::Arguments, send_test_to: Option<&str>) {
    let Some(url) = &server.mail_url else {
        return match &server.mail_dir {
            Some(directory) => report.warning(
                "mail",
                format!("mails are stored in {} and not sent; --mail-url sends them", directory.display()),
            ),
            None => report.warning("mail", "mails are named in the log and not sent; --mail-url sends them"),
        };
    };
    let mailer = server
        .mail_from
        .parse()
        .map_err(|error| format!("{error}; --mail-from sets it"))
        .and_then(|sender| SmtpMailer::new(url, sender).map_err(|error| error.to_string()));
    let mailer = match mailer {
        Ok(mailer) => mailer,
        Err(error) => return report.problem("mail", error),
    };
    match mailer.check().await {
        Ok(()) => report.ok("mail", "the mail server answers, and accepts the user of --mail-url"),
        Err(error) => return report.problem("mail", format!("{error}; --mail-url sets the mail server")),
    }
    if server.mail_from.ends_with("@localhost>") {
        report.warning(
            "mail",
            format!("mails come from {}, which others refuse; --mail-from sets another", server.mail_from),
        );
    }
    let Some(address) = send_test_to else { return };
    let text = "This is a test mail of `bolide check`.";
    let mail = Mail::new(vec![address.to_owned()], MailKind::Test, "Test mail of Bolide", text);
    match mailer.deliver(&mail).await {
        Ok(()) => report.ok("mail", format!("the mail server has taken a test mail to {address}")),
        Err(error) => report.problem("mail", format!("the test mail to {address} was not taken: {error}")),
    }
}
