//! The stores: their connections, and the statements about users, tokens, codes, settings, mails and the audit log. The
//! statements about documents are seen in the metrics of their collections.

use std::sync::Arc;

use crate::call::AppCore;
use crate::figures::PoolReport;
use crate::store::Store;

use super::page::Page;

/// The stores of an app, each with its name, in a slot of its core.
pub(crate) struct MeasuredStores(pub(crate) Vec<(&'static str, Arc<dyn Store>)>);

pub(super) fn write(core: &AppCore, page: &mut Page) {
    let stores = core.slot::<MeasuredStores>();
    let of_store = |(name, store): &(&'static str, Arc<dyn Store>)| {
        let name = *name;
        store.pools().into_iter().map(move |report| (name, report))
    };
    let pools: Vec<(&str, PoolReport)> = stores.iter().flat_map(|stores| &stores.0).flat_map(of_store).collect();
    let mut connections = page.gauge("bolide_store_connections", "Open connections to a store, by pool and state.");
    for (store, report) in &pools {
        let busy = report.size.saturating_sub(report.idle);
        connections.sample(&[("store", store), ("pool", report.pool), ("state", "idle")], report.idle);
        connections.sample(&[("store", store), ("pool", report.pool), ("state", "busy")], busy);
    }
    let mut waiting = page.gauge("bolide_store_waiting", "Statements and transactions that wait for a connection.");
    for (store, report) in &pools {
        waiting.sample(&[("store", store), ("pool", report.pool)], report.waiting);
    }
    let help = "The durations of statements and commits, with the time for which they wait for a connection.";
    let mut durations = page.histogram("bolide_statement_duration_seconds", help);
    for (store, report) in &pools {
        durations.sample(&[("store", store), ("pool", report.pool)], &report.statements);
    }
    let mut failed = page.counter("bolide_statements_failed", "Statements that have failed, refused ones included.");
    for (store, report) in &pools {
        failed.sample(&[("store", store), ("pool", report.pool)], report.failed);
    }
}
