//! [`NatsCredentials`]: what a node shows to a NATS server, from a file.

use std::fmt;
use std::str::FromStr;

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
        assert!(!format!("{:?}", "a:secret".parse::<NatsCredentials>()).contains("secret"));
    }
}
