//! [`LocalBus`]: connects the apps of one process.

use std::sync::Arc;

use parking_lot::RwLock;

use super::{Bus, BusReceiver, BusSender, ClusterName};

/// The bus within a process. Apps with clones of it see each other's changes, before the call that makes one returns.
#[derive(Clone, Default)]
pub struct LocalBus {
    nodes: Arc<RwLock<Nodes>>,
}

#[derive(Default)]
struct Nodes {
    joined: usize,
    receivers: Vec<(usize, BusReceiver)>,
}

impl Bus for LocalBus {
    fn name(&self) -> &'static str {
        "local"
    }

    fn is_lossless(&self) -> bool {
        true
    }

    fn join(&self, _: &ClusterName, receiver: BusReceiver) -> BusSender {
        let mut nodes = self.nodes.write();
        nodes.receivers.retain(|(_, receiver)| !receiver.is_gone());
        nodes.joined += 1;
        let own = nodes.joined;
        nodes.receivers.push((own, receiver));
        let others = Arc::clone(&self.nodes);
        BusSender::new(move |message| {
            // Not under the lock: a node that is told something may join another one.
            let receivers: Vec<BusReceiver> = others.read().of_others(own);
            for receiver in receivers {
                receiver.message(&message);
            }
        })
    }
}

impl Nodes {
    fn of_others(&self, own: usize) -> Vec<BusReceiver> {
        self.receivers.iter().filter(|(node, _)| *node != own).map(|(_, receiver)| receiver.clone()).collect()
    }
}

impl std::fmt::Debug for LocalBus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LocalBus").field("nodes", &self.nodes.read().receivers.len()).finish()
    }
}
