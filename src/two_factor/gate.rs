//! [`Gate`]: asked by the dispatcher before the handler of a gated method runs.

use std::fmt;
use std::pin::Pin;

use bolide_protocol::DdpError;
use bolide_protocol::two_factor::TwoFactorCode;

use super::Requirement;
use crate::connection::Connection;
use crate::method::details;
use crate::user::UserId;

/// What a gate answers with, once it has made up its mind.
pub type GateFuture<'call> = Pin<Box<dyn Future<Output = Result<(), DdpError>> + Send + 'call>>;

/// Decides whether a gated call may go on.
///
/// ```
/// use bolide::two_factor::{Gate, GateFuture, GatedCall};
/// use bolide::DdpError;
///
/// /// Admits whoever knows the word.
/// struct Password(&'static str);
///
/// impl Gate for Password {
///     fn check<'call>(&'call self, call: GatedCall<'call>) -> GateFuture<'call> {
///         let admitted = call.code.is_some_and(|shown| shown.code() == self.0);
///         Box::pin(async move {
///             if admitted { Ok(()) } else { Err(DdpError::new("totp-required", "TOTP Required")) }
///         })
///     }
/// }
/// ```
pub trait Gate: Send + Sync + 'static {
    /// Admits the call, or says with which error it fails.
    fn check<'call>(&'call self, call: GatedCall<'call>) -> GateFuture<'call>;
}

/// What a gate is told of a call.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct GatedCall<'call> {
    /// The method's name.
    pub method: &'call str,
    /// What the method demands.
    pub requirement: Requirement,
    /// Who calls.
    pub user: &'call UserId,
    /// Where the call comes from; nothing for a call that the application makes itself.
    pub connection: Option<&'call Connection>,
    /// The code in the last parameter, if there is one.
    pub code: Option<&'call TwoFactorCode>,
}

impl fmt::Debug for GatedCall<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GatedCall")
            .field("method", &self.method)
            .field("requirement", &self.requirement)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// The gate of an application that has not said how a second factor is shown: it admits nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClosedGate;

impl Gate for ClosedGate {
    fn check<'call>(&'call self, _: GatedCall<'call>) -> GateFuture<'call> {
        let refusal = DdpError::new("totp-required", "TOTP Required").with_details(details(&serde_json::json!({
            "method": "totp",
            "codeGenerated": false,
            "availableMethods": [],
        })));
        Box::pin(std::future::ready(Err(refusal)))
    }
}
