//! Users: who they are, where their mail goes, which factors they have.

use std::fmt;

use bolide_protocol::ejson::Object;

use super::private::Private;
use super::{KeyedHash, LoginToken, StoreFuture};
use crate::clock::Timestamp;
use crate::user::UserId;

/// A user, as stored. What clients see of it is made elsewhere.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct User {
    /// The `_id`.
    pub id: UserId,
    /// The username as the user wrote it; unique whatever its case.
    pub username: Option<String>,
    /// The addresses, in the order in which they were added; each unique whatever its case.
    pub emails: Vec<EmailAddress>,
    /// Meteor's `profile`, which clients may see.
    pub profile: Option<Object>,
    /// The names of the user's roles.
    pub roles: Vec<String>,
    /// Further top-level fields, such as `name` and `language`, and those of the application.
    pub fields: Object,
    /// When the user was created.
    pub created_at: Timestamp,
    /// Whether the user may log in.
    pub is_active: bool,
    /// Nothing for users who cannot log in by password.
    pub password: Option<StoredHash>,
    /// Whether the user must choose a new password.
    pub must_change_password: bool,
    /// The authenticator app.
    pub totp: Totp,
    /// Whether codes are sent by e-mail.
    pub has_email_codes: bool,
}

/// An address of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmailAddress {
    /// The address as the user wrote it.
    pub address: String,
    /// Whether the user has shown that mail to it arrives.
    pub is_verified: bool,
}

/// The state of a user's authenticator app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Totp {
    /// There is none.
    #[default]
    Off,
    /// A secret was handed out, and no code of it shown yet.
    Pending(Sealed),
    /// In use.
    On(Sealed),
}

/// A user to be stored, with all that an import brings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewUser {
    /// The user.
    pub user: User,
    /// Hashes of backup codes.
    pub backup_codes: Vec<KeyedHash>,
    /// Login tokens.
    pub tokens: Vec<LoginToken>,
}

/// Backup codes that replace the ones before.
#[derive(Clone, Debug, Default)]
pub struct BackupCodes(pub Vec<KeyedHash>);

/// Which users to list.
#[derive(Clone, Debug, Default)]
// Not `non_exhaustive`: it is written with `..UserFilter::default()`.
pub struct UserFilter {
    /// Only those in whose username, name or addresses this occurs, whatever the case.
    pub search: Option<String>,
    /// Only those with this role.
    pub role: Option<String>,
    /// How many to leave out, in the order of usernames.
    pub offset: u32,
    /// How many to give at most.
    pub limit: u32,
}

/// Some of the users that a filter lets through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UserPage {
    /// The users of this page.
    pub users: Vec<User>,
    /// How many there are in all.
    pub total: u64,
}

/// A password hash, as text.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredHash(String);

/// A secret that is sealed with a key which the store does not know.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

/// The users of a store. Names and addresses are compared as [`fold`](super::fold) makes them.
pub trait Users: Private {
    /// Stores a new user with all that belongs to it, or nothing.
    ///
    /// # Errors
    /// [`Taken`](super::StoreError::Taken) for an id, username, address or token that is there already.
    fn insert_user(&self, user: NewUser) -> StoreFuture<'_, ()>;

    /// The user with this id.
    fn user<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, Option<User>>;

    /// The user with this username, whatever its case.
    fn user_by_username<'store>(&'store self, username: &'store str) -> StoreFuture<'store, Option<User>>;

    /// The user with this address, whatever its case.
    fn user_by_address<'store>(&'store self, address: &'store str) -> StoreFuture<'store, Option<User>>;

    /// A page of users, by username.
    fn users(&self, filter: UserFilter) -> StoreFuture<'_, UserPage>;

    /// Removes a user with all that belongs to it; says whether there was one.
    fn delete_user<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, bool>;

    /// Gives a user another username; `false` if there is no such user.
    ///
    /// # Errors
    /// [`Taken`](super::StoreError::Taken).
    fn set_username<'store>(&'store self, id: &'store UserId, username: &'store str) -> StoreFuture<'store, bool>;

    /// Replaces the profile.
    fn set_profile<'store>(&'store self, id: &'store UserId, profile: Option<Object>) -> StoreFuture<'store, bool>;

    /// Replaces the further fields.
    fn set_fields<'store>(&'store self, id: &'store UserId, fields: Object) -> StoreFuture<'store, bool>;

    /// Replaces the roles.
    fn set_roles<'store>(&'store self, id: &'store UserId, roles: Vec<String>) -> StoreFuture<'store, bool>;

    /// Lets a user log in, or not any more.
    fn set_active<'store>(&'store self, id: &'store UserId, is_active: bool) -> StoreFuture<'store, bool>;

    /// Replaces the password, and forgets that it must be changed.
    fn set_password<'store>(&'store self, id: &'store UserId, hash: StoredHash) -> StoreFuture<'store, bool>;

    /// Replaces the password whose hash is `from`, and forgets that it must be changed; `false` if it has changed
    /// meanwhile.
    fn exchange_password<'store>(
        &'store self,
        id: &'store UserId,
        from: &'store StoredHash,
        to: StoredHash,
    ) -> StoreFuture<'store, bool>;

    /// Replaces a hash by another one of the same password; `false` if the password has changed meanwhile.
    fn replace_password<'store>(
        &'store self,
        id: &'store UserId,
        from: &'store StoredHash,
        to: StoredHash,
    ) -> StoreFuture<'store, bool>;

    /// Adds an address at the end; `false` if there is no such user. One that the user has already, in whatever case,
    /// takes the new spelling and keeps its place; it stays verified if it was.
    ///
    /// # Errors
    /// [`Taken`](super::StoreError::Taken) when another user has it.
    fn add_email<'store>(&'store self, id: &'store UserId, email: EmailAddress) -> StoreFuture<'store, bool>;

    /// Takes an address away; `false` if the user does not have it.
    fn remove_email<'store>(&'store self, id: &'store UserId, address: &'store str) -> StoreFuture<'store, bool>;

    /// Marks an address as verified; `false` if the user does not have it any more.
    fn verify_email<'store>(&'store self, id: &'store UserId, address: &'store str) -> StoreFuture<'store, bool>;

    /// Turns codes by e-mail on or off; `false` if they were so already.
    fn set_email_codes<'store>(&'store self, id: &'store UserId, are_on: bool) -> StoreFuture<'store, bool>;

    /// Keeps a secret until a code of it is shown; `false` if an authenticator app is in use.
    fn begin_totp<'store>(&'store self, id: &'store UserId, secret: Sealed) -> StoreFuture<'store, bool>;

    /// Takes an authenticator app into use whose secret is pending, with the step of the code that was shown; `false`
    /// if another secret is pending, or none.
    fn confirm_totp<'store>(
        &'store self,
        id: &'store UserId,
        pending: &'store Sealed,
        step: i64,
        backup_codes: BackupCodes,
    ) -> StoreFuture<'store, bool>;

    /// Consumes a time step: `true` once for each step, and only for one later than all before.
    fn take_totp_step<'store>(&'store self, id: &'store UserId, step: i64) -> StoreFuture<'store, bool>;

    /// Ends the use of the authenticator app, a pending one too, with its backup codes; `false` if there was none.
    fn remove_totp<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, bool>;

    /// Replaces a sealed secret, in use or pending, by the same one under another key; `false` if it has changed
    /// meanwhile.
    fn reseal_totp<'store>(
        &'store self,
        id: &'store UserId,
        from: &'store Sealed,
        to: Sealed,
    ) -> StoreFuture<'store, bool>;

    /// All sealed secrets, for a change of keys.
    fn totp_secrets(&self) -> StoreFuture<'_, Vec<(UserId, Sealed)>>;

    /// Replaces the backup codes; `false` if no authenticator app is in use.
    fn replace_backup_codes<'store>(&'store self, id: &'store UserId, codes: BackupCodes) -> StoreFuture<'store, bool>;

    /// Consumes a backup code, which has any of these hashes (one for each key); `true` once.
    fn take_backup_code<'store>(
        &'store self,
        id: &'store UserId,
        hashes: &'store [KeyedHash],
    ) -> StoreFuture<'store, bool>;

    /// How many backup codes are left.
    fn backup_codes_left<'store>(&'store self, id: &'store UserId) -> StoreFuture<'store, u32>;
}

impl User {
    /// An active user without a name, a password or anything else.
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
        }
    }

    /// The addresses that are verified.
    pub fn verified_addresses(&self) -> impl Iterator<Item = &str> {
        self.emails.iter().filter(|email| email.is_verified).map(|email| email.address.as_str())
    }

    /// Whether the user has this role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }
}

impl EmailAddress {
    /// Returns an address that the user has proved to be theirs.
    #[must_use]
    pub fn verified(address: impl Into<String>) -> Self {
        Self { address: address.into(), is_verified: true }
    }

    /// Returns an address that the user has not proved to be theirs.
    #[must_use]
    pub fn unverified(address: impl Into<String>) -> Self {
        Self { address: address.into(), is_verified: false }
    }
}

impl From<User> for NewUser {
    /// Returns a new user without backup codes and login tokens.
    fn from(user: User) -> Self {
        Self { user, backup_codes: Vec::new(), tokens: Vec::new() }
    }
}

impl StoredHash {
    /// A hash, as text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Sealed {
    /// What a seal was put on.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
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
