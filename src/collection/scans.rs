//! [`Scans`]: the queries that had to read many documents because no index fits, each logged once.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::access::Access;
use super::plan::Plan;

/// The number of documents that a query may read before it is logged.
pub(super) const NOTED_FROM: usize = 1_000;

/// The maximum number of kinds of queries that are remembered.
const MAX_KINDS: usize = 100;

/// The entry for queries that no index helps.
const NO_INDEX: &str = "(none)";

#[derive(Default)]
pub(super) struct Scans {
    /// The greatest number of documents that was read, by the index that would help.
    read: Mutex<HashMap<String, usize>>,
}

impl Scans {
    /// Notes how many documents a query has read. Logs it at the first time.
    pub(super) fn note(&self, collection: &str, plan: &Plan, access: &Access, read: usize) {
        if read < NOTED_FROM || !access.is_scan(plan) {
            return;
        }
        let helpful = helpful_index(plan);
        let has_help = helpful.is_some();
        let helpful = helpful.unwrap_or_else(|| NO_INDEX.to_owned());
        let mut known = self.read.lock();
        if let Some(most) = known.get_mut(&helpful) {
            *most = read.max(*most);
            return;
        }
        if known.len() < MAX_KINDS && !has_help {
            tracing::warn!(collection, read, "a query reads all documents of the collection, and no index can help");
            known.insert(helpful, read);
        } else if known.len() < MAX_KINDS {
            tracing::warn!(
                collection,
                read,
                "a query reads all documents of the collection; an index would help: `.index({helpful})`"
            );
            known.insert(helpful, read);
        }
    }

    /// Returns the indexes that would help, with the greatest number of documents that a query has read without them.
    #[cfg(feature = "accounts")]
    pub(super) fn list(&self) -> Vec<(String, usize)> {
        let mut list: Vec<_> = self.read.lock().iter().map(|(index, read)| (index.clone(), *read)).collect();
        list.sort_unstable();
        list
    }
}

/// Returns the index that would help a query, as it is declared, or `None` if none would.
pub(super) fn helpful_index(plan: &Plan) -> Option<String> {
    let mut fields: Vec<&str> = plan.filter.equality_fields().into_iter().collect();
    let ordered = plan.sort.iter().map(|(field, _)| field.as_str());
    let compared = plan.filter.compared_field();
    for field in compared.into_iter().chain(ordered) {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    (!fields.is_empty()).then(|| format!("{fields:?}"))
}
