//! The dispatcher: counts a call against the rate limits, asks the gate, runs the handler. Every call passes here, from a
//! client, from another method, or from the application itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Instant;

use bolide_protocol::two_factor::TwoFactorCode;
use bolide_protocol::{DdpError, RawJson};
use tracing::Instrument as _;

use super::error::invalid_user;
use super::{
    AccessRequest, Admission, CallBatch, Context, Counted, CountedKind, GatedCall, HandlerFuture, Invocation,
    MethodError, MethodKind, Parameters, Requirement, TwoFactor, sanitize,
};
use crate::public_name::public_name;
use crate::spans;
use crate::user::UserId;

/// The outcome of a method: a result, no result, or an error.
pub(crate) type MethodOutcome = Result<Option<RawJson>, MethodError>;

/// Proof that the gate has admitted a call. Only the dispatcher makes one; a function that must not run without the gate
/// takes it as a parameter.
#[must_use = "without using it, nothing shows that the gate was asked"]
#[derive(Debug)]
pub struct Admitted(());

impl Invocation {
    /// Runs the call to its end, and returns what the client is told.
    pub(crate) async fn finish(self: Arc<Self>, parameters: Parameters) -> Result<Option<RawJson>, DdpError> {
        let ended = RunningMethod::start(Arc::clone(&self), parameters).await;
        ended.outcome.map_err(|error| self.sanitize(error))
    }

    /// Returns what the client is told of an error of this call.
    pub(crate) fn sanitize(&self, error: MethodError) -> DdpError {
        sanitize(error, "method", &self.method.name, &self.core.random_id())
    }

    /// Starts the call: limits, gate, handler.
    pub(super) fn run(self: &Arc<Self>, parameters: Parameters) -> HandlerFuture {
        if let Err(refusal) = self.count() {
            return Box::pin(std::future::ready(Err(refusal)));
        }
        if self.is_from_client() && self.core.gate.restricts_users() {
            let own = Arc::clone(self);
            return Box::pin(async move {
                own.ask_for_restriction().await?;
                own.run_unrestricted(parameters).await
            });
        }
        self.run_unrestricted(parameters)
    }

    fn run_unrestricted(self: &Arc<Self>, mut parameters: Parameters) -> HandlerFuture {
        match self.method.policy {
            TwoFactor::None => start(self, parameters),
            TwoFactor::Required(requirement) => {
                self.keep_code_of(&mut parameters);
                Box::pin(Arc::clone(self).run_gated(requirement, parameters))
            }
            TwoFactor::OnDemand(_) => {
                self.keep_code_of(&mut parameters);
                start(self, parameters)
            }
        }
    }

    /// Asks the gate while the handler runs. A code that the handler has found takes precedence over the one that came
    /// with the call.
    pub(crate) async fn demand(&self, found: Option<TwoFactorCode>) -> Result<Admitted, MethodError> {
        let requirement = self.method.policy.requirement().ok_or_else(|| self.demands_unannounced())?;
        self.meet(requirement, found).await?;
        Ok(Admitted(()))
    }

    /// The same for a requirement that is stricter than that of the policy.
    #[cfg(feature = "accounts")]
    pub(crate) async fn demand_more(
        &self,
        requirement: Requirement,
        found: Option<TwoFactorCode>,
    ) -> Result<Admitted, MethodError> {
        self.method.policy.requirement().ok_or_else(|| self.demands_unannounced())?;
        self.meet(requirement, found).await?;
        Ok(Admitted(()))
    }

    /// A method whose policy is open is given the code as a parameter, so it cannot be asked for one.
    fn demands_unannounced(&self) -> MethodError {
        let name = &self.method.name;
        MethodError::internal(format!("the method `{name}` demands a second factor without saying so in its policy"))
    }

    async fn run_gated(self: Arc<Self>, requirement: Requirement, parameters: Parameters) -> MethodOutcome {
        self.meet(requirement, None).await?;
        start(&self, parameters).await
    }

    /// Takes the code out of the parameters and keeps it. The body of an endpoint has none: its code is in headers.
    fn keep_code_of(&self, parameters: &mut Parameters) {
        let is_method = self.method.kind == MethodKind::Method;
        self.keep_code(if is_method { parameters.take_two_factor_code() } else { None });
    }

    /// Asks the gate unless what it has admitted the call for covers the requirement.
    async fn meet(&self, requirement: Requirement, found: Option<TwoFactorCode>) -> Result<(), MethodError> {
        if self.has_met(&requirement) {
            return Ok(());
        }
        let code = found.or_else(|| self.kept_code());
        let admission = self.ask_gate(requirement, code.as_ref()).await?;
        self.note_admission(requirement, admission);
        Ok(())
    }

    async fn ask_gate(&self, requirement: Requirement, code: Option<&TwoFactorCode>) -> Result<Admission, MethodError> {
        let user = self.user().ok_or_else(|| invalid_user("twoFactorRequired"))?;
        let call = GatedCall {
            method: &self.method.name,
            requirement,
            user: &user,
            connection: self.connection.as_ref(),
            code,
        };
        Ok(self.core.gate.check(call).await?)
    }

    /// Asks the gate whether this user is restricted to setting up a second factor.
    async fn ask_for_restriction(&self) -> Result<(), MethodError> {
        let Some(user) = self.user() else { return Ok(()) };
        Ok(self.core.gate.check_user(AccessRequest::method(&user, &self.method)).await?)
    }

    /// Counts a call that a client makes. REST endpoints have limits of their own.
    fn count(&self) -> Result<(), MethodError> {
        let Some(connection) = self.connection.as_ref().filter(|_| self.is_from_client()) else { return Ok(()) };
        if self.core.rate_limiter.is_empty() || self.method.kind != MethodKind::Method {
            return Ok(());
        }
        let user = self.user();
        let counted = Counted { kind: CountedKind::Method, name: &self.method.name, user: user.as_ref(), connection };
        Ok(self.core.count_limited(&counted)?)
    }
}

fn start(invocation: &Arc<Invocation>, mut parameters: Parameters) -> HandlerFuture {
    // The gate, which was asked before, needs none of them: a code is plain JSON.
    parameters.set_types(&invocation.core.types);
    if let Some(declared) = invocation.method.declared {
        parameters.drop_spares(declared);
    }
    let context = Context::new(Arc::clone(invocation), parameters.len());
    match guarded(|| invocation.method.start(context, parameters)) {
        Ok(running) => running,
        Err(panic) => Box::pin(std::future::ready(Err(panic))),
    }
}

/// A running method. It ends with the method's outcome; a panic is an internal error.
pub(crate) struct RunningMethod {
    invocation: Arc<Invocation>,
    since: Instant,
    future: HandlerFuture,
}

/// The end of a method.
pub(crate) struct EndedMethod {
    pub(crate) outcome: MethodOutcome,
    pub(crate) at: Instant,
}

impl RunningMethod {
    /// Starts the call.
    pub(crate) fn start(invocation: Arc<Invocation>, parameters: Parameters) -> Self {
        Self::start_at(Instant::now(), invocation, parameters)
    }

    /// Starts the call. Its duration is counted from `since`, a moment ago at most.
    pub(crate) fn start_at(since: Instant, invocation: Arc<Invocation>, parameters: Parameters) -> Self {
        let mut future = invocation.run(parameters);
        if spans::are_wanted() {
            future = traced(&invocation, future);
        }
        Self { invocation, since, future }
    }

    pub(crate) fn invocation(&self) -> &Invocation {
        &self.invocation
    }

    pub(crate) fn into_invocation(self) -> Arc<Invocation> {
        self.invocation
    }

    /// Polls the call. When it ends, it is counted in `ended`.
    pub(crate) fn poll_in_batch(
        &mut self,
        ended: &mut CallBatch,
        context: &mut task::Context<'_>,
    ) -> Poll<EndedMethod> {
        let outcome = match guarded(|| self.future.as_mut().poll(context)) {
            Ok(poll) => task::ready!(poll),
            Err(panic) => Err(panic),
        };
        let at = Instant::now();
        let (invocation, took) = (&self.invocation, at.duration_since(self.since));
        ended.count(&invocation.method, took, &outcome);
        #[cfg(feature = "accounts")]
        invocation.core.slow_calls.note(invocation, took);
        Poll::Ready(EndedMethod { outcome, at })
    }
}

impl Future for RunningMethod {
    type Output = EndedMethod;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<EndedMethod> {
        self.poll_in_batch(&mut CallBatch::default(), context)
    }
}

/// Runs a call in a span.
#[cold]
fn traced(invocation: &Invocation, future: HandlerFuture) -> HandlerFuture {
    let session = invocation.connection.as_ref().filter(|own| own.is_session()).map(|own| public_name(own.id()));
    let user = invocation.user();
    let span = spans::call(&invocation.method.name, session.as_deref(), user.as_ref().map(UserId::as_str));
    let ending = span.clone();
    let ended = async move {
        let outcome = future.await;
        spans::end(&ending, outcome.as_ref().map_or_else(|error| error.failure().as_str(), |_| "ok"));
        outcome
    };
    Box::pin(ended.instrument(span))
}

/// Runs code of the application. A panic in it becomes an internal error.
pub(crate) fn guarded<Output>(code: impl FnOnce() -> Output) -> Result<Output, MethodError> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "of unknown kind".into());
        MethodError::internal(format!("panic: {message}"))
    })
}
