//! [`Users`]: looks users up, and shows changes of a user to the user's own clients.
//!
//! - `document`: what a user sees of itself;
//! - `publication`: that document, in the collection `users` of each session of the user;
//! - `notifications`: the same as Rocket.Chat's clients expect it.

mod document;
mod notifications;
mod publication;

use std::collections::HashSet;
use std::sync::Arc;

use bolide_protocol::DdpError;
use bolide_protocol::ejson::Object;

use super::factor_rules::FactorRules;
use super::login::Selector;
use super::node::Node;
use super::permissions::ADMIN;
use super::protected::Proof;
use super::tokens::Tokens;
use crate::bus::BusEvent;
use crate::call::{MethodError, MethodResult};
use crate::registry::Registry;
use crate::store::{RoleLoss, Store, StoreError, User};
use crate::user::UserId;
use notifications::Notifications;
use publication::Watchers;

pub(crate) use document::{emails, factors};

/// The users of the store, and the clients that are shown a user.
pub(crate) struct Users {
    store: Arc<dyn Store>,
    rules: Arc<FactorRules>,
    node: Arc<Node>,
    tokens: Arc<Tokens>,
    published_fields: Vec<String>,
    watchers: Watchers,
    notifications: Notifications,
}

/// Returns the error for a change after which there would be no admin.
pub(crate) fn admin_required() -> MethodError {
    MethodError::new("error-admin-required", "There must be an admin. Make another user one first")
}

/// Registers the user's own document and the stream of its changes.
pub(super) fn register(users: &Arc<Users>, registry: &mut Registry) {
    notifications::register(users, registry);
    publication::register(users, registry);
}

impl Users {
    pub(super) fn new(
        store: &Arc<dyn Store>,
        rules: &Arc<FactorRules>,
        node: &Arc<Node>,
        tokens: &Arc<Tokens>,
        published_fields: Vec<String>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            rules: Arc::clone(rules),
            node: Arc::clone(node),
            tokens: Arc::clone(tokens),
            published_fields,
            watchers: Watchers::default(),
            notifications: Notifications::default(),
        }
    }

    /// Returns the user with this id.
    ///
    /// # Errors
    /// `error-invalid-user` if there is no such user.
    pub(crate) async fn existing(&self, id: &UserId) -> MethodResult<User> {
        let user = self.store.user(id).await?;
        Ok(user.ok_or_else(|| DdpError::new("error-invalid-user", "Invalid user"))?)
    }

    /// Returns the user that a selector names.
    pub(crate) async fn find(&self, selector: &Selector) -> MethodResult<Option<User>> {
        if selector.is_too_long() {
            return Ok(None);
        }
        Ok(match selector {
            Selector::Id(id) => self.store.user(id).await?,
            Selector::Username(name) => self.store.user_by_username(name).await?,
            Selector::Address(address) => self.store.user_by_address(address).await?,
        })
    }

    /// Returns the user with this id if there is one and it is active.
    pub(crate) async fn active(&self, id: &UserId) -> MethodResult<Option<User>> {
        Ok(self.store.user(id).await?.filter(|user| user.is_active))
    }

    /// Returns whether the user is active and an admin.
    pub(crate) async fn is_admin(&self, id: &UserId) -> MethodResult<bool> {
        Ok(self.active(id).await?.is_some_and(|user| user.has_role(ADMIN)))
    }

    /// Returns what a user sees of itself, as JSON.
    ///
    /// # Errors
    /// `error-invalid-user` if there is no such user.
    pub(crate) async fn own_document(&self, id: &UserId) -> MethodResult<serde_json::Value> {
        let user = self.existing(id).await?;
        let mut document = serde_json::to_value(self.own_fields(&user))?;
        document["_id"] = id.as_str().into();
        Ok(document)
    }

    fn own_fields(&self, user: &User) -> Object {
        document::own_fields(user, &self.published_fields, self.rules.must_enrol(user))
    }

    /// Activates or deactivates a user. Deactivation ends all access, that of integrations too.
    ///
    /// # Errors
    /// `error-admin-required` if the user is the last active admin.
    pub(crate) async fn set_active(&self, id: &UserId, is_active: bool, _: &Proof) -> MethodResult<()> {
        if is_active {
            self.store.set_active(id, true).await?;
        } else {
            self.change_unless_last_admin(id, RoleLoss::Deactivation).await?;
            let ended = self.store.deactivate(id).await?;
            self.tokens.end_connections(id, &ended, None);
        }
        self.changed(id).await;
        Ok(())
    }

    /// Replaces the roles of a user. Returns `false` if they have changed since the user was read.
    ///
    /// # Errors
    /// `error-admin-required` if the user is the last active admin.
    pub(crate) async fn set_roles(&self, user: &User, roles: Vec<String>, _: &Proof) -> MethodResult<bool> {
        let change = RoleLoss::Roles { from: user.roles.clone(), to: roles };
        if !self.store.change_unless_last(&user.id, change, ADMIN).await? {
            let has_changed = self.existing(&user.id).await?.roles != user.roles;
            return if has_changed { Ok(false) } else { Err(admin_required()) };
        }
        self.changed(&user.id).await;
        Ok(true)
    }

    /// Removes a user and all that belongs to it, and ends its connections.
    ///
    /// # Errors
    /// `error-admin-required` if the user is the last active admin.
    pub(super) async fn remove(&self, id: &UserId) -> MethodResult<()> {
        self.change_unless_last_admin(id, RoleLoss::Deletion).await?;
        self.node.end_connections_of(id, None);
        self.changed(id).await;
        Ok(())
    }

    async fn change_unless_last_admin(&self, id: &UserId, change: RoleLoss) -> MethodResult<()> {
        // A user who does not exist is not an admin.
        if self.store.change_unless_last(id, change, ADMIN).await? || self.store.user(id).await?.is_none() {
            return Ok(());
        }
        Err(admin_required())
    }

    /// Shows a change of a user to the user's clients on every node.
    pub(crate) async fn changed(&self, user: &UserId) {
        self.node.tell_others(&BusEvent::UserChanged { user: user.clone() });
        self.show(user).await;
    }

    /// The same on this node alone, after another node has changed the user.
    pub(super) async fn changed_elsewhere(&self, user: &UserId) {
        self.show(user).await;
        if let Err(error) = self.end_restricted_sessions(Some(user)).await {
            tracing::error!(%error, "a user that another node has changed cannot be read");
        }
    }

    async fn show(&self, user: &UserId) {
        self.watchers.user_changed(self, user).await;
        self.notify(user).await;
    }

    /// Applies what may have changed for all users: new settings about who must set up a factor, and what another node has
    /// changed unheard. Ends the sessions that are restricted now, and shows all users their documents.
    pub(super) async fn all_may_have_changed(&self) -> Result<(), StoreError> {
        self.end_restricted_sessions(None).await?;
        self.watchers.all_changed(self).await;
        Ok(())
    }

    /// Ends the sessions on this node of users who must set up a second factor first, or of one of them. Their
    /// subscriptions end with them. The other nodes do the same when they hear of the change.
    pub(crate) async fn end_restricted_sessions(&self, only: Option<&UserId>) -> Result<(), StoreError> {
        if !self.rules.roles_demand_factor() {
            return Ok(());
        }
        let Some(host) = self.node.host() else { return Ok(()) };
        let users: HashSet<UserId> = host.sessions.all().iter().filter_map(|session| session.user()).collect();
        for id in users.iter().filter(|id| only.is_none_or(|only| only == *id)) {
            if self.store.user(id).await?.is_some_and(|user| self.rules.must_enrol(&user)) {
                self.node.end_sessions_of(id, None);
            }
        }
        Ok(())
    }
}
