//! [`MethodHandler`]: a plain async function that takes [`Context`] or [`SignedIn`], then up to eight typed parameters.

use std::any::Any;
use std::marker::PhantomData;
use std::pin::Pin;

use bolide_protocol::{DdpError, RawJson, ejson};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::invalid_user;
use super::{Context, MethodError, MethodOutcome, MethodResult, Parameters, SignedIn};

/// A running handler.
pub type HandlerFuture = Pin<Box<dyn Future<Output = MethodOutcome> + Send>>;

/// An async function that can be a method.
///
/// ```
/// use bolide::prelude::*;
///
/// async fn add(_: Context, a: f64, b: f64) -> MethodResult<f64> {
///     Ok(a + b)
/// }
///
/// async fn whoami(me: SignedIn) -> MethodResult<UserId> {
///     Ok(me.user().clone())
/// }
///
/// let app = App::builder()
///     .method("add", TwoFactor::none(), add)
///     .method("whoami", TwoFactor::none(), whoami)
///     .build()?;
/// # Ok::<(), bolide::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a method handler",
    label = "not a method handler",
    note = "a method handler is an `async fn` whose first parameter is `Context` or `SignedIn`",
    note = "up to eight further parameters, each of a type that implements `serde::Deserialize`",
    note = "it returns `MethodResult<T>`, where `T` implements `serde::Serialize`",
    note = "a function that blocks the thread is wrapped: `bolide::call::blocking(function)`"
)]
pub trait MethodHandler<Signature>: Send + Sync + 'static {
    /// Who may call the method.
    const CALLER: CallerKind;

    /// The number of parameters that it declares. `None` if it takes any parameters.
    const DECLARED: Option<usize>;

    /// Reads the parameters and starts the handler.
    fn call(&self, context: Context, parameters: Parameters) -> HandlerFuture;
}

/// A function that blocks its thread, and becomes a method by [`blocking`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a blocking handler",
    label = "not a blocking handler",
    note = "a blocking handler is a plain `fn` (not `async`) whose first parameter is `Context` or `SignedIn`, and \
            which returns `MethodResult<T>`"
)]
pub trait BlockingHandler<Signature>: Send + Sync + 'static {
    /// Who may call the method.
    const CALLER: CallerKind;

    /// The number of parameters that it declares.
    const DECLARED: Option<usize>;

    /// Reads the parameters and starts the handler on a thread for blocking work.
    fn call(&self, context: Context, parameters: Parameters) -> HandlerFuture;
}

/// Who may call a method, as its first parameter declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallerKind {
    /// Any caller: the handler takes a [`Context`].
    Anyone,
    /// A user who is signed in: the handler takes a [`SignedIn`].
    SignedIn,
}

/// The first parameter of a handler.
#[diagnostic::on_unimplemented(
    message = "a handler's first parameter is `Context` or `SignedIn`, not `{Self}`",
    label = "neither `Context` nor `SignedIn`"
)]
pub trait CallerArgument: Sized + Send + 'static {
    /// Who may call the method.
    const KIND: CallerKind;

    /// Makes the argument from the call's context.
    ///
    /// # Errors
    /// Returns `error-invalid-user` if the method needs a signed-in user and the caller is anonymous.
    fn from_context(context: Context) -> Result<Self, DdpError>;
}

/// Makes a method of a function that blocks. It runs on a thread for blocking work and does not hold up async tasks.
///
/// ```
/// use bolide::call::blocking;
/// use bolide::prelude::*;
///
/// fn checksum(_: Context, path: String) -> MethodResult<usize> {
///     Ok(std::fs::read(path)?.len())
/// }
///
/// let app = App::builder().method("checksum", TwoFactor::none(), blocking(checksum)).build()?;
/// # Ok::<(), bolide::Error>(())
/// ```
pub fn blocking<Function, Signature>(function: Function) -> Blocking<Function>
where
    Function: BlockingHandler<Signature>,
{
    Blocking(function)
}

/// A function that blocks, wrapped by [`blocking`].
#[derive(Clone, Copy, Debug)]
pub struct Blocking<Function>(Function);

/// Marks the signature of a function behind [`blocking`].
#[derive(Debug)]
pub struct BlockingSignature<Signature>(PhantomData<Signature>);

#[diagnostic::do_not_recommend]
impl<Function, Signature> MethodHandler<BlockingSignature<Signature>> for Blocking<Function>
where
    Function: BlockingHandler<Signature>,
{
    const CALLER: CallerKind = Function::CALLER;
    const DECLARED: Option<usize> = Function::DECLARED;

    fn call(&self, context: Context, parameters: Parameters) -> HandlerFuture {
        self.0.call(context, parameters)
    }
}

/// Marks the signature of a function that takes all parameters untyped, as [`Parameters`].
#[derive(Debug)]
pub struct AnyParameters<Caller>(PhantomData<Caller>);

impl<Function, Caller, Running, Output> MethodHandler<AnyParameters<Caller>> for Function
where
    Function: FnOnce(Caller, Parameters) -> Running + Clone + Send + Sync + 'static,
    Caller: CallerArgument,
    Running: Future<Output = MethodResult<Output>> + Send + 'static,
    Output: Serialize + 'static,
{
    const CALLER: CallerKind = Caller::KIND;
    const DECLARED: Option<usize> = None;

    fn call(&self, context: Context, parameters: Parameters) -> HandlerFuture {
        match Caller::from_context(context) {
            Ok(caller) => encoded(self.clone()(caller, parameters)),
            Err(error) => failed(error),
        }
    }
}

macro_rules! handlers {
    ($declared:literal; $($parameter:ident $value:ident $index:literal),*) => {
        #[diagnostic::do_not_recommend]
        impl<Function, Caller, $($parameter,)* Running, Output> MethodHandler<(Caller, $($parameter,)*)> for Function
        where
            Function: FnOnce(Caller, $($parameter),*) -> Running + Clone + Send + Sync + 'static,
            Caller: CallerArgument,
            $($parameter: DeserializeOwned,)*
            Running: Future<Output = MethodResult<Output>> + Send + 'static,
            Output: Serialize + 'static,
        {
            const CALLER: CallerKind = Caller::KIND;
            const DECLARED: Option<usize> = Some($declared);

            fn call(&self, context: Context, parameters: Parameters) -> HandlerFuture {
                if parameters.len() > $declared {
                    return failed(DdpError::match_failed());
                }
                let start = || Ok(self.clone()(Caller::from_context(context)?, $(parameters.get::<$parameter>($index)?),*));
                match start() {
                    Ok(running) => encoded(running),
                    Err(error) => failed(error),
                }
            }
        }

        #[diagnostic::do_not_recommend]
        impl<Function, Caller, $($parameter,)* Output> BlockingHandler<(Caller, $($parameter,)*)> for Function
        where
            Function: FnOnce(Caller, $($parameter),*) -> MethodResult<Output> + Clone + Send + Sync + 'static,
            Caller: CallerArgument,
            $($parameter: DeserializeOwned + Send + 'static,)*
            Output: Serialize + 'static,
        {
            const CALLER: CallerKind = Caller::KIND;
            const DECLARED: Option<usize> = Some($declared);

            fn call(&self, context: Context, parameters: Parameters) -> HandlerFuture {
                if parameters.len() > $declared {
                    return failed(DdpError::match_failed());
                }
                let function = self.clone();
                let read = || Ok((Caller::from_context(context)?, $(parameters.get::<$parameter>($index)?,)*));
                match read() {
                    Ok((caller, $($value,)*)) => on_blocking_thread(move || function(caller, $($value),*)),
                    Err(error) => failed(error),
                }
            }
        }
    };
}

handlers!(0;);
handlers!(1; P1 p1 0);
handlers!(2; P1 p1 0, P2 p2 1);
handlers!(3; P1 p1 0, P2 p2 1, P3 p3 2);
handlers!(4; P1 p1 0, P2 p2 1, P3 p3 2, P4 p4 3);
handlers!(5; P1 p1 0, P2 p2 1, P3 p3 2, P4 p4 3, P5 p5 4);
handlers!(6; P1 p1 0, P2 p2 1, P3 p3 2, P4 p4 3, P5 p5 4, P6 p6 5);
handlers!(7; P1 p1 0, P2 p2 1, P3 p3 2, P4 p4 3, P5 p5 4, P6 p6 5, P7 p7 6);
handlers!(8; P1 p1 0, P2 p2 1, P3 p3 2, P4 p4 3, P5 p5 4, P6 p6 5, P7 p7 6, P8 p8 7);

impl CallerArgument for Context {
    const KIND: CallerKind = CallerKind::Anyone;

    fn from_context(context: Context) -> Result<Self, DdpError> {
        Ok(context)
    }
}

impl CallerArgument for SignedIn {
    const KIND: CallerKind = CallerKind::SignedIn;

    fn from_context(context: Context) -> Result<Self, DdpError> {
        let method = context.method_name().to_owned();
        Self::new(context).ok_or_else(|| invalid_user(&method))
    }
}

fn encoded<Output: Serialize + 'static>(
    running: impl Future<Output = MethodResult<Output>> + Send + 'static,
) -> HandlerFuture {
    Box::pin(async move { encode(&running.await?) })
}

fn on_blocking_thread<Output: Serialize + 'static>(
    work: impl FnOnce() -> MethodResult<Output> + Send + 'static,
) -> HandlerFuture {
    Box::pin(async move {
        let outcome = tokio::task::spawn_blocking(move || encode(&work()?)).await;
        outcome.unwrap_or_else(|failure| Err(MethodError::internal(failure)))
    })
}

fn failed(error: DdpError) -> HandlerFuture {
    Box::pin(std::future::ready(Err(error.into())))
}

/// Encodes the result for the client. `()` sends no result, as JavaScript's `undefined`; so does `None` of a method that
/// returns its results [raw](RawJson).
fn encode<Output: Serialize + 'static>(output: &Output) -> MethodOutcome {
    if (output as &dyn Any).is::<()>() {
        return Ok(None);
    }
    if let Some(raw) = (output as &dyn Any).downcast_ref::<Option<RawJson>>() {
        return Ok(raw.clone());
    }
    Ok(Some(ejson::to_raw(output)?))
}
