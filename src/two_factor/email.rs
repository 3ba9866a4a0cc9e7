//! [`EmailCodes`]: codes by e-mail: six digits, one live code of a user for each [purpose](CodePurpose), stored as a keyed
//! hash. The mail names what asked for the code, and from where.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::totp::digits;
use crate::accounts::{
    Audit, ClientInfo, FactorRules, Foundation, MailBudget, Mails, Proof, Tokens, Users, own_token, selector_of,
};
use crate::call::{Connection, MethodError, MethodResult, SignedIn};
use crate::chance::Chance;
use crate::clock::{Clock, Timestamp};
use crate::keys::KeyRing;
use crate::mail::MailContent;
use crate::settings::{EMAIL_CODE_ATTEMPTS, EMAIL_CODE_EXPIRATION, Settings};
use crate::store::{AuditEvent, CodePurpose, CodeTry, Store, User};
use crate::user::UserId;

const PURPOSE: &str = "email-code";

/// Sends codes by mail and checks them, and turns them on and off.
pub(super) struct EmailCodes {
    store: Arc<dyn Store>,
    keys: Arc<KeyRing>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    mails: Arc<Mails>,
    rules: Arc<FactorRules>,
    users: Arc<Users>,
    tokens: Arc<Tokens>,
    audit: Arc<Audit>,
}

impl EmailCodes {
    pub(super) fn new(accounts: &Foundation) -> Self {
        Self {
            store: Arc::clone(&accounts.store),
            keys: Arc::clone(&accounts.keys),
            settings: accounts.settings.clone(),
            clock: Arc::clone(&accounts.clock),
            chance: Arc::clone(&accounts.chance),
            mails: Arc::clone(&accounts.mails),
            rules: Arc::clone(&accounts.rules),
            users: Arc::clone(&accounts.users),
            tokens: Arc::clone(&accounts.tokens),
            audit: Arc::clone(&accounts.audit),
        }
    }

    /// Turns codes by mail on for the user who calls, who is asked for proof unless they are on. The other logins of the
    /// user end; those of integrations stay.
    ///
    /// # Errors
    /// `error-invalid-user` if an address of the user is not verified, and the refusal of the gate.
    pub(super) async fn enable(&self, me: &SignedIn) -> MethodResult<()> {
        let user = self.users.existing(me.user()).await?;
        if user.emails.is_empty() || user.emails.iter().any(|email| !email.is_verified) {
            let reason = "You need to verify your emails before setting up 2FA";
            return Err(MethodError::new("error-invalid-user", reason));
        }
        if !user.has_email_codes {
            self.turn_on(me, &user, &me.prove(None).await?).await?;
        }
        Ok(())
    }

    async fn turn_on(&self, me: &SignedIn, user: &User, _: &Proof) -> MethodResult<()> {
        if self.store.set_email_codes(&user.id, true).await? {
            let connection = me.context().connection();
            self.tokens.end_other_logins(&user.id, own_token(me.context()).as_ref(), connection).await?;
            self.users.changed(&user.id).await;
            self.audit.record(AuditEvent::EmailCodesEnabled, Some(&user.id), connection, json!({})).await;
        }
        Ok(())
    }

    /// Turns codes by mail off for the user who calls.
    pub(super) async fn disable(&self, me: &SignedIn, _: &Proof) -> MethodResult<()> {
        if self.store.set_email_codes(me.user(), false).await? {
            self.store.distrust_tokens(me.user()).await?;
            self.users.changed(me.user()).await;
            let connection = me.context().connection();
            self.audit.record(AuditEvent::EmailCodesDisabled, Some(me.user()), connection, json!({})).await;
        }
        Ok(())
    }

    /// Uses the live code up if this is it. A wrong one is counted against it. Clients may send it with a dash or spaces.
    pub(super) async fn take(&self, user: &UserId, purpose: CodePurpose, code: &str) -> MethodResult<CodeTry> {
        let digits: String = code.chars().filter(char::is_ascii_digit).take(20).collect();
        let hashes = |purpose| (purpose, self.keys.hashes(PURPOSE, &owner(user, purpose), &digits));
        let limit = self.settings.get(&EMAIL_CODE_ATTEMPTS).try_into().unwrap_or(5);
        let shown = [purpose, CodePurpose::Any].map(hashes);
        Ok(self.store.try_email_code(user, &shown, limit, self.clock.now()).await?)
    }

    /// Returns when the live code for this purpose expires. `None` if there is no such code.
    pub(super) async fn expires_at(&self, user: &UserId, purpose: CodePurpose) -> MethodResult<Option<Timestamp>> {
        for purpose in [purpose, CodePurpose::Any] {
            if let Some(live) = self.store.email_code(user, purpose, self.clock.now()).await? {
                return Ok(Some(live.expires_at));
            }
        }
        Ok(None)
    }

    /// Sends a code unless there is a live one or the budget is used up, and returns whether it did.
    pub(super) async fn send_unless_live(
        &self,
        user: &User,
        purpose: CodePurpose,
        connection: Option<&Connection>,
        action: &str,
    ) -> MethodResult<bool> {
        if self.expires_at(&user.id, purpose).await?.is_some()
            || !self.mails.take_from_budget(&user.id, MailBudget::User).await?
        {
            return Ok(false);
        }
        let (code, expires_at) = self.new_code();
        let hash = self.keys.hash(PURPOSE, &owner(&user.id, purpose), &code);
        if !self.store.put_email_code_unless_live(&user.id, purpose, hash, self.clock.now(), expires_at).await? {
            return Ok(false);
        }
        self.mail(user, code, connection, action).await;
        Ok(true)
    }

    /// Sends a code that was requested explicitly; it counts for every purpose. If the user has requested it, it replaces
    /// the codes before. Wrong codes stay counted.
    pub(super) async fn send_new(
        &self,
        user: &User,
        budget: MailBudget,
        connection: Option<&Connection>,
    ) -> MethodResult<()> {
        if !self.rules.has_email_codes(user) || !self.mails.take_from_budget(&user.id, budget).await? {
            return Ok(());
        }
        let (code, expires_at) = self.new_code();
        let hash = self.keys.hash(PURPOSE, &owner(&user.id, CodePurpose::Any), &code);
        if budget == MailBudget::User {
            self.store.delete_email_code(&user.id).await?;
        }
        self.store.put_email_code(&user.id, CodePurpose::Any, hash, self.clock.now(), expires_at).await?;
        self.mail(user, code, connection, "a new code").await;
        Ok(())
    }

    /// The same for a client that is not signed in and names the user. Has no effect if there is no such user.
    pub(super) async fn send_new_to(&self, name: &str, connection: Option<&Connection>) -> MethodResult<()> {
        match self.users.find(&selector_of(name)).await? {
            Some(user) => self.send_new(&user, MailBudget::CodeForAnyone, connection).await,
            None => Ok(()),
        }
    }

    fn new_code(&self) -> (String, Timestamp) {
        (digits(&*self.chance), self.clock.now().plus(self.lifetime()))
    }

    fn lifetime(&self) -> Duration {
        Duration::from_secs(self.settings.get(&EMAIL_CODE_EXPIRATION).try_into().unwrap_or(3600))
    }

    async fn mail(&self, user: &User, code: String, connection: Option<&Connection>, action: &str) {
        let unknown = || "unknown".to_owned();
        let client = ClientInfo::of_connection(connection);
        let content = MailContent::TwoFactorCode {
            name: user.username.clone().unwrap_or_default(),
            code,
            action: action.to_owned(),
            client: client.user_agent.unwrap_or_else(unknown),
            address: client.address.unwrap_or_else(unknown),
            valid_for: self.lifetime(),
        };
        let to = user.verified_addresses().map(str::to_owned).collect();
        self.mails.send_for(&content, to, self.lifetime()).await;
    }
}

/// Returns whose the code is and what it is for. The code is hashed together with both.
fn owner(user: &UserId, purpose: CodePurpose) -> String {
    format!("{}:{user}", purpose.as_str())
}
