//! [`Strategy`]: how much a session remembers of the documents that it sent.

/// The way in which the documents of a collection are sent to clients, set by collection name with
/// [`AppBuilder::strategy`](crate::AppBuilder::strategy). These are Meteor's publication strategies. The default is
/// [`Merge`](Self::Merge).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// The server remembers all fields that the client has. Subscriptions with the same document are merged, and only
    /// differences are sent.
    #[default]
    Merge,
    /// The server remembers which subscriptions hold a document, but not its fields. Every change is sent unmodified;
    /// `removed` is sent when the last subscription removes the document.
    NoMergeMulti,
    /// The server remembers the ids that each subscription sent. Every message is sent unmodified, and a subscription
    /// that ends removes its documents.
    NoMerge,
    /// The server does not remember documents. Every message is sent unmodified, and a subscription that ends does not
    /// remove its documents. For events rather than documents.
    NoMergeNoHistory,
}
