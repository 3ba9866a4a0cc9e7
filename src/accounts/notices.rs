//! [`Notices`]: tells users by mail of each change of what protects their accounts, and of a login by a client that was
//! not seen before. Only verified addresses are told, and each user at most so often.

use std::sync::Arc;

use serde_json::{Value, json};

use super::client_info::ClientInfo;
use super::mails::{MailBudget, Mails};
use crate::call::{Connection, MethodResult};
use crate::clock::{Clock, Timestamp};
use crate::keys::KeyRing;
use crate::mail::MailContent;
use crate::settings::{SECURITY_NOTICES, Settings};
use crate::store::{AuditEvent, ClientSighting, Store, User};
use crate::user::UserId;

const PURPOSE: &str = "client";

/// The age up to which an account is new: its owner knows of the first login.
const NEW_ACCOUNT: std::time::Duration = std::time::Duration::from_mins(10);

/// Tells users of changes and logins.
pub(crate) struct Notices {
    store: Arc<dyn Store>,
    keys: Arc<KeyRing>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    mails: Arc<Mails>,
}

impl Notices {
    pub(super) fn new(
        store: &Arc<dyn Store>,
        keys: &Arc<KeyRing>,
        settings: &Settings,
        clock: &Arc<dyn Clock>,
        mails: &Arc<Mails>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            keys: Arc::clone(keys),
            settings: settings.clone(),
            clock: Arc::clone(clock),
            mails: Arc::clone(mails),
        }
    }

    /// Tells a user of an event of the audit log, if it is about the protection of the account.
    pub(super) async fn tell_of_event(
        &self,
        event: AuditEvent,
        user: &UserId,
        connection: Option<&Connection>,
        details: &Value,
    ) {
        let Some(what) = sentence(event, details) else { return };
        let outcome = async {
            match self.store.user(user).await? {
                Some(user) => self.tell(&user, event.as_str(), what, connection, MailBudget::Changes).await,
                None => Ok(()),
            }
        };
        log(outcome.await);
    }

    /// Tells a user, as it was before the change, of another address: the mail goes to the old ones.
    pub(super) async fn tell_of_address(&self, before: &User, new: &str, connection: Option<&Connection>) {
        let what = format!("The e-mail address was changed to {new}");
        let event = AuditEvent::EmailChanged.as_str();
        log(self.tell(before, event, what, connection, MailBudget::Changes).await);
    }

    /// Tells a user that the authenticator app was removed, for a reset that the user has made.
    pub(crate) async fn tell_of_reset(&self, user: &User, connection: Option<&Connection>) {
        let what = "The authenticator app was removed, and all logins ended".to_owned();
        log(self.tell(user, AuditEvent::TotpReset.as_str(), what, connection, MailBudget::Changes).await);
    }

    /// Notes which client has logged in, and tells the user if it is another one than before.
    pub(super) async fn note_login(&self, user: &User, connection: Option<&Connection>) {
        // What the application does itself is not a login of a client.
        let Some(connection) = connection.filter(|_| self.settings.get(&SECURITY_NOTICES)) else { return };
        log(self.note_client(user, connection).await);
    }

    async fn note_client(&self, user: &User, connection: &Connection) -> MethodResult<()> {
        let now = self.clock.now();
        let peer = connection.peer();
        let client = json!([peer.header("user-agent"), peer.network().map(|network| network.to_string())]);
        let hashes = self.keys.hashes(PURPOSE, user.id.as_str(), &client.to_string());
        match self.store.note_client(&user.id, &hashes, now).await? {
            ClientSighting::Known => Ok(()),
            ClientSighting::First if now < user.created_at.plus(NEW_ACCOUNT) => Ok(()),
            ClientSighting::First | ClientSighting::New => {
                let what = "A client that was not seen before has logged in".to_owned();
                self.tell(user, "login.new-client", what, Some(connection), MailBudget::Logins).await
            }
        }
    }

    async fn tell(
        &self,
        user: &User,
        event: &'static str,
        what: String,
        connection: Option<&Connection>,
        budget: MailBudget,
    ) -> MethodResult<()> {
        let to: Vec<String> = user.verified_addresses().map(str::to_owned).collect();
        if to.is_empty()
            || !self.settings.get(&SECURITY_NOTICES)
            || !self.mails.take_from_budget(&user.id, budget).await?
        {
            return Ok(());
        }
        let unknown = || "unknown".to_owned();
        let client = ClientInfo::of_connection(connection);
        let content = MailContent::SecurityNotice {
            name: user.username.clone().unwrap_or_default(),
            event: event.to_owned(),
            what,
            client: client.user_agent.unwrap_or_else(unknown),
            address: client.address.unwrap_or_else(unknown),
        };
        self.mails.send(&content, to, None::<Timestamp>).await;
        Ok(())
    }
}

/// Returns what a user is told of an event. `None` if it changes nothing that protects the account, or if another mail
/// tells of it.
fn sentence(event: AuditEvent, details: &Value) -> Option<String> {
    let token = || details["name"].as_str().unwrap_or_default().to_owned();
    Some(match event {
        AuditEvent::TotpEnabled => "An authenticator app was set up".to_owned(),
        AuditEvent::TotpDisabled => "The authenticator app was removed".to_owned(),
        AuditEvent::TotpCodesRegenerated => "The backup codes were replaced".to_owned(),
        AuditEvent::PasskeyAdded => format!("The passkey “{}” was added", token()),
        AuditEvent::PasskeyRemoved => format!("The passkey “{}” was removed", token()),
        AuditEvent::PasskeyCloned => {
            format!("The passkey “{}” was refused, because there may be a copy of its authenticator", token())
        }
        AuditEvent::EmailCodesEnabled => "Codes by e-mail were turned on".to_owned(),
        AuditEvent::EmailCodesDisabled => "Codes by e-mail were turned off".to_owned(),
        AuditEvent::UsernameChanged => "The username was changed".to_owned(),
        AuditEvent::PasswordChanged => "The password was changed".to_owned(),
        AuditEvent::TokenCreated => format!("The access token “{}” was created", token()),
        AuditEvent::TokenRegenerated => format!("The access token “{}” was replaced", token()),
        AuditEvent::TokenRemoved => format!("The access token “{}” was removed", token()),
        _ => return None,
    })
}

fn log(outcome: MethodResult<()>) {
    if let Err(error) = outcome {
        tracing::error!(%error, "a user cannot be told of a change of the account");
    }
}
