//! The first parameter of a handler: [`Context`] for any caller, [`SignedIn`] for a user who is signed in.

use std::fmt;
use std::sync::Arc;

use bolide_protocol::two_factor::TwoFactorCode;
use bolide_protocol::{DdpError, RawJson, ejson};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Admitted, App, AppCore, Connection, Identity, Invocation, Method, MethodError, MethodResult, Parameters};
#[cfg(feature = "accounts")]
use super::{MethodKind, Requirement};
use crate::user::UserId;

/// The circumstances of a call: its connection, its user, the app. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    invocation: Arc<Invocation>,
    argument_count: usize,
}

/// The circumstances of a call by a user who is signed in: a [`Context`] and the user.
///
/// ```
/// use bolide::prelude::*;
///
/// struct Shop {
///     greeting: &'static str,
/// }
///
/// async fn greet(me: SignedIn) -> MethodResult<String> {
///     Ok(format!("{} {}", me.state::<Shop>()?.greeting, me.user()))
/// }
///
/// let app = App::builder().state(Shop { greeting: "Hello" }).method("greet", TwoFactor::none(), greet).build()?;
/// # Ok::<(), bolide::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SignedIn {
    context: Context,
    user: UserId,
}

impl Context {
    pub(crate) fn new(invocation: Arc<Invocation>, argument_count: usize) -> Self {
        Self { invocation, argument_count }
    }

    /// Returns the app, for calls and writes of its own.
    #[must_use]
    pub fn app(&self) -> App {
        App::of(Arc::clone(&self.invocation.core))
    }

    #[cfg(feature = "accounts")]
    pub(crate) fn core(&self) -> &Arc<AppCore> {
        &self.invocation.core
    }

    /// Returns what [`AppBuilder::state`](crate::AppBuilder::state) keeps of this type.
    ///
    /// # Errors
    /// Returns an internal error if the app was built without state of the type `T`.
    pub fn state<T: Send + Sync + 'static>(&self) -> MethodResult<&T> {
        state(&self.invocation.core)
    }

    /// Returns the name of the method that runs.
    #[must_use]
    pub fn method_name(&self) -> &str {
        self.invocation.method_name()
    }

    #[cfg(feature = "accounts")]
    pub(crate) fn method_kind(&self) -> MethodKind {
        self.invocation.method_kind()
    }

    /// Returns the number of parameters that the handler was given. The two-factor code, and what clients append to every
    /// call, do not count.
    #[must_use]
    pub fn argument_count(&self) -> usize {
        self.argument_count
    }

    /// Returns the user who is signed in now. `None` if the caller is anonymous.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        self.invocation.user()
    }

    /// Returns the connection. `None` if the application makes the call itself.
    #[must_use]
    pub fn connection(&self) -> Option<&Connection> {
        self.invocation.connection.as_ref()
    }

    /// Signs a user in on this connection, or out with `None`. All subscriptions of the connection run again for the new
    /// user, and the client is sent the difference. Nothing runs again if this user is signed in already.
    ///
    /// # Errors
    /// Returns an internal error after [`unblock`](Self::unblock), in a call that a publication makes, and in one that does
    /// not come from a session.
    pub async fn set_user_id(&self, user: Option<UserId>) -> MethodResult<()> {
        if self.invocation.is_unblocked() {
            return Err(MethodError::internal(
                "Can't call setUserId in a method after calling unblock, or that a publication calls",
            ));
        }
        let changing = self.connection().and_then(|on| on.change_identity(Identity::without_login(user.clone())));
        let Some(changing) = changing else {
            return Err(MethodError::internal("Can't call setUserId on a server initiated method call"));
        };
        changing.await;
        self.invocation.become_user(user);
        Ok(())
    }

    /// Signs in with the token of a login. A single HTTP request has no session to sign in on; the call goes on as that
    /// user.
    #[cfg(feature = "accounts")]
    pub(crate) async fn sign_in(&self, identity: Identity) -> MethodResult<()> {
        if let Some(changing) = self.connection().and_then(|connection| connection.change_identity(identity.clone())) {
            if self.invocation.is_unblocked() {
                return Err(MethodError::internal(
                    "a login must come before unblock, and not in a call that a publication makes",
                ));
            }
            changing.await;
        }
        self.invocation.become_user(identity.user);
        Ok(())
    }

    /// Lets the client's next messages run while this method goes on.
    pub fn unblock(&self) {
        self.invocation.unblock();
    }

    /// Calls another method, as the same user on the same connection. If the gate has admitted this call, it is asked
    /// again only if the other method's policy requires more than what this call was admitted for: a code of an app or a
    /// mail meets every policy, a trusted client only what admits trusted clients.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// async fn double(context: Context, number: f64) -> MethodResult<f64> {
    ///     context.call("add", &(number, number)).await
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of the other method, and 404 if there is no method of this name.
    pub async fn call<Output: DeserializeOwned>(
        &self,
        method: &str,
        parameters: &(impl Serialize + Sync),
    ) -> MethodResult<Output> {
        let parameters = Parameters::from_values(parameters)?;
        let result = self.call_raw(method, parameters).await?.unwrap_or_else(RawJson::null);
        Ok(ejson::from_raw(&result, &self.invocation.core.types)?)
    }

    /// Calls another method with parameters that are not yet typed; see [`call`](Self::call).
    ///
    /// # Errors
    /// Returns the errors of the other method, and 404 if there is no method of this name.
    pub async fn call_raw(&self, method: &str, parameters: Parameters) -> MethodResult<Option<RawJson>> {
        Invocation::nested(&self.invocation, self.find(method)?).run(parameters).await
    }

    /// Returns whether there is a gated method of this name.
    #[cfg(feature = "accounts")]
    pub(crate) fn is_gated(&self, method: &str) -> bool {
        self.find(method).is_ok_and(|method| method.policy.requirement().is_some())
    }

    /// Calls a method that the client named, as if it had called it itself: limits and the gate apply.
    #[cfg(feature = "accounts")]
    pub(crate) async fn call_for_client(&self, method: &str, parameters: Parameters) -> MethodResult<Option<RawJson>> {
        Invocation::nested_for_client(&self.invocation, self.find(method)?).run(parameters).await
    }

    fn find(&self, method: &str) -> Result<Arc<Method>, DdpError> {
        self.invocation.core.method(method)
    }

    /// Returns the next id of the call's random stream `stream`. A client that runs the method's stub draws the same ids.
    #[must_use]
    pub fn random_id(&self, stream: &str) -> String {
        self.invocation.with_random(|random| random.stream(stream).id())
    }

    /// Returns the id for a document that this call inserts into `collection`. The client's stub draws the same id.
    #[must_use]
    pub fn document_id(&self, collection: &str) -> String {
        self.invocation.with_random(|random| random.collection(collection).id())
    }
}

impl SignedIn {
    pub(crate) fn new(context: Context) -> Option<Self> {
        let user = context.user_id()?;
        Some(Self { context, user })
    }

    /// Returns the user who calls.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Returns the circumstances of the call.
    #[must_use]
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// Returns what [`AppBuilder::state`](crate::AppBuilder::state) keeps of this type, as [`Context::state`] does.
    ///
    /// # Errors
    /// Returns an internal error if the app was built without state of the type `T`.
    pub fn state<T: Send + Sync + 'static>(&self) -> MethodResult<&T> {
        self.context.state()
    }

    /// Asks the gate now, in a method whose policy is [`on_demand`](crate::call::Requirement::on_demand). The code is
    /// `found`, or else the one that came with the call. A caller who was admitted is not asked again in the same call.
    ///
    /// ```
    /// use bolide::prelude::*;
    ///
    /// async fn transfer(me: SignedIn, amount: f64) -> MethodResult<&'static str> {
    ///     if amount > 1000.0 {
    ///         let _admitted = me.demand_two_factor(None).await?;
    ///     }
    ///     Ok("done")
    /// }
    ///
    /// let app = App::builder().method("transfer", TwoFactor::required().on_demand(), transfer).build()?;
    /// # Ok::<(), bolide::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns the refusal of the gate. The handler passes it on, and the client repeats the call with a code. Returns an
    /// internal error in a method whose policy is not on demand.
    pub async fn demand_two_factor(&self, found: Option<TwoFactorCode>) -> MethodResult<Admitted> {
        self.context.invocation.demand(found).await
    }

    /// Asks the gate now for more than the method's policy requires, for a method that is gated or on demand.
    ///
    /// # Errors
    /// Returns the refusal of the gate, or an internal error in a method whose policy is open.
    #[cfg(feature = "accounts")]
    pub(crate) async fn demand_more(
        &self,
        requirement: Requirement,
        found: Option<TwoFactorCode>,
    ) -> MethodResult<Admitted> {
        self.context.invocation.demand_more(requirement, found).await
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Context")
            .field("method", &self.method_name())
            .field("user", &self.user_id())
            .finish_non_exhaustive()
    }
}

/// The application's state of one type; what other rooms keep in slots is of other types.
pub(crate) struct State<T>(pub(crate) T);

/// Returns the application's state of the type `T`.
pub(crate) fn state<T: Send + Sync + 'static>(core: &AppCore) -> MethodResult<&T> {
    let state = core.slot::<State<T>>().map(|state| &state.0);
    state.ok_or_else(|| {
        let missing = std::any::type_name::<T>();
        MethodError::internal(format!("the app has no state of the type `{missing}`; add it with `AppBuilder::state`"))
    })
}
