//! What limits refuse, and how much of them is used.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::call::AppCore;
use crate::session::Host;
use crate::shares::{Shares, Usage};
use crate::transport::server::Http;

use super::page::Page;

pub(super) fn write(core: &Arc<AppCore>, page: &mut Page) {
    let usages: Vec<Usage> = shares(core).into_iter().flat_map(|shares| shares.usage()).collect();
    let mut refused: BTreeMap<&str, u64> = core.figures.refusals.list().collect();
    for usage in &usages {
        *refused.entry(usage.maximum.name).or_default() += usage.refused;
    }
    #[cfg(feature = "accounts")]
    refused.extend(super::accounts::refusals(core));
    let mut refusals = page.counter("bolide_refusals", "What was refused, by the limit that was reached.");
    for (limit, count) in &refused {
        refusals.sample(&[("limit", limit)], count);
    }
    // Connections are counted twice, when they are accepted and as sessions: the larger number is shown.
    let mut held: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for Usage { maximum, held: now, .. } in &usages {
        let Some(now) = *now else { continue };
        let (most, of) = held.entry(maximum.name).or_default();
        (*most, *of) = ((*most).max(now), maximum.count);
    }
    let mut used = page.gauge("bolide_limit_used", "How much clients hold of what is limited in total.");
    for (limit, (now, _)) in &held {
        used.sample(&[("limit", limit)], now);
    }
    let mut most = page.gauge("bolide_limit_maximum", "The maximum of it.");
    for (limit, (_, maximum)) in &held {
        most.sample(&[("limit", limit)], maximum);
    }
}

fn shares(core: &AppCore) -> Vec<&Arc<Shares>> {
    let of_sessions = core.slot::<Host>().map(|host| host.shares());
    let of_sockets = core.slot::<Http>().map(|http| [&http.sockets, &http.requests]);
    of_sessions.into_iter().flatten().chain(of_sockets.into_iter().flatten()).collect()
}
