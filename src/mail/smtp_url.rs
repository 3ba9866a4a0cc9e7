//! [`SmtpUrl`]: the address of the mail server, and how the connection is encrypted.

use std::str::FromStr;

use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::{AsyncSmtpTransport, Tokio1Executor};

/// A URL such as `smtp://user:password@mail.example.com:587?tls=required`.
#[derive(Clone)]
pub(super) struct SmtpUrl {
    scheme: Scheme,
    /// `user:password@host:port`
    authority: String,
}

/// How the connection is encrypted. It decides the default port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// TLS from the first byte; port 465.
    Encrypted,
    /// `STARTTLS` is required; port 587.
    StartTlsRequired,
    /// `STARTTLS` if the server offers it; port 587.
    StartTlsIfOffered,
    /// No encryption; port 25.
    Plain,
}

/// The URL of the mail server is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the mail server, `MAIL_URL`, must look like `smtp://user:password@mail.example.com:587?tls=required` or \
     `smtps://user:password@mail.example.com`: {0}"
)]
pub struct SmtpUrlError(String);

impl FromStr for SmtpUrl {
    type Err = SmtpUrlError;

    /// Parses a URL. The errors do not repeat parts of it that may be a password.
    fn from_str(url: &str) -> Result<Self, SmtpUrlError> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let (scheme, authority) = address.split_once("://").ok_or_else(|| refuse("it has no scheme"))?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let url = Self { scheme: Scheme::parse(scheme, query)?, authority: checked(authority)?.to_owned() };
        url.builder()?;
        Ok(url)
    }
}

impl SmtpUrl {
    /// Returns a builder of connections to the server.
    pub(super) fn builder(&self) -> Result<AsyncSmtpTransportBuilder, SmtpUrlError> {
        let (scheme, query) = match self.scheme {
            Scheme::Encrypted => ("smtps", ""),
            Scheme::StartTlsRequired => ("smtp", "?tls=required"),
            Scheme::StartTlsIfOffered => ("smtp", "?tls=opportunistic"),
            Scheme::Plain => ("smtp", ""),
        };
        let url = format!("{scheme}://{}{query}", self.authority);
        AsyncSmtpTransport::<Tokio1Executor>::from_url(&url).map_err(|error| {
            let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            refuse(&reason)
        })
    }
}

impl Scheme {
    fn parse(scheme: &str, query: &str) -> Result<Self, SmtpUrlError> {
        match (scheme, query) {
            ("smtps", "") => Ok(Self::Encrypted),
            ("smtps", _) => Err(refuse("`smtps://` is always encrypted and does not take a `?…`")),
            ("smtp", "" | "tls=opportunistic") => Ok(Self::StartTlsIfOffered),
            ("smtp", "tls=required") => Ok(Self::StartTlsRequired),
            ("smtp", "tls=none") => Ok(Self::Plain),
            ("smtp", _) => Err(refuse("after the `?` there must be `tls=required`, `tls=opportunistic` or `tls=none`")),
            _ => Err(refuse("the scheme must be `smtp` or `smtps`")),
        }
    }
}

fn checked(authority: &str) -> Result<&str, SmtpUrlError> {
    let (credentials, host) = match authority.rsplit_once('@') {
        Some((credentials, host)) => (Some(credentials), host),
        None => (None, authority),
    };
    if credentials.is_some_and(|credentials| !credentials.contains(':')) {
        return Err(refuse("there is a user name without a password"));
    }
    if authority.contains(['/', '#']) || credentials.is_some_and(|credentials| credentials.contains('@')) {
        return Err(refuse(
            "there is a path, or the password contains `/`, `#` or `@`, which must be written as `%2F`, `%23` or `%40`",
        ));
    }
    if host.is_empty() || host.starts_with(':') || authority.contains(char::is_whitespace) {
        return Err(refuse("there is no host"));
    }
    Ok(authority)
}

fn refuse(reason: &str) -> SmtpUrlError {
    SmtpUrlError(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Scheme, SmtpUrl};

    #[test]
    fn the_url_selects_the_encryption() {
        let urls = [
            ("smtp://localhost", Scheme::StartTlsIfOffered),
            ("smtp://localhost:1025/", Scheme::StartTlsIfOffered),
            ("smtp://[::1]:1025?tls=none", Scheme::Plain),
            ("smtp://u:p%40ss@mail.example.com?tls=required", Scheme::StartTlsRequired),
            ("smtp://u:p@mail.example.com/?tls=opportunistic", Scheme::StartTlsIfOffered),
            ("smtps://u:p@mail.example.com", Scheme::Encrypted),
        ];
        for (url, scheme) in urls {
            assert_eq!(url.parse::<SmtpUrl>().unwrap().scheme, scheme, "{url}");
        }
    }

    #[test]
    fn a_rejected_url_is_explained_without_its_password() {
        let urls = [
            "",
            "mail.example.com",
            "http://u:hunter2@mail.example.com",
            "smtp://",
            "smtp://:25",
            "smtp://u:hunter2@",
            "smtp://u:hunter2@mail.example.com:port",
            "smtp://u:hunter2@mail.example.com:99999",
            "smtp://hunter2@mail.example.com",
            "smtp://u:hunter2/3@mail.example.com",
            "smtp://u:hunter2@mail.example.com?tls=maybe",
            "smtp://u:hunter2@mail.example.com?ssl=1",
            "smtps://u:hunter2@mail.example.com?tls=none",
            "smtp://u:hunter2@mail example.com",
        ];
        for url in urls {
            let error = url.parse::<SmtpUrl>().err().unwrap().to_string();
            assert!(error.contains("`MAIL_URL`") && !error.contains("hunter2"), "{url}: {error}");
        }
    }
}
