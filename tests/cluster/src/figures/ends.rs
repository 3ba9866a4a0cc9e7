//! How soon a revoked login ends on another node.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use bolide::client::Login;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::latency::connect;
use super::{percentiles, row, shown};
use crate::cluster::{Cluster, NODES};
use crate::proxy::Link;

pub(crate) async fn measure(cluster: &Cluster) -> anyhow::Result<()> {
    let ports = cluster.ports().await;
    let mut times = Vec::new();
    for _ in 0..200 {
        times.push(revoke(ports[0], ports[1]).await?);
    }
    row("from a logout on a node to the end of the session on another one", &percentiles(&mut times), "p99 ≤ 100 ms");
    Ok(())
}

/// The same while NATS does not answer.
pub(crate) async fn measure_without_a_bus(cluster: &Cluster) -> anyhow::Result<()> {
    let ports = cluster.ports().await;
    for node in 0..NODES {
        cluster.to_nats(node).set(Link::BlackHole);
    }
    sleep(Duration::from_secs(4)).await;
    let mut longest = Duration::ZERO;
    for _ in 0..10 {
        longest = longest.max(revoke(ports[0], ports[1]).await?);
    }
    row(
        "from a logout to the end of the session on another node without a bus",
        &format!("at most {}", shown(longest)),
        "≤ 30 s",
    );
    cluster.heal().await?;
    sleep(Duration::from_secs(2)).await;
    Ok(())
}

/// Logs in on two nodes with the same token, and out on one of them.
async fn revoke(here: u16, there: u16) -> anyhow::Result<Duration> {
    let (leaving, staying) = (connect(here).await?, connect(there).await?);
    let token: String = leaving.call("issueToken", &json!(["alice"])).await?;
    leaving.login(Login::resume(&token)).await?;
    staying.login(Login::resume(&token)).await?;
    let mut status = staying.status();
    let start = Instant::now();
    leaving.logout().await?;
    let ended = timeout(Duration::from_secs(40), status.wait_for(|status| !status.is_connected())).await;
    drop(ended.context("the session has not ended")??);
    Ok(start.elapsed())
}
