//! [`Error`]: what can go wrong before clients come: an app that does not fit together, an address that cannot be had.

use std::io;

/// Why an app cannot be built or served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The app does not fit together.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The listener could not be opened.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address that was asked for.
        address: String,
        /// What the system says.
        reason: io::Error,
    },
}

/// Why an app does not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two methods of one name.
    #[error("there are two methods named `{0}`; each name can be registered once")]
    DuplicateMethod(String),
    /// Two REST endpoints at one path.
    #[error("there are two endpoints at `{0}`; each path can be registered once for each verb")]
    DuplicateEndpoint(String),
    /// A REST endpoint at a path that cannot be, or not beside the others.
    #[error(
        "there can be no endpoint at `{path}`: {reason}; a path is made of parts such as `items` and `{{id}}`, and one that \
         changes has the same name in all paths"
    )]
    Endpoint {
        /// The path.
        path: String,
        /// Why.
        reason: String,
    },
    /// Two publications of one name.
    #[error("there are two publications named `{0}`; each name can be registered once")]
    DuplicatePublication(String),
    /// A gated method that anybody could call.
    #[error(
        "the method `{0}` requires a second factor, but its handler takes `Context`, which stands for anybody; let its \
         first parameter be `SignedIn`, or register it with `TwoFactor::none()`"
    )]
    AnonymousGatedMethod(String),
    /// A path prefix that is no path.
    #[error("the path prefix `{0}` must be empty, or begin with `/` and not end with one")]
    PathPrefix(String),
    /// Proxies are both counted and named.
    #[error(
        "say either through how many proxies clients come (HTTP_FORWARDED_COUNT, `--forwarded-count`, \
         `AppBuilder::forwarded_count`) or which ones are trusted (`--trusted-proxy`, `AppBuilder::trusted_proxy`), and \
         not both"
    )]
    TwoProxyRules,
    /// Web pages without accounts.
    #[error(
        "the web pages are about accounts, and the app has none; call `accounts` as well, or leave `web_pages` out"
    )]
    WebPagesWithoutAccounts,
}
