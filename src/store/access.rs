//! How access to an account ends: tokens, links, challenges, codes and secrets that wait to be confirmed are removed in
//! one write, together with the change that ends them.

use super::private::Private;
use super::{HashedToken, KeyedHash, Link, StoreFuture, StoredHash};
use crate::user::UserId;

/// What stays when the access to an account ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept<'store> {
    /// Nothing stays: all access ends.
    Nothing,
    /// The token that requests the change, and links that verify an address.
    Own(Option<&'store HashedToken>),
    /// The same, and the personal access tokens.
    OwnAndPersonal(Option<&'store HashedToken>),
}

/// What entitles to set a password.
#[derive(Clone, Copy, Debug)]
pub enum PasswordProof<'store> {
    /// The hash of the present password, which was proven. It must still be the present one.
    Present(&'store StoredHash),
    /// A link. It must not have been used yet, and it is used up. The address that it was sent to is verified.
    Link(&'store KeyedHash),
    /// The user has proven a factor, or an operator sets the password.
    Granted,
}

/// What a link has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The link was used before, or was replaced.
    LinkUsed,
    /// The user does not have the address any more. The link is used up.
    UnknownAddress,
    /// The address was verified already. The link is used up.
    Again,
    /// The address is verified from now on. The personal access tokens, challenges and pending secrets of the time
    /// before were removed; these are the tokens.
    First(Vec<HashedToken>),
}

/// How access to the accounts of a store ends.
pub trait Access: Private {
    /// Removes the tokens of a user with everything from which one could come: links, challenges, codes by e-mail, and
    /// an authenticator app that was not confirmed. Clients are not trusted any more. Returns the removed tokens.
    fn end_access<'store>(
        &'store self,
        user: &'store UserId,
        kept: Kept<'store>,
    ) -> StoreFuture<'store, Vec<HashedToken>>;

    /// Replaces the password, which does not have to be changed then, and ends the access in the same write. Returns the
    /// removed tokens, or `None` if the proof is no longer valid and therefore the password was not replaced.
    fn renew_password<'store>(
        &'store self,
        user: &'store UserId,
        proof: PasswordProof<'store>,
        new: StoredHash,
        kept: Kept<'store>,
    ) -> StoreFuture<'store, Option<Vec<HashedToken>>>;

    /// Deactivates a user and ends all access in the same write. Returns the removed tokens.
    fn deactivate<'store>(&'store self, user: &'store UserId) -> StoreFuture<'store, Vec<HashedToken>>;

    /// Uses a link up that verifies an address.
    fn verify_by_link<'store>(&'store self, link: &'store Link) -> StoreFuture<'store, Verification>;
}

impl<'store> Kept<'store> {
    /// Returns the token that stays.
    #[must_use]
    pub const fn own(self) -> Option<&'store HashedToken> {
        match self {
            Self::Nothing => None,
            Self::Own(own) | Self::OwnAndPersonal(own) => own,
        }
    }

    /// Returns whether personal access tokens stay.
    #[must_use]
    pub const fn keeps_personal(self) -> bool {
        matches!(self, Self::OwnAndPersonal(_))
    }
}
