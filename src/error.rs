//! [`Error`]: why an app cannot be built, or cannot listen. [`UnknownOutcome`]: a change that may have been made or not.

use std::io;

/// Why an app cannot be built or served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The app is misconfigured.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The listener could not be opened.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The requested address.
        address: String,
        /// The error of the operating system.
        reason: io::Error,
    },
}

/// The source of an error after which it is not known whether a change was made: the connection to the store was lost before
/// it answered. A client whose method fails with such an error is told so, with the error code `outcome-unknown`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownOutcome(String);

impl UnknownOutcome {
    /// Creates the error with the reason, which clients do not see.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Why an app cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two methods have the same name.
    #[error("there are two methods named `{0}`; each name can be registered once")]
    DuplicateMethod(String),
    /// Two REST endpoints have the same verb and path.
    #[error("there are two endpoints at `{0}`; each path can be registered once for each verb")]
    DuplicateEndpoint(String),
    /// The path of a REST endpoint is malformed, or conflicts with another one.
    #[error(
        "the path `{path}` of an endpoint is rejected: {reason}; a path consists of parts such as `items` and `{{id}}`, and one that \
         changes has the same name in all paths"
    )]
    Endpoint {
        /// The path.
        path: String,
        /// Why it is rejected.
        reason: String,
    },
    /// Two publications have the same name.
    #[error("there are two publications named `{0}`; each name can be registered once")]
    DuplicatePublication(String),
    /// A collection is stored, and the app does not have a store.
    #[error(
        "the collection `{0}` is stored, but the app has no store; give it accounts with `AppBuilder::accounts`, or a store \
         with `AppBuilder::store`"
    )]
    CollectionWithoutStore(String),
    /// Two stored collections have the same name.
    #[error("there are two stored collections named `{0}`; create one, and clone it where it is needed")]
    DuplicateCollection(String),
    /// A gated method does not require its caller to be logged in.
    #[error(
        "the method `{0}` requires a second factor, but its handler takes `Context`, which allows anonymous callers; make \
         its first parameter `SignedIn`, or register it with `TwoFactor::none()`"
    )]
    AnonymousGatedMethod(String),
    /// The path prefix is malformed.
    #[error("the path prefix `{0}` must be empty, or begin with `/` and not end with one")]
    PathPrefix(String),
    /// Both a number of proxies and trusted proxies are configured.
    #[error(
        "set either the number of proxies (HTTP_FORWARDED_COUNT, `--forwarded-count`, `AppBuilder::forwarded_count`) or the \
         trusted proxies (`--trusted-proxy`, `AppBuilder::trusted_proxy`), and not both"
    )]
    TwoProxyRules,
    /// The web pages are served, and the app has no accounts.
    #[error("the web pages need accounts; call `AppBuilder::accounts` as well, or leave out `web_pages`")]
    WebPagesWithoutAccounts,
    /// The app is connected with other nodes, and built where no tokio runtime runs.
    #[error("an app with a bus must be built inside a tokio runtime, which carries its messages")]
    BusWithoutRuntime,
}
