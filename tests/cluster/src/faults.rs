//! [`Fault`]: what goes wrong in a cluster, chosen by chance, applied and ended.

use std::time::Duration;

use anyhow::Context as _;
use bolide_test_servers::{Nats, PrivatePostgres};
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use tokio::time::sleep;

use crate::cluster::{Cluster, NODES};
use crate::crowd::Crowd;
use crate::proxy::Link;

/// How long it may take at rest until everything is right.
pub(crate) const REST: Duration = Duration::from_secs(5);

/// How long it may take until a node that was started again is ready.
pub(crate) const START: Duration = Duration::from_secs(30);

/// Something that goes wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The link of a node to PostgreSQL.
    ToPostgres(usize, Link),
    /// The link of a node to NATS.
    ToNats(usize, Link),
    /// The link of a client to its node.
    ToClient(usize, Link),
    /// The links of a node to PostgreSQL and to NATS: it reaches its clients only.
    CutOff(usize, Link),
    /// A node is stopped, and continues.
    PausedNode(usize),
    /// A node is killed, its clients are sent to others, and it starts again.
    KilledNode(usize),
    /// All nodes are ended in order and started again, one after the other, as in an upgrade.
    RollingRestart,
    /// PostgreSQL crashes and starts again at once.
    PostgresCrash,
    /// PostgreSQL is stopped, and continues.
    PausedPostgres,
    /// PostgreSQL crashes and is away.
    PostgresAway,
    /// NATS is killed and is away.
    NatsAway,
    /// NATS is stopped, and continues.
    PausedNats,
}

impl Fault {
    /// Chooses one. Clients behind a link of their own are those with numbers below `clients`; a published one, which does not
    /// notice a dead connection, is not behind a half-open one.
    pub(crate) fn choose(random: &mut StdRng, crowd: &Crowd) -> Self {
        let node = random.random_range(0..NODES);
        let delay = Duration::from_millis(random.random_range(5..150));
        let links = [Link::Slow(delay), Link::BlackHole, Link::HalfOpen, Link::Cut];
        let link = *links.choose(random).unwrap_or(&Link::Cut);
        match random.random_range(0..16) {
            0..=2 => Self::ToPostgres(node, if random.random_bool(0.2) { Link::Deaf } else { link }),
            3 | 4 => Self::ToNats(node, link),
            5 | 6 => {
                let client = random.random_range(0..crowd.len());
                let is_deaf = crowd.is_published(client) && link == Link::HalfOpen;
                Self::ToClient(client, if is_deaf { Link::Cut } else { link })
            }
            7 => Self::PausedNode(node),
            8 | 9 => Self::KilledNode(node),
            10 => Self::PostgresCrash,
            11 => Self::PausedPostgres,
            12 => Self::NatsAway,
            13 => Self::PausedNats,
            _ => Self::CutOff(node, link),
        }
    }

    /// Chooses something that an operator does, or that happens once a year: it comes alone.
    pub(crate) fn choose_alone(random: &mut StdRng) -> Self {
        *[Self::NatsAway, Self::PostgresAway, Self::RollingRestart].choose(random).unwrap_or(&Self::NatsAway)
    }

    /// Whether no client may be disconnected by it.
    pub(crate) const fn is_gentle(self) -> bool {
        matches!(self, Self::NatsAway | Self::PostgresAway)
    }

    /// Whether a mail may be sent twice because of it: who has sent it, and could not say so, has lost its lease.
    pub(crate) fn may_repeat_mails(self) -> bool {
        !matches!(self, Self::ToNats(..) | Self::ToClient(..) | Self::NatsAway | Self::PausedNats)
    }

    /// Returns how long it may take until everything is right when it has ended. A connection to PostgreSQL that has died
    /// without a sign is given up when its answer is too late. A node that does not hear what others write, and does not know it
    /// yet, may accept a revoked token: that session is ended by the recheck of all tokens.
    pub(crate) fn rest(self) -> Duration {
        match self {
            Self::ToPostgres(_, Link::HalfOpen) | Self::CutOff(_, Link::HalfOpen) => Duration::from_mins(1),
            Self::ToPostgres(_, Link::Deaf) => Duration::from_secs(30),
            _ => REST,
        }
    }

    /// Lets it go wrong for a while.
    pub(crate) async fn happen(self, cluster: &Cluster, crowd: &Crowd, lasting: Duration) -> anyhow::Result<()> {
        match self {
            Self::ToPostgres(node, link) => {
                cluster.to_postgres(node).set(link);
                sleep(lasting).await;
                cluster.to_postgres(node).set(Link::Open);
            }
            Self::ToNats(node, link) => {
                cluster.to_nats(node).set(link);
                sleep(lasting).await;
                cluster.to_nats(node).set(Link::Open);
            }
            Self::ToClient(client, link) => {
                crowd.proxy(client).set(link);
                sleep(lasting).await;
                crowd.proxy(client).set(Link::Open);
            }
            Self::CutOff(node, link) => {
                let links = [cluster.to_postgres(node), cluster.to_nats(node)];
                for proxy in links {
                    proxy.set(link);
                }
                sleep(lasting).await;
                for proxy in links {
                    proxy.set(Link::Open);
                }
            }
            Self::PausedNode(node) => {
                cluster.node(node).lock().await.pause().await;
                sleep(lasting).await;
                cluster.node(node).lock().await.resume().await;
            }
            Self::KilledNode(node) => {
                let port = cluster.node(node).lock().await.port();
                cluster.node(node).lock().await.kill().await;
                crowd.leave(port, &cluster.ports().await);
                sleep(lasting).await;
                cluster.node(node).lock().await.run()?;
            }
            Self::RollingRestart => {
                for number in 0..NODES {
                    let mut node = cluster.node(number).lock().await;
                    crowd.leave(node.port(), &cluster.ports_but(number).await);
                    node.end().await.with_context(|| format!("node {number}"))?;
                    node.run()?;
                    node.wait_until_ready(START).await.with_context(|| format!("node {number}"))?;
                }
            }
            Self::PostgresCrash => {
                // Two that start one server at the same time would find it started.
                let _alone = cluster.restarting_postgres.lock().await;
                cluster.with_postgres(PrivatePostgres::restart_immediately).await?;
            }
            Self::PausedPostgres => {
                cluster.with_postgres(PrivatePostgres::pause).await?;
                sleep(lasting).await;
                cluster.with_postgres(PrivatePostgres::resume).await?;
            }
            Self::PostgresAway => {
                cluster.with_postgres(PrivatePostgres::stop_immediately).await?;
                sleep(lasting).await;
                cluster.with_postgres(PrivatePostgres::start).await?;
            }
            Self::NatsAway => {
                cluster.with_nats(Nats::kill).await?;
                sleep(lasting).await;
                cluster.with_nats(Nats::restart).await?;
            }
            Self::PausedNats => {
                cluster.with_nats(|nats| nats.pause()).await?;
                sleep(lasting).await;
                cluster.with_nats(|nats| nats.resume()).await?;
            }
        }
        Ok(())
    }
}
