//! Servers that are away, a node that is killed, two nodes that write one document.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use tokio::time::sleep;

use super::latency::connect;
use super::{row, shown};
use crate::chaos::Chaos;
use crate::faults::Fault;

const AWAY: Duration = Duration::from_secs(2);

pub(crate) async fn measure(chaos: &mut Chaos) -> anyhow::Result<()> {
    for (name, fault) in [("NATS", Fault::NatsAway), ("PostgreSQL", Fault::PostgresAway)] {
        let before = chaos.crowd.disconnections();
        let wrong = chaos.round(&vec![(fault, Duration::from_millis(500), AWAY)], true).await?;
        let disconnected = chaos.crowd.disconnections() - before;
        row(
            &format!("{name} away for 2 s"),
            &format!(
                "{disconnected} disconnected, {} wrong, all views right {} after it is back",
                wrong.len(),
                shown(chaos.settled())
            ),
            "0 disconnected, ≤ 2 s",
        );
    }
    killed(chaos).await?;
    one_document(chaos).await
}

/// Kills a node, and measures when all of its clients are right on others.
async fn killed(chaos: &mut Chaos) -> anyhow::Result<()> {
    let ports = chaos.cluster.ports().await;
    let wrong = chaos.round(&vec![(Fault::KilledNode(0), Duration::from_secs(1), AWAY)], false).await?;
    let lost = wrong.iter().filter(|wrong| wrong.contains("must be") && !wrong.starts_with("client")).count();
    // Once more without writers, to see when they are right.
    let writer = connect(ports[0]).await?;
    let start = Instant::now();
    chaos.cluster.node(1).lock().await.kill().await;
    chaos.crowd.leave(ports[1], &ports);
    // Their views are right when they show what was written since.
    writer.call::<String>("insertItem", &json!([{ "_id": "killed", "group": 1, "rank": 1_000_000_000 }])).await?;
    while !chaos.views_are_right().await? {
        anyhow::ensure!(start.elapsed() < Duration::from_secs(20), "the views are not right");
        sleep(Duration::from_millis(10)).await;
    }
    let right = start.elapsed();
    chaos.cluster.heal().await?;
    chaos.cluster.wait_until_ready(Duration::from_secs(30)).await?;
    row(
        "`kill -9` of a node",
        &format!("{lost} acknowledged writes lost; all clients right on other nodes {} after the kill", shown(right)),
        "0 lost, ≤ 3 s",
    );
    Ok(())
}

/// Increments one document from two nodes, each a field of its own and one together.
async fn one_document(chaos: &Chaos) -> anyhow::Result<()> {
    const EACH: i64 = 300;
    let ports = chaos.cluster.ports().await;
    let (here, there) = (connect(ports[0]).await?, connect(ports[1]).await?);
    here.call::<String>("insertItem", &json!([{ "_id": "both", "group": "both" }])).await?;
    let writing = [&here, &there].into_iter().enumerate().map(|(number, client)| async move {
        for _ in 0..EACH {
            client.call::<()>("incrementItem", &json!(["both", format!("by{number}"), 1])).await?;
            client.call::<()>("incrementItem", &json!(["both", "together", 1])).await?;
        }
        anyhow::Ok(())
    });
    join_all(writing).await.into_iter().collect::<anyhow::Result<()>>()?;
    let start = Instant::now();
    while !chaos.views_are_right().await? {
        anyhow::ensure!(start.elapsed() < Duration::from_secs(20), "the views are not right");
        sleep(Duration::from_millis(5)).await;
    }
    let equal = start.elapsed();
    let document = &chaos.cluster.table().await?["both"];
    let sum = ["by0", "by1", "together"].iter().filter_map(|field| document[field].as_i64()).sum::<i64>();
    row(
        "two nodes write one document",
        &format!("{sum} of {} increments, views equal after {}", 4 * EACH, shown(equal)),
        "all, ≤ 1 s",
    );
    Ok(())
}
