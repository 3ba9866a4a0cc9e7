//! The processor time of a delivery, with all subscribers on one node and on three.

use std::time::Duration;

use bolide::client::{Client, Subscription};
use futures::future::join_all;
use serde_json::json;
use tokio::time::{interval, sleep};

use super::latency::connect;
use super::processor::{median, of_each, time};
use super::row;
use crate::cluster::{Cluster, NODES};

const SUBSCRIBERS: usize = 3_000;
const SLICES: usize = 5;
const WRITES: u32 = 10;

/// Subscribers to one document, and the nodes that they are on.
struct Audience {
    group: &'static str,
    subscribers: Vec<(Client, Subscription)>,
    processes: Vec<u32>,
}

pub(crate) async fn measure(cluster: &Cluster) -> anyhow::Result<()> {
    let ports = cluster.ports().await;
    let mut processes = Vec::new();
    for node in 0..NODES {
        processes.push(cluster.node(node).lock().await.process());
    }
    let writer = connect(ports[0]).await?;
    let one = Audience::gather(&writer, "one", &ports[..1], &processes[..1]).await?;
    let three = Audience::gather(&writer, "three", &ports, &processes).await?;
    let (mut floors, mut costs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SLICES {
        let (floor, cost) = (one.slice(&writer).await?, three.slice(&writer).await?);
        floors.push(floor);
        costs.push(cost);
        ratios.push(cost / floor);
    }
    row(
        "processor time of a delivery, 3,000 subscribers on three nodes",
        &format!("{:.1} µs, {:.2} × one node ({:.1} µs)", median(costs), median(ratios), median(floors)),
        "≤ 1.15 × one node",
    );
    Ok(())
}

impl Audience {
    async fn gather(writer: &Client, group: &'static str, ports: &[u16], processes: &[u32]) -> anyhow::Result<Self> {
        writer.call::<String>("insertItem", &json!([{ "_id": group, "group": group, "n": 0 }])).await?;
        let mut subscribers = Vec::new();
        let ports: Vec<u16> = ports.iter().copied().cycle().take(SUBSCRIBERS).collect();
        for some in ports.chunks(50) {
            for connected in join_all(some.iter().map(|port| subscribe(*port, group))).await {
                subscribers.push(connected?);
            }
        }
        Ok(Self { group, subscribers, processes: processes.to_vec() })
    }

    /// Writes some times, and returns the processor time of a delivery in microseconds.
    async fn slice(&self, writer: &Client) -> anyhow::Result<f64> {
        let before: Duration = self.processes.iter().map(|process| time(*process)).sum();
        let mut ticks = interval(Duration::from_millis(200));
        for _ in 0..WRITES {
            ticks.tick().await;
            writer.call::<()>("incrementItem", &json!([self.group, "n", 1])).await?;
        }
        sleep(Duration::from_millis(500)).await;
        let after: Duration = self.processes.iter().map(|process| time(*process)).sum();
        let numbers: Vec<Option<i64>> = self.subscribers.iter().map(|(client, _)| number(client, self.group)).collect();
        let right = numbers.iter().filter(|number| **number == numbers[0]).count();
        anyhow::ensure!(right == SUBSCRIBERS && numbers[0].is_some(), "{right} subscribers have the last change");
        Ok(of_each(before, after, WRITES * u32::try_from(SUBSCRIBERS)?))
    }
}

fn number(client: &Client, id: &str) -> Option<i64> {
    client.document("items", id)?.field("n").ok()?
}

async fn subscribe(port: u16, group: &str) -> anyhow::Result<(Client, Subscription)> {
    let client = connect(port).await?;
    let subscription = client.subscribe("itemsWhere", &json!([{ "group": group }]))?;
    subscription.ready().await?;
    Ok((client, subscription))
}
