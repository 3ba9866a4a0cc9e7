//! [`Call`]: one method call, before it is made and while it waits for its result.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use bolide_protocol::RawJson;
use bolide_protocol::ejson::{self, CustomTypes, EncodeError};
use bolide_protocol::two_factor::TwoFactorCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::CallError;
use super::options::Resend;
use super::shared::ClientInner;
use super::state::{Outcome, Purpose, Request};
use super::two_factor::{Subject, prove};

/// A method call that is made when it is awaited, see [`Client::call`](super::Client::call).
#[must_use = "a call is made when it is awaited"]
pub struct Call<Output> {
    client: Arc<ClientInner>,
    method: String,
    params: Result<RawJson, EncodeError>,
    resend: Resend,
    asks: bool,
    output: PhantomData<fn() -> Output>,
}

impl<Output: DeserializeOwned> Call<Output> {
    pub(super) fn new(client: Arc<ClientInner>, method: &str, params: &impl Serialize) -> Self {
        let (method, params) = (method.to_owned(), as_array(params));
        Self { client, method, params, resend: Resend::default(), asks: true, output: PhantomData }
    }

    /// Sets whether the call is sent again if the connection is lost before its result arrives. Default:
    /// [`Resend::SameSession`].
    pub fn resend(mut self, resend: Resend) -> Self {
        self.resend = resend;
        self
    }

    /// Makes the call fail with the server's challenge instead of prompting for the second factor.
    pub fn without_prompt(mut self) -> Self {
        self.asks = false;
        self
    }

    async fn run(self) -> Result<Output, CallError> {
        let result = self.outcome().await?.unwrap_or(RawJson::null());
        ejson::from_raw(&result, &CustomTypes::default()).map_err(CallError::Result)
    }

    /// Makes the call and returns its result as EJSON text, or `None` if the method returns nothing.
    ///
    /// # Errors
    /// Returns the errors of the call itself, except [`CallError::Result`].
    pub async fn outcome(self) -> Result<Option<RawJson>, CallError> {
        let params = self.params.map_err(CallError::Parameters)?;
        let prompter = self.client.prompter.as_ref().filter(|_| self.asks);
        let (client, method, resend) = (&*self.client, &*self.method, self.resend);
        if prompter.is_none() {
            let request = Request { method, params, resend, carries_code: false, purpose: Purpose::Any };
            return make(client, request).await;
        }
        let subject = Subject::Method(self.method.clone());
        prove(prompter, &subject, |code| {
            let carries_code = code.is_some();
            let params = with_code(params.clone(), code.as_ref().map(|proof| &proof.code));
            async move {
                let params = params.map_err(CallError::Parameters)?;
                make(client, Request { method, params, resend, carries_code, purpose: Purpose::Any }).await
            }
        })
        .await
    }
}

impl<Output: DeserializeOwned + 'static> IntoFuture for Call<Output> {
    type Output = Result<Output, CallError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<Output> fmt::Debug for Call<Output> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Passwords and codes are parameters.
        formatter.debug_struct("Call").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Makes one call and waits for its result. If the future is dropped, the result is ignored, and a call that was not
/// sent yet is not sent.
pub(super) async fn make(client: &ClientInner, request: Request<'_>) -> Outcome {
    // The semaphore is never closed.
    let _slot = client.call_slots.acquire().await.map_err(|_closed| CallError::Closed(None))?;
    let (id, answer) = client.state().call(&request)?;
    let mut waiting = Waiting { client, id, is_answered: false };
    let outcome = answer.await;
    waiting.is_answered = true;
    outcome.unwrap_or(Err(CallError::Closed(None)))
}

struct Waiting<'client> {
    client: &'client ClientInner,
    id: u64,
    is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.client.state().forget_call(self.id);
        }
    }
}

/// Encodes parameters as an array. `()` becomes an empty one.
pub(super) fn as_array(params: &impl Serialize) -> Result<RawJson, EncodeError> {
    let params = ejson::to_raw(params)?;
    match params.get().trim_start().as_bytes().first() {
        Some(b'[') => Ok(params),
        _ if params.get() == "null" => ejson::to_raw::<[(); 0]>(&[]),
        _ => Err(serde::ser::Error::custom("the parameters must be a tuple, an array, a Vec or ()")),
    }
}

/// Returns the parameters with a second-factor code appended.
pub(super) fn with_code(params: RawJson, code: Option<&TwoFactorCode>) -> Result<RawJson, EncodeError> {
    let Some(code) = code else { return Ok(params) };
    let mut all = params.elements().unwrap_or_default();
    all.push(ejson::to_raw(&code.to_parameter())?);
    ejson::to_raw(&all)
}
