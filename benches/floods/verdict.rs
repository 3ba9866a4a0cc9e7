//! The verdict: whether a server bore a flood.

use std::time::Duration;

use crate::flood::Flood;
use crate::measurement::Measurement;
use crate::state::State;
use crate::visitor::Attempts;

pub(crate) const MIB: u64 = 1 << 20;

/// How much resident memory may grow until the end of a flood.
const GROWTH: u64 = 256 * MIB;

/// How much of that may be left when the attacker has been gone for a while.
const REMAINDER: u64 = 128 * MIB;

/// The visitor is starved if more than one attempt of a kind, and more than one in this number of attempts, are refused…
const REFUSED_OF: usize = 20;

/// … or if those that are refused take longer than this…
const LONGEST_DENIAL: Duration = Duration::from_secs(3);

/// … or if half of them take longer than this.
const LONGEST_MEDIAN: Duration = Duration::from_secs(1);

/// What the server did not bear; empty if it bore everything.
pub(crate) fn complaints(flood: &Flood, measurement: &Measurement) -> Vec<String> {
    let Measurement { idle, end, later, during, .. } = measurement;
    let growth = |state: &State, figure: fn(&State) -> u64| figure(state).saturating_sub(figure(idle));
    let mut complaints: Vec<String> =
        during.kinds().into_iter().filter_map(|(kind, attempts)| starvation(kind, attempts)).collect();
    complaints.extend(excess("memory grew by", growth(end, |state| state.memory), GROWTH));
    complaints.extend(excess("memory is still larger by", growth(later, |state| state.memory), REMAINDER));
    if let Some(allowed) = flood.disk {
        complaints.extend(excess("the database grew by", growth(end, |state| state.disk), allowed));
    }
    complaints
}

fn starvation(kind: &str, attempts: &Attempts) -> Option<String> {
    let is_denied = attempts.refused * REFUSED_OF > attempts.count || attempts.denied > LONGEST_DENIAL;
    if attempts.refused > 1 && is_denied {
        return Some(format!("{} of {} attempts were refused: {kind}", attempts.refused, attempts.count));
    }
    let median = attempts.latency?.p50;
    (median > LONGEST_MEDIAN).then(|| format!("{kind} took {:.1} s", median.as_secs_f64()))
}

fn excess(what: &str, bytes: u64, allowed: u64) -> Option<String> {
    (bytes > allowed).then(|| format!("{what} {} MiB (allowed: {})", bytes / MIB, allowed / MIB))
}
