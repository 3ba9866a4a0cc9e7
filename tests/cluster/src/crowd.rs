//! [`Crowd`]: the clients that watch and write documents, each behind a proxy of its own, which stands for a load balancer.

use std::sync::Arc;

use crate::client::{Client, Ours, Published};
use crate::cluster::NODES;
use crate::proxy::{Protocol, Proxy};
use crate::view::View;

/// A client, what it watches, and its way into the cluster.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) client: Arc<Client>,
    pub(crate) view: View,
    proxy: Proxy,
}

/// All clients.
#[derive(Debug)]
pub(crate) struct Crowd {
    members: Vec<Member>,
}

impl Crowd {
    /// Connects three clients of ours and one published one to each node.
    pub(crate) async fn connect(ports: &[u16]) -> anyhow::Result<Self> {
        let mut members = Vec::new();
        for (number, port) in ports.iter().enumerate() {
            let group = i64::try_from(number)?;
            for view in [View::All, View::Group(group), View::Newest(group, 5)] {
                members.push(Member::connect(*port, view, Kind::Ours).await?);
            }
            members.push(Member::connect(*port, View::Group((group + 1) % 3), Kind::Published).await?);
        }
        Ok(Self { members })
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn proxy(&self, client: usize) -> &Proxy {
        &self.members[client].proxy
    }

    pub(crate) fn is_published(&self, client: usize) -> bool {
        matches!(*self.members[client].client, Client::Published(_))
    }

    /// Sends the clients of a node to others.
    pub(crate) fn leave(&self, port: u16, ports: &[u16]) {
        let others: Vec<u16> = ports.iter().copied().filter(|other| *other != port).collect();
        let leaving = self.members.iter().filter(|member| member.proxy.server() == port);
        for (member, other) in leaving.zip(others.iter().cycle()) {
            member.proxy.send_to(*other);
        }
    }

    /// Sends the clients to all nodes in equal parts, when they connect again.
    pub(crate) fn spread(&self, ports: &[u16]) {
        for (number, member) in self.members.iter().enumerate() {
            member.proxy.send_to(ports[number * NODES / self.members.len()]);
        }
    }

    /// Returns how often they all were disconnected.
    pub(crate) fn disconnections(&self) -> usize {
        self.members.iter().map(|member| member.client.disconnections()).sum()
    }
}

enum Kind {
    Ours,
    Published,
}

impl Member {
    async fn connect(port: u16, view: View, kind: Kind) -> anyhow::Result<Self> {
        let proxy = Proxy::start(port, Protocol::Any).await?;
        let (publication, params) = view.publication();
        let client = match kind {
            Kind::Ours => Client::Ours(Ours::watching(proxy.port(), publication, &params).await?),
            Kind::Published => {
                Client::Published(Box::new(Published::watching(proxy.port(), publication, &params).await?))
            }
        };
        Ok(Self { client: Arc::new(client), view, proxy })
    }
}
