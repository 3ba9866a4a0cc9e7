//! [`after_failure`]: decides when a mail that could not be sent is retried.

use std::time::Duration;

use super::{MailError, NextAttempt, QueuedMail};
use crate::clock::Timestamp;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The delays after the first failure, the second, and so on. The last one is used for all further failures.
const DELAYS: [Duration; 5] =
    [Duration::from_secs(30), MINUTE.saturating_mul(2), MINUTE.saturating_mul(10), HOUR, HOUR.saturating_mul(4)];

/// The age at which a mail is given up.
const PATIENCE: Duration = Duration::from_hours(24);

/// Returns when to retry a mail after a failure. It is given up if the failure is permanent, or if it would be too old or
/// have expired by then.
pub(super) fn after_failure(queued: &QueuedMail, error: &MailError, now: Timestamp) -> NextAttempt {
    let next = now.plus(delay(queued.failures));
    let is_late = next > queued.added_at.plus(PATIENCE);
    let has_expired = queued.mail.expires_at.is_some_and(|expiry| next >= expiry);
    match error {
        MailError::Temporary(_) if !is_late && !has_expired => NextAttempt::At(next),
        _ => NextAttempt::Never,
    }
}

fn delay(failures: u32) -> Duration {
    let last = DELAYS.len() - 1;
    DELAYS[usize::try_from(failures).unwrap_or(last).min(last)]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::after_failure;
    use crate::clock::Timestamp;
    use crate::mail::{MailError, MailId, MailKind, NextAttempt, QueuedMail, SealedMail};
    use crate::store::Sealed;

    const ADDED: Timestamp = Timestamp::from_milliseconds(1_000_000);

    fn queued(failures: u32, expires_at: Option<Timestamp>) -> QueuedMail {
        let mail = SealedMail {
            to: vec!["alice@example.com".into()],
            subject: String::new(),
            body: Sealed::new([]),
            kind: MailKind::Test,
            expires_at,
        };
        QueuedMail { id: MailId::from_number(1), mail, failures, added_at: ADDED }
    }

    fn temporary() -> MailError {
        MailError::Temporary("the server is busy".into())
    }

    #[test]
    fn attempts_become_rarer_and_end_after_a_day() {
        let (mut now, mut delays) = (ADDED, Vec::new());
        while let NextAttempt::At(next) =
            after_failure(&queued(delays.len().try_into().unwrap(), None), &temporary(), now)
        {
            delays.push((next.milliseconds() - now.milliseconds()) / 1000);
            now = next;
        }

        assert_eq!(delays, [30, 120, 600, 3600, 14400, 14400, 14400, 14400, 14400]);
    }

    #[test]
    fn a_mail_is_not_retried_after_it_has_expired() {
        let soon = Some(ADDED.plus(Duration::from_secs(30)));
        let later = Some(ADDED.plus(Duration::from_secs(31)));

        assert_eq!(after_failure(&queued(0, soon), &temporary(), ADDED), NextAttempt::Never);
        assert!(matches!(after_failure(&queued(0, later), &temporary(), ADDED), NextAttempt::At(_)));
    }

    #[test]
    fn a_permanent_failure_is_not_retried() {
        let error = MailError::Permanent("there is no such user".into());

        assert_eq!(after_failure(&queued(0, None), &error, ADDED), NextAttempt::Never);
    }
}
