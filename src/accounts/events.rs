//! What happens to users and settings, told to those whom it concerns, on this node and over the bus on the others.
//!
//! What comes over the bus is a hint: a node reads from the store what is so now.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle as Runtime;

use super::AccountsCore;
use crate::bus::{BusEvent, BusMember};
use crate::call::{Connection, ConnectionPort as _};
use crate::session::{Goodbye, Request, Session};
use crate::store::{HashedToken, StoreError, Topic};
use crate::user::UserId;

/// Settings are changed, and read again, one after another.
const SETTINGS_LOCK: &str = "settings";

/// How this node tells others, and where it does what they tell it.
#[derive(Default)]
pub(super) struct Events {
    bus: OnceLock<BusMember>,
    runtime: OnceLock<Runtime>,
}

impl Events {
    pub(super) fn run_on(&self, runtime: Runtime) {
        // The first app keeps it.
        let _other = self.runtime.set(runtime);
    }
}

impl AccountsCore {
    pub(crate) fn join_bus(&self, member: BusMember) {
        // The first app keeps it.
        let _other = self.events.bus.set(member);
    }

    /// The user changed: whoever watches it is told.
    pub(crate) async fn user_changed(&self, user: &UserId) {
        self.tell_others(&BusEvent::UserChanged { user: user.clone() });
        self.show_user(user).await;
    }

    /// Ends the connections that have logged in with these tokens.
    pub(crate) fn end_connections(&self, tokens: &[HashedToken]) {
        self.end_connections_but(tokens, None);
    }

    /// The same, but lets one connection be.
    pub(crate) fn end_connections_but(&self, tokens: &[HashedToken], spared: Option<&Connection>) {
        if tokens.is_empty() {
            return;
        }
        let hashed: Vec<String> = tokens.iter().map(|token| token.as_str().to_owned()).collect();
        self.end_sessions_with(&hashed, spared);
        self.tell_others(&BusEvent::TokensEnded { hashed });
    }

    /// Ends all connections of a user, whatever they have logged in with.
    pub(crate) fn end_connections_of(&self, user: &UserId) {
        self.end_sessions_of(user);
        self.tell_others(&BusEvent::UserSignedOut { user: user.clone() });
    }

    /// Ends the connections of users who must set up a second factor first, or of one of them: what they have subscribed
    /// to ends with it. The other nodes do so when they hear what has changed.
    pub(crate) async fn end_restricted_sessions(&self, only: Option<&UserId>) -> Result<(), StoreError> {
        if !self.roles_demand_factor() {
            return Ok(());
        }
        let Some(host) = self.host() else { return Ok(()) };
        let users: HashSet<UserId> = host.sessions.all().iter().filter_map(|session| session.user()).collect();
        for id in users.iter().filter(|id| only.is_none_or(|only| only == *id)) {
            if self.store.user(id).await?.is_some_and(|user| self.must_enrol(&user)) {
                self.end_sessions_of(id);
            }
        }
        Ok(())
    }

    /// The settings say something else about who must set up a factor: sessions end, and users see it in their documents.
    pub(crate) async fn enrolment_changed(&self) -> Result<(), StoreError> {
        self.end_restricted_sessions(None).await?;
        self.watchers.everybody_changed(self).await;
        Ok(())
    }

    /// Has a setting changed on the other nodes, too.
    pub(crate) fn setting_changed(&self, id: &str) {
        self.tell_others(&BusEvent::SettingChanged { id: id.to_owned() });
    }

    /// Waits until no other setting is being changed.
    pub(crate) async fn lock_settings(&self) -> tokio::sync::OwnedMutexGuard<()> {
        self.locks.lock(SETTINGS_LOCK).await
    }

    /// Takes what another node says.
    pub(crate) fn hear(self: &Arc<Self>, event: &BusEvent) {
        match event {
            BusEvent::TokensEnded { hashed } => {
                self.end_sessions_with(hashed, None);
                self.store.changes().tell(Topic::Tokens);
            }
            BusEvent::UserSignedOut { user } => self.end_sessions_of(user),
            BusEvent::UserChanged { user } => {
                self.store.changes().tell(Topic::Users);
                let (core, user) = (Arc::clone(self), user.clone());
                self.in_background(async move { core.hear_of_user(&user).await });
            }
            BusEvent::SettingChanged { .. } => {
                let core = Arc::clone(self);
                self.in_background(async move { core.read_settings_again().await });
            }
            _ => {}
        }
    }

    /// Does something that nobody waits for. The app's shutdown does.
    pub(crate) fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let (Some(host), Some(runtime)) = (self.host(), self.events.runtime.get()) {
            drop(host.tasks.spawn_on(work, runtime));
        } else {
            tracing::error!("an app that was built outside of a tokio runtime does nothing in the background");
        }
    }

    async fn show_user(&self, user: &UserId) {
        self.watchers.user_changed(self, user).await;
        self.notify_user(user).await;
    }

    async fn hear_of_user(&self, user: &UserId) {
        self.show_user(user).await;
        if let Err(error) = self.end_restricted_sessions(Some(user)).await {
            tracing::error!(%error, "a user whom another node has changed cannot be read");
        }
    }

    async fn read_settings_again(&self) {
        let outcome = async {
            let _one_at_a_time = self.lock_settings().await;
            self.settings.replace_stored(self.store.settings().await?);
            self.enrolment_changed().await
        };
        if let Err(error) = outcome.await {
            tracing::error!(%error, "the settings that another node has changed cannot be read");
        }
    }

    fn end_sessions_with(&self, tokens: &[String], spared: Option<&Connection>) {
        let spared = spared.map(Connection::id);
        // A sweep ends many, and there are many sessions.
        let ended: HashSet<&str> = tokens.iter().map(String::as_str).collect();
        self.end_sessions(|session| {
            let credential = session.identity().credential;
            credential.is_some_and(|shown| ended.contains(&*shown.hashed)) && Some(session.id()) != spared
        });
    }

    fn end_sessions_of(&self, user: &UserId) {
        self.end_sessions(|session| session.user().as_ref() == Some(user));
    }

    fn end_sessions(&self, is_meant: impl Fn(&Session) -> bool) {
        if let Some(host) = self.host() {
            host.sessions.request_where(is_meant, || Request::Close(Goodbye::normal()));
        }
    }

    fn tell_others(&self, event: &BusEvent) {
        if let Some(bus) = self.events.bus.get() {
            bus.publish(event);
        }
    }
}
