//! [`PublicationHandler`]: an async function with a [`Subscription`] and up to eight typed parameters.

use std::marker::PhantomData;
use std::pin::Pin;

use bolide_protocol::DdpError;
use serde::de::DeserializeOwned;

use super::Subscription;
use crate::call::{MethodResult, Parameters};

/// A running publication handler.
pub type PublishFuture = Pin<Box<dyn Future<Output = MethodResult<()>> + Send>>;

/// An async function that can be registered as a publication.
///
/// It sends documents with the [`Subscription`]. When it returns and has dropped the subscription, the client receives
/// `ready`. If it fails, its documents are removed and the client receives the error.
///
/// ```
/// use bolide::prelude::*;
///
/// #[derive(serde::Serialize)]
/// struct Greeting { text: String }
///
/// async fn greetings(subscription: Subscription, name: String) -> MethodResult<()> {
///     subscription.added("greetings", "1", &Greeting { text: format!("Hello {name}") }).await
/// }
///
/// let app = App::builder().publish("greetings", greetings).build()?;
/// # Ok::<(), bolide::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a publication: it is not a publication handler",
    label = "not a publication handler",
    note = "a publication handler is an `async fn` whose first parameter is `Subscription`",
    note = "up to eight further parameters, each of a type that implements `serde::Deserialize`",
    note = "it returns `MethodResult<()>`"
)]
pub trait PublicationHandler<Signature>: Send + Sync + 'static {
    /// The number of declared parameters, or `None` if the handler accepts any.
    const DECLARED: Option<usize>;

    /// Reads the parameters and starts the handler.
    fn publish(&self, subscription: Subscription, parameters: Parameters) -> PublishFuture;
}

/// Marks the signature of a publication that accepts all parameters untyped.
#[derive(Debug)]
pub struct AnyPublishParameters(PhantomData<()>);

impl<Function, Running> PublicationHandler<AnyPublishParameters> for Function
where
    Function: FnOnce(Subscription, Parameters) -> Running + Clone + Send + Sync + 'static,
    Running: Future<Output = MethodResult<()>> + Send + 'static,
{
    const DECLARED: Option<usize> = None;

    fn publish(&self, subscription: Subscription, parameters: Parameters) -> PublishFuture {
        Box::pin(self.clone()(subscription, parameters))
    }
}

macro_rules! publication_handlers {
    ($declared:literal; $($parameter:ident $index:literal),*) => {
        #[diagnostic::do_not_recommend]
        impl<Function, $($parameter,)* Running> PublicationHandler<(Subscription, $($parameter,)*)> for Function
        where
            Function: FnOnce(Subscription, $($parameter),*) -> Running + Clone + Send + Sync + 'static,
            $($parameter: DeserializeOwned,)*
            Running: Future<Output = MethodResult<()>> + Send + 'static,
        {
            const DECLARED: Option<usize> = Some($declared);

            fn publish(&self, subscription: Subscription, parameters: Parameters) -> PublishFuture {
                if parameters.len() > $declared {
                    return failed(DdpError::match_failed());
                }
                let start = || Ok(self.clone()(subscription, $(parameters.get::<$parameter>($index)?),*));
                match start() {
                    Ok(running) => Box::pin(running),
                    Err(error) => failed(error),
                }
            }
        }
    };
}

publication_handlers!(0;);
publication_handlers!(1; P1 0);
publication_handlers!(2; P1 0, P2 1);
publication_handlers!(3; P1 0, P2 1, P3 2);
publication_handlers!(4; P1 0, P2 1, P3 2, P4 3);
publication_handlers!(5; P1 0, P2 1, P3 2, P4 3, P5 4);
publication_handlers!(6; P1 0, P2 1, P3 2, P4 3, P5 4, P6 5);
publication_handlers!(7; P1 0, P2 1, P3 2, P4 3, P5 4, P6 5, P7 6);
publication_handlers!(8; P1 0, P2 1, P3 2, P4 3, P5 4, P6 5, P7 6, P8 7);

fn failed(error: DdpError) -> PublishFuture {
    Box::pin(std::future::ready(Err(error.into())))
}
