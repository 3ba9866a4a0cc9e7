//! Users, their e-mail addresses and their factors.

use std::fmt;

use bolide_protocol::Ejson;
use bolide_protocol::ejson::Object;

use super::private::Private;
use super::{HashedToken, KeyedHash, LoginToken, Passkey, StoreFuture};
use crate::clock::Timestamp;
use crate::user::UserId;

/// A user as it is stored. Clients see only a part of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct User {
    /// The `_id`.
    pub id: UserId,
    /// The username as the user has written it. It is unique, and so it is without regard to case, except for
    /// [`Namesakes`].
    pub username: Option<String>,
    /// The e-mail addresses, in the order in which they were added. Each is unique as the username is.
    pub emails: Vec<EmailAddress>,
    /// Meteor's `profile`, which clients can see.
    pub profile: Option<Object>,
    /// The names of the user's roles.
    pub roles: Vec<String>,
    /// Further top-level fields, such as `name` and `language`, and fields of the application.
    pub fields: Object,
    /// When the user was created.
    pub created_at: Timestamp,
    /// Whether the user may log in.
    pub is_active: bool,
    /// The hash of the password, or `None` for users who cannot log in with a password.
    pub password: Option<StoredHash>,
    /// Whether the user must choose a new password.
    pub must_change_password: bool,
    /// The state of the authenticator app.
    pub totp: Totp,
    /// Whether the user has turned on codes by e-mail.
    pub has_email_codes: bool,
    /// The number of passkeys. It follows from those that are stored: one that is written with the user has no effect.
    pub passkeys: u32,
}

/// An e-mail address of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmailAddress {
    /// The address as the user has written it.
    pub address: String,
    /// Whether the user has proved that mail to it arrives.
    pub is_verified: bool,
}

/// The state of a user's authenticator app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Totp {
    /// The user has no authenticator app.
    #[default]
    Off,
    /// A secret was created, and the user has not confirmed it with a code yet.
    Pending(PendingTotp),
    /// The authenticator app is in use.
    On(Sealed),
}

/// The secret of an authenticator app that is being set up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingTotp {
    /// The secret.
    pub secret: Sealed,
    /// The login that began to set the app up, and that alone may confirm it. `None` if it has no token.
    pub token: Option<HashedToken>,
    /// When it was begun.
    pub since: Timestamp,
}

/// A user to be stored, with the codes, passkeys and tokens that an import brings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewUser {
    /// The user.
    pub user: User,
    /// The hashes of the user's backup codes.
    pub backup_codes: Vec<KeyedHash>,
    /// The user's passkeys.
    pub passkeys: Vec<Passkey>,
    /// The user's login tokens.
    pub tokens: Vec<LoginToken>,
    /// Whether the username may look like another one.
    pub lookalikes: Lookalikes,
    /// Whether the name and the addresses may differ from those of others in case only.
    pub namesakes: Namesakes,
}

/// Whether a username may look like that of another user. Two names look alike if they have the same
/// [`skeleton`](super::skeleton) and at least one of them has characters other than ASCII.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lookalikes {
    /// It may: a name of another server, which stays as it is.
    #[default]
    Allowed,
    /// It may not.
    Refused,
}

/// Whether a new user may have a name or an address that differs from another user's only in what
/// [`fold`](super::fold) ignores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Namesakes {
    /// It may not.
    #[default]
    Refused,
    /// It may: a user of another server, where both exist. Each logs in by the exact name.
    Allowed,
}

/// A change after which a role may have no active user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoleLoss {
    /// Replaces the roles, if they are still `from`.
    Roles {
        /// The roles before.
        from: Vec<String>,
        /// The new roles.
        to: Vec<String>,
    },
    /// Deactivates the user.
    Deactivation,
    /// Deletes the user with everything that belongs to it.
    Deletion,
}

/// The hashes of backup codes that replace the earlier ones.
#[derive(Clone, Debug, Default)]
pub struct BackupCodes(pub Vec<KeyedHash>);

/// Selects the users to list.
#[derive(Clone, Debug, Default)]
// Not `non_exhaustive`: it is written with `..UserFilter::default()`.
pub struct UserFilter {
    /// Only users whose username, name or an address contains this. Case is ignored.
    pub search: Option<String>,
    /// Only users with this role.
    pub role: Option<String>,
    /// The number of users to skip, in the order of usernames.
    pub offset: u32,
    /// The maximum number of users.
    pub limit: u32,
}

/// A page of the users that match a filter.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UserPage {
    /// The users of this page.
    pub users: Vec<User>,
    /// The number of users on all pages.
    pub total: u64,
}

/// A password hash, as text.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredHash(String);

/// A secret that is sealed with a key that is not in the store.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

/// The users of a store. Names and addresses are compared in the form that [`fold`](super::fold) returns, except for
/// [`Namesakes`].
///
/// Methods that change a user return `false` if there is no such user, unless they say otherwise. A new password or
/// address, and codes by e-mail that are turned on or off, remove the pending secret of an authenticator app.
pub trait Users: Private {
    /// Stores a new user with its backup codes, passkeys and tokens, all or nothing.
    ///
    /// # Errors
    /// Returns [`Taken`](super::StoreError::Taken) if the id, the username, an address, a passkey or a token is in use, or if the
    /// username looks like another one and may not. An id, name, address or token that is equal is always in use; one that
    /// differs in case only is, unless [`Namesakes`] are allowed.
    fn insert_user(&self, user: NewUser) -> StoreFuture<'_, ()>;

    /// Returns the user with this id, or `None` if there is no such user.
    fn user<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, Option<User>>;

    /// Returns the user with exactly this username, or else the one whose name differs in case only. `None` if there is no
    /// such user, or if there are several.
    fn user_by_username<'store>(&'store self, username: &'store str) -> StoreFuture<'store, Option<User>>;

    /// Returns the user with exactly this address, or else the one whose address differs in case only. `None` if there is
    /// no such user, or if there are several.
    fn user_by_address<'store>(&'store self, address: &'store str) -> StoreFuture<'store, Option<User>>;

    /// Returns whether a user other than `id` has this username. Case is ignored.
    fn is_username_taken<'store>(&'store self, username: &'store str, id: &'store UserId) -> StoreFuture<'store, bool>;

    /// Returns whether a user other than `id` has this address. Case is ignored.
    fn is_address_taken<'store>(&'store self, address: &'store str, id: &'store UserId) -> StoreFuture<'store, bool>;

    /// Returns a page of users, ordered by username.
    fn users(&self, filter: UserFilter) -> StoreFuture<'_, UserPage>;

    /// Deletes a user with everything that belongs to it.
    fn delete_user<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, bool>;

    /// Replaces the username.
    ///
    /// # Errors
    /// Returns [`Taken`](super::StoreError::Taken) if another user has it, or one that [looks alike](Lookalikes).
    fn set_username<'store>(&'store self, id: &'store UserId, username: &'store str) -> StoreFuture<'store, bool>;

    /// Removes the username. Returns `false` if the user has none.
    fn remove_username<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, bool>;

    /// Replaces the profile.
    fn set_profile<'store>(&'store self, id: &'store UserId, profile: Option<Object>) -> StoreFuture<'store, bool>;

    /// Replaces the profile, if it is still `from`. Returns `false` if it has changed in the meantime.
    fn replace_profile<'store>(
        &'store self,
        id: &'store UserId,
        from: Option<&'store Object>,
        to: &'store Object,
    ) -> StoreFuture<'store, bool>;

    /// Replaces the further fields.
    fn set_fields<'store>(&'store self, id: &'store UserId, fields: Object) -> StoreFuture<'store, bool>;

    /// Replaces the roles.
    fn set_roles<'store>(&'store self, id: &'store UserId, roles: Vec<String>) -> StoreFuture<'store, bool>;

    /// Replaces one of the further fields, or removes it. The other fields stay as they are.
    fn set_field<'store>(
        &'store self,
        id: &'store UserId,
        name: &'store str,
        value: Option<Ejson>,
    ) -> StoreFuture<'store, bool>;

    /// Makes a change in one conditional write, unless it takes `role` from the last active user who has it. Returns `false`
    /// if it does, if the roles are not those of the change any more, or if there is no such user.
    fn change_unless_last<'store>(
        &'store self,
        id: &'store UserId,
        change: RoleLoss,
        role: &'store str,
    ) -> StoreFuture<'store, bool>;

    /// Sets whether the user may log in. Tokens stay; see [`deactivate`](super::access::Access::deactivate).
    fn set_active<'store>(&'store self, id: &'store UserId, is_active: bool) -> StoreFuture<'store, bool>;

    /// Replaces the password, which does not have to be changed then. Tokens stay; see
    /// [`renew_password`](super::access::Access::renew_password).
    fn set_password<'store>(&'store self, id: &'store UserId, hash: StoredHash) -> StoreFuture<'store, bool>;

    /// Replaces the hash `from` by another hash of the same password. Returns `false` if the password has changed in the
    /// meantime.
    fn replace_password<'store>(
        &'store self,
        id: &'store UserId,
        from: &'store StoredHash,
        to: StoredHash,
    ) -> StoreFuture<'store, bool>;

    /// Returns those of these users that exist and are active. It reads past all caches, as
    /// [`ended_tokens`](super::token::Tokens::ended_tokens) does.
    fn active_users<'store>(&'store self, ids: &'store [UserId]) -> StoreFuture<'store, Vec<UserId>>;

    /// Adds an address at the end. If the user has it already, ignoring case, it takes the new spelling, keeps its place
    /// and stays verified if it was.
    ///
    /// # Errors
    /// Returns [`Taken`](super::StoreError::Taken) if another user has it.
    fn add_email<'store>(&'store self, id: &'store UserId, email: EmailAddress) -> StoreFuture<'store, bool>;

    /// Puts an address in the place of the first one, if that is still `from` (`None` for a user without addresses). If the
    /// user has the new address already, ignoring case, it takes the new spelling and stays verified if it was. Returns
    /// `false` if the first address has changed in the meantime.
    ///
    /// # Errors
    /// Returns [`Taken`](super::StoreError::Taken) if another user has it.
    fn replace_email<'store>(
        &'store self,
        id: &'store UserId,
        from: Option<&'store str>,
        to: EmailAddress,
    ) -> StoreFuture<'store, bool>;

    /// Removes an address. Returns `false` if the user does not have it.
    fn remove_email<'store>(&'store self, id: &'store UserId, address: &'store str) -> StoreFuture<'store, bool>;

    /// Marks an address as verified. Returns `false` if the user does not have it.
    fn verify_email<'store>(&'store self, id: &'store UserId, address: &'store str) -> StoreFuture<'store, bool>;

    /// Turns codes by e-mail on or off. Returns `false` if that changes nothing.
    fn set_email_codes<'store>(&'store self, id: &'store UserId, are_on: bool) -> StoreFuture<'store, bool>;

    /// Stores the secret of an authenticator app until it is confirmed. Returns `false` if an app is in use.
    fn begin_totp<'store>(&'store self, id: &'store UserId, pending: PendingTotp) -> StoreFuture<'store, bool>;

    /// Takes the authenticator app with this pending secret into use. `step` is the time step of the confirming code, which
    /// cannot be used again. Returns `false` if this secret, begun at this time with this token, is not pending.
    fn confirm_totp<'store>(
        &'store self,
        id: &'store UserId,
        pending: &'store PendingTotp,
        step: i64,
        backup_codes: BackupCodes,
    ) -> StoreFuture<'store, bool>;

    /// Consumes a time step. Returns `true` once per step, and only if the step is later than all consumed ones.
    fn take_totp_step<'store>(&'store self, id: &'store UserId, step: i64) -> StoreFuture<'store, bool>;

    /// Removes the authenticator app, also a pending one. The backup codes go with it, unless the user has a passkey. Returns
    /// `false` if there was no app.
    fn remove_totp<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, bool>;

    /// Replaces a sealed secret, in use or pending, by the same secret under another key. Returns `false` if it has changed
    /// in the meantime.
    fn reseal_totp<'store>(
        &'store self,
        id: &'store UserId,
        from: &'store Sealed,
        to: Sealed,
    ) -> StoreFuture<'store, bool>;

    /// Returns all sealed secrets, for a rotation of keys.
    fn totp_secrets(&self) -> StoreFuture<'_, Vec<(UserId, Sealed)>>;

    /// Replaces the backup codes. Returns `false` if the user has neither an authenticator app in use nor a passkey.
    fn replace_backup_codes<'store>(&'store self, id: &'store UserId, codes: BackupCodes) -> StoreFuture<'store, bool>;

    /// Consumes the backup code with one of these hashes (one for each key). Returns `true` once per code.
    fn take_backup_code<'store>(
        &'store self,
        id: &'store UserId,
        hashes: &'store [KeyedHash],
    ) -> StoreFuture<'store, bool>;

    /// Returns the number of unused backup codes.
    fn backup_codes_left<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, u32>;
}

impl User {
    /// Returns an active user with only an id and a time of creation.
    #[must_use]
    pub fn new(id: UserId, created_at: Timestamp) -> Self {
        Self {
            id,
            username: None,
            emails: Vec::new(),
            profile: None,
            roles: Vec::new(),
            fields: Object::default(),
            created_at,
            is_active: true,
            password: None,
            must_change_password: false,
            totp: Totp::Off,
            has_email_codes: false,
            passkeys: 0,
        }
    }

    /// Returns the verified addresses.
    pub fn verified_addresses(&self) -> impl Iterator<Item = &str> {
        self.emails.iter().filter(|email| email.is_verified).map(|email| email.address.as_str())
    }

    /// Returns whether the user has codes by mail and an address to which they can be sent.
    #[must_use]
    pub fn can_receive_codes(&self) -> bool {
        self.has_email_codes && self.verified_addresses().next().is_some()
    }

    /// Returns whether the user has this role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }
}

impl EmailAddress {
    /// Returns a verified address.
    #[must_use]
    pub fn verified(address: impl Into<String>) -> Self {
        Self { address: address.into(), is_verified: true }
    }

    /// Returns an address that is not verified.
    #[must_use]
    pub fn unverified(address: impl Into<String>) -> Self {
        Self { address: address.into(), is_verified: false }
    }
}

impl PendingTotp {
    /// Returns a secret that was created at `since` by the login with this token.
    #[must_use]
    pub const fn new(secret: Sealed, token: Option<HashedToken>, since: Timestamp) -> Self {
        Self { secret, token, since }
    }
}

impl From<User> for NewUser {
    /// Returns a new user without backup codes, passkeys and login tokens.
    fn from(user: User) -> Self {
        Self {
            user,
            backup_codes: Vec::new(),
            passkeys: Vec::new(),
            tokens: Vec::new(),
            lookalikes: Lookalikes::Allowed,
            namesakes: Namesakes::Refused,
        }
    }
}

impl StoredHash {
    /// Returns a hash from its text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text of the hash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Sealed {
    /// Returns a sealed secret from its bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the sealed bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StoredHash")
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sealed")
    }
}
