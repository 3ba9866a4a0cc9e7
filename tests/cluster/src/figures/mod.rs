//! The figures of a cluster, as the table in `benches/README.md`: what it costs that there are several nodes.
//!
//! - `latency`: from a change on one node to a subscriber of another, with hints and without;
//! - `fan_out`: the processor time of a delivery, with all subscribers on one node and on three;
//! - `gate`: a gated call of a trusted client, on PostgreSQL and on SQLite;
//! - `ends`: how soon a revoked login ends on another node;
//! - `faults`: servers that are away, a node that is killed, two nodes that write one document.

mod ends;
mod fan_out;
mod faults;
mod gate;
mod latency;
mod processor;

use std::path::PathBuf;
use std::time::Duration;

use crate::chaos::Chaos;
use crate::cluster::{Cluster, Links};
use crate::work::budgets;

/// Measures everything and prints the table.
pub(crate) async fn run(program: PathBuf) -> anyhow::Result<()> {
    println!("| property | measured | must be |\n|---|---|---|");
    let mut chaos = Chaos::start(program.clone(), 1).await?;
    // First, since what the others write is not in the ledger.
    faults::measure(&mut chaos).await?;
    latency::measure_without_hints(&chaos.cluster).await?;
    ends::measure_without_a_bus(&chaos.cluster).await?;
    let answers = budgets::wrong_codes(&chaos.cluster.ports().await).await?;
    // The last one that is checked is answered as those that are not.
    row(
        "wrong codes tried on three nodes at once",
        &format!("{} of {} checked", answers.wrong + 1, answers.wrong + answers.blocked + answers.other),
        "10: exactly the budget",
    );
    drop(chaos);
    let cluster = Cluster::start(program.clone(), Links::Direct).await?;
    latency::measure(&cluster).await?;
    ends::measure(&cluster).await?;
    fan_out::measure(&cluster).await?;
    drop(cluster);
    gate::measure(program).await
}

fn row(property: &str, measured: &str, wanted: &str) {
    println!("| {property} | {measured} | {wanted} |");
}

/// Shows the median and the 99th percentile.
fn percentiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    format!("p50 {}, p99 {}", shown(at(50)), shown(at(99)))
}

fn shown(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    if milliseconds < 10.0 { format!("{milliseconds:.1} ms") } else { format!("{milliseconds:.0} ms") }
}
