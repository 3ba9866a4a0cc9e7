//! The node: its version, whether it should be sent clients, and its bus.

use crate::bus::{BusMember, BusReport};
use crate::call::AppCore;
use crate::transport::ready::{Readiness, readiness};

use super::page::Page;

pub(super) async fn write(core: &AppCore, page: &mut Page) {
    page.info("bolide_build", "The version of the server.").sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    let node = [("node", core.node.as_str())];
    page.info("bolide_node", "The id of the node, with which the ids of its sessions begin.").sample(&node, 1);
    write_readiness(&readiness(core).await, page);
    write_bus(core.slot::<BusMember>().map(|member| member.report()).as_ref(), page);
}

fn write_readiness(readiness: &Readiness, page: &mut Page) {
    let is_ready = matches!(readiness, Readiness::Ready { .. });
    page.gauge("bolide_ready", "Whether load balancers should send clients to the node (1), as /ready tells them.")
        .sample(&[], u8::from(is_ready));
    let mut degraded = page.gauge("bolide_degraded", "1 for each part that is away while the node goes on without it.");
    if let Readiness::Ready { degraded: parts } = readiness {
        for part in parts {
            degraded.sample(&[("part", part)], 1);
        }
    }
}

fn write_bus(report: Option<&BusReport>, page: &mut Page) {
    for (name, help, read) in BUS {
        let mut counter = page.counter(name, help);
        if let Some(report) = report {
            counter.sample(&[("bus", report.bus)], read(report));
        }
    }
    let mut connected = page.gauge("bolide_bus_connected", "Whether the node hears the other nodes (1).");
    if let Some(report) = report {
        connected.sample(&[("bus", report.bus)], u8::from(report.is_connected));
    }
    let mut nodes = page.gauge("bolide_bus_nodes", "The number of other nodes that were heard in the last seconds.");
    if let Some(report) = report {
        nodes.sample(&[("bus", report.bus)], report.nodes.len());
    }
    let mut lag = page.gauge(
        "bolide_bus_lag_seconds",
        "The time since the node last had all that the others had told. About a second if all is well.",
    );
    if let Some(report) = report
        && let Some(behind) = report.behind
    {
        lag.sample(&[("bus", report.bus)], behind.as_secs_f64());
    }
}

/// Counts of the bus, each with its name, its meaning, and where it is in the report.
type BusCount = (&'static str, &'static str, fn(&BusReport) -> u64);

const BUS: [BusCount; 7] = [
    ("bolide_bus_sent", "Messages that were sent to other nodes.", |report| report.sent),
    ("bolide_bus_received", "Messages of other nodes that were received.", |report| report.received),
    ("bolide_bus_gaps", "How often messages of other nodes were missing.", |report| report.gaps),
    ("bolide_bus_missing", "Messages of other nodes that were missing, as far as it is known.", |report| {
        report.missing
    }),
    ("bolide_bus_omitted", "Events that were not sent because they are too large.", |report| report.omitted),
    ("bolide_bus_unreadable", "Messages that could not be read.", |report| report.unreadable),
    ("bolide_bus_foreign", "Messages of other clusters.", |report| report.foreign),
];
