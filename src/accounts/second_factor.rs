//! [`SecondFactor`]: the port through which accounts ask for a second factor. The room `two_factor` implements it, and the
//! assembly connects the two.

use bolide_protocol::two_factor::TwoFactorMethod;
use futures::future::BoxFuture;
use serde_json::Value;

use super::Proof;
use crate::call::{Connection, MethodResult};
use crate::store::User;

/// What accounts need of the second factor.
pub(crate) trait SecondFactor: Send + Sync {
    /// Checks the second factor of a login. The password is not a second factor here.
    ///
    /// # Errors
    /// `totp-required` if a code is missing, `totp-invalid` if it is wrong.
    fn check_at_login<'call>(
        &'call self,
        user: &'call User,
        code: Option<&'call str>,
        connection: Option<&'call Connection>,
    ) -> BoxFuture<'call, MethodResult<()>>;

    /// Checks a login by a passkey alone, and uses its challenge up. Returns the user as before that, who may not be active. `None` if the
    /// assertion is wrong, or such logins are not allowed.
    fn recognize_passkey<'call>(
        &'call self,
        assertion: &'call str,
        connection: Option<&'call Connection>,
    ) -> BoxFuture<'call, MethodResult<Option<User>>>;

    /// Begins a challenge for a login that the client cannot repeat with a code. `None` if the user has no second factor.
    fn begin_challenge<'call>(
        &'call self,
        user: &'call User,
        connection: Option<&'call Connection>,
    ) -> BoxFuture<'call, MethodResult<Option<BegunChallenge>>>;

    /// Removes all second factors of a user who has lost them, and ends all logins of the user. `details` are those of
    /// the audit log.
    fn reset<'call>(
        &'call self,
        user: &'call User,
        connection: Option<&'call Connection>,
        details: Value,
        proof: &'call Proof,
    ) -> BoxFuture<'call, MethodResult<()>>;
}

/// A challenge that waits for its code.
pub(crate) struct BegunChallenge {
    /// The secret by which the client names the challenge.
    pub(crate) id: String,
    pub(crate) method: TwoFactorMethod,
    /// What a passkey answers instead. `None` if the user has none.
    pub(crate) webauthn: Option<Value>,
}
