//! Publications, to which clients subscribe. In the order of a subscription:
//!
//! - a [`PublicationHandler`] is an async function with a [`Subscription`] and typed parameters;
//! - the [`Subscription`] sends documents, one by one or from a [`Publishable`] source;
//! - the merge box merges the documents of all subscriptions of a session;
//! - an [`Audience`] sends one change to many subscriptions, and a [`Stream`] sends events.

mod audience;
mod built_in;
mod calls;
mod fields;
#[cfg(feature = "accounts")]
mod follow;
mod frames;
mod handle;
mod handler;
mod holders;
mod layers;
mod merge_box;
#[cfg(test)]
mod model_tests;
mod publishable;
mod recipient;
mod registry;
mod shared_seed;
mod strategy;
mod stream;
mod subscription;
mod view;
mod views;

pub(crate) use built_in::add as add_built_in;
pub(crate) use fields::{FieldMap, Fields, SharedChange};
#[cfg(feature = "accounts")]
pub(crate) use follow::{Document, When, follow};
pub(crate) use frames::added_frame;
#[cfg(feature = "accounts")]
pub(crate) use frames::encode_added;
pub(crate) use handle::{Handle, Handles};
pub(crate) use recipient::Recipient;
pub(crate) use registry::{Publication, PublicationRegistry};
pub(crate) use shared_seed::SharedSeed;
pub(crate) use stream::StreamCore;
pub(crate) use subscription::{Started, Subscriber, SubscriptionCore, run_all, size_of_subscription};
pub(crate) use views::{Origin, Strategies};

pub use audience::Audience;
pub use handler::{AnyPublishParameters, PublicationHandler, PublishFuture};
pub use publishable::Publishable;
pub use registry::UniversalId;
pub use strategy::Strategy;
pub use stream::{Stream, StreamRule};
pub use subscription::Subscription;
