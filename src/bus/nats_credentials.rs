//! [`NatsCredentials`]: what a node shows to a NATS server, from a file.

use std::fmt;
use std::str::FromStr;

use async_nats::ServerAddr;
use data_encoding::HEXLOWER_PERMISSIVE;

/// What a node shows to a NATS server that wants to know who connects: a user and a password, or a token. In a file, so that
/// they are not in the list of processes.
///
/// ```
/// use bolide::bus::NatsCredentials;
///
/// let credentials: NatsCredentials = "bolide:secret\n".parse()?;
/// # Ok::<(), bolide::bus::InvalidNatsCredentials>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct NatsCredentials(pub(super) Shown);

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Shown {
    UserAndPassword(String, String),
    Token(String),
}

/// The error for malformed credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidNatsCredentials {
    /// There is more than one line, or none.
    #[error("credentials for NATS are one line: `USER:PASSWORD`, or a token")]
    NotOneLine,
    /// They are those of a decentralized login.
    #[error(
        "credentials for NATS with a JWT and a key (`.creds`) are not supported; give Bolide a user with a password, or a token"
    )]
    Jwt,
}

impl NatsCredentials {
    /// Returns what is in the URL of a server: a user with a password, or a token in the place of the user.
    pub(super) fn in_url(server: &ServerAddr) -> Option<Self> {
        let user = decoded(server.username()?);
        Some(Self(match server.password() {
            Some(password) => Shown::UserAndPassword(user, decoded(password)),
            None => Shown::Token(user),
        }))
    }
}

/// Replaces the `%XX` of a URL. What is malformed stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped =
            after.get(..2).filter(|_| *first == b'%').and_then(|digits| HEXLOWER_PERMISSIVE.decode(digits).ok());
        rest = if escaped.is_some() { &after[2..] } else { after };
        bytes.extend(escaped.unwrap_or_else(|| vec![*first]));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl FromStr for NatsCredentials {
    type Err = InvalidNatsCredentials;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("-----BEGIN") {
            return Err(InvalidNatsCredentials::Jwt);
        }
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let (Some(line), None) = (lines.next(), lines.next()) else { return Err(InvalidNatsCredentials::NotOneLine) };
        Ok(Self(match line.split_once(':') {
            Some((user, password)) => Shown::UserAndPassword(user.to_owned(), password.to_owned()),
            None => Shown::Token(line.to_owned()),
        }))
    }
}

impl fmt::Debug for NatsCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NatsCredentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_a_user_and_a_password_or_a_token() {
        let shown = |text: &str| text.parse::<NatsCredentials>().map(|credentials| credentials.0);
        assert!(shown("a:b:c\n") == Ok(Shown::UserAndPassword("a".to_owned(), "b:c".to_owned())));
        assert!(shown("\n s3cret \n") == Ok(Shown::Token("s3cret".to_owned())));
        assert!(shown("").is_err() && shown("a\nb").is_err());
        let jwt = "-----BEGIN NATS USER JWT-----\neyJ\n------END NATS USER JWT------";
        assert!(shown(jwt) == Err(InvalidNatsCredentials::Jwt));
        let in_url = |url: &str| NatsCredentials::in_url(&url.parse().unwrap()).map(|credentials| credentials.0);
        assert!(in_url("nats://a:p%40%2fs%@h") == Some(Shown::UserAndPassword("a".to_owned(), "p@/s%".to_owned())));
        assert!(in_url("nats://t0ken@h") == Some(Shown::Token("t0ken".to_owned())));
        assert!(in_url("nats://h").is_none());
        assert!(!format!("{:?}", "a:secret".parse::<NatsCredentials>()).contains("secret"));
    }
}
