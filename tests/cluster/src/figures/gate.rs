//! A gated call of a trusted client, on PostgreSQL and on SQLite.

use std::path::PathBuf;
use std::sync::Arc;

use bolide::chance::SystemChance;
use bolide::client::Login;
use bolide::keys::KeyRing;
use bolide::testing::SmtpSink;
use bolide_test_servers::{Postgres, Programs};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::latency::connect;
use super::processor::{median, of_each, time};
use super::row;
use crate::client::Ours;
use crate::node::{Node, NodeOptions};
use crate::work::codes::totp;

const SLICES: usize = 9;
const CALLS: u32 = 20_000;

/// A server on its own with a trusted client.
struct Trusted {
    node: Node,
    client: bolide::client::Client,
}

pub(crate) async fn measure(program: PathBuf) -> anyhow::Result<()> {
    let programs = Arc::new(Programs::of("gate"));
    let postgres = spawn_blocking(Postgres::private).await?;
    let mails = SmtpSink::start().await?;
    let options = |database: String, name: &str| NodeOptions {
        program: program.clone(),
        database,
        nats: None,
        smtp: mails.url(),
        keys: KeyRing::generate(&SystemChance).to_text().expose().replace('\n', ","),
        name: name.to_owned(),
        programs: Arc::clone(&programs),
    };
    let file = programs.directory("sqlite").join("db");
    let on_sqlite = Trusted::start(options(format!("sqlite:{}", file.display()), "sqlite")).await?;
    let on_postgres = Trusted::start(options(postgres.database(), "postgres")).await?;
    let (mut floors, mut costs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SLICES {
        let (floor, cost) = (on_sqlite.slice().await?, on_postgres.slice().await?);
        floors.push(floor);
        costs.push(cost);
        ratios.push(cost / floor);
    }
    row(
        "a gated call of a trusted client on PostgreSQL, processor time",
        &format!("{:.1} µs, {:.2} × SQLite ({:.1} µs)", median(costs), median(ratios), median(floors)),
        "≤ 1.3 × SQLite",
    );
    Ok(())
}

impl Trusted {
    async fn start(options: NodeOptions) -> anyhow::Result<Self> {
        let node = Node::start(options).await?;
        let client = connect(node.port()).await?;
        let token: String = client.call("issueToken", &json!(["bob"])).await?;
        client.login(Login::resume(&token)).await?;
        let code = totp(&Ours::connect(node.port()).await?, "JBSWY3DPEHPK3PXP").await?;
        client.call::<Value>("gated", &json!([{ "twoFactorCode": code, "twoFactorMethod": "totp" }])).await?;
        Ok(Self { node, client })
    }

    /// Returns the processor time of a call in microseconds.
    async fn slice(&self) -> anyhow::Result<f64> {
        let before = time(self.node.process());
        for _ in 0..CALLS / 50 {
            for answer in join_all((0..50).map(|_| self.client.call::<Value>("gated", &()).into_future())).await {
                answer?;
            }
        }
        Ok(of_each(before, time(self.node.process()), CALLS))
    }
}
