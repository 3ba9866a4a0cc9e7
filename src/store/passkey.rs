//! Passkeys: credentials of users, each with its public key. The private keys never leave the authenticators.

use super::private::Private;
use super::{BackupCodes, HashedToken, KeyedHash, StoreFuture};
use crate::clock::Timestamp;
use crate::user::UserId;

/// A passkey of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Passkey {
    /// The id of the credential, in base64url. It is unique.
    pub id: String,
    /// The user that it belongs to.
    pub user: UserId,
    /// The name by which the user knows it.
    pub name: String,
    /// The public key, in the COSE format.
    pub public_key: Vec<u8>,
    /// The number of signatures so far, as the authenticator counts them. Zero if it does not.
    pub counter: u32,
    /// Whether the credential may be copied to other devices.
    pub is_backup_eligible: bool,
    /// Whether it was copied, when it was last used.
    pub is_backed_up: bool,
    /// How browsers reach the authenticator, such as `internal` or `usb`.
    pub transports: Vec<String>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// A challenge that was answered. It cannot be answered again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsedChallenge {
    /// The hash of the challenge.
    pub hash: KeyedHash,
    /// When it would have expired.
    pub expires_at: Timestamp,
}

/// What an authenticator has told with a right signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PasskeyUse {
    /// The user whose passkey it is.
    pub user: UserId,
    /// The id of the passkey.
    pub id: String,
    /// The number of signatures so far.
    pub counter: u32,
    /// Whether the credential is copied to other devices.
    pub is_backed_up: bool,
    /// The challenge that was signed.
    pub challenge: UsedChallenge,
    /// The present time.
    pub at: Timestamp,
}

/// The outcome of [`Passkeys::use_passkey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasskeyUsed {
    /// The passkey and the challenge were used.
    Accepted,
    /// The challenge was answered before.
    ChallengeUsed,
    /// The counter is not higher than the one of the last use: there may be a copy of the authenticator. The challenge is
    /// used up.
    CounterTooLow,
    /// The user does not have the passkey any more.
    Unknown,
}

/// The outcome of [`Passkeys::add_passkey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasskeyAdded {
    /// The passkey was stored.
    Added {
        /// Whether the backup codes were stored: the user had none.
        with_backup_codes: bool,
    },
    /// The challenge was answered before, or its login has ended.
    ChallengeUsed,
    /// The user has as many passkeys as are allowed.
    TooMany,
}

/// The passkeys of a store.
pub trait Passkeys: Private {
    /// Stores a passkey, unless its challenge was answered before, the login that registers it has ended, or the user has
    /// `most` already. The backup codes are stored if the user has none.
    ///
    /// # Errors
    /// Returns [`Taken`](super::StoreError::Taken) if a user has a passkey with this id.
    fn add_passkey(
        &self,
        passkey: Passkey,
        challenge: UsedChallenge,
        login: Option<HashedToken>,
        backup_codes: BackupCodes,
        most: u32,
    ) -> StoreFuture<'_, PasskeyAdded>;

    /// Returns the passkey with this id.
    fn passkey<'store>(&'store self, id: &'store str) -> StoreFuture<'store, Option<Passkey>>;

    /// Returns the passkeys of a user, the oldest first.
    fn passkeys_of<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, Vec<Passkey>>;

    /// Uses a passkey and its challenge, which counts once, and stores the new counter, in one transaction.
    fn use_passkey(&self, used: PasskeyUse) -> StoreFuture<'_, PasskeyUsed>;

    /// Replaces the name of a passkey. Returns `false` if the user does not have it.
    fn rename_passkey<'store>(
        &'store self,
        user: &'store UserId,
        id: &'store str,
        name: &'store str,
    ) -> StoreFuture<'store, bool>;

    /// Removes a passkey. The backup codes go with the last one, unless an authenticator app is in use. Returns the passkey,
    /// or `None` if the user does not have it.
    fn remove_passkey<'store>(
        &'store self,
        user: &'store UserId,
        id: &'store str,
    ) -> StoreFuture<'store, Option<Passkey>>;

    /// Removes all passkeys of a user, as [`remove_passkey`](Self::remove_passkey) does. Returns their number.
    fn remove_passkeys<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, u64>;
}

impl Passkey {
    /// Returns a passkey that does not count its uses, and is not copied to other devices.
    #[must_use]
    pub const fn new(id: String, user: UserId, name: String, public_key: Vec<u8>, created_at: Timestamp) -> Self {
        Self {
            id,
            user,
            name,
            public_key,
            counter: 0,
            is_backup_eligible: false,
            is_backed_up: false,
            transports: Vec::new(),
            created_at,
            last_used_at: None,
        }
    }
}

impl UsedChallenge {
    /// Returns a challenge that would have expired at a time.
    #[must_use]
    pub const fn new(hash: KeyedHash, expires_at: Timestamp) -> Self {
        Self { hash, expires_at }
    }
}

impl PasskeyUse {
    /// Returns a use of a passkey at a time.
    #[must_use]
    pub fn new(
        passkey: (UserId, String),
        counter: u32,
        is_backed_up: bool,
        challenge: UsedChallenge,
        at: Timestamp,
    ) -> Self {
        let (user, id) = passkey;
        Self { user, id, counter, is_backed_up, challenge, at }
    }
}
