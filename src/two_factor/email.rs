//! Codes by e-mail: six digits, one live code of a user for each [purpose](CodePurpose), kept as a keyed hash. The mail names
//! what asked for it, and from where.

use std::time::Duration;

use crate::accounts::AccountsCore;
use crate::call::{Connection, MethodResult};
use crate::clock::Timestamp;
use crate::mail::MailContent;
use crate::settings;
use crate::store::{CodePurpose, FailureRule, User};
use crate::user::UserId;

const PURPOSE: &str = "email-code";

/// Who has a mail sent to a user. Each has a budget of its own, so that strangers cannot use up the user's.
#[derive(Clone, Copy)]
pub(crate) enum MailAsker {
    /// The user, who has shown a password at least.
    User,
    /// Whoever knows the name.
    Anybody,
}

/// Mails that one user can be sent by one kind of asker: ten an hour.
const MAIL_RULE: FailureRule = FailureRule {
    limit: 10,
    first_block: Duration::from_hours(1),
    longest_block: Duration::from_hours(1),
    forgotten_after: Duration::from_hours(1),
};

impl AccountsCore {
    /// Consumes the live code, if this is it. Clients may show it with a dash or spaces.
    pub(super) async fn take_email_code(&self, user: &UserId, purpose: CodePurpose, code: &str) -> MethodResult<bool> {
        let digits: String = code.chars().filter(char::is_ascii_digit).take(20).collect();
        for purpose in [purpose, CodePurpose::Any] {
            let hashes = self.keys.hashes(PURPOSE, &owner(user, purpose), &digits);
            if self.store.take_email_code(user, purpose, &hashes, self.now()).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// When the live code ends that counts for this purpose.
    pub(super) async fn email_code_expires_at(
        &self,
        user: &UserId,
        purpose: CodePurpose,
    ) -> MethodResult<Option<Timestamp>> {
        for purpose in [purpose, CodePurpose::Any] {
            if let Some(live) = self.store.email_code(user, purpose, self.now()).await? {
                return Ok(Some(live.expires_at));
            }
        }
        Ok(None)
    }

    /// Counts a wrong code against the live one; says whether that ended it.
    pub(super) async fn count_wrong_email_code(&self, user: &UserId, purpose: CodePurpose) -> MethodResult<bool> {
        let limit = self.settings.get(&settings::EMAIL_CODE_ATTEMPTS).try_into().unwrap_or(5);
        let mut has_ended = false;
        for purpose in [purpose, CodePurpose::Any] {
            let failures = self.store.fail_email_code(user, purpose, limit, self.now()).await?;
            has_ended |= failures.is_some_and(|failures| failures >= limit);
        }
        Ok(has_ended)
    }

    /// Sends a code, unless there is a live one or too many mails were sent; says whether it did.
    pub(super) async fn send_code_unless_live(
        &self,
        user: &User,
        purpose: CodePurpose,
        connection: Option<&Connection>,
        action: &str,
    ) -> MethodResult<bool> {
        if self.email_code_expires_at(&user.id, purpose).await?.is_some()
            || !self.may_send_mail(&user.id, MailAsker::User).await?
        {
            return Ok(false);
        }
        let (code, expires_at) = self.new_email_code();
        let hash = self.keys.hash(PURPOSE, &owner(&user.id, purpose), &code);
        if !self.store.put_email_code_unless_live(&user.id, purpose, hash, self.now(), expires_at).await? {
            return Ok(false);
        }
        self.mail_code(user, code, connection, action).await;
        Ok(true)
    }

    /// Sends a code that was asked for by hand; it counts for whatever comes next. If the user asked, it takes the place of
    /// those before. Wrong codes stay counted.
    pub(crate) async fn send_new_code(
        &self,
        user: &User,
        asker: MailAsker,
        connection: Option<&Connection>,
    ) -> MethodResult<()> {
        if !self.has_email_codes(user) || !self.may_send_mail(&user.id, asker).await? {
            return Ok(());
        }
        let (code, expires_at) = self.new_email_code();
        let hash = self.keys.hash(PURPOSE, &owner(&user.id, CodePurpose::Any), &code);
        if matches!(asker, MailAsker::User) {
            self.store.delete_email_code(&user.id).await?;
        }
        self.store.put_email_code(&user.id, CodePurpose::Any, hash, self.now(), expires_at).await?;
        self.mail_code(user, code, connection, "a new code").await;
        Ok(())
    }

    fn new_email_code(&self) -> (String, Timestamp) {
        let valid_for =
            Duration::from_secs(self.settings.get(&settings::EMAIL_CODE_EXPIRATION).try_into().unwrap_or(3600));
        (super::totp::digits(&*self.chance), self.now().plus(valid_for))
    }

    async fn mail_code(&self, user: &User, code: String, connection: Option<&Connection>, action: &str) {
        let peer = connection.map(Connection::peer);
        let address = peer.as_ref().and_then(|peer| peer.address).map(|address| address.to_string());
        let said = |text: Option<&str>| text.map_or_else(|| "unknown".to_owned(), crate::accounts::shortened);
        let valid_for =
            Duration::from_secs(self.settings.get(&settings::EMAIL_CODE_EXPIRATION).try_into().unwrap_or(3600));
        let content = MailContent::TwoFactorCode {
            name: user.username.clone().unwrap_or_default(),
            code,
            action: action.to_owned(),
            client: said(peer.as_ref().and_then(|peer| peer.header("user-agent"))),
            address: said(address.as_deref()),
            valid_for,
        };
        let to = user.verified_addresses().map(str::to_owned).collect();
        self.mail(&content, to, Some(self.now().plus(valid_for))).await;
    }

    /// Counts a mail to this user; `false` if there were too many lately.
    pub(crate) async fn may_send_mail(&self, user: &UserId, asker: MailAsker) -> MethodResult<bool> {
        let key = match asker {
            MailAsker::User => format!("mail:user:{user}"),
            MailAsker::Anybody => format!("mail:anybody:{user}"),
        };
        let _one_at_a_time = self.locks.lock(&key).await;
        if self.store.attempts(&key).await?.is_blocked(self.now()) {
            return Ok(false);
        }
        self.store.count_failure(&key, MAIL_RULE, self.now()).await?;
        Ok(true)
    }
}

/// Whose the code is, and what for: it is hashed together with both.
fn owner(user: &UserId, purpose: CodePurpose) -> String {
    format!("{}:{user}", purpose.as_str())
}
