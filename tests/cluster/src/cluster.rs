//! [`Cluster`]: three nodes, PostgreSQL, NATS and a mail server, and a proxy in each link.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::testing::SmtpSink;
use bolide_test_servers::{Nats, Postgres, PrivatePostgres, Programs};
use parking_lot::Mutex;
use serde_json::Value;
use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::task::spawn_blocking;

use crate::client::Documents;
use crate::node::{Node, NodeOptions};
use crate::proxy::{Link, Protocol, Proxy};

/// How many nodes there are.
pub(crate) const NODES: usize = 3;

/// How nodes reach PostgreSQL and NATS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// Through proxies, which can break them.
    Breakable,
    /// Directly, as when they are measured.
    Direct,
}

/// A running cluster. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    nodes: Vec<tokio::sync::Mutex<Node>>,
    to_postgres: Vec<Proxy>,
    to_nats: Vec<Proxy>,
    postgres: Arc<PrivatePostgres>,
    /// Held by the one that stops PostgreSQL and starts it again.
    pub(crate) restarting_postgres: tokio::sync::Mutex<()>,
    nats: Arc<Mutex<Nats>>,
    pub(crate) mails: SmtpSink,
    /// A way to the database that is never broken by a proxy.
    pub(crate) pool: PgPool,
}

impl Cluster {
    /// Starts everything, and waits until all nodes are ready.
    pub(crate) async fn start(program: PathBuf, links: Links) -> anyhow::Result<Self> {
        let programs = Arc::new(Programs::of("nodes"));
        let (postgres, nats) = spawn_blocking(|| (Postgres::private(), Nats::start())).await?;
        let database = postgres.database();
        let name = database.rsplit('/').next().context("the URL of a database ends with its name")?.to_owned();
        let pool = PgPoolOptions::new().max_connections(4).connect_lazy(&database)?;
        let mails = SmtpSink::start().await?;
        let keys = KeyRing::generate(&SystemChance).to_text().expose().replace('\n', ",");
        let (mut nodes, mut to_postgres, mut to_nats) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..NODES {
            let (postgres_port, nats_port) = (postgres.port(), nats.port());
            let postgres = Proxy::start(postgres_port, Protocol::Postgres).await?;
            let nats = Proxy::start(nats_port, Protocol::Any).await?;
            let (postgres_port, nats_port) = match links {
                Links::Breakable => (postgres.port(), nats.port()),
                Links::Direct => (postgres_port, nats_port),
            };
            let options = NodeOptions {
                program: program.clone(),
                // The proxy reads the protocol.
                database: format!("postgres://bolide@127.0.0.1:{postgres_port}/{name}?sslmode=disable"),
                nats: Some(format!("nats://127.0.0.1:{nats_port}")),
                smtp: mails.url(),
                keys: keys.clone(),
                name: format!("node-{number}"),
                programs: Arc::clone(&programs),
            };
            nodes.push(tokio::sync::Mutex::new(Node::start(options).await?));
            to_postgres.push(postgres);
            to_nats.push(nats);
        }
        let (postgres, nats) = (Arc::new(postgres), Arc::new(Mutex::new(nats)));
        Ok(Self {
            nodes,
            to_postgres,
            to_nats,
            postgres,
            restarting_postgres: tokio::sync::Mutex::default(),
            nats,
            mails,
            pool,
        })
    }

    pub(crate) fn node(&self, number: usize) -> &tokio::sync::Mutex<Node> {
        &self.nodes[number]
    }

    pub(crate) fn to_postgres(&self, node: usize) -> &Proxy {
        &self.to_postgres[node]
    }

    pub(crate) fn to_nats(&self, node: usize) -> &Proxy {
        &self.to_nats[node]
    }

    /// Does something with the database server that blocks.
    pub(crate) async fn with_postgres(
        &self,
        run: impl FnOnce(&PrivatePostgres) + Send + 'static,
    ) -> anyhow::Result<()> {
        let postgres = Arc::clone(&self.postgres);
        Ok(spawn_blocking(move || run(&postgres)).await?)
    }

    /// Does something with the NATS server that blocks.
    pub(crate) async fn with_nats(&self, run: impl FnOnce(&mut Nats) + Send + 'static) -> anyhow::Result<()> {
        let nats = Arc::clone(&self.nats);
        Ok(spawn_blocking(move || run(&mut nats.lock())).await?)
    }

    /// Opens all links, and starts the nodes that do not run. Does not wait until they are ready.
    pub(crate) async fn heal(&self) -> anyhow::Result<()> {
        for proxy in self.to_postgres.iter().chain(&self.to_nats) {
            proxy.set(Link::Open);
        }
        for node in &self.nodes {
            let mut node = node.lock().await;
            node.resume().await;
            node.run()?;
        }
        Ok(())
    }

    pub(crate) async fn wait_until_ready(&self, patience: Duration) -> anyhow::Result<()> {
        for (number, node) in self.nodes.iter().enumerate() {
            let ready = node.lock().await.wait_until_ready(patience).await;
            ready.with_context(|| format!("node {number}"))?;
        }
        Ok(())
    }

    /// Returns the ports of the nodes.
    pub(crate) async fn ports(&self) -> Vec<u16> {
        let mut ports = Vec::new();
        for node in &self.nodes {
            ports.push(node.lock().await.port());
        }
        ports
    }

    /// Returns the ports of all nodes but one.
    pub(crate) async fn ports_but(&self, number: usize) -> Vec<u16> {
        let mut ports = Vec::new();
        for (_, node) in self.nodes.iter().enumerate().filter(|(other, _)| *other != number) {
            ports.push(node.lock().await.port());
        }
        ports
    }

    /// Reads the documents of `items` from the table itself.
    pub(crate) async fn table(&self) -> anyhow::Result<Documents> {
        let rows = sqlx::query(
            "SELECT id, fields FROM documents
             WHERE fields IS NOT NULL AND collection = (SELECT number FROM heads WHERE collection = 'items')",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut table = Documents::new();
        for row in rows {
            let mut fields: Value = serde_json::from_str(row.try_get("fields")?)?;
            if let Value::Object(fields) = &mut fields {
                fields.remove("_id");
            }
            table.insert(row.try_get("id")?, fields);
        }
        Ok(table)
    }

    /// Returns the end of each node's log.
    pub(crate) async fn logs(&self) -> String {
        let mut logs = String::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let log = node.lock().await.log_tail();
            let _written = write!(logs, "  the log of node {number} ends:\n{log}");
        }
        logs
    }
}
