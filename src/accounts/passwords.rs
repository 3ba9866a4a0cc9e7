//! [`Passwords`]: checks and sets the passwords of users. How they are hashed is in [`password`](super::password).

use std::sync::Arc;

use serde_json::json;

use super::audit::Audit;
use super::password::{HashingError, HashingLine, HashingPlace, Password, PasswordHash, PasswordHasher, Verification};
use super::protected::Proof;
use super::tokens::Tokens;
use super::turns::{Waiting, waiting_as};
use super::users::Users;
use crate::call::{Connection, MethodResult};
use crate::store::{AuditEvent, HashedToken, LinkPurpose, Store, StoredHash, User};
use crate::user::UserId;

/// The passwords of all users.
pub(crate) struct Passwords {
    store: Arc<dyn Store>,
    hasher: PasswordHasher,
    tokens: Arc<Tokens>,
    users: Arc<Users>,
    audit: Arc<Audit>,
}

impl Passwords {
    pub(super) fn new(
        store: &Arc<dyn Store>,
        hasher: PasswordHasher,
        tokens: &Arc<Tokens>,
        users: &Arc<Users>,
        audit: &Arc<Audit>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            hasher,
            tokens: Arc::clone(tokens),
            users: Arc::clone(users),
            audit: Arc::clone(audit),
        }
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// `too-many-requests` if too many passwords wait to be hashed.
    pub(super) async fn hash(&self, password: &Password, connection: Option<&Connection>) -> MethodResult<StoredHash> {
        let place = HashingLine::NewPassword.of(waiting_as(connection));
        Ok(StoredHash::new(self.hasher.hash_in(place, password).await.map_err(HashingError::for_call)?.as_str()))
    }

    /// Returns whether this is the password of the user, which is shown as a second factor.
    ///
    /// # Errors
    /// `too-many-requests` if too many codes wait to be checked.
    pub(crate) async fn matches(&self, user: &User, password: &Password, network: Waiting) -> MethodResult<bool> {
        let (stored, place) = (user.password.as_ref().and_then(parsed), HashingLine::Code.of(network));
        Ok(self.verify_in(place, password, stored.as_ref()).await? != Verification::Wrong)
    }

    /// Returns the hash that the password was compared with, if it is right. An outdated hash is replaced. It takes as
    /// long if there is no such user.
    ///
    /// # Errors
    /// `too-many-requests` if too many logins wait to be checked.
    pub(super) async fn verify(
        &self,
        user: Option<&User>,
        password: &Password,
        connection: Option<&Connection>,
    ) -> MethodResult<Option<StoredHash>> {
        let place = HashingLine::Login.of(waiting_as(connection));
        let stored = user.and_then(|user| user.password.as_ref());
        match (self.verify_in(place, password, stored.and_then(parsed).as_ref()).await?, user, stored) {
            (Verification::RightButOutdated, Some(user), Some(old)) => self.rehash(place, user, password, old).await,
            (Verification::Right, _, Some(stored)) => Ok(Some(stored.clone())),
            _ => Ok(None),
        }
    }

    async fn verify_in(
        &self,
        place: HashingPlace,
        password: &Password,
        stored: Option<&PasswordHash>,
    ) -> MethodResult<Verification> {
        self.hasher.verify_in(place, password, stored).await.map_err(HashingError::for_call)
    }

    async fn rehash(
        &self,
        place: HashingPlace,
        user: &User,
        password: &Password,
        old: &StoredHash,
    ) -> MethodResult<Option<StoredHash>> {
        let new = StoredHash::new(self.hasher.hash_in(place, password).await.map_err(HashingError::for_call)?.as_str());
        if self.store.replace_password(&user.id, old, new.clone()).await? {
            return Ok(Some(new));
        }
        // Another login was quicker, or it is another password now.
        let now = self.store.user(&user.id).await?.and_then(|user| user.password);
        let is_right =
            self.verify_in(place, password, now.as_ref().and_then(parsed).as_ref()).await? != Verification::Wrong;
        Ok(now.filter(|_| is_right))
    }

    /// Sets a new password, and ends what rests on the old one; see [`store`](Self::store).
    pub(super) async fn set(
        &self,
        user: &UserId,
        password: &Password,
        kept: Option<&HashedToken>,
        connection: Option<&Connection>,
        proof: &Proof,
    ) -> MethodResult<()> {
        let hash = self.hash(password, connection).await?;
        self.store(user, hash, kept, connection, proof).await
    }

    /// Stores the hash of a new password. The logins other than `kept` end, trusted clients are not trusted any more, and
    /// links that reset the password are removed.
    pub(super) async fn store(
        &self,
        user: &UserId,
        hash: StoredHash,
        kept: Option<&HashedToken>,
        connection: Option<&Connection>,
        _: &Proof,
    ) -> MethodResult<()> {
        self.store.set_password(user, hash).await?;
        self.end_what_rests_on_it(user, kept, connection).await
    }

    /// The same, if the stored hash is still `proven`. Returns whether it was.
    pub(super) async fn exchange(
        &self,
        user: &UserId,
        (proven, new): (&StoredHash, StoredHash),
        kept: Option<&HashedToken>,
        connection: Option<&Connection>,
        _: &Proof,
    ) -> MethodResult<bool> {
        if !self.store.exchange_password(user, proven, new).await? {
            return Ok(false);
        }
        self.end_what_rests_on_it(user, kept, connection).await?;
        Ok(true)
    }

    async fn end_what_rests_on_it(
        &self,
        user: &UserId,
        kept: Option<&HashedToken>,
        connection: Option<&Connection>,
    ) -> MethodResult<()> {
        self.store.delete_links(user, LinkPurpose::ResetPassword).await?;
        self.store.delete_links(user, LinkPurpose::EnrollAccount).await?;
        self.tokens.end_other_logins(user, kept, connection).await?;
        self.users.changed(user).await;
        self.audit.record(AuditEvent::PasswordChanged, Some(user), connection, json!({})).await;
        Ok(())
    }
}

fn parsed(hash: &StoredHash) -> Option<PasswordHash> {
    hash.as_str().parse().ok()
}
