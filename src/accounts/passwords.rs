//! [`Passwords`]: checks and sets the passwords of users. How they are hashed is in [`password`](super::password).

use std::sync::Arc;

use serde_json::json;

use super::audit::Audit;
use super::node::Node;
use super::password::{
    HashingError, HashingLine, HashingLines, HashingPlace, NewPassword, Password, PasswordHash, PasswordHasher,
    Verification,
};
use super::password_policy::PasswordPolicy;
use super::protected::Proof;
use super::tokens::Tokens;
use super::turns::{Waiting, waiting_as};
use super::users::Users;
use crate::call::{Connection, MethodResult};
use crate::store::{AuditEvent, Kept, PasswordProof, Store, StoredHash, User};
use crate::user::UserId;

/// The passwords of all users.
pub(crate) struct Passwords {
    store: Arc<dyn Store>,
    hasher: PasswordHasher,
    policy: PasswordPolicy,
    node: Arc<Node>,
    tokens: Arc<Tokens>,
    users: Arc<Users>,
    audit: Arc<Audit>,
}

impl Passwords {
    pub(super) fn lines(&self) -> HashingLines {
        self.hasher.lines()
    }

    pub(super) fn new(
        store: &Arc<dyn Store>,
        (hasher, policy): (PasswordHasher, PasswordPolicy),
        node: &Arc<Node>,
        tokens: &Arc<Tokens>,
        users: &Arc<Users>,
        audit: &Arc<Audit>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            hasher,
            policy,
            node: Arc::clone(node),
            tokens: Arc::clone(tokens),
            users: Arc::clone(users),
            audit: Arc::clone(audit),
        }
    }

    /// Hashes a new password, for every door that sets one.
    ///
    /// # Errors
    /// `error-password-policy-not-met` if the policy does not allow it, and `too-many-requests` if too many passwords wait to
    /// be hashed.
    pub(super) async fn hash(&self, new: &NewPassword, connection: Option<&Connection>) -> MethodResult<StoredHash> {
        self.policy.check(new)?;
        self.hash_unchecked(HashingLine::NewPassword.of(waiting_as(connection)), new.password()).await
    }

    async fn hash_unchecked(&self, place: HashingPlace, password: &Password) -> MethodResult<StoredHash> {
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
        let new = self.hash_unchecked(place, password).await?;
        if self.store.replace_password(&user.id, old, new.clone()).await? {
            return Ok(Some(new));
        }
        // Another login was quicker, or it is another password now.
        let now = self.store.user(&user.id).await?.and_then(|user| user.password);
        let is_right =
            self.verify_in(place, password, now.as_ref().and_then(parsed).as_ref()).await? != Verification::Wrong;
        Ok(now.filter(|_| is_right))
    }

    /// Stores the hash of a new password if the proof is still valid, and returns whether it was. The access to the account
    /// ends in the same write, except for what is kept.
    pub(super) async fn renew(
        &self,
        user: &UserId,
        (proof, new): (PasswordProof<'_>, StoredHash),
        kept: Kept<'_>,
        connection: Option<&Connection>,
        _: &Proof,
    ) -> MethodResult<bool> {
        let Some(ended) = self.store.renew_password(user, proof, new, kept).await? else { return Ok(false) };
        match kept {
            Kept::Nothing => self.tokens.end_connections(user, &ended, connection),
            Kept::Own(_) | Kept::OwnAndPersonal(_) => self.node.end_connections(&ended, connection),
        }
        self.users.changed(user).await;
        let details = json!({ "personalTokens": if kept.keeps_personal() { "kept" } else { "ended" } });
        self.audit.record(AuditEvent::PasswordChanged, Some(user), connection, details).await;
        Ok(true)
    }
}

fn parsed(hash: &StoredHash) -> Option<PasswordHash> {
    hash.as_str().parse().ok()
}
