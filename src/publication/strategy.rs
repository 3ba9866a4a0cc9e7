//! [`Strategy`]: how much a session remembers of what it sent.

/// How the documents of a collection are sent to clients. It is chosen per collection name, as Meteor's publication
/// strategies are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// The server knows every field that the client has: subscriptions that publish the same document are merged, and
    /// only differences are sent.
    #[default]
    Merge,
    /// The server knows which subscriptions hold a document, and not its fields: every change is sent as it is, and
    /// `removed` when the last one lets go.
    NoMergeMulti,
    /// The server knows the ids that each subscription sent: everything is sent as it is, and a subscription that stops
    /// removes its documents.
    NoMerge,
    /// The server knows nothing: everything is sent as it is, and a subscription that stops removes nothing. For
    /// events, not for documents.
    NoMergeNoHistory,
}
