//! The connections, what goes over them, and the subscriptions.

use crate::call::AppCore;
use crate::figures::Count;
use crate::publication::{Publication, PublicationRegistry};
use crate::session::Host;

use super::page::Page;

/// The name of all universal publications together. No publication of the application has it.
const UNIVERSAL: &str = "(universal)";

pub(super) fn write(core: &AppCore, page: &mut Page) {
    let figures = &core.figures;
    let mut connections = page.gauge("bolide_connections", "Open connections of sessions, by transport and state.");
    for (transport, state, count) in figures.connections.list() {
        connections.sample(&[("transport", transport), ("state", state)], count);
    }
    let help = "Sessions whose connection is lost, and whose client may resume them.";
    page.gauge("bolide_sessions_away", help).sample(&[], figures.connections.away());
    let help = "Messages that wait for the clients of these sessions.";
    page.gauge("bolide_away_messages", help).sample(&[], figures.absences.messages());
    let mut absences = page.counter("bolide_absences", "Absences of clients that have ended, by their end.");
    for (outcome, count) in figures.absences.list() {
        absences.sample(&[("outcome", outcome)], count);
    }
    let traffic = &figures.traffic;
    let directions = [("received", &traffic.received), ("sent", &traffic.sent)];
    let mut messages = page.counter("bolide_messages", "DDP messages from clients (received) and to them (sent).");
    for (direction, count) in &directions {
        messages.sample(&[("direction", direction)], count.messages.get());
    }
    let mut bytes =
        page.counter("bolide_message_bytes", "The bytes of these messages, without the frames around them.");
    for (direction, count) in &directions {
        bytes.sample(&[("direction", direction)], count.bytes.get());
    }
    if let Some(host) = core.slot::<Host>() {
        write_subscriptions(&host.publications.read(), &figures.unknown_publications, page);
    }
}

fn write_subscriptions(publications: &PublicationRegistry, unknown: &Count, page: &mut Page) {
    let mut named: Vec<(&str, &Publication)> =
        publications.named().map(|(name, publication)| (name, &**publication)).collect();
    named.sort_unstable_by_key(|(name, _)| *name);
    let universal: Vec<&Publication> = publications.universal().map(|publication| &**publication).collect();
    let universal = |read: fn(&Publication) -> u64| universal.iter().map(|publication| read(publication)).sum::<u64>();
    let mut active = page.gauge("bolide_subscriptions", "Active subscriptions, by publication.");
    for (name, publication) in &named {
        active.sample(&[("publication", name)], publication.active.get());
    }
    active.sample(&[("publication", UNIVERSAL)], universal(|publication| publication.active.get()));
    let help =
        "Subscriptions that were started, by publication. They start again when the user of the session changes.";
    let mut started = page.counter("bolide_subscriptions_started", help);
    for (name, publication) in &named {
        started.sample(&[("publication", name)], publication.started.get());
    }
    started.sample(&[("publication", UNIVERSAL)], universal(|publication| publication.started.get()));
    page.counter("bolide_unknown_publications", "Subscriptions to publications that are not registered.")
        .sample(&[], unknown.get());
}
