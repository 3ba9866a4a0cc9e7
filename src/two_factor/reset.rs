//! [`FactorReset`]: removes the second factors of users who have lost them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::accounts::{Audit, CounterKey, Counters, Foundation, Mails, Notices, Proof, Tokens, Users};
use crate::call::{Connection, MethodResult};
use crate::mail::MailContent;
use crate::store::{AuditEvent, Store, User};

/// Removes second factors, for admins, operators and the users themselves.
pub(crate) struct FactorReset {
    store: Arc<dyn Store>,
    counters: Arc<Counters>,
    mails: Arc<Mails>,
    notices: Arc<Notices>,
    users: Arc<Users>,
    tokens: Arc<Tokens>,
    audit: Arc<Audit>,
}

impl FactorReset {
    pub(super) fn new(accounts: &Foundation) -> Self {
        Self {
            store: Arc::clone(&accounts.store),
            counters: Arc::clone(&accounts.counters),
            mails: Arc::clone(&accounts.mails),
            notices: Arc::clone(&accounts.notices),
            users: Arc::clone(&accounts.users),
            tokens: Arc::clone(&accounts.tokens),
            audit: Arc::clone(&accounts.audit),
        }
    }

    /// Removes all second factors of a user. All tokens of the user end, those of integrations too, and the user is told
    /// by mail.
    pub(crate) async fn all_factors(
        &self,
        user: &User,
        connection: Option<&Connection>,
        details: Value,
        proof: &Proof,
    ) -> MethodResult<()> {
        // Before, since a registration that has begun needs its login, and would add a factor afterwards. The tokens end once
        // more behind the factors, for logins that one of them has let in meanwhile.
        self.tokens.end_all(&user.id).await?;
        self.store.set_email_codes(&user.id, false).await?;
        self.store.remove_passkeys(&user.id).await?;
        self.remove(AuditEvent::SecondFactorsReset, user, connection, details, proof).await?;
        self.tell(user).await;
        Ok(())
    }

    /// Removes the authenticator app of a user alone. All tokens end as well. The user is told by mail.
    pub(crate) async fn authenticator_app(
        &self,
        user: &User,
        connection: Option<&Connection>,
        proof: &Proof,
    ) -> MethodResult<()> {
        // Read before the connection ends with the tokens.
        let actor = connection.and_then(|connection| connection.identity().user);
        self.remove(AuditEvent::TotpReset, user, connection, json!({}), proof).await?;
        if actor.as_ref() == Some(&user.id) {
            self.notices.tell_of_reset(user, connection).await;
        } else {
            self.tell(user).await;
        }
        Ok(())
    }

    /// Removes the authenticator app, and ends what rests on the factors.
    async fn remove(
        &self,
        event: AuditEvent,
        user: &User,
        connection: Option<&Connection>,
        details: Value,
        _: &Proof,
    ) -> MethodResult<()> {
        self.store.remove_totp(&user.id).await?;
        self.counters.forget(&CounterKey::factor_user(&user.id)).await?;
        self.tokens.end_all(&user.id).await?;
        self.users.changed(&user.id).await;
        self.audit.record(event, Some(&user.id), connection, details).await;
        Ok(())
    }

    async fn tell(&self, user: &User) {
        let content = MailContent::TotpReset { name: user.username.clone().unwrap_or_default() };
        self.mails.send(&content, user.verified_addresses().map(str::to_owned).collect(), None).await;
    }
}
