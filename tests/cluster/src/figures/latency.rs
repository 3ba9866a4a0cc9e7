//! From a change on one node to a subscriber of another.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bolide::client::{Change, Client};
use futures::future::join_all;
use serde_json::json;
use tokio::time::{interval, sleep, timeout};

use super::{percentiles, row, shown};
use crate::cluster::{Cluster, NODES};
use crate::proxy::Link;

pub(crate) async fn measure(cluster: &Cluster) -> anyhow::Result<()> {
    let ports = cluster.ports().await;
    let mut same = between("same", ports[0], ports[0], 1_000, Duration::from_millis(5)).await?;
    let mut other = between("other", ports[0], ports[1], 1_000, Duration::from_millis(5)).await?;
    let floor = percentiles(&mut same);
    row(
        "from a change on a node to a subscriber of another one, 200 writes a second",
        &format!("{} (on the same node: {floor})", percentiles(&mut other)),
        "p50 ≤ 3 ms, p99 ≤ 15 ms",
    );
    Ok(())
}

/// The same while all notifications are left out and NATS does not answer.
pub(crate) async fn measure_without_hints(cluster: &Cluster) -> anyhow::Result<()> {
    let ports = cluster.ports().await;
    for node in 0..NODES {
        cluster.to_postgres(node).set(Link::Deaf);
        cluster.to_nats(node).set(Link::BlackHole);
    }
    sleep(Duration::from_secs(4)).await;
    let mut lost = between("lost", ports[0], ports[1], 40, Duration::from_millis(437)).await?;
    let figures = percentiles(&mut lost);
    row(
        "from a change on a node to a subscriber of another one if every hint is lost",
        &format!("{figures}, at most {}", shown(lost[lost.len() - 1])),
        "≤ 2 s",
    );
    cluster.heal().await?;
    sleep(Duration::from_secs(2)).await;
    Ok(())
}

/// Inserts documents through one node, and measures when a client of another one has each.
async fn between(name: &str, from: u16, to: u16, count: u32, pause: Duration) -> anyhow::Result<Vec<Duration>> {
    let (writer, reader) = (connect(from).await?, connect(to).await?);
    let group = format!("latency-{name}");
    let subscription = reader.subscribe("itemsWhere", &json!([{ "group": group }]))?;
    subscription.ready().await?;
    let mut changes = reader.changes_of("items");
    let arriving = tokio::spawn(async move {
        let mut arrived = BTreeMap::new();
        while arrived.len() < count as usize {
            if let Some(Change::Added { document, .. }) = changes.next().await {
                arrived.insert(document.id().to_wire().into_owned(), Instant::now());
            }
        }
        arrived
    });
    let (mut sent, mut calls, mut ticks) = (BTreeMap::new(), Vec::new(), interval(pause));
    for number in 0..count {
        ticks.tick().await;
        let id = format!("{group}-{number}");
        sent.insert(id.clone(), Instant::now());
        let call = writer.call::<String>("insertItem", &json!([{ "_id": id, "group": group, "rank": number }]));
        calls.push(tokio::spawn(call.into_future()));
    }
    for written in join_all(calls).await {
        written??;
    }
    let arrived = timeout(Duration::from_secs(20), arriving).await.context("not all changes have arrived")??;
    Ok(sent.iter().filter_map(|(id, sent)| Some(*arrived.get(id)? - *sent)).collect())
}

pub(super) async fn connect(port: u16) -> anyhow::Result<Client> {
    Ok(Client::connect(&format!("ws://127.0.0.1:{port}/websocket")).await?)
}
