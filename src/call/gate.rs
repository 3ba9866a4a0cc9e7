//! [`Gate`]: the port that the dispatcher asks before the handler of a gated method runs.

use std::fmt;
use std::pin::Pin;

use bolide_protocol::DdpError;
use bolide_protocol::two_factor::{TwoFactorCode, TwoFactorMethod};

use super::{Connection, Method, Requirement};
use crate::user::UserId;

/// The decision of a gate about a call.
pub type GateFuture<'call> = Pin<Box<dyn Future<Output = Result<Admission, DdpError>> + Send + 'call>>;

/// The decision of a gate about a user.
pub type AccessFuture<'call> = Pin<Box<dyn Future<Output = Result<(), DdpError>> + Send + 'call>>;

/// Why a gate has admitted a call. It decides what calls that are made from it are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// The caller meets the requirement without a code, such as a trusted client or a bypass token. A nested call whose
    /// policy requires more is asked again.
    Excused,
    /// The caller has shown this factor in this call. A code of an app or of a mail meets every requirement, and is used
    /// up. The password meets the requirement of this call; a nested call whose policy requires more has it checked again.
    Shown(TwoFactorMethod),
}

/// Decides whether a gated call may go on.
///
/// ```
/// use bolide::call::{Admission, Gate, GateFuture, GatedCall};
/// use bolide::DdpError;
/// use bolide::protocol::two_factor::TwoFactorMethod;
///
/// /// Admits callers who know the word.
/// struct Password(&'static str);
///
/// impl Gate for Password {
///     fn check<'call>(&'call self, call: GatedCall<'call>) -> GateFuture<'call> {
///         let admitted = call.code.is_some_and(|shown| shown.code() == self.0);
///         Box::pin(async move {
///             let admission = Admission::Shown(TwoFactorMethod::Totp);
///             if admitted { Ok(admission) } else { Err(DdpError::totp_required(TwoFactorMethod::Totp)) }
///         })
///     }
/// }
/// ```
pub trait Gate: Send + Sync + 'static {
    /// Admits the call, or returns the error that the client receives.
    fn check<'call>(&'call self, call: GatedCall<'call>) -> GateFuture<'call>;

    /// Returns whether there may be users who are restricted to what [`check_user`](Self::check_user) admits. Called
    /// before every call of a client, so it must be cheap. Default: `false`.
    fn restricts_users(&self) -> bool {
        false
    }

    /// Admits a user to a method, an endpoint or a publication, gated or not, or returns the error that the client
    /// receives. Called only while [`restricts_users`](Self::restricts_users) returns `true`.
    fn check_user<'call>(&'call self, _: AccessRequest<'call>) -> AccessFuture<'call> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The request of a signed-in user to call a method or an endpoint, or to subscribe to a publication.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AccessRequest<'call> {
    /// The user.
    pub user: &'call UserId,
    /// The kind of what is requested.
    pub kind: AccessKind,
    /// The name of the method or publication, or the path of the endpoint.
    pub name: &'call str,
    /// Whether it was registered as open to users who must set up a second factor first.
    pub open_to_enrolment: bool,
}

/// The kind of what a user requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessKind {
    /// A call of a method or an endpoint.
    Method,
    /// A subscription to a publication.
    Publication,
}

impl<'call> AccessRequest<'call> {
    pub(crate) fn method(user: &'call UserId, method: &'call Method) -> Self {
        Self { user, kind: AccessKind::Method, name: &method.name, open_to_enrolment: method.open_to_enrolment }
    }

    pub(crate) const fn publication(user: &'call UserId, name: &'call str, open_to_enrolment: bool) -> Self {
        Self { user, kind: AccessKind::Publication, name, open_to_enrolment }
    }
}

/// A gated call, as a gate sees it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct GatedCall<'call> {
    /// The name of the method.
    pub method: &'call str,
    /// The requirement of the method's policy.
    pub requirement: Requirement,
    /// The user who calls.
    pub user: &'call UserId,
    /// The connection of the call. `None` if the application makes the call itself.
    pub connection: Option<&'call Connection>,
    /// The two-factor code in the last parameter, if the client sent one.
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

/// The gate of an app without accounts and without a gate of its own: it refuses every gated call.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClosedGate;

impl Gate for ClosedGate {
    fn check<'call>(&'call self, _: GatedCall<'call>) -> GateFuture<'call> {
        Box::pin(std::future::ready(Err(DdpError::totp_required(TwoFactorMethod::Totp))))
    }
}
