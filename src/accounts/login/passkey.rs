//! Logins by a passkey alone: `login({ webauthn: assertion })`. The passkey says which user it is and has verified the user,
//! so it is both factors.

use bolide_protocol::DdpError;
use bolide_protocol::ejson::Object;

use super::{Attempt, Login, LoginResult, wrong_credentials};
use crate::accounts::blocks::{Begun, LoginOrigin};
use crate::accounts::login_attempt::LoginAttempt;
use crate::call::{Connection, MethodResult};

/// The kind of the logins.
pub(super) const KIND: &str = "passkey";

impl Login {
    pub(super) async fn log_in_by_passkey(
        &self,
        shown: &mut LoginAttempt,
        options: &Object,
        assertion: &str,
        connection: Option<&Connection>,
    ) -> MethodResult<LoginResult> {
        if options.len() > 1 {
            return Err(DdpError::match_failed().into());
        }
        let origin = LoginOrigin::new(None, None, connection);
        let attempt = Attempt { shown, connection, code: None, origin, has_shown_both: true };
        let counted = match self.blocks.begin_as_typed(&attempt.origin).await? {
            Begun::Open(refusal) => return Err(self.refuse_blocked(&attempt, refusal).await),
            Begun::Counted(login) => Some(login),
            Begun::Silent => None,
        };
        match self.second_factor.recognize_passkey(assertion, connection).await {
            Ok(Some(user)) => self.admit_found(attempt, counted, &user.id.clone(), Some(user)).await,
            Ok(None) => Err(self.refuse(attempt, None, wrong_credentials()).await),
            Err(error) => {
                // It was not checked.
                self.refund_undecided(counted).await?;
                Err(error)
            }
        }
    }
}
