//! [`Gate`]: asked by the dispatcher before the handler of a gated method runs.

use std::fmt;
use std::pin::Pin;

use bolide_protocol::DdpError;
use bolide_protocol::two_factor::TwoFactorCode;

use super::{Connection, Requirement, details};
use crate::user::UserId;

/// What a gate answers with, once it has made up its mind.
pub type GateFuture<'call> = Pin<Box<dyn Future<Output = Result<(), DdpError>> + Send + 'call>>;

/// Decides whether a gated call may go on.
///
/// ```
/// use bolide::call::{Gate, GateFuture, GatedCall};
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

    /// Whether there may be users who can do nothing yet but what [`check_user`](Self::check_user) lets them. Asked before
    /// every call of a client's, so it should cost next to nothing. Default: there are none.
    fn restricts_users(&self) -> bool {
        false
    }

    /// Admits what a user wants, gated or not, or says with which error it fails. Asked only while
    /// [`restricts_users`](Self::restricts_users) says so.
    fn check_user<'call>(&'call self, _: Errand<'call>) -> GateFuture<'call> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What somebody who is signed in wants, gated or not.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Errand<'call> {
    /// Who.
    pub user: &'call UserId,
    /// Whether it is a method or a publication.
    pub kind: ErrandKind,
    /// The name of it.
    pub name: &'call str,
}

/// What a user can want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrandKind {
    /// To call a method, or an endpoint by its path.
    Method,
    /// To subscribe to a publication.
    Publication,
}

impl<'call> Errand<'call> {
    pub(crate) const fn method(user: &'call UserId, name: &'call str) -> Self {
        Self { user, kind: ErrandKind::Method, name }
    }

    pub(crate) const fn publication(user: &'call UserId, name: &'call str) -> Self {
        Self { user, kind: ErrandKind::Publication, name }
    }
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
