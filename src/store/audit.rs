//! What happened: who did what, from where, when. No secrets.

use super::StoreFuture;
use crate::clock::Timestamp;
use crate::user::UserId;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number, given by the store; later ones are larger.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What, such as `two-factor.failed`.
    pub event: String,
    /// Whom it concerns.
    pub user: Option<UserId>,
    /// Who did it, if it was somebody else.
    pub actor: Option<UserId>,
    /// From which address.
    pub address: Option<String>,
    /// By which client.
    pub user_agent: Option<String>,
    /// More of it, as a JSON object.
    pub details: String,
}

/// Which entries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those that concern this user.
    pub user: Option<UserId>,
    /// Only those whose event begins with this.
    pub event: Option<String>,
    /// Only those with smaller numbers.
    pub before: Option<i64>,
    /// How many at most.
    pub limit: u32,
}

/// The audit log of a store.
pub trait Audit {
    /// Adds entries; their numbers are given by the store.
    fn record(&self, entries: Vec<AuditEntry>) -> StoreFuture<'_, ()>;

    /// The latest entries that a filter lets through, the latest first.
    fn audit(&self, filter: AuditFilter) -> StoreFuture<'_, Vec<AuditEntry>>;

    /// Removes entries from before `before`; gives how many.
    fn delete_audit(&self, before: Timestamp) -> StoreFuture<'_, u64>;
}
